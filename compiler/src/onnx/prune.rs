//! Drops what nobody reads.

use thumbnet::format::NO_MAP;

use crate::graph::Layer;

/// Keeps the layers that the map `result` depends on, with new numbers for their maps; the last one makes it.
pub fn prune(layers: &mut Vec<Layer>, result: usize) {
    let mut is_read = vec![false; layers.len() + 1];
    if let Some(read) = is_read.get_mut(result) {
        *read = true;
    }
    for (index, layer) in layers.iter().enumerate().rev() {
        if is_read[index + 1] {
            layer.record.input_maps().for_each(|map| is_read[map] = true);
        }
    }
    let mut numbers = vec![0; layers.len() + 1];
    let mut count = 0;
    for map in 1..=layers.len() {
        count += u8::from(is_read[map]);
        numbers[map] = count;
    }
    let mut made = is_read.into_iter().skip(1);
    layers.retain(|_| made.next().unwrap_or(false));
    for layer in layers {
        for input in layer.record.inputs.iter_mut().filter(|input| **input != NO_MAP) {
            *input = numbers[usize::from(*input)];
        }
    }
}
