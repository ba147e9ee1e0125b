//! The native decoder of Clamp session files.
//!
//! It accepts a file only where the decoder in Python certainly finds nothing but what is counted here, and gives the
//! same values. Every other file is doubtful: it has no row, and the decoder in Python reads it.

#![deny(unsafe_code)]

mod ahead;
#[allow(unsafe_code)]
mod arrow;
mod batch;
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

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use ahead::{Decoded, Group};
use batch::{Request, Source, Tables};
use large::LargeFile;

/// Increases with every change of the functions below; the package refuses another version than its own.
const INTERFACE: u32 = 4;

#[derive(FromPyObject)]
enum File {
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
    files: Vec<Option<File>>,
    columns: Vec<String>,
    session_ids: bool,
    in_flight_listed: u32,
) -> Tables {
    py.detach(|| {
        let request = Request { columns, session_ids, in_flight_listed };
        let are_paths = files.iter().all(|file| matches!(file, Some(File::Path(_))));
        if are_paths && let Some(Decoded::Batch(found)) = ahead::take(|group| is_batch(group, &files), &request) {
            return found;
        }
        let sources = files.iter().map(|file| {
            Some(match file.as_ref()? {
                File::Path(path) => Source::Path(path),
                File::Content(content) => Source::Content(content),
            })
        });
        batch::decode(sources, &request)
    })
}

/// Whether a group is the batch of these files.
fn is_batch(group: &Group, files: &[Option<File>]) -> bool {
    let is_path = |(path, file): (&OsString, &Option<File>)| matches!(file, Some(File::Path(other)) if other == path);
    group.window_bytes.is_none() && group.paths.len() == files.len() && group.paths.iter().zip(files).all(is_path)
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
    py.detach(|| {
        let is_wanted = |group: &Group| group.window_bytes == Some(window_bytes) && group.paths[0] == path;
        let request = Request { columns, session_ids: false, in_flight_listed };
        match ahead::take(is_wanted, &request) {
            Some(Decoded::Large(found)) => found.map(|file| *file),
            _ => LargeFile::open(&path, request.columns, in_flight_listed, window_bytes).ok(),
        }
    })
}

/// Begin to decode groups of files that are asked for soon, in their order and with these arguments.
///
/// A group is the paths of a batch and None, or the path of a large file and the size of its windows.
#[pyfunction]
fn decode_ahead(
    groups: Vec<(Vec<OsString>, Option<u64>)>,
    columns: Vec<String>,
    session_ids: bool,
    in_flight_listed: u32,
) {
    let groups = groups.into_iter().map(|(paths, window_bytes)| Group { paths, window_bytes }).collect();
    ahead::start(groups, Request { columns, session_ids, in_flight_listed });
}

#[pymodule]
fn clamp_analytics_kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(decode_files, module)?)?;
    module.add_function(wrap_pyfunction!(open_large_file, module)?)?;
    module.add_function(wrap_pyfunction!(decode_ahead, module)?)
}
