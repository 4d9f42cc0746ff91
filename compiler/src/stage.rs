//! What happens to an accumulator: a clamp, or a table of a function, and how what leaves is quantized.

use thumbnet::format::{self, BYTE_TABLE_LEN, Op, TABLE_LEN, TABLE_ZERO};

use crate::calibrate::{LayerRange, Range};
use crate::function::Function;
use crate::given;
use crate::graph::{Activation, Layer};
use crate::quantization::Quantization;

/// Table entries a unit of pre-activation where a function saturates at about 8, as the sigmoid does.
const SIGMOID_STEPS: f64 = 64.0;
/// The same where it saturates at about 4, as the hyperbolic tangent does.
const TANH_STEPS: f64 = 128.0;
/// A table of bytes is kept as long as its neighbouring entries differ by so many steps at most.
const COARSEST: f64 = 1.25;

/// How a layer ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What happens to an accumulator.
    pub activation: format::Activation,
    /// How what leaves is quantized; of no meaning for logits.
    pub output: Quantization,
    /// The least and the greatest output of a clamp.
    pub limits: [u8; 2],
    /// The real value of what an accumulator is scaled to: of a step of the output, or of an entry of the table.
    pub step: f64,
    /// The entry for zero of a table of bytes.
    pub table_zero: u8,
    /// The table, if there is one.
    pub table: Vec<u8>,
}

impl Stage {
    /// The stage of a layer whose values cover `range`; `input`: how what enters is quantized.
    pub fn of(layer: &Layer, range: LayerRange, input: Quantization) -> Self {
        match layer.activation {
            Activation::Linear => Self::clamp(layer, range.output, input, [f64::NEG_INFINITY, f64::INFINITY]),
            Activation::Clamp(low, high) => Self::clamp(layer, range.output, input, [low.into(), high.into()]),
            Activation::Function(function) if layer.given.is_some() && given::is_copy(layer) => {
                // Each byte that enters is an entry.
                Self::coarse(function, layer.given.unwrap_or(input), input)
            }
            Activation::Function(function) => Self::table(function, range, layer.given),
        }
    }

    fn clamp(layer: &Layer, range: Range, input: Quantization, [low, high]: [f64; 2]) -> Self {
        let output = match layer.record.op {
            // Its bytes are not scaled.
            Op::MaxPool => input,
            Op::Conv
            | Op::GroupedConv
            | Op::DepthwiseConv
            | Op::Dense
            | Op::GlobalAveragePool
            | Op::Add
            | Op::AveragePool
            | Op::Concat => layer.given.unwrap_or_else(|| {
                // Nothing leaves that the limits exclude; zero is covered all the same.
                let range = Range { low: range.low.max(low.min(0.0)), high: range.high.min(high.max(0.0)) };
                Quantization::covering(range)
            }),
        };
        let limits = [output.byte(low), output.byte(high)];
        let step = output.scale.into();
        let activation = format::Activation::Clamp;
        Self { activation, output, limits, step, table_zero: 0, table: Vec::new() }
    }

    /// `given`: how what leaves is to be quantized, where that is known.
    fn table(function: Function, range: LayerRange, given: Option<Quantization>) -> Self {
        match function {
            Function::Sigmoid => Self::fine(function, given.unwrap_or(Quantization::SIGMOID), 1.0 / SIGMOID_STEPS),
            Function::Tanh => {
                let output = Quantization { scale: 1.0 / 128.0, zero_point: 128 };
                Self::fine(function, given.unwrap_or(output), 1.0 / TANH_STEPS)
            }
            Function::HardSigmoid(..)
            | Function::LeakyRelu(_)
            | Function::Elu(_)
            | Function::Selu(..)
            | Function::Celu(_)
            | Function::HardSwish
            | Function::Swish(_)
            | Function::Gelu
            | Function::GeluTanh
            | Function::Softplus
            | Function::Softsign
            | Function::Mish
            | Function::Abs
            | Function::ThresholdedRelu(_) => {
                let measured = || {
                    Quantization::covering(function.limits().map_or(range.output, |(low, high)| Range {
                        low: low.max(range.output.low),
                        high: high.min(range.output.high),
                    }))
                };
                let output = given.unwrap_or_else(measured);
                // Beyond its ends a table is as constant as the function.
                let (first, last) = function.varies();
                let sums = Range { low: range.sums.low.max(first.min(0.0)), high: range.sums.high.min(last.max(0.0)) };
                let entries = Quantization::covering(sums);
                let coarse = Self::coarse(function, output, entries);
                let jumps = |x: usize| {
                    let at =
                        |entry: usize| function.apply((entry as f64 - f64::from(entries.zero_point)) * coarse.step);
                    (at(x + 1) - at(x)).abs() / f64::from(output.scale)
                };
                if (0..BYTE_TABLE_LEN - 1).all(|entry| jumps(entry) <= COARSEST) {
                    return coarse;
                }
                let reach = sums.high.max(-sums.low);
                Self::fine(function, output, reach / f64::from(TABLE_LEN as i32 - 1 - TABLE_ZERO))
            }
        }
    }

    /// A table of bytes: one entry a step of the quantized sums.
    fn coarse(function: Function, output: Quantization, sums: Quantization) -> Self {
        let step = f64::from(sums.scale);
        let entry = |index: usize| output.byte(function.apply((index as f64 - f64::from(sums.zero_point)) * step));
        let table = (0..BYTE_TABLE_LEN).map(entry).collect();
        let activation = format::Activation::ByteTable;
        Self { activation, output, limits: [0, u8::MAX], step, table_zero: sums.zero_point, table }
    }

    /// A table of four times as many entries, half of them for each sign.
    fn fine(function: Function, output: Quantization, step: f64) -> Self {
        let entry = |index: usize| output.byte(function.apply((index as f64 - f64::from(TABLE_ZERO)) * step));
        let table = (0..TABLE_LEN).map(entry).collect();
        Self { activation: format::Activation::Table, output, limits: [0, u8::MAX], step, table_zero: 0, table }
    }
}

#[cfg(test)]
mod tests {
    use thumbnet::requantize::scale;

    use super::*;
    use crate::quantization::multiplier;

    /// The output of a stage for an accumulator whose step has this real value.
    fn output(stage: &Stage, acc: i32, step: f64) -> u8 {
        let (multiplier, shift) = multiplier(step / stage.step).unwrap();
        let zero = if stage.activation == format::Activation::Table { TABLE_ZERO } else { stage.table_zero.into() };
        let index = (scale(acc, multiplier, shift) + zero).clamp(0, stage.table.len() as i32 - 1);
        stage.table[index as usize]
    }

    /// The largest difference from the function, in steps of the output, over the sums that it was made for.
    fn largest_error(function: Function, sums: Range) -> f64 {
        let grid = (0..=4000).map(|i| sums.low + (sums.high - sums.low) * f64::from(i) / 4000.0);
        let values: Vec<f64> = grid.clone().map(|x| function.apply(x)).collect();
        let least = values.iter().fold(0.0, |least: f64, &value| least.min(value));
        let most = values.iter().fold(0.0, |most: f64, &value| most.max(value));
        let stage = Stage::table(function, LayerRange { output: Range { low: least, high: most }, sums }, None);
        let step = 1e-5;
        grid.zip(values)
            .map(|(x, value)| {
                let found = f64::from(output(&stage, (x / step).round() as i32, step));
                (found - value / f64::from(stage.output.scale) - f64::from(stage.output.zero_point)).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn every_table_is_within_two_steps_of_its_function() {
        let sums = [
            Range { low: -3.0, high: 9.0 },
            Range { low: -8.0, high: 2.0 },
            Range { low: -0.5, high: 0.4 },
            Range { low: -9000.0, high: 1.0 },
        ];
        let all = [
            Function::Sigmoid,
            Function::Tanh,
            Function::HardSigmoid(0.2, 0.5),
            Function::LeakyRelu(0.1),
            Function::Elu(1.0),
            Function::HardSwish,
            Function::Swish(1.0),
            Function::Gelu,
            Function::Softplus,
            Function::Mish,
            Function::Abs,
        ];
        for function in all {
            for sums in sums {
                let error = largest_error(function, sums);
                assert!(error <= 2.0, "{function:?} on {sums:?}: {error}");
            }
        }
    }

    #[test]
    fn a_table_of_bytes_is_enough_where_a_function_is_as_wide_as_its_sums() {
        let range = |low, high| Range { low, high };
        let stage = |function, output, sums| Stage::table(function, LayerRange { output, sums }, None).table.len();
        assert_eq!(stage(Function::Elu(1.0), range(-0.6, 10.0), range(-1.0, 10.0)), BYTE_TABLE_LEN);
        assert_eq!(stage(Function::LeakyRelu(0.1), range(-1.0, 5.0), range(-10.0, 5.0)), TABLE_LEN);
    }
}
