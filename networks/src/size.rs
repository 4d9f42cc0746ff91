//! Sizes: of a map, and of what moves over it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Height, width and channels of a map. A vector is 1 x 1 x its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values at each place.
    pub channels: usize,
}

impl Shape {
    /// Of a vector.
    pub fn vector(length: usize) -> Self {
        Self { height: 1, width: 1, channels: length }
    }

    /// All values.
    pub fn values(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// Rows and columns.
    pub fn size(self) -> Size {
        Size { height: self.height, width: self.width }
    }
}

impl From<[usize; 3]> for Shape {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Self { height, width, channels }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(shape: Shape) -> Self {
        [shape.height, shape.width, shape.channels]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} x {} x {}", self.height, self.width, self.channels)
    }
}

/// Height and width of a kernel, or its steps down and across. The table writes one number where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// 1 x 1.
    pub const ONE: Self = Self::square(1);

    /// `side` x `side`.
    pub const fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} x {}", self.height, self.width)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or [height, width]")]
enum Written {
    Square(usize),
    Both([usize; 2]),
}

impl From<Written> for Size {
    fn from(written: Written) -> Self {
        match written {
            Written::Square(side) => Self::square(side),
            Written::Both([height, width]) => Self { height, width },
        }
    }
}

impl From<Size> for Written {
    fn from(size: Size) -> Self {
        if size.height == size.width { Self::Square(size.height) } else { Self::Both([size.height, size.width]) }
    }
}
