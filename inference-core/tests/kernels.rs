//! Kernels against each other: all algorithms give the same integers, in any memory.

#[allow(dead_code, reason = "shared with other tests")]
mod builder;
mod cases;

use builder::pack;
use inference_core::format::Algorithm;
use inference_core::kernels::{Only, uses};
use inference_core::{Model, Network, NetworkError};

/// The logits of a few images, in an arena of poisoned bytes that begins `shift` bytes off a word.
fn logits(file: &[u8], shift: usize) -> Vec<Vec<i32>> {
    let model = Model::parse(file).unwrap();
    let mut arena = vec![0xa5; model.arena_len() + 16];
    let start = arena.as_ptr().align_offset(4) + shift;
    let mut network = Network::new(&model, &mut arena[start..start + model.arena_len()]).unwrap();
    let len = model.input_row_len() * usize::from(model.input().height);
    let images = if cfg!(miri) { 1 } else { 4 };
    (0..images).map(|seed| network.classify(&cases::image(len, seed)).unwrap().logits().iter().collect()).collect()
}

#[test]
fn winograd_equals_direct() {
    let (mut tiled, mut dull) = (0, 0);
    let step = if cfg!(miri) { 67 } else { 1 };
    for case in cases::all().into_iter().step_by(step) {
        let direct = logits(&pack(&case.network(Algorithm::Direct)), 0);
        let drafts = case.network(Algorithm::Winograd);
        tiled += usize::from(drafts[1].layer.algorithm == Algorithm::Winograd);
        let file = pack(&drafts);
        for shift in if cfg!(miri) { 1..2 } else { 0..4 } {
            assert_eq!(logits(&file, shift), direct, "{case:?}, arena at {shift}");
        }
        dull += usize::from(direct.iter().flatten().all(|&logit| logit == direct[0][0]));
    }
    assert!((tiled > 40 && dull < 10) || cfg!(miri), "{tiled} in tiles, {dull} without a signal");
}

#[test]
fn a_misaligned_model_gives_the_same() {
    for case in cases::all().into_iter().step_by(if cfg!(miri) { 101 } else { 11 }) {
        let file = pack(&case.network(Algorithm::Winograd));
        let mut moved = vec![0; file.len() + 8];
        let start = moved.as_ptr().align_offset(4) + 1;
        moved[start..start + file.len()].copy_from_slice(&file);
        assert_eq!(logits(&moved[start..start + file.len()], 0), logits(&file, 0), "{case:?}");
    }
}

#[test]
fn a_model_runs_with_the_kernels_that_it_uses_and_with_no_fewer() {
    // Direct and dense, Winograd with a kernel of 3, and a depthwise layer and an average besides.
    let cases = cases::all();
    let case = cases.iter().find(|case| case.kernel == 3 && case.in_channels == 8).unwrap();
    let (direct, winograd) = (pack(&case.network(Algorithm::Direct)), pack(&case.network(Algorithm::Winograd)));
    let every_operator = pack(&builder::every_operator());
    const DIRECT: u16 = 0b01001;
    const WINOGRAD: u16 = 0b101001;
    const OPERATORS: u16 = 0b11101;
    for (file, expected) in [(&direct, DIRECT), (&winograd, WINOGRAD), (&every_operator, OPERATORS)] {
        let model = Model::parse(file).unwrap();
        assert_eq!(uses(&model), expected, "{:#b}", uses(&model));
        let mut arena = vec![0; model.arena_len()];
        let missing = Network::<Only<0b01000>>::with_kernels(&model, &mut arena);
        assert_eq!(missing.err(), Some(NetworkError::KernelMissing));
        let pixels = cases::image(model.input_row_len() * usize::from(model.input().height), 3);
        let found: Vec<i32> = match expected {
            DIRECT => with_kernels::<DIRECT>(&model, &pixels),
            WINOGRAD => with_kernels::<WINOGRAD>(&model, &pixels),
            _ => with_kernels::<OPERATORS>(&model, &pixels),
        };
        assert_eq!(found, *logits(file, 0).get(3).unwrap_or(&found));
    }
}

/// The logits of an image with some of the kernels only.
fn with_kernels<const USES: u16>(model: &Model<'_>, pixels: &[u8]) -> Vec<i32> {
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::<Only<USES>>::with_kernels(model, &mut arena).unwrap();
    network.classify(pixels).unwrap().logits().iter().collect()
}
