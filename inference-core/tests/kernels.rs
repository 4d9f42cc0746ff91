//! Kernels against each other: all algorithms give the same integers, in any memory.

#[allow(dead_code, reason = "shared with other tests")]
mod builder;
mod cases;

use builder::networks::every_operator;
use builder::pack;
use thumbnet::format::Algorithm;
use thumbnet::kernels::Only;
use thumbnet::{Model, Network, NetworkError};

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
fn operators_give_the_same_in_any_memory() {
    let (mut dull, mut count) = (0, 0);
    for (name, drafts) in cases::operators::all().into_iter().step_by(if cfg!(miri) { 5 } else { 1 }) {
        let file = pack(&drafts);
        let wanted = logits(&file, 0);
        for shift in if cfg!(miri) { 1..2 } else { 1..4 } {
            assert_eq!(logits(&file, shift), wanted, "{name}, arena at {shift}");
        }
        count += 1;
        dull += usize::from(wanted.iter().flatten().all(|&logit| logit == wanted[0][0]));
    }
    assert!(dull * 10 < count || cfg!(miri), "{dull} of {count} without a signal");
}

#[test]
fn a_model_runs_with_the_kernels_that_it_uses_and_with_no_fewer() {
    // Convolution with a workspace, Winograd with a kernel of 3, and what every other operator needs.
    const CONV: u32 = 1 << 0;
    const DENSE: u32 = 1 << 3;
    const WINOGRAD: u32 = 1 << 5;
    const DIRECT: u32 = CONV | DENSE;
    const BOTH: u32 = DIRECT | WINOGRAD;
    const OPERATORS: u32 = DIRECT | 1 << 2 | 1 << 4 | 0b11_1111 << 15;
    let cases = cases::all();
    let case = cases.iter().find(|case| case.kernel == 3 && case.in_channels == 8).unwrap();
    let (direct, winograd) = (pack(&case.network(Algorithm::Direct)), pack(&case.network(Algorithm::Winograd)));
    let every_operator = pack(&every_operator());
    for (file, expected) in [(&direct, DIRECT), (&winograd, BOTH), (&every_operator, OPERATORS)] {
        let model = Model::parse(file).unwrap();
        assert_eq!(model.uses(), expected, "{:#b}", model.uses());
        let mut arena = vec![0; model.arena_len()];
        let missing = Network::<Only<DENSE>>::with_kernels(&model, &mut arena);
        assert_eq!(missing.err(), Some(NetworkError::KernelMissing));
        let pixels = cases::image(model.input_row_len() * usize::from(model.input().height), 3);
        let found: Vec<i32> = match expected {
            DIRECT => with_kernels::<DIRECT>(&model, &pixels),
            BOTH => with_kernels::<BOTH>(&model, &pixels),
            _ => with_kernels::<OPERATORS>(&model, &pixels),
        };
        assert_eq!(found, *logits(file, 0).get(3).unwrap_or(&found));
    }
}

/// The logits of an image with some of the kernels only.
fn with_kernels<const USES: u32>(model: &Model<'_>, pixels: &[u8]) -> Vec<i32> {
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::<Only<USES>>::with_kernels(model, &mut arena).unwrap();
    network.classify(pixels).unwrap().logits().iter().collect()
}
