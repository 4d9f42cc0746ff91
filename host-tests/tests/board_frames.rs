//! What the firmware on the emulated Cortex-M4 makes of bytes that are no frames: an error reply, and the next
//! good frame works.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use host_tests::boards::Session;
use host_tests::shipped::{self, TEST_IMAGES};
use protocol::{ErrorCode, OwnedReply as Reply, Request, UNREADABLE, decode, encode, frame_len};
use thumbnet_device::{Board, Connection, DevicePrediction};

const BOARD: &str = "mps2-an386";
const TIMEOUT: Duration = Duration::from_secs(20);
/// The test image that is sent in between.
const IMAGE: usize = 3;

#[test]
fn the_board_answers_bad_frames_with_errors_and_the_next_good_one_with_a_prediction() -> Result<()> {
    let mut session = Session::boot(Board::find(BOARD)?, &shipped::path("nano", "model.tnet"))?;
    let line = session.emulator.connection();
    let info = line.info()?;
    let pixels = TEST_IMAGES.image(IMAGE);
    let expected = line.classify(pixels)?;

    let good = frame(9, &Request::Classify { pixels });
    let mut flipped = good.clone();
    flipped[500] ^= 0x10;
    // The zero of the next good frame ends them.
    let bad: [(&str, &[u8]); 5] = [
        ("garbage", &[0x55; 300]),
        ("one byte", &[1]),
        ("a truncated frame", &good[..good.len() / 2]),
        ("a flipped bit", &flipped[..flipped.len() - 1]),
        ("an oversize frame", &vec![0xff; 4 * good.len()]),
    ];
    for (name, bytes) in bad {
        line.send_raw(bytes)?;
        line.send_raw(&good)?;
        let found = reply(line).context(name)?;
        ensure!(matches!(found, (UNREADABLE, Err(ErrorCode::Frame(_)))), "{name}: {found:?}");
        ensure!(reply(line).context(name)? == (9, Ok(Some(expected.logits.clone()))), "the good frame after {name}");
    }

    let short = &pixels[1..];
    let length = info.image_len() as u32;
    let mut buffer = [0; 32];
    let unknown = encode(6, &200u8, &mut buffer)?;
    let refused = [
        (frame(1, &Request::Classify { pixels: short }), ErrorCode::WrongLength { expected: length }),
        (frame(2, &Request::Benchmark { runs: 1, pixels: short }), ErrorCode::WrongLength { expected: length }),
        (frame(3, &Request::Benchmark { runs: 0, pixels }), ErrorCode::NoRuns),
        (frame(4, &Request::ClassifyRow { row: 5, pixels: &pixels[..28] }), ErrorCode::WrongRow { expected: 0 }),
        (frame(5, &Request::ClassifyRow { row: 0, pixels }), ErrorCode::WrongLength { expected: 28 }),
        (unknown.to_vec(), ErrorCode::UnknownMessage),
    ];
    for (bytes, error) in refused {
        line.send_raw(&bytes)?;
        let (_, found) = reply(line)?;
        ensure!(found == Err(error), "wanted {error:?}, got {found:?}");
    }

    let unticked = |prediction: DevicePrediction| DevicePrediction { ticks: None, ..prediction };
    let by_rows = line.classify_rows(pixels, info.row_len())?;
    ensure!(unticked(by_rows) == unticked(expected.clone()), "row by row");
    // A whole image in the middle of a streamed one takes its place.
    line.send_raw(&frame(7, &Request::ClassifyRow { row: 0, pixels: &pixels[..28] }))?;
    ensure!(reply(line)? == (7, Ok(None)), "row 0");
    ensure!(unticked(line.classify(pixels)?) == unticked(expected), "whole after a row");
    line.send_raw(&frame(8, &Request::ClassifyRow { row: 1, pixels: &pixels[..28] }))?;
    ensure!(reply(line)? == (8, Err(ErrorCode::WrongRow { expected: 0 })), "a row of a given up image");
    ensure!(session.emulator.is_running());
    Ok(())
}

fn frame(sequence: u8, request: &Request<'_>) -> Vec<u8> {
    let mut buffer = vec![0; frame_len(protocol::request_len(TEST_IMAGES.image(IMAGE).len()))];
    encode(sequence, request, &mut buffer).expect("the buffer is large enough").to_vec()
}

/// A reply's error or its logits, if it has any.
type Outcome = Result<Option<Vec<i32>>, ErrorCode>;

/// The next reply's sequence number and outcome.
fn reply(line: &mut Connection) -> Result<(u8, Outcome)> {
    let (sequence, message) = line.receive_raw(TIMEOUT)?;
    let outcome = match decode::<Reply<'_>>(&message)? {
        Reply::Error(error) => Err(error),
        Reply::Prediction(prediction) => Ok(Some(prediction.logits)),
        _ => Ok(None),
    };
    Ok((sequence, outcome))
}
