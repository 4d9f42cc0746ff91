//! Images onto boards and into emulators, without the rest of the project: `cargo xtask flash` and the firmware's
//! `cargo run` call it.
//!
//!     thumbnet-board flash BOARD MODEL.tnet     builds the image and puts it onto the board that is connected
//!     thumbnet-board run BOARD ELF [PORT]       puts an image onto its board; one that is only emulated is booted, its
//!                                               serial line on TCP port 7878 or PORT
//!     thumbnet-board emulate BOARD ELF [PORT]   boots an image of any board that has an emulator

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thumbnet_device::{Board, DeviceError, Emulator, FirmwareImage, flash};

/// Where an emulated board's serial line is.
const PORT: u16 = 7878;
const USAGE: &str = "usage: thumbnet-board flash BOARD MODEL.tnet | run BOARD ELF [PORT] | emulate BOARD ELF [PORT]";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), DeviceError> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["flash", board, model] => {
            let board = Board::find(board)?;
            let image = FirmwareImage::build(board, model.as_ref())?;
            println!(
                "{}: {} bytes of flash, {} of memory",
                board.title,
                image.text + image.data,
                image.data + image.bss
            );
            onto_the_board(board, &image.elf)
        }
        ["run", board, elf, ref rest @ ..] => {
            let board = Board::find(board)?;
            if board.flash.is_some() { onto_the_board(board, elf.as_ref()) } else { emulate(board, elf.as_ref(), rest) }
        }
        ["emulate", board, elf, ref rest @ ..] => emulate(Board::find(board)?, elf.as_ref(), rest),
        _ => Err(DeviceError::Flash(USAGE.into())),
    }
}

fn onto_the_board(board: &Board, elf: &Path) -> Result<(), DeviceError> {
    println!("{}", flash(board, elf)?);
    println!("its serial line: {}; its light: {}", board.serial, board.led);
    let port = if board.usb.is_some() { "" } else { " --port NAME" };
    println!("next: thumbnet device{port} info");
    Ok(())
}

fn emulate(board: &Board, elf: &Path, rest: &[&str]) -> Result<(), DeviceError> {
    let port = match rest {
        [] => PORT,
        [port] => port.parse().map_err(|_| DeviceError::Flash(format!("{port} is no TCP port: {USAGE}")))?,
        _ => return Err(DeviceError::Flash(USAGE.into())),
    };
    println!("{} in an emulator; next, in another terminal: thumbnet device --tcp 127.0.0.1:{port} info", board.title);
    println!("Ctrl-C ends it");
    Emulator::serve(&PathBuf::from(elf), board, port)
}
