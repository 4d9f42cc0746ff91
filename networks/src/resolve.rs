//! From blocks to layers: shapes, paddings, and which layer reads which map.

use crate::{
    Activation, Block, Head, Kind, Layer, NetworkSpec, Operation, Padding, Pool, Pooling, Shape, Size, Window,
};

/// The layers of `spec`, or what does not fit.
pub(crate) fn layers(spec: &NetworkSpec) -> Result<Vec<Layer>, String> {
    let mut layers = Layers { spec, layers: Vec::new() };
    for (index, block) in spec.blocks.iter().enumerate() {
        let place = format!("block {}", index + 1);
        layers.block(block, &place)?;
        // Inside a residual block nothing is dropped.
        layers.drop_out();
    }
    if spec.head == Head::GlobalAverage {
        let input = layers.shape();
        layers.push(Kind::GlobalAverage, Shape { height: 1, width: 1, ..input });
    }
    for &units in &spec.dense {
        layers.push(Kind::Dense { units }, Shape::vector(units));
        layers.follow(true, spec.activation, None);
        layers.drop_out();
    }
    layers.push(Kind::Dense { units: spec.classes() }, Shape::vector(spec.classes()));
    Ok(layers.layers)
}

/// The layers so far.
struct Layers<'a> {
    spec: &'a NetworkSpec,
    layers: Vec<Layer>,
}

impl Layers<'_> {
    /// The map that the last layer makes.
    fn map(&self) -> usize {
        self.layers.len()
    }

    fn shape_of(&self, map: usize) -> Shape {
        map.checked_sub(1).and_then(|layer| self.layers.get(layer)).map_or(self.spec.input(), |layer| layer.output)
    }

    fn shape(&self) -> Shape {
        self.shape_of(self.map())
    }

    /// A layer that reads the last map, with nothing fused into it.
    fn push(&mut self, kind: Kind, output: Shape) {
        self.push_from(vec![self.map()], self.shape(), kind, output);
    }

    fn push_from(&mut self, inputs: Vec<usize>, input: Shape, kind: Kind, output: Shape) {
        let activation = Activation::None;
        let (norm, pool, dropout) = (false, None, 0.0);
        self.layers.push(Layer { kind, inputs, input, unpooled: output, output, norm, activation, pool, dropout });
    }

    /// What follows in the last layer.
    fn follow(&mut self, norm: bool, activation: Activation, pool: Option<Pooling>) {
        if let Some(last) = self.layers.last_mut() {
            (last.norm, last.activation, last.pool) = (norm, activation, pool);
        }
    }

    fn drop_out(&mut self) {
        if let Some(last) = self.layers.last_mut() {
            last.dropout = self.spec.dropout;
        }
    }

    fn block(&mut self, block: &Block, place: &str) -> Result<(), String> {
        let spec = self.spec;
        let is_normalized = match &block.operation {
            &Operation::Conv { filters, kernel, stride, padding } => {
                let Some(kernel) = kernel.or(spec.kernel) else {
                    return Err(format!("{place} has no `kernel`, and the network gives none either"));
                };
                self.conv(self.map(), Some(filters), [kernel, stride], padding, place)?;
                true
            }
            &Operation::Depthwise { kernel, stride, padding } => {
                self.conv(self.map(), None, [kernel, stride], padding, place)?;
                true
            }
            &Operation::Pointwise { filters, stride } => {
                self.conv(self.map(), Some(filters), [Size::ONE, stride], Padding::Same, place)?;
                true
            }
            Operation::Residual(branch) => {
                self.residual(branch, place)?;
                false
            }
        };
        let pool = self.pool(block.pool, place)?;
        self.follow(is_normalized, block.activation.unwrap_or(spec.activation), pool);
        Ok(())
    }

    /// A convolution of map `from`; without `filters` a depthwise one.
    fn conv(
        &mut self,
        from: usize,
        filters: Option<usize>,
        [kernel, stride]: [Size; 2],
        padding: Padding,
        place: &str,
    ) -> Result<(), String> {
        let input = self.shape_of(from);
        let along = |size, kernel, stride| {
            let too_small = || format!("the kernel of {place} does not fit a map of {}", input.size());
            axis(size, kernel, stride, padding).ok_or_else(too_small)
        };
        let (height, top, bottom) = along(input.height, kernel.height, stride.height)?;
        let (width, left, right) = along(input.width, kernel.width, stride.width)?;
        let window = Window { kernel, stride, top, left, bottom, right };
        let kind = match filters {
            Some(filters) => Kind::Conv { filters, window },
            None => Kind::Depthwise { window },
        };
        let output = Shape { height, width, channels: filters.unwrap_or(input.channels) };
        self.push_from(vec![from], input, kind, output);
        Ok(())
    }

    fn residual(&mut self, branch: &[Block], place: &str) -> Result<(), String> {
        let entry = self.map();
        for (index, block) in branch.iter().enumerate() {
            self.block(block, &format!("{place}, branch block {}", index + 1))?;
        }
        let (end, wanted) = (self.map(), self.shape());
        let mut skip = entry;
        if self.shape_of(entry) != wanted {
            let stride = branch.iter().fold(Size::ONE, |all, block| {
                let Size { height, width } = block.stride();
                Size { height: all.height.saturating_mul(height), width: all.width.saturating_mul(width) }
            });
            self.conv(entry, Some(wanted.channels), [Size::ONE, stride], Padding::Same, place)?;
            self.follow(true, Activation::None, None);
            skip = self.map();
        }
        let found = self.shape_of(skip);
        if found != wanted {
            return Err(format!(
                "the branch of {place} ends with a map of {wanted}, the skip connection with {found}: use `same` padding and \
                 pooling in the branch"
            ));
        }
        self.push_from(vec![end, skip], wanted, Kind::Add, wanted);
        Ok(())
    }

    /// Shrinks the last layer's output as `pool` does.
    fn pool(&mut self, pool: Pool, place: &str) -> Result<Option<Pooling>, String> {
        let Some(last) = self.layers.last_mut() else { return Ok(None) };
        let map = last.unpooled.size();
        let Some(pooling) = Pooling::of(pool, map) else { return Ok(None) };
        let along = |size: usize, padding: usize| {
            let room = (size + padding).checked_sub(Pooling::SIZE);
            room.map(|room| room / pooling.stride + 1)
        };
        let (Some(height), Some(width)) = (along(map.height, pooling.bottom), along(map.width, pooling.right)) else {
            return Err(format!("the pooling of {place} does not fit a map of {map}"));
        };
        last.output = Shape { height, width, ..last.unpooled };
        Ok(Some(pooling))
    }
}

impl Block {
    /// Steps that a block takes over its map, pooling included.
    fn stride(&self) -> Size {
        let pooled = match self.pool {
            Pool::None | Pool::SameStride1 => 1,
            Pool::Valid | Pool::Same => 2,
        };
        let steps = match &self.operation {
            Operation::Conv { stride, .. }
            | Operation::Depthwise { stride, .. }
            | Operation::Pointwise { stride, .. } => *stride,
            // A branch inside a branch is refused.
            Operation::Residual(_) => Size::ONE,
        };
        Size { height: steps.height.saturating_mul(pooled), width: steps.width.saturating_mul(pooled) }
    }
}

/// Along one axis: size of the output, zeros before and after. `None` where the kernel does not fit.
fn axis(size: usize, kernel: usize, stride: usize, padding: Padding) -> Option<(usize, usize, usize)> {
    match padding {
        Padding::Same => {
            let output = size.div_ceil(stride);
            let total = (output.checked_sub(1)? * stride + kernel).saturating_sub(size);
            Some((output, total / 2, total - total / 2))
        }
        Padding::Valid => Some((size.checked_sub(kernel)? / stride + 1, 0, 0)),
    }
}
