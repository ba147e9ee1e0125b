//! The columns of records.

#![forbid(unsafe_code)]

use crate::arrow::{Table, Values};
use crate::columns::{Numbers, Texts};
use crate::scan::Sure;
use crate::session::{Members, write_object};

/// The columns of text.
#[derive(Clone, Copy)]
pub enum Kind {
    Context,
    Thread,
    Backend,
    Device,
    Extra,
}

const TEXT_NAMES: [&str; 5] = ["context", "thread_id", "backend", "device_name", "extra"];

/// The records of the accepted documents of a batch; columns of text only where they are requested.
#[derive(Default)]
pub struct Records {
    pub index: Numbers<u32>,
    pub seed: Numbers<u64>,
    pub acquired: Numbers<i64>,
    pub released: Numbers<i64>,
    pub duration: Numbers<f64>,
    pub score: Numbers<f64>,
    texts: [Option<Texts>; 5],
    file: Numbers<u32>,
    in_flight_file: Numbers<u32>,
    pub in_flight_index: Numbers<u32>,
    in_flight_listed: u32,
    scratch: Vec<u8>,
}

impl Records {
    /// Columns for the requested texts; at most `in_flight_listed` records in flight of a document are listed.
    pub fn new(wanted: &[String], in_flight_listed: u32) -> Self {
        let texts = TEXT_NAMES.map(|name| wanted.iter().any(|column| column == name).then(Texts::default));
        Records { texts, in_flight_listed, ..Records::default() }
    }

    pub fn len(&self) -> usize {
        self.index.values.len()
    }

    #[inline]
    pub fn push_text(&mut self, kind: Kind, text: &[u8]) -> Sure<()> {
        self.texts[kind as usize].as_mut().map_or(Ok(()), |texts| texts.push(text))
    }

    #[inline]
    pub fn push_optional_text(&mut self, kind: Kind, text: Option<&[u8]>) -> Sure<()> {
        self.texts[kind as usize].as_mut().map_or(Ok(()), |texts| texts.push_option(text))
    }

    #[inline]
    pub fn push_extra(&mut self, members: &mut Members, keys: &[Vec<u8>]) -> Sure<()> {
        let Some(texts) = self.texts[Kind::Extra as usize].as_mut() else {
            return Ok(());
        };
        if members.is_empty() {
            return texts.push_option(None);
        }
        self.scratch.clear();
        write_object(members, keys, &mut self.scratch);
        texts.push(&self.scratch)
    }

    /// List a record in flight: the n-th of its document, counted from 0.
    pub fn add_in_flight(&mut self, n: u32, index: u32) {
        if n < self.in_flight_listed {
            self.in_flight_index.push(index);
        }
    }

    /// The records since the last call are those of this document.
    pub fn accept(&mut self, file: u32) {
        self.file.values.resize(self.len(), file);
        self.in_flight_file.values.resize(self.in_flight_index.values.len(), file);
    }

    /// Remove the records since the last accepted document.
    pub fn reject(&mut self) {
        let length = self.file.values.len();
        self.index.truncate(length);
        self.seed.truncate(length);
        self.acquired.truncate(length);
        self.released.truncate(length);
        self.duration.truncate(length);
        self.score.truncate(length);
        for texts in self.texts.iter_mut().flatten() {
            texts.truncate(length);
        }
        self.in_flight_index.truncate(self.in_flight_file.values.len());
    }

    /// The columns of records, and the records in flight.
    pub fn finish(self, wanted: &[String]) -> (Table, Table) {
        let mut columns = vec![
            self.file.finish("file", Values::U32),
            self.index.finish("record_index", Values::U32),
            self.seed.finish("seed", Values::U64),
            self.acquired.finish("acquired_at", Values::Timestamp),
            self.released.finish("released_at", Values::Timestamp),
            self.duration.finish("duration_ms", Values::F64),
            self.score.finish("stability_score", Values::F64),
        ];
        columns.extend(TEXT_NAMES.iter().zip(self.texts).filter_map(|(name, texts)| texts.map(|it| it.finish(name))));
        columns.retain(|column| column.name == "file" || wanted.contains(&column.name));
        let in_flight = vec![
            self.in_flight_file.finish("file", Values::U32),
            self.in_flight_index.finish("record_index", Values::U32),
        ];
        (Table::new(columns), Table::new(in_flight))
    }
}
