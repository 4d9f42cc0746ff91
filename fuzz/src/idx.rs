//! IDX files.

use dataset::Dataset;

/// Reads an image file and a label file. The first two bytes, little endian, say how long the first one is.
pub fn idx(bytes: &[u8]) {
    let Some((len, files)) = bytes.split_first_chunk() else { return };
    let (images, labels) = files.split_at(usize::from(u16::from_le_bytes(*len)).min(files.len()));
    let Ok(set) = Dataset::from_bytes(images, labels) else { return };
    let pixels = set.iter().map(|(image, _)| image.len()).sum::<usize>();
    assert_eq!(pixels, set.len() * set.height() * set.width());
    assert!(set.expect_classes(set.classes()).is_ok());
    assert_eq!(set.slice(0..usize::MAX), set);
}
