//! The native decoder of Clamp session files.
//!
//! It accepts a file only where the decoder in Python certainly finds nothing but what is counted here, and gives the
//! same values. Every other file is doubtful: it has no row, and the decoder in Python reads it.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod arrow;
mod columns;
mod distinct;
mod exact_mean;
mod files;
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
use records::Records;
use session::{Decoder, RecordSummary};
use sessions::Sessions;

/// Increases with every change of the functions below; the package refuses another version than its own.
const INTERFACE: u32 = 1;

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
            if files::read_file(path, buffer).is_err() {
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
    sessions.push(index, text.len(), session_id.as_deref(), &session, &deprecated, &unknown).is_ok()
}

/// What the records of a part of a large file have in common.
#[pyclass(frozen, get_all)]
struct PartSummary {
    record_count: u32,
    in_flight_count: u32,
    first_acquired_us: Option<i64>,
    last_acquired_us: Option<i64>,
    /// The exact sum of the scores, in units of 2^-90.
    score_total: u128,
    /// Whether all scores have at most three significant digits.
    printed_short: bool,
    deprecated_fields: Option<(String, u64)>,
    unknown_fields: Option<(String, u64)>,
}

/// Decode the records between two offsets of a file: `(summary, records, in_flight)`; None where they are doubtful.
#[pyfunction]
fn decode_span(
    py: Python<'_>,
    path: OsString,
    start: u64,
    end: u64,
    columns: Vec<String>,
    in_flight_listed: u32,
) -> Option<(PartSummary, Table, Table)> {
    py.detach(|| {
        let mut decoder = Decoder::default();
        let mut records = Records::new(&columns, in_flight_listed);
        let mut buffer = Vec::new();
        files::read_span(&path, start, end, &mut buffer).ok()?;
        let summary = decoder.span(&buffer, &mut records).ok()?;
        records.accept(0);
        let summary = part_summary(summary, &decoder);
        let (records, in_flight) = records.finish(&columns);
        Some((summary, records, in_flight))
    })
}

fn part_summary(summary: RecordSummary, decoder: &Decoder) -> PartSummary {
    PartSummary {
        record_count: summary.records,
        in_flight_count: summary.in_flight,
        first_acquired_us: summary.first_acquired,
        last_acquired_us: summary.last_acquired,
        score_total: summary.scores.total,
        printed_short: summary.has_short_scores,
        deprecated_fields: decoder.deprecated(),
        unknown_fields: decoder.unknown(),
    }
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
    module.add_function(wrap_pyfunction!(decode_span, module)?)
}
