//! The images that a network is trained, chosen and measured with, and the batches made of them.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use dataset::{Dataset, DatasetError, Split};
use networks::{Augment, NetworkSpec, Shape, Size, SpecError};

use crate::augment;
use crate::rng::Rng;

/// MNIST, carried in the program.
const TRAIN_IMAGES: &[u8] = include_bytes!("../data/mnist/train-images-idx3-ubyte.gz");
const TRAIN_LABELS: &[u8] = include_bytes!("../data/mnist/train-labels-idx1-ubyte.gz");
const TEST_IMAGES: &[u8] = include_bytes!("../data/mnist/t10k-images-idx3-ubyte.gz");
const TEST_LABELS: &[u8] = include_bytes!("../data/mnist/t10k-labels-idx1-ubyte.gz");

/// Keeps the random streams of shuffling and augmentation apart from the others of the same seed.
const SHUFFLE: u64 = 2;
const AUGMENT: u64 = 3;

/// A whole data set.
#[derive(Clone, Debug)]
pub struct Images {
    /// Where they come from, for the card.
    source: String,
    train: Dataset,
    test: Dataset,
}

/// Images to train with, to choose by, and to measure with.
#[derive(Clone, Debug)]
pub struct Data {
    /// Where they come from, for the card.
    pub source: String,
    /// Classes of the whole data set.
    pub classes: usize,
    /// To train with.
    pub train: Dataset,
    /// To choose by, held out from the training images; `None`: the test images, as in the notebook.
    pub validation: Option<Dataset>,
    /// To measure with.
    pub test: Dataset,
}

/// A set of images that no network can be trained with.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The files.
    #[error(transparent)]
    Files(#[from] DatasetError),
    /// Not one size.
    #[error("{source_name}: the training images are {train}, the test images {test}: they must be of one size")]
    Sizes {
        /// Where they come from.
        source_name: String,
        /// Of the training images.
        train: Size,
        /// Of the test images.
        test: Size,
    },
    /// Nothing left to train or to measure with.
    #[error(
        "{source_name}: {train} training and {test} test images, of which `{network}` holds out {validation}: \
         at least one must remain of each"
    )]
    TooFew {
        /// Where they come from.
        source_name: String,
        /// The network.
        network: String,
        /// Training images in the set.
        train: usize,
        /// Test images in the set.
        test: usize,
        /// To be held out.
        validation: usize,
    },
}

impl Images {
    /// The set in the directory `dir`, or MNIST.
    pub fn load(dir: Option<&Path>) -> Result<Self, DataError> {
        let (source, mut train, mut test) = match dir {
            Some(dir) => {
                let load = |split| Dataset::load(dir, split);
                (dir.display().to_string(), load(Split::Train)?, load(Split::Test)?)
            }
            None => {
                let train = Dataset::from_bytes(TRAIN_IMAGES, TRAIN_LABELS)?;
                ("MNIST".to_string(), train, Dataset::from_bytes(TEST_IMAGES, TEST_LABELS)?)
            }
        };
        // As in EMNIST letters, where A is 1: the network's first output then stands for label 1.
        if train.counts_from_one() && !test.labels().contains(&0) {
            (train, test) = (train.from_zero(), test.from_zero());
        }
        let size = |set: &Dataset| Size { height: set.height(), width: set.width() };
        if size(&train) != size(&test) {
            return Err(DataError::Sizes { source_name: source, train: size(&train), test: size(&test) });
        }
        Ok(Self { source, train, test })
    }

    /// The shape of an image: the format has one channel.
    pub fn shape(&self) -> Shape {
        shape(&self.train)
    }

    /// Number of classes: the largest label + 1.
    pub fn classes(&self) -> usize {
        let labels = self.train.labels().iter().chain(self.test.labels());
        labels.max().map_or(0, |&largest| usize::from(largest) + 1)
    }

    /// The images for `spec`. `limit` keeps the first so many of each part, for quick runs.
    pub fn split(&self, spec: &NetworkSpec, limit: Option<usize>) -> Result<Data, DataError> {
        let Self { source, train, test } = self;
        let split = train.len().saturating_sub(spec.validation);
        let first = limit.unwrap_or(usize::MAX);
        let data = Data {
            source: source.clone(),
            classes: self.classes(),
            train: train.slice(0..split.min(first)),
            validation: (spec.validation > 0).then(|| train.slice(split..split.saturating_add(first))),
            test: test.slice(0..first),
        };
        if data.train.is_empty() || data.test.is_empty() {
            let (network, validation) = (spec.name.clone(), spec.validation);
            let (train, test) = (train.len(), test.len());
            return Err(DataError::TooFew { source_name: data.source, network, train, test, validation });
        }
        Ok(data)
    }
}

impl Data {
    /// The images for `spec` from `dir`, or MNIST. `limit` keeps the first so many of each part, for quick runs.
    pub fn load(spec: &NetworkSpec, dir: Option<&Path>, limit: Option<usize>) -> Result<Self, DataError> {
        Images::load(dir)?.split(spec, limit)
    }

    /// The images that the figures after every epoch are measured on.
    pub fn validation(&self) -> &Dataset {
        self.validation.as_ref().unwrap_or(&self.test)
    }

    /// `spec` for these images and classes.
    pub fn fit(&self, spec: &NetworkSpec) -> Result<NetworkSpec, SpecError> {
        spec.for_data(shape(&self.train), self.classes)
    }
}

fn shape(set: &Dataset) -> Shape {
    Shape { height: set.height(), width: set.width(), channels: 1 }
}

/// Images and their classes on a device.
pub struct Batch {
    /// `[batch, 1, height, width]`, in 0..=1.
    pub images: Tensor<4>,
    /// `[batch]`
    pub labels: Tensor<1, Int>,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.dims()[0]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The images `indices` of `set`, unchanged.
pub fn batch(set: &Dataset, indices: impl ExactSizeIterator<Item = usize>, device: &Device) -> Batch {
    gather(set, indices, device, |_, image, out| {
        for (value, &pixel) in out.iter_mut().zip(image) {
            *value = f32::from(pixel) / 255.0;
        }
    })
}

/// The order of the training images in one epoch, which depends on nothing but `seed` and `epoch`.
pub fn epoch_order(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    Rng::new(&[seed, SHUFFLE, epoch as u64]).shuffle(&mut order);
    order
}

/// The images `indices` of `set` changed at random; the change of an image depends on `seed`, `epoch` and its index.
pub fn augmented_batch(
    set: &Dataset,
    indices: &[usize],
    changes: &Augment,
    [seed, epoch]: [u64; 2],
    device: &Device,
) -> Batch {
    gather(set, indices.iter().copied(), device, |index, image, out| {
        let mut rng = Rng::new(&[seed, AUGMENT, epoch, index as u64]);
        augment::apply(changes, &mut rng, image, set.height(), set.width(), out);
    })
}

fn gather(
    set: &Dataset,
    indices: impl ExactSizeIterator<Item = usize>,
    device: &Device,
    mut fill: impl FnMut(usize, &[u8], &mut [f32]),
) -> Batch {
    let (height, width) = (set.height(), set.width());
    let count = indices.len();
    let mut pixels = vec![0f32; count * height * width];
    let mut labels = Vec::with_capacity(count);
    for (index, out) in indices.zip(pixels.chunks_exact_mut(height * width)) {
        fill(index, set.image(index), out);
        labels.push(i64::from(set.label(index)));
    }
    Batch {
        images: Tensor::from_data(TensorData::new(pixels, [count, 1, height, width]), device),
        labels: Tensor::from_data(TensorData::new(labels, [count]), device),
    }
}
