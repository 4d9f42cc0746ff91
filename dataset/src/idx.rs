//! The IDX format: a big-endian magic word (two zero bytes, element type, number of dimensions),
//! one big-endian `u32` per dimension, then the elements.

use std::borrow::Cow;
use std::io::Read;

use crate::error::Fault;

/// Unsigned bytes in three dimensions: image, row, column.
const IMAGES_MAGIC: u32 = 0x0000_0803;
/// Unsigned bytes in one dimension.
const LABELS_MAGIC: u32 = 0x0000_0801;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const WORD: usize = 4;

/// The content of an image file.
pub struct Images {
    /// `count * height * width` bytes.
    pub pixels: Vec<u8>,
    pub count: usize,
    pub height: usize,
    pub width: usize,
}

/// Reads an image file, raw or gzipped.
pub fn images(bytes: &[u8]) -> Result<Images, Fault> {
    let bytes = unzipped(bytes)?;
    let ([count, height, width], data) = header(&bytes, IMAGES_MAGIC)?;
    let size = height.checked_mul(width).filter(|&size| size > 0);
    let total = size.and_then(|size| size.checked_mul(count));
    let total = total.ok_or(Fault::Dimensions { count, height, width })?;
    let pixels = exactly(data, total)?.to_vec();
    Ok(Images { pixels, count, height, width })
}

/// Reads a label file, raw or gzipped.
pub fn labels(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let bytes = unzipped(bytes)?;
    let ([count], data) = header(&bytes, LABELS_MAGIC)?;
    Ok(exactly(data, count)?.to_vec())
}

fn unzipped(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut raw = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut raw).map_err(|error| Fault::Gzip(error.to_string()))?;
    Ok(Cow::Owned(raw))
}

/// Splits `bytes` into the dimensions and the data after checking the magic word.
fn header<const DIMENSIONS: usize>(bytes: &[u8], expected: u32) -> Result<([usize; DIMENSIONS], &[u8]), Fault> {
    let length = WORD * (1 + DIMENSIONS);
    let short = Fault::ShortHeader { found: bytes.len(), expected: length };
    let (words, _) = bytes.as_chunks::<WORD>();
    let magic = words.first().map(|&word| u32::from_be_bytes(word));
    if let Some(found) = magic.filter(|&found| found != expected) {
        return Err(Fault::Magic { found, expected, dimensions: DIMENSIONS as u32 });
    }
    if words.len() < 1 + DIMENSIONS {
        return Err(short);
    }
    let dimensions = std::array::from_fn(|i| u32::from_be_bytes(words[1 + i]) as usize);
    Ok((dimensions, &bytes[length..]))
}

fn exactly(data: &[u8], expected: usize) -> Result<&[u8], Fault> {
    match data.len() {
        found if found < expected => Err(Fault::Truncated { expected, found }),
        found if found > expected => Err(Fault::Trailing { expected, extra: found - expected }),
        _ => Ok(data),
    }
}
