//! Activations of one variable that become tables.

/// A function that a table can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(0, min(1, alpha x + beta))`.
    HardSigmoid(f32, f32),
    /// `x`, below zero times the slope; also PReLU with one slope.
    LeakyRelu(f32),
    /// `x`, below zero `alpha (exp(x) - 1)`.
    Elu(f32),
    /// `gamma x`, below zero `gamma alpha (exp(x) - 1)`: alpha, gamma.
    Selu(f32, f32),
    /// `max(0, x) + min(0, alpha (exp(x / alpha) - 1))`.
    Celu(f32),
    /// `x max(0, min(1, x / 6 + 1 / 2))`.
    HardSwish,
    /// `x / (1 + exp(-alpha x))`: SiLU with 1, Swish with any.
    Swish(f32),
    /// `x (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// GELU with a hyperbolic tangent in place of the error function.
    GeluTanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x tanh(ln(1 + exp(x)))`.
    Mish,
    /// `|x|`.
    Abs,
    /// `x` above alpha, zero otherwise.
    ThresholdedRelu(f32),
}

impl Function {
    /// Its value.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::HardSigmoid(alpha, beta) => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
            Self::LeakyRelu(slope) => {
                if x < 0.0 {
                    f64::from(slope) * x
                } else {
                    x
                }
            }
            Self::Elu(alpha) => {
                if x < 0.0 {
                    f64::from(alpha) * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Selu(alpha, gamma) => f64::from(gamma) * Self::Elu(alpha).apply(x),
            Self::Celu(alpha) => {
                if x < 0.0 {
                    f64::from(alpha) * (x / f64::from(alpha)).exp_m1()
                } else {
                    x
                }
            }
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Swish(alpha) => x * sigmoid(f64::from(alpha) * x),
            Self::Gelu => x * 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2)),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Mish => x * softplus(x).tanh(),
            Self::Abs => x.abs(),
            Self::ThresholdedRelu(alpha) => {
                if x > f64::from(alpha) {
                    x
                } else {
                    0.0
                }
            }
        }
    }

    /// Whether it never decreases.
    pub fn is_increasing(self) -> bool {
        match self {
            Self::Sigmoid | Self::Tanh | Self::Softplus | Self::Softsign => true,
            Self::HardSigmoid(alpha, _) | Self::LeakyRelu(alpha) | Self::Elu(alpha) => alpha >= 0.0,
            Self::Celu(alpha) => alpha > 0.0,
            Self::Selu(alpha, gamma) => alpha >= 0.0 && gamma >= 0.0,
            Self::ThresholdedRelu(alpha) => alpha >= 0.0,
            Self::HardSwish | Self::Swish(_) | Self::Gelu | Self::GeluTanh | Self::Mish | Self::Abs => false,
        }
    }

    /// The arguments between which it changes: below the first and above the second one it is as good as constant.
    pub fn varies(self) -> (f64, f64) {
        let above = |low: f64| (low, f64::INFINITY);
        match self {
            Self::Sigmoid | Self::Tanh => (-FLAT, FLAT),
            Self::HardSigmoid(alpha, beta) if alpha > 0.0 => {
                (-f64::from(beta) / f64::from(alpha), (1.0 - f64::from(beta)) / f64::from(alpha))
            }
            Self::HardSwish => above(-3.0),
            Self::Swish(alpha) if alpha > 0.0 => above(-2.0 * FLAT / f64::from(alpha)),
            Self::Celu(alpha) if alpha > 0.0 => above(-FLAT * f64::from(alpha)),
            Self::Elu(_) | Self::Selu(..) | Self::Gelu | Self::GeluTanh | Self::Softplus => above(-FLAT),
            Self::Mish => above(-2.0 * FLAT),
            Self::ThresholdedRelu(alpha) => above(alpha.into()),
            Self::HardSigmoid(..)
            | Self::Swish(_)
            | Self::Celu(_)
            | Self::LeakyRelu(_)
            | Self::Softsign
            | Self::Abs => above(f64::NEG_INFINITY),
        }
    }

    /// The least and the greatest value that it can have, where it has both.
    pub fn limits(self) -> Option<(f64, f64)> {
        match self {
            Self::Sigmoid | Self::HardSigmoid(..) => Some((0.0, 1.0)),
            Self::Tanh | Self::Softsign => Some((-1.0, 1.0)),
            _ => None,
        }
    }
}

/// Where a function is as good as constant: `exp(-8)` and less from that.
const FLAT: f64 = 8.0;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The error function by its Taylor series near zero, and by the continued fraction of its complement beyond.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    let value = if size < 2.5 {
        // 2 / sqrt(pi) sum of (-1)^n x^(2n+1) / (n! (2n+1)).
        let (mut term, mut sum) = (size, size);
        for n in 1..60 {
            term *= -size * size / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        // erfc(x) = exp(-x^2) / sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 / (x + ...)))).
        let fraction = (1..=40).rev().fold(size, |below, n| size + f64::from(n) / 2.0 / below);
        1.0 - (-size * size).exp() / std::f64::consts::PI.sqrt() / fraction
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_error_function_are_those_of_tables() {
        let known = [(0.0, 0.0), (0.5, 0.520_499_877_813), (1.0, 0.842_700_792_950), (2.0, 0.995_322_265_019)];
        for (x, value) in known.into_iter().chain([(2.49, 0.999_571_4), (2.51, 0.999_614_6), (4.0, 0.999_999_984_583)])
        {
            assert!((erf(x) - value).abs() < 2e-6, "erf({x}) = {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
    }

    #[test]
    fn what_is_called_increasing_never_decreases() {
        let all = [
            Function::Sigmoid,
            Function::Tanh,
            Function::HardSigmoid(0.2, 0.5),
            Function::LeakyRelu(0.1),
            Function::Elu(1.0),
            Function::Selu(1.67, 1.05),
            Function::Celu(0.7),
            Function::HardSwish,
            Function::Swish(1.0),
            Function::Gelu,
            Function::GeluTanh,
            Function::Softplus,
            Function::Softsign,
            Function::Mish,
            Function::Abs,
            Function::ThresholdedRelu(1.0),
        ];
        for function in all {
            let values: Vec<f64> = (-1000..=1000).map(|x| function.apply(f64::from(x) / 100.0)).collect();
            let increases = values.windows(2).all(|pair| pair[0] <= pair[1]);
            assert_eq!(increases, function.is_increasing(), "{function:?}");
            let (first, last) = function.varies();
            for (end, beyond) in
                [(first, first - 100.0), (last, last + 100.0)].into_iter().filter(|(end, _)| end.is_finite())
            {
                let change = (function.apply(beyond) - function.apply(end)).abs();
                assert!(change < 0.01, "{function:?} changes by {change} beyond {end}");
            }
            if let Some((low, high)) = function.limits() {
                assert!(values.iter().all(|value| (low..=high).contains(value)), "{function:?}");
            }
        }
    }
}
