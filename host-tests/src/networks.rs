//! Every network of `trainer/networks.toml` with random weights, as the compiler's float graph.
//!
//! Instructions, memory and flash do not depend on the weights: with this a network can be measured
//! before it is trained. Only the fields that say what it computes are read; the table explains them.

use anyhow::{Context, Result, bail};
use compiler::graph::{Activation, Layer, Network, record};
use inference_core::format::{self, Op, Pool, Shape, Window};
use serde::Deserialize;

use crate::rng::Rng;

const NETWORKS: &str = include_str!("../../trainer/networks.toml");
const INPUT: Shape = Shape { height: 28, width: 28, channels: 1 };
const CLASSES: u16 = 10;

/// What a network computes.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// Its name, the same as under `models/`.
    pub name: String,
    kernel: u8,
    activation: String,
    /// Filters, padding, pool.
    conv: Vec<(u16, String, String)>,
    head: Option<String>,
    dense: Option<u16>,
}

/// All networks, in the order of the table.
pub fn all() -> Result<Vec<Spec>> {
    #[derive(Deserialize)]
    struct Table {
        network: Vec<Spec>,
    }
    let table: Table = toml::from_str(NETWORKS).context("trainer/networks.toml")?;
    Ok(table.network)
}

/// The network with this name.
pub fn find(name: &str) -> Result<Spec> {
    let mut all = all()?;
    let names = all.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
    let index = all.iter().position(|spec| spec.name == name);
    Ok(all.swap_remove(index.with_context(|| format!("no network is called {name:?}; there are: {names}"))?))
}

impl Spec {
    /// The network with random weights; the same on every call.
    pub fn with_random_weights(&self) -> Result<Network> {
        self.build().with_context(|| format!("trainer/networks.toml, network {}", self.name))
    }

    fn build(&self) -> Result<Network> {
        let activation = match self.activation.as_str() {
            "relu" => Activation::Relu,
            "sigmoid" => Activation::Sigmoid,
            other => bail!("activation {other:?} is unknown"),
        };
        let mut layers = Layers { rng: Rng::new(1), shape: INPUT, layers: vec![] };
        for (filters, padding, pool) in &self.conv {
            layers.conv(*filters, self.window(padding)?, pool, activation)?;
        }
        match self.head.as_deref() {
            None | Some("flatten") => {}
            Some("global_average") => {
                let output = Shape { height: 1, width: 1, ..layers.shape };
                let average = format::Layer::new(Op::GlobalAveragePool, layers.shape, output);
                layers.add(average, Activation::Linear);
            }
            Some(other) => bail!("head {other:?} is unknown"),
        }
        if let Some(units) = self.dense {
            layers.dense(units, activation);
        }
        layers.dense(CLASSES, Activation::Linear);
        Ok(Network { input: INPUT, layers: layers.layers, notes: vec![] })
    }

    fn window(&self, padding: &str) -> Result<Window> {
        let pad = match padding {
            "same" => self.kernel / 2,
            "valid" => 0,
            other => bail!("padding {other:?} is unknown"),
        };
        Ok(Window {
            kernel_height: self.kernel,
            kernel_width: self.kernel,
            pad_top: pad,
            pad_left: pad,
            pad_bottom: pad,
            pad_right: pad,
            ..Window::UNIT
        })
    }
}

/// The layers so far.
struct Layers {
    rng: Rng,
    /// What enters the next layer.
    shape: Shape,
    layers: Vec<Layer>,
}

impl Layers {
    fn conv(&mut self, filters: u16, window: Window, pool: &str, activation: Activation) -> Result<()> {
        let channels = Shape { channels: filters, ..self.shape };
        let mut conv = record(Op::Conv, self.shape, channels, window, Pool::NONE);
        let half = |pad: usize| Pool { size: 2, stride: 2, pad_bottom: pad as u8, pad_right: pad as u8 };
        conv.pool = match pool {
            "" => Pool::NONE,
            "valid" => half(0),
            // The maps are square.
            "same" => half(conv.conv_height() % 2),
            "same/1" => Pool { stride: 1, ..half(1) },
            other => bail!("pool {other:?} is unknown"),
        };
        conv.output = conv.expected_output();
        self.add(conv, activation);
        Ok(())
    }

    fn dense(&mut self, units: u16, activation: Activation) {
        let output = Shape { height: 1, width: 1, channels: units };
        self.add(format::Layer::new(Op::Dense, self.shape, output), activation);
    }

    fn add(&mut self, record: format::Layer, activation: Activation) {
        let count = record.weight_count() as usize;
        let channels = usize::from(record.output.channels);
        // So far from zero that values are as large after the layer as before.
        let reach = (6.0 / (count / channels).max(1) as f32).sqrt();
        let weights = self.draw(count, reach);
        let bias = if record.op == Op::GlobalAveragePool { vec![0.0; channels] } else { self.draw(channels, 0.1) };
        self.layers.push(Layer {
            name: format!("layer{}", self.layers.len()),
            op: record.op,
            input: record.input,
            output: record.output,
            window: record.window,
            pool: record.pool,
            activation,
            weights,
            bias,
        });
        self.shape = record.output;
    }

    /// Numbers of `-reach` to `reach`.
    fn draw(&mut self, count: usize, reach: f32) -> Vec<f32> {
        const STEPS: i64 = 1 << 20;
        (0..count).map(|_| self.rng.within(-STEPS..=STEPS) as f32 / STEPS as f32 * reach).collect()
    }
}

#[cfg(test)]
mod tests {
    use compiler::graph::len;

    use super::*;

    fn layers(name: &str) -> Vec<Layer> {
        find(name).unwrap().with_random_weights().unwrap().layers
    }

    /// Parameters as the reference notebook counts them, without the four of each normalized channel.
    #[test]
    fn parameters_are_those_of_the_notebook() {
        #[derive(Deserialize)]
        struct Table {
            network: Vec<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            notebook: Option<Notebook>,
        }
        #[derive(Deserialize)]
        struct Notebook {
            params: usize,
        }
        let notebook: Table = toml::from_str(NETWORKS).unwrap();
        for (spec, row) in all().unwrap().iter().zip(notebook.network) {
            let Some(notebook) = row.notebook else { continue };
            let layers = spec.with_random_weights().unwrap().layers;
            let parameters: usize = layers.iter().map(|layer| layer.weights.len() + layer.bias.len()).sum();
            let normalized: usize = layers[..layers.len() - 1].iter().map(Layer::channels).sum();
            assert_eq!(parameters + 4 * normalized, notebook.params, "{}", spec.name);
        }
    }

    #[test]
    fn pools_of_every_kind_have_keras_sizes() {
        let heights = |name| layers(name).iter().map(|layer| layer.output.height).collect::<Vec<_>>();
        assert_eq!(heights("cnn3_k3_relu"), [14, 7, 4, 1, 1]);
        assert_eq!(heights("cnn3_k7_relu"), [22, 16, 5, 1, 1]);
        assert_eq!(heights("nano"), [26, 12, 12, 5, 3, 1, 1]);
        assert_eq!(len(layers("cnn3_k7_relu")[3].input), 800);
    }
}
