//! How large the image is: the linker knows.
#![allow(unsafe_code)]

/// Bytes of the whole image in flash: program, model, initial values.
#[cfg(not(feature = "esp32c3"))]
pub fn flash_bytes() -> u32 {
    unsafe extern "C" {
        /// Where the image begins in flash, a symbol of cortex-m-rt's linker script, and of riscv-rt's.
        #[cfg_attr(target_arch = "riscv32", link_name = "__stext")]
        static __vector_table: u8;
        /// Where the initial values of `.data` begin in flash, after everything else.
        static __sidata: u8;
        /// Begin and end of `.data` in memory.
        static __sdata: u8;
        static __edata: u8;
    }
    // Only the addresses of these symbols are used: there is nothing to read behind them.
    let program = (&raw const __sidata).addr() - (&raw const __vector_table).addr();
    let data = (&raw const __edata).addr() - (&raw const __sdata).addr();
    (program + data) as u32
}

/// Bytes of the whole image in flash, as the build script's linker script adds them up.
#[cfg(feature = "esp32c3")]
pub fn flash_bytes() -> u32 {
    unsafe extern "C" {
        static __thumbnet_flash_bytes: u8;
    }
    (&raw const __thumbnet_flash_bytes).addr() as u32
}
