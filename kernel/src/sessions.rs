//! The rows of accepted documents.

#![forbid(unsafe_code)]

use crate::arrow::{Table, Values};
use crate::columns::{Numbers, Texts};
use crate::scan::{Doubtful, Sure};
use crate::session::{Noted, Session};

#[derive(Default)]
pub struct Sessions {
    file: Numbers<u32>,
    session_id: Texts,
    size: Numbers<u64>,
    declared: Numbers<f64>,
    mean: Numbers<f64>,
    records: Numbers<u32>,
    in_flight: Numbers<u32>,
    first_acquired: Numbers<i64>,
    last_acquired: Numbers<i64>,
    backend: Texts,
    device_name: Texts,
    extra: Texts,
    labels: Texts,
    seed_sum: Numbers<u64>,
    deprecated: Texts,
    deprecated_count: Numbers<u32>,
    unknown: Texts,
    unknown_count: Numbers<u32>,
}

impl Sessions {
    /// Add a document; one whose texts or counts do not fit is doubtful, and leaves no row.
    pub fn push(
        &mut self,
        file: u32,
        size: u64,
        session_id: Option<&str>,
        session: &Session,
        deprecated: &Noted,
        unknown: &Noted,
    ) -> Sure<()> {
        let row = self.file.values.len();
        let added = self.push_texts(session_id, session, deprecated, unknown);
        if added.is_err() {
            for texts in self.texts() {
                texts.truncate(row);
            }
            return added;
        }
        let summary = &session.summary;
        self.file.push(file);
        self.size.push(size);
        self.declared.push(session.declared_score);
        self.mean.push_option(summary.scores.mean());
        self.records.push(summary.records);
        self.in_flight.push(summary.in_flight);
        self.first_acquired.push_option(summary.first_acquired);
        self.last_acquired.push_option(summary.last_acquired);
        self.seed_sum.push(summary.seed_sum);
        self.deprecated_count.push(count_of(deprecated));
        self.unknown_count.push(count_of(unknown));
        Ok(())
    }

    fn push_texts(
        &mut self,
        session_id: Option<&str>,
        session: &Session,
        deprecated: &Noted,
        unknown: &Noted,
    ) -> Sure<()> {
        if [deprecated, unknown].into_iter().flatten().any(|(_, count)| u32::try_from(*count).is_err()) {
            return Err(Doubtful);
        }
        self.session_id.push_option(session_id.map(str::as_bytes))?;
        self.backend.push_option(session.backend.as_deref())?;
        self.device_name.push_option(session.device_name.as_deref())?;
        self.extra.push_option(session.extra.as_deref())?;
        self.labels.push_option(session.labels.as_deref())?;
        self.deprecated.push_option(deprecated.as_ref().map(|(names, _)| names.as_bytes()))?;
        self.unknown.push_option(unknown.as_ref().map(|(names, _)| names.as_bytes()))
    }

    fn texts(&mut self) -> [&mut Texts; 7] {
        [
            &mut self.session_id,
            &mut self.backend,
            &mut self.device_name,
            &mut self.extra,
            &mut self.labels,
            &mut self.deprecated,
            &mut self.unknown,
        ]
    }

    pub fn finish(self) -> Table {
        Table::new(vec![
            self.file.finish("file", Values::U32),
            self.session_id.finish("session_id"),
            self.size.finish("size_bytes", Values::U64),
            self.declared.finish("declared_stability_score", Values::F64),
            self.mean.finish("mean_stability", Values::F64),
            self.records.finish("record_count", Values::U32),
            self.in_flight.finish("in_flight_count", Values::U32),
            self.first_acquired.finish("first_acquired_at", Values::Timestamp),
            self.last_acquired.finish("last_acquired_at", Values::Timestamp),
            self.backend.finish("backend"),
            self.device_name.finish("device_name"),
            self.extra.finish("extra"),
            self.labels.finish("labels"),
            self.seed_sum.finish("seed_sum", Values::U64),
            self.deprecated.finish("deprecated_fields"),
            self.deprecated_count.finish("deprecated_count", Values::U32),
            self.unknown.finish("unknown_fields"),
            self.unknown_count.finish("unknown_count", Values::U32),
        ])
    }
}

fn count_of(noted: &Noted) -> u32 {
    noted.as_ref().map_or(0, |(_, count)| *count as u32)
}
