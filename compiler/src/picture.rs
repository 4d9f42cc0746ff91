//! Pictures of a digit as the pixels that a model takes.

use std::io::Cursor;

use image::{GrayImage, ImageError, ImageReader, Limits};
use thumbnet::format::Shape;
use thumbnet::preprocess::{self, MAX_SIDE, PreprocessError, SIDE};

/// Why a picture cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The model does not take gray pictures.
    #[error("the model takes {0} channels, a picture is gray here: give its values as a .raw file")]
    Channels(u16),
    /// The model's input is no preprocessed digit.
    #[error("the model takes {height} x {width} pixels: give them as a .raw file")]
    Size {
        /// The model's rows.
        height: u16,
        /// The model's columns.
        width: u16,
    },
    /// A raw picture of another size.
    #[error(
        "has {found} bytes, the model takes {} x {} x {} = {}",
        input.height, input.width, input.channels, input.len()
    )]
    Length {
        /// Bytes there are.
        found: usize,
        /// What the model takes.
        input: Shape,
    },
    /// Damaged, of another format, or larger than 8192 pixels.
    #[error("not a PNG or PGM picture that can be read: {0}")]
    Decode(#[from] ImageError),
    /// No digit can be seen.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
}

/// The pixels for a model with this input, `height * width` bytes, from the bytes of a PNG or PNM file of any size.
pub fn pixels(file: &[u8], input: Shape) -> Result<Vec<u8>, PictureError> {
    let Shape { height, width, channels } = input;
    if channels != 1 {
        return Err(PictureError::Channels(channels));
    }
    if (usize::from(height), usize::from(width)) != (SIDE, SIDE) {
        return Err(PictureError::Size { height, width });
    }
    let picture = decode(file)?;
    let mut pixels = [0; SIDE * SIDE];
    preprocess::digit(picture.as_raw(), picture.width() as usize, picture.height() as usize, &mut pixels)?;
    Ok(pixels.into())
}

/// The same from a raw file: the values as they are, of any number of channels.
pub fn raw_pixels(file: &[u8], input: Shape) -> Result<Vec<u8>, PictureError> {
    let found = file.len();
    if found == input.len() { Ok(file.to_vec()) } else { Err(PictureError::Length { found, input }) }
}

/// A PNG or PNM picture in gray, what is transparent on white.
fn decode(file: &[u8]) -> Result<GrayImage, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format()?;
    // A few bytes may claim any size: refused before there is memory for it.
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE as u32), Some(MAX_SIDE as u32));
    reader.limits(limits);
    let picture = reader.decode()?;
    if !picture.color().has_alpha() {
        return Ok(picture.into_luma8());
    }
    let mut gray = GrayImage::new(picture.width(), picture.height());
    for (gray, pixel) in gray.pixels_mut().zip(picture.into_luma_alpha8().pixels()) {
        let [luma, alpha] = pixel.0.map(u32::from);
        gray.0 = [((luma * alpha + 255 * (255 - alpha)) / 255) as u8];
    }
    Ok(gray)
}
