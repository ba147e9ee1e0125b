//! Decode a large file window by window, in memory that does not grow with its size.
//!
//! The text around the array of records is decoded first, as a document without records. The records follow in windows.
//! Each window ends behind the last record that is certainly complete; the rest of it begins the next one.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::time::SystemTime;

use pyo3::prelude::*;

use crate::arrow::Table;
use crate::distinct::DistinctCheck;
use crate::files;
use crate::records::Records;
use crate::scan::{Cursor, Doubtful, Sure};
use crate::session::{Decoder, Session, agrees};
use crate::sessions::Sessions;

/// How far from the ends of the file the ends of the array are searched for.
const AROUND: u64 = 1 << 16;
/// A record is complete where at least this much follows its beginning in the window; a longer record is doubtful.
const LONGEST_RECORD: u64 = 1 << 16;

/// A file whose records are decoded window by window.
#[pyclass]
pub struct LargeFile {
    file: File,
    size: u64,
    /// The end of the array.
    end: u64,
    /// The offset up to which the file is read.
    at: u64,
    window_bytes: u64,
    columns: Vec<String>,
    in_flight_listed: u32,
    /// What is read and not yet decoded.
    buffer: Vec<u8>,
    decoder: Decoder,
    session: Session,
    seeds: Vec<u64>,
    in_flight: Vec<u32>,
    /// The windows that were decoded before they were asked for.
    ready: VecDeque<Table>,
    /// The result of decoding up to the latest window; an error is final.
    state: Sure<State>,
    modified: SystemTime,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    HasMore,
    Complete,
}

#[pymethods]
impl LargeFile {
    /// The records of the next window; None after the last one, and where the file is doubtful.
    fn records(&mut self, py: Python<'_>) -> Option<Table> {
        py.detach(|| {
            if self.ready.is_empty() {
                self.decode_ahead();
            }
            self.ready.pop_front()
        })
    }

    /// The tables of the session and of its records in flight, after the last window; None where the file is doubtful.
    fn session(&mut self, py: Python<'_>) -> Option<(Table, Table)> {
        py.detach(|| if self.state == Ok(State::Complete) { self.finish().ok() } else { None })
    }
}

impl LargeFile {
    pub fn open(path: &OsString, columns: Vec<String>, in_flight_listed: u32, window_bytes: u64) -> Sure<LargeFile> {
        let (mut file, size) = files::open(path)?;
        let mut head = Vec::new();
        files::read_span(&mut file, 0, size.min(AROUND), &mut head)?;
        let mut tail = Vec::new();
        files::read_span(&mut file, size.saturating_sub(AROUND), size, &mut tail)?;
        head.truncate(array_start(&head).ok_or(Doubtful)?);
        tail.drain(..tail.iter().rposition(|&byte| byte == b']').ok_or(Doubtful)?);
        let (at, end) = (head.len() as u64, size - tail.len() as u64);
        if at > end {
            return Err(Doubtful);
        }
        let mut decoder = Decoder::default();
        let session = decoder.document(&[head, tail].concat(), &mut Records::new(&[], 0))?;
        let modified = files::modified(&file)?;
        Ok(LargeFile {
            file,
            size,
            end,
            at,
            window_bytes,
            columns,
            in_flight_listed,
            buffer: Vec::new(),
            decoder,
            session,
            seeds: Vec::new(),
            in_flight: Vec::new(),
            ready: VecDeque::new(),
            state: Ok(State::HasMore),
            modified,
        })
    }

    /// Decode the next window; false where there is none, or the file is doubtful.
    pub fn decode_ahead(&mut self) -> bool {
        if self.state != Ok(State::HasMore) {
            return false;
        }
        self.state = self.next_window().map(|(table, state)| {
            self.ready.push_back(table);
            state
        });
        self.state.is_ok()
    }

    fn next_window(&mut self) -> Sure<(Table, State)> {
        let until = (self.at + self.window_bytes).min(self.end);
        files::read_span(&mut self.file, self.at, until, &mut self.buffer)?;
        self.at = until;
        let is_last = until == self.end;
        let mut records = Records::new(&self.columns, self.in_flight_listed);
        let decoded = self.decode_window(is_last, &mut records)?;
        self.buffer.drain(..decoded);
        self.seeds.extend_from_slice(&records.seed.values);
        self.in_flight.append(&mut records.in_flight_index.values);
        records.accept(0);
        let state = if is_last { State::Complete } else { State::HasMore };
        Ok((records.finish(&self.columns).0, state))
    }

    /// Decode the records that are complete, and return the offset behind the last one in the buffer.
    fn decode_window(&mut self, is_last: bool, records: &mut Records) -> Sure<usize> {
        let longest = LONGEST_RECORD.min(self.window_bytes / 2) as usize;
        let mut cursor = Cursor::new(&self.buffer);
        cursor.skip_blanks();
        loop {
            self.decoder.record(&mut cursor, records, &mut self.session.summary)?;
            cursor.skip_blanks();
            if !cursor.skip_if(b',') {
                if !is_last {
                    return Err(Doubtful);
                }
                cursor.finish()?;
                break;
            }
            cursor.skip_blanks();
            if !is_last && self.buffer.len() - cursor.offset() < longest {
                break;
            }
        }
        std::str::from_utf8(&self.buffer[..cursor.offset()]).map_err(|_| Doubtful)?;
        Ok(cursor.offset())
    }

    fn finish(&mut self) -> Sure<(Table, Table)> {
        let session = &self.session;
        // The content may have changed between two windows.
        let is_right =
            agrees(session.declared_score, &session.summary) && files::modified(&self.file)? == self.modified;
        if !is_right || !DistinctCheck::default().are_distinct(&self.seeds) {
            return Err(Doubtful);
        }
        let mut sessions = Sessions::default();
        let (deprecated, unknown) = (self.decoder.deprecated(), self.decoder.unknown());
        sessions.push(0, self.size, None, session, &deprecated, &unknown)?;
        let mut records = Records::new(&[], 0);
        records.in_flight_index.values = std::mem::take(&mut self.in_flight);
        records.accept(0);
        Ok((sessions.finish(), records.finish(&[]).1))
    }
}

/// The offset behind the bracket that opens the first array `records`.
fn array_start(text: &[u8]) -> Option<usize> {
    const KEY: &[u8] = b"\"records\"";
    text.windows(KEY.len()).enumerate().filter(|(_, found)| *found == KEY).find_map(|(start, _)| {
        let begin = start + KEY.len();
        let mut cursor = Cursor::new(&text[begin..]);
        cursor.skip_blanks();
        cursor.expect(b':').ok()?;
        cursor.skip_blanks();
        cursor.expect(b'[').ok()?;
        Some(begin + cursor.offset())
    })
}
