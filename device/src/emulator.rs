//! A board in QEMU.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Board, Connection, DeviceError};

const QEMU: &str = "qemu-system-arm";
/// The byte after which QEMU's multiplexer takes commands: none has this value.
const NO_ESCAPE: &str = "256";
/// What `-icount shift` makes one instruction take.
const ONE_NANOSECOND: u32 = 0;
/// How long QEMU may take to open its serial line.
const START: Duration = Duration::from_secs(20);

/// A running emulator, ended when dropped.
pub struct Emulator {
    process: Process,
    connection: Connection,
}

impl Emulator {
    /// Boots an image, an ELF file, on an emulated board.
    pub fn boot(elf: &Path, board: &Board) -> Result<Self, DeviceError> {
        Self::boot_with(elf, board, ONE_NANOSECOND, &[])
    }

    /// The same with an instruction taking 2^`shift` nanoseconds, and with more options for QEMU.
    ///
    /// QEMU counts instructions instead of time (`-icount`), so that every run measures the same.
    /// QEMU connects to a socket of ours: no port has to be agreed on. Its multiplexer (`mux`) buffers some bytes,
    /// where without it every single one would wait for QEMU's threads to take turns.
    pub fn boot_with(elf: &Path, board: &Board, shift: u32, options: &[String]) -> Result<Self, DeviceError> {
        let machine = board.emulator.as_ref().ok_or_else(|| DeviceError::NotEmulated(board.name.clone()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let process = Command::new(QEMU)
            .args(["-machine", machine, "-icount", &format!("shift={shift}"), "-display", "none", "-monitor", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-chardev", &format!("socket,id=line,host={},port={},mux=on", address.ip(), address.port())])
            .args(["-serial", "chardev:line", "-echr", NO_ESCAPE])
            .args(options)
            .arg("-kernel")
            .arg(elf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let process = process.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                DeviceError::Emulator(format!("{QEMU} is missing: apt-get install {QEMU}, or run cargo xtask setup"))
            }
            _ => DeviceError::Emulator(format!("cannot start {QEMU}: {error}")),
        })?;
        let mut process = Process(process);
        let connection = accept(&listener, &mut process.0)?;
        Ok(Self { process, connection })
    }

    /// The board's serial line.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Waits until the board ends the emulator: whether it reports success, and what it wrote to the console.
    pub fn wait(&mut self, timeout: Duration) -> Result<(bool, String), DeviceError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.process.0.try_wait()? {
                return Ok((status.success(), stderr(&mut self.process.0)?));
            }
            if Instant::now() > deadline {
                return Err(DeviceError::Emulator(format!(
                    "the board has not ended {QEMU} in {} s",
                    timeout.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the board still runs; it does not after a panic.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }
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
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until QEMU opens the serial line, or ends.
fn accept(listener: &TcpListener, process: &mut Child) -> Result<Connection, DeviceError> {
    let deadline = Instant::now() + START;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(Connection::over(stream)?);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = process.try_wait()? {
            let message = stderr(process)?;
            return Err(DeviceError::Emulator(format!("{QEMU} has ended ({status}): {}", message.trim())));
        }
        if Instant::now() > deadline {
            return Err(DeviceError::Emulator(format!("{QEMU} does not open its serial line")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
