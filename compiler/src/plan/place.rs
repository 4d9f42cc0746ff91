//! Packs blocks of memory that are used at different times into the fewest bytes.
//!
//! A block is a ring or scratch memory. Two blocks may overlap wherever no step uses the same byte of both. For a
//! pair of blocks, the steps give the distances at which they may not be; then the blocks are placed one by one,
//! each as low as those already placed let it, and their order is improved as long as that helps.

use std::collections::BTreeSet;
use std::ops::Range;

/// Blocks begin at multiples of this, so that kernels may read words.
pub const ALIGNMENT: i64 = 4;

/// A piece of memory that stays where it is.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its size in bytes.
    pub len: i64,
    /// The bytes in use, step by step, in at most two ranges.
    pub used: Vec<[Range<i64>; 2]>,
}

/// Where all blocks are.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Bytes from the start of the first to the end of the last.
    pub len: i64,
    /// The start of each block.
    pub offsets: Vec<i64>,
}

/// Places the blocks; stops looking for something better at `enough` bytes.
pub fn place(blocks: &[Block], enough: i64) -> Placement {
    let conflicts: Vec<Vec<Vec<Range<i64>>>> =
        blocks.iter().map(|placed| blocks.iter().map(|block| conflicts(placed, block)).collect()).collect();
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&index| -blocks[index].len);
    let mut best = place_in_order(blocks, &conflicts, &order);
    let mut improved = true;
    while improved && best.len > enough {
        improved = false;
        for from in 0..order.len() {
            for to in 0..order.len() {
                let mut other = order.clone();
                let moved = other.remove(from);
                other.insert(to, moved);
                let placement = place_in_order(blocks, &conflicts, &other);
                if placement.len < best.len {
                    (best, order, improved) = (placement, other, true);
                }
            }
        }
    }
    best
}

/// The distances from the start of one block to the start of another at which both would use a byte in
/// the same step: open ranges, `start < distance < end`, in order and apart from each other.
fn conflicts(a: &Block, b: &Block) -> Vec<Range<i64>> {
    let mut all = BTreeSet::new();
    for (a, b) in a.used.iter().zip(&b.used) {
        for a in a.iter().filter(|range| !range.is_empty()) {
            for b in b.iter().filter(|range| !range.is_empty()) {
                all.insert((a.start - b.end, a.end - b.start));
            }
        }
    }
    let mut merged: Vec<Range<i64>> = Vec::new();
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if start < last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}

/// Gives each block in turn the lowest place that is left.
fn place_in_order(blocks: &[Block], conflicts: &[Vec<Vec<Range<i64>>>], order: &[usize]) -> Placement {
    let mut offsets = vec![0; blocks.len()];
    let mut len = 0;
    for (rank, &index) in order.iter().enumerate() {
        let placed = order[..rank].iter();
        let mut taken: Vec<Range<i64>> = placed
            .flat_map(|&other| {
                conflicts[other][index].iter().map({
                    let offset = offsets[other];
                    move |range| range.start + offset..range.end + offset
                })
            })
            .collect();
        taken.sort_unstable_by_key(|range| range.start);
        let mut offset = 0;
        for range in taken {
            if range.start < offset && offset < range.end {
                offset = (range.end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            }
        }
        offsets[index] = offset;
        len = len.max(offset + blocks[index].len);
    }
    Placement { len, offsets }
}
