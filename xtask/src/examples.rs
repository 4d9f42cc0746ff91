//! The crates as they would be published, and the programs in `examples/`, which depend on these alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::{env, process};

use anyhow::{Context, Result, bail, ensure};

use crate::setup;
use crate::shell::{cargo, command, output, root, run, target};

/// The packages that are published, each behind those that it needs.
const PACKAGES: [&str; 6] =
    ["thumbnet", "thumbnet-protocol", "thumbnet-dataset", "thumbnet-compiler", "thumbnet-device", "thumbnet-cli"];

/// How an example is built, and what it does.
struct Example {
    folder: &'static str,
    targets: &'static [&'static str],
    /// The targets for which QEMU, or the host, runs it: it then says what the picture shows.
    runs: &'static [&'static str],
}

const EXAMPLES: [Example; 4] = [
    Example {
        folder: "cortex-m",
        targets: &["thumbv6m-none-eabi", "thumbv7em-none-eabihf"],
        runs: &["thumbv6m-none-eabi", "thumbv7em-none-eabihf"],
    },
    Example { folder: "riscv", targets: &["riscv32imac-unknown-none-elf"], runs: &["riscv32imac-unknown-none-elf"] },
    Example { folder: "rp2040", targets: &["thumbv6m-none-eabi"], runs: &[] },
    Example { folder: "host", targets: &[""], runs: &[""] },
];

/// What `examples/seven.image` shows.
const ANSWER: &str = "a 7";

/// The files in `examples/` that are copies, and of what.
const COPIES: [(&str, &str); 2] =
    [("digit.tnet", "models/nano/model.tnet"), ("seven.image", "inference-core/tests/samples/v2-nano.image")];

/// Packages the crates, builds them in a folder outside the repository, and there the examples with them.
pub fn check() -> Result<()> {
    setup::rust_targets()?;
    setup::qemu()?;
    setup::qemu_riscv()?;
    for (copy, original) in COPIES {
        let is_same = fs::read(root().join("examples").join(copy))? == fs::read(root().join(original))?;
        ensure!(is_same, "examples/{copy} is no longer a copy of {original}: copy it again");
    }
    let outside = Outside::new()?;
    outside.unpack()?;
    outside.build_packages()?;
    for example in &EXAMPLES {
        outside.build(example)?;
    }
    Ok(())
}

/// A folder outside the repository, removed in the end.
struct Outside(PathBuf);

impl Drop for Outside {
    fn drop(&mut self) {
        // What is left in the system's folder for such things does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Outside {
    fn new() -> Result<Self> {
        let folder = env::temp_dir().join(format!("thumbnet-examples-{}", process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Packages the crates and unpacks them, each into the folder of its name.
    fn unpack(&self) -> Result<()> {
        // What they need of each other is in no registry yet: they are verified together, by `build_packages`.
        let mut package = cargo(&["package", "--quiet", "--allow-dirty", "--no-verify"]);
        run(package.args(PACKAGES.iter().flat_map(|name| ["--package", name])))?;
        for name in PACKAGES {
            let version = env!("CARGO_PKG_VERSION");
            let file = target().join("package").join(format!("{name}-{version}.crate"));
            run(&mut command("tar", &["-xzf", &file.display().to_string(), "-C", &self.0.display().to_string()]))?;
            fs::rename(self.0.join(format!("{name}-{version}")), self.0.join(name))?;
            for licence in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
                ensure!(self.0.join(name).join(licence).is_file(), "the package {name} has no {licence}");
            }
        }
        Ok(())
    }

    /// Builds the packages with one another, and with what the workspace has built of other crates.
    fn build_packages(&self) -> Result<()> {
        let own = fs::read_to_string(root().join("Cargo.toml"))?;
        let profiles = own.find("[profile").and_then(|start| own.get(start..)).unwrap_or_default();
        // The comments of the profiles are of the workspace's crates, some of which are not here.
        let list = PACKAGES.map(|name| format!("\"{name}\"")).join(", ");
        let patches = PACKAGES.map(|name| format!("{name} = {{ path = \"{name}\" }}\n")).concat();
        let manifest =
            format!("[workspace]\nresolver = \"3\"\nmembers = [{list}]\n\n[patch.crates-io]\n{patches}\n{profiles}");
        fs::write(self.0.join("Cargo.toml"), manifest)?;
        fs::copy(root().join("Cargo.lock"), self.0.join("Cargo.lock"))?;
        run(cargo(&["build", "--release", "--workspace"]).current_dir(&self.0))
    }

    /// Copies an example here, with the packaged core in place of the folder, builds it, and runs it where it can be.
    fn build(&self, example: &Example) -> Result<()> {
        let (from, to) = (root().join("examples"), self.0.join("examples"));
        copy_folder(&from.join(example.folder), &to.join(example.folder))?;
        for (copy, _) in COPIES {
            fs::copy(from.join(copy), to.join(copy))?;
        }
        let folder = to.join(example.folder);
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)?;
        let packaged = text.replace("../../inference-core", "../../thumbnet");
        ensure!(packaged != text, "examples/{} does not depend on ../../inference-core", example.folder);
        fs::write(&manifest, packaged)?;

        let built = target().join("examples");
        for target in example.targets {
            let does = if example.runs.contains(target) { "run" } else { "build" };
            let options = if target.is_empty() { vec![] } else { vec!["--target", target] };
            let mut command = cargo(&[&[does, "--quiet", "--release"], &options[..]].concat());
            let said = output(command.current_dir(&folder).env("CARGO_TARGET_DIR", &built))?;
            if does == "run" && !said.starts_with(ANSWER) {
                bail!("examples/{} for {target} said {said:?}, not {ANSWER:?}", example.folder);
            }
            println!("examples/{} {target}: {}", example.folder, if does == "run" { said.trim() } else { "built" });
        }
        Ok(())
    }
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}
