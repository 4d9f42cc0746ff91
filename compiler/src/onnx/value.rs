//! An ONNX tensor on its way through the graph: a map, how the tensor's axes lie on it, and what still waits.

use thumbnet::format::Shape;

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::Node;

/// Constant padding that waits for the convolution or pooling after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Padding {
    /// Top, left, bottom, right, in pixels of the map.
    pub sizes: [u8; 4],
    /// What it is filled with.
    pub value: f32,
}

/// What a node left.
///
/// ONNX stores the elements of a tensor with the channel slowest, whatever the dimensions: element `i` is the map's value at
/// the channel `i / (height * width)`, pixel `i % (height * width)`. So a reshape changes `dims` and nothing else.
#[derive(Clone, Debug)]
pub struct Value {
    /// The tensor's name, while this is what the node left.
    pub name: Option<String>,
    /// The number of the map that holds it.
    pub map: usize,
    /// The tensor's dimensions behind the batch.
    pub dims: Vec<usize>,
    /// What becomes of the map's values, one scale and shift a channel: waits for the next layer.
    pub affine: Option<Affine>,
    /// Padding around that: waits for the next window.
    pub padding: Option<Padding>,
    /// Whether other nodes read the map too, so that it must stay what it is.
    pub is_shared: bool,
    /// Whether a softmax was left out: nothing may follow.
    pub is_ended: bool,
}

impl Value {
    /// A map that nothing waits for.
    pub fn new(map: usize, dims: Vec<usize>) -> Self {
        Self { name: None, map, dims, affine: None, padding: None, is_shared: false, is_ended: false }
    }

    /// The same elements with other dimensions.
    pub fn with_dims(self, dims: Vec<usize>) -> Self {
        Self { name: None, dims, ..self }
    }

    /// Number of elements for each image of the batch.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// Refuses the operator if explicit padding waits that it cannot take in.
    pub fn expect_unpadded(&self, node: &Node<'_>) -> Result<(), CompileError> {
        match self.padding {
            Some(_) => Err(node.refuse("follows a Pad", "pad directly before a convolution or a pooling")),
            None => Ok(()),
        }
    }
}

/// How the axes of a tensor behind its channels lie on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// `[N, channels, height, width]`.
    HeightWidth,
    /// `[N, channels, width, height]`, where the map is a single row or column.
    WidthHeight,
    /// `[N, channels, height]`: the map is a single column.
    Height,
    /// `[N, channels, width]`: the map is a single row.
    Width,
}

impl Axes {
    /// How these dimensions (behind the batch) lie on a map; `None` where they do not.
    pub fn of(dims: &[usize], shape: Shape) -> Option<Self> {
        let [height, width, channels] = [shape.height, shape.width, shape.channels].map(usize::from);
        match *dims {
            [first, ..] if first != channels => None,
            [_, first, second] if [first, second] == [height, width] => Some(Self::HeightWidth),
            [_, first, second] if [first, second] == [width, height] && height.min(width) == 1 => {
                Some(Self::WidthHeight)
            }
            [_, length] if length == height && width == 1 => Some(Self::Height),
            [_, length] if length == width && height == 1 => Some(Self::Width),
            _ => None,
        }
    }

    /// Axes behind the channels.
    pub fn count(self) -> usize {
        match self {
            Self::HeightWidth | Self::WidthHeight => 2,
            Self::Height | Self::Width => 1,
        }
    }

    /// Numbers for each axis as height and width, `default` for an axis that the tensor lacks; `None` where they are not as
    /// many as the axes.
    pub fn arrange<T: Copy>(self, numbers: &[T], default: T) -> Option<[T; 2]> {
        match (self, numbers) {
            (Self::HeightWidth, &[height, width]) | (Self::WidthHeight, &[width, height]) => Some([height, width]),
            (Self::Height, &[height]) => Some([height, default]),
            (Self::Width, &[width]) => Some([default, width]),
            (Self::HeightWidth | Self::WidthHeight | Self::Height | Self::Width, _) => None,
        }
    }

    /// The dimensions of a map that lies the same way.
    pub fn dims(self, shape: Shape) -> Vec<usize> {
        let [height, width, channels] = [shape.height, shape.width, shape.channels].map(usize::from);
        match self {
            Self::HeightWidth => vec![channels, height, width],
            Self::WidthHeight => vec![channels, width, height],
            Self::Height => vec![channels, height],
            Self::Width => vec![channels, width],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_lie_on_maps() {
        let map = Shape { height: 4, width: 5, channels: 3 };
        let series = Shape { height: 7, width: 1, channels: 2 };
        for (dims, shape, axes) in [
            (&[3, 4, 5][..], map, Some(Axes::HeightWidth)),
            (&[3, 5, 4], map, None),
            (&[60], map, None),
            (&[2, 7, 1], series, Some(Axes::HeightWidth)),
            (&[2, 1, 7], series, Some(Axes::WidthHeight)),
            (&[2, 7], series, Some(Axes::Height)),
            (&[7, 2], series, None),
        ] {
            assert_eq!(Axes::of(dims, shape), axes, "{dims:?}");
            if let Some(axes) = axes {
                assert_eq!(axes.dims(shape), dims);
                let behind = axes.arrange(&dims[1..], 1);
                assert_eq!(behind, Some([shape.height, shape.width].map(usize::from)));
            }
        }
    }
}
