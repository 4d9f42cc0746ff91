//! What an ONNX file does not say of itself: what the bytes of an image stand for, how large images are, where its data lie.

use std::path::PathBuf;

use thumbnet::format::Shape;

use crate::CompileError;
use crate::fold::Affine;

/// What enters a network, and what else its file leaves open.
///
/// The bytes that enter are always the values of the data set as they are: 0 is background, 255 is ink. What the network
/// itself expects is `scale * byte + offset`; the import folds that into the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// One for all channels or one a channel. A file whose input is of bytes expects them as they are, whatever this says.
    pub scale: Vec<f64>,
    /// As many as scales.
    pub offset: Vec<f64>,
    /// Whether the network expects height and width to change places.
    pub is_transposed: bool,
    /// Height, width and channels of the images, for files that leave theirs open or can be read in several ways. Only
    /// height and values of a row are taken to be certain.
    pub images: Option<Shape>,
    /// The folder of the file, where its data may lie beside it.
    pub folder: Option<PathBuf>,
}

impl Default for Entry {
    /// Pixels of 0.0 to 1.0.
    fn default() -> Self {
        Self::of(1.0 / 255.0, 0.0)
    }
}

impl Entry {
    /// The same scale and offset for all channels.
    pub fn of(scale: f64, offset: f64) -> Self {
        Self { scale: vec![scale], offset: vec![offset], is_transposed: false, images: None, folder: None }
    }

    /// What becomes of the values 0.0 to 1.0 of map 0, one scale and shift a channel.
    pub fn affine(&self, channels: usize) -> Result<Affine, CompileError> {
        let each = |numbers: &[f64], factor: f64, what: &str| match numbers {
            &[number] => Ok(vec![number * factor; channels]),
            numbers if numbers.len() == channels => Ok(numbers.iter().map(|number| number * factor).collect()),
            numbers => Err(CompileError::Graph(format!(
                "takes {channels} channels where the input has {} {what}s: give one, or one a channel",
                numbers.len()
            ))),
        };
        let affine = Affine { scale: each(&self.scale, 255.0, "scale")?, shift: each(&self.offset, 1.0, "offset")? };
        match affine.scale.iter().chain(&affine.shift).all(|number| number.is_finite()) {
            true => Ok(affine),
            false => Err(CompileError::Graph("takes an input of scales and offsets that are no numbers".into())),
        }
    }

    /// Scale and offset of a channel.
    pub fn of_channel(&self, channel: usize) -> [f64; 2] {
        let at = |numbers: &[f64]| numbers.get(channel).or(numbers.first()).copied().unwrap_or_default();
        [at(&self.scale), at(&self.offset)]
    }

    /// What the network expects where the byte of a channel is this.
    pub fn real(&self, byte: u8, channel: usize) -> f32 {
        let [scale, offset] = self.of_channel(channel);
        (scale * f64::from(byte) + offset) as f32
    }
}
