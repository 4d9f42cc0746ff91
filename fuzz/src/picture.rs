//! Pictures: PNG, PNM, raw pixels.

use thumbnet::format::Shape;
use thumbnet::preprocess::SIDE;
use thumbnet_compiler::picture::{pixels, raw_pixels};

/// Reads a picture, and the same bytes as raw pixels.
pub fn picture(bytes: &[u8]) {
    let input = Shape { height: SIDE as u16, width: SIDE as u16, channels: 1 };
    for pixels in [pixels(bytes, input), raw_pixels(bytes, input)].into_iter().flatten() {
        assert_eq!(pixels.len(), SIDE * SIDE);
    }
}
