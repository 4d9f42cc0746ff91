//! Frames in, predictions out.

use embedded_hal::digital::OutputPin;
use embedded_io::{Read, Write};
use protocol::{
    Benchmark, ErrorCode, FrameReader, Info, LogitsOf, Prediction, Reply, Request, UNREADABLE, decode, encode,
};
use thumbnet::format::Shape;
use thumbnet::kernels::Kernels;
use thumbnet::{InputError, Network, Step};

use crate::board::{Board, BoardInfo};
use crate::log::debug;

const _: () = assert!(protocol::MAX_OUTPUTS >= thumbnet::format::MAX_OUTPUTS);

/// Bytes taken from the serial line at a time.
const CHUNK: usize = 8;

/// Why the application stopped serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The serial line has ended: a read gave no bytes.
    End,
    /// The serial line could not be read.
    Read,
    /// The serial line could not be written.
    Write,
}

/// A network behind a serial line, with the kernels `K`. Requests of up to `N` bytes are read: [`protocol::request_len`]; replies
/// have room in [`protocol::reply_len`] bytes.
#[derive(Debug)]
pub struct App<'a, K, const N: usize> {
    info: BoardInfo,
    network: Network<'a, 'a, K>,
    reader: &'a mut FrameReader<N>,
    reply: &'a mut [u8],
    progress: Progress,
}

/// What has come of requests so far.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The next row of a streamed image.
    row: u16,
    /// Ticks of the image, or of its rows so far.
    ticks: Option<u64>,
    benchmark: Benchmark,
}

impl Progress {
    const NONE: Self = Self { row: 0, ticks: None, benchmark: Benchmark { runs: 0, fastest: 0, slowest: 0, total: 0 } };
}

impl<'a, K: Kernels, const N: usize> App<'a, K, N> {
    /// An application that waits for its first request. The large buffers are the caller's, so that they
    /// can be static.
    pub fn new(
        info: BoardInfo,
        network: Network<'a, 'a, K>,
        reader: &'a mut FrameReader<N>,
        reply: &'a mut [u8],
    ) -> Self {
        Self { info, network, reader, reply, progress: Progress::NONE }
    }

    /// Answers requests until the serial line ends or fails. May be called again.
    pub fn serve(&mut self, board: &mut impl Board) -> Stopped {
        let mut chunk = [0; CHUNK];
        loop {
            let count = match board.serial().read(&mut chunk) {
                Ok(0) => return Stopped::End,
                Ok(count) => count,
                Err(_) => return Stopped::Read,
            };
            for &byte in chunk.iter().take(count) {
                if self.take(byte, board).is_err() {
                    return Stopped::Write;
                }
            }
        }
    }

    /// Takes one byte; at the end of a frame, answers it.
    fn take<B: Board>(&mut self, byte: u8, board: &mut B) -> Result<(), <B::Serial as embedded_io::ErrorType>::Error> {
        // The pixels of a request stay in the reader while the network reads them.
        let Some(frame) = self.reader.push(byte) else { return Ok(()) };
        let mut worker = Worker { info: &self.info, network: &mut self.network, progress: &mut self.progress, board };
        let (sequence, outcome) = match frame {
            Ok(frame) => (frame.sequence, worker.work(frame.message)),
            Err(error) => (UNREADABLE, Err(ErrorCode::Frame(error))),
        };
        let frame = worker.reply(sequence, outcome, self.reply);
        board.serial().write_all(frame)?;
        board.serial().flush()
    }
}

/// What has come of a request. Small: it is on the stack while the network works, and the reply is written later.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Outcome {
    Info,
    /// The network has its prediction.
    Predicted,
    RowAccepted {
        row: u16,
    },
    Benchmark,
}

/// All that is needed to answer a request.
struct Worker<'w, 'a, B, K> {
    info: &'w BoardInfo,
    network: &'w mut Network<'a, 'a, K>,
    progress: &'w mut Progress,
    board: &'w mut B,
}

impl<'a, B: Board, K: Kernels> Worker<'_, 'a, B, K> {
    /// Does what a message asks for. Not inline, like [`Self::reply`]: their stacks are not needed at the same time.
    #[inline(never)]
    fn work(&mut self, message: &[u8]) -> Result<Outcome, ErrorCode> {
        match decode(message)? {
            Request::Info => Ok(Outcome::Info),
            Request::Classify { pixels } => self.classify(pixels).map(|()| Outcome::Predicted),
            Request::ClassifyRow { row, pixels } => self.classify_row(row, pixels),
            Request::Benchmark { runs, pixels } => self.benchmark(runs, pixels).map(|()| Outcome::Benchmark),
            Request::BenchmarkLayer { layer, pixels } => {
                self.benchmark_layer(layer, pixels).map(|()| Outcome::Benchmark)
            }
            _ => Err(ErrorCode::UnknownMessage),
        }
    }

    /// Writes the reply into `buffer` and returns its frame.
    #[inline(never)]
    fn reply<'b>(&mut self, sequence: u8, outcome: Result<Outcome, ErrorCode>, buffer: &'b mut [u8]) -> &'b [u8] {
        debug!("frame {}: {}", sequence, outcome);
        let reply = match outcome {
            Ok(Outcome::Info) => Reply::Info(self.info()),
            Ok(Outcome::Predicted) => {
                let found = self.network.prediction();
                let logits = LogitsOf(found.logits().iter());
                Reply::Prediction(Prediction { class: found.class() as u16, ticks: self.progress.ticks, logits })
            }
            Ok(Outcome::RowAccepted { row }) => Reply::RowAccepted { row },
            Ok(Outcome::Benchmark) => Reply::Benchmark(self.progress.benchmark),
            Err(error) => Reply::Error(error),
        };
        // The buffer is enough for every reply of this model; the test of the largest ones shows it.
        encode(sequence, &reply, buffer).unwrap_or(&[])
    }

    fn info(&self) -> Info<'a> {
        let model = *self.network.model();
        let Shape { height, width, channels } = model.input();
        Info {
            protocol: protocol::VERSION,
            board: self.info.name,
            core: self.info.core,
            place: self.info.place,
            counter_hz: self.board.counter_hz(),
            model: model.name(),
            model_crc: thumbnet::format::checksum(model.bytes()),
            height,
            width,
            channels,
            outputs: model.outputs() as u16,
            arena_bytes: model.arena_len() as u32,
            model_bytes: model.bytes().len() as u32,
            flash_bytes: self.info.flash_bytes,
        }
    }

    /// A whole image. Inline: one frame less on the stack.
    #[inline(always)]
    fn classify(&mut self, pixels: &[u8]) -> Result<(), ErrorCode> {
        self.progress.row = 0;
        let (result, ticks) = self.timed(|network| network.classify(pixels).map(|_| ()));
        self.progress.ticks = ticks;
        result.map_err(refused)
    }

    fn classify_row(&mut self, row: u16, pixels: &[u8]) -> Result<Outcome, ErrorCode> {
        if row == 0 {
            (self.progress.row, self.progress.ticks) = (0, Some(0));
            self.network.reset();
        }
        let expected = self.progress.row;
        if row != expected {
            return Err(ErrorCode::WrongRow { expected });
        }
        let last = row + 1 == self.network.model().input().height;
        let (result, ticks) = self.timed(|network| {
            network.push_row(pixels)?;
            while let Step::Worked { .. } = network.step() {}
            Ok(())
        });
        result.map_err(refused)?;
        self.progress.ticks = self.progress.ticks.zip(ticks).map(|(before, now)| before + now);
        self.progress.row = if last { 0 } else { row + 1 };
        Ok(if last { Outcome::Predicted } else { Outcome::RowAccepted { row } })
    }

    fn benchmark(&mut self, runs: u16, pixels: &[u8]) -> Result<(), ErrorCode> {
        self.progress.benchmark = Benchmark { runs, fastest: u64::MAX, slowest: 0, total: 0 };
        for _ in 0..runs {
            self.classify(pixels)?;
            let ticks = self.progress.ticks.ok_or(ErrorCode::NoCounter)?;
            let benchmark = &mut self.progress.benchmark;
            benchmark.fastest = benchmark.fastest.min(ticks);
            benchmark.slowest = benchmark.slowest.max(ticks);
            benchmark.total += ticks;
        }
        if runs == 0 { Err(ErrorCode::NoRuns) } else { Ok(()) }
    }

    fn benchmark_layer(&mut self, layer: u16, pixels: &[u8]) -> Result<(), ErrorCode> {
        let model = *self.network.model();
        let layers = model.layer_count() as u16;
        if layer >= layers {
            return Err(ErrorCode::NoLayer { layers });
        }
        let row_len = model.input_row_len();
        let expected = row_len * usize::from(model.input().height);
        if pixels.len() != expected {
            return Err(ErrorCode::WrongLength { expected: expected as u32 });
        }
        self.progress.row = 0;
        self.network.reset();
        self.board.restart_counter();
        let (mut before, mut total) = (0, 0);
        for row in pixels.chunks_exact(row_len.max(1)) {
            self.network.push_row(row).map_err(refused)?;
            while let Step::Worked { layer: worked } = self.network.step() {
                let now = self.board.ticks().ok_or(ErrorCode::NoCounter)?;
                if worked == usize::from(layer) {
                    total += now - before;
                }
                before = now;
            }
        }
        self.progress.benchmark = Benchmark { runs: 1, fastest: total, slowest: total, total };
        Ok(())
    }

    /// What `work` gives, and its ticks. The light burns meanwhile.
    #[inline(always)]
    fn timed<T>(&mut self, work: impl FnOnce(&mut Network<'a, 'a, K>) -> T) -> (T, Option<u64>) {
        // A light that fails is no reason not to work.
        let _ = self.board.led().set_high();
        self.board.restart_counter();
        let result = work(self.network);
        let ticks = self.board.ticks();
        let _ = self.board.led().set_low();
        (result, ticks)
    }
}

fn refused(error: InputError) -> ErrorCode {
    match error {
        InputError::WrongLength { expected, .. } => ErrorCode::WrongLength { expected: expected as u32 },
        // Rows are counted before they are pushed: the network can miss none and get none too many.
        _ => ErrorCode::WrongRow { expected: 0 },
    }
}
