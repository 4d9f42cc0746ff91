//! The layers of a network with their output shapes, parameters and multiply-accumulates, as Keras lists them.

use serde::Serialize;

use crate::spec::{CLASSES, Head, NetworkSpec, Padding, SIZE, SpecError};

/// One row of the layer table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Keras's name: the kind and a running number.
    pub name: String,
    /// Keras's class.
    pub kind: &'static str,
    /// Height, width, channels, or only the number of values.
    pub output: Vec<usize>,
    /// Parameters that training changes.
    pub trainable: usize,
    /// Parameters that follow from the data: running mean and variance.
    pub non_trainable: usize,
    /// Multiply-accumulates for one image.
    pub macs: usize,
}

/// Sums over all layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All parameters.
    pub params: usize,
    /// Parameters that training changes.
    pub trainable: usize,
    /// The others.
    pub non_trainable: usize,
    /// Multiply-accumulates for one image.
    pub macs: usize,
}

/// Sums over `layers`.
pub fn totals(layers: &[Layer]) -> Totals {
    let sum = |of: fn(&Layer) -> usize| layers.iter().map(of).sum::<usize>();
    let (trainable, non_trainable) = (sum(|l| l.trainable), sum(|l| l.non_trainable));
    Totals { params: trainable + non_trainable, trainable, non_trainable, macs: sum(|l| l.macs) }
}

/// The table while it grows.
struct Table {
    rows: Vec<Layer>,
    shape: Vec<usize>,
}

impl Table {
    fn push(&mut self, kind: &'static str, stem: &str, [trainable, non_trainable, macs]: [usize; 3]) {
        let number = self.rows.iter().filter(|row| row.kind == kind).count() + 1;
        let output = self.shape.clone();
        let name = format!("{stem}_{number}");
        self.rows.push(Layer { name, kind, output, trainable, non_trainable, macs });
    }

    fn batch_norm_and_activation(&mut self, channels: usize) {
        self.push("BatchNormalization", "batch_normalization", [2 * channels, 2 * channels, 0]);
        self.push("Activation", "activation", [0; 3]);
    }

    fn dense(&mut self, inputs: usize, units: usize) {
        self.shape = vec![units];
        self.push("Dense", "dense", [(inputs + 1) * units, 0, inputs * units]);
    }
}

impl NetworkSpec {
    /// The layers in order. Fails where a map becomes too small for the next kernel.
    pub fn layers(&self) -> Result<Vec<Layer>, SpecError> {
        let mut table = Table { rows: Vec::new(), shape: Vec::new() };
        let (mut size, mut channels) = (SIZE, 1);
        for (index, conv) in self.conv.iter().enumerate() {
            let too_small = |what: &str, size: usize| {
                self.invalid(format!("the {what} of `conv` block {} does not fit a map of {size} x {size}", index + 1))
            };
            if conv.padding == Padding::Valid {
                let smaller = size.checked_sub(self.kernel - 1).filter(|&smaller| smaller > 0);
                size = smaller.ok_or_else(|| too_small("kernel", size))?;
            }
            let weights = self.kernel * self.kernel * channels * conv.filters;
            table.shape = vec![size, size, conv.filters];
            table.push("Conv2D", "conv2d", [weights + conv.filters, 0, size * size * weights]);
            table.batch_norm_and_activation(conv.filters);
            if let Some((stride, padding)) = conv.pool.geometry(size) {
                let room = (size + padding).checked_sub(2).ok_or_else(|| too_small("pooling", size))?;
                size = room / stride + 1;
                table.shape = vec![size, size, conv.filters];
                table.push("MaxPooling2D", "max_pooling2d", [0; 3]);
            }
            if self.dropout > 0.0 {
                table.push("Dropout", "dropout", [0; 3]);
            }
            channels = conv.filters;
        }
        let mut values = self.head_values(size, channels);
        table.shape = vec![values];
        match self.head {
            Head::Flatten => table.push("Flatten", "flatten", [0; 3]),
            Head::GlobalAverage => table.push("GlobalAveragePooling2D", "global_average_pooling2d", [0; 3]),
        }
        if let Some(units) = self.dense {
            table.dense(values, units);
            table.batch_norm_and_activation(units);
            if self.dropout > 0.0 {
                table.push("Dropout", "dropout", [0; 3]);
            }
            values = units;
        }
        table.dense(values, CLASSES);
        Ok(table.rows)
    }

    /// Values that the head hands to the first dense layer, from a map of `size` x `size`.
    fn head_values(&self, size: usize, channels: usize) -> usize {
        match self.head {
            Head::Flatten => size * size * channels,
            Head::GlobalAverage => channels,
        }
    }
}
