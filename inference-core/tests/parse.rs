//! Whatever the bytes: `Model::parse` refuses them with a reason, or running them is safe.

#[allow(dead_code, reason = "shared with other tests")]
mod builder;

use builder::networks::{byte_result, every_operator};
use builder::{Draft, pack, seal};
use thumbnet::format::{
    Activation, HEADER_LEN, Header, LAYER_LEN, Layer, MAX_DIMENSION, MAX_LAYERS, Map, NO_MAP, Op, Pool, Shape, VERSION,
};
use thumbnet::{Model, Network, ParseError};

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
        // Of a single output, the class is whether it is above zero.
        assert!(class < model.outputs().max(2));
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
    assert_eq!((model.outputs(), model.output()), (3, Shape { height: 1, width: 1, channels: 3 }));
    assert_eq!((model.input_scale(), model.input_zero_point(), model.output_scale()), (0.25, 0, 0.5));
    assert_eq!(model.input(), Shape { height: 12, width: 11, channels: 1 });
    assert_eq!(model.layer(drafts.len()), None);
    for (layer, draft) in model.layers().zip(&drafts) {
        assert_eq!((layer.op, layer.output), (draft.layer.op, draft.layer.output));
        let weights: Vec<i8> = model.parameters(&layer).weights.iter().map(|&weight| weight as i8).collect();
        assert_eq!(weights[..draft.weights.len()], draft.weights);
    }
    parse_and_run(&file).unwrap();
    let file = pack(&byte_result());
    let model = Model::parse(&file).unwrap();
    assert_eq!((model.outputs(), model.output(), model.input_zero_point()), (60, model.input(), 128));
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
fn a_file_that_was_proved_elsewhere_is_known_by_its_checksum() {
    let file = pack(&every_operator());
    assert_eq!(Model::proved(&file).unwrap().layer_count(), Model::parse(&file).unwrap().layer_count());
    assert_eq!(Model::proved(&file[1..]).unwrap_err(), ParseError::NotAModel);
    assert_eq!(Model::proved(&file[..file.len() - 1]).unwrap_err(), ParseError::Length { expected: file.len() as u32 });
    let mut damaged = file.clone();
    damaged[HEADER_LEN + 40] ^= 1;
    assert_eq!(Model::proved(&damaged).unwrap_err(), ParseError::Checksum);
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
    let (mut refused, mut ran) = (0, 0);
    for drafts in [every_operator(), byte_result()] {
        let file = pack(&drafts);
        let records = HEADER_LEN + drafts.len() * LAYER_LEN;
        for index in (16..records).step_by(STEP) {
            for value in [0, 1, 3, 16, 255] {
                let mut changed = file.clone();
                changed[index] = value;
                seal(&mut changed);
                match parse_and_run(&changed) {
                    Ok(()) => ran += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!((refused > 1000 && ran > 500) || cfg!(miri), "{refused} refused, {ran} ran");
}

#[test]
fn other_versions_and_unknown_codes_are_named() {
    for version in [0, 1, VERSION + 1] {
        let mut other = pack(&every_operator());
        other[4..6].copy_from_slice(&version.to_le_bytes());
        assert_eq!(Model::parse(&other).unwrap_err(), ParseError::Version { found: version });
    }
    for code in 0..3 {
        let mut unknown = pack(&every_operator());
        unknown[HEADER_LEN + LAYER_LEN + code] = 200;
        seal(&mut unknown);
        assert_eq!(Model::parse(&unknown).unwrap_err(), ParseError::UnknownCode { layer: 1 });
    }
    assert!(ParseError::Version { found: 9 }.to_string().contains("compile the model again"));
}

#[test]
fn bytes_without_a_meaning_must_be_zero() {
    let file = pack(&every_operator());
    let with = |index: usize| {
        let mut changed = file.clone();
        assert_eq!(changed[index], 0, "byte {index}");
        changed[index] = 1;
        seal(&mut changed);
        parse_and_run(&changed)
    };
    for index in [29].into_iter().chain(53..56) {
        assert_eq!(with(index), Err(ParseError::Header), "byte {index}");
    }
    for index in [29].into_iter().chain(76..80) {
        assert_eq!(with(HEADER_LEN + 3 * LAYER_LEN + index), Err(ParseError::UnknownCode { layer: 3 }), "byte {index}");
    }
}

#[test]
fn what_enters_is_said_for_all_channels_or_for_each() {
    let with = |change: fn(&mut Header)| {
        let mut file = pack(&every_operator());
        let end = (file.len() as u32).next_multiple_of(16);
        file.resize(end as usize, 0);
        file.extend([0.5f32, -1.0].iter().flat_map(|real| real.to_le_bytes()));
        let bytes: &mut [u8; HEADER_LEN] = file.first_chunk_mut().unwrap();
        let mut header = Header::decode(bytes);
        (header.file_len, header.input_section) = (end + 8, end);
        change(&mut header);
        *bytes = header.encode();
        seal(&mut file);
        file
    };
    let file = pack(&every_operator());
    let plain = Model::parse(&file).unwrap();
    assert_eq!(
        (plain.input_real(0), plain.has_input_channels(), plain.input_is_transposed()),
        ([0.25, 0.0], false, false)
    );
    let file = with(|header| (header.input_section, header.input_offset, header.input_transposed) = (0, -0.5, 1));
    let model = Model::parse(&file).unwrap();
    assert_eq!((model.input_real(3), model.input_is_transposed()), ([0.25, -0.5], true));
    let file = with(|_| {});
    let model = Model::parse(&file).unwrap();
    assert_eq!((model.input_real(0), model.has_input_channels()), ([0.5, -1.0], true));
    for change in [
        (|header| header.input_section += 16) as fn(&mut Header),
        |header| header.input_section -= 1,
        |header| header.input_section = u32::MAX - 15,
        |header| header.input_transposed = 2,
    ] {
        assert_eq!(parse_and_run(&with(change)), Err(ParseError::Header));
    }
}

/// The error for a file whose header was changed after packing.
fn error_with_header(change: impl FnOnce(&mut Header)) -> ParseError {
    let mut file = pack(&every_operator());
    let bytes: &mut [u8; HEADER_LEN] = file.first_chunk_mut().unwrap();
    let mut header = Header::decode(bytes);
    header.name[..4].copy_from_slice(b"test");
    change(&mut header);
    *bytes = header.encode();
    seal(&mut file);
    parse_and_run(&file).unwrap_err()
}

#[test]
fn headers_beyond_the_limits_are_refused() {
    assert_eq!(error_with_header(|header| header.layer_count = 0), ParseError::Header);
    assert_eq!(error_with_header(|header| header.layer_count = MAX_LAYERS as u16 + 1), ParseError::Header);
    assert_eq!(error_with_header(|header| header.input.shape.channels = 0), ParseError::Header);
    assert_eq!(error_with_header(|header| header.input.shape.width = MAX_DIMENSION + 1), ParseError::Header);
    // What enters has its ring in the header.
    let arena = |change: fn(&mut Map)| error_with_header(|header| change(&mut header.input));
    assert_eq!(arena(|map| map.ring.rows = 0), ParseError::Arena { layer: 0 });
    assert_eq!(arena(|map| map.ring.rows = 13), ParseError::Arena { layer: 0 });
    assert_eq!(arena(|map| map.ring.rows -= 1), ParseError::Arena { layer: 0 });
    assert_eq!(arena(|map| map.ring.offset = 1 << 20), ParseError::Arena { layer: 0 });
    assert_eq!(arena(|map| map.ring.pad_left = 0), ParseError::Arena { layer: 0 });
    assert_eq!(arena(|map| map.ring.pad_right = 15), ParseError::Arena { layer: 0 });
    assert_eq!(error_with_header(|header| header.arena_len -= 1), ParseError::Arena { layer: 11 });
}

/// The error for a file whose layer `index` was changed after packing.
fn error_in(drafts: &[Draft], index: usize, change: impl FnOnce(&mut Layer)) -> ParseError {
    let mut file = pack(drafts);
    let mut layer = Model::parse(&file).unwrap().layer(index).unwrap();
    change(&mut layer);
    let start = HEADER_LEN + index * LAYER_LEN;
    file[start..start + LAYER_LEN].copy_from_slice(&layer.encode());
    seal(&mut file);
    parse_and_run(&file).unwrap_err()
}

/// The layers of [`every_operator`].
const CONV: usize = 0;
const DEPTHWISE: usize = 1;
const TABLE: usize = 2;
const GROUPED: usize = 3;
const AVERAGE_POOL: usize = 4;
const ADD: usize = 5;
const CONCAT: usize = 6;
const MAX_POOL: usize = 7;
const TWICE: usize = 8;
const AVERAGE: usize = 9;
const VECTOR: usize = 10;
const LOGITS: usize = 11;

fn error_with(index: usize, change: impl FnOnce(&mut Layer)) -> ParseError {
    error_in(&every_operator(), index, change)
}

/// Checks that each of these changes is refused, because of the layer's shape.
fn refuses_shapes(index: usize, changes: &[fn(&mut Layer)]) {
    for (number, change) in changes.iter().enumerate() {
        assert_eq!(error_with(index, change), ParseError::Shape { layer: index as u16 }, "change {number}");
    }
}

#[test]
fn inconsistent_layers_are_named() {
    refuses_shapes(CONV, &[|layer| layer.window.pad_top = 3, |layer| layer.window.kernel_height = 0]);
    refuses_shapes(DEPTHWISE, &[|layer| layer.output.width += 1, |layer| layer.pool.stride = 3]);
    refuses_shapes(TABLE, &[|layer| layer.window.kernel_width = 0, |layer| layer.window.stride_height = 16]);
    let section = |index: usize| ParseError::Section { layer: index as u16 };
    assert_eq!(error_with(AVERAGE, |layer| layer.bias_offset += 4), section(AVERAGE));
    assert_eq!(error_with(VECTOR, |layer| layer.weights_offset = 1 << 20), section(VECTOR));
    assert_eq!(error_with(VECTOR, |layer| layer.weights_offset = 0), section(VECTOR));
    assert_eq!(error_with(VECTOR, |layer| layer.weights_len -= 1), section(VECTOR));
    assert_eq!(error_with(GROUPED, |layer| layer.table_offset = 1 << 20), section(GROUPED));
    assert_eq!(error_with(ADD, |layer| layer.multiplier_offset = 3), section(ADD));
    assert_eq!(error_with(AVERAGE_POOL, |layer| layer.shift_offset = u32::MAX), section(AVERAGE_POOL));
    assert_eq!(error_with(LOGITS, |layer| layer.multiplier_offset = 0), section(LOGITS));
    let clamp = |layer: &mut Layer| (layer.low, layer.high) = (9, 8);
    assert_eq!(error_with(CONV, clamp), ParseError::Requantization { layer: 0 });
    assert_eq!(error_with(MAX_POOL, clamp), ParseError::Requantization { layer: 7 });
}

#[test]
fn layers_read_maps_that_are_made_before_them() {
    // Its own, a later one, none, one twice.
    refuses_shapes(CONV, &[|layer| layer.inputs = [1, NO_MAP], |layer| layer.inputs = [NO_MAP; 2]]);
    refuses_shapes(DEPTHWISE, &[|layer| layer.inputs = [2, NO_MAP], |layer| layer.inputs = [12, NO_MAP]]);
    refuses_shapes(ADD, &[|layer| layer.inputs = [6, 5], |layer| layer.inputs = [5, 5]]);
    refuses_shapes(ADD, &[|layer| layer.inputs = [NO_MAP, 5], |layer| layer.inputs = [5, 200]]);
    // As many as the operator has.
    refuses_shapes(ADD, &[|layer| layer.inputs = [5, NO_MAP]]);
    refuses_shapes(MAX_POOL, &[|layer| layer.inputs = [7, 6]]);
    refuses_shapes(VECTOR, &[|layer| layer.inputs = [10, 9]]);
    // Shapes that fit, so that only the operator asks for one map.
    refuses_shapes(GROUPED, &[|layer| layer.inputs = [1, 2]]);
}

#[test]
fn every_map_but_the_last_is_read() {
    // Nobody reads map 5 then: the layer that makes it is named.
    assert_eq!(error_with(ADD, |layer| layer.inputs = [3, 2]), ParseError::Shape { layer: 4 });
    assert_eq!(error_with(CONCAT, |layer| layer.inputs = [6, 2]), ParseError::Shape { layer: 3 });
}

#[test]
fn joined_maps_must_fit() {
    let (five, six) = (Shape { height: 3, width: 3, channels: 5 }, Shape { height: 3, width: 3, channels: 6 });
    let conv = |channels| Draft::new(Op::Conv, five, channels).reads(0);
    let add = |first, second| Draft::new(Op::Add, five, 0).joins(first, second);
    assert_eq!(parse_and_run(&pack(&[conv(5), add(0, 1)])), Ok(()));
    assert_eq!(parse_and_run(&pack(&[conv(6), add(0, 1)])), Err(ParseError::Shape { layer: 1 }));
    let higher = conv(5).shaped(|layer| layer.window.pad_top = 0).shaped(|layer| {
        layer.window.kernel_height = 2;
    });
    assert_eq!(parse_and_run(&pack(&[higher.clone(), add(0, 1)])), Err(ParseError::Shape { layer: 1 }));
    let concat = |channels| Draft::new(Op::Concat, five, channels).joins(0, 1);
    assert_eq!(parse_and_run(&pack(&[conv(6), concat(11)])), Ok(()));
    for channels in [10, 12] {
        assert_eq!(parse_and_run(&pack(&[conv(6), concat(channels)])), Err(ParseError::Shape { layer: 1 }));
    }
    assert_eq!(parse_and_run(&pack(&[higher, concat(10)])), Err(ParseError::Shape { layer: 1 }));
    let first_is_larger = Draft::new(Op::Concat, six, 11).joins(1, 0);
    assert_eq!(parse_and_run(&pack(&[conv(6), first_is_larger])), Ok(()));
}

#[test]
fn operators_refuse_what_they_do_not_have() {
    // Windows and poolings.
    for index in [ADD, CONCAT, AVERAGE, VECTOR, LOGITS] {
        refuses_shapes(index, &[|layer| layer.window.pad_right = 1, |layer| layer.window.stride_width = 2]);
    }
    for index in [MAX_POOL, AVERAGE_POOL] {
        refuses_shapes(index, &[|layer| layer.pool = Pool { size: 2, stride: 1, pad_bottom: 1, pad_right: 1 }]);
    }
    // Groups and factors.
    for index in [CONV, DEPTHWISE, AVERAGE_POOL, ADD, CONCAT, MAX_POOL, AVERAGE, VECTOR, LOGITS] {
        refuses_shapes(index, &[|layer| layer.groups = 0, |layer| layer.groups = 2]);
    }
    for index in [CONV, DEPTHWISE, GROUPED, AVERAGE_POOL, CONCAT, MAX_POOL, AVERAGE, VECTOR, LOGITS] {
        refuses_shapes(index, &[|layer| layer.factors[0] = 1, |layer| layer.factors[1] = -1]);
    }
    // Four channels in, six out: three groups divide only one, four only the other.
    refuses_shapes(GROUPED, &[|layer| layer.groups = 0, |layer| layer.groups = 3, |layer| layer.groups = 4]);
    // No multiple of the input's channels.
    refuses_shapes(TWICE, &[|layer| layer.output.channels = 21, |layer| layer.output.channels = 5]);
    // What a max pooling does is the same before and after its clamp.
    refuses_shapes(MAX_POOL, &[|layer| layer.activation = Activation::Table, |layer| layer.output_zero_point = 1]);
    // Winograd is a way to convolve.
    let winograd = |layer: &mut Layer| layer.algorithm = thumbnet::format::Algorithm::Winograd;
    for index in [ADD, CONCAT, MAX_POOL, AVERAGE_POOL, DEPTHWISE, GROUPED, AVERAGE, VECTOR, LOGITS] {
        refuses_shapes(index, &[winograd]);
    }
}

#[test]
fn only_a_dense_layer_at_the_end_gives_logits() {
    for index in 0..LOGITS {
        refuses_shapes(index, &[|layer| layer.activation = Activation::Logits]);
    }
    let input = Shape { height: 2, width: 2, channels: 1 };
    for op in [Op::Conv, Op::DepthwiseConv, Op::GroupedConv, Op::GlobalAveragePool, Op::AveragePool, Op::MaxPool] {
        let file = pack(&[Draft::new(op, input, 1).logits()]);
        assert_eq!(parse_and_run(&file), Err(ParseError::Shape { layer: 0 }), "{op:?}");
        // The same with bytes is a model.
        assert_eq!(parse_and_run(&pack(&[Draft::new(op, input, 1)])), Ok(()), "{op:?}");
    }
    assert_eq!(parse_and_run(&pack(&[Draft::new(Op::Dense, input, 1)])), Ok(()));
    assert_eq!(parse_and_run(&pack(&[Draft::new(Op::Dense, input, 1).logits()])), Ok(()));
}

#[test]
fn what_leaves_has_a_limit() {
    let conv = |width| {
        let input = Shape { height: 16, width, channels: 1 };
        pack(&[Draft::new(Op::Conv, input, 32)])
    };
    assert_eq!(parse_and_run(&conv(32)), Ok(()));
    assert_eq!(parse_and_run(&conv(33)), Err(ParseError::Shape { layer: 0 }));
}

#[test]
fn memory_that_is_too_small_is_named() {
    let arena = |index: usize| ParseError::Arena { layer: index as u16 };
    assert_eq!(error_with(CONV, |layer| layer.ring.offset = 1 << 20), arena(CONV));
    assert_eq!(error_with(CONV, |layer| layer.ring.rows -= 1), arena(CONV));
    assert_eq!(error_with(GROUPED, |layer| layer.ring.rows = layer.output.height + 1), arena(GROUPED));
    assert_eq!(error_with(GROUPED, |layer| layer.ring.rows = 0), arena(GROUPED));
    assert_eq!(error_with(TABLE, |layer| layer.start_rows = layer.input.height + 1), arena(TABLE));
    assert_eq!(error_with(AVERAGE, |layer| layer.scratch_len -= 4), arena(AVERAGE));
    assert_eq!(error_with(AVERAGE, |layer| layer.scratch_len += 4), arena(AVERAGE));
    // A dense layer that makes logits keeps its sums, one that makes bytes of a vector has none.
    assert_eq!(error_with(LOGITS, |layer| layer.scratch_len = 0), arena(LOGITS));
    assert_eq!(error_with(LOGITS, |layer| layer.scratch_offset += 2), arena(LOGITS));
    assert_eq!(error_with(LOGITS, |layer| layer.scratch_offset += 4), arena(LOGITS));
    // Narrower than one of its readers: of map 1 that is the convolution in groups at the right, both at the left.
    assert_eq!(error_with(CONV, |layer| layer.ring.pad_left = 0), arena(DEPTHWISE));
    assert_eq!(error_with(CONV, |layer| layer.ring.pad_right = 0), arena(GROUPED));
    assert_eq!(error_with(CONV, |layer| layer.ring.pad_right = 15), arena(CONV));
}

#[test]
fn the_last_map_is_the_result() {
    let arena = ParseError::Arena { layer: 1 };
    let last = |change: fn(&mut Layer)| error_in(&byte_result(), 1, change);
    assert_eq!(last(|layer| layer.ring.rows -= 1), arena);
    assert_eq!(last(|layer| layer.ring.rows += 1), arena);
    assert_eq!(last(|layer| layer.ring.pad_left = 1), arena);
    assert_eq!(last(|layer| layer.ring.pad_right = 1), arena);
    assert_eq!(last(|layer| layer.ring.offset = 1 << 20), arena);
    // Logits have no rows.
    assert_eq!(error_with(LOGITS, |layer| layer.ring.rows = 1), ParseError::Arena { layer: 11 });
    assert_eq!(error_with(LOGITS, |layer| layer.ring.pad_left = 1), ParseError::Arena { layer: 11 });
}

#[test]
fn memory_that_is_overwritten_too_early_is_named() {
    let file = pack(&every_operator());
    let model = Model::parse(&file).unwrap();
    let layer = |index| model.layer(index).unwrap();
    // The second layer's rows come where what enters still is: that is said of the first layer.
    assert_eq!(error_with(CONV, |layer| layer.ring.offset = 0), ParseError::Arena { layer: 0 });
    // Map 1 waits for the slower of its two readers.
    let over_conv = |changed: &mut Layer| changed.ring.offset = layer(CONV).ring.offset;
    let found = error_with(TABLE, over_conv);
    assert!(matches!(found, ParseError::Arena { layer: 0 | 2 }), "{found:?}");
    // Both maps that an add reads are there while it writes.
    for map in [TABLE, AVERAGE_POOL] {
        let found = error_with(ADD, |changed| changed.ring.offset = layer(map).ring.offset);
        assert_eq!(found, ParseError::Arena { layer: map as u16 });
    }
    // A row is lost while its reader waits.
    let waiting = error_with(TABLE, |layer| layer.start_rows = layer.input.height);
    assert!(matches!(waiting, ParseError::Arena { .. }), "{waiting:?}");
    // The average reads a row while it adds.
    let over_row = |changed: &mut Layer| changed.scratch_offset = layer(TWICE).ring.offset.next_multiple_of(4);
    assert_eq!(error_with(AVERAGE, over_row), ParseError::Arena { layer: TWICE as u16 });
    let over_sums = |changed: &mut Layer| changed.ring.offset = layer(AVERAGE).scratch_offset;
    assert_eq!(error_with(TWICE, over_sums), ParseError::Arena { layer: TWICE as u16 });
    // And its sums while it writes its result, or others a row.
    assert_eq!(error_with(AVERAGE, over_sums), ParseError::Arena { layer: AVERAGE as u16 });
    let found = error_with(MAX_POOL, over_sums);
    assert!(matches!(found, ParseError::Arena { layer: 7 | 9 }), "{found:?}");
    // A result that is written where an earlier row of it is.
    let found = error_in(&byte_result(), 0, |changed| changed.ring.offset = 0);
    assert_eq!(found, ParseError::Arena { layer: 0 });
}

#[test]
fn multipliers_and_shifts_out_of_range_are_refused() {
    for (index, draft) in every_operator().iter().enumerate().filter(|(_, draft)| draft.layer.scales() > 0) {
        let last = draft.layer.scales() - 1;
        let refused = Err(ParseError::Requantization { layer: index as u16 });
        let changes: [fn(&mut Draft, usize); 4] = [
            |draft, scale| draft.multipliers[scale] = -1,
            |draft, scale| draft.multipliers[scale] = 0,
            |draft, scale| draft.shifts[scale] = 63,
            |draft, scale| draft.shifts[scale] = 0,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut drafts = every_operator();
            change(&mut drafts[index], last);
            assert_eq!(parse_and_run(&pack(&drafts)), refused, "layer {index}, change {number}");
        }
    }
}
