//! Runs layers with the shapes of ours in other Rust libraries, on Arm's MPS2 boards in QEMU.
//!
//! Writes one JSON object a layer and library over semihosting: `library`, `network`, `layer`, `instructions`, `pooled`. Every
//! result is compared with plain loops first; a library that computes something else ends the emulator with an error.
#![no_std]
#![no_main]

use cortex_m_semihosting::{debug, hprintln};
use panic_semihosting as _;

mod embedded_nn;
mod layer;
mod microflow;
#[allow(missing_docs)]
#[path = "../../firmware/src/tick_counter.rs"]
mod tick_counter;

use layer::{Buffers, Conv, Dense};
use tick_counter::TickCounter;

/// SysTick counts 25 MHz on these boards, an instruction takes a nanosecond in the emulator.
const INSTRUCTIONS_PER_TICK: u64 = 40;

/// What a library made of a layer.
struct Outcome {
    instructions: u64,
    /// Whether pooling is in that, where the layer has any.
    pooled: bool,
    /// Outputs that differ from the plain loops' by more than rounding.
    wrong: usize,
}

/// Counts what `work` takes.
fn count<T>(counter: &mut TickCounter, work: impl FnOnce() -> T) -> (T, u64) {
    counter.restart();
    let result = core::hint::black_box(work());
    (result, counter.ticks() * INSTRUCTIONS_PER_TICK)
}

fn report(library: &str, network: &str, layer: usize, outcome: &Outcome) {
    let Outcome { instructions, pooled, wrong } = outcome;
    assert!(*wrong == 0, "{library} computes {wrong} outputs of {network}, layer {layer}, wrong");
    hprintln!(
        "{{\"library\":\"{library}\",\"network\":\"{network}\",\"layer\":{layer},\"instructions\":{instructions},\"pooled\":{pooled}}}"
    );
}

struct Bench {
    counter: TickCounter,
    buffers: &'static mut Buffers,
}

impl Bench {
    /// A convolution over a square map, `pooled` its height after 2x2 pooling or `OUT`, that without.
    fn conv<const IN: usize, const CHANNELS: usize, const KERNEL: usize, const FILTERS: usize, const OUT: usize>(
        &mut self,
        network: &str,
        index: usize,
        pooled: usize,
    ) {
        let layer = Conv { size: IN, channels: CHANNELS, kernel: KERNEL, filters: FILTERS, output: OUT, pooled };
        self.buffers.prepare_conv(&layer);
        report("embedded-nn", network, index, &embedded_nn::conv(&mut self.counter, self.buffers, &layer));
        let outcome = microflow::conv::<IN, CHANNELS, KERNEL, FILTERS, OUT>(&mut self.counter, self.buffers, &layer);
        report("microflow", network, index, &outcome);
    }

    fn dense<const INPUTS: usize, const OUTPUTS: usize>(&mut self, network: &str, index: usize) {
        let layer = Dense { inputs: INPUTS, outputs: OUTPUTS };
        self.buffers.prepare_dense(&layer);
        report("embedded-nn", network, index, &embedded_nn::dense(&mut self.counter, self.buffers, &layer));
        let outcome = microflow::dense::<INPUTS, OUTPUTS>(&mut self.counter, self.buffers, &layer);
        report("microflow", network, index, &outcome);
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("nothing took them before");
    let mut bench = Bench { counter: TickCounter::new(core.SYST), buffers: Buffers::take() };
    // Layers of trainer/networks.toml by their index, with these names.
    bench.conv::<28, 1, 3, 96, 28>("cnn3_k3_relu", 0, 14);
    bench.conv::<14, 96, 3, 64, 14>("cnn3_k3_relu", 1, 7);
    bench.conv::<7, 64, 3, 32, 7>("cnn3_k3_relu", 2, 4);
    bench.dense::<512, 64>("cnn3_k3_relu", 3);
    bench.dense::<64, 10>("cnn3_k3_relu", 4);
    bench.conv::<14, 16, 5, 32, 14>("cnn3_k5_relu", 1, 7);
    bench.conv::<22, 10, 7, 32, 16>("cnn3_k7_relu", 1, 16);
    debug::exit(debug::EXIT_SUCCESS);
    loop {}
}
