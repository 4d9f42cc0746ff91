//! The host's side of the line, against a board that answers by a script.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use protocol::{
    ErrorCode, FrameError, FrameReader, Info, MAX_OUTPUTS, OwnedReply as Reply, Prediction, Request, UNREADABLE,
    VERSION, decode, encode, reply_len, request_len,
};
use thumbnet_device::{Connection, DeviceError, DeviceInfo};

const PIXELS: [u8; 6] = [1, 0, 2, 0, 3, 9];
const INFO: Info<'_> = Info {
    protocol: VERSION,
    board: "desk",
    core: "none",
    emulated: true,
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
    assert_eq!(
        DeviceInfo { emulated: false, ..info }.instructions(5),
        None,
        "a real board's ticks are no instructions"
    );
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
