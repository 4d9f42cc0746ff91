//! `thumbnet`: compiles networks, looks into models, measures and uses them. One file a subcommand.

mod classify;
mod compare;
mod compile;
mod device;
mod eval;
mod inspect;
mod pictures;
mod report;
mod shell;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use thumbnet::Model;
use thumbnet::format::MAGIC;
use thumbnet_compiler::kind::Kind;

/// Compile digit networks for microcontrollers, look into them, measure and use them.
#[derive(Parser)]
#[command(name = "thumbnet", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compile(compile::Arguments),
    Inspect(inspect::Arguments),
    Eval(eval::Arguments),
    Compare(compare::Arguments),
    Classify(classify::Arguments),
    Device(device::Arguments),
    Completions(shell::Completions),
    Manual(shell::Manual),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line says.
fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Device(arguments) => device::run(&arguments),
        Command::Completions(arguments) => shell::complete(&arguments, self::Arguments::command()),
        Command::Manual(arguments) => shell::manual(&arguments, self::Arguments::command()),
    }
}

/// The bytes of a file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.is_dir() {
        bail!("{} is a directory: {}", path.display(), in_directory(path));
    }
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// What to give in place of a directory.
fn in_directory(path: &Path) -> String {
    let saved_model = path.join("saved_model.pb");
    if saved_model.is_file() {
        let target = "--opset 13 --output model.onnx";
        return format!(
            "a TensorFlow SavedModel; make an ONNX file of it, `python -m tf2onnx.convert --saved-model {} {target}`",
            path.display()
        );
    }
    let is_model = |path: &Path| path.extension().is_some_and(|extension| extension == "onnx" || extension == "tnet");
    let files = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    match files.filter(|path| is_model(path)).min() {
        Some(model) => format!("give a file in it, such as {}", model.display()),
        None => "give a file".into(),
    }
}

/// Writes a file whole or not at all: under another name first, then renamed.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).with_context(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).with_context(failed)?;
    std::io::Write::write_all(&mut file, bytes).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    make_readable(file.as_file()).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}

/// Temporary files are private; what comes of them is an ordinary file.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// A bar on the terminal (none where the output goes elsewhere) that counts images.
fn progress_bar(message: &'static str, images: usize) -> ProgressBar {
    let bar = ProgressBar::new(images as u64).with_message(message);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} images, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A model's parse error with the file that it is about.
fn parse<'m>(path: &Path, bytes: &'m [u8]) -> anyhow::Result<Model<'m>> {
    Model::parse(bytes).with_context(|| match Kind::of(bytes) {
        Some(kind) if kind != Kind::Tnet => format!("{} is {}: {}", path.display(), kind.name(), kind.advice()),
        _ if is_onnx(path) => format!("{} is to be compiled first, by thumbnet compile", path.display()),
        _ => path.display().to_string(),
    })
}

/// Whether a file is, or is said to be, a compiled model.
fn is_tnet(path: &Path, bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tnet"))
}

/// Whether a file is said to be a network that is not compiled yet.
fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}
