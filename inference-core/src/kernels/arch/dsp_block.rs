//! The loops of direct convolutions and dense layers with the DSP extension.
//!
//! A block is four pixels by one output channel. Four taps of it are 13 instructions for 16
//! multiplications: the pixels' patches were widened to 16 bits before, the weights are widened on the
//! way. Both keep the order in which `uxtb16` and `sxtb16` leave the bytes of a word (0 and 2, then 1
//! and 3), so no shuffling is needed.

use core::arch::global_asm;

use super::arguments::{BlockArguments, DenseArguments};

unsafe extern "C" {
    /// See [`Family::BLOCK`](super::family::Family::BLOCK), in groups of a word of taps.
    pub fn thumbnet_dsp_block(arguments: *const BlockArguments);
    /// See [`Family::FILTERS`](super::family::Family::FILTERS).
    pub fn thumbnet_dsp_dense(row: *const u8, weights: *const u8, filter_len: usize, arguments: *const DenseArguments);
}

// In the block: r0 patches, r1 weights, r2 count, r3 accumulators, r4 to r7 two taps of four pixels,
// r8 and r9 weights, r10 to lr the four sums. On the stack: patches, words, gap, channels to come,
// bias, largest. The loop body stands twice; an odd number of words enters at the second one.
global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_function name
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
    .endm

    .macro thumbnet_taps
        ldr     r8, [r1], #4
        ldmia   r0!, {{r4-r7}}
        sxtb16  r9, r8
        smlad   r10, r9, r4, r10
        smlad   r11, r9, r5, r11
        smlad   r12, r9, r6, r12
        smlad   lr, r9, r7, lr
        ldmia   r0!, {{r4-r7}}
        sxtb16  r9, r8, ror #8
        smlad   r10, r9, r4, r10
        smlad   r11, r9, r5, r11
        smlad   r12, r9, r6, r12
        smlad   lr, r9, r7, lr
    .endm

    .macro thumbnet_max first, second
        cmp     \\first, \\second
        it      lt
        movlt   \\first, \\second
    .endm

    thumbnet_function thumbnet_dsp_block
        push    {{r4-r11, lr}}
        sub     sp, sp, #28
        ldm     r0, {{r4-r11}}
        adds    r5, r5, #1
        mov     r1, r6
        mov     r3, r9
        strd    r4, r5, [sp]
        strd    r7, r10, [sp, #8]
        strd    r8, r11, [sp, #16]
    1:
        ldrd    r0, r2, [sp]
        ldr     r4, [sp, #16]
        cbz     r4, 2f
        ldr     r10, [r4], #4
        str     r4, [sp, #16]
        mov     r11, r10
        mov     r12, r10
        mov     lr, r10
        b       3f
    2:
        ldm     r3, {{r10, r11, r12, lr}}
    3:
        lsrs    r2, r2, #1
        bcc     5f
    4:
        thumbnet_taps
    5:
        thumbnet_taps
        subs    r2, r2, #1
        bne     4b
        ldrd    r4, r5, [sp, #8]
        ldr     r6, [sp, #20]
        add     r1, r1, r4
        cbz     r6, 6f
        thumbnet_max r10, r11
        thumbnet_max r12, lr
        thumbnet_max r10, r12
    6:
        stmia   r3!, {{r10, r11, r12, lr}}
        subs    r5, r5, #1
        str     r5, [sp, #12]
        bne     1b
        add     sp, sp, #28
        pop     {{r4-r11, pc}}
    .size thumbnet_dsp_block, . - thumbnet_dsp_block

    .macro thumbnet_filter sum, offset:vararg
        ldr     r6, [r1 \\offset]
        sxtb16  r7, r6
        sxtb16  r6, r6, ror #8
        smlad   \\sum, r7, r4, \\sum
        smlad   \\sum, r6, r5, \\sum
    .endm

    thumbnet_function thumbnet_dsp_dense
        push    {{r4-r11, lr}}
        ldrd    lr, r12, [r3]
        add     r3, r2, r2, lsl #1
        ldm     lr, {{r8-r11}}
    1:
        ldr     r5, [r0], #4
        uxtb16  r4, r5
        uxtb16  r5, r5, ror #8
        thumbnet_filter r8
        thumbnet_filter r9, , r2
        thumbnet_filter r10, , r2, lsl #1
        thumbnet_filter r11, , r3
        adds    r1, r1, #4
        subs    r12, r12, #1
        bne     1b
        stm     lr, {{r8-r11}}
        pop     {{r4-r11, pc}}
    .size thumbnet_dsp_dense, . - thumbnet_dsp_dense",
);
