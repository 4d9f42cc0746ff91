//! Flatten, and the Reshape and Squeeze that do the same.

use crate::CompileError;
use crate::graph::len;
use crate::onnx::{Chain, Node};

const ADVICE: &str = "flatten to [N, -1] before the dense layers";

pub fn flatten(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["axis"])?;
    chain.expect_unpadded(node)?;
    let rank = if chain.flat { 2 } else { 4 };
    let axis = node.int("axis", 1);
    if axis != 1 && axis + rank != 1 {
        return Err(node.refuse(format!("has axis = {axis}"), ADVICE));
    }
    chain.flat = true;
    Ok(())
}

pub fn reshape(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["allowzero"])?;
    node.expect("allowzero", 0, ADVICE)?;
    chain.expect_unpadded(node)?;
    let target = node.integers(1, "shape")?;
    let shape = chain.shape;
    let sizes = [shape.channels, shape.height, shape.width].map(i64::from);
    let kept = |found: i64, position: usize, size: i64| {
        found == size || found == -1 || (found == 0 && !chain.flat && sizes.get(position) == Some(&size))
    };
    let unknown = target.iter().filter(|&&size| size == -1).count();
    chain.flat = match *target {
        [_, values] if unknown <= 1 && (values == len(shape) as i64 || values == -1) => true,
        // The same four dimensions, or a row of values as a map of one pixel.
        [_, channels, height, width]
            if unknown <= 1
                && (!chain.flat || (shape.height, shape.width) == (1, 1))
                && kept(channels, 0, sizes[0])
                && kept(height, 1, sizes[1])
                && kept(width, 2, sizes[2]) =>
        {
            false
        }
        _ => return Err(node.refuse(format!("makes the shape {target:?} from [N, {sizes:?}]"), ADVICE)),
    };
    Ok(())
}

pub fn squeeze(node: &Node<'_>, chain: &mut Chain) -> Result<(), CompileError> {
    node.only(&["axes"])?;
    chain.expect_unpadded(node)?;
    let axes = match node.ints("axes") {
        Some(axes) => axes,
        None => node.integers(1, "axes")?,
    };
    let mut axes: Vec<i64> = axes.iter().map(|&axis| if axis < 0 { axis + 4 } else { axis }).collect();
    axes.sort_unstable();
    if chain.flat || axes != [2, 3] || (chain.shape.height, chain.shape.width) != (1, 1) {
        return Err(node.refuse(format!("removes the axes {axes:?}"), "squeeze axes 2 and 3 of a map of one pixel"));
    }
    chain.flat = true;
    Ok(())
}
