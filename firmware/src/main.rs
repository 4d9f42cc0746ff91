//! The image for a board. On the host there is none: only the library and its tests.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(thumbnet_external_model)]
mod external;
#[cfg(target_os = "none")]
mod image;
#[cfg(all(target_os = "none", target_arch = "arm"))]
mod memory_functions;
#[cfg(target_os = "none")]
#[allow(dead_code, unused_macros, reason = "a board takes what it needs")]
mod parts;
#[cfg(target_os = "none")]
mod place;
#[cfg(target_os = "none")]
mod start;
#[cfg(all(target_os = "none", target_arch = "arm"))]
#[allow(dead_code, reason = "a board may count with something else")]
mod tick_counter;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this program is for boards: build it for the target that boards.toml names");
}
