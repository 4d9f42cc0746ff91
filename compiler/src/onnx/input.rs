//! What enters a graph: its dimensions as far as the file says them, and the ways in which an image can be that.

use std::collections::HashSet;

use thumbnet::format::{MAX_DIMENSION, Shape};
use tract_onnx::pb;

use super::{View, limits};
use crate::CompileError;

/// Most channels that an image without a batch, or with its channels last, is taken to have.
const MAX_IMAGE_CHANNELS: usize = 4;
/// Channels that are tried where neither the file nor the images say them.
const USUAL_CHANNELS: [usize; 2] = [1, 3];

/// What enters a graph, in one of the ways to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions, a batch of one included where there is a batch.
    pub dims: Vec<usize>,
    /// The map that holds it; a series is a column, a vector is one pixel.
    pub shape: Shape,
    /// Where its elements lie there.
    pub view: View,
}

/// What the axes of an input are.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Batch,
    Channels,
    Height,
    Width,
    /// All of an image, row by row.
    All,
}

use Axis::{All, Batch, Channels, Height, Width};

/// The ways to read an input, by its number of axes; the usual one of each first.
const WAYS: &[&[Axis]] = &[
    &[Batch, Channels, Height, Width],
    &[Batch, Height, Width, Channels],
    &[Batch, Channels, Height],
    &[Batch, Height, Width],
    &[Batch, Height, Channels],
    &[Channels, Height, Width],
    &[Height, Width, Channels],
    &[Batch, Channels],
    &[Batch, All],
    &[Height, Width],
    &[Channels],
    &[All],
];

/// The name of the only input that is no initializer and is read, and its dimensions where the file says them: -1 where they
/// are not fixed.
pub fn declared(graph: &pb::GraphProto) -> Result<(String, Option<Vec<i64>>), CompileError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut inputs: Vec<_> = graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    if inputs.len() > 1 {
        inputs.retain(|input| graph.node.iter().any(|node| node.input.contains(&input.name)));
    }
    match inputs[..] {
        [input] => Ok((input.name.clone(), dims(input))),
        _ => {
            let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            let what = format!("must have one input, an image [N, channels, height, width]; it has {names:?}");
            Err(CompileError::Graph(what))
        }
    }
}

/// The ways to read the input, the likeliest first; `images` is the shape of the images, where it is known.
pub fn candidates(graph: &pb::GraphProto, images: Option<Shape>) -> Result<Vec<Input>, CompileError> {
    let (name, dims) = declared(graph)?;
    let mut found: Vec<(usize, Input)> = Vec::new();
    for way in WAYS.iter().filter(|way| dims.as_ref().is_none_or(|dims| dims.len() == way.len())) {
        let open = vec![-1; way.len()];
        let dims = dims.as_deref().unwrap_or(&open);
        let channels = images.map_or(1, |images| usize::from(images.channels));
        let usual = USUAL_CHANNELS.into_iter().filter(|&usual| usual != channels);
        for channels in std::iter::once(channels).chain(usual) {
            let Some((way, dims, shape)) = read(way, dims, images, channels) else { continue };
            let input = input(&name, way, dims, shape);
            if !found.iter().any(|(_, known)| *known == input) {
                found.push((doubt(way, &input, images), input));
            }
        }
    }
    // In their order where they are as likely.
    found.sort_by_key(|(doubt, _)| *doubt);
    if !found.is_empty() {
        return Ok(found.into_iter().map(|(_, input)| input).collect());
    }
    let shape = dims.map_or("unknown shape".into(), |dims| format!("shape {dims:?} (-1: not fixed)"));
    let fixed = match images {
        Some(images) => format!("the images are {} x {} values", images.height, images.row_len()),
        None => "give images of the right size, which fix what is open".into(),
    };
    Err(CompileError::Graph(format!(
        "has the input {name} of {shape}: expected floats of [N, channels, height, width], [N, height, width, channels], \
         [N, channels, length] or [N, values], each at most {MAX_DIMENSION}, {} values in all; {fixed}",
        limits::MAX_VALUES
    )))
}

/// The dimensions read in this way, and the map; `None` where that is not possible.
fn read<'w>(
    way: &'w [Axis],
    dims: &[i64],
    images: Option<Shape>,
    channels: usize,
) -> Option<(&'w [Axis], Vec<usize>, [usize; 3])> {
    let fixed = |axis: Axis| {
        let size = dims.get(way.iter().position(|&other| other == axis)?)?;
        usize::try_from(*size).ok().filter(|&size| size > 0)
    };
    let has = |axis: Axis| way.contains(&axis);
    let channels = fixed(Channels).unwrap_or(channels);
    let [height, width, channels] = if has(All) {
        // Only the images say what its rows are.
        let images = images?;
        fixed(All)
            .is_none_or(|size| size == images.len())
            .then(|| [images.height, images.width, images.channels].map(usize::from))?
    } else if has(Width) {
        let of_row =
            |images: Shape| images.row_len().checked_div(channels).filter(|width| width * channels == images.row_len());
        let channels = if has(Channels) { channels } else { 1 };
        [
            fixed(Height).or_else(|| images.map(|images| images.height.into()))?,
            fixed(Width).or_else(|| images.and_then(of_row))?,
            channels,
        ]
    } else if has(Height) {
        let length = |images: Shape| usize::from(images.height);
        let of_row = |images: Shape| images.row_len();
        [fixed(Height).or_else(|| images.map(length))?, 1, fixed(Channels).or_else(|| images.map(of_row))?]
    } else {
        [1, 1, fixed(Channels).or_else(|| images.map(|images| images.len()))?]
    };
    // Without a batch, a few channels only: a batch of that many images is likelier otherwise.
    if !has(Batch)
        && (dims.iter().all(|&size| size < 0) || has(Channels) && has(Width) && channels > MAX_IMAGE_CHANNELS)
    {
        return None;
    }
    let sizes = [height, width, channels];
    if sizes.into_iter().any(|size| limits::dimension(size).is_none())
        || sizes.iter().product::<usize>() > limits::MAX_VALUES
    {
        return None;
    }
    let size = |axis: &Axis| match axis {
        Batch => 1,
        Channels => channels,
        Height => height,
        Width => width,
        All => height * width * channels,
    };
    Some((way, way.iter().map(size).collect(), [height, width, channels]))
}

fn input(name: &str, way: &[Axis], dims: Vec<usize>, shape: [usize; 3]) -> Input {
    // They were checked.
    let [height, width, channels] = shape.map(|size| limits::dimension(size).unwrap_or_default());
    let shape = Shape { height, width, channels };
    let [of_channels, rows, columns] = View::axes_of(shape);
    let run = |axis: &Axis| match axis {
        Batch => View::ONE,
        Channels => of_channels,
        Height => rows,
        Width => columns,
        All => super::view::Run { size: shape.len(), step: 1 },
    };
    Input { name: name.into(), dims, shape, view: View::new(way.iter().map(run)) }
}

/// How unlikely it is that the input is meant so.
fn doubt(way: &[Axis], input: &Input, images: Option<Shape>) -> usize {
    let Shape { height, channels, .. } = input.shape;
    let fits = images.is_none_or(|images| {
        (images.height, images.row_len()) == (height, input.shape.row_len())
            || (way.len() <= 2 && images.len() == input.shape.len())
    });
    // An image with its channels last has few of them.
    let is_odd = match way {
        [Batch, Channels, Height, Width] => {
            usize::from(channels) > MAX_IMAGE_CHANNELS && input.dims[3] <= MAX_IMAGE_CHANNELS
        }
        [Batch, Height, Width, Channels] => {
            usize::from(channels) > MAX_IMAGE_CHANNELS || input.dims[1] <= MAX_IMAGE_CHANNELS
        }
        // As rows of an image where the images have as many.
        [Batch, Channels, Height] => images
            .is_some_and(|images| usize::from(images.height) == input.dims[1] && images.row_len() == input.dims[2]),
        _ => false,
    };
    2 * usize::from(!fits) + usize::from(is_odd)
}

/// The dimensions of a graph input or output, -1 where they are not fixed; `None` where they are unknown.
fn dims(value: &pb::ValueInfoProto) -> Option<Vec<i64>> {
    let Some(pb::type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return None;
    };
    let dimensions = &tensor.shape.as_ref()?.dim;
    Some(
        dimensions
            .iter()
            .map(|dimension| match dimension.value {
                Some(pb::tensor_shape_proto::dimension::Value::DimValue(value)) if value > 0 => value,
                _ => -1,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::tensor_proto::DataType;

    use super::*;
    use crate::onnx::writer::value;

    /// The likeliest reading of `[N, dims...]`.
    fn likeliest(dims: &[i64], images: Option<[u16; 3]>) -> (Vec<usize>, [u16; 3]) {
        let images = images.map(|[height, width, channels]| Shape { height, width, channels });
        let input = vec![value("input", DataType::Float, Some(dims))];
        let all = candidates(&pb::GraphProto { input, ..Default::default() }, images).unwrap();
        let Shape { height, width, channels } = all[0].shape;
        (all[0].dims.clone(), [height, width, channels])
    }

    #[test]
    fn channels_first_or_last() {
        let gray = Some([28, 28, 1]);
        for (dims, images, shape) in [
            (&[1, 28, 28][..], None, [28, 28, 1]),
            (&[28, 28, 1], None, [28, 28, 1]),
            (&[28, 28, 1], gray, [28, 28, 1]),
            (&[3, 32, 32], Some([32, 96, 1]), [32, 32, 3]),
            (&[32, 32, 3], Some([32, 96, 1]), [32, 32, 3]),
            (&[16, 8, 8], None, [8, 8, 16]),
            (&[40, 20], None, [20, 1, 40]),
            (&[20, 40], Some([20, 40, 1]), [20, 40, 1]),
            (&[40, 20], Some([20, 40, 1]), [20, 1, 40]),
            (&[28, 28], gray, [28, 28, 1]),
            (&[784], gray, [1, 1, 784]),
            (&[3072], Some([32, 96, 1]), [32, 96, 1]),
        ] {
            let (found, map) = likeliest(dims, images);
            assert_eq!(map, shape, "{dims:?} {images:?}");
            assert_eq!(found.len(), dims.len() + 1);
        }
    }

    #[test]
    fn the_images_fix_what_is_open() {
        assert_eq!(likeliest(&[1, -1, -1], Some([20, 24, 1])).0, [1, 1, 20, 24]);
        assert_eq!(likeliest(&[-1, 28, 28], Some([28, 28, 1])).0, [1, 1, 28, 28]);
        assert_eq!(likeliest(&[-1, -1, 3], Some([20, 72, 1])).0, [1, 20, 24, 3]);
        assert_eq!(likeliest(&[-1], Some([20, 24, 1])).0, [1, 480]);
    }
}
