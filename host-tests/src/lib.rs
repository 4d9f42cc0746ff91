//! Proof of parity between the core, the references and the boards.
//!
//! The tests are in `tests/`; this library holds what they compare the core with,
//! [`mod@reference`] (plain integers) and [`runtimes`] (tract and ONNX Runtime), and where they get
//! networks from: [`shipped`] (`models/`), [`random`] (model files), [`random_onnx`] (ONNX files) and [`networks`] (those
//! of the trainer, not trained). [`mod@parity`] compares what ships, [`random_parity`] what is drawn, with [`steps`] where
//! others round otherwise, [`mod@quantized`] files that others quantized. [`boards`] boots [`models`] on emulated boards, [`rig`] counts what they take there,
//! [`measure`] makes a row of it.

pub mod boards;
pub mod measure;
pub mod models;
pub mod network_path;
pub mod networks;
pub mod parity;
pub mod quantized;
pub mod random;
pub mod random_onnx;
pub mod random_parity;
pub mod reference;
pub mod rig;
pub mod rng;
pub mod runtimes;
pub mod shipped;
pub mod stack;
pub mod steps;
pub mod thumb;
