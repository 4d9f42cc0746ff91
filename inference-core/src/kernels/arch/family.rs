//! What the families in assembly do each their own way; around their loops they share everything (`assembled`).

use super::super::{InputRows, Unit};
use super::arguments::{BlockArguments, DenseArguments, PatchArguments, SumsRange};

/// See [`Family::BLOCK`].
pub type BlockLoop = unsafe extern "C" fn(arguments: *const BlockArguments);
/// See [`Family::FILTERS`].
pub type FiltersLoop =
    unsafe extern "C" fn(row: *const u8, weights: *const u8, filter_len: usize, arguments: *const DenseArguments);
/// See [`Family::POINTS`].
pub type PointsLoop =
    unsafe extern "C" fn(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);

/// See [`Family::GATHER`].
pub type GatherLoop = unsafe extern "C" fn(arguments: *mut PatchArguments);

/// A family in assembly.
///
/// # Safety
/// The loops read and write no more than they say.
pub unsafe trait Family {
    /// See [`Kernels::NAME`].
    const NAME: &'static str;
    /// Taps that the loop of a direct convolution takes at a time.
    const GROUP: usize;
    /// The loop of a block of a direct convolution. It reads `groups * GROUP * 2` words of patches,
    /// `groups * GROUP` bytes of each filter and one bias a channel; it reads and writes one
    /// [`Accumulators`](super::arguments::Accumulators) a channel, and nothing else.
    const BLOCK: BlockLoop;
    /// Adds the products of `words` words of a row of a dense layer with four filters to their
    /// accumulators. It reads that much of the row and of each of the filters, which are `filter_len`
    /// bytes apart.
    const FILTERS: FiltersLoop;
    /// The products of the Winograd algorithm. For each of `sums` it reads `quads * 16` bytes of inputs and of
    /// weights and writes four sums, and nothing else; aligned to words, all of them.
    const POINTS: PointsLoop;
    /// The same, but only the sums of the second tile are written.
    const POINTS_SECOND: PointsLoop;
    /// Lays the patches of a block out for its loop. Of each window that is not kept it reads `len` bytes, and it
    /// writes two words a tap up to a whole group, and nothing else; pixels 0 and 2 are kept together, and so are 1 and 3.
    const GATHER: GatherLoop;

    /// One output row of a convolution in a way of the family's own that `USES` counts; `None` where there is none, and
    /// the output may be anything then.
    fn special_row<const USES: u32>(
        _unit: &Unit<'_>,
        _input: &InputRows<'_>,
        _workspace: &mut [u8],
        _output: &mut [u8],
    ) -> Option<()> {
        None
    }
}
