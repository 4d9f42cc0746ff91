//! How far apart two outputs of a layer are.

use serde_json::{Value, json};

use super::side::Output;

/// When two outputs of a layer differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Where a value does.
    Exact,
    /// Where the signal to noise ratio of an image is below this, in decibels.
    Ratio(f64),
}

impl Measure {
    /// Whether the scales that are not known must be found first.
    pub fn is_fitted(self) -> bool {
        self != Self::Exact
    }

    /// In words.
    pub fn describe(self) -> String {
        match self {
            Self::Exact => "integers, which must be the same".into(),
            Self::Ratio(least) => format!("a signal to noise ratio below {least} dB on an image is a difference"),
        }
    }
}

/// What the values of one output are to be multiplied with to be like those of the other: `sum(a * b) / sum(b * b)`.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    products: f64,
    /// Sums of squares of both.
    squares: [f64; 2],
}

impl Fit {
    /// Adds the layers of an image.
    pub fn add(fits: &mut Vec<Self>, [a, b]: &[Vec<Output>; 2]) {
        fits.resize_with(a.len(), Self::default);
        for (fit, (a, b)) in fits.iter_mut().zip(a.iter().zip(b)) {
            for (a, b) in a.values.iter().zip(&b.values) {
                fit.products += a * b;
                fit.squares = [fit.squares[0] + a * a, fit.squares[1] + b * b];
            }
        }
    }

    /// The factors of both: known scales, and where one of them is not, the one that makes it like the other.
    fn factors(&self, scales: [Option<f64>; 2]) -> [f64; 2] {
        let fitted = |known: f64, squares: f64| if squares > 0.0 { known * self.products / squares } else { known };
        match scales {
            [Some(a), Some(b)] => [a, b],
            [Some(a), None] => [a, fitted(a, self.squares[1])],
            [None, Some(b)] => [fitted(b, self.squares[0]), b],
            [None, None] => [1.0, fitted(1.0, self.squares[1])],
        }
    }
}

/// How a layer of both sides differs.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Images on which it does.
    pub images: usize,
    /// The first one.
    pub first: Option<First>,
    /// Images whose largest value is another one; of the result only.
    pub other_classes: usize,
    largest: f64,
    /// The least signal to noise ratio of an image, in decibels; none where nothing differs.
    least: Option<f64>,
}

/// Where a layer first differs.
#[derive(Clone, Debug)]
pub struct First {
    /// The image, counted from 0.
    pub image: usize,
    /// Row, column and channel of the value that differs most, or its place where the shape is not known.
    place: Vec<usize>,
    values: [f64; 2],
    ratio: Option<f64>,
}

impl First {
    /// In words.
    pub fn describe(&self) -> String {
        let [a, b] = self.values;
        let place = match self.place[..] {
            [row, column, channel] => format!("row {row}, column {column}, channel {channel}"),
            _ => format!("value {:?}", self.place),
        };
        let ratio = self.ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.1} dB)"));
        format!("{place} is {a} and {b}{ratio}")
    }
}

impl Difference {
    /// Adds an image.
    pub fn add(&mut self, image: usize, [a, b]: [&Output; 2], fit: Option<&Fit>, measure: Measure, is_result: bool) {
        let factors = match measure {
            Measure::Exact => [1.0, 1.0],
            Measure::Ratio(_) => fit.map_or([1.0, 1.0], |fit| fit.factors([a.scale, b.scale])),
        };
        let pairs = || a.values.iter().zip(&b.values).map(|(a, b)| [a * factors[0], b * factors[1]]);
        let apart = |[a, b]: [f64; 2]| (a - b).abs();
        let most = pairs().enumerate().max_by(|(_, a), (_, b)| apart(*a).total_cmp(&apart(*b)));
        let signal: f64 = pairs().map(|[a, _]| a * a).sum();
        let noise: f64 = pairs().map(|pair| apart(pair).powi(2)).sum();
        let ratio = (noise > 0.0).then(|| 10.0 * (signal / noise).log10());
        let is_longer = a.values.len() != b.values.len();
        let differs = is_longer
            || match measure {
                Measure::Exact => noise > 0.0,
                // Of numbers that are none, the ratio is none either.
                Measure::Ratio(least) => ratio.is_some_and(|ratio| ratio < least) || noise.is_nan(),
            };
        if let Some((_, pair)) = most {
            self.largest = self.largest.max(apart(pair));
        }
        self.least = [self.least, ratio].into_iter().flatten().reduce(f64::min);
        self.other_classes += usize::from(is_result && class(a) != class(b));
        self.images += usize::from(differs);
        if differs && self.first.is_none() {
            let (index, values) = most.unwrap_or((0, [f64::NAN; 2]));
            let shape = a.shape.or(b.shape);
            let place = shape.map_or(vec![index], |shape| {
                let channels = usize::from(shape.channels);
                vec![index / shape.row_len().max(1), index % shape.row_len().max(1) / channels, index % channels]
            });
            self.first = Some(First { image, place, values, ratio });
        }
    }

    /// The largest difference of a value.
    pub fn largest(&self) -> String {
        // Without digits that say nothing.
        format!("{:.4}", self.largest).trim_end_matches('0').trim_end_matches('.').to_string()
    }

    /// The least ratio.
    pub fn ratio(&self) -> String {
        self.least.map_or("same".into(), |least| format!("{least:.1} dB"))
    }

    /// For programs.
    pub fn json(&self, name: &str) -> Value {
        json!({
            "layer": name,
            "images": self.images,
            "largest": self.largest,
            "least_ratio": self.least,
            "first": self.first.as_ref().map(|first| json!({
                "image": first.image,
                "place": first.place,
                "values": first.values,
            })),
        })
    }
}

/// The largest value; a single one says whether it is above zero.
fn class(output: &Output) -> usize {
    if let [only] = output.values[..] {
        return usize::from(only > 0.0);
    }
    let better = |best: usize, index: usize| if output.values[index] > output.values[best] { index } else { best };
    (0..output.values.len()).reduce(better).unwrap_or(0)
}
