//! The layers of a network with their output shapes, parameters and multiply-accumulates, as Keras lists them.

use networks::{Activation, Kind, Layer, NetworkSpec, SpecError};
use serde::Serialize;

/// One row of the layer table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
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

/// Sums over `rows`.
pub fn totals(rows: &[Row]) -> Totals {
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let (trainable, non_trainable) = (sum(|row| row.trainable), sum(|row| row.non_trainable));
    Totals { params: trainable + non_trainable, trainable, non_trainable, macs: sum(|row| row.macs) }
}

/// The rows of `spec` in order. Fails where a map becomes too small for the next kernel.
pub fn rows(spec: &NetworkSpec) -> Result<Vec<Row>, SpecError> {
    let mut table = Table::default();
    spec.layers()?.iter().for_each(|layer| table.layer(layer));
    Ok(table.0)
}

/// The table while it grows.
#[derive(Default)]
struct Table(Vec<Row>);

impl Table {
    fn push(&mut self, kind: &'static str, stem: &str, output: &[usize], [trainable, non_trainable, macs]: [usize; 3]) {
        let number = self.0.iter().filter(|row| row.kind == kind).count() + 1;
        let (name, output) = (format!("{stem}_{number}"), output.to_vec());
        self.0.push(Row { name, kind, output, trainable, non_trainable, macs });
    }

    fn layer(&mut self, layer: &Layer) {
        let is_vector = matches!(layer.kind, Kind::Dense { .. } | Kind::GlobalAverage);
        let shape = |shape: networks::Shape| match is_vector {
            true => vec![shape.channels],
            false => <[usize; 3]>::from(shape).to_vec(),
        };
        let (unpooled, output) = (shape(layer.unpooled), shape(layer.output));
        let counts = [layer.weights() + layer.biases(), 0, layer.macs()];
        match layer.kind {
            Kind::Conv { .. } => self.push("Conv2D", "conv2d", &unpooled, counts),
            Kind::Depthwise { .. } => self.push("DepthwiseConv2D", "depthwise_conv2d", &unpooled, counts),
            Kind::Add => self.push("Add", "add", &unpooled, counts),
            Kind::GlobalAverage => self.push("GlobalAveragePooling2D", "global_average_pooling2d", &unpooled, counts),
            Kind::Dense { .. } => {
                let follows_vector = self.0.iter().any(|row| matches!(row.kind, "Dense" | "GlobalAveragePooling2D"));
                if !follows_vector {
                    self.push("Flatten", "flatten", &[layer.input.values()], [0; 3]);
                }
                self.push("Dense", "dense", &unpooled, counts);
            }
        }
        if layer.norm {
            let channels = layer.unpooled.channels;
            self.push("BatchNormalization", "batch_normalization", &unpooled, [2 * channels, 2 * channels, 0]);
        }
        if layer.activation != Activation::None {
            self.push("Activation", "activation", &unpooled, [0; 3]);
        }
        if layer.pool.is_some() {
            self.push("MaxPooling2D", "max_pooling2d", &output, [0; 3]);
        }
        if layer.dropout > 0.0 {
            self.push("Dropout", "dropout", &output, [0; 3]);
        }
    }
}
