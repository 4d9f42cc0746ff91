//! Boards that run a model, seen from the host: talking to one, booting one in an emulator, building its image.

mod boards;
mod check;
mod connection;
mod emulator;
mod error;
mod flash;
mod image;
mod memory;
mod ports;
mod uf2;

pub use boards::{Board, Flash, Rp2040Line, Runner, UsbId};
pub use connection::{Connection, DeviceBenchmark, DeviceInfo, DevicePrediction};
pub use emulator::Emulator;
pub use error::DeviceError;
pub use flash::flash;
pub use image::FirmwareImage;
pub use ports::Port;
pub use protocol::Place;
