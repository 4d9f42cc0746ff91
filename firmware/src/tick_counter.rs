//! SysTick as a 64-bit counter of processor clock ticks, on any Cortex-M.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

/// SysTick counts down from here to zero: 24 bits.
const RELOAD: u32 = 0x00ff_ffff;
const BITS: u32 = 24;

/// How often the counter has passed zero.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// The running counter.
pub struct TickCounter {
    syst: SYST,
}

impl TickCounter {
    /// Starts counting.
    pub fn new(mut syst: SYST) -> Self {
        syst.set_clock_source(SystClkSource::Core);
        syst.set_reload(RELOAD);
        syst.clear_current();
        syst.enable_counter();
        syst.enable_interrupt();
        Self { syst }
    }

    /// Sets the counter back to zero.
    pub fn restart(&mut self) {
        self.syst.clear_current();
        WRAPS.store(0, Ordering::Relaxed);
    }

    /// Ticks since the last restart.
    pub fn ticks(&self) -> u64 {
        loop {
            let before = WRAPS.load(Ordering::Relaxed);
            let down = SYST::get_current();
            // The interrupt may have come in between: then read again.
            if WRAPS.load(Ordering::Relaxed) == before {
                return (u64::from(before) << BITS) + u64::from(down.wrapping_neg() & RELOAD);
            }
        }
    }
}

#[exception]
fn SysTick() {
    // Only this interrupt writes while the counter runs; Cortex-M0 has no atomic addition.
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
