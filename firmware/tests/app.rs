//! The application on the host: a board whose serial line is a byte string.
//!
//! `cargo test --target x86_64-unknown-linux-gnu` (or what your host is).

use std::convert::Infallible;

use embedded_hal::digital::OutputPin;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use firmware::{App, Board, BoardInfo, Stopped};
use protocol::{
    ErrorCode, FrameError, FrameReader, MAX_NAME, OwnedReply as Reply, Place, Request, UNREADABLE, decode, encode,
    frame_len, reply_len, request_len,
};
use thumbnet::{Model, Network, Step};

const NANO: &[u8] = include_bytes!("../../models/nano/model.tnet");
const PIXELS: usize = 784;
const ROW: usize = 28;
const REPLY_LEN: usize = reply_len(10);
const INFO: BoardInfo = BoardInfo { name: "desk", core: "none", place: Place::Cycles, flash_bytes: 5 };

/// Gives out `input` in pieces of `piece` bytes, keeps what is written.
struct Line {
    input: Vec<u8>,
    read: usize,
    piece: usize,
    output: Vec<u8>,
    /// A read fails once at this byte.
    fails_at: Option<usize>,
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.fails_at.is_some_and(|at| at <= self.read) {
            self.fails_at = None;
            return Err(ErrorKind::Other);
        }
        let left = &self.input[self.read..];
        let count = left.len().min(buffer.len()).min(self.piece);
        buffer[..count].copy_from_slice(&left[..count]);
        self.read += count;
        Ok(count)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.output.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Whether the light burns, and how often it was lit.
#[derive(Default)]
struct Light {
    on: bool,
    lit: usize,
}

impl embedded_hal::digital::ErrorType for Light {
    type Error = Infallible;
}

impl OutputPin for Light {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.on = false;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.on = true;
        self.lit += 1;
        Ok(())
    }
}

struct Desk {
    line: Line,
    light: Light,
    counts: bool,
    /// Seven ticks go by between two looks at the counter.
    ticks: u64,
}

impl Board for Desk {
    type Serial = Line;
    type Led = Light;

    fn serial(&mut self) -> &mut Line {
        &mut self.line
    }

    fn led(&mut self) -> &mut Light {
        &mut self.light
    }

    fn restart_counter(&mut self) {
        self.ticks = 0;
    }

    fn counter_hz(&self) -> Option<u32> {
        self.counts.then_some(1000)
    }

    fn ticks(&mut self) -> Option<u64> {
        self.ticks += 7;
        self.counts.then_some(self.ticks)
    }
}

fn desk(input: Vec<u8>) -> Desk {
    Desk {
        line: Line { input, read: 0, piece: 5, output: Vec::new(), fails_at: None },
        light: Light::default(),
        counts: true,
        ticks: 0,
    }
}

fn frame(sequence: u8, request: Request<'_>) -> Vec<u8> {
    let mut buffer = vec![0; frame_len(request_len(PIXELS + 1))];
    encode(sequence, &request, &mut buffer).unwrap().to_vec()
}

/// Serves until the line ends; gives the replies, read by `look`, with their sequence numbers.
fn serve<T>(desk: &mut Desk, look: impl Fn(Reply<'_>) -> T) -> Vec<(u8, T)> {
    let model = Model::parse(NANO).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut reader = FrameReader::<{ request_len(PIXELS) }>::new();
    let mut reply = [0; REPLY_LEN];
    let network = Network::new(&model, &mut arena).unwrap();
    let mut app = App::new(INFO, network, &mut reader, &mut reply);
    while app.serve(desk) != Stopped::End {}
    let mut host = FrameReader::<REPLY_LEN>::new();
    let mut replies = Vec::new();
    for &byte in &desk.line.output {
        if let Some(frame) = host.push(byte) {
            let frame = frame.unwrap();
            replies.push((frame.sequence, look(decode(frame.message).unwrap())));
        }
    }
    assert!(!desk.light.on, "the light still burns");
    replies
}

/// Logits, ticks or the error of a reply.
fn outcome(reply: Reply<'_>) -> Result<(Vec<i32>, Option<u64>), ErrorCode> {
    match reply {
        Reply::Prediction(prediction) => Ok((prediction.logits, prediction.ticks)),
        Reply::RowAccepted { row } => Ok((vec![row.into()], None)),
        Reply::Error(error) => Err(error),
        reply => panic!("{reply:?}"),
    }
}

fn image(seed: usize) -> Vec<u8> {
    (0..PIXELS).map(|index| (index * seed % 251) as u8).collect()
}

fn expected(pixels: &[u8]) -> Vec<i32> {
    let model = Model::parse(NANO).unwrap();
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    network.classify(pixels).unwrap().logits().iter().collect()
}

#[test]
fn info_says_what_the_board_and_the_model_are() {
    let mut desk = desk(frame(1, Request::Info));
    let model = Model::parse(NANO).unwrap();
    let found = serve(&mut desk, |reply| {
        let Reply::Info(info) = reply else { panic!("{reply:?}") };
        assert_eq!((info.board, info.core, info.model), ("desk", "none", model.name()));
        assert_eq!((info.height, info.width, info.channels, info.outputs), (28, 28, 1, 10));
        assert_eq!((info.arena_bytes as usize, info.model_bytes as usize), (model.arena_len(), NANO.len()));
        (info.counter_hz, info.flash_bytes, info.place)
    });
    assert_eq!(found, [(1, (Some(1000), 5, Place::Cycles))]);
    assert!(model.name().len() <= MAX_NAME);
}

#[test]
fn whole_images_are_classified_one_after_the_other() {
    let images = [image(3), image(7), image(3)];
    let input = images.iter().zip(1..).flat_map(|(pixels, sequence)| frame(sequence, Request::Classify { pixels }));
    let mut desk = desk(input.collect());
    let found = serve(&mut desk, outcome);
    let wanted: Vec<_> =
        images.iter().zip(1..).map(|(pixels, sequence)| (sequence, Ok((expected(pixels), Some(7))))).collect();
    assert_eq!(found, wanted);
    assert_ne!(expected(&images[0]), expected(&images[1]), "the images should differ");
    assert_eq!(desk.light.lit, 3);
}

#[test]
fn rows_give_what_the_whole_image_gives_and_their_ticks_add_up() {
    let pixels = image(11);
    let rows = || (0..).zip(pixels.chunks(ROW));
    let input = rows().flat_map(|(row, pixels)| frame(row as u8 + 1, Request::ClassifyRow { row, pixels }));
    let mut found = serve(&mut desk(input.collect()), outcome);
    assert_eq!(found.pop(), Some((28, Ok((expected(&pixels), Some(28 * 7))))));
    let accepted: Vec<_> = (0..27).map(|row| (row + 1, Ok((vec![i32::from(row)], None)))).collect();
    assert_eq!(found, accepted);
}

#[test]
fn row_zero_begins_again_and_other_rows_out_of_turn_are_refused() {
    let pixels = image(5);
    let row = |row: u16| Request::ClassifyRow { row, pixels: &pixels[usize::from(row) * ROW..][..ROW] };
    let mut input = Vec::new();
    for next in [0, 1, 3, 0, 0, 2] {
        input.extend(frame(1, row(next)));
    }
    // A row of the wrong size is not counted.
    input.extend(frame(1, Request::ClassifyRow { row: 1, pixels: &pixels[..ROW + 1] }));
    for next in 1..28 {
        input.extend(frame(2, row(next)));
    }
    let found: Vec<_> = serve(&mut desk(input), outcome).into_iter().map(|(_, outcome)| outcome).collect();
    let taken = |row| Ok((vec![row], None));
    let wanted = [
        taken(0),
        taken(1),
        Err(ErrorCode::WrongRow { expected: 2 }),
        taken(0),
        taken(0),
        Err(ErrorCode::WrongRow { expected: 1 }),
        Err(ErrorCode::WrongLength { expected: ROW as u32 }),
    ];
    assert_eq!(found[..wanted.len()], wanted);
    assert_eq!(found.last(), Some(&Ok((expected(&pixels), Some(28 * 7)))));
}

#[test]
fn benchmarks_count_every_run() {
    let pixels = image(2);
    let mut input = frame(1, Request::Benchmark { runs: 4, pixels: &pixels });
    input.extend(frame(2, Request::Benchmark { runs: 0, pixels: &pixels }));
    input.extend(frame(3, Request::Benchmark { runs: 1, pixels: &pixels[1..] }));
    let mut desk = desk(input);
    let look = |reply: Reply<'_>| match reply {
        Reply::Benchmark(found) => Ok((found.runs, found.fastest, found.slowest, found.total)),
        Reply::Error(error) => Err(error),
        reply => panic!("{reply:?}"),
    };
    let wrong_length = ErrorCode::WrongLength { expected: PIXELS as u32 };
    assert_eq!(serve(&mut desk, look), [(1, Ok((4, 7, 7, 28))), (2, Err(ErrorCode::NoRuns)), (3, Err(wrong_length))]);
}

#[test]
fn a_layer_is_measured_in_all_its_steps() {
    let pixels = image(4);
    let model = Model::parse(NANO).unwrap();
    let layers = model.layer_count() as u16;
    let ask = |layer, pixels| frame(1, Request::BenchmarkLayer { layer, pixels });
    let mut input: Vec<u8> = (0..layers).flat_map(|layer| ask(layer, &pixels)).collect();
    input.extend(ask(layers, &pixels));
    input.extend(ask(0, &pixels[1..]));

    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(&model, &mut arena).unwrap();
    let mut wanted = vec![Ok(0); model.layer_count()];
    for row in pixels.chunks(ROW) {
        network.push_row(row).unwrap();
        while let Step::Worked { layer } = network.step() {
            wanted[layer] = wanted[layer].map(|ticks| ticks + 7);
        }
    }
    wanted.push(Err(ErrorCode::NoLayer { layers }));
    wanted.push(Err(ErrorCode::WrongLength { expected: PIXELS as u32 }));
    let look = |reply: Reply<'_>| match reply {
        Reply::Benchmark(found) => Ok(found.total),
        Reply::Error(error) => Err(error),
        reply => panic!("{reply:?}"),
    };
    let found: Vec<_> = serve(&mut desk(input), look).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_board_without_a_counter_classifies_but_has_no_benchmark() {
    let pixels = image(9);
    let mut input = frame(1, Request::Classify { pixels: &pixels });
    input.extend(frame(2, Request::Benchmark { runs: 4, pixels: &pixels }));
    let mut desk = desk(input);
    desk.counts = false;
    assert_eq!(serve(&mut desk, outcome), [(1, Ok((expected(&pixels), None))), (2, Err(ErrorCode::NoCounter))]);
}

#[test]
fn bad_frames_get_errors_and_the_next_good_one_a_prediction() {
    let pixels = image(13);
    let good = frame(9, Request::Classify { pixels: &pixels });
    let too_long = frame(1, Request::Classify { pixels: &[1; PIXELS + 8] });
    let mut damaged = good.clone();
    damaged[400] = damaged[400].wrapping_add(1).max(1);
    for (bad, error) in [
        (&[9; 40][..], FrameError::Truncated),
        (&good[..good.len() - 2], FrameError::Truncated),
        (&too_long, FrameError::TooLong),
        (&damaged, FrameError::Checksum),
    ] {
        let mut desk = desk([bad, &good].concat());
        let wanted = [(UNREADABLE, Err(ErrorCode::Frame(error))), (9, Ok((expected(&pixels), Some(7))))];
        assert_eq!(serve(&mut desk, outcome), wanted);
    }
}

#[test]
fn a_failed_read_loses_nothing_that_comes_after_it() {
    let pixels = image(17);
    let mut desk = desk(frame(4, Request::Classify { pixels: &pixels }));
    desk.line.fails_at = Some(100);
    assert_eq!(serve(&mut desk, outcome), [(4, Ok((expected(&pixels), Some(7))))]);
}
