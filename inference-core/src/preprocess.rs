//! From a picture of one digit to the 28x28 pixels that the networks were trained on.
//!
//! MNIST's digits are light on dark, fit a 20x20 box with their proportions kept, and lie with
//! their centre of mass in the middle of 28x28 pixels (LeCun et al., "The MNIST database"). A
//! drawing, a scan or a photograph is brought into that form with integers only: ink and paper are
//! told apart by Otsu's threshold ("A threshold selection method from gray-level histograms",
//! 1979), dark ink on light paper is inverted, and the digit is scaled by the area that each
//! pixel covers.

use core::fmt;

/// Height and width of a preprocessed digit.
pub const SIDE: usize = 28;
/// The box that the digit fits.
const BOX: usize = 20;
/// Largest height or width of a picture.
pub const MAX_SIDE: usize = 8192;
/// Gray levels by which ink and paper must differ on average.
const MIN_CONTRAST: u32 = 16;

/// Why a picture could not be brought into form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PreprocessError {
    /// The number of pixels is not width times height.
    WrongLength,
    /// A side is zero or above [`MAX_SIDE`].
    Size,
    /// The picture is blank: ink and paper can't be told apart.
    Blank,
}

impl fmt::Display for PreprocessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength => write!(f, "the number of pixels is not width times height"),
            Self::Size => write!(f, "a side of the picture is 0 or above {MAX_SIDE} pixels"),
            Self::Blank => write!(f, "the picture is blank: no digit stands out from its background"),
        }
    }
}

impl core::error::Error for PreprocessError {}

/// Brings a gray picture (`width * height` bytes, row by row, 0 is black) into MNIST's form.
pub fn digit(pixels: &[u8], width: usize, height: usize, out: &mut [u8; SIDE * SIDE]) -> Result<(), PreprocessError> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(PreprocessError::Size);
    }
    if pixels.len() != width * height {
        return Err(PreprocessError::WrongLength);
    }
    let picture = Picture { pixels, width, ink: Ink::find(pixels, width, height)? };
    let bounds = picture.bounds().ok_or(PreprocessError::Blank)?;
    let mut scaled = [0; BOX * BOX];
    let (scaled_width, scaled_height) = picture.scale(&bounds, &mut scaled);
    place(&scaled, scaled_width, scaled_height, out);
    Ok(())
}

/// The gray levels of paper and ink.
#[derive(Clone, Copy)]
struct Ink {
    paper: i32,
    ink: i32,
}

impl Ink {
    fn find(pixels: &[u8], width: usize, height: usize) -> Result<Self, PreprocessError> {
        let mut histogram = [0u32; 256];
        for &pixel in pixels {
            if let Some(count) = histogram.get_mut(usize::from(pixel)) {
                *count += 1;
            }
        }
        let (dark, light) = otsu(&histogram).ok_or(PreprocessError::Blank)?;
        if light - dark < MIN_CONTRAST {
            return Err(PreprocessError::Blank);
        }
        // The border shows the paper.
        let (mut border, mut count) = (0u64, 0u64);
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let whole = y == 0 || y + 1 == height;
            let step = if whole { 1 } else { width.saturating_sub(1).max(1) };
            for &pixel in row.iter().step_by(step) {
                border += u64::from(pixel);
                count += 1;
            }
        }
        let paper_is_light = border * 2 > u64::from(dark + light) * count;
        let (dark, light) = (dark as i32, light as i32);
        Ok(if paper_is_light { Self { paper: light, ink: dark } } else { Self { paper: dark, ink: light } })
    }

    /// 0 for paper, 255 for ink, in between for the edges.
    fn strength(self, pixel: u8) -> u32 {
        let (distance, range) = (i32::from(pixel) - self.paper, self.ink - self.paper);
        // `range` is not zero: ink and paper differ by at least MIN_CONTRAST.
        let strength = (distance * 255).checked_div(range).unwrap_or(0);
        strength.clamp(0, 255) as u32
    }
}

/// The mean gray levels below and above the threshold that separates them best.
fn otsu(histogram: &[u32; 256]) -> Option<(u32, u32)> {
    let total: u64 = histogram.iter().map(|&count| u64::from(count)).sum();
    let sum: u64 = histogram.iter().zip(0u64..).map(|(&count, level)| u64::from(count) * level).sum();
    let (mut count, mut below) = (0u64, 0u64);
    let mut best: Option<(u128, u32, u32)> = None;
    for (&at_level, level) in histogram.iter().zip(0u64..) {
        count += u64::from(at_level);
        below += u64::from(at_level) * level;
        let above_count = total - count;
        if count == 0 || above_count == 0 {
            continue;
        }
        let (dark, light) = (below / count, (sum - below) / above_count);
        // Variance between the classes: w0 * w1 * (m1 - m0)^2, the means still as fractions.
        let difference = u128::from(sum - below) * u128::from(count) - u128::from(below) * u128::from(above_count);
        let variance = (difference * difference) / (u128::from(count) * u128::from(above_count));
        if best.is_none_or(|(largest, _, _)| variance > largest) {
            best = Some((variance, dark as u32, light as u32));
        }
    }
    best.map(|(_, dark, light)| (dark, light))
}

/// A picture whose ink is known.
struct Picture<'p> {
    pixels: &'p [u8],
    width: usize,
    ink: Ink,
}

/// The box around the ink, in pixels of the picture.
struct Bounds {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Picture<'_> {
    fn bounds(&self) -> Option<Bounds> {
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for (y, row) in self.pixels.chunks_exact(self.width).enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                if self.ink.strength(pixel) >= 128 {
                    left = left.min(x);
                    right = right.max(x + 1);
                    top = top.min(y);
                    bottom = bottom.max(y + 1);
                }
            }
        }
        (left < right).then(|| Bounds { left, top, width: right - left, height: bottom - top })
    }

    /// Scales the box so that its longer side has [`BOX`] pixels; returns its width and height.
    ///
    /// Each scaled pixel is the mean of the area that it covers. In units of `1 / scaled_width`, a
    /// picture's pixel is `scaled_width` wide and a scaled pixel `bounds.width`, so that all
    /// overlaps are integers; likewise for heights.
    fn scale(&self, bounds: &Bounds, scaled: &mut [u8; BOX * BOX]) -> (usize, usize) {
        let longer = bounds.width.max(bounds.height).max(1);
        let fit = |side: usize| ((side * BOX * 2 + longer) / (longer * 2)).clamp(1, BOX);
        let (width, height) = (fit(bounds.width), fit(bounds.height));
        let area = (bounds.width * bounds.height) as u64;
        for (y, row) in scaled.chunks_exact_mut(BOX).take(height).enumerate() {
            for (x, out) in row.iter_mut().take(width).enumerate() {
                let mut sum = 0u64;
                for (source_y, covered_y) in covered(y, bounds.height, height) {
                    for (source_x, covered_x) in covered(x, bounds.width, width) {
                        let index = (bounds.top + source_y) * self.width + bounds.left + source_x;
                        let pixel = self.pixels.get(index).copied().unwrap_or(0);
                        sum += u64::from(self.ink.strength(pixel)) * (covered_x * covered_y) as u64;
                    }
                }
                *out = (sum + area / 2).checked_div(area).unwrap_or(0).min(255) as u8;
            }
        }
        (width, height)
    }
}

/// The source pixels that scaled pixel `index` covers, and how much of each.
fn covered(index: usize, source: usize, scaled: usize) -> impl Iterator<Item = (usize, usize)> {
    let (start, end) = (index * source, (index + 1) * source);
    let first = start.checked_div(scaled).unwrap_or(0);
    let last = end.div_ceil(scaled.max(1)).min(source);
    (first..last).map(move |pixel| {
        let overlap = end.min((pixel + 1) * scaled).saturating_sub(start.max(pixel * scaled));
        (pixel, overlap)
    })
}

/// Copies the scaled digit so that its centre of mass lies in the middle.
fn place(scaled: &[u8; BOX * BOX], width: usize, height: usize, out: &mut [u8; SIDE * SIDE]) {
    // Twice the centres, so that pixel centres are integers.
    let (mut mass, mut moment_x, mut moment_y) = (0u64, 0u64, 0u64);
    for (row, y) in scaled.chunks_exact(BOX).zip(0u64..) {
        for (&value, x) in row.iter().zip(0u64..) {
            mass += u64::from(value);
            moment_x += u64::from(value) * (2 * x + 1);
            moment_y += u64::from(value) * (2 * y + 1);
        }
    }
    let offset = |moment: u64, size: usize| {
        let centred = (SIDE as u64 * mass + mass).saturating_sub(moment).checked_div(2 * mass).unwrap_or(0);
        (centred as usize).min(SIDE - size)
    };
    let (left, top) = (offset(moment_x, width), offset(moment_y, height));
    out.fill(0);
    for (source, target) in scaled.chunks_exact(BOX).take(height).zip(out.chunks_exact_mut(SIDE).skip(top)) {
        for (&value, pixel) in source.iter().take(width).zip(target.iter_mut().skip(left)) {
            *pixel = value;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// A filled ring, `radius` pixels large: light ink on dark paper.
    fn ring(width: usize, height: usize, centre: (usize, usize), radius: usize) -> Vec<u8> {
        let mut picture = vec![20; width * height];
        for y in 0..height {
            for x in 0..width {
                let distance = x.abs_diff(centre.0).pow(2) + y.abs_diff(centre.1).pow(2);
                if (radius * radius / 3..radius * radius).contains(&distance) {
                    picture[y * width + x] = 230;
                }
            }
        }
        picture
    }

    fn prepared(pixels: &[u8], width: usize, height: usize) -> [u8; SIDE * SIDE] {
        let mut out = [1; SIDE * SIDE];
        digit(pixels, width, height, &mut out).unwrap();
        out
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> u32 {
        a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum::<u32>() / a.len() as u32
    }

    #[test]
    #[cfg_attr(miri, ignore = "large pictures take minutes there")]
    fn size_and_place_do_not_matter() {
        let wanted = prepared(&ring(200, 200, (100, 100), 80), 200, 200);
        for (width, height, centre, radius) in [(300, 100, (60, 50), 40), (90, 400, (45, 300), 40)] {
            let found = prepared(&ring(width, height, centre, radius), width, height);
            assert!(mean_difference(&wanted, &found) < 6, "{width}x{height}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "large pictures take minutes there")]
    fn dark_ink_on_light_paper_is_inverted() {
        let light = ring(100, 100, (50, 50), 40);
        let dark: Vec<u8> = light.iter().map(|pixel| 255 - pixel).collect();
        assert_eq!(prepared(&light, 100, 100), prepared(&dark, 100, 100));
    }

    #[test]
    #[cfg_attr(miri, ignore = "large pictures take minutes there")]
    fn fits_the_box_and_is_centred() {
        let out = prepared(&ring(120, 120, (60, 60), 50), 120, 120);
        let inked = |index: usize| out[index] > 0;
        let rows: Vec<usize> = (0..SIDE).filter(|y| (0..SIDE).any(|x| inked(y * SIDE + x))).collect();
        assert_eq!((rows[0], rows[rows.len() - 1]), (4, 23));
        assert_eq!(out[14 * SIDE + 14], 0, "the hole of the ring");
        assert_eq!(out.iter().max(), Some(&255));
    }

    #[test]
    #[cfg_attr(miri, ignore = "large pictures take minutes there")]
    fn a_thin_stroke_stays_thin() {
        let mut picture = vec![255u8; 60 * 60];
        for y in 10..50 {
            picture[y * 60 + 30] = 0;
        }
        let out = prepared(&picture, 60, 60);
        assert_eq!(out.chunks(SIDE).filter(|row| row.iter().any(|&v| v > 0)).count(), BOX);
        assert_eq!(out.iter().filter(|&&v| v > 0).count(), BOX);
    }

    #[test]
    fn no_picture_panics() {
        let mut state = 1u32;
        let sides = || (1..12).step_by(if cfg!(miri) { 5 } else { 1 });
        for width in sides() {
            for height in sides() {
                let picture: Vec<u8> = (0..width * height)
                    .map(|_| {
                        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                        (state >> 24) as u8
                    })
                    .collect();
                let _ = digit(&picture, width, height, &mut [0; SIDE * SIDE]);
            }
        }
    }

    #[test]
    fn refuses_what_is_no_picture_of_a_digit() {
        let out = &mut [0; SIDE * SIDE];
        assert_eq!(digit(&[7; 100], 10, 10, out), Err(PreprocessError::Blank));
        assert_eq!(digit(&[7; 99], 10, 10, out), Err(PreprocessError::WrongLength));
        assert_eq!(digit(&[], 0, 10, out), Err(PreprocessError::Size));
        assert_eq!(digit(&[7; 9], 9000, 1, out), Err(PreprocessError::Size));
    }
}
