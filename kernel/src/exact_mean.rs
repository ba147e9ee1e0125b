//! The mean of scores in [0, 1], rounded once.

#![forbid(unsafe_code)]

use crate::scan::{Doubtful, Sure};

/// The sums are integers in units of 2^-90: those of 2^32 scores fit in 128 bits.
pub const UNIT_BITS: u32 = 90;
const MANTISSA_BITS: u32 = 52;
/// A double is its mantissa times 2^(exponent field - 1075).
const EXPONENT_BIAS: i32 = 1075;

/// Count and exact sum of scores.
#[derive(Default, Clone, Copy)]
pub struct ScoreSum {
    pub count: u32,
    pub total: u128,
}

impl ScoreSum {
    /// Add a score in [0, 1]; one with digits below the unit is doubtful.
    #[inline]
    pub fn add(&mut self, score: f64) -> Sure<()> {
        self.count = self.count.checked_add(1).ok_or(Doubtful)?;
        self.total += if score == 1.0 { 1 << UNIT_BITS } else { in_units(score)? };
        Ok(())
    }

    /// The mean, rounded to the nearest double, ties to even; None without scores.
    pub fn mean(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        if self.total == 0 {
            return Some(0.0);
        }
        let count = u128::from(self.count);
        let length = |value: u128| 128 - value.leading_zeros();
        // The quotient gets at least two bits more than a mantissa, of which the last one represents all below it.
        let shift = (MANTISSA_BITS + 4 + length(count)).saturating_sub(length(self.total));
        let scaled = self.total << shift;
        let mut quotient = scaled / count;
        let mut exponent = -((UNIT_BITS + shift) as i32);
        let mut has_rest = scaled % count != 0;
        let excess = length(quotient) - (MANTISSA_BITS + 2);
        has_rest |= quotient & ((1 << excess) - 1) != 0;
        quotient >>= excess;
        exponent += excess as i32;
        // Now 54 bits: 53 of the mantissa and one that says on which side of the middle the value is.
        let is_odd = quotient & 2 != 0;
        let is_above = quotient & 1 != 0 && (has_rest || is_odd);
        let mantissa = (quotient >> 1) + u128::from(is_above);
        // Exact: the mantissa has 53 bits, and the scale is a power of two far from the smallest.
        Some(mantissa as f64 * 2_f64.powi(exponent + 1))
    }
}

/// A score below 1 as an integer number of units.
#[inline]
fn in_units(score: f64) -> Sure<u128> {
    let bits = score.to_bits();
    let field = (bits >> MANTISSA_BITS) as i32;
    if field == 0 {
        return if bits == 0 { Ok(0) } else { Err(Doubtful) };
    }
    let mantissa = u128::from(bits & ((1 << MANTISSA_BITS) - 1) | 1 << MANTISSA_BITS);
    let shift = field - EXPONENT_BIAS + UNIT_BITS as i32;
    if shift >= 0 {
        return Ok(mantissa << shift);
    }
    let below = shift.unsigned_abs();
    if below > MANTISSA_BITS || mantissa & ((1 << below) - 1) != 0 {
        return Err(Doubtful);
    }
    Ok(mantissa >> below)
}
