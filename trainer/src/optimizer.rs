//! Keras's optimizers, with Keras's formulas and defaults, as one Burn optimizer.
//!
//! Burn's own differ in small things, so none is used: its Adam scales epsilon with the bias correction,
//! its SGD keeps a velocity without the step size, and it has no Adadelta.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use networks::Optimizer as Kind;

/// Keras's `epsilon`, the same for all.
const EPSILON: f32 = 1e-7;
const ADAM_BETA1: f32 = 0.9;
const ADAM_BETA2: f32 = 0.999;
const SGD_MOMENTUM: f32 = 0.9;
const SGD_DECAY: f64 = 1e-4;
const ADADELTA_RHO: f32 = 0.95;
const RMSPROP_RHO: f32 = 0.9;

/// One of Keras's optimizers: the update rule for one tensor of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KerasOptimizer(pub Kind);

impl KerasOptimizer {
    /// The step size that Keras starts with.
    pub fn default_rate(self) -> f64 {
        match self.0 {
            Kind::Adam | Kind::Rmsprop => 1e-3,
            Kind::Sgd | Kind::Adagrad => 0.01,
            Kind::Adadelta => 1.0,
        }
    }

    /// What the step size is multiplied with at `iteration`, counted from 0.
    pub fn decay(self, iteration: usize) -> f64 {
        match self.0 {
            Kind::Sgd => 1.0 / (1.0 + SGD_DECAY * iteration as f64),
            Kind::Adam | Kind::Adadelta | Kind::Adagrad | Kind::Rmsprop => 1.0,
        }
    }

    /// An optimizer for a whole module, without any state yet.
    pub fn start(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

/// What an optimizer remembers of one tensor of parameters.
#[derive(Clone)]
pub struct Memory<const D: usize> {
    /// Steps taken.
    pub steps: usize,
    /// Adam: mean of the gradient. SGD: velocity. The others: (mean) square of the gradient.
    pub first: Tensor<D>,
    /// Adam: mean square of the gradient. Adadelta: mean square of the updates.
    pub second: Option<Tensor<D>>,
}

const STEPS: &str = "steps";
const FIRST: &str = "first";
const SECOND: &str = "second";

// By hand: Burn's derive macro only works inside Burn's own crate.
impl<const D: usize> RecordState for Memory<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, STEPS, self.steps.into());
        out.push_tensor(prefix, FIRST, self.first.to_data());
        if let Some(second) = &self.second {
            out.push_tensor(prefix, SECOND, second.to_data());
        }
    }

    fn state_unflatten(prefix: &str, from: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = from.take_scalar(prefix, STEPS)?.try_into().ok()?;
        let first = Tensor::from_data(from.take_tensor(prefix, FIRST)?, device);
        let second = from.take_tensor(prefix, SECOND).map(|data| Tensor::from_data(data, device));
        Some(Self { steps, first, second })
    }
}

impl Optimizer for KerasOptimizer {
    type State<const D: usize> = Memory<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Option<Memory<D>>) {
        let fresh = || Memory { steps: 0, first: gradient.zeros_like(), second: None };
        let memory = memory.unwrap_or_else(fresh);
        let steps = memory.steps + 1;
        let first = memory.first;
        let second = || memory.second.unwrap_or_else(|| gradient.zeros_like());
        let (update, first, second) = match self.0 {
            Kind::Adam => {
                let mean = blend(first, gradient.clone(), ADAM_BETA1);
                let square = blend(second(), gradient.square(), ADAM_BETA2);
                let corrected = rate * (1.0 - f64::from(ADAM_BETA2).powi(steps as i32)).sqrt()
                    / (1.0 - f64::from(ADAM_BETA1).powi(steps as i32));
                let update = mean.clone() * corrected / (square.clone().sqrt() + EPSILON);
                (update, mean, Some(square))
            }
            Kind::Sgd => {
                let step = gradient * rate;
                let velocity = first * SGD_MOMENTUM - step.clone();
                (step - velocity.clone() * SGD_MOMENTUM, velocity, None)
            }
            Kind::Adadelta => {
                let square = blend(first, gradient.clone().square(), ADADELTA_RHO);
                let updates = second();
                let update = gradient * (updates.clone() + EPSILON).sqrt() / (square.clone() + EPSILON).sqrt();
                let updates = blend(updates, update.clone().square(), ADADELTA_RHO);
                (update * rate, square, Some(updates))
            }
            Kind::Adagrad => {
                let square = first + gradient.clone().square();
                (gradient * rate / (square.clone().sqrt() + EPSILON), square, None)
            }
            Kind::Rmsprop => {
                let square = blend(first, gradient.clone().square(), RMSPROP_RHO);
                (gradient * rate / (square.clone().sqrt() + EPSILON), square, None)
            }
        };
        (weights - update, Some(Memory { steps, first, second }))
    }

    fn to_device<const D: usize>(mut memory: Memory<D>, device: &Device) -> Memory<D> {
        memory.first = memory.first.to_device(device);
        memory.second = memory.second.map(|second| second.to_device(device));
        memory
    }
}

/// The running mean: `share` of the old, the rest of the new.
fn blend<const D: usize>(old: Tensor<D>, new: Tensor<D>, share: f32) -> Tensor<D> {
    old * share + new * (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights after steps from `weight` with these gradients.
    fn steps<const N: usize>(kind: Kind, weight: f32, gradients: [f32; N]) -> [f64; N] {
        let device = Device::default();
        let mut weights = Tensor::<1>::from_floats([weight], &device);
        let mut memory = None;
        gradients.map(|gradient| {
            let gradient = Tensor::<1>::from_floats([gradient], &device);
            let optimizer = KerasOptimizer(kind);
            let (new, state) = optimizer.step(optimizer.default_rate(), weights.clone(), gradient, memory.take());
            (weights, memory) = (new, state);
            weights.to_data().iter::<f64>().next().unwrap()
        })
    }

    /// Two steps from weight 1.0 with gradients 0.5 and -0.25.
    fn assert_near(kind: Kind, expected: [f64; 2]) {
        for (got, wanted) in steps(kind, 1.0, [0.5, -0.25]).into_iter().zip(expected) {
            assert!((got - wanted).abs() < 2e-6, "{kind:?}: {got}, by hand {wanted}");
        }
    }

    #[test]
    fn adam_by_hand() {
        // m = 0.05, v = 2.5e-4: 1e-3 * (sqrt(0.001) / 0.1) * 0.05 / sqrt(2.5e-4) = 1e-3.
        let first = 1.0 - 1e-3;
        // m = 0.045 - 0.025 = 0.02, v = 2.4975e-4 + 6.25e-5 = 3.1225e-4.
        let second = first - 1e-3 * (0.001999f64.sqrt() / 0.19) * 0.02 / 3.1225e-4f64.sqrt();
        assert_near(Kind::Adam, [first, second]);
    }

    #[test]
    fn sgd_by_hand() {
        // velocity -0.005: 1 + 0.9 * -0.005 - 0.005; then -0.0045 + 0.0025 = -0.002.
        let first = 1.0 - 0.0045 - 0.005;
        assert_near(Kind::Sgd, [first, first - 0.0018 + 0.0025]);
        assert_eq!(KerasOptimizer(Kind::Sgd).decay(10_000), 0.5);
    }

    #[test]
    fn adagrad_by_hand() {
        let first = 1.0 - 0.01;
        assert_near(Kind::Adagrad, [first, first + 0.01 * 0.25 / 0.3125f64.sqrt()]);
    }

    #[test]
    fn rmsprop_by_hand() {
        let first = 1.0 - 1e-3 * 0.5 / 0.025f64.sqrt();
        let second = first + 1e-3 * 0.25 / (0.0225f64 + 0.00625).sqrt();
        assert_near(Kind::Rmsprop, [first, second]);
    }

    #[test]
    fn adadelta_by_hand() {
        let square = 0.05 * 0.25;
        let update = 0.5 * 1e-7f64.sqrt() / (square + 1e-7f64).sqrt();
        let updates = 0.05 * update * update;
        let square = 0.95 * square + 0.05 * 0.0625;
        let second = 0.25 * (updates + 1e-7f64).sqrt() / (square + 1e-7f64).sqrt();
        assert_near(Kind::Adadelta, [1.0 - update, 1.0 - update + second]);
    }

    /// With a gradient as small as epsilon, its place shows: beside the root, or in it for Adadelta.
    #[test]
    fn epsilon_is_where_keras_has_it() {
        let gradient = 1e-7;
        for (kind, expected) in [
            (Kind::Adam, 1e-3 * 0.001f64.sqrt() / 0.1 * 1e-8 / ((0.001 * 1e-14f64).sqrt() + 1e-7)),
            (Kind::Adagrad, 0.01 * 1e-7 / (1e-7 + 1e-7)),
            (Kind::Rmsprop, 1e-3 * 1e-7 / ((0.1 * 1e-14f64).sqrt() + 1e-7)),
            (Kind::Adadelta, 1e-7 * 1e-7f64.sqrt() / (0.05 * 1e-14f64 + 1e-7).sqrt()),
        ] {
            let [weight] = steps(kind, 0.0, [gradient]);
            assert!((-weight / expected - 1.0).abs() < 1e-4, "{kind:?}: {}, by hand {expected}", -weight);
        }
    }
}
