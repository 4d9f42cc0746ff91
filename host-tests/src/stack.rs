//! How much stack an inference takes, measured from outside: the emulator paints the memory below the
//! stack before the board starts, and is asked afterwards how much of the paint is left.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use compiler::device::{Board, Connection};
use object::{Object, ObjectSymbol};
use serde_json::{Value, json};

/// What unused stack looks like.
const PAINT: u8 = 0xa5;
/// Most bytes of stack that are painted.
const MOST: u64 = 64 * 1024;
/// Symbols of cortex-m-rt's linker script: where the stack begins, and how far down it may grow.
const STACK_START: &str = "_stack_start";
const STACK_END: &str = "__sheap";
/// How long the emulator may take to open its serial line.
const START: Duration = Duration::from_secs(20);

/// The most stack, in bytes, that an image used from its start to the end of one inference.
pub fn high_water_mark(elf: &Path, board: &Board, pixels: &[u8]) -> Result<u64> {
    let machine = board.emulator.as_deref().with_context(|| format!("{} is not emulated", board.name))?;
    let file = fs::read(elf).with_context(|| format!("reading {}", elf.display()))?;
    let start = address(&file, STACK_START)?;
    let end = address(&file, STACK_END)?.max(start - MOST);
    let memory = elf.with_extension("stack");
    fs::write(&memory, vec![PAINT; (start - end) as usize])?;
    let memory = memory.to_str().context("the build directory's name is not UTF-8")?;

    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let process = Command::new("qemu-system-arm")
        .args(["-machine", machine, "-icount", "shift=0", "-display", "none", "-qmp", "stdio"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .args(["-serial", &format!("tcp:127.0.0.1:{port},server=on,wait=off")])
        .args(["-device", &format!("loader,file={memory},addr={end:#x},force-raw=on")])
        .arg("-kernel")
        .arg(elf)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut emulator = Emulator(process.context("qemu-system-arm cannot be started: run `cargo xtask setup`")?);
    connect(port)?.classify(pixels)?;
    emulator.ask("qmp_capabilities", json!({}))?;
    emulator.ask("pmemsave", json!({ "val": end, "size": start - end, "filename": memory }))?;
    let unused = fs::read(memory)?.iter().take_while(|&&byte| byte == PAINT).count() as u64;
    ensure!(unused > 0, "the stack grew beyond the {} bytes that were painted", start - end);
    Ok(start - end - unused)
}

fn address(elf: &[u8], name: &str) -> Result<u64> {
    let elf = object::File::parse(elf)?;
    let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
    Ok(symbol.with_context(|| format!("the image has no symbol {name}"))?.address())
}

/// The emulator opens its line some time after it is started.
fn connect(port: u16) -> Result<Connection> {
    let deadline = Instant::now() + START;
    loop {
        match Connection::tcp(&format!("127.0.0.1:{port}")) {
            Ok(connection) => return Ok(connection),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// QEMU, with its machine protocol on stdin and stdout; ended when dropped.
struct Emulator(Child);

impl Emulator {
    /// Sends a command and waits for its answer; greeting and events before it are skipped.
    fn ask(&mut self, command: &str, arguments: Value) -> Result<()> {
        let stdin = self.0.stdin.as_mut().context("stdin is a pipe")?;
        writeln!(stdin, "{}", json!({ "execute": command, "arguments": arguments }))?;
        let stdout = self.0.stdout.as_mut().context("stdout is a pipe")?;
        // Commands are sent one at a time: nothing that is read ahead belongs to the next.
        for line in BufReader::new(stdout).lines() {
            let answer: Value = serde_json::from_str(&line?)?;
            if let Some(error) = answer.get("error") {
                anyhow::bail!("QEMU refuses {command}: {error}");
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
        anyhow::bail!("QEMU ended before it answered {command}")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
