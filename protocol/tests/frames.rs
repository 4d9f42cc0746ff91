//! Whatever happens to the bytes of a frame, the reader never gives out another message.

use proptest::prelude::*;
use thumbnet_protocol::{
    Benchmark, ErrorCode, FrameError, FrameReader, Info, LogitsOf, MAX_NAME, MAX_OUTPUTS, Place, Prediction, Request,
    decode, encode, frame_len, reply_len, request_len,
};

/// A reply as hosts read it.
type Reply<'a> = thumbnet_protocol::Reply<'a, Vec<i32>>;

const PIXELS: usize = 784;
const READER_LEN: usize = request_len(PIXELS);
/// Of the many damaged frames, Miri takes every so many.
const STEP: usize = if cfg!(miri) { 101 } else { 1 };

/// A frame's sequence number and message, or why there is none.
type Read = Result<(u8, Vec<u8>), FrameError>;

fn read_all<const N: usize>(reader: &mut FrameReader<N>, bytes: &[u8]) -> Vec<Read> {
    let own = |frame: thumbnet_protocol::Frame<'_>| (frame.sequence, frame.message.to_vec());
    bytes.iter().filter_map(|&byte| reader.push(byte).map(|frame| frame.map(own))).collect()
}

fn frame(sequence: u8, request: &Request<'_>) -> Vec<u8> {
    let mut buffer = vec![0; frame_len(PIXELS + 16)];
    encode(sequence, request, &mut buffer).unwrap().to_vec()
}

fn check_request(sequence: u8, request: &Request<'_>) {
    let bytes = frame(sequence, request);
    assert_eq!((bytes[0], bytes[bytes.len() - 1]), (0, 0));
    assert!(!bytes[1..bytes.len() - 1].contains(&0), "a zero inside {bytes:?}");
    let read = read_all(&mut FrameReader::<READER_LEN>::new(), &bytes);
    let [Ok((found, message))] = &read[..] else { panic!("{request:?} came out as {read:?}") };
    assert_eq!((*found, decode(message)), (sequence, Ok(*request)));
}

/// Checks that a reply fits a buffer of so many bytes, and comes back.
fn check_reply<const LEN: usize>(reply: &Reply<'_>) {
    let mut buffer = [0; LEN];
    let bytes = encode(3, reply, &mut buffer).unwrap();
    let read = read_all(&mut FrameReader::<LEN>::new(), bytes);
    let [Ok((3, message))] = &read[..] else { panic!("{reply:?} came out as {read:?}") };
    assert_eq!(decode(message).as_ref(), Ok(reply));
}

#[test]
fn every_request_comes_back() {
    // Lengths around COBS's run of 254 bytes, with and without zeros.
    let lengths = [0, 1, 2, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256, 507, 508, 509, 783, 784];
    for len in lengths.into_iter().step_by(if cfg!(miri) { 7 } else { 1 }) {
        for modulus in [1, 2, 251, 256] {
            let mut pixels: Vec<u8> = (0..len).map(|index| (index % modulus) as u8).collect();
            check_request(1, &Request::Classify { pixels: &pixels });
            pixels.iter_mut().for_each(|pixel| *pixel |= 1);
            check_request(255, &Request::Classify { pixels: &pixels });
            check_request(0, &Request::ClassifyRow { row: 65535, pixels: &pixels });
            check_request(9, &Request::Benchmark { runs: 1000, pixels: &pixels });
            check_request(10, &Request::BenchmarkLayer { layer: 31, pixels: &pixels });
        }
    }
    check_request(77, &Request::Info);
}

/// The largest prediction with so many logits.
fn prediction(outputs: usize) -> Prediction<Vec<i32>> {
    let logits = (0..outputs).map(|output| if output % 2 == 0 { i32::MIN } else { i32::MAX }).collect();
    Prediction { class: u16::MAX, ticks: Some(u64::MAX), logits }
}

#[test]
fn the_largest_replies_fit() {
    const SMALLEST: usize = reply_len(0);
    let name = "n".repeat(MAX_NAME);
    check_reply::<SMALLEST>(&Reply::Info(Info {
        protocol: u16::MAX,
        board: &name,
        core: &name,
        place: Place::Instructions,
        counter_hz: Some(u32::MAX),
        model: &name,
        model_crc: u32::MAX,
        height: u16::MAX,
        width: u16::MAX,
        channels: u16::MAX,
        outputs: u16::MAX,
        arena_bytes: u32::MAX,
        model_bytes: u32::MAX,
        flash_bytes: u32::MAX,
    }));
    check_reply::<SMALLEST>(&Reply::Benchmark(Benchmark {
        runs: 65535,
        fastest: u64::MAX,
        slowest: u64::MAX,
        total: u64::MAX,
    }));
    check_reply::<SMALLEST>(&Reply::RowAccepted { row: 65535 });
    check_reply::<SMALLEST>(&Reply::Error(ErrorCode::WrongLength { expected: u32::MAX }));
    check_reply::<SMALLEST>(&Reply::Error(ErrorCode::Frame(FrameError::TooLong)));
    check_reply::<{ reply_len(1) }>(&Reply::Prediction(prediction(1)));
    check_reply::<{ reply_len(64) }>(&Reply::Prediction(prediction(64)));
    // A checksum of that many bytes takes Miri long.
    if !cfg!(miri) {
        check_reply::<{ reply_len(1024) }>(&Reply::Prediction(prediction(1024)));
        check_reply::<{ reply_len(MAX_OUTPUTS) }>(&Reply::Prediction(prediction(MAX_OUTPUTS)));
    }
}

#[test]
fn logits_are_read_as_they_were_written() {
    let logits = [0, -1, 63, 64, -65, 70_000, i32::MIN];
    let written = Prediction { class: 300, ticks: None, logits: LogitsOf(logits.iter().copied()) };
    let mut buffer = [0; reply_len(7)];
    let bytes = encode(3, &thumbnet_protocol::Reply::Prediction(written), &mut buffer).unwrap();
    let read = read_all(&mut FrameReader::<{ reply_len(7) }>::new(), bytes);
    let [Ok((3, message))] = &read[..] else { panic!("{read:?}") };
    let wanted = Prediction { class: 300, ticks: None, logits: logits.to_vec() };
    assert_eq!(decode(message), Ok(Reply::Prediction(wanted)));
}

#[test]
fn the_largest_request_fills_the_reader_and_one_more_byte_is_too_long() {
    let pixels = [0; PIXELS + 1];
    let fits = frame(1, &Request::Benchmark { runs: u16::MAX, pixels: &pixels[..PIXELS] });
    let read = read_all(&mut FrameReader::<READER_LEN>::new(), &fits);
    assert!(matches!(read[..], [Ok(_)]), "{read:?}");
    // Three bytes of runs and two of length are what these have; the reader allows for five of length.
    let read = read_all(&mut FrameReader::<{ READER_LEN - 4 }>::new(), &fits);
    assert_eq!(read, [Err(FrameError::TooLong)]);
}

#[test]
fn a_buffer_that_is_too_small_is_an_error() {
    let request = Request::Classify { pixels: &[1; 300] };
    let needed = frame(1, &request).len();
    let mut buffer = vec![0; needed];
    assert!(encode(1, &request, &mut buffer).is_ok());
    for len in (0..needed).step_by(STEP) {
        assert!(encode(1, &request, &mut buffer[..len]).is_err(), "{len} of {needed} bytes");
    }
}

/// A request with runs, zeros and full COBS runs in it.
fn sample() -> Vec<u8> {
    let pixels: Vec<u8> = (0..PIXELS).map(|index| if index < 400 { 1 + (index % 255) as u8 } else { 0 }).collect();
    frame(5, &Request::Classify { pixels: &pixels })
}

#[test]
fn every_truncation_is_an_error_and_the_next_frame_is_read() {
    let (cut, good) = (sample(), frame(6, &Request::Info));
    for len in (2..cut.len() - 1).step_by(STEP) {
        let mut reader = FrameReader::<READER_LEN>::new();
        let bytes: Vec<u8> = cut[..len].iter().chain(&good).copied().collect();
        let read = read_all(&mut reader, &bytes);
        assert!(matches!(&read[..], [Err(_), Ok((6, _))]), "cut to {len} bytes: {read:?}");
    }
}

#[test]
fn every_flipped_bit_is_an_error_and_the_next_frame_is_read() {
    let (sample, good) = (sample(), frame(6, &Request::Info));
    for position in (0..sample.len()).step_by(STEP) {
        for bit in 0..8 {
            let mut bytes = sample.clone();
            bytes[position] ^= 1 << bit;
            bytes.extend(&good);
            let mut reader = FrameReader::<READER_LEN>::new();
            let mut read = read_all(&mut reader, &bytes);
            let last = read.pop();
            assert!(matches!(last, Some(Ok((6, _)))), "byte {position} bit {bit}: {last:?}");
            assert!(!read.is_empty() && read.iter().all(Result::is_err), "byte {position} bit {bit}: {read:?}");
        }
    }
}

#[test]
fn a_flood_without_a_delimiter_is_one_error() {
    let mut reader = FrameReader::<READER_LEN>::new();
    assert_eq!(read_all(&mut reader, &vec![0x41; if cfg!(miri) { 1 << 12 } else { 1 << 20 }]), []);
    let read = read_all(&mut reader, &frame(6, &Request::Info));
    assert!(matches!(&read[..], [Err(FrameError::TooLong), Ok((6, _))]), "{read:?}");
}

#[test]
fn delimiters_alone_are_no_frame() {
    assert_eq!(read_all(&mut FrameReader::<READER_LEN>::new(), &[0; 1000]), []);
}

#[test]
fn bytes_after_a_message_are_refused() {
    let mut reader = FrameReader::<READER_LEN>::new();
    let mut buffer = [0; 64];
    let bytes = encode(1, &(Request::Info, 0u8), &mut buffer).unwrap();
    let read = read_all(&mut reader, bytes);
    let [Ok((1, message))] = &read[..] else { panic!("{read:?}") };
    assert_eq!(decode::<Request<'_>>(message), Err(ErrorCode::UnknownMessage));
}

proptest! {
    #[test]
    fn any_request_comes_back(
        sequence: u8,
        row: u16,
        whole: bool,
        pixels in prop::collection::vec(any::<u8>().prop_map(|byte| if byte < 128 { 0 } else { byte }), 0..=PIXELS),
    ) {
        let pixels = &pixels[..];
        check_request(sequence, &if whole { Request::Classify { pixels } } else { Request::ClassifyRow { row, pixels } });
    }

    #[test]
    fn garbage_is_survived(garbage in prop::collection::vec(any::<u8>().prop_map(|byte| if byte < 25 { 0 } else { byte }), 0..900)) {
        let mut reader = FrameReader::<READER_LEN>::new();
        let read = read_all(&mut reader, &garbage);
        prop_assert!(read.iter().all(Result::is_err), "garbage was read as {:?}", read);
        let read = read_all(&mut reader, &frame(6, &Request::Info));
        prop_assert!(matches!(read.last(), Some(Ok((6, _)))), "{:?}", read);
    }

    #[test]
    fn any_message_bytes_decode_or_are_refused(message in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode::<Request<'_>>(&message);
        let _ = decode::<Reply<'_>>(&message);
    }
}
