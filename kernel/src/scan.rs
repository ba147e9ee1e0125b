//! Walk over a JSON text (RFC 8259) that is known to be valid UTF-8.

#![forbid(unsafe_code)]

use std::borrow::Cow;

/// The text is not what the decoder accepts; the decoder in Python finds out why.
#[derive(Debug, PartialEq)]
pub struct Doubtful;

pub type Sure<T> = Result<T, Doubtful>;

/// Arrays and objects inside an unknown field that are followed.
const DEPTH_BOUND: u32 = 64;
/// Digits that always fit in 64 bits.
const SAFE_DIGITS: usize = 19;
/// Integers up to this one are exact as a double.
const EXACT_INTEGER: u64 = 1 << 53;
/// Powers of ten that are exact as a double.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 128;

/// A number, and whether its text has at most three significant digits.
#[derive(Debug, PartialEq, Clone, Copy)]
pub struct Number {
    pub value: f64,
    pub is_short: bool,
}

/// An offset in a text, which each method moves past what it has read.
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Cursor { text, at: 0 }
    }

    /// The next byte; 0, which no JSON text contains, at the end.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text between an earlier offset and this one.
    pub fn text_from(&self, start: usize) -> &'a [u8] {
        &self.text[start..self.at]
    }

    /// Skip one given byte.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Sure<()> {
        if self.peek() != byte {
            return Err(Doubtful);
        }
        self.at += 1;
        Ok(())
    }

    /// Skip the given byte if it is the next one.
    #[inline]
    pub fn skip_if(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// Skip a given text if it comes next.
    #[inline]
    pub fn skip_text(&mut self, text: &[u8]) -> bool {
        let is_next = self.text[self.at..].starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// Only blanks may follow.
    pub fn finish(&mut self) -> Sure<()> {
        self.skip_blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(Doubtful) }
    }

    /// Skip a key without escapes and its colon.
    pub fn key(&mut self) -> Sure<&'a [u8]> {
        let key = self.plain_string()?;
        self.colon()?;
        Ok(key)
    }

    fn colon(&mut self) -> Sure<()> {
        self.skip_blanks();
        self.expect(b':')?;
        self.skip_blanks();
        Ok(())
    }

    /// After a member of an object or an array: whether another one follows before the closing bracket.
    #[inline]
    pub fn continues(&mut self, closer: u8) -> Sure<bool> {
        self.skip_blanks();
        if self.skip_if(b',') {
            self.skip_blanks();
            return Ok(true);
        }
        self.expect(closer)?;
        Ok(false)
    }

    /// A string without escapes.
    #[inline]
    pub fn plain_string(&mut self) -> Sure<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = self.special(start);
        self.expect(b'"')?;
        Ok(&self.text[start..self.at - 1])
    }

    /// A string, with its escapes replaced.
    #[inline]
    pub fn string(&mut self) -> Sure<Cow<'a, [u8]>> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = self.special(start);
        if self.skip_if(b'"') {
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        self.at = start;
        self.unescaped().map(Cow::Owned)
    }

    /// A string, or None for null.
    #[inline]
    pub fn string_or_null(&mut self) -> Sure<Option<Cow<'a, [u8]>>> {
        if self.skip_text(b"null") { Ok(None) } else { self.string().map(Some) }
    }

    /// The rest of a string that has escapes.
    #[cold]
    fn unescaped(&mut self) -> Sure<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let end = self.special(self.at);
            text.extend_from_slice(&self.text[self.at..end]);
            self.at = end;
            if self.skip_if(b'"') {
                return Ok(text);
            }
            self.expect(b'\\')?;
            let escaped = self.escape()?;
            text.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// The character of an escape, after its backslash; half of a surrogate pair is doubtful.
    fn escape(&mut self) -> Sure<char> {
        let kind = self.peek();
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xD800..0xDC00).contains(&first) {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    let second = self.hex()?;
                    if !(0xDC00..0xE000).contains(&second) {
                        return Err(Doubtful);
                    }
                    0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                } else {
                    first
                };
                char::from_u32(code).ok_or(Doubtful)?
            }
            _ => return Err(Doubtful),
        })
    }

    fn hex(&mut self) -> Sure<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + char::from(self.peek()).to_digit(16).ok_or(Doubtful)?;
            self.at += 1;
        }
        Ok(code)
    }

    /// The offset of the next quote, backslash or control character, or the end of the text.
    #[inline]
    fn special(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.text.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            let quote = word ^ (ONES * u64::from(b'"'));
            let backslash = word ^ (ONES * u64::from(b'\\'));
            // The lowest bit that is set belongs to the first such byte; higher ones may be set by a borrow.
            let found = ((quote.wrapping_sub(ONES) & !quote)
                | (backslash.wrapping_sub(ONES) & !backslash)
                | (word.wrapping_sub(ONES * 0x20) & !word))
                & HIGHS;
            if found != 0 {
                return at + (found.trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
        while let Some(&byte) = self.text.get(at) {
            if byte == b'"' || byte == b'\\' || byte < 0x20 {
                break;
            }
            at += 1;
        }
        at
    }

    /// An integer from 0 to 2^64-1.
    #[inline]
    pub fn unsigned(&mut self) -> Sure<u64> {
        let start = self.at;
        let mut value: u64 = 0;
        while self.peek().is_ascii_digit() {
            let digit = u64::from(self.peek() - b'0');
            value = if self.at - start < SAFE_DIGITS {
                value * 10 + digit
            } else {
                value.checked_mul(10).and_then(|tens| tens.checked_add(digit)).ok_or(Doubtful)?
            };
            self.at += 1;
        }
        let has_leading_zero = self.text.get(start) == Some(&b'0') && self.at > start + 1;
        if self.at == start || has_leading_zero || matches!(self.peek(), b'.' | b'e' | b'E') {
            return Err(Doubtful);
        }
        Ok(value)
    }

    /// A finite number, correctly rounded. A negative zero is doubtful.
    #[inline]
    pub fn number(&mut self) -> Sure<Number> {
        let start = self.at;
        let is_negative = self.skip_if(b'-');
        let digits_start = self.at;
        let mut mantissa: u64 = 0;
        self.digits(&mut mantissa)?;
        if self.text[digits_start] == b'0' && self.at > digits_start + 1 {
            return Err(Doubtful);
        }
        let mut digits = self.at - digits_start;
        let mut exponent: i64 = 0;
        if self.skip_if(b'.') {
            let fraction_start = self.at;
            self.digits(&mut mantissa)?;
            digits += self.at - fraction_start;
            exponent -= (self.at - fraction_start) as i64;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            let is_below = self.skip_if(b'-');
            if !is_below {
                self.skip_if(b'+');
            }
            let mut given: u64 = 0;
            let exponent_start = self.at;
            self.digits(&mut given)?;
            if self.at - exponent_start > 6 {
                return Err(Doubtful);
            }
            exponent += if is_below { -(given as i64) } else { given as i64 };
        }
        if digits > SAFE_DIGITS {
            let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| Doubtful)?;
            let value: f64 = text.parse().map_err(|_| Doubtful)?;
            let is_zero = value == 0.0;
            return if value.is_finite() && !(is_zero && is_negative) {
                Ok(Number { value, is_short: is_zero })
            } else {
                Err(Doubtful)
            };
        }
        if mantissa == 0 && is_negative {
            return Err(Doubtful);
        }
        let is_exact = mantissa <= EXACT_INTEGER && exponent.unsigned_abs() < POWERS.len() as u64;
        let value = if is_exact {
            // Both operands are exact, so the one operation rounds correctly.
            let power = POWERS[exponent.unsigned_abs() as usize];
            let size = if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
            if is_negative { -size } else { size }
        } else {
            let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| Doubtful)?;
            text.parse::<f64>().map_err(|_| Doubtful)?
        };
        if !value.is_finite() || (value == 0.0 && is_negative) {
            return Err(Doubtful);
        }
        Ok(Number { value, is_short: has_three_digits(mantissa) })
    }

    /// Append at least one digit to a value; it is meaningless after more than 19 digits.
    #[inline]
    fn digits(&mut self, value: &mut u64) -> Sure<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            *value = value.wrapping_mul(10).wrapping_add(u64::from(self.peek() - b'0'));
            self.at += 1;
        }
        if self.at == start { Err(Doubtful) } else { Ok(()) }
    }

    /// The text of any value.
    pub fn raw_value(&mut self) -> Sure<&'a [u8]> {
        let start = self.at;
        self.skip_value()?;
        Ok(self.text_from(start))
    }

    fn skip_value(&mut self) -> Sure<()> {
        // One bit per level, the innermost lowest: whether it is an object.
        let mut levels: u64 = 0;
        let mut depth = 0;
        loop {
            let first = self.peek();
            let closer = if first == b'{' { b'}' } else { b']' };
            if matches!(first, b'{' | b'[') {
                self.at += 1;
                self.skip_blanks();
                if !self.skip_if(closer) {
                    depth += 1;
                    if depth > DEPTH_BOUND {
                        return Err(Doubtful);
                    }
                    levels = levels << 1 | u64::from(first == b'{');
                    if first == b'{' {
                        self.skip_key()?;
                    }
                    continue;
                }
            } else {
                self.skip_simple_value(first)?;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = levels & 1 == 1;
                if self.continues(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.skip_key()?;
                    }
                    break;
                }
                levels >>= 1;
                depth -= 1;
            }
        }
    }

    fn skip_key(&mut self) -> Sure<()> {
        self.string()?;
        self.colon()
    }

    fn skip_simple_value(&mut self, first: u8) -> Sure<()> {
        let is_known = match first {
            b'"' => return self.string().map(|_| ()),
            b't' => self.skip_text(b"true"),
            b'f' => self.skip_text(b"false"),
            b'n' => self.skip_text(b"null"),
            _ => return self.skip_number(),
        };
        if is_known { Ok(()) } else { Err(Doubtful) }
    }

    fn skip_number(&mut self) -> Sure<()> {
        let mut ignored = 0;
        self.skip_if(b'-');
        if !self.skip_if(b'0') {
            self.digits(&mut ignored)?;
        }
        if self.skip_if(b'.') {
            self.digits(&mut ignored)?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if !self.skip_if(b'-') {
                self.skip_if(b'+');
            }
            self.digits(&mut ignored)?;
        }
        Ok(())
    }
}

/// Whether a mantissa has at most three digits between its first and its last digit that is not 0.
#[inline]
fn has_three_digits(mut mantissa: u64) -> bool {
    while mantissa > 999 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
    }
    mantissa <= 999
}
