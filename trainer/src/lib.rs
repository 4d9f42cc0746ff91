//! Trains small networks for images with Burn.
//!
//! `networks.toml` describes the networks (crate `networks`); [`network`] builds any of them as one Burn module, [`train`] trains it on
//! [`data`] and writes a directory with the model ([`export`]), its [`history`], its [`card`] and pictures ([`plot`]).

pub mod augment;
pub mod backend;
pub mod card;
pub mod checkpoint;
pub mod data;
pub mod density;
pub mod evaluate;
pub mod export;
mod files;
pub mod gradients;
pub mod history;
pub mod init;
pub mod layers;
pub mod network;
pub mod onnx_tidy;
pub mod optimizer;
pub mod plot;
pub mod progress;
pub mod report;
pub mod reproduce;
pub mod rng;
#[cfg(feature = "several-devices")]
pub mod several;
pub mod step;
pub mod stepper;
pub mod summary;
pub mod train;
pub mod weights;
pub mod written;
