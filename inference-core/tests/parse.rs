//! Whatever the bytes: `Model::parse` refuses them with a reason, or running them is safe.

mod builder;

use builder::{Draft, every_operator, pack, seal};
use inference_core::format::{HEADER_LEN, LAYER_LEN, Layer, Op, Shape};
use inference_core::{Model, Network, ParseError};

/// Of the many damaged files, Miri takes every so many: a checksum takes it long.
const STEP: usize = if cfg!(miri) { 197 } else { 1 };

/// Parses and, where that succeeds, runs an image.
fn parse_and_run(bytes: &[u8]) -> Result<(), ParseError> {
    let model = Model::parse(bytes)?;
    // A hostile header may ask for up to 4 GB; a board would refuse it too.
    if model.arena_len() < 1 << 20 {
        let mut arena = vec![0; model.arena_len()];
        let mut network = Network::new(&model, &mut arena).unwrap();
        let pixels = vec![200; model.input_row_len() * usize::from(model.input().height)];
        let class = network.classify(&pixels).unwrap().class();
        assert!(class < model.classes());
    }
    Ok(())
}

#[test]
fn a_good_model_says_what_it_is() {
    let drafts = every_operator();
    let file = pack(&drafts);
    let model = Model::parse(&file).unwrap();
    assert_eq!(model.name(), "test");
    assert_eq!(model.layer_count(), drafts.len());
    assert_eq!(model.classes(), 3);
    assert_eq!(model.input(), Shape { height: 12, width: 11, channels: 1 });
    assert_eq!(model.layer(drafts.len()), None);
    for (layer, draft) in model.layers().zip(&drafts) {
        assert_eq!((layer.op, layer.output), (draft.layer.op, draft.layer.output));
        let weights: Vec<i8> = model.parameters(&layer).weights.iter().map(|&weight| weight as i8).collect();
        assert_eq!(weights[..draft.weights.len()], draft.weights);
    }
    parse_and_run(&file).unwrap();
}

#[test]
fn every_truncation_is_refused() {
    let file = pack(&every_operator());
    for len in (0..file.len()).step_by(STEP) {
        let error = parse_and_run(&file[..len]).unwrap_err();
        let expected = ParseError::Length { expected: file.len() as u32 };
        assert_eq!(error, if len < HEADER_LEN { ParseError::NotAModel } else { expected }, "{len} bytes");
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let file = pack(&every_operator());
    for index in (0..file.len()).step_by(STEP) {
        let mut damaged = file.clone();
        damaged[index] ^= 0x10;
        assert!(parse_and_run(&damaged).is_err(), "byte {index}");
    }
}

#[test]
fn a_changed_file_with_a_right_checksum_is_refused_or_runs() {
    let file = pack(&every_operator());
    let records = HEADER_LEN + every_operator().len() * LAYER_LEN;
    let (mut refused, mut ran) = (0, 0);
    for index in (16..records).step_by(STEP) {
        for value in [0, 1, 2, 3, 7, 16, 127, 128, 255] {
            let mut changed = file.clone();
            changed[index] = value;
            seal(&mut changed);
            match parse_and_run(&changed) {
                Ok(()) => ran += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!((refused > 1000 && ran > 500) || cfg!(miri), "{refused} refused, {ran} ran");
}

#[test]
fn unknown_versions_and_codes_are_named() {
    let mut newer = pack(&every_operator());
    newer[4] = 2;
    assert_eq!(Model::parse(&newer).unwrap_err(), ParseError::Version { found: 2 });
    let mut unknown = pack(&every_operator());
    unknown[HEADER_LEN + LAYER_LEN] = 200;
    seal(&mut unknown);
    assert_eq!(Model::parse(&unknown).unwrap_err(), ParseError::UnknownCode { layer: 1 });
    assert!(ParseError::Version { found: 2 }.to_string().contains("compile the model again"));
}

/// The error for a file whose layer `index` was changed after packing.
fn error_with(index: usize, change: impl FnOnce(&mut Layer)) -> ParseError {
    let mut file = pack(&every_operator());
    let start = HEADER_LEN + index * LAYER_LEN;
    let record: &mut [u8; LAYER_LEN] = (&mut file[start..start + LAYER_LEN]).try_into().unwrap();
    let mut layer = Layer::decode(record).unwrap();
    change(&mut layer);
    *record = layer.encode();
    seal(&mut file);
    parse_and_run(&file).unwrap_err()
}

#[test]
fn inconsistent_layers_are_named() {
    assert_eq!(error_with(1, |layer| layer.output.width += 1), ParseError::Shape { layer: 1 });
    assert_eq!(error_with(2, |layer| layer.window.kernel_width = 0), ParseError::Shape { layer: 2 });
    assert_eq!(error_with(0, |layer| layer.window.pad_top = 3), ParseError::Shape { layer: 0 });
    assert_eq!(error_with(3, |layer| layer.bias_offset += 4), ParseError::Section { layer: 3 });
    assert_eq!(error_with(4, |layer| layer.weights_offset = 1 << 20), ParseError::Section { layer: 4 });
    assert_eq!(error_with(4, |layer| layer.weights_offset = 0), ParseError::Section { layer: 4 });
    assert_eq!(error_with(0, |layer| (layer.low, layer.high) = (9, 8)), ParseError::Requantization { layer: 0 });
    assert_eq!(error_with(0, |layer| layer.ring_offset = 1 << 20), ParseError::Arena { layer: 0 });
    assert_eq!(error_with(0, |layer| layer.ring_rows -= 1), ParseError::Arena { layer: 0 });
    assert_eq!(error_with(1, |layer| layer.ring_rows = layer.input.height + 1), ParseError::Arena { layer: 1 });
    assert_eq!(error_with(2, |layer| layer.start_rows = layer.input.height + 1), ParseError::Arena { layer: 2 });
    assert_eq!(error_with(3, |layer| layer.scratch_len -= 4), ParseError::Arena { layer: 3 });
    assert_eq!(error_with(5, |layer| layer.scratch_offset += 2), ParseError::Arena { layer: 5 });
    assert_eq!(error_with(5, |layer| layer.scratch_offset += 4), ParseError::Arena { layer: 5 });
}

#[test]
fn memory_that_is_overwritten_too_early_is_named() {
    // The second layer's rows come where the first one's still are; a row of its own ring is lost while it waits.
    assert_eq!(error_with(1, |layer| layer.ring_offset = 0), ParseError::Arena { layer: 0 });
    assert_eq!(error_with(1, |layer| layer.start_rows = layer.input.height), ParseError::Arena { layer: 1 });
    // The average reads a row while it adds, and its sums while the next layer's row is written.
    let aligned = |layer: &mut Layer| layer.scratch_offset = layer.ring_offset.next_multiple_of(4);
    assert_eq!(error_with(3, aligned), ParseError::Arena { layer: 3 });
    let file = pack(&every_operator());
    let average = Model::parse(&file).unwrap().layer(3).unwrap();
    assert_eq!(error_with(4, |layer| layer.ring_offset = average.scratch_offset), ParseError::Arena { layer: 4 });
}

#[test]
fn multipliers_and_shifts_out_of_range_are_refused() {
    let mut drafts = every_operator();
    drafts[0].multipliers[1] = -1;
    assert_eq!(parse_and_run(&pack(&drafts)), Err(ParseError::Requantization { layer: 0 }));
    let mut drafts = every_operator();
    drafts[1].shifts[3] = 63;
    assert_eq!(parse_and_run(&pack(&drafts)), Err(ParseError::Requantization { layer: 1 }));
}

#[test]
fn the_last_layer_gives_logits() {
    let input = Shape { height: 2, width: 2, channels: 1 };
    let file = pack(&[Draft::new(Op::Dense, input, 2)]);
    assert_eq!(Model::parse(&file).unwrap_err(), ParseError::Shape { layer: 0 });
}
