//! GlobalAveragePool and GlobalMaxPool; ReduceMean, ReduceSum and ReduceMax over the pixels of a map.

use thumbnet::format::{MAX_KERNEL, Op, Window};

use super::max_pool;
use super::reshape::{axes, normalized};
use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Axes, Builder, Node, Value, View};

pub fn global_average(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let (value, axes) = map(node, builder)?;
    let result = average_map(node, builder, value)?;
    Ok(axes.seen(builder.shape(&result), result))
}

pub fn global_max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    node.only(&[])?;
    let (value, axes) = map(node, builder)?;
    let result = max_map(node, builder, value)?;
    Ok(axes.seen(builder.shape(&result), result))
}

pub fn mean(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    Ok(reduce(node, builder, Kind::Average)?.0)
}

pub fn max(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    Ok(reduce(node, builder, Kind::Largest)?.0)
}

pub fn sum(node: &Node<'_>, builder: &mut Builder) -> Result<Value, CompileError> {
    let (value, count) = reduce(node, builder, Kind::Average)?;
    let channels = builder.channels(&value);
    builder.affine(node, value, Affine::of_all(channels, count as f64, 0.0))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Average,
    Largest,
}

/// The average of each channel, as one pixel.
pub fn average_map(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    let channels = builder.shape(&value).channels;
    let mut layer = builder.layer(node, Op::GlobalAveragePool, &value, channels);
    layer.bias = vec![0.0; channels.into()];
    builder.push(node, value, layer)
}

/// The largest value of each channel, as one pixel.
fn max_map(node: &Node<'_>, builder: &mut Builder, value: Value) -> Result<Value, CompileError> {
    value.expect_unpadded(node)?;
    let shape = builder.shape(&value);
    match [shape.height, shape.width].map(u8::try_from) {
        [Ok(height @ 1..=MAX_KERNEL), Ok(width @ 1..=MAX_KERNEL)] => {
            // The stride is of no matter to a single window; one of its size can be fused.
            max_pool::pool(node, builder, value, Window::new([height, width], [height, width], [0; 4]))
        }
        _ => Err(node.refuse(
            format!("takes the largest of {} x {} pixels", shape.height, shape.width),
            format!("use at most {MAX_KERNEL} x {MAX_KERNEL}: put a MaxPool before it"),
        )),
    }
}

/// The map that the node reads, and how it lies.
fn map(node: &Node<'_>, builder: &mut Builder) -> Result<(Value, Axes), CompileError> {
    let mut value = builder.value(node, 0)?;
    let axes = builder.axes(node, &mut value)?;
    Ok((value, axes))
}

/// The value reduced over the axes that the node names, and over how many elements.
fn reduce(node: &Node<'_>, builder: &mut Builder, kind: Kind) -> Result<(Value, usize), CompileError> {
    let given = axes(node)?;
    let mut value = builder.value(node, 0)?;
    value.expect_unpadded(node)?;
    if given.as_ref().is_none_or(Vec::is_empty) && node.int("noop_with_empty_axes", 0) != 0 {
        return Ok((value, 1));
    }
    let rank = value.view.rank();
    let places = match &given {
        None => Some((0..rank).collect()),
        Some(given) if given.is_empty() => Some((0..rank).collect()),
        Some(given) => normalized(given, rank),
    };
    let advice = "reduce height and width together, 2 and 3 of [N, channels, height, width], and no other axis";
    let wrong = |value: &Value| {
        let what = format!("has axes = {:?} for {:?}", given.clone().unwrap_or_default(), value.dims());
        node.refuse(what, advice)
    };
    let Some(places) = places else { return Err(wrong(&value)) };
    let dims = value.dims();
    let count: usize = places.iter().map(|&place| dims[place]).product();
    if count == 1 && !places.is_empty() {
        let view = if node.int("keepdims", 1) != 0 { value.view.clone() } else { value.view.without(&places) };
        return Ok((value.with_view(view), 1));
    }
    // An image that nothing has read yet may have to be seen with its channels first.
    let _ = builder.axes(node, &mut value);
    let shape = builder.shape(&value);
    let channels = usize::from(shape.channels);
    let pixels = usize::from(shape.height) * usize::from(shape.width);
    let step = |place: &usize| value.view.axis(*place).iter().map(|run| run.step).min();
    let are_pixels = places.iter().filter_map(step).all(|step| step >= channels);
    if !are_pixels || places.is_empty() {
        return Err(wrong(&value));
    }
    let view = value.view.clone();
    let result = if count == pixels {
        match kind {
            Kind::Average => average_map(node, builder, value)?,
            Kind::Largest => max_map(node, builder, value)?,
        }
    } else {
        // Height or width alone: a window as long as that.
        let [_, rows, columns] = View::axes_of(shape);
        let is = |run: View| matches!(&places[..], &[place] if view.axis(place) == run.axis(0));
        let kernel = if is(View::new([rows])) {
            [shape.height, 1]
        } else if is(View::new([columns])) {
            [1, shape.width]
        } else {
            return Err(wrong(&value));
        };
        let [Ok(height @ 1..=MAX_KERNEL), Ok(width @ 1..=MAX_KERNEL)] = kernel.map(u8::try_from) else {
            return Err(node.refuse(format!("reduces {} pixels in one direction", kernel[0].max(kernel[1])), advice));
        };
        let window = Window::new([height, width], [height, width], [0; 4]);
        match kind {
            Kind::Average => {
                let mut layer = builder.layer(node, Op::AveragePool, &value, shape.channels);
                layer.record.window = window;
                layer.bias = vec![0.0; channels];
                builder.push(node, value, layer)?
            }
            Kind::Largest => max_pool::pool(node, builder, value, window)?,
        }
    };
    // The other axes lie as they did, on a map without the pixels that are gone.
    let left = builder.shape(&result);
    let view = view.on_smaller(shape, left, &places);
    let view = if node.int("keepdims", 1) != 0 { view } else { view.without(&places) };
    Ok((result.with_view(view), count))
}
