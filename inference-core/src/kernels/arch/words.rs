//! Memory of bytes as aligned words.

/// The aligned words within these bytes; up to 3 bytes at either end are left out.
pub fn of(bytes: &mut [u8]) -> &mut [u32] {
    // SAFETY: every bit pattern is a valid u32.
    unsafe { bytes.align_to_mut() }.1
}

/// Words as their bytes.
pub fn bytes(words: &[u32]) -> &[u8] {
    // SAFETY: bytes need no alignment, and every bit pattern is a valid u8.
    unsafe { words.align_to() }.1
}

/// Words as signed ones.
pub fn signed(words: &mut [u32]) -> &mut [i32] {
    // SAFETY: size and alignment are the same, and every bit pattern is valid.
    unsafe { words.align_to_mut() }.1
}

/// Words as their 16-bit halves, in memory order.
pub fn halves(words: &[u32]) -> &[i16] {
    // SAFETY: a word is aligned for its halves, and every bit pattern is a valid i16.
    unsafe { words.align_to() }.1
}

/// Bytes as the little-endian 16-bit numbers that they are; `None` where they are not aligned for that, or
/// the core is big-endian.
pub fn aligned_halves(bytes: &[u8]) -> Option<&[i16]> {
    // SAFETY: every bit pattern is a valid i16.
    let (before, halves, _) = unsafe { bytes.align_to() };
    (cfg!(target_endian = "little") && before.is_empty()).then_some(halves)
}

/// Words as their bytes, to be written.
#[cfg(thumbnet_assembly)]
pub fn bytes_mut(words: &mut [u32]) -> &mut [u8] {
    // SAFETY: bytes need no alignment, and every bit pattern is valid for both.
    unsafe { words.align_to_mut() }.1
}
