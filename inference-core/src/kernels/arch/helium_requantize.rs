//! Requantization with Helium: four channels at a time.
//!
//! With a shift above 32 the rounded product is the rounded shift of its high word, two instructions:
//! `vmulh` and `vrshl`.

use core::arch::global_asm;
use core::ptr::{null, null_mut};

use super::super::Unit;
use super::super::blocks::PIXELS;
use super::helium_block::Accumulators;
use super::requantize::takes_high_words;
use crate::format::{Activation, BYTE_TABLE_LEN, TABLE_LEN, TABLE_ZERO};

/// Channels that are requantized together.
pub const GROUP: usize = 4;

/// What the functions read, in the order in which they do.
#[repr(C)]
struct Arguments {
    low: u32,
    high: u32,
    shifts: *const u8,
    /// The four pixels; one that is missing has another one's place and accumulators.
    outputs: [*mut u8; PIXELS],
    multipliers: *const u8,
    accumulators: *const Accumulators,
    /// Output channels, at least 1.
    channels: usize,
    /// What is added to the scaled accumulator.
    offset: i32,
    table: *const u8,
    /// What is added to the accumulators of each channel.
    starts: *const i32,
}

unsafe extern "C" {
    fn thumbnet_helium_requantize(arguments: *const Arguments);
    fn thumbnet_helium_requantize_table(arguments: *const Arguments);
    fn thumbnet_helium_requantize_byte_table(arguments: *const Arguments);
    fn thumbnet_helium_requantize_largest_byte_table(arguments: *const Arguments);
    fn thumbnet_helium_requantize_largest(arguments: *const Arguments);
    fn thumbnet_helium_requantize_largest_table(arguments: *const Arguments);
}

// r0 is 32, r1 starts, r3 shifts, r4 to r7 outputs, r8 multipliers, r9 accumulators, r10 channels to come, r11 offset,
// r12 table; q0 to q3 four channels of a pixel each, q4 multipliers, q5 shifts to the left, q6 and q7 limits.
global_asm!(
    with_helium!(),
    "   .syntax unified
    // `table`: nothing, or the bits of a word that no entry's number has.
    .macro thumbnet_helium_scale pixel, table
        vmulh.s32 \\pixel, \\pixel, q4
        vrshl.s32 \\pixel, \\pixel, q5
        vadd.i32 \\pixel, \\pixel, r11
        .if \\table
        vqshlu.s32 \\pixel, \\pixel, #\\table
        vshr.u32 \\pixel, \\pixel, #\\table
        vldrb.u32 q7, [r12, \\pixel]
        vmov    \\pixel, q7
        .else
        vmax.s32 \\pixel, \\pixel, q6
        vmin.s32 \\pixel, \\pixel, q7
        .endif
    .endm

    .macro thumbnet_helium_requantize name, largest, table
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
        push    {{r4-r11, lr}}
        vpush   {{d8-d15}}
        ldm     r0, {{r1-r12}}
        vdup.32 q6, r1
        vdup.32 q7, r2
        ldr     r1, [r0, #48]
        movs    r0, #32
    1:
        vld40.32 {{q0, q1, q2, q3}}, [r9]
        vld41.32 {{q0, q1, q2, q3}}, [r9]
        vld42.32 {{q0, q1, q2, q3}}, [r9]
        vld43.32 {{q0, q1, q2, q3}}, [r9]!
        vldrw.u32 q4, [r1], #16
        .if \\largest
        vmax.s32 q0, q0, q1
        vmax.s32 q2, q2, q3
        vmax.s32 q0, q0, q2
        .else
        vadd.i32 q1, q1, q4
        vadd.i32 q2, q2, q4
        vadd.i32 q3, q3, q4
        .endif
        vadd.i32 q0, q0, q4
        vctp.32 r10
        vpstt
        vldrbt.u8 q4, [r8], #16
        vldrbt.u32 q5, [r3], #4
        vneg.s32 q5, q5
        vadd.i32 q5, q5, r0
        thumbnet_helium_scale q0, \\table
        .if \\largest
        vpst
        vstrbt.32 q0, [r4], #4
        .else
        thumbnet_helium_scale q1, \\table
        thumbnet_helium_scale q2, \\table
        thumbnet_helium_scale q3, \\table
        vpstttt
        vstrbt.32 q0, [r4], #4
        vstrbt.32 q1, [r5], #4
        vstrbt.32 q2, [r6], #4
        vstrbt.32 q3, [r7], #4
        .endif
        subs    r10, r10, #4
        bgt     1b
        vpop    {{d8-d15}}
        pop     {{r4-r11, pc}}
    .size \\name, . - \\name
    .endm

    thumbnet_helium_requantize thumbnet_helium_requantize, 0, 0
    thumbnet_helium_requantize thumbnet_helium_requantize_table, 0, 22
    thumbnet_helium_requantize thumbnet_helium_requantize_byte_table, 0, 24
    thumbnet_helium_requantize thumbnet_helium_requantize_largest, 1, 0
    thumbnet_helium_requantize thumbnet_helium_requantize_largest_table, 1, 22
    thumbnet_helium_requantize thumbnet_helium_requantize_largest_byte_table, 1, 24",
);

/// What activates the pixels of a row.
pub struct Requantizer<'u> {
    unit: &'u Unit<'u>,
    largest: bool,
    channels: usize,
    arguments: Arguments,
    /// None where the parameters are not as the loops want them.
    function: Option<unsafe extern "C" fn(arguments: *const Arguments)>,
}

impl<'u> Requantizer<'u> {
    /// `largest`: whether a pixel is made from the largest of four.
    pub fn new(unit: &'u Unit<'u>, largest: bool) -> Self {
        let (layer, parameters) = (unit.layer, &unit.parameters);
        let channels = usize::from(layer.output.channels);
        let (offset, table_len) = match layer.activation {
            Activation::Table => (TABLE_ZERO, TABLE_LEN),
            Activation::ByteTable => (layer.table_zero.into(), BYTE_TABLE_LEN),
            Activation::Clamp | Activation::Logits => (layer.output_zero_point.into(), 0),
        };
        let fits = channels > 0
            && parameters.multipliers.len() >= channels * size_of::<i32>()
            && parameters.shifts.len() >= channels
            && parameters.table.len() >= table_len;
        let function = match (largest, layer.activation) {
            (false, Activation::Clamp | Activation::Logits) => thumbnet_helium_requantize,
            (false, Activation::Table) => thumbnet_helium_requantize_table,
            (false, Activation::ByteTable) => thumbnet_helium_requantize_byte_table,
            (true, Activation::Clamp | Activation::Logits) => thumbnet_helium_requantize_largest,
            (true, Activation::Table) => thumbnet_helium_requantize_largest_table,
            (true, Activation::ByteTable) => thumbnet_helium_requantize_largest_byte_table,
        };
        let arguments = Arguments {
            low: u32::from(layer.low),
            high: u32::from(layer.high),
            shifts: parameters.shifts.as_ptr(),
            outputs: [null_mut(); PIXELS],
            multipliers: parameters.multipliers.as_ptr(),
            accumulators: null(),
            channels,
            offset,
            table: parameters.table.as_ptr(),
            starts: null(),
        };
        let function = if fits && takes_high_words(unit) { Some(function as _) } else { None };
        Self { unit, largest, channels, arguments, function }
    }

    /// Activates one to four pixels, or one from the largest accumulators of four.
    ///
    /// `accumulators`: one a channel, and up to a multiple of [`GROUP`] more; `starts`: as many, to be added.
    pub fn activate(&mut self, accumulators: &[Accumulators], starts: &[i32], pixels: &mut [u8]) {
        let groups = self.channels.next_multiple_of(GROUP);
        let fits = accumulators.len() >= groups
            && starts.len() >= groups
            && (1..=PIXELS * self.channels).contains(&pixels.len());
        let last = pixels.len().checked_div(self.channels).unwrap_or(0).checked_sub(1);
        let (Some(function), Some(last), true) = (self.function, last, fits) else {
            return self.activate_slowly(accumulators, starts, pixels);
        };
        let output = pixels.as_mut_ptr();
        self.arguments.outputs = [0, 1, 2, 3].map(|pixel: usize| output.wrapping_add(pixel.min(last) * self.channels));
        self.arguments.accumulators = accumulators.as_ptr();
        self.arguments.starts = starts.as_ptr();
        // SAFETY: reads whole groups of accumulators and starts, `channels` multipliers and shifts, and writes
        // `channels` bytes of the first pixel or of each, all there; with a table, reads one of its first 2^10
        // or 2^8 entries for each.
        unsafe { function(&self.arguments) };
    }

    /// The same for any parameters.
    #[cold]
    #[inline(never)]
    fn activate_slowly(&self, accumulators: &[Accumulators], starts: &[i32], pixels: &mut [u8]) {
        for (pixel, output) in pixels.chunks_exact_mut(self.channels.max(1)).enumerate() {
            let sums = accumulators.iter().zip(starts).map(|(sums, start)| {
                let sum = if self.largest { sums.iter().max() } else { sums.get(pixel) };
                sum.map_or(0, |sum| sum.wrapping_add(*start))
            });
            self.unit.activate_all(sums, output);
        }
    }
}
