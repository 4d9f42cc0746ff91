//! The application that every board runs: it knows frames and a network, and nothing of registers.
//!
//! `main.rs` puts a board, a model and this application together; the tests run it on the host.
#![no_std]

mod app;
mod board;
mod log;
pub mod slots;

pub use app::{App, Stopped};
pub use board::{Board, BoardInfo};
