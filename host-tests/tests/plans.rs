//! Plans of the memory for random networks: no answer changes, and no byte is overwritten while it is needed.

use host_tests::rng::Rng;
use host_tests::{models, networks, random, reference};
use thumbnet::format::{Activation, Algorithm, HEADER_LEN, Header, LAYER_LEN, Layer, Map, Op, Ring, checksum};
use thumbnet::schedule::Layers;
use thumbnet::{Model, Network, arena};
use thumbnet_compiler::pack::pack;
use thumbnet_compiler::{Core, Optimize};

const NETWORKS: u64 = 600;
const OPTIMIZE: [Optimize; 3] = [Optimize::Speed, Optimize::Flash, Optimize::Ram];
/// Bytes around the arena that must stay as they are.
const GUARD: usize = 64;

/// The logits of an image, in an arena of poisoned bytes between guards.
fn logits(model: &Model<'_>, image: &[u8], poison: u8) -> Vec<i32> {
    let mut memory = vec![poison; model.arena_len() + 2 * GUARD];
    let mut network = Network::new(model, &mut memory[GUARD..]).unwrap();
    let logits = network.classify(image).unwrap().logits().iter().collect();
    let (before, arena) = memory.split_at(GUARD);
    assert!(before.iter().chain(&arena[model.arena_len()..]).all(|&byte| byte == poison), "outside the arena");
    logits
}

fn image(model: &Model<'_>, seed: u64) -> Vec<u8> {
    Rng::new(!seed).bytes(model.input_row_len() * usize::from(model.input().height))
}

#[test]
fn plans_change_no_answer() {
    let (mut in_place, mut smaller) = (0, 0);
    for seed in 0..NETWORKS {
        let roomy = random::model(seed);
        let roomy = Model::parse(&roomy).unwrap();
        let image = image(&roomy, seed);
        let wanted = reference::logits(&roomy, &image);
        for optimize in OPTIMIZE {
            let planned = random::planned(seed, optimize);
            let model = Model::parse(&planned).unwrap_or_else(|error| panic!("network {seed}: {error}"));
            for poison in [0x00, 0xa5, 0xff] {
                assert_eq!(logits(&model, &image, poison), wanted, "network {seed}, {optimize:?}");
            }
            let maps = maps(&model);
            let is_in_place =
                |(index, layer): &(usize, Layer)| layer.input_maps().any(|map| overlap(&maps[map], &maps[index + 1]));
            in_place += model.layers().enumerate().filter(is_in_place).count();
            smaller += usize::from(model.arena_len() < roomy.arena_len());
        }
    }
    assert!(in_place > 40 && smaller > 500, "{in_place} maps in place, {smaller} smaller arenas");
}

fn maps(model: &Model<'_>) -> Vec<Map> {
    (0..=model.layer_count()).filter_map(|map| model.map(map)).collect()
}

/// Whether the rings of two maps have bytes in common.
fn overlap(a: &Map, b: &Map) -> bool {
    let range =
        |map: &Map| (map.ring.offset, map.ring.offset + if map.ring.rows > 0 { map.ring_len() as u32 } else { 0 });
    let ((a_start, a_end), (b_start, b_end)) = (range(a), range(b));
    a_start.max(b_start) < a_end.min(b_end)
}

/// What a plan claims it needs: whatever is never written to belongs to the workspace of a kernel for boards, which the
/// host's kernels do not take, or is what aligning a workspace may cost.
#[test]
fn every_claimed_byte_is_written() {
    const ALIGNMENT: usize = 4;
    for spec in networks::all().unwrap() {
        let quantized = models::random(&spec).unwrap();
        for optimize in OPTIMIZE {
            let tnet = pack(&quantized, &spec.name, optimize, Core::default()).unwrap();
            let model = Model::parse(&tnet).unwrap();
            let unwritten = unwritten(&model);
            let of_kernels = |byte: usize| {
                model.layers().any(|layer| !layer.accumulates() && arena::scratch(&layer).contains(&byte))
            };
            println!("{}, {optimize:?}: {} of {} bytes", spec.name, unwritten.len(), model.arena_len());
            assert!(unwritten.iter().all(|&byte| of_kernels(byte)), "{}, {optimize:?}: {unwritten:?}", spec.name);
            // Winograd takes its workspace on the host, too.
            let is_of_boards = |layer: Layer| layer.op == Op::Conv && layer.algorithm == Algorithm::Direct;
            let most = match optimize {
                Optimize::Ram => 0,
                Optimize::Speed if !model.layers().any(is_of_boards) => ALIGNMENT,
                Optimize::Speed | Optimize::Flash => model.arena_len(),
            };
            assert!(unwritten.len() <= most, "{}, {optimize:?}: {unwritten:?}", spec.name);
        }
    }
}

/// The bytes of the arena that an inference leaves as they were, whatever that was.
fn unwritten(model: &Model<'_>) -> Vec<usize> {
    let image = image(model, 1);
    let [first, second] = [0x5a, 0xa5].map(|poison| {
        let mut memory = vec![poison; model.arena_len() + 16];
        // The arena of a board begins at a multiple of 16.
        let start = memory.as_ptr().align_offset(16);
        let arena = &mut memory[start..];
        Network::new(model, arena).unwrap().classify(&image).unwrap();
        arena.iter().map(|&byte| byte != poison).collect::<Vec<bool>>()
    });
    (0..model.arena_len()).filter(|&byte| !first[byte] && !second[byte]).collect()
}

/// A plan that was changed by hand is refused, or it gives the same answers.
#[test]
fn a_changed_plan_is_refused_or_works() {
    let (mut refused, mut ran) = (0, 0);
    for seed in 0..NETWORKS {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let file = random::planned(seed, rng.pick(&OPTIMIZE));
        let image = image(&Model::parse(&file).unwrap(), seed);
        let wanted = logits(&Model::parse(&file).unwrap(), &image, 0);
        for _ in 0..20 {
            let mut changed = file.clone();
            let what = change(&mut changed, &mut rng);
            let crc = checksum(&changed);
            changed[12..16].copy_from_slice(&crc.to_le_bytes());
            match Model::parse(&changed) {
                Ok(model) => {
                    assert_eq!(logits(&model, &image, 0x5a), wanted, "network {seed}: {what}");
                    ran += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 2000 && ran > 2000, "{refused} refused, {ran} ran");
}

/// Changes a number of the plan and says which.
fn change(file: &mut [u8], rng: &mut Rng) -> String {
    let model = Model::parse(file).unwrap();
    let (arena_len, maps, layers) = (model.arena_len(), maps(&model), model.layers().collect::<Vec<Layer>>());
    let index = rng.size(0..=layers.len() - 1);
    let start = HEADER_LEN + index * LAYER_LEN;
    let mut layer = layers[index];
    match rng.size(0..=5) {
        0 => layer.scratch_offset = rng.size(0..=arena_len / 4) as u32 * 4,
        1 => layer.start_rows = rng.size(0..=usize::from(layer.input.height) + 1) as u16,
        2 => {
            let header: &mut [u8; HEADER_LEN] = file.first_chunk_mut().unwrap();
            let mut changed = Header::decode(header);
            change_ring(&mut changed.input.ring, &maps[0], arena_len, rng);
            *header = changed.encode();
            return format!("{changed:?}");
        }
        _ => change_ring(&mut layer.ring, &maps[index + 1], arena_len, rng),
    }
    file[start..start + LAYER_LEN].copy_from_slice(&layer.encode());
    format!("{layer:?}")
}

fn change_ring(ring: &mut Ring, map: &Map, arena_len: usize, rng: &mut Rng) {
    match rng.size(0..=3) {
        0 => ring.rows = rng.size(0..=usize::from(map.shape.height)) as u16,
        1 => ring.pad_left = rng.size(0..=3) as u8,
        2 => ring.pad_right = rng.size(0..=3) as u8,
        _ => ring.offset = rng.size(0..=arena_len) as u32,
    }
}

/// What a byte of the arena holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Byte {
    Nothing,
    Padding { map: usize },
    Pixel { map: usize, row: usize },
    Scratch { layer: usize },
}

/// The arena, byte by byte, and the order of the work as `docs/model-format.md` tells it: it shares nothing
/// with the core but the records.
struct Simulation {
    layers: Vec<Layer>,
    maps: Vec<Map>,
    arena: Vec<Byte>,
    /// Rows of each map that are there.
    produced: Vec<usize>,
    /// Rows that each layer has made, or added to its sums.
    done: Vec<usize>,
}

impl Simulation {
    fn new(model: &Model<'_>) -> Self {
        let layers: Vec<Layer> = model.layers().collect();
        let count = layers.len();
        Self {
            layers,
            maps: maps(model),
            arena: vec![Byte::Nothing; model.arena_len()],
            produced: vec![0; count + 1],
            done: vec![0; count],
        }
    }

    fn run(&mut self) {
        for row in 0..usize::from(self.maps[0].shape.height) {
            self.put_row(0, row);
            self.produced[0] += 1;
            while let Some(index) = (0..self.layers.len()).rev().find(|&index| self.can_work(index)) {
                self.work(index);
            }
        }
        for (layer, &done) in self.layers.iter().zip(&self.done) {
            let all = if layer.accumulates() { layer.input.height } else { layer.output.height };
            assert_eq!(done, usize::from(all), "rows of {layer:?}");
        }
        let last = self.layers.len() - 1;
        if self.layers[last].activation == Activation::Logits {
            self.expect_scratch(last);
        } else {
            (0..self.produced[last + 1]).for_each(|row| self.expect_row(last + 1, row));
        }
    }

    /// Output rows of a step.
    fn outputs(&self, index: usize) -> std::ops::Range<usize> {
        let layer = &self.layers[index];
        let first = self.done[index];
        first..usize::from(layer.output.height).min(first + layer.rows_per_step())
    }

    /// Input rows that the step reads.
    fn inputs(&self, index: usize) -> Vec<usize> {
        let (layer, window) = (&self.layers[index], &self.layers[index].window);
        let conv_rows = self.outputs(index).flat_map(|row| {
            let first = row * usize::from(layer.pool.stride);
            first..layer.conv_height().min(first + usize::from(layer.pool.size))
        });
        let rows = conv_rows.flat_map(|row| {
            let first = row * usize::from(window.stride_height);
            first..first + usize::from(window.kernel_height)
        });
        let rows = rows.filter_map(|row| row.checked_sub(usize::from(window.pad_top)));
        rows.filter(|&row| row < usize::from(layer.input.height)).collect()
    }

    fn can_work(&self, index: usize) -> bool {
        let (layer, done) = (&self.layers[index], self.done[index]);
        // Rows that all its maps have.
        let there = layer.input_maps().map(|map| self.produced[map]).min().unwrap_or(0);
        if layer.accumulates() {
            return done < there;
        }
        done < usize::from(layer.output.height)
            && there > 0
            && self.inputs(index).iter().all(|&row| row < there)
            && (done > 0 || there >= usize::from(layer.start_rows))
    }

    /// Writes first, then looks whether all that was read is still there.
    fn work(&mut self, index: usize) {
        let layer = self.layers[index];
        if layer.accumulates() {
            self.accumulate(index, &layer);
            return;
        }
        let (inputs, outputs) = (self.inputs(index), self.outputs(index));
        self.put_scratch(index);
        for row in outputs.clone() {
            self.put_row(index + 1, row);
        }
        for map in layer.input_maps() {
            inputs.iter().for_each(|&row| self.expect_row(map, row));
        }
        self.expect_scratch(index);
        self.done[index] += outputs.len();
        self.produced[index + 1] += outputs.len();
    }

    fn accumulate(&mut self, index: usize, layer: &Layer) {
        let row = self.done[index];
        if row > 0 {
            self.expect_scratch(index);
        }
        self.put_scratch(index);
        self.done[index] += 1;
        let makes_row = self.done[index] == usize::from(layer.input.height) && layer.activation != Activation::Logits;
        if makes_row {
            self.put_row(index + 1, 0);
            self.produced[index + 1] += 1;
        }
        layer.input_maps().for_each(|map| self.expect_row(map, row));
        self.expect_scratch(index);
    }

    /// The bytes that a row consists of, in order.
    fn row(&self, map: usize, row: usize) -> (usize, Vec<Byte>) {
        let Map { shape, ring, .. } = self.maps[map];
        let slot = row % usize::from(ring.rows);
        let channels = usize::from(shape.channels);
        let [left, width, right] = [ring.pad_left.into(), shape.width, ring.pad_right.into()]
            .map(|pixels: u16| usize::from(pixels) * channels);
        let mut bytes = vec![Byte::Padding { map }; left];
        bytes.extend(vec![Byte::Pixel { map, row }; width]);
        bytes.extend(vec![Byte::Padding { map }; right]);
        (ring.offset as usize + slot * (width + left.max(right)), bytes)
    }

    fn put_row(&mut self, map: usize, row: usize) {
        let (start, bytes) = self.row(map, row);
        self.arena[start..start + bytes.len()].copy_from_slice(&bytes);
    }

    fn expect_row(&self, map: usize, row: usize) {
        let (start, bytes) = self.row(map, row);
        assert_eq!(self.arena[start..start + bytes.len()], bytes, "row {row} of map {map}");
    }

    fn scratch(&self, index: usize) -> std::ops::Range<usize> {
        let layer = &self.layers[index];
        layer.scratch_offset as usize..(layer.scratch_offset + layer.scratch_len) as usize
    }

    fn put_scratch(&mut self, index: usize) {
        let range = self.scratch(index);
        self.arena[range].fill(Byte::Scratch { layer: index });
    }

    fn expect_scratch(&self, index: usize) {
        let range = self.scratch(index);
        assert!(
            self.arena[range].iter().all(|byte| *byte == Byte::Scratch { layer: index }),
            "scratch of layer {index}"
        );
    }
}

#[test]
fn no_byte_is_overwritten_while_it_is_needed_and_none_at_the_end_is_claimed_in_vain() {
    for seed in 0..NETWORKS {
        let simulate = |file: &[u8]| {
            let mut simulation = Simulation::new(&Model::parse(file).unwrap());
            simulation.run();
            simulation.arena
        };
        simulate(&random::model(seed));
        for optimize in OPTIMIZE {
            let arena = simulate(&random::planned(seed, optimize));
            assert_ne!(arena.last(), Some(&Byte::Nothing), "network {seed}, {optimize:?}: the last byte is never used");
        }
    }
}
