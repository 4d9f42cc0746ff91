//! Reads labelled images in the IDX format: MNIST and its relatives (Fashion-MNIST, EMNIST digits), raw or gzipped.
//!
//! ```no_run
//! use thumbnet_dataset::{Dataset, Split};
//! let test = Dataset::load("path/to/mnist".as_ref(), Split::Test)?;
//! let (pixels, label) = (test.image(0), test.label(0));
//! # Ok::<(), thumbnet_dataset::DatasetError>(())
//! ```

mod error;
mod files;
mod idx;

pub use error::{DatasetError, Fault};

use std::ops::Range;
use std::path::Path;

/// Every set has at least the ten digits as classes, also where a slice of it lacks some.
const MIN_CLASSES: usize = 10;

/// The two halves that the MNIST family comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The images to learn from (60,000 in MNIST).
    Train,
    /// The images to measure with (10,000 in MNIST).
    Test,
}

/// Grey images of one size with a class label each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// All images one after the other, `height * width` bytes each, row by row from the top left.
    pixels: Vec<u8>,
    labels: Vec<u8>,
    height: usize,
    width: usize,
    classes: usize,
}

impl Dataset {
    /// Reads one split from the directory `dir`, which holds the files under their usual names:
    /// `train-images-idx3-ubyte`, `train-images.idx3-ubyte` or `emnist-digits-train-images-idx3-ubyte`
    /// and the like (`t10k` or `test` for the test images), each raw or with `.gz`.
    pub fn load(dir: &Path, split: Split) -> Result<Self, DatasetError> {
        let (images_path, labels_path) = files::find(dir, split)?;
        let images = files::read(&images_path)?;
        let labels = files::read(&labels_path)?;
        let named = |path: &Path| path.display().to_string();
        Self::parse(&images, &named(&images_path), &labels, &named(&labels_path))
    }

    /// Reads a set from the bytes of an image file and of a label file, each raw or gzipped.
    /// Errors call them "the images" and "the labels".
    pub fn from_bytes(images: &[u8], labels: &[u8]) -> Result<Self, DatasetError> {
        Self::parse(images, "the images", labels, "the labels")
    }

    fn parse(images: &[u8], images_name: &str, labels: &[u8], labels_name: &str) -> Result<Self, DatasetError> {
        let images = idx::images(images).map_err(|fault| fault.in_file(images_name))?;
        let labels = idx::labels(labels).map_err(|fault| fault.in_file(labels_name))?;
        if images.count != labels.len() {
            let fault = Fault::CountMismatch {
                labels: labels.len(),
                images: images.count,
                images_file: images_name.to_string(),
            };
            return Err(fault.in_file(labels_name));
        }
        let classes = classes_of(&labels);
        Ok(Self { pixels: images.pixels, labels, height: images.height, width: images.width, classes })
    }

    /// Checks that no label lies outside `0..classes`, for a network that tells `classes` classes apart.
    pub fn expect_classes(&self, classes: usize) -> Result<(), DatasetError> {
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(index) => {
                let label = self.labels[index];
                Err(Fault::LabelOutsideClasses { index, label, classes }.in_file("the labels"))
            }
            None => Ok(()),
        }
    }

    /// Whether the labels count the classes from 1, as in EMNIST letters: none is 0, and all from 1 to the largest are there.
    pub fn counts_from_one(&self) -> bool {
        let mut seen = [false; 256];
        self.labels.iter().for_each(|&label| seen[usize::from(label)] = true);
        let largest = seen.iter().rposition(|&seen| seen).unwrap_or(0);
        !seen[0] && largest > 0 && seen[1..=largest].iter().all(|&seen| seen)
    }

    /// The same images with labels that count from 0: each is one less. A label 0 stays as it is.
    pub fn from_zero(mut self) -> Self {
        self.labels.iter_mut().for_each(|label| *label = label.saturating_sub(1));
        self.classes = classes_of(&self.labels);
        self
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows of an image, in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of an image, in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of classes: the largest label + 1, and at least 10.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Image `index`: `height * width` bytes, row by row from the top left, 0 the background.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[index * size..(index + 1) * size]
    }

    /// The class of image `index`.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// The classes of all images, in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// All images with their classes, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u8)> {
        (0..self.len()).map(|index| (self.image(index), self.label(index)))
    }

    /// The images `range` as a set of its own with the same classes. The range is cut to what there is.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        let size = self.height * self.width;
        Self {
            pixels: self.pixels[start * size..end * size].to_vec(),
            labels: self.labels[start..end].to_vec(),
            height: self.height,
            width: self.width,
            classes: self.classes,
        }
    }
}

fn classes_of(labels: &[u8]) -> usize {
    labels.iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0).max(MIN_CLASSES)
}
