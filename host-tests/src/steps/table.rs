//! What a table makes of differences.
//!
//! A runtime computes the function itself; the table has its values, rounded, at whole entries. What the core looks up is
//! the entry next to the sum, so both are half an entry apart where sums are equal.

/// Parts of an entry that a function is looked at.
const PARTS: usize = 8;
/// Functions bend between minus and plus this,
const BENDS: i32 = 8;
/// and so many times a unit shows how.
const FINE: i32 = 32;

/// Neighbouring entries that a slope is measured over: roundings count less.
const REACH: usize = 4;

/// An activation's table.
pub struct Table {
    entries: Vec<u8>,
    /// Steps of the output an entry, at most; `None` where the function jumps.
    slope: Option<f64>,
}

impl Table {
    /// The table with these entries.
    pub fn new(entries: &[u8]) -> Self {
        let largest = |reach| f64::from(difference(entries, reach));
        // Both ends of a slope are rounded.
        let slope = (largest(REACH) + 1.0) / REACH as f64;
        let is_smooth = largest(1) <= slope + 1.0;
        Self { entries: entries.to_vec(), slope: is_smooth.then_some(slope) }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// By how much `value`, the function of entries in steps of the output, leaves what two neighbouring entries enclose; `unit`:
    /// the entries that a real one is.
    pub fn between_entries(&self, value: impl Fn(f64) -> f64, unit: f64, zero: i32) -> f64 {
        let ends = |entry: f64| [value(entry.floor()), value(entry.floor() + 1.0)];
        let beyond = |entry: f64| {
            let ([a, b], value) = (ends(entry), value(entry));
            (value - a.max(b)).max(a.min(b) - value)
        };
        let parts = (0..(self.len() - 1) * PARTS).map(|part| part as f64 / PARTS as f64);
        let bends =
            (-BENDS * FINE..=BENDS * FINE).map(|part| f64::from(part) / f64::from(FINE) * unit + f64::from(zero));
        let inside = bends.filter(|entry| (0.0..(self.len() - 1) as f64).contains(entry));
        parts.chain(inside).map(beyond).fold(0.0, f64::max)
    }

    /// By how much outputs may differ for sums that are so many entries apart, where the function is off by `noise` steps.
    pub fn allowed(&self, apart: f64, noise: f64) -> f64 {
        let apart = apart + 0.5;
        match self.slope {
            // Two numbers that are rounded.
            Some(slope) => (slope * apart + 1.0 + noise).floor(),
            None => (1..=apart.ceil() as usize)
                .map(|reach| f64::from(difference(&self.entries, reach)))
                .fold(1.0, |largest, difference| largest.max(difference + 1.0 + noise.floor())),
        }
    }
}

/// The largest difference of two entries that are so far apart in the table.
fn difference(entries: &[u8], reach: usize) -> u8 {
    let pairs = entries.iter().zip(entries.iter().skip(reach));
    pairs.map(|(&a, &b)| a.abs_diff(b)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of 256 entries, `step` apart, of a function in steps of the output.
    fn table(step: f64, function: impl Fn(f64) -> f64) -> Table {
        let entry = |index: i32| function(f64::from(index - 128) * step).round().clamp(0.0, 255.0) as u8;
        Table::new(&(0..256).map(entry).collect::<Vec<u8>>())
    }

    #[test]
    fn equal_sums_may_differ_by_a_rounding_where_the_function_is_not_steep() {
        let sigmoid = |x: f64| 256.0 / (1.0 + (-x).exp());
        assert_eq!(table(1.0 / 64.0, sigmoid).allowed(1e-4, 0.0), 1.0);
        assert_eq!(table(1.0 / 64.0, sigmoid).allowed(1.0, 0.0), 2.0);
        assert_eq!(table(1.0, |x| 100.0 + x).allowed(0.0, 0.0), 1.0);
        assert_eq!(table(1.0, |x| 10.0 + 3.0 * x).allowed(0.0, 0.0), 2.0);
    }

    #[test]
    fn a_jump_is_allowed_as_a_whole() {
        let jumps = table(1.0, |x| if x > 0.0 { 100.0 + x } else { 0.0 });
        assert_eq!(jumps.allowed(0.0, 0.0), 102.0);
        assert!(jumps.allowed(3.0, 0.0) >= 105.0);
    }

    /// Every sum in a fine grid, its function rounded, against what the table has next to it.
    #[test]
    fn what_is_allowed_covers_every_sum() {
        let functions: [fn(f64) -> f64; 5] = [
            |x| 128.0 + 127.0 * x.tanh(),
            |x| 40.0 + 30.0 * x / (1.0 + (-x).exp()),
            |x| 40.0 * x.abs(),
            |x| if x < 0.0 { 60.0 + 6.0 * x } else { 60.0 + 60.0 * x },
            |x| if x > 0.5 { 30.0 * x } else { 0.0 },
        ];
        for (index, function) in functions.into_iter().enumerate() {
            let step = 1.0 / 40.0;
            let table = table(step, function);
            for apart in [0.0, 0.4, 2.0] {
                let allowed = table.allowed(apart, 0.0);
                for fine in -12_000..12_000 {
                    let sum = f64::from(fine) / 100.0;
                    let ours = f64::from(table.entries[(sum.round() + 128.0) as usize]);
                    for sum in [sum - apart, sum + apart] {
                        let theirs = function(sum * step).clamp(0.0, 255.0).round();
                        assert!((theirs - ours).abs() <= allowed, "function {index}, sum {sum}, {apart} apart");
                    }
                }
            }
        }
    }
}
