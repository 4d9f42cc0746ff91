//! Measures the activations of the float network and chooses their quantized ranges.

use rayon::prelude::*;
use thumbnet::format::Pool;

use crate::float;
use crate::graph::{Activation, Layer, Network};

/// Bins of a [`Histogram`].
const BINS: usize = 8192;
/// Ranges that the clipping search tries, from a whole one downwards.
const CLIP_STEPS: usize = 100;
/// Largest quantized value.
const STEPS: f64 = 255.0;

/// How a range is chosen from measured values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The smallest to the largest value seen.
    MinMax,
    /// The range with the least mean squared error: rare large values are clipped.
    Clip,
}

impl Method {
    /// All methods; the compiler keeps the better network.
    pub const ALL: [Self; 2] = [Self::MinMax, Self::Clip];

    /// Name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::MinMax => "min-max",
            Self::Clip => "clip",
        }
    }

    /// The same where the weights behind each logit have a scale of their own.
    pub fn name_with_a_scale_a_class(self) -> &'static str {
        match self {
            Self::MinMax => "min-max, a scale a class",
            Self::Clip => "clip, a scale a class",
        }
    }
}

/// A range of real values that contains zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// At most zero.
    pub low: f64,
    /// At least zero.
    pub high: f64,
}

/// The distribution of a tensor's values: exact extremes, and counts in equal bins over
/// `-limit..limit`, where the limit is a power of two that doubles when a value is beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    min: f32,
    max: f32,
    limit: f32,
    /// Counts of values other than zero, which every range represents exactly.
    bins: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { min: 0.0, max: 0.0, limit: 1.0 / 1024.0, bins: vec![0; BINS] }
    }
}

impl Histogram {
    /// Counts a value; not finite ones count as the largest float.
    pub fn add(&mut self, value: f32) {
        if value == 0.0 {
            return;
        }
        let value = value.clamp(f32::MIN / 4.0, f32::MAX / 4.0);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        while value.abs() >= self.limit {
            self.widen();
        }
        let bin = ((value / self.limit + 1.0) * (BINS / 2) as f32) as usize;
        self.bins[bin.min(BINS - 1)] += 1;
    }

    /// Counts everything that `other` counted.
    pub fn merge(mut self, mut other: Self) -> Self {
        while self.limit < other.limit {
            self.widen();
        }
        while other.limit < self.limit {
            other.widen();
        }
        self.bins.iter_mut().zip(&other.bins).for_each(|(bin, count)| *bin += count);
        Self { min: self.min.min(other.min), max: self.max.max(other.max), ..self }
    }

    /// Doubles the limit.
    fn widen(&mut self) {
        let mut wide = vec![0; BINS];
        for (index, pair) in self.bins.chunks_exact(2).enumerate() {
            wide[BINS / 4 + index] = pair[0] + pair[1];
        }
        self.bins = wide;
        self.limit *= 2.0;
    }

    /// The range that the method chooses.
    pub fn range(&self, method: Method) -> Range {
        let whole = Range { low: f64::from(self.min), high: f64::from(self.max) };
        if method == Method::MinMax {
            return whole;
        }
        let clipped = |step: usize| {
            let part = step as f64 / CLIP_STEPS as f64;
            Range { low: whole.low * part, high: whole.high * part }
        };
        let candidates = (CLIP_STEPS / 5..=CLIP_STEPS).rev().map(clipped);
        candidates.min_by(|a, b| self.squared_error(a).total_cmp(&self.squared_error(b))).unwrap_or(whole)
    }

    /// The squared error of quantizing the counted values over a range.
    fn squared_error(&self, range: &Range) -> f64 {
        let step = (range.high - range.low) / STEPS;
        let width = f64::from(self.limit) / (BINS / 2) as f64;
        let center = |index: usize| (index as f64 + 0.5) * width - f64::from(self.limit);
        let counted = self.bins.iter().enumerate().filter(|&(_, &count)| count > 0);
        counted
            .map(|(index, &count)| {
                let value = center(index);
                let quantized = (value.clamp(range.low, range.high) / step).round() * step;
                (value - quantized).powi(2) * count as f64
            })
            .sum()
    }
}

/// What a layer's values were.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// What leaves it.
    output: Histogram,
    /// Its sums before an activation that becomes a table.
    sums: Histogram,
}

/// What a layer's values cover.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerRange {
    /// What leaves it.
    pub output: Range,
    /// Its sums before an activation that becomes a table; of no meaning for other layers.
    pub sums: Range,
}

impl Measurement {
    /// The ranges that the method chooses.
    pub fn range(&self, method: Method) -> LayerRange {
        LayerRange { output: self.output.range(method), sums: self.sums.range(method) }
    }

    /// Counts the values of one image; `sums`: none where the layer has no table.
    fn add(&mut self, output: Vec<f32>, sums: Vec<f32>) {
        output.into_iter().for_each(|value| self.output.add(value));
        sums.into_iter().for_each(|value| self.sums.add(value));
    }

    fn merge(self, other: Self) -> Self {
        Self { output: self.output.merge(other.output), sums: self.sums.merge(other.sums) }
    }
}

/// The distribution of every layer's values over the images; `done` is called once an image.
pub fn measure(network: &Network, images: &[&[u8]], done: &(dyn Fn() + Sync)) -> Vec<Measurement> {
    let empty = || vec![Measurement::default(); network.layers.len()];
    images
        .par_iter()
        .fold(empty, |mut measurements, pixels| {
            let image = float::image(network, pixels);
            let maps = float::activations(network, &image);
            let sums: Vec<_> = network.layers.iter().map(|layer| sums(layer, &image, &maps)).collect();
            for ((measurement, output), sums) in measurements.iter_mut().zip(maps).zip(sums) {
                measurement.add(output, sums);
            }
            done();
            measurements
        })
        .reduce(empty, |a, b| a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect())
}

/// The sums of a layer whose activation becomes a table; none of another one.
fn sums(layer: &Layer, image: &[f32], maps: &[Vec<f32>]) -> Vec<f32> {
    match layer.activation {
        Activation::Linear | Activation::Clamp(..) => Vec::new(),
        Activation::Function(_) => {
            let mut bare = layer.clone();
            (bare.activation, bare.record.pool) = (Activation::Linear, Pool::NONE);
            float::layer(&bare, &float::inputs(layer, image, maps))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f32>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn merging_is_counting_together() {
        let (small, large) = ([0.0001, -0.5, 0.25], [30.0, -2.0, 0.7]);
        assert_eq!(of(small).merge(of(large)), of(small.into_iter().chain(large)));
        assert_eq!(of(small).merge(of(large)).bins.iter().sum::<u64>(), 6);
    }

    #[test]
    fn min_max_is_exact_and_contains_zero() {
        assert_eq!(of([0.25, 3.7]).range(Method::MinMax), Range { low: 0.0, high: f64::from(3.7f32) });
        assert_eq!(of([-0.25, -3.0]).range(Method::MinMax), Range { low: -3.0, high: 0.0 });
    }

    #[test]
    fn a_lonely_large_value_is_clipped() {
        // Rounding n even values costs n * step^2 / 12, clipping 20 costs (20 - high)^2: the sum is
        // least at 20 / (1 + n / (12 * 255^2)).
        let count = 4_000_000;
        let many = (0..count).map(|i| (i % 1000) as f32 / 1000.0);
        let range = of(many.chain([20.0])).range(Method::Clip);
        let expected = 20.0 / (1.0 + f64::from(count) / (12.0 * 255.0 * 255.0));
        assert!((range.high - expected).abs() < 1.0, "{range:?}, expected {expected}");
    }

    #[test]
    fn evenly_spread_values_are_not_clipped() {
        let range = of((0..100_000).map(|i| (i % 1000) as f32 / 1000.0)).range(Method::Clip);
        assert!(range.high > 0.95, "{range:?}");
    }
}
