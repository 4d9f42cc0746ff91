//! Kernel density estimates: the smooth outline of a histogram.

/// Places on the value axis where the density is computed.
const PLACES: usize = 512;
/// Of these, every so many-th makes a point of the curve.
const STRIDE: usize = 4;
/// The Gaussian kernel is cut off after so many deviations.
const REACH: f64 = 4.0;

/// The density of some values, with their quartiles.
#[derive(Clone, Debug)]
pub struct Density {
    low: f64,
    /// Distance of two places.
    width: f64,
    densities: Vec<f64>,
    quartiles: [f64; 3],
}

impl Density {
    /// Estimates the density of `values` with a Gaussian kernel of Silverman's width. `None` where there are no values or
    /// they are not finite.
    pub fn of(values: &[f32]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        sorted.sort_by(f64::total_cmp);
        let (&first, &last) = (sorted.first()?, sorted.last()?);
        if !first.is_finite() || !last.is_finite() {
            return None;
        }
        let count = sorted.len() as f64;
        let quartiles = [0.25, 0.5, 0.75].map(|share| sorted[((count - 1.0) * share).round() as usize]);
        let mean = sorted.iter().sum::<f64>() / count;
        let deviation = (sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let middle_half = (quartiles[2] - quartiles[0]) / 1.34;
        let spread = if middle_half > 0.0 { deviation.min(middle_half) } else { deviation };
        // Equal values have no spread; any small width shows them as a line.
        let bandwidth = (0.9 * spread * count.powf(-0.2)).max(1e-6 * first.abs().max(1.0));
        let low = first - REACH * bandwidth;
        let width = (last + REACH * bandwidth - low) / (PLACES - 1) as f64;

        // Every value is shared between the two places beside it, then all values of a place are smoothed at once.
        let mut shares = vec![0.0; PLACES + 1];
        for value in sorted {
            let place = (value - low) / width;
            let (index, right) = (place as usize, place.fract());
            shares[index] += 1.0 - right;
            shares[index + 1] += right;
        }
        let kernel = |distance: usize| (-0.5 * (distance as f64 * width / bandwidth).powi(2)).exp();
        let reach = (REACH * bandwidth / width).ceil() as usize;
        let weights: Vec<f64> = (0..=reach).map(kernel).collect();
        let total = count * width * (weights[0] + 2.0 * weights[1..].iter().sum::<f64>());
        let smooth = |place: usize| {
            let near = place.saturating_sub(reach)..(place + reach + 1).min(PLACES);
            near.map(|other| shares[other] * weights[place.abs_diff(other)]).sum::<f64>() / total
        };
        Some(Self { low, width, densities: (0..PLACES).map(smooth).collect(), quartiles })
    }

    /// Where the curve begins: a little below the smallest value.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Where the curve ends: a little above the largest value.
    pub fn high(&self) -> f64 {
        self.low + self.width * (PLACES - 1) as f64
    }

    /// The largest density.
    pub fn highest(&self) -> f64 {
        self.densities.iter().copied().fold(0.0, f64::max)
    }

    /// First quartile, median, third quartile.
    pub fn quartiles(&self) -> [f64; 3] {
        self.quartiles
    }

    /// Values with their density, from below to above.
    pub fn curve(&self) -> impl Iterator<Item = (f64, f64)> {
        let point = |(place, &density): (usize, &f64)| (self.low + self.width * place as f64, density);
        self.densities.iter().enumerate().step_by(STRIDE).map(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn an_even_distribution_has_an_even_density() {
        let mut rng = Rng::new(&[1]);
        let values: Vec<f32> = (0..50_000).map(|_| rng.symmetric(0.5) as f32).collect();
        let density = Density::of(&values).unwrap();
        for (value, density) in density.curve().filter(|(value, _)| value.abs() < 0.4) {
            assert!((density - 1.0).abs() < 0.1, "{density} at {value}");
        }
        let [first, median, third] = density.quartiles();
        assert!((first + 0.25).abs() < 0.01 && median.abs() < 0.01 && (third - 0.25).abs() < 0.01);
        let area: f64 = density.densities.iter().sum::<f64>() * density.width;
        assert!((area - 1.0).abs() < 1e-3, "the area is {area}");
    }

    #[test]
    fn a_hill_is_where_the_values_are() {
        let values: Vec<f32> =
            (0..1000).map(|i| if i % 4 == 0 { -1.0 } else { 2.0 } + (i % 10) as f32 * 0.01).collect();
        let density = Density::of(&values).unwrap();
        let highest = density.curve().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        assert!((highest - 2.045).abs() < 0.1, "{highest}");
    }

    #[test]
    fn unusual_values_are_no_trouble() {
        assert!(Density::of(&[]).is_none());
        assert!(Density::of(&[1.0, f32::NAN]).is_none());
        let line = Density::of(&[0.25; 10]).unwrap();
        assert!(line.highest().is_finite() && line.low() < 0.25 && line.high() > 0.25);
    }
}
