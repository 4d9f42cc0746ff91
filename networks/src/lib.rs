//! The one reader of `networks.toml`: what every network is, layer by layer, and how it is trained.
//!
//! The top of the table explains its fields. This crate knows neither Burn nor the engine, so that the trainer, the
//! compiler's tests and the benchmarks all build their networks from the same layers:
//!
//! ```
//! let nano = networks::find("nano")?;
//! for layer in nano.layers()? {
//!     println!("{:?} from maps {:?}: {:?} -> {:?}", layer.kind, layer.inputs, layer.input, layer.output);
//! }
//! # Ok::<(), networks::SpecError>(())
//! ```

mod block;
mod choices;
mod error;
mod identity;
mod layer;
mod resolve;
mod size;
mod spec;
mod table;

pub use block::{Block, Operation};
pub use choices::{Activation, Augment, Head, Init, Optimizer, Padding, Pool, Schedule};
pub use error::SpecError;
pub use layer::{Kind, Layer, Pooling, Window};
pub use size::{Shape, Size};
pub use spec::{NetworkSpec, Notebook};
pub use table::{Table, all, find, parse};
