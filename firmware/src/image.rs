//! How large the image is: the linker knows.
#![allow(unsafe_code)]

unsafe extern "C" {
    /// Where the image begins in flash, a symbol of cortex-m-rt's linker script.
    static __vector_table: u8;
    /// Where the initial values of `.data` begin in flash, after everything else.
    static __sidata: u8;
    /// Begin and end of `.data` in memory.
    static __sdata: u8;
    static __edata: u8;
}

/// Bytes of the whole image in flash: program, model, initial values.
pub fn flash_bytes() -> u32 {
    // Only the addresses of these symbols are used: there is nothing to read behind them.
    let program = (&raw const __sidata).addr() - (&raw const __vector_table).addr();
    let data = (&raw const __edata).addr() - (&raw const __sdata).addr();
    (program + data) as u32
}
