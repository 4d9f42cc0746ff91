//! CMSIS-NN's figures, from `xtask/cmsis-nn.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The figures.
pub static CMSIS_NN: LazyLock<CmsisNn> =
    LazyLock::new(|| toml::from_str(include_str!("../../cmsis-nn.toml")).expect("xtask/cmsis-nn.toml is valid"));

/// Instructions that CMSIS-NN takes for the same networks, and how they were measured.
#[derive(Deserialize)]
pub struct CmsisNn {
    commit: String,
    date: String,
    compiler: String,
    emulator: String,
    kernels: String,
    /// By board and network.
    instructions: BTreeMap<String, BTreeMap<String, u64>>,
    /// By network, on [`LAYERS_BOARD`].
    layers: BTreeMap<String, Layers>,
}

/// The board that CMSIS-NN was measured on layer by layer.
pub const LAYERS_BOARD: &str = "mps2-an386";

#[derive(Deserialize)]
struct Layers {
    conv: Vec<u64>,
    /// After each convolution, zero where there is none.
    pool: Vec<u64>,
    dense: Vec<u64>,
}

impl CmsisNn {
    /// Instructions of an inference, where it was measured.
    pub fn of(&self, board: &str, model: &str) -> Option<u64> {
        self.instructions.get(board)?.get(model).copied()
    }

    /// Instructions of each of our layers, a convolution with the pooling after it; none where it was not measured.
    pub fn layers(&self, model: &str) -> Vec<u64> {
        let Some(layers) = self.layers.get(model) else { return vec![] };
        let convolutions = layers.conv.iter().zip(&layers.pool).map(|(conv, pool)| conv + pool);
        convolutions.chain(layers.dense.iter().copied()).collect()
    }

    /// How it was measured, in one sentence.
    pub fn source(&self) -> String {
        let Self { commit, date, compiler, emulator, kernels, .. } = self;
        format!("CMSIS-NN commit {commit} of {date}, {compiler}, {kernels}; {emulator}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up_to_the_network() {
        for model in CMSIS_NN.layers.keys() {
            let sum: u64 = CMSIS_NN.layers(model).iter().sum();
            assert_eq!(Some(sum), CMSIS_NN.of(LAYERS_BOARD, model), "{model}");
        }
        assert_eq!(CMSIS_NN.layers.len(), 13);
    }
}
