//! The image for a board: building it, and how large it is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use inference_core::Model;
use object::elf::{SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::{Object, ObjectSection, SectionFlags};

use super::{Board, DeviceError};

/// A firmware image with a model in it. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirmwareImage {
    /// The ELF file.
    pub elf: PathBuf,
    /// Program, model and other constants.
    pub text: u64,
    /// Variables with initial values, in flash and in memory.
    pub data: u64,
    /// Variables that begin as zero, the arena among them.
    pub bss: u64,
    /// The network's memory.
    pub arena: u64,
}

impl FirmwareImage {
    /// Builds the image of a model for a board with cargo, from the sources beside this crate.
    ///
    /// The ELF file has a name of its own in the target directory: a later build of another image leaves it.
    pub fn build(board: &Board, model: &Path) -> Result<Self, DeviceError> {
        let failed = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
            DeviceError::Image(format!("cannot {what} {}: {error}", path.display()))
        };
        let model = model.canonicalize().map_err(|error| failed("read", model, &error))?;
        let bytes = fs::read(&model).map_err(|error| failed("read", &model, &error))?;
        let parsed = Model::parse(&bytes).map_err(|error| failed("use", &model, &error))?;

        let target_dir = target_dir();
        let images = target_dir.join("images");
        fs::create_dir_all(&images).map_err(|error| failed("create", &images, &error))?;
        // Another process or thread may build another image in the same place: one at a time.
        let lock_path = images.join("lock");
        let lock = File::create(&lock_path).map_err(|error| failed("create", &lock_path, &error))?;
        lock.lock().map_err(|error| failed("lock", &lock_path, &error))?;
        run_cargo(board, &model, &target_dir)?;
        let built = target_dir.join(&board.target).join("release/firmware");
        let name = format!("{}-{}-{:08x}.elf", board.name, parsed.name(), inference_core::format::checksum(&bytes));
        let elf = images.join(name);
        fs::copy(&built, &elf).map_err(|error| failed("copy", &built, &error))?;
        drop(lock);

        let image = fs::read(&elf).map_err(|error| failed("read", &elf, &error))?;
        let [text, data, bss] = sizes(&image).map_err(|error| failed("read", &elf, &error))?;
        Ok(Self { elf, text, data, bss, arena: parsed.arena_len() as u64 })
    }
}

fn run_cargo(board: &Board, model: &Path, target_dir: &Path) -> Result<(), DeviceError> {
    let firmware = workspace().join("firmware");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--bin", "firmware", "--target", &board.target, "--target-dir"])
        .arg(target_dir)
        .args(board.hal.iter().flat_map(|hal| ["--features", hal]))
        .env("THUMBNET_BOARD", &board.name)
        .env("THUMBNET_MODEL", model)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .envs(board.cpu.iter().map(|cpu| ("CARGO_ENCODED_RUSTFLAGS", format!("-Ctarget-cpu={cpu}"))))
        // The firmware has a cargo configuration of its own.
        .current_dir(&firmware)
        .output();
    let output = output.map_err(|error| DeviceError::Image(format!("cannot run cargo: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr);
    // The build script says in one line what does not fit.
    let cause =
        log.lines().find_map(|line| line.strip_prefix("error: firmware@").and_then(|line| line.split_once(": ")));
    let cause = cause.map_or_else(|| log.trim().to_string(), |(_, cause)| cause.to_string());
    Err(DeviceError::Image(format!("the firmware for {} does not build: {cause}", board.name)))
}

/// Where the sources are.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn target_dir() -> PathBuf {
    let shared = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    std::path::absolute(&shared).unwrap_or(shared).join("firmware")
}

/// Bytes of text, data and bss of an ELF file, as binutils' `size` counts them.
fn sizes(elf: &[u8]) -> Result<[u64; 3], object::Error> {
    let [mut text, mut data, mut bss] = [0; 3];
    for section in object::File::parse(elf)?.sections() {
        let SectionFlags::Elf { sh_type, sh_flags } = section.flags() else { continue };
        if !sh_flags.contains(SHF_ALLOC) {
            continue;
        }
        *if sh_type == SHT_NOBITS {
            &mut bss
        } else if sh_flags.contains(SHF_WRITE) {
            &mut data
        } else {
            &mut text
        } += section.size();
    }
    Ok([text, data, bss])
}
