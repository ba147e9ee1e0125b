//! Read files before they are decoded, on a thread of its own, while the interpreter still imports modules.

#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::files;

#[derive(Default)]
struct ReadAhead {
    /// Files to read, and how many bytes of them.
    waiting: VecDeque<OsString>,
    bytes_left: u64,
    read: HashMap<OsString, Vec<u8>>,
}

static STATE: LazyLock<Mutex<ReadAhead>> = LazyLock::new(Mutex::default);

fn state() -> MutexGuard<'static, ReadAhead> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begin to read files in their order, up to a number of bytes, until one is decoded that is not read yet.
pub fn start(paths: Vec<OsString>, most_bytes: u64) {
    *state() = ReadAhead { waiting: paths.into(), bytes_left: most_bytes, read: HashMap::new() };
    thread::spawn(|| {
        let mut buffer = Vec::new();
        while let Some((path, bytes_left)) = next() {
            if files::read_file(&path, bytes_left, &mut buffer).is_err() {
                break;
            }
            keep(path, &buffer);
        }
    });
}

fn next() -> Option<(OsString, u64)> {
    let state = state();
    state.waiting.front().cloned().map(|path| (path, state.bytes_left))
}

fn keep(path: OsString, text: &[u8]) {
    let mut state = state();
    // The list is empty if the decoder has caught up, and another one if another call has replaced it.
    if state.waiting.front() == Some(&path) {
        state.waiting.pop_front();
        state.bytes_left = state.bytes_left.saturating_sub(text.len() as u64);
        state.read.insert(path, text.to_vec());
    }
}

/// The bytes of a file that was read ahead. Without it, reading ahead is over.
pub fn take(path: &OsString) -> Option<Vec<u8>> {
    let mut state = state();
    let found = state.read.remove(path);
    if found.is_none() {
        state.waiting.clear();
    }
    found
}
