//! Where things are, and how other programs are run.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

/// The directory of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace")
}

/// The build directory: `CARGO_TARGET_DIR`, or `target`.
pub fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The MNIST files that are in the repository.
pub fn mnist() -> PathBuf {
    root().join("trainer/data/mnist")
}

/// A program that will run in the root of the workspace; the firmware builds into the same directory as all else.
pub fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).env("CARGO_TARGET_DIR", target());
    command
}

/// The cargo that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// One of our own programs, as `cargo build --release` leaves it.
pub fn built(name: &str, arguments: &[&str]) -> Command {
    command(target().join("release").join(name).with_extension(env::consts::EXE_EXTENSION), arguments)
}

/// Runs a command, its output on ours.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` cannot be started", line(command)))?;
    ensure!(status.success(), "`{}` failed: see above", line(command));
    Ok(())
}

/// Runs a command and returns what it writes to stdout; stderr goes to ours.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("`{}` cannot be started", line(command)))?;
    ensure!(output.status.success(), "`{}` failed: see above", line(command));
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command that writes one JSON object a line.
pub fn json<T: DeserializeOwned>(command: &mut Command) -> Result<Vec<T>> {
    let text = output(command)?;
    let parse = |text: &str| {
        serde_json::from_str(text).with_context(|| format!("`{}` wrote an unexpected line: {text}", line(command)))
    };
    text.lines().filter(|text| !text.trim().is_empty()).map(parse).collect()
}

/// Whether a program can be started and succeeds; its output is dropped.
pub fn works(program: &str, arguments: &[&str]) -> Result<bool> {
    match command(program, arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => bail!("`{program}` cannot be started: {error}"),
    }
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
