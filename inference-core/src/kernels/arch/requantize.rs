//! Requantization of whole pixels in a loop of its own, for cores with `smull` and `usat`.

use core::arch::global_asm;

use super::super::Unit;
use crate::format::{Activation, BYTE_TABLE_LEN, TABLE_LEN, TABLE_ZERO};

/// What `thumbnet_requantize_*` reads; the offsets of the fields are in its text.
#[repr(C)]
struct RequantizeArguments {
    accumulators: *const i32,
    multipliers: *const u8,
    shifts: *const u8,
    output: *mut u8,
    /// Outputs, at least 1.
    count: usize,
    /// Twice what is added to the scaled accumulator, and 1 to round.
    offset: i32,
    low: i32,
    high: i32,
    table: *const u8,
    /// Bytes from an accumulator to the next channel's.
    step: usize,
}

unsafe extern "C" {
    fn thumbnet_requantize_byte(arguments: *const RequantizeArguments);
    fn thumbnet_requantize_clamp(arguments: *const RequantizeArguments);
    fn thumbnet_requantize_byte_table(arguments: *const RequantizeArguments);
    fn thumbnet_requantize_table(arguments: *const RequantizeArguments);
}

global_asm!(
    "   .syntax unified
    .macro thumbnet_requantize name, low, high, bits, table
        .section .text.\\name, \"ax\", %progbits
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
        push    {{r4-r11, lr}}
        ldm     r0, {{r1-r9, r12}}
    1:
        ldr     r0, [r1]
        add     r1, r1, r12
        ldr     r10, [r2], #4
        smull   r11, r0, r0, r10
        ldrb    r11, [r3], #1
        sub     r11, r11, #33
        asr     r0, r0, r11
        add     r0, r0, r6
        .if \\low
        asrs    r0, r0, #1
        cmp     r0, r7
        it      lt
        movlt   r0, r7
        cmp     r0, r8
        it      gt
        movgt   r0, r8
        .else
        usat    r0, #\\bits, r0, asr #1
        .endif
        .if \\table
        ldrb    r0, [r9, r0]
        .endif
        strb    r0, [r4], #1
        subs    r5, r5, #1
        bne     1b
        pop     {{r4-r11, pc}}
    .size \\name, . - \\name
    .endm

    thumbnet_requantize thumbnet_requantize_byte, 0, 0, 8, 0
    thumbnet_requantize thumbnet_requantize_clamp, 1, 1, 8, 0
    thumbnet_requantize thumbnet_requantize_byte_table, 0, 0, 8, 1
    thumbnet_requantize thumbnet_requantize_table, 0, 0, 10, 1",
);

/// Whether [`activate`] can use the high words of products alone: with a smaller shift, half a step is
/// not a multiple of 2^32.
pub fn takes_high_words(unit: &Unit<'_>) -> bool {
    unit.parameters.shifts.iter().fold(u8::MAX, |least, &shift| least.min(shift)) > 32
}

/// Activates a pixel: every `step`th accumulator for the next channel. `high_words`:
/// [`takes_high_words`]; the answer for another layer gives other numbers, but nothing worse.
pub fn activate(unit: &Unit<'_>, high_words: bool, accumulators: &[i32], step: usize, output: &mut [u8]) {
    let parameters = &unit.parameters;
    let layer = &unit.layer;
    let count = output.len().min(parameters.shifts.len()).min(parameters.multipliers.len() / 4);
    let (zero, table_len) = match layer.activation {
        Activation::Table => (TABLE_ZERO, TABLE_LEN),
        Activation::ByteTable => (layer.table_zero.into(), BYTE_TABLE_LEN),
        Activation::Clamp | Activation::Logits => (layer.output_zero_point.into(), 0),
    };
    let fits = count > 0 && (count - 1) * step < accumulators.len() && parameters.table.len() >= table_len;
    if !high_words || !fits {
        return unit.activate_all(accumulators.iter().copied().step_by(step.max(1)), output);
    }
    let arguments = RequantizeArguments {
        accumulators: accumulators.as_ptr(),
        multipliers: parameters.multipliers.as_ptr(),
        shifts: parameters.shifts.as_ptr(),
        output: output.as_mut_ptr(),
        count,
        offset: 2 * zero + 1,
        low: i32::from(layer.low),
        high: i32::from(layer.high),
        table: parameters.table.as_ptr(),
        step: step * size_of::<i32>(),
    };
    // SAFETY: reads `count` multipliers, shifts, and accumulators `step` apart, and writes `count`
    // bytes; with a table, reads one of its first 2^10 or 2^8 entries for each.
    unsafe {
        match (layer.activation, layer.low, layer.high) {
            (Activation::Table, ..) => thumbnet_requantize_table(&arguments),
            (Activation::ByteTable, ..) => thumbnet_requantize_byte_table(&arguments),
            (Activation::Clamp | Activation::Logits, 0, 255) => thumbnet_requantize_byte(&arguments),
            (Activation::Clamp | Activation::Logits, ..) => thumbnet_requantize_clamp(&arguments),
        }
    }
}
