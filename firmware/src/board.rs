//! What the application needs of a board.

use embedded_hal::digital::OutputPin;
use embedded_io::{Read, Write};
use protocol::Place;

/// A board's peripherals, ready to use.
pub trait Board {
    /// The line to the host.
    type Serial: Read + Write;
    /// A light that burns while the network works.
    type Led: OutputPin;

    /// The line to the host. Reading waits for at least one byte.
    fn serial(&mut self) -> &mut Self::Serial;

    /// The light.
    fn led(&mut self) -> &mut Self::Led;

    /// Sets the tick counter back to zero.
    fn restart_counter(&mut self);

    /// Ticks per second; `None` where the board cannot count.
    fn counter_hz(&self) -> Option<u32>;

    /// Ticks since [`restart_counter`](Self::restart_counter); `None` where the board cannot count.
    fn ticks(&mut self) -> Option<u64>;
}

/// What a board says of itself and of its image.
#[derive(Clone, Copy, Debug)]
pub struct BoardInfo {
    /// Its name in `boards.toml`.
    pub name: &'static str,
    /// The processor core.
    pub core: &'static str,
    /// Where it runs.
    pub place: Place,
    /// Bytes of the whole image in flash.
    pub flash_bytes: u32,
}
