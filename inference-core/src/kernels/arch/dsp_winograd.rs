//! The Winograd steps with the DSP extension.
//!
//! One point of four channels, two tiles and two output channels takes ten instructions: two loads of
//! four words and eight dual multiplications.

use core::arch::global_asm;

use super::super::Unit;
use super::super::portable::Portable;
use super::super::winograd::{Finish, MAX_ROWS, Steps, Sums, Tiles};
use super::dsp::Dsp;
use super::{dsp_block, dsp_tiles, dsp_transform};

/// Most groups of four channels: so often the loop body stands in the text.
const MAX_QUADS: usize = 32;
/// Bytes of the loop body.
const BODY: usize = 38;
/// Bytes of the loop body for one tile, and how often it stands in the text.
const BODY_SECOND: usize = 22;
const UNROLLED_SECOND: usize = 8;

unsafe extern "C" {
    /// Multiplies `points * quads` groups; writes four sums a point up to `end`.
    fn thumbnet_dsp_points(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
    /// The same for the second tile alone, in six instructions a point.
    fn thumbnet_dsp_points_second(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
}

/// Where the sums go; the offsets of the fields are in the text of `thumbnet_dsp_points`.
#[repr(C)]
struct SumsRange {
    start: *mut Sums,
    end: *mut Sums,
}

// r0 inputs, r1 weights, r2 to r5 the inputs of two tiles, r6 to r9 the weights of two output channels,
// r10 to lr the four sums. On the stack: where to enter the loop body, the next sums, their end.
global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_point operation, first, second, third, fourth
        ldmia   r0!, {{r2-r5}}
        ldmia   r1!, {{r6-r9}}
        \\operation r10, r6, r2 \\first
        \\operation r11, r6, r4 \\second
        \\operation r12, r8, r2 \\third
        \\operation lr, r8, r4 \\fourth
        smlad   r10, r7, r3, r10
        smlad   r11, r7, r5, r11
        smlad   r12, r9, r3, r12
        smlad   lr, r9, r5, lr
    .endm

    .section .text.thumbnet_dsp_points, \"ax\", %progbits
    .p2align 2 // adr counts from a whole word
    .global thumbnet_dsp_points
    .type thumbnet_dsp_points, %function
    .thumb_func
    thumbnet_dsp_points:
        push    {{r4-r11, lr}}
        sub     sp, sp, #12
        ldrd    r4, r5, [r2]
        strd    r4, r5, [sp, #4]
        adr.w   r4, 3f
        movs    r5, #{BODY}
        subs    r3, r3, #1
        mls     r4, r3, r5, r4
        adds    r4, r4, #1
        str     r4, [sp]
    1:
        thumbnet_point smuad
        ldr     pc, [sp]
    2:
        .rept {MAX_QUADS} - 1
        thumbnet_point \"smlad\", \", r10\", \", r11\", \", r12\", \", lr\"
        .endr
    3:
        ldrd    r2, r3, [sp, #4]
        stmia   r2!, {{r10, r11, r12, lr}}
        str     r2, [sp, #4]
        cmp     r2, r3
        bne.w   1b
        add     sp, sp, #12
        pop     {{r4-r11, pc}}
    .size thumbnet_dsp_points, . - thumbnet_dsp_points

    // r0 inputs, r1 weights, r2 and r3 inputs, r4 to r7 weights, r8 and r9 sums, r10 count, r11 and r12
    // the next sums and their end, lr where to enter the loop body. On the stack: the count.
    .section .text.thumbnet_dsp_points_second, \"ax\", %progbits
    .p2align 2
    .global thumbnet_dsp_points_second
    .type thumbnet_dsp_points_second, %function
    .thumb_func
    thumbnet_dsp_points_second:
        push    {{r3-r11, lr}}
        ldrd    r11, r12, [r2]
        adr.w   lr, 3f
        subs    r3, r3, #1
        and     r4, r3, #{UNROLLED_SECOND} - 1
        movs    r5, #{BODY_SECOND}
        mls     lr, r4, r5, lr
        sub     lr, lr, #{BODY_SECOND} - 1
        lsrs    r3, r3, #{SHIFT_SECOND}
        adds    r3, r3, #1
        str     r3, [sp]
        adds    r0, r0, #8
    1:
        ldr     r10, [sp]
        mov     r8, #0
        mov     r9, #0
        bx      lr
    2:
        .rept {UNROLLED_SECOND}
        ldrd    r2, r3, [r0], #16
        ldmia   r1!, {{r4-r7}}
        smlad   r8, r4, r2, r8
        smlad   r9, r6, r2, r9
        smlad   r8, r5, r3, r8
        smlad   r9, r7, r3, r9
        .endr
    3:
        subs    r10, r10, #1
        bne.w   2b
        str     r8, [r11, #4]
        str     r9, [r11, #12]
        add     r11, r11, #16
        cmp     r11, r12
        bne.w   1b
        pop     {{r3-r11, pc}}
    .size thumbnet_dsp_points_second, . - thumbnet_dsp_points_second",
    BODY = const BODY,
    BODY_SECOND = const BODY_SECOND,
    UNROLLED_SECOND = const UNROLLED_SECOND,
    SHIFT_SECOND = const UNROLLED_SECOND.ilog2(),
    MAX_QUADS = const MAX_QUADS,
);

impl Steps for Dsp {
    fn transform<const P: usize>(rows: &[&[u8]; MAX_ROWS], channels: usize, inputs: &mut [u32], scratch: &mut [i32]) {
        dsp_transform::transform::<P>(rows, channels, inputs, scratch);
    }

    fn multiply(inputs: &[u32], weights: &[u8], quads: usize, wanted: Tiles, sums: &mut [Sums]) {
        let fits = inputs.len() >= sums.len() * quads * 4 && weights.len() >= sums.len() * quads * 16;
        if !fits || sums.is_empty() || !(1..=MAX_QUADS).contains(&quads) || !weights.as_ptr().addr().is_multiple_of(4) {
            return Portable::multiply(inputs, weights, quads, wanted, sums);
        }
        let sums = sums.as_mut_ptr_range();
        let sums = SumsRange { start: sums.start, end: sums.end };
        let (inputs, weights) = (inputs.as_ptr(), weights.as_ptr());
        // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`, or half
        // of it; the lengths and the alignment of the weights were checked above.
        unsafe {
            match wanted {
                Tiles::Both => thumbnet_dsp_points(inputs, weights, &sums, quads),
                Tiles::Second => thumbnet_dsp_points_second(inputs, weights, &sums, quads),
            }
        }
    }

    fn finish<const P: usize>(sums: &[[Sums; P]; P], bias: &[u8], finish: Finish, results: &mut [i32]) {
        dsp_tiles::finish(sums, bias, finish, results);
    }

    fn takes_high_words(unit: &Unit<'_>) -> bool {
        dsp_block::takes_high_words(unit)
    }

    fn activate(unit: &Unit<'_>, high_words: bool, results: &[i32], step: usize, output: &mut [u8]) {
        dsp_block::activate(unit, high_words, results, step, output);
    }
}
