//! Decode a session document into columns.
//!
//! A document is accepted only where it certainly breaks no rule but those that are counted here: records in flight,
//! deprecated fields and unknown fields.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use crate::distinct::DistinctCheck;
use crate::exact_mean::ScoreSum;
use crate::records::{Kind, Records};
use crate::scan::{Cursor, Doubtful, Sure};
use crate::timestamp::Parser;

/// Different unknown keys that are kept between files.
const KEYS_KEPT: usize = 64;
/// Different unknown keys of one file.
const KEYS_BOUND: usize = 128;
/// How far the mean that a file declares may be from that of its records: half a step of its last digit, and half a
/// step of a score printed with three digits where all scores are that short.
const MEAN_HALF_STEP: f64 = 0.000_000_5;
const SCORE_HALF_STEP: f64 = 0.000_5;

const REQUIRED: u16 = 0b0111_1111;
const BACKEND: u16 = 1 << 7;
const DEVICE: u16 = 1 << 8;
const OTHER_DEVICE: u16 = 1 << 9;

#[derive(Clone, Copy, PartialEq)]
enum Field {
    /// A known field, by its bit.
    Known(u16),
    /// An unknown field, by its index among the unknown keys.
    Unknown(usize),
}

const KNOWN: [(&[u8], u16); 10] = [
    (b"context", 1),
    (b"seed", 1 << 1),
    (b"thread_id", 1 << 2),
    (b"acquired_at", 1 << 3),
    (b"released_at", 1 << 4),
    (b"duration_ms", 1 << 5),
    (b"stability_score", 1 << 6),
    (b"backend", BACKEND),
    (b"deviceName", DEVICE),
    (b"device_name", OTHER_DEVICE),
];

/// The deprecated fields in the order of their names.
const DEPRECATED: [&str; 3] = ["backend", "deviceName", "device_name"];

/// What the records of one document have in common.
#[derive(Default)]
pub struct RecordSummary {
    pub records: u32,
    pub in_flight: u32,
    pub first_acquired: Option<i64>,
    pub last_acquired: Option<i64>,
    pub seed_sum: u64,
    pub scores: ScoreSum,
    /// Whether all scores are printed with at most three digits.
    pub has_short_scores: bool,
}

/// The top level of an accepted document.
#[derive(Default)]
pub struct Session {
    pub summary: RecordSummary,
    pub declared_score: f64,
    pub backend: Option<Vec<u8>>,
    pub device_name: Option<Vec<u8>>,
    /// The unknown fields as a JSON object.
    pub extra: Option<Vec<u8>>,
    /// The JSON text of the field `labels`.
    pub labels: Option<Vec<u8>>,
}

/// The unknown members of an object: the index of each key, and the JSON text of its value.
pub type Members<'a> = Vec<(usize, &'a [u8])>;

/// Field names that are reported, and how often they occur.
pub type Noted = Option<(String, u64)>;

/// A key of the previous record, as it is in the text, up to its colon.
struct Expected {
    text: Vec<u8>,
    field: Field,
}

/// Decodes documents one after the other, with what was learnt from those before.
#[derive(Default)]
pub struct Decoder {
    stamps: Parser,
    distinct: DistinctCheck,
    expected: Vec<Expected>,
    unknown_keys: Vec<Vec<u8>>,
    unknown_counts: Vec<u64>,
    deprecated_counts: [u64; 3],
}

impl Decoder {
    /// Decode a document, and append its records.
    pub fn document(&mut self, text: &[u8], records: &mut Records) -> Sure<Session> {
        self.begin();
        std::str::from_utf8(text).map_err(|_| Doubtful)?;
        let mut cursor = Cursor::new(text);
        let mut session = Session::default();
        let mut score = None;
        let mut devices: [Option<Option<Cow<[u8]>>>; 2] = [None, None];
        let mut has_backend = false;
        let mut has_records = false;
        let mut unknown = Members::new();
        cursor.skip_blanks();
        cursor.expect(b'{')?;
        cursor.skip_blanks();
        loop {
            let key = cursor.key()?;
            match key {
                b"records" if !has_records => {
                    has_records = true;
                    cursor.expect(b'[')?;
                    session.summary = self.array(&mut cursor, records)?;
                }
                b"stability_score" if score.is_none() => score = Some(cursor.number()?.value),
                b"backend" if !has_backend => {
                    has_backend = true;
                    self.deprecated_counts[0] += 1;
                    session.backend = cursor.string_or_null()?.map(Cow::into_owned);
                }
                b"deviceName" | b"device_name" => {
                    let index = usize::from(key == b"device_name");
                    if devices[index].replace(cursor.string_or_null()?).is_some() {
                        return Err(Doubtful);
                    }
                    self.deprecated_counts[1 + index] += 1;
                }
                b"labels" if session.labels.is_none() => session.labels = Some(labels(&mut cursor)?.to_vec()),
                b"records" | b"stability_score" | b"backend" | b"labels" => return Err(Doubtful),
                _ => {
                    let index = self.unknown_key(key)?;
                    self.unknown_counts[index] += 1;
                    add_member(&mut unknown, index, cursor.raw_value()?)?;
                }
            }
            if !cursor.continues(b'}')? {
                break;
            }
        }
        cursor.finish()?;
        session.declared_score = score.filter(|value| (0.0..=1.0).contains(value)).ok_or(Doubtful)?;
        if !has_records || !agrees(session.declared_score, &session.summary) {
            return Err(Doubtful);
        }
        let [preferred, other] = devices.map(Option::flatten);
        session.device_name = one_device(preferred, other)?.map(Cow::into_owned);
        if !unknown.is_empty() {
            let mut object = Vec::new();
            write_object(&mut unknown, &self.unknown_keys, &mut object);
            session.extra = Some(object);
        }
        Ok(session)
    }

    /// The deprecated fields of the last document.
    pub fn deprecated(&self) -> Noted {
        let counts = self.deprecated_counts.iter().copied();
        noted(DEPRECATED.iter().map(|name| name.as_bytes()).zip(counts).collect())
    }

    /// The unknown fields of the last document.
    pub fn unknown(&self) -> Noted {
        let keys = self.unknown_keys.iter().map(Vec::as_slice);
        noted(keys.zip(self.unknown_counts.iter().copied()).collect())
    }

    fn begin(&mut self) {
        if self.unknown_keys.len() > KEYS_KEPT {
            self.unknown_keys.clear();
            self.expected.clear();
        }
        self.unknown_counts.clear();
        self.unknown_counts.resize(self.unknown_keys.len(), 0);
        self.deprecated_counts = [0; 3];
    }

    /// The rest of an array of records after its opening bracket.
    fn array(&mut self, cursor: &mut Cursor, records: &mut Records) -> Sure<RecordSummary> {
        let begin = records.len();
        let mut summary = RecordSummary { has_short_scores: true, ..RecordSummary::default() };
        cursor.skip_blanks();
        if cursor.skip_if(b']') {
            return Ok(summary);
        }
        loop {
            self.record(cursor, records, &mut summary)?;
            if !cursor.continues(b']')? {
                break;
            }
        }
        if !self.distinct.are_distinct(&records.seed.values[begin..]) {
            return Err(Doubtful);
        }
        Ok(summary)
    }

    /// Decode a record, and append it to the columns and its values to the summary.
    #[inline]
    pub fn record(&mut self, cursor: &mut Cursor, records: &mut Records, summary: &mut RecordSummary) -> Sure<()> {
        cursor.expect(b'{')?;
        cursor.skip_blanks();
        let mut seen: u16 = 0;
        let mut acquired = None;
        let mut released = None;
        let mut duration = 0.0;
        let (mut preferred, mut other) = (None, None);
        let mut unknown = Members::new();
        let mut number = 0;
        loop {
            match self.field(cursor, number)? {
                Field::Known(bit) => {
                    if seen & bit != 0 {
                        return Err(Doubtful);
                    }
                    seen |= bit;
                    match bit.trailing_zeros() {
                        0 => records.push_text(Kind::Context, &cursor.string()?)?,
                        1 => {
                            let seed = cursor.unsigned()?;
                            records.seed.push(seed);
                            summary.seed_sum = summary.seed_sum.wrapping_add(seed);
                        }
                        2 => records.push_text(Kind::Thread, &cursor.string()?)?,
                        3 => acquired = Some(self.stamps.parse(cursor.plain_string()?)?),
                        4 => {
                            if !cursor.skip_text(b"null") {
                                released = Some(self.stamps.parse(cursor.plain_string()?)?);
                            }
                        }
                        5 => duration = cursor.number()?.value,
                        6 => {
                            let score = cursor.number()?;
                            if !(0.0..=1.0).contains(&score.value) {
                                return Err(Doubtful);
                            }
                            summary.scores.add(score.value)?;
                            summary.has_short_scores &= score.is_short;
                            records.score.push(score.value);
                        }
                        7 => {
                            self.deprecated_counts[0] += 1;
                            records.push_optional_text(Kind::Backend, cursor.string_or_null()?.as_deref())?;
                        }
                        8 => {
                            self.deprecated_counts[1] += 1;
                            preferred = cursor.string_or_null()?;
                        }
                        _ => {
                            self.deprecated_counts[2] += 1;
                            other = cursor.string_or_null()?;
                        }
                    }
                }
                Field::Unknown(index) => {
                    self.unknown_counts[index] += 1;
                    add_member(&mut unknown, index, cursor.raw_value()?)?;
                }
            }
            number += 1;
            if !cursor.continues(b'}')? {
                break;
            }
        }
        let Some(acquired) = acquired.filter(|_| seen & REQUIRED == REQUIRED) else {
            return Err(Doubtful);
        };
        if duration < 0.0 {
            return Err(Doubtful);
        }
        match released {
            None => {
                records.add_in_flight(summary.in_flight, summary.records);
                summary.in_flight += 1;
            }
            Some(released) => {
                let span = released.micros - acquired.micros;
                let slack = acquired.resolution.max(released.resolution) + 1;
                if span < 0 || (span as f64 - duration * 1000.0).abs() > slack as f64 {
                    return Err(Doubtful);
                }
            }
        }
        if seen & BACKEND == 0 {
            records.push_optional_text(Kind::Backend, None)?;
        }
        records.push_optional_text(Kind::Device, one_device(preferred, other)?.as_deref())?;
        records.push_extra(&mut unknown, &self.unknown_keys)?;
        records.duration.push(duration);
        records.acquired.push(acquired.micros);
        records.released.push_option(released.map(|instant| instant.micros));
        records.index.push(summary.records);
        summary.records = summary.records.checked_add(1).ok_or(Doubtful)?;
        summary.first_acquired = Some(summary.first_acquired.map_or(acquired.micros, |at| at.min(acquired.micros)));
        summary.last_acquired = Some(summary.last_acquired.map_or(acquired.micros, |at| at.max(acquired.micros)));
        Ok(())
    }

    /// The field whose key comes next; most records have the keys of the record before.
    #[inline]
    fn field(&mut self, cursor: &mut Cursor, number: usize) -> Sure<Field> {
        if let Some(expected) = self.expected.get(number)
            && cursor.skip_text(&expected.text)
        {
            let field = expected.field;
            cursor.skip_blanks();
            return Ok(field);
        }
        self.other_field(cursor, number)
    }

    #[cold]
    fn other_field(&mut self, cursor: &mut Cursor, number: usize) -> Sure<Field> {
        let key = cursor.key()?;
        let field = match KNOWN.iter().find(|(name, _)| *name == key) {
            Some(&(_, bit)) => Field::Known(bit),
            None => Field::Unknown(self.unknown_key(key)?),
        };
        let expected = Expected { text: [b"\"", key, b"\":"].concat(), field };
        if number < self.expected.len() {
            self.expected[number] = expected;
        } else if number == self.expected.len() && number < KEYS_BOUND {
            self.expected.push(expected);
        }
        Ok(field)
    }

    fn unknown_key(&mut self, key: &[u8]) -> Sure<usize> {
        if let Some(index) = self.unknown_keys.iter().position(|known| known == key) {
            return Ok(index);
        }
        // Keys are written into JSON objects again, as they stand.
        let is_plain = key.iter().all(|byte| (0x20..0x7F).contains(byte));
        if !is_plain || self.unknown_keys.len() >= KEYS_BOUND {
            return Err(Doubtful);
        }
        self.unknown_keys.push(key.to_vec());
        self.unknown_counts.push(0);
        Ok(self.unknown_keys.len() - 1)
    }
}

/// The text of an object whose values are all texts, with distinct keys; anything else is an unknown field.
fn labels<'a>(cursor: &mut Cursor<'a>) -> Sure<&'a [u8]> {
    let start = cursor.offset();
    let mut names = Vec::new();
    cursor.expect(b'{')?;
    cursor.skip_blanks();
    if !cursor.skip_if(b'}') {
        loop {
            let name = cursor.key()?;
            cursor.string()?;
            if names.len() >= KEYS_BOUND || names.contains(&name) {
                return Err(Doubtful);
            }
            names.push(name);
            if !cursor.continues(b'}')? {
                break;
            }
        }
    }
    Ok(cursor.text_from(start))
}

/// Whether a declared mean certainly agrees with the records.
pub fn agrees(declared: f64, summary: &RecordSummary) -> bool {
    let Some(mean) = summary.scores.mean() else {
        return true;
    };
    let half_step = if summary.has_short_scores { MEAN_HALF_STEP + SCORE_HALF_STEP } else { MEAN_HALF_STEP };
    (declared - mean).abs() <= half_step
}

/// The device name that may be given under two keys; two different names are doubtful.
fn one_device<'a>(preferred: Option<Cow<'a, [u8]>>, other: Option<Cow<'a, [u8]>>) -> Sure<Option<Cow<'a, [u8]>>> {
    match (preferred, other) {
        (Some(first), Some(second)) if first != second => Err(Doubtful),
        (Some(name), _) | (None, Some(name)) => Ok(Some(name)),
        (None, None) => Ok(None),
    }
}

/// Add an unknown member; a key that occurs twice is doubtful.
fn add_member<'a>(members: &mut Members<'a>, key: usize, value: &'a [u8]) -> Sure<()> {
    if members.iter().any(|(known, _)| *known == key) {
        return Err(Doubtful);
    }
    members.push((key, value));
    Ok(())
}

/// Write members as a JSON object, in the order of their keys.
pub fn write_object(members: &mut Members, keys: &[Vec<u8>], object: &mut Vec<u8>) {
    members.sort_unstable_by_key(|(key, _)| &keys[*key]);
    for (number, (key, value)) in members.iter().enumerate() {
        object.extend_from_slice(if number == 0 { b"{\"" } else { b", \"" });
        object.extend_from_slice(&keys[*key]);
        object.extend_from_slice(b"\": ");
        object.extend_from_slice(value);
    }
    object.push(b'}');
}

/// Names with their total, of those that occur; None where none does.
fn noted(mut counts: Vec<(&[u8], u64)>) -> Noted {
    counts.retain(|(_, count)| *count > 0);
    if counts.is_empty() {
        return None;
    }
    counts.sort_unstable();
    let names: Vec<_> = counts.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
    Some((names.join(", "), counts.iter().map(|(_, count)| count).sum()))
}
