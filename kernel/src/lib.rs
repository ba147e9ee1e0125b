//! The native decoder of Clamp session files.
//!
//! It accepts a file only where the decoder in Python certainly finds nothing but what is counted here, and gives the
//! same values. Every other file is doubtful: it has no row, and the decoder in Python reads it.

#![deny(unsafe_code)]

mod ahead;
#[allow(unsafe_code)]
mod arrow;
mod columns;
mod distinct;
mod exact_mean;
mod files;
mod large;
mod records;
mod scan;
mod session;
mod sessions;
mod timestamp;

use std::ffi::OsString;
use std::fmt::Write;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use sha2::{Digest, Sha256};

use arrow::Table;
use large::LargeFile;
use records::Records;
use session::Decoder;
use sessions::Sessions;

/// Increases with every change of the functions below; the package refuses another version than its own.
const INTERFACE: u32 = 3;

/// Counts of records have 32 bits.
const MOST_BYTES: u64 = u32::MAX as u64;

#[derive(FromPyObject)]
enum Source {
    Path(OsString),
    Content(PyBackedBytes),
}

/// Decode session files: `(doubtful, sessions, records, in_flight)`.
///
/// A file is given by its path or its bytes, or as None where it is doubtful beforehand. `doubtful` holds the indexes
/// of the files that are not accepted; the three tables are about the others, in the order of the files.
#[pyfunction]
fn decode_files(
    py: Python<'_>,
    files: Vec<Option<Source>>,
    columns: Vec<String>,
    session_ids: bool,
    in_flight_listed: u32,
) -> (Vec<u32>, Table, Table, Table) {
    py.detach(|| {
        let mut decoder = Decoder::default();
        let mut records = Records::new(&columns, in_flight_listed);
        let mut sessions = Sessions::default();
        let mut doubtful = Vec::new();
        let mut buffer = Vec::new();
        for (index, source) in files.iter().enumerate() {
            let index = index as u32;
            if decode_file(index, source, session_ids, &mut buffer, &mut decoder, &mut records, &mut sessions) {
                records.accept(index);
            } else {
                records.reject();
                doubtful.push(index);
            }
        }
        let (records, in_flight) = records.finish(&columns);
        (doubtful, sessions.finish(), records, in_flight)
    })
}

/// Decode one file; false where it is doubtful.
fn decode_file(
    index: u32,
    source: &Option<Source>,
    session_ids: bool,
    buffer: &mut Vec<u8>,
    decoder: &mut Decoder,
    records: &mut Records,
    sessions: &mut Sessions,
) -> bool {
    let text: &[u8] = match source {
        None => return false,
        Some(Source::Content(content)) => content,
        Some(Source::Path(path)) => {
            if let Some(text) = ahead::take(path) {
                *buffer = text;
            } else if files::read_file(path, MOST_BYTES, buffer).is_err() {
                return false;
            }
            buffer
        }
    };
    let Ok(session) = decoder.document(text, records) else {
        return false;
    };
    let session_id = session_ids.then(|| hexadecimal(&Sha256::digest(text)));
    let (deprecated, unknown) = (decoder.deprecated(), decoder.unknown());
    sessions.push(index, text.len() as u64, session_id.as_deref(), &session, &deprecated, &unknown).is_ok()
}

/// Begin to decode a large file window by window; None where it is doubtful.
#[pyfunction]
fn open_large_file(
    py: Python<'_>,
    path: OsString,
    columns: Vec<String>,
    in_flight_listed: u32,
    window_bytes: u64,
) -> Option<LargeFile> {
    py.detach(|| LargeFile::open(&path, columns, in_flight_listed, window_bytes).ok())
}

/// Begin to read files that will be decoded soon, in their order and up to a number of bytes.
#[pyfunction]
fn read_ahead(paths: Vec<OsString>, most_bytes: u64) {
    ahead::start(paths, most_bytes);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[pymodule]
fn clamp_analytics_kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(decode_files, module)?)?;
    module.add_function(wrap_pyfunction!(open_large_file, module)?)?;
    module.add_function(wrap_pyfunction!(read_ahead, module)?)
}
