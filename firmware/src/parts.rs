//! What boards have in common that are a serial line, a light and the processor's own counter.

use embedded_hal::digital::{ErrorType, OutputPin};

/// `embedded_io`'s traits for a UART of Embassy's, which reads with an inherent function only: a byte at a time, as they
/// come. Bytes that a mistake on the line cost are noticed by the checksum of their frame. The third argument names what
/// waits until all is sent, where a write has not waited for that already.
macro_rules! blocking_serial {
    ($uart:ty, $error:ty $(, $flush:ident)?) => {
        /// The serial line.
        pub struct Serial(pub $uart);

        impl embedded_io::ErrorType for Serial {
            type Error = $error;
        }

        impl embedded_io::Read for Serial {
            fn read(&mut self, buffer: &mut [u8]) -> Result<usize, $error> {
                let Some(first) = buffer.get_mut(..1) else { return Ok(0) };
                self.0.blocking_read(first)?;
                Ok(1)
            }
        }

        impl embedded_io::Write for Serial {
            fn write(&mut self, bytes: &[u8]) -> Result<usize, $error> {
                self.0.blocking_write(bytes)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> Result<(), $error> {
                $(self.0.$flush()?;)?
                Ok(())
            }
        }
    };
}
#[allow(unused_imports, reason = "a board takes what it needs")]
pub(crate) use blocking_serial;

/// A light that burns while its pin is low.
pub struct ActiveLow<L>(pub L);

impl<L: ErrorType> ErrorType for ActiveLow<L> {
    type Error = L::Error;
}

impl<L: OutputPin> OutputPin for ActiveLow<L> {
    fn set_low(&mut self) -> Result<(), L::Error> {
        self.0.set_high()
    }

    fn set_high(&mut self) -> Result<(), L::Error> {
        self.0.set_low()
    }
}

#[cfg(target_arch = "arm")]
pub use with_systick::Parts;

#[cfg(target_arch = "arm")]
mod with_systick {
    use cortex_m::peripheral::SYST;
    use embedded_hal::digital::OutputPin;
    use embedded_io::{Read, Write};
    use firmware::Board;

    use crate::tick_counter::TickCounter;

    /// A board that is a serial line and a light, and counts with SysTick.
    pub struct Parts<S, L> {
        serial: S,
        led: L,
        counter: TickCounter,
        clock_hz: u32,
    }

    impl<S, L> Parts<S, L> {
        /// A board whose processor runs at `clock_hz`.
        pub fn new(serial: S, led: L, counter: SYST, clock_hz: u32) -> Self {
            Self { serial, led, counter: TickCounter::new(counter), clock_hz }
        }
    }

    impl<S: Read + Write, L: OutputPin> Board for Parts<S, L> {
        type Serial = S;
        type Led = L;

        fn serial(&mut self) -> &mut S {
            &mut self.serial
        }

        fn led(&mut self) -> &mut L {
            &mut self.led
        }

        fn restart_counter(&mut self) {
            self.counter.restart();
        }

        fn counter_hz(&self) -> Option<u32> {
            Some(self.clock_hz)
        }

        fn ticks(&mut self) -> Option<u64> {
            Some(self.counter.ticks())
        }
    }
}
