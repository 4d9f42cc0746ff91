//! The kernels on every emulated board against the portable ones of the host: the networks that the core's own tests
//! run, as many as the board has memory for.

#[allow(dead_code, reason = "shared with other tests")]
#[path = "../../inference-core/tests/builder/mod.rs"]
mod builder;
#[path = "../../inference-core/tests/cases/mod.rs"]
mod cases;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use builder::Draft;
use tempfile::NamedTempFile;
use thumbnet::format::Algorithm;
use thumbnet::{Model, Network};
use thumbnet_device::{Board, Emulator, FirmwareImage};

/// Seeds of the images of a case; the last one is as bright as an image can be.
const SEEDS: [u32; 2] = [1, 3];
/// Bytes of its memory that a board needs besides a case's arena: stack, guards, alignment.
const OTHER_MEMORY: u64 = 4 * 1024 + 64;
/// How long a board may take for all cases.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A network, its images and what the host makes of them.
struct Sample {
    name: String,
    model: Vec<u8>,
    images: Vec<u8>,
    logits: Vec<u8>,
    arena: u64,
}

impl Sample {
    fn new(name: String, drafts: &[Draft]) -> Self {
        let file = builder::pack(drafts);
        let model = Model::parse(&file).expect("the builder makes models");
        let (mut images, mut logits) = (Vec::new(), Vec::new());
        let mut arena = vec![0; model.arena_len()];
        for seed in SEEDS {
            let image = cases::image(model.input_row_len() * usize::from(model.input().height), seed);
            let mut network = Network::new(&model, &mut arena).expect("the arena has the model's length");
            let prediction = network.classify(&image).expect("the image has the model's size");
            logits.extend(prediction.logits().iter().flat_map(i32::to_le_bytes));
            images.extend(image);
        }
        let arena = model.arena_len() as u64;
        Self { name, model: file, images, logits, arena }
    }
}

#[test]
fn every_board_computes_what_the_host_computes() -> Result<()> {
    let mut samples = Vec::new();
    for (name, drafts) in cases::operators::all() {
        samples.push(Sample::new(name, &drafts));
    }
    for case in cases::all() {
        for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
            samples.push(Sample::new(format!("{algorithm:?} {case:?}"), &case.network(algorithm)));
        }
    }
    for board in Board::measured() {
        let count = check(board, &samples).with_context(|| board.name.clone())?;
        println!("{}: {count} of {} networks as on the host", board.name, samples.len());
    }
    Ok(())
}

/// Runs as many samples as the board has memory for; returns how many these are.
fn check(board: &Board, samples: &[Sample]) -> Result<usize> {
    let image = FirmwareImage::build_conformance(board)?;
    let (start, end) = (image.symbol("__model_start")?, image.symbol("__model_end")?);
    let memory = image.symbol("_stack_start")? - image.symbol("__sheap")?;
    let mut chosen: Vec<_> = samples.iter().filter(|sample| sample.arena + OTHER_MEMORY <= memory).collect();
    let mut bytes = pack(&chosen);
    while bytes.len() as u64 > end - start {
        // Thin out evenly: neighbours in the list are alike.
        let keep = (end - start) as f64 / bytes.len() as f64 * 0.98;
        let spread = |index: usize| (index as f64 * keep) as usize != ((index + 1) as f64 * keep) as usize;
        chosen = chosen.into_iter().enumerate().filter(|(index, _)| spread(*index)).map(|(_, sample)| sample).collect();
        bytes = pack(&chosen);
    }
    let mut file = NamedTempFile::new()?;
    file.write_all(&bytes)?;
    let path = file.path().to_str().context("the directory for temporary files is not UTF-8")?;
    let options = ["-device".to_string(), format!("loader,file={path},addr={start:#x},force-raw=on")];
    let (success, report) = Emulator::boot_with(&image.elf, board, 0, &options)?.wait(TIMEOUT)?;
    // The board knows the cases by their numbers.
    let wrong = chosen.iter().enumerate().filter(|(index, _)| report.contains(&format!("case {index}:")));
    let wrong: Vec<_> = wrong.map(|(index, sample)| format!("\ncase {index}: {}", sample.name)).collect();
    ensure!(success && wrong.is_empty(), "{report}{}", wrong.concat());
    ensure!(report.contains(&format!("{} cases, 0 wrong", chosen.len())), "the board reports {report:?}");
    Ok(chosen.len())
}

/// The samples as `firmware/src/conformance.rs` reads them.
fn pack(samples: &[&Sample]) -> Vec<u8> {
    let mut words = vec![samples.len()];
    let mut data = Vec::new();
    let data_start = (4 + 24 * samples.len()).next_multiple_of(16);
    for (index, sample) in samples.iter().enumerate() {
        data.resize(data.len().next_multiple_of(16), 0);
        // Some models and most arenas do not begin at a whole word.
        data.resize(data.len() + usize::from(index % 5 == 4), 0);
        let mut place = |bytes: &[u8]| {
            let place = data_start + data.len();
            data.extend(bytes);
            place
        };
        let [model, images, logits] = [&sample.model, &sample.images, &sample.logits].map(|bytes| place(bytes));
        words.extend([model, sample.model.len(), images, SEEDS.len(), logits, index % 4]);
    }
    let mut bytes: Vec<u8> = words.into_iter().flat_map(|word| (word as u32).to_le_bytes()).collect();
    bytes.resize(data_start, 0);
    bytes.extend(data);
    bytes
}
