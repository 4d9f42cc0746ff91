//! Boards that run a model, seen from the host: talking to one, booting one in QEMU, building its image.

mod boards;
mod connection;
mod emulator;
mod error;
mod image;

pub use boards::Board;
pub use connection::{Connection, DeviceBenchmark, DeviceInfo, DevicePrediction};
pub use emulator::Emulator;
pub use error::DeviceError;
pub use image::FirmwareImage;
