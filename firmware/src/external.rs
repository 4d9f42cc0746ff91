//! The memory region `MODEL`: what an emulator has put there before the board started.
#![allow(unsafe_code)]

unsafe extern "C" {
    /// Begin and end of the region, symbols of the build script.
    static __model_start: u8;
    static __model_end: u8;
}

/// All of it.
pub fn region() -> &'static [u8] {
    let start = &raw const __model_start;
    let len = (&raw const __model_end).addr() - start.addr();
    // SAFETY: the memory map says that the region is memory, and no variable is in it.
    unsafe { core::slice::from_raw_parts(start, len) }
}
