//! The products of the Winograd algorithm with the DSP extension.
//!
//! One point of four channels, two tiles and two output channels takes ten instructions: two loads of
//! four words and eight dual multiplications.

use core::arch::global_asm;

use super::arguments::SumsRange;
use super::points::MAX_QUADS;

/// Bytes of the loop body.
const BODY: usize = 38;
/// Bytes of the loop body for one tile, and how often it stands in the text.
const BODY_SECOND: usize = 22;
const UNROLLED_SECOND: usize = 8;

unsafe extern "C" {
    /// See [`Family::POINTS`](super::family::Family::POINTS). The loop body stands in the text as often as there
    /// may be groups.
    pub fn thumbnet_dsp_points(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
    /// See [`Family::POINTS_SECOND`](super::family::Family::POINTS_SECOND): six instructions a group.
    pub fn thumbnet_dsp_points_second(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
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
