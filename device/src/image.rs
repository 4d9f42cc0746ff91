//! The image for a board: building it, and how large it is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::{SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags};
use thumbnet::Model;

use crate::{Board, DeviceError, check};

/// What the firmware's build script takes in place of a model's path.
const EXTERNAL: &str = "external";

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
        let model = model.canonicalize().map_err(|error| failed("read", model, &error))?;
        let bytes = fs::read(&model).map_err(|error| failed("read", &model, &error))?;
        let parsed = Model::parse(&bytes).map_err(|error| failed("use", &model, &error))?;
        let name = format!("{}-{:08x}", parsed.name(), thumbnet::format::checksum(&bytes));
        Self::build_with(Program::Firmware, board, &model, &name, parsed.arena_len())
    }

    /// Builds an image that takes whatever model it finds in the board's memory region `MODEL` when it boots: for
    /// emulators, which can put one there. Its arena is as large as the memory allows.
    pub fn build_for_any_model(board: &Board) -> Result<Self, DeviceError> {
        let image = Self::build_with(Program::Firmware, board, Path::new(EXTERNAL), EXTERNAL, 0)?;
        let arena = image.symbol("__arena_len")?;
        Ok(Self { arena, ..image })
    }

    /// Builds the image that compares the kernels with results of the host, which it finds in the region `MODEL`.
    pub fn build_conformance(board: &Board) -> Result<Self, DeviceError> {
        Self::build_with(Program::Conformance, board, Path::new(EXTERNAL), Program::Conformance.name(), 0)
    }

    fn build_with(
        program: Program,
        board: &Board,
        model: &Path,
        name: &str,
        arena: usize,
    ) -> Result<Self, DeviceError> {
        let target_dir = target_dir();
        let images = target_dir.join("images");
        fs::create_dir_all(&images).map_err(|error| failed("create", &images, &error))?;
        // Another process or thread may build another image in the same place: one at a time.
        let lock_path = images.join("lock");
        let lock = File::create(&lock_path).map_err(|error| failed("create", &lock_path, &error))?;
        lock.lock().map_err(|error| failed("lock", &lock_path, &error))?;
        run_cargo(program, board, model, &target_dir)?;
        let built = target_dir.join(&board.target).join("release").join(program.name());
        let elf = images.join(format!("{}-{name}.elf", board.name));
        fs::copy(&built, &elf).map_err(|error| failed("copy", &built, &error))?;
        drop(lock);

        let image = fs::read(&elf).map_err(|error| failed("read", &elf, &error))?;
        check::starts(board, &image).map_err(|error| {
            DeviceError::Image(format!("{} would not start {}: {error}", board.name, elf.display()))
        })?;
        let [text, data, bss] = sizes(&image).map_err(|error| failed("read", &elf, &error))?;
        Ok(Self { elf, text, data, bss, arena: arena as u64 })
    }

    /// The value of a symbol in the ELF file.
    pub fn symbol(&self, name: &str) -> Result<u64, DeviceError> {
        let image = fs::read(&self.elf).map_err(|error| failed("read", &self.elf, &error))?;
        let image = object::File::parse(&*image).map_err(|error| failed("read", &self.elf, &error))?;
        let symbol = image.symbols().find(|symbol| symbol.name() == Ok(name));
        let missing = || failed("use", &self.elf, &format!("it has no symbol {name}"));
        Ok(symbol.ok_or_else(missing)?.address())
    }
}

fn failed(what: &str, path: &Path, error: &dyn std::fmt::Display) -> DeviceError {
    DeviceError::Image(format!("cannot {what} {}: {error}", path.display()))
}

/// A program of the firmware.
#[derive(Clone, Copy)]
enum Program {
    Firmware,
    Conformance,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Conformance => "conformance",
        }
    }

    /// The feature that it needs.
    fn feature(self) -> Option<&'static str> {
        match self {
            Self::Firmware => None,
            Self::Conformance => Some("conformance"),
        }
    }
}

fn run_cargo(program: Program, board: &Board, model: &Path, target_dir: &Path) -> Result<(), DeviceError> {
    let features = program.feature().into_iter().chain(board.hal.as_deref());
    let firmware = workspace().join("firmware");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--bin", program.name(), "--target", &board.target, "--target-dir"])
        .arg(target_dir)
        .args(features.flat_map(|feature| ["--features", feature]))
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

/// Where the firmware is built; what `cargo xtask setup` installs is beside it.
pub(crate) fn target_dir() -> PathBuf {
    let shared = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    std::path::absolute(&shared).unwrap_or(shared).join("firmware")
}

/// Bytes of text, data and bss of an ELF file, as binutils' `size` counts them.
fn sizes(elf: &[u8]) -> Result<[u64; 3], object::Error> {
    let [mut text, mut data, mut bss] = [0; 3];
    for section in object::File::parse(elf)?.sections() {
        let SectionFlags::Elf { sh_type, sh_flags } = section.flags() else { continue };
        // riscv-rt and esp-hal have sections for what is left of the memory, or left out: nothing is in them.
        let left = section.name().is_ok_and(|name| [".heap", ".stack"].contains(&name) || name.ends_with("_dummy"));
        if !sh_flags.contains(SHF_ALLOC) || left {
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
