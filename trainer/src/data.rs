//! The images that a network is trained, chosen and measured with, and the batches made of them.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use dataset::{Dataset, DatasetError, Split};

use crate::augment::Augment;
use crate::rng::Rng;
use crate::spec::{CLASSES, NetworkSpec, SIZE};

/// MNIST, carried in the program.
const TRAIN_IMAGES: &[u8] = include_bytes!("../data/mnist/train-images-idx3-ubyte.gz");
const TRAIN_LABELS: &[u8] = include_bytes!("../data/mnist/train-labels-idx1-ubyte.gz");
const TEST_IMAGES: &[u8] = include_bytes!("../data/mnist/t10k-images-idx3-ubyte.gz");
const TEST_LABELS: &[u8] = include_bytes!("../data/mnist/t10k-labels-idx1-ubyte.gz");

/// Keeps the random streams of shuffling and augmentation apart from the others of the same seed.
const SHUFFLE: u64 = 2;
const AUGMENT: u64 = 3;

/// Images to train with, to choose by, and to measure with.
#[derive(Clone, Debug)]
pub struct Data {
    /// Where they come from, for the card.
    pub source: String,
    /// To train with.
    pub train: Dataset,
    /// To choose by, held out from the training images; `None`: the test images, as in the notebook.
    pub validation: Option<Dataset>,
    /// To measure with.
    pub test: Dataset,
}

/// A set of images that the networks cannot be trained with.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The files.
    #[error(transparent)]
    Files(#[from] DatasetError),
    /// Not 28 x 28.
    #[error("{source_name}: the images are {height} x {width} pixels, the networks take {SIZE} x {SIZE}")]
    Size {
        /// Where they come from.
        source_name: String,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
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

impl Data {
    /// The images for `spec` from `dir`, or MNIST. `limit` keeps the first so many of each part, for quick runs.
    pub fn load(spec: &NetworkSpec, dir: Option<&Path>, limit: Option<usize>) -> Result<Self, DataError> {
        let (source, train, test) = match dir {
            Some(dir) => {
                let load = |split| Dataset::load(dir, split);
                (dir.display().to_string(), load(Split::Train)?, load(Split::Test)?)
            }
            None => {
                let train = Dataset::from_bytes(TRAIN_IMAGES, TRAIN_LABELS)?;
                ("MNIST".to_string(), train, Dataset::from_bytes(TEST_IMAGES, TEST_LABELS)?)
            }
        };
        for set in [&train, &test] {
            set.expect_classes(CLASSES)?;
            if (set.height(), set.width()) != (SIZE, SIZE) {
                let (height, width) = (set.height(), set.width());
                return Err(DataError::Size { source_name: source, height, width });
            }
        }
        let split = train.len().saturating_sub(spec.validation);
        let first = limit.unwrap_or(usize::MAX);
        let data = Self {
            train: train.slice(0..split.min(first)),
            validation: (spec.validation > 0).then(|| train.slice(split..split.saturating_add(first))),
            test: test.slice(0..first),
            source,
        };
        if data.train.is_empty() || data.test.is_empty() {
            let (network, validation) = (spec.name.clone(), spec.validation);
            let (train, test) = (train.len(), test.len());
            return Err(DataError::TooFew { source_name: data.source, network, train, test, validation });
        }
        Ok(data)
    }

    /// The images that the figures after every epoch are measured on.
    pub fn validation(&self) -> &Dataset {
        self.validation.as_ref().unwrap_or(&self.test)
    }
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
    augment: &Augment,
    [seed, epoch]: [u64; 2],
    device: &Device,
) -> Batch {
    gather(set, indices.iter().copied(), device, |index, image, out| {
        let mut rng = Rng::new(&[seed, AUGMENT, epoch, index as u64]);
        augment.apply(&mut rng, image, set.height(), set.width(), out);
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
