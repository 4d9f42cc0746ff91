//! The serial line: what a board and a host read.

use protocol::{
    Frame, FrameError, FrameReader, OwnedReply as Reply, Request, decode, encode, frame_len, reply_len, request_len,
};

/// Pixels of the largest request that the board's reader takes.
const PIXELS: usize = 784;
const REQUEST_LEN: usize = request_len(PIXELS);
/// Bytes of the largest reply that the host's reader takes.
const REPLY_LEN: usize = reply_len(64);
/// The sequence number of the good frame at the end.
const SEQUENCE: u8 = 9;

/// Bytes on a board's line, and the same bytes as the message of a whole frame.
pub fn requests(bytes: &[u8]) {
    let mut buffer = [0; frame_len(REQUEST_LEN)];
    let good = encode(SEQUENCE, &Request::Info, &mut buffer).expect("the buffer is large enough").to_vec();
    next_good_frame_is_read::<REQUEST_LEN>(bytes, &good);
    if let Ok(request) = decode::<Request<'_>>(bytes)
        && let Ok(frame) = encode(SEQUENCE, &request, &mut buffer)
    {
        comes_back::<REQUEST_LEN>(frame, |message| assert_eq!(decode(message), Ok(request)));
    }
}

/// The same for what a host reads.
pub fn replies(bytes: &[u8]) {
    let mut buffer = [0; REPLY_LEN];
    let good =
        encode(SEQUENCE, &Reply::RowAccepted { row: 7 }, &mut buffer).expect("the buffer is large enough").to_vec();
    next_good_frame_is_read::<REPLY_LEN>(bytes, &good);
    if let Ok(reply) = decode::<Reply<'_>>(bytes)
        && let Ok(frame) = encode(SEQUENCE, &reply, &mut buffer)
    {
        comes_back::<REPLY_LEN>(frame, |message| assert_eq!(decode(message).as_ref(), Ok(&reply)));
    }
}

/// Whatever came before it, a good frame is the last one that is read.
fn next_good_frame_is_read<const N: usize>(bytes: &[u8], good: &[u8]) {
    let mut reader = FrameReader::<N>::new();
    let mut last = None;
    for &byte in bytes.iter().chain(good) {
        if let Some(frame) = reader.push(byte) {
            if let Ok(Frame { message, .. }) = frame {
                let _ = (decode::<Request<'_>>(message), decode::<Reply<'_>>(message));
            }
            last = Some(frame.map(|frame| frame.sequence));
        }
    }
    assert_eq!(last, Some(Ok(SEQUENCE)), "the good frame");
    assert!(!reader.is_inside());
}

/// A frame that was written is read as the same message, if the reader has room for it.
fn comes_back<const N: usize>(frame: &[u8], check: impl Fn(&[u8])) {
    let mut reader = FrameReader::<N>::new();
    let mut found = 0;
    for &byte in frame {
        match reader.push(byte) {
            Some(Ok(frame)) => {
                assert_eq!(frame.sequence, SEQUENCE);
                check(frame.message);
                found += 1;
            }
            Some(Err(FrameError::TooLong)) => found += 1,
            Some(Err(error)) => panic!("a good frame was read as: {error}"),
            None => {}
        }
    }
    assert_eq!(found, 1, "one frame is one frame");
}
