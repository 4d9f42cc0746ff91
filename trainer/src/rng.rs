//! A small random number generator whose stream never changes: everything drawn on the host
//! (initial weights, order of the images, augmentation) is the same on every backend and machine.

/// SplitMix64: one 64-bit word of state, good enough for shuffling and weights, not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

/// The golden ratio in 64 bits: the step of SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    /// A generator for one purpose: the `path` (for example seed, epoch, image) names it.
    pub fn new(path: &[u64]) -> Self {
        let mut rng = Self(0);
        for &part in path {
            rng.0 ^= part;
            rng.0 = rng.next_u64();
        }
        rng
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Evenly distributed in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly distributed in `[-limit, limit)`.
    pub fn symmetric(&mut self, limit: f64) -> f64 {
        (2.0 * self.unit() - 1.0) * limit
    }

    /// Normally distributed with mean 0 and variance 1, drawn anew where it lies outside `[-2, 2]`.
    pub fn truncated_normal(&mut self) -> f64 {
        loop {
            // Box and Muller's method; 1 - unit() is never 0.
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let value = radius * (std::f64::consts::TAU * self.unit()).cos();
            if value.abs() <= 2.0 {
                return value;
            }
        }
    }

    /// Evenly distributed in `0..bound`; `bound` must be above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high word of the product: biased by less than bound / 2^64.
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
