//! Chooses how each layer's weights are stored and multiplied.

use thumbnet::format::{Algorithm, Layer};
use thumbnet::winograd;

use crate::overflow;
use crate::quantize::QuantizedNetwork;
use crate::{Core, Optimize};

/// Under [`Optimize::Speed`], Winograd for each convolution that it can compute exactly and that it
/// makes faster; its weights are two to four times as large, and it needs more workspace.
///
/// Helium multiplies 16 bytes at a time and the 16-bit values of Winograd two at a time: that took 1.6 to 3.7 times the
/// instructions in every layer that was measured.
pub fn choose(network: &QuantizedNetwork, layers: &mut [Layer], optimize: Optimize, core: Core) {
    if optimize != Optimize::Speed || core.has_helium() {
        return;
    }
    for (record, layer) in layers.iter_mut().zip(&network.layers) {
        if winograd::is_eligible(record) && pays(record) && overflow::largest_sum(layer) < winograd::MAX_SUM {
            record.algorithm = Algorithm::Winograd;
        }
    }
}

/// Whether Winograd takes fewer instructions, by what both take on a core with the DSP extension.
///
/// It then does so in portable code too. On a Cortex-M3 it takes 0.9 to 1.5 times as many, but fewer cycles, as its products
/// are simpler (docs/performance-techniques.md).
pub(crate) fn pays(layer: &Layer) -> bool {
    let points = winograd::points(layer.window.kernel_height).pow(2);
    let quads = winograd::quads(layer);
    let outputs = usize::from(layer.output.channels);
    let rows = (usize::from(layer.output.height) * usize::from(layer.pool.size)).min(layer.conv_height());
    let pairs = rows.div_ceil(winograd::TILE) * winograd::columns(layer).div_ceil(winograd::PAIR_COLUMNS);
    // A pair of tiles: inputs transformed, then for two channels multiplied and transformed back.
    let tiles = pairs * (points * quads * 30 + outputs.div_ceil(2) * (points * (quads * 10 + 17) + 150));
    // 13 instructions for 16 products, and some to gather the pixels and to requantize.
    let direct = layer.macs() as usize * 15 / 16;
    tiles < direct
}

#[cfg(test)]
mod tests {
    use thumbnet::format::{Op, Shape, Window};

    use super::*;

    fn layer(size: u16, channels: u16, kernel: u8) -> Layer {
        let shape = |channels| Shape { height: size, width: size, channels };
        let window = Window::square(kernel, kernel / 2);
        Layer { window, ..Layer::new(Op::Conv, shape(channels), shape(32)) }
    }

    #[test]
    fn wide_layers_pay_and_a_single_channel_does_not() {
        for kernel in [3, 5, 7] {
            assert!(winograd::is_eligible(&layer(14, 32, kernel)) && pays(&layer(14, 32, kernel)), "{kernel}");
            assert!(!winograd::is_eligible(&layer(14, 1, kernel)), "{kernel}");
        }
        assert!(!winograd::is_eligible(&layer(14, 32, 1)));
        assert!(!winograd::is_eligible(&layer(3, 32, 3)), "too narrow for a pair of tiles");
    }
}
