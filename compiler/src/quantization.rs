//! How real numbers become bytes, and products of scales multipliers and shifts.

use thumbnet::requantize::SHIFTS;

use crate::calibrate::Range;

/// real = scale * (q - zero_point), q of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The real value of one step.
    pub scale: f32,
    /// The quantized value of a real zero.
    pub zero_point: u8,
}

impl Quantization {
    /// The pixel bytes: 0 is 0.0, 255 is 1.0.
    pub const PIXELS: Self = Self { scale: 1.0 / 255.0, zero_point: 0 };
    /// What a sigmoid gives: its largest values would be 256 steps.
    pub const SIGMOID: Self = Self { scale: 1.0 / 256.0, zero_point: 0 };

    /// The quantization that covers a range.
    pub fn covering(range: Range) -> Self {
        let width = range.high - range.low;
        if width.is_nan() || width <= 0.0 {
            // A dead tensor: any scale represents its zeros.
            return Self { scale: 1.0 / 255.0, zero_point: 0 };
        }
        let scale = (width / 255.0).max(f64::from(f32::MIN_POSITIVE)) as f32;
        let zero_point = (-range.low / f64::from(scale)).round().clamp(0.0, 255.0) as u8;
        Self { scale, zero_point }
    }

    /// The least and the greatest real number that a byte stands for.
    pub fn range(self) -> Range {
        let real = |byte: f64| (byte - f64::from(self.zero_point)) * f64::from(self.scale);
        Range { low: real(0.0), high: real(255.0) }
    }

    /// The real number that a byte stands for.
    pub fn real(self, byte: u8) -> f32 {
        (f64::from(self.scale) * (f64::from(byte) - f64::from(self.zero_point))) as f32
    }

    /// The byte of a real number, infinities included.
    pub fn byte(self, real: f64) -> u8 {
        (real / f64::from(self.scale) + f64::from(self.zero_point)).round().clamp(0.0, 255.0) as u8
    }
}

/// `real` as `multiplier / 2^shift` with a multiplier of 2^30 to 2^31; `None` where it is too large.
///
/// Below 2^-32 every product with an `i32` rounds to zero, which 1 / 2^62 says exactly.
pub fn multiplier(real: f64) -> Option<(i32, u8)> {
    const BITS: i32 = 30;
    let (min, max) = (i32::from(*SHIFTS.start()), i32::from(*SHIFTS.end()));
    if !real.is_finite() || real <= 0.0 {
        return None;
    }
    let mut shift = BITS - real.log2().floor() as i32;
    let mut scaled = (real * 2f64.powi(shift)).round();
    if scaled >= 2f64.powi(BITS + 1) {
        shift -= 1;
        scaled = (real * 2f64.powi(shift)).round();
    }
    match shift {
        shift if shift > max => Some((1, max as u8)),
        shift if shift < min => None,
        shift => Some((scaled as i32, shift as u8)),
    }
}

#[cfg(test)]
mod tests {
    use thumbnet::requantize::{requantize, scale};

    use super::*;

    #[test]
    fn multipliers_are_normalized_and_as_exact_as_31_bits_allow() {
        for real in [1e-9, 0.000_37, 0.49999999, 0.5, 0.75, 1.0, 1.5, 1000.0, 5e8] {
            let (multiplier, shift) = multiplier(real).unwrap();
            assert!(multiplier >= 1 << 30, "{real}: {multiplier}");
            let relative = f64::from(multiplier) / 2f64.powi(i32::from(shift)) / real - 1.0;
            assert!(relative.abs() <= 2f64.powi(-31), "{real}: {relative}");
        }
    }

    #[test]
    fn a_multiplier_that_rounds_up_to_a_power_of_two_stays_in_range() {
        let (multiplier, shift) = multiplier(1.0 - 1e-15).unwrap();
        assert_eq!((multiplier, shift), (1 << 30, 30));
    }

    #[test]
    fn extreme_multipliers() {
        let (tiny, shift) = multiplier(1e-12).unwrap();
        assert_eq!(scale(i32::MAX, tiny, shift), 0);
        assert_eq!(scale(i32::MIN, tiny, shift), 0);
        for impossible in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert_eq!(multiplier(impossible), None, "{impossible}");
        }
    }

    #[test]
    fn requantization_is_the_rounded_product() {
        for real in [0.0123, 0.9, 1.7] {
            let (multiplier, shift) = multiplier(real).unwrap();
            for acc in (-40_000..40_000).step_by(37) {
                let product: f64 = f64::from(acc) * real;
                if (product.rem_euclid(1.0) - 0.5).abs() < 1e-4 {
                    // Closer to an edge than 31 bits of multiplier tell apart.
                    continue;
                }
                let expected = (product.round() + 3.0).clamp(0.0, 255.0) as u8;
                assert_eq!(requantize(acc, multiplier, shift, 3, 0, 255), expected, "{acc} * {real}");
            }
        }
    }

    #[test]
    fn ranges_are_covered() {
        let signed = Quantization::covering(Range { low: -1.0, high: 2.0 });
        assert_eq!(signed.zero_point, 85);
        assert!((f64::from(signed.scale) * 255.0 - 3.0).abs() < 1e-6);
        assert_eq!((signed.byte(f64::NEG_INFINITY), signed.byte(0.0), signed.byte(2.0)), (0, 85, 255));
        let dead = Quantization::covering(Range { low: 0.0, high: 0.0 });
        assert!(dead.scale > 0.0 && dead.zero_point == 0);
    }
}
