//! An image onto a board: what to run for it, what to press, what to install.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Board, DeviceError, Flash, memory, uf2};

/// The file on a drive that says that it is a boot loader that takes UF2 files.
const UF2_DRIVE: &str = "INFO_UF2.TXT";

/// Puts an image, an ELF file, onto the board that is connected; returns how, in one sentence.
pub fn flash(board: &Board, elf: &Path) -> Result<String, DeviceError> {
    let unknown = || DeviceError::Flash(format!("{} is not flashed: it is there to be emulated", board.title));
    match board.flash.as_ref().ok_or_else(unknown)? {
        Flash::ProbeRs(chip) => {
            let elf = elf.as_os_str();
            let install = "type `cargo install probe-rs-tools --locked`, and connect a debug probe";
            tool("probe-rs", &["download".as_ref(), "--chip".as_ref(), chip.as_ref(), elf], install)?;
            tool("probe-rs", &["reset".as_ref(), "--chip".as_ref(), chip.as_ref()], install)?;
            Ok(format!("flashed by probe-rs as {chip}"))
        }
        Flash::Espflash => {
            let install = "type `cargo install espflash --locked`";
            tool("espflash", &["flash".as_ref(), "--non-interactive".as_ref(), elf.as_os_str()], install)?;
            Ok("flashed by espflash".into())
        }
        Flash::Uf2(family) => {
            let file = write_uf2(elf, *family)?;
            match drive(&mounted()) {
                Some(drive) => copy(&file, &drive),
                None => Err(DeviceError::Flash(format!(
                    "no board is waiting: hold its BOOTSEL button while you plug it in, so that it is a drive, and try again \
                     (or copy {} onto that drive yourself)",
                    file.display()
                ))),
            }
        }
    }
}

/// Runs a tool, its output on ours.
fn tool(name: &str, arguments: &[&std::ffi::OsStr], install: &str) -> Result<(), DeviceError> {
    match Command::new(name).args(arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(DeviceError::Flash(format!("{name} failed ({status}): see above; is the board connected?"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(DeviceError::Flash(format!("{name} is missing: {install}")))
        }
        Err(error) => Err(DeviceError::Flash(format!("cannot start {name}: {error}"))),
    }
}

/// The image as a UF2 file, beside it.
pub fn write_uf2(elf: &Path, family: u32) -> Result<PathBuf, DeviceError> {
    let failed = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
        DeviceError::Flash(format!("cannot {what} {}: {error}", path.display()))
    };
    let image = fs::read(elf).map_err(|error| failed("read", elf, &error))?;
    let (start, contents) = memory::contents(&image).map_err(|error| failed("read", elf, &error))?;
    let file = elf.with_extension("uf2");
    fs::write(&file, uf2::file(start, &contents, family)).map_err(|error| failed("write", &file, &error))?;
    Ok(file)
}

/// The board restarts when it has the file, and takes the drive away.
fn copy(file: &Path, drive: &Path) -> Result<String, DeviceError> {
    let to = drive.join("thumbnet.uf2");
    fs::copy(file, &to).map_err(|error| DeviceError::Flash(format!("cannot write {}: {error}", to.display())))?;
    Ok(format!("copied onto {}", drive.display()))
}

/// The drive that a board is.
fn drive(mounted: &[PathBuf]) -> Option<PathBuf> {
    mounted.iter().find(|directory| directory.join(UF2_DRIVE).is_file()).cloned()
}

/// Where drives are mounted.
fn mounted() -> Vec<PathBuf> {
    if cfg!(windows) {
        return ('D'..='Z').map(|letter| PathBuf::from(format!("{letter}:\\"))).collect();
    }
    if let Ok(table) = fs::read_to_string("/proc/mounts") {
        return mount_points(&table);
    }
    let volumes = fs::read_dir("/Volumes").into_iter().flatten().flatten();
    volumes.map(|volume| volume.path()).collect()
}

/// The second word of every line of Linux's table; a space in a name is written `\\040`.
fn mount_points(table: &str) -> Vec<PathBuf> {
    let second = |line: &str| line.split(' ').nth(1).map(|name| PathBuf::from(name.replace("\\040", " ")));
    table.lines().filter_map(second).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drive_is_the_one_with_the_boot_loader_s_file() {
        let root = tempfile::tempdir().unwrap();
        let [stick, board] = ["a stick", "RPI-RP2"].map(|name| root.path().join(name));
        let mounts = |path: &Path| path.display().to_string().replace(' ', "\\040");
        let table = format!("/dev/a {} vfat rw 0 0\n/dev/b {} vfat rw 0 0\n", mounts(&stick), mounts(&board));
        fs::create_dir(&stick).unwrap();
        assert_eq!(drive(&mount_points(&table)), None);
        fs::create_dir(&board).unwrap();
        fs::write(board.join(UF2_DRIVE), "UF2 Bootloader").unwrap();
        assert_eq!(mount_points(&table), [stick, board.clone()]);
        assert_eq!(drive(&mount_points(&table)), Some(board));
    }
}
