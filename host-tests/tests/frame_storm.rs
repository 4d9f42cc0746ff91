//! A megabyte of garbage, oversize, cut and interleaved frames on the serial line of the emulated Cortex-M4: whatever
//! came before, the board answers the next good frame.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use host_tests::boards::Session;
use host_tests::rng::Rng;
use host_tests::shipped::{self, TEST_IMAGES};
use protocol::{OwnedReply as Reply, Request, decode, encode, frame_len, request_len};
use thumbnet_device::{Board, Connection};

const BOARD: &str = "mps2-an386";
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of the storm.
const STORM: usize = 1 << 20;
/// Hostile bytes between two good frames, at most.
const MOST: usize = 1 << 14;
/// The sequence number of good frames; hostile ones have others.
const GOOD: u8 = 200;

#[test]
fn after_any_hostile_bytes_the_board_answers_the_next_good_frame() -> Result<()> {
    let mut session = Session::boot(Board::find(BOARD)?, &shipped::path("nano", "model.tnet"))?;
    let line = session.emulator.connection();
    let pixels = TEST_IMAGES.image(0);
    let expected = line.classify(pixels)?;
    let mut rng = Rng::new(5);
    let (mut sent, mut good_frames, mut refused) = (0, 0, 0);
    while sent < STORM {
        let bytes = hostile(&mut rng, pixels);
        // Not too much at a time: while these are sent, nobody takes the board's replies.
        line.send_raw(&bytes)?;
        sent += bytes.len();
        line.send_raw(&frame(GOOD, &Request::Classify { pixels }))?;
        let (errors, logits) = good_reply(line).with_context(|| format!("after {sent} bytes"))?;
        ensure!(logits == expected.logits, "other logits after {sent} bytes");
        refused += errors;
        good_frames += 1;
    }
    println!("{BOARD}: {sent} hostile bytes, {refused} frames refused, {good_frames} good ones answered rightly");
    ensure!(refused > good_frames, "a storm of which nothing is refused is none");
    ensure!(session.emulator.is_running());
    Ok(())
}

/// Some hostile bytes of one kind. None of them is a request whose answer would take long.
fn hostile(rng: &mut Rng, pixels: &[u8]) -> Vec<u8> {
    let row = |rng: &mut Rng| frame(rng.size(1..=99) as u8, &Request::ClassifyRow { row: 7, pixels: &pixels[..28] });
    let image = frame(1, &Request::Classify { pixels });
    let len = rng.size(1..=MOST);
    match rng.size(0..=5) {
        0 => rng.bytes(len),
        1 => vec![rng.pick(&[0, 1, 2, 0x55, 0xff]); len],
        // Larger than the board's buffer, and whole otherwise.
        2 => frame(1, &Request::Classify { pixels: &rng.bytes(len.max(2 * pixels.len())) }),
        3 => image[..rng.size(1..=image.len() - 1)].to_vec(),
        // Frames cut into each other.
        4 => {
            let mut bytes = Vec::new();
            while bytes.len() < len {
                let (one, two) = (row(rng), row(rng));
                let cut = rng.size(0..=one.len());
                bytes.extend([&one[..cut], &two, &one[cut..]].concat());
            }
            bytes
        }
        // Flipped bits.
        _ => {
            let mut bytes = image.repeat(len.div_ceil(image.len()));
            for byte in bytes.chunks_mut(300) {
                byte[rng.size(0..=byte.len() - 1)] ^= 1 << rng.size(0..=7);
            }
            bytes
        }
    }
}

fn frame(sequence: u8, request: &Request<'_>) -> Vec<u8> {
    let mut buffer = vec![0; frame_len(request_len(2 * MOST))];
    encode(sequence, request, &mut buffer).expect("the buffer is large enough").to_vec()
}

/// The logits of the next reply to a good frame, and how many errors came before it.
fn good_reply(line: &mut Connection) -> Result<(usize, Vec<i32>)> {
    let deadline = Instant::now() + TIMEOUT;
    let mut errors = 0;
    loop {
        let (sequence, message) = line.receive_raw(deadline.saturating_duration_since(Instant::now()))?;
        match decode::<Reply<'_>>(&message)? {
            Reply::Prediction(prediction) if sequence == GOOD => return Ok((errors, prediction.logits)),
            Reply::Error(_) => errors += 1,
            _ => {}
        }
    }
}
