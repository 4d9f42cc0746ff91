//! What the loops of the families in assembly read; the offsets of the fields are in their text.

use super::super::blocks::PIXELS;
use super::super::winograd::Sums;

/// The accumulators of a channel, one a pixel.
pub type Accumulators = [i32; PIXELS];

/// What the loop of a block reads; the offsets of the fields are in its text.
#[repr(C)]
pub struct BlockArguments {
    /// The patches, laid out.
    pub patches: *const u32,
    /// Groups of taps, at least 1.
    pub groups: usize,
    /// The first tap of the first channel.
    pub weights: *const u8,
    /// Bytes from the end of a channel's groups to the next channel's.
    pub gap: isize,
    /// One an output channel; null to add to the accumulators.
    pub bias: *const u8,
    /// Read without a bias, written always.
    pub accumulators: *mut Accumulators,
    /// Output channels, at least 1.
    pub channels: usize,
    /// 1 to write the largest of the four sums in the place of the first.
    pub largest: usize,
}

/// Filters that the loop multiplies at a time.
pub const FILTERS: usize = 4;

/// The accumulators of as many filters.
pub type FilterSums = [i32; FILTERS];

/// What else the loop reads; the offsets of the fields are in its text.
#[repr(C)]
pub struct DenseArguments {
    pub accumulators: *mut FilterSums,
    /// Words of the row, at least 1.
    pub words: usize,
}

/// The first tap of a window: its row among [`PatchArguments::rows`] and its place in the row, in bytes;
/// [`KEPT`] for a window whose patch is laid out already.
pub type PatchWindow = [usize; 2];
pub const KEPT: PatchWindow = [0, usize::MAX];

/// What the loop reads; the offsets of the fields are in its text.
#[repr(C)]
pub struct PatchArguments {
    pub windows: [PatchWindow; PIXELS],
    /// Null for a row outside the map.
    pub rows: *const *const u8,
    /// Bytes of a row of a window.
    pub row_len: usize,
    /// Bytes of its first row that are left out.
    pub offset: usize,
    /// Bytes of its taps, at least 1.
    pub len: usize,
    /// Two taps of a row outside the map, 16 bits each.
    pub blank: u32,
    /// Two words for each tap, up to a whole group. Not the same afterwards.
    pub patches: *mut u32,
    /// Where the taps are joined, up to a whole word; null if all rows of a window are whole words.
    pub joined: *mut u8,
}

/// Where the sums go; the offsets of the fields are in the text of the loops.
#[repr(C)]
pub struct SumsRange {
    pub start: *mut Sums,
    pub end: *mut Sums,
}
