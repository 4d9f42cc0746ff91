//! The core's interface for C and C++, without allocation, panics or unwinding.
//!
//! `include/thumbnet.h` is made of these files by cbindgen: a test says how when they differ. `docs/from-c.md` shows a program.
//!
//! C hands over addresses. Those that can be seen to be wrong give an error: null, not aligned, memory that overlaps, a structure
//! that was never set up. What cannot be seen is the caller's part: that as many bytes as it says are there, and stay.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code, reason = "C has no references: this is where its addresses become some")]
#![allow(clippy::missing_safety_doc, reason = "all have the same one, above")]
#![deny(clippy::undocumented_unsafe_blocks)]

mod model;
mod network;
mod place;
mod status;

pub use model::*;
pub use network::*;
pub use status::*;

/// Nothing here panics, and the tests see that no program has this; but the language wants one.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
