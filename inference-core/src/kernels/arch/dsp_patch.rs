//! The pixels under a window, widened to 16 bits for a block of the direct convolution.
//!
//! Rows of the window whose taps are whole words are widened as they lie. Others are first copied
//! one behind the other, because the taps of a filter are. Words 0 and 4 of the patches are the first
//! pixel's first word of taps, 8 and 12 its second, and so on.

use core::arch::global_asm;

use super::arguments::PatchArguments;

unsafe extern "C" {
    /// See [`Family::GATHER`](super::family::Family::GATHER).
    pub fn thumbnet_dsp_gather(arguments: *mut PatchArguments);
}

// r1 rows, r2 place in them, r3 row length, r4 offset, r5 bytes to come, r6 blank, r7 target, r8 row, r9
// its bytes or words, r12 windows. Joining: r0 place in the row, r10 that of its last word, r11 bytes.
// Widening: r10 and r11 taps. On the stack: the arguments.
global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_widened
        ldr     r10, [r8], #4
        uxtb16  r11, r10
        uxtb16  r10, r10, ror #8
        str     r11, [r7], #16
        str     r10, [r7], #16
    .endm

    .macro thumbnet_next_row blank
        ldr     r8, [r1], #4
        sub     r9, r3, r4
        cmp     r9, r5
        it      hi
        movhi   r9, r5
        sub     r5, r5, r9
        cmp     r8, #0
        beq     \\blank
        add     r8, r8, r2
        add     r8, r8, r4
        movs    r4, #0
    .endm

    .section .text.thumbnet_dsp_gather, \"ax\", %progbits
    .p2align 2
    .global thumbnet_dsp_gather
    .type thumbnet_dsp_gather, %function
    .thumb_func
    thumbnet_dsp_gather:
        push    {{r0, r4-r11, lr}}
        mov     r12, r0
    1:  // a window
        ldrd    r1, r2, [r12], #8
        ldr     r0, [sp]
        adds    r3, r2, #1
        beq     3f
        ldr     r8, [r0, #32]
        add     r1, r8, r1, lsl #2
        add     r7, r0, #36
        ldm     r7, {{r3-r7, r11}}
        cmp     r11, #0
        beq     2f
        mov     r7, r11
        bl      4f
        // What was joined is the only row now.
        ldr     r0, [sp]
        add     r1, r0, #56
        ldr     r5, [r0, #44]
        ldr     r7, [r0, #52]
        adds    r5, r5, #3
        bic     r5, r5, #3
        mov     r3, r5
        movs    r2, #0
        movs    r4, #0
    2:
        bl      9f
        ldr     r0, [sp]
    3:
        ldr     r7, [r0, #52]
        adds    r7, r7, #4
        str     r7, [r0, #52]
        add     r1, r0, #32
        cmp     r12, r1
        bne     1b
        pop     {{r0, r4-r11, pc}}

    4:  // joins rows
        thumbnet_next_row 8f
        subs    r10, r9, #4
        blt     6f
        movs    r0, #0
    5:
        ldr     r11, [r8, r0]
        str     r11, [r7, r0]
        adds    r0, r0, #4
        cmp     r0, r10
        blo     5b
        ldr     r11, [r8, r10]
        str     r11, [r7, r10]
        add     r7, r7, r9
        cmp     r5, #0
        bne     4b
        bx      lr
    6:  // fewer than four bytes
        lsls    r9, r9, #31
        itt     cs
        ldrhcs  r11, [r8], #2
        strhcs  r11, [r7], #2
        itt     mi
        ldrbmi  r11, [r8]
        strbmi  r11, [r7], #1
    7:
        cmp     r5, #0
        bne     4b
        bx      lr
    8:  // outside the map
        strb    r6, [r7], #1
        subs    r9, r9, #1
        bne     8b
        movs    r4, #0
        b       7b

    9:  // widens rows
        thumbnet_next_row 5f
        lsrs    r9, r9, #3
        bcc     2f
        thumbnet_widened
        beq     3f
    2:
        thumbnet_widened
        thumbnet_widened
        subs    r9, r9, #1
        bne     2b
    3:
        cmp     r5, #0
        bne     9b
        bx      lr
    5:  // outside the map
        str     r6, [r7], #16
        str     r6, [r7], #16
        subs    r9, r9, #4
        bne     5b
        movs    r4, #0
        b       3b
    .size thumbnet_dsp_gather, . - thumbnet_dsp_gather",
);
