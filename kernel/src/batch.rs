//! Decode the files of a batch into one set of tables.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::arrow::Table;
use crate::files;
use crate::records::Records;
use crate::session::Decoder;
use crate::sessions::Sessions;

/// Counts of records have 32 bits.
const MOST_BYTES: u64 = u32::MAX as u64;

/// What is wanted of each file.
#[derive(PartialEq)]
pub struct Request {
    /// The columns of records.
    pub columns: Vec<String>,
    /// Whether each file is hashed.
    pub session_ids: bool,
    /// The most records in flight of a file that are listed.
    pub in_flight_listed: u32,
}

/// A file to decode.
pub enum Source<'a> {
    Path(&'a OsString),
    Content(&'a [u8]),
}

/// The indexes of doubtful files; then sessions, records, and records in flight of the others.
pub type Tables = (Vec<u32>, Table, Table, Table);

/// Decode files; None is doubtful beforehand.
pub fn decode<'a>(files: impl Iterator<Item = Option<Source<'a>>>, request: &Request) -> Tables {
    let mut decoder = Decoder::default();
    let mut records = Records::new(&request.columns, request.in_flight_listed);
    let mut sessions = Sessions::default();
    let mut doubtful = Vec::new();
    let mut buffer = Vec::new();
    for (index, source) in (0..).zip(files) {
        let text = match source {
            Some(Source::Content(content)) => Some(content),
            Some(Source::Path(path)) => files::read_file(path, MOST_BYTES, &mut buffer).ok().map(|()| &*buffer),
            None => None,
        };
        let is_accepted =
            text.is_some_and(|text| decode_text(index, text, request, &mut decoder, &mut records, &mut sessions));
        if is_accepted {
            records.accept(index);
        } else {
            records.reject();
            doubtful.push(index);
        }
    }
    let (records, in_flight) = records.finish(&request.columns);
    (doubtful, sessions.finish(), records, in_flight)
}

/// Decode the bytes of a file; false where it is doubtful.
fn decode_text(
    index: u32,
    text: &[u8],
    request: &Request,
    decoder: &mut Decoder,
    records: &mut Records,
    sessions: &mut Sessions,
) -> bool {
    let Ok(session) = decoder.document(text, records) else {
        return false;
    };
    let session_id = request.session_ids.then(|| hexadecimal(&Sha256::digest(text)));
    let (deprecated, unknown) = (decoder.deprecated(), decoder.unknown());
    sessions.push(index, text.len() as u64, session_id.as_deref(), &session, &deprecated, &unknown).is_ok()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
