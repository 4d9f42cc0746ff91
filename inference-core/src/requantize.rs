//! Requantization: from a 32-bit accumulator to an 8-bit activation, defined once for the project.

use core::ops::RangeInclusive;

/// Shifts that [`scale`] allows.
pub const SHIFTS: RangeInclusive<u8> = 1..=62;

/// What [`scale`] gives has at most this size: a zero point can be added to it, and no activation tells it from a larger one.
const LIMIT: i64 = 1 << 30;

/// `round(acc * multiplier / 2^shift)`, one rounding, half up (towards positive infinity), limited to 2^30 in size.
///
/// `multiplier` is positive, `shift` in [`SHIFTS`]. The product has at most 62 bits, so nothing
/// overflows.
#[inline]
pub fn scale(acc: i32, multiplier: i32, shift: u8) -> i32 {
    let product = i64::from(acc) * i64::from(multiplier);
    // The first one is within the limit: the product of two numbers of 31 bits, and one more bit less.
    if shift > 32 { round_high(product, shift) } else { round(product, shift).clamp(-LIMIT, LIMIT) as i32 }
}

/// `round(product / 2^shift)` for shifts of 33 and more: half is a multiple of 2^32 there, so nothing carries out of the low
/// word.
#[inline]
fn round_high(product: i64, shift: u8) -> i32 {
    let high = (product >> 32) as i32;
    high.wrapping_add(1 << ((shift - 33) & 31)) >> ((shift - 32) & 31)
}

/// `round(product / 2^shift)` for shifts of at most 32.
#[inline]
fn round(product: i64, shift: u8) -> i64 {
    // In two steps, neither by more than a word has bits.
    let shift = shift.wrapping_sub(1) & 31;
    ((product + i64::from(1u32 << shift)) >> 1) >> shift
}

/// `clamp(zero_point + scale(acc), low, high)`.
#[inline]
pub fn requantize(acc: i32, multiplier: i32, shift: u8, zero_point: u8, low: u8, high: u8) -> u8 {
    clamp(scale(acc, multiplier, shift), zero_point, low, high)
}

/// `clamp(zero_point + scaled, low, high)` of what [`scale`] gives.
#[inline]
pub fn clamp(scaled: i32, zero_point: u8, low: u8, high: u8) -> u8 {
    let value = scaled + i32::from(zero_point);
    // `low <= high` is checked when parsing; max and min, unlike clamp, cannot panic.
    value.max(i32::from(low)).min(i32::from(high)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`scale`] is, in wider numbers.
    fn exact(acc: i32, multiplier: i32, shift: u8) -> i128 {
        let rounded = (i128::from(acc) * i128::from(multiplier) + (1i128 << (shift - 1))) >> shift;
        rounded.clamp(-i128::from(LIMIT), i128::from(LIMIT))
    }

    #[test]
    fn rounds_half_up() {
        for (acc, rounded) in [(-3, -1), (-2, -1), (-1, 0), (0, 0), (1, 1), (2, 1), (3, 2), (5, 3)] {
            assert_eq!(scale(acc, 1, 1), rounded, "{acc} / 2");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for shift in SHIFTS {
            for acc in [i32::MIN, i32::MAX] {
                assert_eq!(i128::from(scale(acc, i32::MAX, shift)), exact(acc, i32::MAX, shift), "{acc} >> {shift}");
            }
        }
    }

    #[test]
    fn both_widths_of_shift_round_the_same() {
        let mut acc = 1i32;
        for shift in SHIFTS {
            for _ in 0..if cfg!(miri) { 10 } else { 1000 } {
                acc = acc.wrapping_mul(1664525).wrapping_add(1013904223);
                for multiplier in [1 << 30, i32::MAX, (acc | 1 << 30) & i32::MAX] {
                    let found = i128::from(scale(acc, multiplier, shift));
                    assert_eq!(found, exact(acc, multiplier, shift), "{acc} * {multiplier} >> {shift}");
                }
            }
        }
    }

    #[test]
    fn clamps_to_low_and_high() {
        assert_eq!(requantize(1000, 1 << 30, 30, 0, 0, 255), 255);
        assert_eq!(requantize(-1000, 1 << 30, 30, 10, 10, 255), 10);
        assert_eq!(requantize(100, 1 << 30, 31, 7, 0, 255), 57);
    }
}
