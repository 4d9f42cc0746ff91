//! The order of layers where a network branches.
//!
//! The core works on the deepest layer that can: of two branches, on the one that stands behind. A short branch (the
//! projection of a skip connection) is ahead of a long one and waits for it at the join; standing behind, it would run ahead
//! even further, with more rows waiting. So the short branch stands first.

use thumbnet::format::NO_MAP;

use crate::graph::{Layer, Network};

/// Puts the layers into an order in which each is behind those that it reads, and of the branches of a join the shorter one
/// first. A network without branches stays as it is.
pub fn short_branches_first(network: &mut Network) {
    let mut depths: Vec<usize> = vec![0];
    for layer in &network.layers {
        let deepest = layer.record.input_maps().map(|map| depths[map]).max();
        depths.push(deepest.map_or(0, |deepest| deepest + 1));
    }
    let mut order = Vec::with_capacity(network.layers.len());
    let mut seen = vec![false; network.layers.len()];
    // Layers whose inputs are still to be listed, and then they themselves.
    let mut open: Vec<usize> = network.layers.len().checked_sub(1).into_iter().collect();
    while let Some(&layer) = open.last() {
        let mut inputs: Vec<usize> = network.layers[layer].record.input_maps().collect();
        inputs.sort_by_key(|&map| depths[map]);
        let missing = inputs.iter().filter_map(|map| map.checked_sub(1)).find(|&input| !seen[input]);
        match missing {
            Some(input) => open.push(input),
            None => {
                open.pop();
                if !std::mem::replace(&mut seen[layer], true) {
                    order.push(layer);
                }
            }
        }
    }
    let mut numbers = vec![0; network.layers.len() + 1];
    for (place, &layer) in order.iter().enumerate() {
        numbers[layer + 1] = place + 1;
    }
    let renumbered = |layer: &Layer| {
        let mut layer = layer.clone();
        for map in layer.record.inputs.iter_mut().filter(|map| **map != NO_MAP) {
            *map = numbers[usize::from(*map)] as u8;
        }
        layer
    };
    network.layers = order.iter().map(|&layer| renumbered(&network.layers[layer])).collect();
}

#[cfg(test)]
mod tests {
    use thumbnet::format::{self, Op, Shape};

    use super::*;
    use crate::onnx::Entry;

    fn network(layers: &[(&str, [u8; 2])]) -> Network {
        let input = Shape { height: 4, width: 4, channels: 2 };
        let layer = |&(name, inputs): &(&str, [u8; 2])| {
            let op = if inputs[1] == NO_MAP { Op::Conv } else { Op::Add };
            Layer::new(name, format::Layer { inputs, ..format::Layer::new(op, input, input) })
        };
        Network {
            input,
            entry: Entry::default(),
            given_input: None,
            layers: layers.iter().map(layer).collect(),
            notes: vec![],
        }
    }

    #[test]
    fn a_projection_comes_before_the_branch_that_it_waits_for() {
        let mut residual = network(&[
            ("first", [0, NO_MAP]),
            ("long", [1, NO_MAP]),
            ("longer", [2, NO_MAP]),
            ("projection", [1, NO_MAP]),
            ("sum", [3, 4]),
        ]);
        short_branches_first(&mut residual);
        let expected = network(&[
            ("first", [0, NO_MAP]),
            ("projection", [1, NO_MAP]),
            ("long", [1, NO_MAP]),
            ("longer", [3, NO_MAP]),
            ("sum", [4, 2]),
        ]);
        assert_eq!(residual, expected);
    }

    #[test]
    fn a_chain_stays_as_it_is() {
        let chain = network(&[("a", [0, NO_MAP]), ("b", [1, NO_MAP]), ("c", [2, NO_MAP])]);
        let mut ordered = chain.clone();
        short_branches_first(&mut ordered);
        assert_eq!(ordered, chain);
    }
}
