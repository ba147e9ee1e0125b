//! Columns that grow by one value at a time and can be cut back to an earlier length.

#![forbid(unsafe_code)]

use crate::arrow::{Array, Values};
use crate::scan::{Doubtful, Sure};

/// A column of numbers, of which some may be null.
#[derive(Default)]
pub struct Numbers<T> {
    pub values: Vec<T>,
    nulls: Vec<u32>,
}

impl<T: Copy + Default> Numbers<T> {
    #[inline]
    pub fn push(&mut self, value: T) {
        self.values.push(value);
    }

    #[inline]
    pub fn push_option(&mut self, value: Option<T>) {
        if value.is_none() {
            self.nulls.push(self.values.len() as u32);
        }
        self.values.push(value.unwrap_or_default());
    }

    pub fn truncate(&mut self, length: usize) {
        self.values.truncate(length);
        truncate_rows(&mut self.nulls, length);
    }

    pub fn finish(self, name: &str, values: fn(Vec<T>) -> Values) -> Array {
        let validity = validity(&self.nulls, self.values.len());
        Array { name: name.to_owned(), values: values(self.values), null_count: self.nulls.len(), validity }
    }
}

/// A text of at most this length is stored in its view.
const INLINE_BYTES: usize = 12;
/// Texts that are remembered to be stored once.
const RECENT: usize = 64;

/// A column of texts in Arrow's layout of views.
pub struct Texts {
    views: Vec<u128>,
    nulls: Vec<u32>,
    data: Vec<u8>,
    recent: [u128; RECENT],
}

impl Default for Texts {
    fn default() -> Self {
        Texts { views: Vec::new(), nulls: Vec::new(), data: Vec::new(), recent: [0; RECENT] }
    }
}

impl Texts {
    #[inline]
    pub fn push(&mut self, text: &[u8]) -> Sure<()> {
        let view = if text.len() <= INLINE_BYTES { inline_view(text) } else { self.stored_view(text)? };
        self.views.push(view);
        Ok(())
    }

    pub fn push_option(&mut self, text: Option<&[u8]>) -> Sure<()> {
        match text {
            Some(text) => self.push(text),
            None => {
                self.nulls.push(self.views.len() as u32);
                self.views.push(0);
                Ok(())
            }
        }
    }

    /// The view of a long text, which is stored unless it is one of those that were stored lately.
    fn stored_view(&mut self, text: &[u8]) -> Sure<u128> {
        let (head, tail) = (&text[..8], &text[text.len() - 8..]);
        let mixed = word(head).rotate_left(29) ^ word(tail) ^ text.len() as u64;
        let slot = (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize;
        let known = self.recent[slot];
        let (length, start) = (known as u32 as usize, (known >> 96) as usize);
        if length == text.len() && &self.data[start..start + length] == text {
            return Ok(known);
        }
        let offset = self.data.len();
        if i32::try_from(offset + text.len()).is_err() {
            return Err(Doubtful);
        }
        self.data.extend_from_slice(text);
        let prefix = u32::from_le_bytes([text[0], text[1], text[2], text[3]]);
        // Length, the first four bytes, the number of the data buffer (always 0), the offset in it.
        let view = text.len() as u128 | u128::from(prefix) << 32 | (offset as u128) << 96;
        self.recent[slot] = view;
        Ok(view)
    }

    pub fn truncate(&mut self, length: usize) {
        self.views.truncate(length);
        truncate_rows(&mut self.nulls, length);
    }

    pub fn finish(self, name: &str) -> Array {
        let validity = validity(&self.nulls, self.views.len());
        let values = Values::Text { views: self.views, data: self.data };
        Array { name: name.to_owned(), values, null_count: self.nulls.len(), validity }
    }
}

fn inline_view(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[0] = text.len() as u8;
    bytes[4..4 + text.len()].copy_from_slice(text);
    u128::from_le_bytes(bytes)
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

fn truncate_rows(rows: &mut Vec<u32>, length: usize) {
    while rows.last().is_some_and(|&row| row as usize >= length) {
        rows.pop();
    }
}

/// Arrow's bitmap of the rows that are not null; None where all are.
fn validity(nulls: &[u32], length: usize) -> Option<Vec<u8>> {
    if nulls.is_empty() {
        return None;
    }
    let mut bits = vec![0xFF; length.div_ceil(8)];
    for &row in nulls {
        bits[row as usize / 8] &= !(1 << (row % 8));
    }
    Some(bits)
}
