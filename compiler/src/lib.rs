//! Turns an ONNX network into a quantized, planned, packed model.
//!
//! ```no_run
//! use thumbnet_compiler::{Options, compile};
//! use dataset::{Dataset, Split};
//! let training = Dataset::load("trainer/data/mnist".as_ref(), Split::Train)?;
//! let onnx = std::fs::read("model.onnx")?;
//! let compiled = compile(&onnx, &training, &Options::named("nano"))?;
//! std::fs::write("model.tnet", &compiled.tnet)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a model, one module a step: [`onnx`] reads the file as fused float
//! layers on maps ([`graph`], folding in [`fold`]); [`calibrate`] measures the activations with [`float`];
//! [`quantize`] turns it into integers; [`overflow`] proves the accumulators; [`plan`] places the
//! memory; [`pack`] writes the `.tnet` file and [`qdq`] the same integers as ONNX. What the steps know of an
//! operator is in [`ops`], of an activation in [`function`] and [`stage`].

mod algorithm;
pub mod calibrate;
mod compile;
mod error;
pub mod evaluate;
pub mod float;
pub mod fold;
pub mod form;
pub mod function;
mod given;
pub mod graph;
pub mod kept;
pub mod kind;
pub mod onnx;
pub mod ops;
pub mod order;
pub mod overflow;
pub mod pack;
pub mod picture;
pub mod plan;
mod processor;
pub mod qdq;
pub mod quantization;
pub mod quantize;
pub mod report;
pub mod search;
pub mod stage;
mod tflite;
mod tract;
pub mod transpose;
mod uncalibrated;

pub use compile::{Candidate, Compiled, Optimize, Options, Progress, Report, compile, compile_with};
pub use error::CompileError;
pub use evaluate::Evaluation;
pub use form::Form;
pub use processor::Core;
pub use quantize::{Outputs, Scales};
pub use tract::OnnxModel;
pub use uncalibrated::compile_without_images;
