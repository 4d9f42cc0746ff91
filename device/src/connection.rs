//! A line to a board: requests go out, replies come in.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use protocol::{
    ErrorCode, FrameReader, MAX_OUTPUTS, OwnedReply as Reply, Place, Request, UNREADABLE, decode, encode, frame_len,
    reply_len,
};
use serde::Serialize;

use crate::DeviceError;

/// How long a board may take for one image, and the system to open a line to it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is sent before its error counts. All requests may be repeated.
const ATTEMPTS: usize = 3;
/// How long one read waits, so that the deadline is looked at in between.
const POLL: Duration = Duration::from_millis(200);
/// A zero ends whatever the board has read so far.
const DELIMITER: u8 = 0;

/// A serial line in both directions, with a read timeout of [`POLL`].
trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A line to a board.
pub struct Connection {
    line: BufReader<Box<dyn Line>>,
    /// Takes the longest answer of any model.
    reader: Box<FrameReader<{ reply_len(MAX_OUTPUTS) }>>,
    sequence: u8,
    /// How long the board may take for one image.
    timeout: Duration,
    noise: Noise,
}

/// What came since the last request and was no frame: the text of a boot, half a frame, somebody else's answers.
#[derive(Default)]
struct Noise {
    /// Bytes since the last zero.
    frame: Vec<u8>,
    bytes: Vec<u8>,
    /// Whether the request itself came back.
    echo: bool,
}

impl Noise {
    /// Most bytes that are kept of either: enough to see what it is.
    const MOST: usize = 120;

    fn byte(&mut self, byte: u8) {
        if byte != DELIMITER && self.frame.len() < Self::MOST {
            self.frame.push(byte);
        }
    }

    /// The bytes so far were no frame.
    fn no_frame(&mut self) {
        let room = Self::MOST - self.bytes.len().min(Self::MOST);
        self.bytes.extend(self.frame.drain(..).take(room));
    }

    /// Why there is no answer.
    fn explain(&mut self, waited: Duration) -> DeviceError {
        self.no_frame();
        let seconds = waited.as_secs();
        if self.echo {
            DeviceError::Echo { seconds }
        } else if self.bytes.is_empty() {
            DeviceError::Timeout { seconds }
        } else {
            DeviceError::Noise { seconds, seen: self.bytes.escape_ascii().to_string() }
        }
    }
}

/// What a board is and which model it runs; see [`protocol::Info`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DeviceInfo {
    pub board: String,
    pub core: String,
    pub place: Place,
    pub counter_hz: Option<u32>,
    pub model: String,
    pub model_crc: u32,
    pub height: u16,
    pub width: u16,
    pub channels: u16,
    pub outputs: u16,
    pub arena_bytes: u32,
    pub model_bytes: u32,
    pub flash_bytes: u32,
}

impl DeviceInfo {
    /// Bytes of an image: `height * width * channels`.
    pub fn image_len(&self) -> usize {
        self.row_len() * usize::from(self.height)
    }

    /// Bytes of a row: `width * channels`.
    pub fn row_len(&self) -> usize {
        usize::from(self.width) * usize::from(self.channels)
    }

    /// Executed instructions of so many ticks, to within one tick: QEMU, as [`Emulator`](super::Emulator) starts it,
    /// takes one nanosecond of its own time for an instruction. `None` where ticks are clock cycles.
    pub fn instructions(&self, ticks: u64) -> Option<u64> {
        let nanoseconds = u128::from(ticks) * 1_000_000_000;
        let hz = self.counter_hz.filter(|_| self.place == Place::Instructions)?;
        nanoseconds.checked_div(hz.into()).and_then(|instructions| instructions.try_into().ok())
    }

    /// Milliseconds of so many ticks where they are clock cycles, of a chip or of an emulator that counts them.
    pub fn milliseconds(&self, ticks: u64) -> Option<f64> {
        let hz = self.counter_hz.filter(|_| self.place != Place::Instructions)?;
        (hz > 0).then(|| ticks as f64 * 1000.0 / f64::from(hz))
    }
}

/// What the board saw in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DevicePrediction {
    /// The most likely class.
    pub class: usize,
    /// What leaves the model, one number each, in its order.
    pub logits: Vec<i32>,
    /// Counter ticks spent in the network, if the board can count.
    pub ticks: Option<u64>,
}

/// How long the network took on the board, in counter ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DeviceBenchmark {
    pub runs: u16,
    pub fastest: u64,
    pub slowest: u64,
    pub total: u64,
}

impl Connection {
    /// A board behind a TCP socket, `host:port`: an emulator or a serial port server.
    pub fn tcp(address: &str) -> Result<Self, DeviceError> {
        let open = |cause| DeviceError::Open { line: address.to_string(), cause };
        let mut last = io::Error::new(ErrorKind::InvalidInput, "the address names no host");
        for socket in address.to_socket_addrs().map_err(open)? {
            match TcpStream::connect_timeout(&socket, TIMEOUT) {
                Ok(stream) => return Self::over(stream).map_err(open),
                Err(error) => last = error,
            }
        }
        Err(open(last))
    }

    /// A board behind a serial port such as `/dev/ttyACM0`, at so many bits per second.
    pub fn serial(port: &str, baud: u32) -> Result<Self, DeviceError> {
        let opened = serialport::new(port, baud).timeout(POLL).open();
        let line = opened.map_err(|error| DeviceError::Open { line: port.to_string(), cause: error.into() })?;
        Ok(Self::new(Box::new(line)))
    }

    pub(super) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(POLL))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // A request is small and waited for: it should not wait for more.
        stream.set_nodelay(true)?;
        Ok(Self::new(Box::new(stream)))
    }

    /// The same line; each answer may take so long (10 seconds where nobody says otherwise).
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn new(line: Box<dyn Line>) -> Self {
        Self {
            line: BufReader::new(line),
            reader: Box::default(),
            sequence: UNREADABLE,
            timeout: TIMEOUT,
            noise: Noise::default(),
        }
    }

    /// What the board is. Refuses a board of another protocol version.
    pub fn info(&mut self) -> Result<DeviceInfo, DeviceError> {
        self.ask(&Request::Info, self.timeout, |reply| match reply {
            Reply::Info(info) if info.protocol != protocol::VERSION => {
                Some(Err(DeviceError::Version { found: info.protocol }))
            }
            Reply::Info(info) => Some(Ok(DeviceInfo {
                board: info.board.to_string(),
                core: info.core.to_string(),
                place: info.place,
                counter_hz: info.counter_hz,
                model: info.model.to_string(),
                model_crc: info.model_crc,
                height: info.height,
                width: info.width,
                channels: info.channels,
                outputs: info.outputs,
                arena_bytes: info.arena_bytes,
                model_bytes: info.model_bytes,
                flash_bytes: info.flash_bytes,
            })),
            _ => None,
        })?
    }

    /// Classifies an image of [`DeviceInfo::image_len`] bytes, sent whole.
    pub fn classify(&mut self, pixels: &[u8]) -> Result<DevicePrediction, DeviceError> {
        self.ask(&Request::Classify { pixels }, self.timeout, prediction)
    }

    /// Classifies an image sent row by row, each of [`DeviceInfo::row_len`] bytes, as a camera would.
    pub fn classify_rows(&mut self, pixels: &[u8], row_len: usize) -> Result<DevicePrediction, DeviceError> {
        let mut attempt = 1;
        loop {
            // A lost reply leaves open whether the row was taken: begin again.
            match self.try_rows(pixels, row_len) {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_rows(&mut self, pixels: &[u8], row_len: usize) -> Result<DevicePrediction, DeviceError> {
        for (row, pixels) in (0..).zip(pixels.chunks(row_len.max(1))) {
            let message = self.ask_once(&Request::ClassifyRow { row, pixels }, self.timeout)?;
            match decode(&message).map_err(|_| DeviceError::Unexpected)? {
                Reply::RowAccepted { row: accepted } if accepted == row => {}
                reply => return prediction(reply).ok_or(DeviceError::Unexpected),
            }
        }
        Err(DeviceError::Unexpected)
    }

    /// Classifies an image `runs` times and measures the network alone.
    pub fn benchmark(&mut self, pixels: &[u8], runs: u16) -> Result<DeviceBenchmark, DeviceError> {
        let timeout = self.timeout * u32::from(runs).max(1);
        self.ask(&Request::Benchmark { runs, pixels }, timeout, |reply| match reply {
            Reply::Benchmark(protocol::Benchmark { runs, fastest, slowest, total }) => {
                Some(DeviceBenchmark { runs, fastest, slowest, total })
            }
            _ => None,
        })
    }

    /// Classifies an image once; returns the ticks that a layer, counted from 0, took in all its steps.
    pub fn benchmark_layer(&mut self, pixels: &[u8], layer: u16) -> Result<u64, DeviceError> {
        self.ask(&Request::BenchmarkLayer { pixels, layer }, self.timeout, |reply| match reply {
            Reply::Benchmark(benchmark) => Some(benchmark.total),
            _ => None,
        })
    }

    /// Sends bytes as they are, to try what a board makes of them.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.line.get_mut().write_all(bytes)?;
        Ok(self.line.get_mut().flush()?)
    }

    /// The next readable frame that the board sends: sequence number and message.
    pub fn receive_raw(&mut self, timeout: Duration) -> Result<(u8, Vec<u8>), DeviceError> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let available = match self.line.fill_buf() {
                Ok([]) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(bytes) => bytes,
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            for (index, &byte) in available.iter().enumerate() {
                self.noise.byte(byte);
                match self.reader.push(byte) {
                    None => {}
                    // A damaged reply is as good as none: the request is repeated after the timeout.
                    Some(Err(_)) => self.noise.no_frame(),
                    Some(Ok(frame)) => {
                        self.noise.frame.clear();
                        let found = (frame.sequence, frame.message.to_vec());
                        self.line.consume(index + 1);
                        return Ok(found);
                    }
                }
            }
            let len = available.len();
            self.line.consume(len);
        }
        Err(self.noise.explain(timeout))
    }

    fn ask<T>(
        &mut self,
        request: &Request<'_>,
        timeout: Duration,
        read: impl FnOnce(Reply<'_>) -> Option<T>,
    ) -> Result<T, DeviceError> {
        let mut attempt = 1;
        let message = loop {
            match self.ask_once(request, timeout) {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => attempt += 1,
                result => break result?,
            }
        };
        let reply = decode(&message).map_err(|_| DeviceError::Unexpected)?;
        read(reply).ok_or(DeviceError::Unexpected)
    }

    /// Sends a request and waits for its own reply; those of earlier ones, that were given up, are skipped.
    fn ask_once(&mut self, request: &Request<'_>, timeout: Duration) -> Result<Vec<u8>, DeviceError> {
        self.sequence = self.sequence.checked_add(1).unwrap_or(UNREADABLE + 1);
        let pixels = match request {
            Request::Classify { pixels }
            | Request::ClassifyRow { pixels, .. }
            | Request::Benchmark { pixels, .. }
            | Request::BenchmarkLayer { pixels, .. } => pixels.len(),
            _ => 0,
        };
        let mut buffer = vec![DELIMITER; frame_len(protocol::request_len(pixels))];
        let frame = encode(self.sequence, request, &mut buffer).map_err(|_| DeviceError::Unexpected)?;
        self.noise = Noise::default();
        self.send_raw(frame)?;
        let deadline = Instant::now() + timeout;
        loop {
            let received = self.receive_raw(deadline.saturating_duration_since(Instant::now()));
            let (sequence, message) = match received {
                Err(error) if error.is_silence() => return Err(self.noise.explain(timeout)),
                received => received?,
            };
            if sequence != self.sequence && sequence != UNREADABLE {
                continue;
            }
            // A line that echoes may have a board behind it all the same.
            if decode::<Request<'_>>(&message).is_ok_and(|echo| echo == *request) {
                self.noise.echo = true;
                continue;
            }
            return match decode::<Reply<'_>>(&message) {
                Ok(Reply::Error(code)) => Err(DeviceError::Refused(code)),
                _ => Ok(message),
            };
        }
    }
}

fn prediction(reply: Reply<'_>) -> Option<DevicePrediction> {
    let Reply::Prediction(prediction) = reply else { return None };
    Some(DevicePrediction { class: prediction.class.into(), logits: prediction.logits, ticks: prediction.ticks })
}

/// Whether the same request may succeed when it is sent again.
fn is_transient(error: &DeviceError) -> bool {
    error.is_silence() || matches!(error, DeviceError::Refused(ErrorCode::Frame(_) | ErrorCode::WrongRow { .. }))
}
