//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path` and then moves them there, so that no reader and no crash ever sees half a file.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, |temporary| {
        let write = || {
            let mut file = File::create(temporary)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| named(path, &error))
    })
}

/// The same where something else writes the file that it is given.
pub fn replace_with<E: From<io::Error>>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let temporary = temporary(path);
    write(&temporary)?;
    Ok(fs::rename(&temporary, path).map_err(|error| named(path, &error))?)
}

/// What the system says, and of which file.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: cannot be written: {error}", path.display()))
}

/// The name that `path` has until it is whole; what kind of file it is can still be seen.
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from("tmp-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}
