//! What is planned: layers on maps.

use thumbnet::format::{Layer, Map};
use thumbnet::schedule::Layers;

/// The layers of a model in the making, and what enters.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Map 0.
    pub input: Map,
    /// The layers; layer `k` makes map `k + 1`.
    pub layers: Vec<Layer>,
}

impl Graph {
    /// All maps.
    pub fn maps(&self) -> impl Iterator<Item = Map> {
        std::iter::once(self.input).chain(self.layers.iter().map(Layer::map))
    }
}

impl Layers for Graph {
    fn count(&self) -> usize {
        self.layers.len()
    }

    fn get(&self, index: usize) -> Option<Layer> {
        self.layers.get(index).copied()
    }

    fn map(&self, index: usize) -> Option<Map> {
        match index.checked_sub(1) {
            None => Some(self.input),
            Some(layer) => self.layers.get(layer).map(Layer::map),
        }
    }

    // Without a copy.
    fn with<T>(&self, index: usize, look: impl FnOnce(&Layer) -> T) -> Option<T> {
        self.layers.get(index).map(look)
    }
}
