//! Runs quantized networks with no heap, no operating system and no float.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! use thumbnet::{Model, Network};
//! # let bytes: &[u8] = &[];
//! # let pixels = [0u8; 784];
//! let model = Model::parse(bytes)?; // every offset, shape and bound is checked here, once
//! let mut arena = [0u8; 16 * 1024]; // `model.arena_len()` bytes are enough
//! let mut network = Network::new(&model, &mut arena)?;
//! let prediction = network.classify(&pixels)?;
//! println!("a {}", prediction.class());
//! # Ok(())
//! # }
//! ```
//!
//! An image enters row by row ([`Network::push_row`]); of what a layer makes, only the rows that are still
//! needed are kept. [`format`](mod@format) says what a model file looks like, [`kernels`] what computes a row.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(
    not(feature = "compiler"),
    allow(dead_code, rustdoc::private_intra_doc_links, reason = "what compilers call is public only for them")
)]

#[cfg(not(feature = "compiler"))]
mod arena;
#[cfg(feature = "compiler")]
pub mod arena;
mod embedded;
mod engine;
pub mod format;
mod geometry;
pub mod kernels;
mod model;
mod network_error;
mod prediction;
pub mod preprocess;
#[cfg(not(feature = "compiler"))]
mod requantize;
#[cfg(feature = "compiler")]
pub mod requantize;
#[cfg(not(feature = "compiler"))]
mod schedule;
#[cfg(feature = "compiler")]
pub mod schedule;
mod softmax;
mod steps;
#[cfg(not(feature = "compiler"))]
mod winograd;
#[cfg(feature = "compiler")]
pub mod winograd;

pub use engine::{Network, Step};
pub use model::{Model, ParseError};
pub use network_error::{InputError, NetworkError};
pub use prediction::{Logits, Prediction};
pub use softmax::softmax;
