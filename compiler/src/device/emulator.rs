//! A board in QEMU.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Board, Connection, DeviceError};

const QEMU: &str = "qemu-system-arm";
/// The byte after which QEMU's multiplexer takes commands: none has this value.
const NO_ESCAPE: &str = "256";
/// How long QEMU may take to open its serial line.
const START: Duration = Duration::from_secs(20);

/// A running emulator, ended when dropped.
pub struct Emulator {
    process: Process,
    connection: Connection,
}

impl Emulator {
    /// Boots an image, an ELF file, on an emulated board.
    ///
    /// QEMU counts instructions instead of time (`-icount shift=0`), so that every run measures the same.
    /// QEMU connects to a socket of ours: no port has to be agreed on. Its multiplexer (`mux`) buffers some bytes,
    /// where without it every single one would wait for QEMU's threads to take turns.
    pub fn boot(elf: &Path, board: &Board) -> Result<Self, DeviceError> {
        let machine = board.emulator.as_ref().ok_or_else(|| DeviceError::NotEmulated(board.name.clone()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let process = Command::new(QEMU)
            .args(["-machine", machine, "-icount", "shift=0", "-display", "none", "-monitor", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-chardev", &format!("socket,id=line,host={},port={},mux=on", address.ip(), address.port())])
            .args(["-serial", "chardev:line", "-echr", NO_ESCAPE])
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

    /// Whether the board still runs; it does not after a panic.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }
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
            let mut message = String::new();
            if let Some(stderr) = &mut process.stderr {
                stderr.read_to_string(&mut message)?;
            }
            return Err(DeviceError::Emulator(format!("{QEMU} has ended ({status}): {}", message.trim())));
        }
        if Instant::now() > deadline {
            return Err(DeviceError::Emulator(format!("{QEMU} does not open its serial line")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
