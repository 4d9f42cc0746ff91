//! An ONNX tensor on its way through the graph: a map, how the tensor's axes lie on it, and what still waits.

use thumbnet::format::Shape;

use crate::CompileError;
use crate::fold::Affine;
use crate::onnx::{Node, View};

/// Constant padding that waits for the convolution or pooling after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Padding {
    /// Top, left, bottom, right, in pixels of the map.
    pub sizes: [u8; 4],
    /// What it is filled with.
    pub value: f32,
}

/// What a node left.
#[derive(Clone, Debug)]
pub struct Value {
    /// The tensor's name, while this is what the node left.
    pub name: Option<String>,
    /// The number of the map that holds it.
    pub map: usize,
    /// Where the tensor's elements lie on the map.
    pub view: View,
    /// What becomes of the map's values, one scale and shift a channel: waits for the next layer.
    pub affine: Option<Affine>,
    /// Padding around that: waits for the next window.
    pub padding: Option<Padding>,
    /// Whether other nodes read the map too, so that it must stay what it is.
    pub is_shared: bool,
    /// Whether a softmax or the like was left out: nothing that computes may follow. The tensor before it.
    pub ended: Option<String>,
}

impl Value {
    /// A map that nothing waits for.
    pub fn new(map: usize, view: View) -> Self {
        Self { name: None, map, view, affine: None, padding: None, is_shared: false, ended: None }
    }

    /// The same elements seen in another way.
    pub fn with_view(self, view: View) -> Self {
        Self { name: None, view, ..self }
    }

    /// The tensor's dimensions, the batch of one included where there is one.
    pub fn dims(&self) -> Vec<usize> {
        self.view.dims()
    }

    /// Refuses the operator if explicit padding waits that it cannot take in.
    pub fn expect_unpadded(&self, node: &Node<'_>) -> Result<(), CompileError> {
        match self.padding {
            Some(_) => Err(node.refuse("follows a Pad", "pad directly before a convolution or a pooling")),
            None => Ok(()),
        }
    }
}

/// Where an axis of a tensor goes on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Down.
    Height,
    /// Along a row.
    Width,
    /// Over channels, or nowhere.
    Other,
}

impl Direction {
    /// Where each axis of a tensor of two to four axes goes, whatever their order; `None` where one goes several ways. Of axes
    /// of size one, those behind are taken for height and width.
    pub fn of(view: &View, shape: Shape) -> Option<Vec<Self>> {
        let [channels, height, width] = View::axes_of(shape);
        let run = |direction: &Self| match direction {
            Self::Height => height,
            Self::Width => width,
            Self::Other => View::ONE,
        };
        use Direction::{Height, Other, Width};
        // Channels at the place of any of the others.
        let ways: &[&[Self]] = match view.rank() {
            4 => &[
                &[Other, Other, Height, Width],
                &[Other, Height, Width, Other],
                &[Other, Other, Width, Height],
                &[Other, Width, Height, Other],
                &[Other, Height, Other, Width],
                &[Other, Width, Other, Height],
            ],
            3 if shape.width == 1 => &[&[Other, Other, Height], &[Other, Height, Other]],
            3 if shape.height == 1 => &[&[Other, Other, Width], &[Other, Width, Other]],
            3 => &[&[Other, Height, Width]],
            2 => &[&[Height, Width]],
            _ => &[],
        };
        let is = |way: &&&[Self]| {
            let others = (0..way.len()).filter(|&place| way[place] == Other);
            let mut places = others.map(Some).chain([None]);
            places.any(|place| {
                let axis = |(index, direction): (usize, &Self)| match Some(index) == place {
                    true => channels,
                    false => run(direction),
                };
                View::new(way.iter().enumerate().map(axis)) == *view
            })
        };
        ways.iter().find(is).map(|way| way.to_vec())
    }
}

/// How the axes of a tensor `[N, channels, ...]` behind its channels lie on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// `[N, channels, height, width]`.
    HeightWidth,
    /// `[N, channels, width, height]`.
    WidthHeight,
    /// `[N, channels, height]`: the map is a single column.
    Height,
    /// `[N, channels, width]`: the map is a single row.
    Width,
}

impl Axes {
    const ALL: [Self; 4] = [Self::HeightWidth, Self::WidthHeight, Self::Height, Self::Width];

    /// How a tensor lies on a map of this shape; `None` where it does not lie with its channels first.
    pub fn of(view: &View, shape: Shape) -> Option<Self> {
        Self::ALL.into_iter().find(|axes| axes.view(shape).is_some_and(|usual| usual == *view))
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

    /// The value whose map has this shape, lying this way.
    pub fn seen(self, shape: Shape, value: Value) -> Value {
        match self.view(shape) {
            Some(view) => value.with_view(view),
            None => value,
        }
    }

    /// A map of this shape that lies the same way; `None` where it cannot.
    pub fn view(self, shape: Shape) -> Option<View> {
        let [channels, height, width] = View::axes_of(shape);
        let one = View::ONE;
        match self {
            Self::HeightWidth => Some(View::new([one, channels, height, width])),
            Self::WidthHeight => Some(View::new([one, channels, width, height])),
            Self::Height => (shape.width == 1).then(|| View::new([one, channels, height])),
            Self::Width => (shape.height == 1).then(|| View::new([one, channels, width])),
        }
    }
}
