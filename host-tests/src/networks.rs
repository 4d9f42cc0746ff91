//! Every network of `trainer/networks.toml` with random weights, as the compiler's float graph.
//!
//! Instructions, memory and flash do not depend on the weights: with this a network can be measured
//! before it is trained.

use anyhow::{Context, Result};
use networks::{Activation, Kind, NetworkSpec, Pooling};
use thumbnet::format::{self, NO_MAP, Op, Pool, Shape, Window};
use thumbnet_compiler::graph::{self, Network};
use thumbnet_compiler::onnx::Entry;
use thumbnet_compiler::order;

use crate::rng::Rng;
use crate::shipped::TEST_IMAGES;

/// All networks, in the order of the table.
pub fn all() -> Result<Vec<NetworkSpec>> {
    Ok(networks::all()?)
}

/// The network with this name.
pub fn find(name: &str) -> Result<NetworkSpec> {
    Ok(networks::find(name)?)
}

/// The network with random weights, its layers as the compiler orders them; the same on every call.
pub fn with_random_weights(spec: &NetworkSpec) -> Result<Network> {
    let mut rng = Rng::new(1);
    let layers = spec.layers()?;
    let layers = layers.iter().enumerate().map(|(index, layer)| self::layer(&mut rng, index, layer));
    let layers = layers.collect::<Result<_>>().with_context(|| format!("network {} of the table", spec.name))?;
    let mut network =
        Network { input: shape(spec.input())?, entry: Entry::default(), given_input: None, layers, notes: vec![] };
    order::short_branches_first(&mut network);
    Ok(network)
}

/// An input of this shape: a test image where it is one, random bytes otherwise; the same for the same `index`.
pub fn input(shape: Shape, index: usize) -> Vec<u8> {
    let is_image = (shape.height, shape.width, shape.channels) == (28, 28, 1);
    if is_image { TEST_IMAGES.image(index).to_vec() } else { Rng::new(index as u64 + 1).bytes(shape.len()) }
}

fn layer(rng: &mut Rng, index: usize, layer: &networks::Layer) -> Result<graph::Layer> {
    let (op, window) = match layer.kind {
        Kind::Conv { window, .. } => (Op::Conv, self::window(&window)?),
        Kind::Depthwise { window } => (Op::DepthwiseConv, self::window(&window)?),
        Kind::Add => (Op::Add, Window::UNIT),
        Kind::GlobalAverage => (Op::GlobalAveragePool, Window::UNIT),
        Kind::Dense { .. } => (Op::Dense, Window::UNIT),
    };
    let map = |place: usize| layer.inputs.get(place).map_or(Ok(NO_MAP), |&map| u8::try_from(map));
    let record = format::Layer {
        window,
        pool: layer.pool.map_or(Ok(Pool::NONE), pool)?,
        inputs: [map(0)?, map(1)?],
        ..format::Layer::new(op, shape(layer.input)?, shape(layer.output)?)
    };
    let mut made = graph::Layer::new(format!("layer{index}"), record);
    made.activation = match layer.activation {
        Activation::None => graph::Activation::Linear,
        Activation::Relu => graph::Activation::RELU,
        Activation::Sigmoid => graph::Activation::Function(thumbnet_compiler::function::Function::Sigmoid),
    };
    // So far from zero that values are as large after the layer as before.
    let count = record.weight_count() as usize;
    let reach = (6.0 / (count / made.channels()).max(1) as f32).sqrt();
    (made.weights, made.bias) = match op {
        Op::Add => (vec![1.0; 2], vec![0.0]),
        Op::GlobalAveragePool => (vec![], vec![0.0; made.channels()]),
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv | Op::Dense | Op::MaxPool | Op::AveragePool | Op::Concat => {
            (draw(rng, count, reach), draw(rng, made.channels(), 0.1))
        }
    };
    Ok(made)
}

fn shape(shape: networks::Shape) -> Result<Shape> {
    let networks::Shape { height, width, channels } = shape;
    Ok(Shape { height: height.try_into()?, width: width.try_into()?, channels: channels.try_into()? })
}

fn window(window: &networks::Window) -> Result<Window> {
    let networks::Window { kernel, stride, top, left, bottom, right } = *window;
    let size = |size: networks::Size| -> Result<[u8; 2]> { Ok([size.height.try_into()?, size.width.try_into()?]) };
    let padding = [top.try_into()?, left.try_into()?, bottom.try_into()?, right.try_into()?];
    Ok(Window::new(size(kernel)?, size(stride)?, padding))
}

fn pool(pooling: Pooling) -> Result<Pool> {
    let Pooling { stride, bottom, right } = pooling;
    Ok(Pool {
        size: Pooling::SIZE as u8,
        stride: stride.try_into()?,
        pad_bottom: bottom.try_into()?,
        pad_right: right.try_into()?,
    })
}

/// Numbers of `-reach` to `reach`.
fn draw(rng: &mut Rng, count: usize, reach: f32) -> Vec<f32> {
    const STEPS: i64 = 1 << 20;
    (0..count).map(|_| rng.within(-STEPS..=STEPS) as f32 / STEPS as f32 * reach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(name: &str) -> Vec<graph::Layer> {
        with_random_weights(&find(name).unwrap()).unwrap().layers
    }

    /// Parameters as the reference notebook counts them, without the four of each normalized channel.
    #[test]
    fn parameters_are_those_of_the_notebook() {
        for spec in all().unwrap() {
            let Some(notebook) = &spec.notebook else { continue };
            let layers = with_random_weights(&spec).unwrap().layers;
            let parameters: usize = layers.iter().map(|layer| layer.weights.len() + layer.bias.len()).sum();
            let normalized: usize = layers[..layers.len() - 1].iter().map(graph::Layer::channels).sum();
            assert_eq!(parameters + 4 * normalized, notebook.params, "{}", spec.name);
        }
    }

    #[test]
    fn pools_of_every_kind_have_keras_sizes() {
        let heights = |name| layers(name).iter().map(|layer| layer.record.output.height).collect::<Vec<_>>();
        assert_eq!(heights("cnn3_k3_relu"), [14, 7, 4, 1, 1]);
        assert_eq!(heights("cnn3_k7_relu"), [22, 16, 5, 1, 1]);
        assert_eq!(heights("nano"), [26, 12, 12, 5, 3, 1, 1]);
        assert_eq!(layers("cnn3_k7_relu")[3].record.input.len(), 800);
    }

    /// The multiplications of the benchmark's networks, in thousands, as `PEERS` of the field count them.
    #[test]
    fn the_benchmark_s_networks_have_the_multiplications_that_they_are_known_for() {
        for (name, thousands) in [("keyword", 2657), ("image", 12502), ("wakeword", 7490), ("anomaly", 264)] {
            let macs: u64 = layers(name).iter().map(|layer| layer.record.macs()).sum();
            assert_eq!((macs + 500) / 1000, thousands, "{name}");
        }
    }
}
