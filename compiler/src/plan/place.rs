//! Packs blocks of memory that are used at different times into the fewest bytes.
//!
//! A block is a ring or scratch memory. Two blocks may overlap wherever no step uses the same byte of both. For a
//! pair of blocks, the steps give the distances at which they may not be; then the blocks are placed one by one,
//! each as low as those already placed let it, and their order is improved as long as that helps.

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

/// Places the blocks; stops looking for something better at `enough` bytes. `kicks`: how often to start over from a changed
/// order where no single move helps any more.
pub fn place(blocks: &[Block], enough: i64, kicks: u32) -> Placement {
    let steps: Vec<Steps> = blocks.iter().map(Steps::of).collect();
    let conflicts: Vec<Vec<Vec<Range<i64>>>> =
        steps.iter().map(|placed| steps.iter().map(|block| conflicts(placed, block)).collect()).collect();
    let search = Search { blocks, conflicts, enough };
    let mut order: Vec<usize> = (0..blocks.len()).filter(|&index| blocks[index].len > 0).collect();
    order.sort_by_key(|&index| -blocks[index].len);
    let mut best = search.improve(&mut order);
    // The same numbers on every run.
    let mut random = 1u32;
    for _ in 0..kicks {
        if best.len <= enough {
            break;
        }
        let mut other = order.clone();
        for _ in 0..KICK {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (from, to) = (random as usize >> 8, random as usize >> 20);
            other.swap(from % order.len(), to % order.len());
        }
        let placement = search.improve(&mut other);
        if placement.len < best.len {
            (best, order) = (placement, other);
        }
    }
    best
}

/// Blocks that change places when a search starts over.
const KICK: usize = 3;

struct Search<'b> {
    blocks: &'b [Block],
    /// See [`conflicts`], for each pair.
    conflicts: Vec<Vec<Vec<Range<i64>>>>,
    enough: i64,
}

impl Search<'_> {
    /// Moves one block to another place in the order, as long as that helps.
    fn improve(&self, order: &mut Vec<usize>) -> Placement {
        let in_order = self.place_in_order(order, i64::MAX);
        let Some(mut best) = in_order else { return Placement { len: 0, offsets: vec![0; self.blocks.len()] } };
        let mut improved = true;
        while improved && best.len > self.enough {
            improved = false;
            for from in 0..order.len() {
                for to in 0..order.len() {
                    let mut other = order.clone();
                    let moved = other.remove(from);
                    other.insert(to, moved);
                    if let Some(placement) = self.place_in_order(&other, best.len) {
                        (best, *order, improved) = (placement, other, true);
                    }
                }
            }
        }
        best
    }

    /// Gives each block in turn the lowest place that is left; `None` where that takes `limit` bytes or more.
    fn place_in_order(&self, order: &[usize], limit: i64) -> Option<Placement> {
        let mut offsets = vec![0; self.blocks.len()];
        let mut len = 0;
        let mut taken: Vec<Range<i64>> = Vec::new();
        for (rank, &index) in order.iter().enumerate() {
            taken.clear();
            for &other in &order[..rank] {
                let offset = offsets[other];
                taken.extend(self.conflicts[other][index].iter().map(|range| range.start + offset..range.end + offset));
            }
            taken.sort_unstable_by_key(|range| range.start);
            let mut offset = 0;
            for range in &taken {
                if range.start < offset && offset < range.end {
                    offset = (range.end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
                }
            }
            offsets[index] = offset;
            len = len.max(offset + self.blocks[index].len);
            if len >= limit {
                return None;
            }
        }
        Some(Placement { len, offsets })
    }
}

/// The steps in which a block is used, those in a row that use the same bytes as one.
struct Steps<'b>(Vec<(Range<usize>, &'b [Range<i64>; 2])>);

impl<'b> Steps<'b> {
    fn of(block: &'b Block) -> Self {
        let mut steps: Vec<(Range<usize>, &[Range<i64>; 2])> = Vec::new();
        for (step, used) in block.used.iter().enumerate() {
            match steps.last_mut() {
                Some((steps, before)) if *before == used && steps.end == step => steps.end += 1,
                _ if used.iter().all(|range| range.is_empty()) => {}
                _ => steps.push((step..step + 1, used)),
            }
        }
        Self(steps)
    }
}

/// The distances from the start of one block to the start of another at which both would use a byte in
/// the same step: open ranges, `start < distance < end`, in order and apart from each other.
fn conflicts(a: &Steps, b: &Steps) -> Vec<Range<i64>> {
    let mut all = Vec::new();
    let mut first = 0;
    for (steps, a) in &a.0 {
        // Neither list goes back in time.
        first += b.0[first..].iter().take_while(|(others, _)| others.end <= steps.start).count();
        for (_, b) in b.0[first..].iter().take_while(|(others, _)| others.start < steps.end) {
            for a in a.iter().filter(|range| !range.is_empty()) {
                for b in b.iter().filter(|range| !range.is_empty()) {
                    all.push((a.start - b.end, a.end - b.start));
                }
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    let mut merged: Vec<Range<i64>> = Vec::new();
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if start < last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}
