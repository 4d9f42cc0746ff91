//! The host's side of the line, against a board that answers by a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use protocol::{
    ErrorCode, FrameError, FrameReader, Info, MAX_OUTPUTS, OwnedReply as Reply, Place, Prediction, Request, UNREADABLE,
    VERSION, decode, encode, reply_len, request_len,
};
use thumbnet_device::{Connection, DeviceError, DeviceInfo};

const PIXELS: [u8; 6] = [1, 0, 2, 0, 3, 9];
const INFO: Info<'_> = Info {
    protocol: VERSION,
    board: "desk",
    core: "none",
    place: Place::Instructions,
    counter_hz: Some(25_000_000),
    model: "tiny",
    model_crc: 9,
    height: 3,
    width: 2,
    channels: 1,
    outputs: 2,
    arena_bytes: 1,
    model_bytes: 2,
    flash_bytes: 3,
};

/// What the board sends upon a request: sequence number (that of the request where `None`) and reply.
type Script = fn(count: usize, Request<'_>) -> Vec<(Option<u8>, Reply<'static>)>;

/// A line to a board that answers its requests, counted from 0, by the script, and closes the line when it has no answer.
fn board(script: Script) -> (Connection, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let (mut line, _) = listener.accept().unwrap();
        let mut reader = FrameReader::<{ request_len(PIXELS.len()) }>::new();
        let (mut count, mut byte) = (0, [0]);
        while line.read(&mut byte).is_ok_and(|read| read == 1) {
            let Some(frame) = reader.push(byte[0]) else { continue };
            let frame = frame.unwrap();
            let replies = script(count, decode(frame.message).unwrap());
            count += 1;
            if replies.is_empty() {
                break;
            }
            for (sequence, reply) in replies {
                let mut buffer = vec![0; reply_len(MAX_OUTPUTS)];
                line.write_all(encode(sequence.unwrap_or(frame.sequence), &reply, &mut buffer).unwrap()).unwrap();
            }
        }
        count
    };
    let server = thread::spawn(serve);
    (Connection::tcp(&address).unwrap(), server)
}

fn prediction(class: u16) -> Reply<'static> {
    let logits = vec![-5, i32::from(class)];
    Reply::Prediction(Prediction { class, ticks: Some(3), logits })
}

fn damaged() -> Reply<'static> {
    Reply::Error(ErrorCode::Frame(FrameError::Checksum))
}

/// How many requests the board got.
fn requests((connection, server): (Connection, JoinHandle<usize>)) -> usize {
    drop(connection);
    server.join().unwrap()
}

#[test]
fn info_and_instructions() {
    let mut board = board(|_, _| vec![(None, Reply::Info(INFO))]);
    let info = board.0.info().unwrap();
    assert_eq!((info.board.as_str(), info.model.as_str(), info.image_len(), info.row_len()), ("desk", "tiny", 6, 2));
    assert_eq!(info.instructions(5), Some(200), "40 nanoseconds a tick");
    assert_eq!(info.milliseconds(5), None, "an instruction's nanosecond is no time");
    for place in [Place::Chip, Place::Cycles] {
        let info = DeviceInfo { place, ..info.clone() };
        assert_eq!(info.instructions(5), None, "cycles are no instructions");
        assert_eq!(info.milliseconds(50_000), Some(2.0));
    }
    assert_eq!(requests(board), 1);
}

#[test]
fn a_model_may_have_as_many_outputs_as_the_format_allows() {
    let script: Script = |_, _| {
        let logits = (0..MAX_OUTPUTS).map(|output| if output % 3 == 0 { i32::MIN } else { output as i32 }).collect();
        vec![(None, Reply::Prediction(Prediction { class: MAX_OUTPUTS as u16 - 1, ticks: None, logits }))]
    };
    let mut board = board(script);
    let found = board.0.classify(&PIXELS).unwrap();
    assert_eq!((found.class, found.logits.len(), found.logits[3]), (MAX_OUTPUTS - 1, MAX_OUTPUTS, i32::MIN));
    assert_eq!(requests(board), 1);
}

#[test]
fn a_request_that_was_damaged_on_its_way_is_repeated() {
    let script: Script = |count, request| {
        assert_eq!(request, Request::Classify { pixels: &PIXELS });
        if count == 0 { vec![(Some(UNREADABLE), damaged())] } else { vec![(None, prediction(1))] }
    };
    let mut board = board(script);
    let found = board.0.classify(&PIXELS).unwrap();
    assert_eq!((found.class, found.logits, found.ticks), (1, vec![-5, 1], Some(3)));
    assert_eq!(requests(board), 2);
}

#[test]
fn a_line_that_always_damages_is_an_error_after_three_attempts() {
    let mut board = board(|_, _| vec![(Some(UNREADABLE), damaged())]);
    let found = board.0.classify(&PIXELS);
    assert!(matches!(found, Err(DeviceError::Refused(ErrorCode::Frame(FrameError::Checksum)))), "{found:?}");
    assert_eq!(requests(board), 3);
}

#[test]
fn late_replies_to_earlier_requests_are_skipped() {
    let mut board = board(|_, _| vec![(Some(200), prediction(0)), (None, prediction(1))]);
    for _ in 0..3 {
        assert_eq!(board.0.classify(&PIXELS).unwrap().class, 1);
    }
    assert_eq!(requests(board), 3);
}

#[test]
fn rows_begin_again_when_one_was_damaged() {
    let script: Script = |count, request| {
        let Request::ClassifyRow { row, pixels } = request else { panic!("{request:?}") };
        assert_eq!(pixels, &PIXELS[usize::from(row) * 2..][..2]);
        let rows = [0, 1, 0, 1, 2];
        assert_eq!(row, rows[count]);
        match count {
            1 => vec![(Some(UNREADABLE), damaged())],
            4 => vec![(None, prediction(1))],
            _ => vec![(None, Reply::RowAccepted { row })],
        }
    };
    let mut board = board(script);
    assert_eq!(board.0.classify_rows(&PIXELS, 2).unwrap().class, 1);
    assert_eq!(requests(board), 5);
}

#[test]
fn refusals_are_not_repeated() {
    let mut board = board(|_, _| vec![(None, Reply::Error(ErrorCode::WrongLength { expected: 784 }))]);
    let error = board.0.classify(&PIXELS).unwrap_err();
    assert!(error.to_string().contains("784"), "{error}");
    assert_eq!(requests(board), 1);
}

#[test]
fn a_reply_of_another_kind_is_an_error() {
    let mut board = board(|_, _| vec![(None, prediction(0))]);
    assert!(matches!(board.0.info(), Err(DeviceError::Unexpected)));
    assert!(matches!(board.0.benchmark(&PIXELS, 1), Err(DeviceError::Unexpected)));
    assert_eq!(requests(board), 2);
}

#[test]
fn another_protocol_version_is_named() {
    let mut board = board(|_, _| vec![(None, Reply::Info(Info { protocol: VERSION + 1, ..INFO }))]);
    assert!(matches!(board.0.info(), Err(DeviceError::Version { found }) if found == VERSION + 1));
    assert_eq!(requests(board), 1);
}

#[test]
fn a_line_that_ends_is_an_error() {
    let mut board = board(|_, _| vec![]);
    assert!(matches!(board.0.info(), Err(DeviceError::Line(_))));
    assert_eq!(requests(board), 1);
}

#[test]
fn nobody_behind_an_address_is_an_error_that_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Connection::tcp(&address).err().expect("nobody listens");
    assert!(error.to_string().contains(&address), "{error}");
    assert!(Connection::tcp("no port").is_err());
    assert!(Connection::serial("/dev/no-such-port", 115_200).is_err());
}

/// A line to something that does with the bytes what `serve` does.
fn line(serve: impl FnOnce(TcpStream) + Send + 'static) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    Connection::tcp(&address).unwrap().with_timeout(Duration::from_millis(300))
}

/// Writes `before`, then what `answer` writes upon every request: which one, its bytes, the reply that fits.
fn answering(
    before: &'static [u8],
    mut answer: impl FnMut(usize, &[u8], Vec<u8>, &mut TcpStream) + Send + 'static,
) -> Connection {
    line(move |mut line| {
        line.write_all(before).unwrap();
        let mut reader = FrameReader::<{ request_len(PIXELS.len()) }>::new();
        let (mut raw, mut byte, mut count) = (Vec::new(), [0], 0);
        while line.read(&mut byte).is_ok_and(|read| read == 1) {
            raw.push(byte[0]);
            let Some(Ok(frame)) = reader.push(byte[0]) else { continue };
            let mut buffer = vec![0; reply_len(MAX_OUTPUTS)];
            let reply = encode(frame.sequence, &prediction(1), &mut buffer).unwrap().to_vec();
            answer(count, &std::mem::take(&mut raw), reply, &mut line);
            count += 1;
        }
    })
}

#[test]
fn a_line_that_only_echoes_is_said_to() {
    let mut echo = answering(b"", |_, raw, _, line| line.write_all(raw).unwrap());
    for result in [echo.info().map(|_| ()), echo.classify(&PIXELS).map(|_| ())] {
        let error = result.unwrap_err();
        assert!(matches!(error, DeviceError::Echo { .. }), "{error}");
    }
}

#[test]
fn a_board_behind_an_echo_is_heard() {
    let mut board = answering(b"", |_, raw, reply, line| line.write_all(&[raw, &reply].concat()).unwrap());
    for _ in 0..3 {
        assert_eq!(board.classify(&PIXELS).unwrap().class, 1);
    }
}

#[test]
fn text_before_the_first_frame_and_between_frames_is_passed_over() {
    let boot = b"ESP-ROM:esp32c3-api1-20210207\r\nrst:0x1 (POWERON),boot:0xc\r\nentry 0x403cc710\r\n";
    let mut board = answering(boot, |_, _, reply, line| line.write_all(&[b"AT+GMI\r\n", &reply[..]].concat()).unwrap());
    for _ in 0..3 {
        assert_eq!(board.classify(&PIXELS).unwrap().class, 1);
    }
}

#[test]
fn text_and_no_answer_is_shown() {
    let mut console =
        answering(b"U-Boot 2024.01\r\n=> ", |_, _, _, line| line.write_all(b"Unknown command\r\n\0").unwrap());
    let error = console.info().unwrap_err();
    assert!(matches!(&error, DeviceError::Noise { seen, .. } if seen.contains("Unknown command\\r\\n")), "{error}");
    let mut silent = answering(b"", |_, _, _, _| {});
    assert!(matches!(silent.info().unwrap_err(), DeviceError::Timeout { .. }));
}

#[test]
fn a_reply_that_lost_bytes_is_asked_for_again() {
    // Every byte of the first reply is lost once.
    let len = {
        let mut buffer = vec![0; reply_len(MAX_OUTPUTS)];
        encode(1, &prediction(1), &mut buffer).unwrap().len()
    };
    for lost in 0..len {
        let mut board = answering(b"", move |count, _, mut reply, line| {
            if count == 0 {
                reply.remove(lost);
            }
            line.write_all(&reply).unwrap();
        });
        assert_eq!(board.classify(&PIXELS).unwrap().class, 1, "byte {lost}");
        assert_eq!(board.classify(&PIXELS).unwrap().class, 1, "byte {lost}, the next one");
    }
}
