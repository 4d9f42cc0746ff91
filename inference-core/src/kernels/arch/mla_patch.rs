//! The pixels under a window, in pairs for a block of the direct convolution.
//!
//! A pair is a column of a pooling window: pixels 0 and 2, 1 and 3. So a neighbouring window may share it.

use core::arch::global_asm;

use super::arguments::PatchArguments;
use super::mla_block::FIELD;

unsafe extern "C" {
    /// See [`Family::GATHER`](super::family::Family::GATHER).
    pub fn thumbnet_mla_gather(arguments: *mut PatchArguments);
}

// r0 arguments, r1 and r2 rows of both pixels, r3 and r4 places in them, r5 taps to come, r6 taps of the
// first row that are left out, r7 target, r8 and r9 taps of both pixels, r10 taps of a row to come, r12 windows.
// For rows outside the map, r0 and r12 are the steps from tap to tap, and zero over the blank one.
global_asm!(
    "   .syntax unified
    .macro thumbnet_pair
        ldrb    r11, [r8], #1
        ldrb    lr, [r9], #1
        orr     r11, r11, lr, lsl #{FIELD}
        str     r11, [r7], #8
    .endm

    .section .text.thumbnet_mla_gather, \"ax\", %progbits
    .p2align 2
    .global thumbnet_mla_gather
    .type thumbnet_mla_gather, %function
    .thumb_func
    thumbnet_mla_gather:
        push    {{r4-r11, lr}}
        sub     sp, sp, #8
        mov     r12, r0
        // Zeros up to three taps.
        ldr     r5, [r0, #44]
        ldr     r7, [r0, #52]
        movs    r3, #3
        udiv    r4, r5, r3
        mls     r4, r4, r3, r5
        add     r7, r7, r5, lsl #3
        movs    r1, #0
        movs    r2, #0
        cbz     r4, 1f
        strd    r1, r2, [r7]
        cmp     r4, #1
        it      eq
        strdeq  r1, r2, [r7, #8]
    1:  // a pair of pixels
        ldrd    r1, r3, [r12]
        ldrd    r2, r4, [r12, #16]
        sub     r10, r12, r0
        adds    r11, r3, #1
        beq     7f
        ldrd    r7, r8, [r0, #32]
        add     r1, r7, r1, lsl #2
        add     r2, r7, r2, lsl #2
        ldrd    r6, r5, [r0, #40]
        ldr     r7, [r0, #52]
        add     r7, r7, r10, lsr #1
        add     r3, r3, r6
        add     r4, r4, r6
    2:  // a row
        ldr     r10, [r0, #36]
        sub     r10, r10, r6
        cmp     r10, r5
        it      hi
        movhi   r10, r5
        sub     r5, r5, r10
        ldr     r8, [r1], #4
        ldr     r9, [r2], #4
        cmp     r8, #0
        it      ne
        cmpne   r9, #0
        beq     8f
        add     r8, r8, r3
        add     r9, r9, r4
        subs    r10, r10, #4
        blo     4f
    3:
        .rept 4
        thumbnet_pair
        .endr
        subs    r10, r10, #4
        bhs     3b
    4:
        adds    r10, r10, #4
        beq     6f
    5:
        thumbnet_pair
        subs    r10, r10, #1
        bne     5b
    6:
        sub     r3, r3, r6
        sub     r4, r4, r6
        movs    r6, #0
        cmp     r5, #0
        bne     2b
        sub     r10, r12, r0
    7:
        adds    r12, r12, #8
        cmp     r10, #0
        beq     1b
        add     sp, sp, #8
        pop     {{r4-r11, pc}}
    8:  // one row or both are outside the map
        strd    r0, r12, [sp]
        add     r11, r0, #48
        movs    r0, #1
        mov     r12, #1
        cmp     r8, #0
        itte    eq
        moveq   r8, r11
        moveq   r0, #0
        addne   r8, r8, r3
        cmp     r9, #0
        itte    eq
        moveq   r9, r11
        moveq   r12, #0
        addne   r9, r9, r4
    9:
        ldrb    r11, [r8]
        ldrb    lr, [r9]
        add     r8, r8, r0
        add     r9, r9, r12
        orr     r11, r11, lr, lsl #{FIELD}
        str     r11, [r7], #8
        subs    r10, r10, #1
        bne     9b
        ldrd    r0, r12, [sp]
        b       6b
    .size thumbnet_mla_gather, . - thumbnet_mla_gather",
    FIELD = const FIELD,
);
