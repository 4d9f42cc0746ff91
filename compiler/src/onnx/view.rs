//! Where the elements of an ONNX tensor lie on a map.
//!
//! A map holds `height * width * channels` values, channel fastest. Each axis of a tensor runs over the map by one or several
//! runs of even steps, the slowest first. So a Transpose exchanges axes, a Reshape joins and divides them, and no value moves.

use thumbnet::format::Shape;

/// So many steps of so many values each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How many steps.
    pub size: usize,
    /// How far a step goes on the map, in values.
    pub step: usize,
}

/// The axes of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The runs of each axis, the slowest first; none for an axis of size one.
    axes: Vec<Vec<Run>>,
}

impl View {
    /// The run of an axis of size one.
    pub const ONE: Run = Run { size: 1, step: 0 };

    /// A tensor whose axes are one run each.
    pub fn new(axes: impl IntoIterator<Item = Run>) -> Self {
        Self { axes: axes.into_iter().map(|run| joined([run])).collect() }
    }

    /// Channels, height and width of a map.
    pub fn axes_of(shape: Shape) -> [Run; 3] {
        let [height, width, channels] = [shape.height, shape.width, shape.channels].map(usize::from);
        [
            Run { size: channels, step: 1 },
            Run { size: height, step: width * channels },
            Run { size: width, step: channels },
        ]
    }

    /// The values of a map one after the other, as a tensor of these dimensions.
    pub fn in_order(dims: &[usize]) -> Self {
        let mut step = dims.iter().product();
        Self::new(dims.iter().map(|&size| {
            step /= size.max(1);
            Run { size, step }
        }))
    }

    /// A tensor of these dimensions that goes this far for a step of each axis; zero where all lie in one place.
    pub fn with_steps(dims: &[usize], steps: &[usize]) -> Self {
        // Not joined: steps of zero are no runs of one another.
        Self { axes: dims.iter().zip(steps).map(|(&size, &step)| vec![Run { size, step }]).collect() }
    }

    /// The same for a map of other channels, which are the axis at `place`: pixel for pixel. `None` where that axis is not the
    /// map's channels.
    pub fn with_channels(&self, place: usize, before: usize, after: usize) -> Option<Self> {
        let is_channels = match *self.axis(place) {
            [] => before == 1,
            [Run { size, step }] => size == before && step == 1,
            _ => false,
        };
        if !is_channels || place >= self.axes.len() {
            return None;
        }
        let mut axes = Vec::new();
        for (index, axis) in self.axes.iter().enumerate() {
            let pixels = axis.iter().map(|run| Run { step: run.step / before * after, ..*run });
            axes.push(if index == place { joined([Run { size: after, step: 1 }]) } else { joined(pixels) });
        }
        Some(Self { axes })
    }

    /// The same on a map of which the axes at these places left one pixel in their direction.
    pub fn on_smaller(&self, before: Shape, after: Shape, places: &[usize]) -> Self {
        let (long, short) = (before.row_len().max(1), after.row_len());
        let moved = |run: &Run| match before.height > 1 && run.step >= long && run.step.is_multiple_of(long) {
            true => Run { step: run.step / long * short, ..*run },
            false => *run,
        };
        let axes = self.axes.iter().enumerate();
        let axis = |(place, axis): (usize, &Vec<Run>)| match places.contains(&place) {
            true => Vec::new(),
            false => joined(axis.iter().map(moved)),
        };
        Self { axes: axes.map(axis).collect() }
    }

    /// The tensor's dimensions.
    pub fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|runs| size(runs)).collect()
    }

    /// How many axes it has.
    pub fn rank(&self) -> usize {
        self.axes.len()
    }

    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.axes.iter().map(|runs| size(runs)).product()
    }

    /// The runs of an axis; none of one that it has not.
    pub fn axis(&self, index: usize) -> &[Run] {
        self.axes.get(index).map_or(&[], Vec::as_slice)
    }

    /// The axes in another order; `None` where that does not name each of them once.
    pub fn transposed(&self, order: &[usize]) -> Option<Self> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        let is_order = sorted.iter().copied().eq(0..self.axes.len());
        is_order.then(|| Self { axes: order.iter().map(|&axis| self.axes[axis].clone()).collect() })
    }

    /// The same elements in the same order with other dimensions; `None` where that is no even step over the map.
    pub fn reshaped(&self, dims: &[usize]) -> Option<Self> {
        let mut runs: Vec<Run> = self.axes.iter().flatten().rev().copied().collect();
        let mut axes = Vec::new();
        for &wanted in dims {
            let (mut axis, mut wanted) = (Vec::new(), wanted);
            while wanted > 1 {
                let run = runs.pop()?;
                if wanted.is_multiple_of(run.size) {
                    axis.push(run);
                    wanted /= run.size;
                } else if run.size.is_multiple_of(wanted) {
                    let rest = run.size / wanted;
                    axis.push(Run { size: wanted, step: run.step * rest });
                    runs.push(Run { size: rest, step: run.step });
                    wanted = 1;
                } else {
                    return None;
                }
            }
            if wanted == 0 {
                return None;
            }
            axes.push(joined(axis));
        }
        runs.is_empty().then_some(Self { axes })
    }

    /// The same without the axes at these places, which must be of size one.
    pub fn without(&self, places: &[usize]) -> Self {
        let kept = self.axes.iter().enumerate().filter(|(place, _)| !places.contains(place));
        Self { axes: kept.map(|(_, axis)| axis.clone()).collect() }
    }

    /// The same with one axis as another run.
    pub fn with_axis(&self, place: usize, run: Run) -> Self {
        let mut axes = self.axes.clone();
        if let Some(axis) = axes.get_mut(place) {
            *axis = joined([run]);
        }
        Self { axes }
    }

    /// The place on the map of each element, in the tensor's order.
    pub fn order(&self) -> Vec<usize> {
        let mut order = vec![0];
        for run in self.axes.iter().flatten() {
            order = order.iter().flat_map(|place| (0..run.size).map(move |index| place + index * run.step)).collect();
        }
        order
    }

    /// What this becomes where the map's values are put as `seen` sees them: its elements one after the other, but with the
    /// steps `steps` for its axes. `None` where a run does not follow `seen`'s.
    pub fn seen(&self, seen: &View, steps: &[usize]) -> Option<Self> {
        // Each run of the map before: how far it goes, how many steps, and how far it goes afterwards.
        let mut moves = Vec::new();
        for (axis, &step) in seen.axes.iter().zip(steps) {
            let mut step = step;
            for run in axis.iter().rev() {
                moves.push((*run, step));
                step *= run.size;
            }
        }
        moves.sort_unstable_by_key(|(run, _)| std::cmp::Reverse(run.step));
        let move_run = |run: &Run| {
            let mut moved = Vec::new();
            let end = run.step.checked_mul(run.size)?;
            for (before, step) in &moves {
                let (low, high) = (before.step.max(run.step), (before.step * before.size).min(end));
                if low >= high {
                    continue;
                }
                if !low.is_multiple_of(before.step) || !high.is_multiple_of(low) {
                    return None;
                }
                moved.push(Run { size: high / low, step: step * (low / before.step) });
            }
            (size(&moved) == run.size).then_some(moved)
        };
        let mut axes = Vec::new();
        for axis in &self.axes {
            let runs: Vec<Vec<Run>> = axis.iter().map(move_run).collect::<Option<_>>()?;
            axes.push(joined(runs.into_iter().flatten()));
        }
        Some(Self { axes })
    }
}

/// How many elements runs have.
fn size(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.size).product()
}

/// The same runs as few as possible.
fn joined(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs.into_iter().filter(|run| run.size != 1) {
        match joined.last_mut() {
            Some(last) if last.step == run.step * run.size => {
                *last = Run { size: last.size * run.size, step: run.step }
            }
            _ => joined.push(run),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Shape = Shape { height: 4, width: 6, channels: 3 };

    fn image() -> View {
        let [channels, height, width] = View::axes_of(MAP);
        View::new([View::ONE, channels, height, width])
    }

    /// Elements of a row-major tensor with its axes in another order.
    fn transposed(elements: &[usize], dims: &[usize], order: &[usize]) -> Vec<usize> {
        let new: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
        (0..elements.len())
            .map(|index| {
                let (mut rest, mut at) = (index, vec![0; dims.len()]);
                for (place, size) in new.iter().enumerate().rev() {
                    at[order[place]] = rest % size;
                    rest /= size;
                }
                elements[at.iter().zip(dims).fold(0, |sum, (at, size)| sum * size + at)]
            })
            .collect()
    }

    #[test]
    fn transposes_and_reshapes_keep_the_elements() {
        let view = image();
        assert_eq!(view.dims(), [1, 3, 4, 6]);
        assert_eq!(view.order()[..7], [0, 3, 6, 9, 12, 15, 18]);
        let last = view.transposed(&[0, 2, 3, 1]).unwrap();
        assert_eq!(last.order(), (0..72).collect::<Vec<_>>());
        assert_eq!(last.order(), transposed(&view.order(), &[1, 3, 4, 6], &[0, 2, 3, 1]));
        // All that follows from another order of the axes, divided and joined in all ways.
        for dims in [&[72][..], &[3, 24], &[1, 12, 6], &[2, 2, 18], &[3, 2, 2, 2, 3], &[6, 12], &[72, 1, 1]] {
            let flat = view.reshaped(dims).map(|reshaped| (reshaped.dims(), reshaped.order()));
            if let Some((found, order)) = flat {
                assert_eq!((found, order), (dims.to_vec(), view.order()));
            }
        }
        let flat = view.transposed(&[0, 3, 1, 2]).unwrap().reshaped(&[1, 72]).unwrap();
        assert_eq!(flat.order(), transposed(&view.order(), &[1, 3, 4, 6], &[0, 3, 1, 2]));
        assert_eq!(
            flat.reshaped(&[6, 3, 4]).unwrap().transposed(&[1, 2, 0]).unwrap().reshaped(&[1, 3, 4, 6]),
            Some(view)
        );
    }

    #[test]
    fn what_is_no_even_step_is_none() {
        assert_eq!(image().reshaped(&[1, 2, 36]), None);
        assert_eq!(image().reshaped(&[5, 7]), None);
        assert_eq!(image().reshaped(&[0, 72]), None);
        assert_eq!(image().reshaped(&[72, 2]), None);
        assert_eq!(image().transposed(&[0, 1, 1, 3]), None);
        assert_eq!(image().transposed(&[0, 1]), None);
    }

    #[test]
    fn a_vector_is_seen_as_an_image() {
        // 72 values of which a Reshape makes [1, 3, 4, 6]: what the vector is on the map of that.
        let vector = View::in_order(&[1, 72]);
        let seen = vector.reshaped(&[1, 3, 4, 6]).unwrap();
        let steps = image().axes.iter().map(|runs| runs.first().map_or(0, |run| run.step)).collect::<Vec<_>>();
        assert_eq!(seen.seen(&seen, &steps), Some(image()));
        assert_eq!(vector.seen(&seen, &steps), image().reshaped(&[1, 72]));
        // And of [1, 4, 6, 3] seen with its axes exchanged.
        let last = View::in_order(&[1, 4, 6, 3]);
        let seen = last.transposed(&[0, 3, 1, 2]).unwrap();
        assert_eq!(last.seen(&seen, &steps), Some(last.clone()));
        let turned = last.transposed(&[0, 3, 2, 1]).unwrap().seen(&seen, &steps).unwrap();
        assert_eq!(turned, image().transposed(&[0, 1, 3, 2]).unwrap());
    }
}
