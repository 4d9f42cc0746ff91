//! How much stack an inference takes, measured from outside: the emulator paints the memory below the
//! stack before the board starts, and is asked afterwards how much of the paint is left.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use thumbnet_device::FirmwareImage;

/// What unused stack looks like.
const PAINT: u8 = 0xa5;
/// Most bytes of stack that are painted.
const MOST: u64 = 64 * 1024;
/// Symbols of cortex-m-rt's linker script: where the stack begins, and how far down it may grow.
const STACK_START: &str = "_stack_start";
const STACK_END: &str = "__sheap";
/// How long the emulator may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The stack of an image that an emulator is about to boot.
pub struct PaintedStack {
    /// The lowest address that it may use.
    end: u64,
    len: u64,
    memory: NamedTempFile,
    control: TcpListener,
}

impl PaintedStack {
    /// Prepares the paint.
    pub fn of(image: &FirmwareImage) -> Result<Self> {
        let start = image.symbol(STACK_START)?;
        let end = image.symbol(STACK_END)?.max(start.saturating_sub(MOST));
        let mut memory = NamedTempFile::new()?;
        memory.write_all(&vec![PAINT; (start - end) as usize])?;
        Ok(Self { end, len: start - end, memory, control: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))? })
    }

    /// What QEMU has to be started with.
    pub fn options(&self) -> Result<Vec<String>> {
        let control = format!("tcp:{}", self.control.local_addr()?);
        let memory = self.memory.path().to_str().context("the directory for temporary files is not UTF-8")?;
        let paint = format!("loader,file={memory},addr={:#x},force-raw=on", self.end);
        Ok(["-qmp", &control, "-device", &paint].map(String::from).into())
    }

    /// The most bytes that were used since QEMU was started, which must still run.
    pub fn high_water_mark(self) -> Result<u64> {
        let mut line = self.control.accept()?.0;
        line.set_read_timeout(Some(TIMEOUT))?;
        ask(&mut line, "qmp_capabilities", json!({}))?;
        // As the processor sees it: not all boards have their memory where a bus would find it.
        ask(&mut line, "memsave", json!({ "val": self.end, "size": self.len, "filename": self.memory.path() }))?;
        let unused = fs::read(self.memory.path())?.iter().take_while(|&&byte| byte == PAINT).count() as u64;
        ensure!(unused > 0, "the stack grew beyond the {} bytes that were painted", self.len);
        Ok(self.len - unused)
    }
}

/// Sends a command of QEMU's machine protocol and waits for its answer; greeting and events before it are skipped.
fn ask(line: &mut TcpStream, command: &str, arguments: Value) -> Result<()> {
    writeln!(line, "{}", json!({ "execute": command, "arguments": arguments }))?;
    // Commands are sent one at a time: nothing that is read ahead belongs to the next.
    for answer in BufReader::new(line).lines() {
        let answer: Value = serde_json::from_str(&answer?)?;
        if let Some(error) = answer.get("error") {
            anyhow::bail!("QEMU refuses {command}: {error}");
        }
        if answer.get("return").is_some() {
            return Ok(());
        }
    }
    anyhow::bail!("QEMU ended before it answered {command}")
}
