//! The tests of what runs on a board under Miri, which stops at undefined behaviour.

use anyhow::Result;

use crate::setup;
use crate::shell::{command, run, target};

/// Random cases of a test.
const PROPTEST_CASES: &str = "4";

/// Runs all tests of the core and of the protocol; they take fewer cases there.
pub fn run_tests() -> Result<()> {
    setup::miri()?;
    // Rustup's cargo, which knows `+nightly`, not the one that runs us.
    let mut miri = command("cargo", &["+nightly", "miri", "test", "-p", "thumbnet", "-p", "thumbnet-protocol"]);
    miri.env("CARGO_TARGET_DIR", target().join("miri")).env("PROPTEST_CASES", PROPTEST_CASES);
    // Samples are files, and proptest asks for the current directory.
    run(miri.env("MIRIFLAGS", "-Zmiri-disable-isolation"))
}
