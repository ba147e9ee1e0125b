//! Timestamps in RFC 3339 that name UTC, to the microsecond.

#![forbid(unsafe_code)]

use crate::scan::{Doubtful, Sure};

/// An instant in microseconds since 1970, and the step that its text can tell apart.
#[derive(Debug, PartialEq, Clone, Copy)]
pub struct Instant {
    pub micros: i64,
    pub resolution: i64,
}

/// Parses timestamps; most have the date of the one before.
#[derive(Default)]
pub struct Parser {
    date: [u8; 10],
    days: i64,
}

const SECOND: i64 = 1_000_000;

impl Parser {
    /// Parse a timestamp in UTC with at most six decimals; every other form is doubtful.
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Sure<Instant> {
        let Some((&[date @ .., mark, h1, h2, c1, m1, m2, c2, s1, s2], rest)) = text.split_first_chunk::<19>() else {
            return Err(Doubtful);
        };
        if !matches!(mark, b'T' | b't' | b' ') || c1 != b':' || c2 != b':' {
            return Err(Doubtful);
        }
        let date: [u8; 10] = date;
        if date != self.date {
            self.days = days(&date)?;
            self.date = date;
        }
        let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(m1, m2)?, two_digits(s1, s2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Doubtful);
        }
        let whole = self.days * 86_400 + hour * 3_600 + minute * 60 + second;
        let (fraction, resolution) = match rest {
            b"Z" => (0, SECOND),
            _ => fraction(rest)?,
        };
        Ok(Instant { micros: whole * SECOND + fraction, resolution })
    }
}

/// The microseconds and the resolution of what follows the seconds.
fn fraction(rest: &[u8]) -> Sure<(i64, i64)> {
    let Some((b'.' | b',', decimals)) = rest.split_first() else {
        return if is_utc(rest) { Ok((0, SECOND)) } else { Err(Doubtful) };
    };
    let count = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = decimals.split_at(count);
    if !(1..=6).contains(&count) || !is_utc(zone) {
        return Err(Doubtful);
    }
    let resolution = 10_i64.pow(6 - count as u32);
    let given = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Ok((given * resolution, resolution))
}

fn is_utc(zone: &[u8]) -> bool {
    matches!(zone, b"Z" | b"z" | b"+00:00" | b"-00:00" | b"+0000" | b"-0000")
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Sure<i64> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    } else {
        Err(Doubtful)
    }
}

/// Days from 1970 to a date of the years 1 to 9999 in the Gregorian calendar.
fn days(date: &[u8; 10]) -> Sure<i64> {
    let [y1, y2, y3, y4, d1, m1, m2, d2, t1, t2] = *date;
    if d1 != b'-' || d2 != b'-' {
        return Err(Doubtful);
    }
    let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
    let (month, day) = (two_digits(m1, m2)?, two_digits(t1, t2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return Err(Doubtful),
    };
    if year < 1 || day < 1 || day > length {
        return Err(Doubtful);
    }
    // Years begin in March, so that the day that is sometimes there is the last one.
    let years = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12;
    let day_of_year = (153 * months + 2) / 5 + day - 1;
    Ok(years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 719_468)
}
