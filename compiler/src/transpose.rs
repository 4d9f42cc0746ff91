//! The network for images whose rows are its columns: height and width of every map change places, and with them the weights.
//! The same products are added up, so that nothing is lost.

use thumbnet::format::{Op, Pool, Shape, Window};

use crate::CompileError;
use crate::graph::{Layer, Network};

/// Makes the network take what it took with height and width exchanged.
pub fn transpose(network: &mut Network) -> Result<(), CompileError> {
    let refuse = |what: &str| Err(CompileError::Graph(format!("cannot take transposed images: {what}")));
    unfold(network);
    let Shape { height, width, channels } = network.input;
    if (height, width) == (1, 1) || (width == 1 && channels > 1) {
        return refuse("what enters has no height and width of its own; give images whose shape is known");
    }
    let result = network.layers.last().map_or(network.input, |layer| layer.record.output);
    if (result.height, result.width) != (1, 1) {
        return refuse("its result is a map; let it end in its classes");
    }
    network.input = turned(network.input);
    network.layers.iter_mut().for_each(turn);
    Ok(())
}

/// Reads a vector as the image that it is, where only dense layers read it: their weights lie as its pixels do.
fn unfold(network: &mut Network) {
    let Some(images) = network.entry.images else { return };
    let is_vector = (network.input.height, network.input.width) == (1, 1);
    let mut readers = network.layers.iter().filter(|layer| layer.record.inputs.contains(&0));
    if is_vector && images.len() == network.input.len() && readers.all(|layer| layer.record.op == Op::Dense) {
        network.input = images;
        let readers = network.layers.iter_mut().filter(|layer| layer.record.inputs.contains(&0));
        readers.for_each(|layer| layer.record.input = images);
    }
}

fn turned(Shape { height, width, channels }: Shape) -> Shape {
    Shape { height: width, width: height, channels }
}

fn turn(layer: &mut Layer) {
    let Window { kernel_height, kernel_width, .. } = layer.record.window;
    let [height, width] = match layer.record.op {
        Op::Conv | Op::GroupedConv | Op::DepthwiseConv => [kernel_height.into(), kernel_width.into()],
        Op::Dense => [layer.record.input.height.into(), layer.record.input.width.into()],
        Op::GlobalAveragePool | Op::Add | Op::MaxPool | Op::AveragePool | Op::Concat => [0, 0],
    };
    let area: usize = height * width;
    // Pixels of a filter; a depthwise one has a single channel.
    let depth = layer.filter_len().checked_div(area).unwrap_or(0);
    if depth > 0 {
        let filters = layer.weights.chunks_exact(area * depth);
        let pixels = (0..width).flat_map(|x| (0..height).map(move |y| (y * width + x) * depth));
        layer.weights = filters
            .flat_map(|filter| pixels.clone().flat_map(move |pixel| filter[pixel..pixel + depth].iter().copied()))
            .collect();
    }
    let record = &mut layer.record;
    record.input = turned(record.input);
    record.output = turned(record.output);
    let window = record.window;
    record.window = Window::new(
        [window.kernel_width, window.kernel_height],
        [window.stride_width, window.stride_height],
        [window.pad_left, window.pad_top, window.pad_right, window.pad_bottom],
    );
    let pool = record.pool;
    record.pool = Pool { pad_bottom: pool.pad_right, pad_right: pool.pad_bottom, ..pool };
}
