//! Hostile bytes for everything that reads bytes.
//!
//! A target is a function of bytes that panics where a promise is broken. Three things call it: libFuzzer
//! (`fuzz_targets/`, `cargo xtask fuzz`), the test `replay` with the committed inputs (`corpus/`) and changed ones, and, for model files, the
//! test `flips` with every truncation and every flipped bit of a shipped model.

mod frames;
mod idx;
mod model;
mod mutate;
#[cfg(feature = "compiler")]
mod onnx;
#[cfg(feature = "compiler")]
mod picture;

pub use frames::{replies, requests};
pub use idx::idx;
pub use model::{RunError, model, repair, run};
pub use mutate::mutated;
#[cfg(feature = "compiler")]
pub use onnx::onnx;
#[cfg(feature = "compiler")]
pub use picture::picture;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A target: what it does with bytes, and the directory of its inputs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("model", model),
    ("requests", requests),
    ("replies", replies),
    ("idx", idx),
    #[cfg(feature = "compiler")]
    ("onnx", onnx),
    #[cfg(feature = "compiler")]
    ("picture", picture),
];

/// The directory of a target's committed inputs.
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// A target's committed inputs with their names, sorted.
pub fn inputs(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(corpus(target))? {
        let entry = entry?;
        inputs.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    inputs.sort();
    Ok(inputs)
}
