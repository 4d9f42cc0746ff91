//! The loops of direct convolutions and dense layers for cores that multiply one pair at a time.
//!
//! One `smlal` multiplies two pixels with a weight: they share a register, [`FIELD`] bits apart, and their
//! sums share 64 bits. The lower sum stays within its bits for [`CHUNK`](super::super::blocks::CHUNK)
//! taps; each of its borrows from the upper one is given back at the end. So three taps of four pixels
//! are ten instructions for twelve products.

use core::arch::global_asm;

use super::super::blocks::CHUNK;
use super::arguments::{BlockArguments, DenseArguments};

/// Bits from a pixel of a pair, and from its sum, to the other one.
pub const FIELD: u32 = 23;
const _: () = assert!(CHUNK * 255 * 128 < 1 << (FIELD - 1));

/// How often the loop body stands in the text.
const BODIES: usize = 8;
/// Bytes of the loop body.
const BODY: usize = 40;

unsafe extern "C" {
    /// See [`Family::BLOCK`](super::family::Family::BLOCK), in groups of three taps.
    pub fn thumbnet_mla_block(arguments: *const BlockArguments);
    /// See [`Family::FILTERS`](super::family::Family::FILTERS).
    pub fn thumbnet_mla_dense(row: *const u8, weights: *const u8, filter_len: usize, arguments: *const DenseArguments);
}

// In the block: r0 patches, r1 weights, r2 count, r3 a weight, r4 to r9 three taps of two pairs, r10 to lr
// the sums of both pairs. On the stack: where to enter the loop, patches, count, gap, channels to come,
// bias, accumulators, largest.
global_asm!(
    "   .syntax unified
    .macro thumbnet_tap operation, first, second
        ldrsb   r3, [r1], #1
        \\operation r10, r11, \\first, r3
        \\operation r12, lr, \\second, r3
    .endm

    .macro thumbnet_max first, second
        cmp     \\first, \\second
        it      lt
        movlt   \\first, \\second
    .endm

    .section .text.thumbnet_mla_block, \"ax\", %progbits
    .p2align 2 // adr counts from a whole word
    .global thumbnet_mla_block
    .type thumbnet_mla_block, %function
    .thumb_func
    thumbnet_mla_block:
        push    {{r4-r11, lr}}
        sub     sp, sp, #32
        ldm     r0, {{r4-r11}}
        mov     r1, r6
        // All groups but the first go through the loop, which is entered where the last round ends with them.
        subs    r5, r5, #1
        add     r2, r5, #{BODIES} - 1
        lsr     r2, r2, #{SHIFT}
        rsb     r0, r5, r2, lsl #{SHIFT}
        movs    r3, #{BODY}
        adr.w   r6, 2f
        mla     r6, r0, r3, r6
        cbnz    r5, 5f
        adr.w   r6, 3f
    5:
        adds    r6, r6, #1
        strd    r6, r4, [sp]
        strd    r2, r7, [sp, #8]
        strd    r10, r8, [sp, #16]
        strd    r9, r11, [sp, #24]
    1:
        ldrd    r0, r2, [sp, #4]
        ldmia   r0!, {{r4-r9}}
        thumbnet_tap smull, r4, r5
        thumbnet_tap smlal, r6, r7
        thumbnet_tap smlal, r8, r9
        ldr     pc, [sp]
    2:
        .rept {BODIES}
        ldmia   r0!, {{r4-r9}}
        thumbnet_tap smlal, r4, r5
        thumbnet_tap smlal, r6, r7
        thumbnet_tap smlal, r8, r9
        .endr
        subs    r2, r2, #1
        bne.w   2b
    3:
        ldrd    r0, r2, [sp, #20]
        sbfx    r4, r10, #0, #{FIELD}
        lsr     r6, r10, #{FIELD}
        orr     r6, r6, r11, lsl #32 - {FIELD}
        sub     r6, r6, r4, asr #31
        sbfx    r5, r12, #0, #{FIELD}
        lsr     r7, r12, #{FIELD}
        orr     r7, r7, lr, lsl #32 - {FIELD}
        sub     r7, r7, r5, asr #31
        cbz     r0, 4f
        ldr     r3, [r0], #4
        str     r0, [sp, #20]
        add     r4, r4, r3
        add     r5, r5, r3
        add     r6, r6, r3
        add     r7, r7, r3
        b       5f
    4:
        ldm     r2, {{r8-r11}}
        add     r4, r4, r8
        add     r5, r5, r9
        add     r6, r6, r10
        add     r7, r7, r11
    5:
        ldr     r3, [sp, #28]
        cbz     r3, 6f
        thumbnet_max r4, r5
        thumbnet_max r6, r7
        thumbnet_max r4, r6
    6:
        stmia   r2!, {{r4-r7}}
        str     r2, [sp, #24]
        ldrd    r3, r5, [sp, #12]
        add     r1, r1, r3
        subs    r5, r5, #1
        str     r5, [sp, #16]
        bne.w   1b
        add     sp, sp, #32
        pop     {{r4-r11, pc}}
    .size thumbnet_mla_block, . - thumbnet_mla_block

    .section .text.thumbnet_mla_dense, \"ax\", %progbits
    .global thumbnet_mla_dense
    .type thumbnet_mla_dense, %function
    .thumb_func
    thumbnet_mla_dense:
        push    {{r4-r11, lr}}
        ldrd    lr, r12, [r3]
        add     r3, r2, r2, lsl #1
        ldm     lr, {{r8-r11}}
    1:
        .rept 4
        ldrb    r4, [r0], #1
        ldrsb   r5, [r1, r2]
        ldrsb   r6, [r1, r2, lsl #1]
        ldrsb   r7, [r1, r3]
        mla     r9, r5, r4, r9
        mla     r10, r6, r4, r10
        mla     r11, r7, r4, r11
        ldrsb   r5, [r1], #1
        mla     r8, r5, r4, r8
        .endr
        subs    r12, r12, #1
        bne     1b
        stm     lr, {{r8-r11}}
        pop     {{r4-r11, pc}}
    .size thumbnet_mla_dense, . - thumbnet_mla_dense",
    FIELD = const FIELD,
    BODIES = const BODIES,
    SHIFT = const BODIES.trailing_zeros(),
    BODY = const BODY,
);
