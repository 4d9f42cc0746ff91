//! A shipped model cut anywhere, or with any byte changed: refused, or it runs.

use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;
use std::{fs, thread};

use fuzz::{RunError, repair, run};
use thumbnet::format::{HEADER_LEN, LAYER_LEN};
use thumbnet::{Model, ParseError};

static NANO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/nano/model.tnet");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
});
/// More work than the model itself takes.
const MOST_WORK: u64 = 1 << 24;
/// In CI, of the bytes behind the records, every so many is flipped: the stride is prime to the alignment of sections.
const STRIDE: usize = 61;

/// What became of many files.
#[derive(Clone, Copy, Default)]
struct Outcomes {
    refused: usize,
    ran: usize,
}

/// Makes a file out of the model for each number, in parallel, repairs it if asked to, and runs it.
fn each(numbers: &[usize], is_repaired: bool, make: impl Fn(&mut Vec<u8>, usize) + Sync) -> Outcomes {
    let part = numbers.len().div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    let work = |numbers: &[usize]| {
        let mut outcomes = Outcomes::default();
        for &number in numbers {
            let mut file = NANO.clone();
            make(&mut file, number);
            if is_repaired {
                repair(&mut file);
            }
            match run(&file, MOST_WORK) {
                Ok(()) => outcomes.ran += 1,
                Err(RunError::Refused(_) | RunError::TooLarge) => outcomes.refused += 1,
            }
        }
        outcomes
    };
    thread::scope(|scope| {
        let parts: Vec<_> = numbers.chunks(part).map(|numbers| scope.spawn(move || work(numbers))).collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("a file breaks a promise"))
            .fold(Outcomes::default(), |a, b| Outcomes { refused: a.refused + b.refused, ran: a.ran + b.ran })
    })
}

fn records() -> Range<usize> {
    0..HEADER_LEN + Model::parse(&NANO).unwrap().layer_count() * LAYER_LEN
}

/// Flips all 8 bits, one at a time, of these bytes, with the checksum as it was and with a right one.
fn flip(what: &str, bytes: impl Iterator<Item = usize>) {
    let bits: Vec<usize> = bytes.flat_map(|byte| byte * 8..byte * 8 + 8).collect();
    let flip = |file: &mut Vec<u8>, bit: usize| file[bit / 8] ^= 1 << (bit % 8);
    let damaged = each(&bits, false, flip);
    assert_eq!(damaged.ran, 0, "a damaged file runs");
    let repaired = each(&bits, true, flip);
    println!(
        "{what}: {} flipped bits, all refused; with a right checksum {} are refused, {} run",
        bits.len(),
        repaired.refused,
        repaired.ran
    );
}

#[test]
fn every_truncation_is_refused() {
    let lengths: Vec<usize> = (0..NANO.len()).collect();
    for is_repaired in [false, true] {
        // Repaired, a file may lose the bytes behind its last section.
        let outcomes = each(&lengths, is_repaired, Vec::truncate);
        println!("{} truncations, {} refused, repaired: {is_repaired}", lengths.len(), outcomes.refused);
        assert!(outcomes.ran <= if is_repaired { 16 } else { 0 }, "{} run", outcomes.ran);
    }
    assert_eq!(Model::parse(&NANO[..HEADER_LEN - 1]).unwrap_err(), ParseError::NotAModel);
}

#[test]
fn every_flipped_bit_of_header_and_records_and_some_of_the_rest() {
    flip("header and records", records());
    flip("some of the rest", (records().end..NANO.len()).step_by(STRIDE));
}

#[test]
#[ignore = "minutes: cargo test --release --workspace --test flips -- --ignored --show-output"]
fn every_flipped_bit() {
    flip("the whole file", 0..NANO.len());
}

#[test]
#[ignore = "minutes: cargo test --release --workspace --test flips -- --ignored --show-output"]
fn every_value_of_every_byte_of_header_and_records() {
    let values: Vec<usize> = records().flat_map(|byte| byte * 256..byte * 256 + 256).collect();
    let outcomes = each(&values, true, |file, value| file[value / 256] = value as u8);
    println!("{} values of bytes: {} refused, {} run", values.len(), outcomes.refused, outcomes.ran);
}
