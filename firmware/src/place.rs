//! Where the image runs, and how it ends there.
#![allow(unsafe_code)]

use core::mem::MaybeUninit;

use protocol::Place;

/// An emulator writes its [`Place::mark`] here before it starts the board; on a chip nobody does.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".uninit.place")]
static mut THUMBNET_EMULATOR_MARK: MaybeUninit<u64> = MaybeUninit::uninit();

/// Where the image runs. The same image is flashed and emulated: it finds out.
pub fn place() -> Place {
    // SAFETY: memory that holds some bytes or others, all of which are a number; nothing in the image writes to it.
    Place::of(unsafe { (&raw const THUMBNET_EMULATOR_MARK).cast::<u64>().read_volatile() })
}

/// Stops: ends an emulator that listens with an error, and sleeps for ever elsewhere.
pub fn halt() -> ! {
    #[cfg(target_arch = "arm")]
    if place() == Place::Instructions {
        use cortex_m_semihosting::debug;
        debug::exit(debug::EXIT_FAILURE);
    }
    loop {
        #[cfg(target_arch = "arm")]
        cortex_m::asm::wfi();
        #[cfg(feature = "fe310")]
        riscv::asm::wfi();
        #[cfg(not(any(target_arch = "arm", feature = "fe310")))]
        core::hint::spin_loop();
    }
}
