//! Links for the memory map of Arm's MPS2 boards, which the firmware has.

use std::{env, fs, path::PathBuf};

const MAP: &str = "../firmware/boards/mps2-an386.x";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::copy(MAP, out.join("memory.x")).unwrap_or_else(|error| panic!("copying {MAP}: {error}"));
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rerun-if-changed={MAP}");
}
