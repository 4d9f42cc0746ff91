//! The products of the Winograd algorithm for cores that multiply one pair at a time.
//!
//! A channel of two tiles and two output channels takes eight instructions: four loads, four products.

use core::arch::global_asm;

use super::arguments::SumsRange;

unsafe extern "C" {
    /// See [`Family::POINTS`](super::family::Family::POINTS).
    pub fn thumbnet_mla_points(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
    /// See [`Family::POINTS_SECOND`](super::family::Family::POINTS_SECOND).
    pub fn thumbnet_mla_points_second(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
}

// r0 inputs, r1 weights, r2 the next sums, r3 groups, r4 and r5 inputs of two tiles, r6 and r7 weights of two
// output channels, r8 to r11 the four sums, r12 count, lr end of the sums. On the stack: where to enter the
// loop, which takes two groups at a time after the first one, and the count.
global_asm!(
    "   .syntax unified
    .macro thumbnet_channel lane
        ldrsh   r5, [r0, #8 + 2 * \\lane]
        ldrsh   r7, [r1, #8 + 2 * \\lane]
        .if \\lane
        ldrsh   r4, [r0, #2 * \\lane]
        ldrsh   r6, [r1, #2 * \\lane]
        .else
        ldrsh   r4, [r0], #16
        ldrsh   r6, [r1], #16
        .endif
    .endm

    .macro thumbnet_add lane
        thumbnet_channel \\lane
        mla     r8, r4, r6, r8
        mla     r9, r5, r6, r9
        mla     r10, r4, r7, r10
        mla     r11, r5, r7, r11
    .endm

    .section .text.thumbnet_mla_points, \"ax\", %progbits
    .p2align 2 // adr counts from a whole word
    .global thumbnet_mla_points
    .type thumbnet_mla_points, %function
    .thumb_func
    thumbnet_mla_points:
        push    {{r4-r11, lr}}
        ldrd    r2, lr, [r2]
        lsrs    r12, r3, #1
        adr.w   r4, 3f
        bcc     5f
        adr.w   r4, 2f
        bne     5f
        adr.w   r4, 4f
    5:
        adds    r4, r4, #1
        push    {{r4, r12}}
    1:
        thumbnet_channel 3
        mul     r8, r4, r6
        mul     r9, r5, r6
        mul     r10, r4, r7
        mul     r11, r5, r7
        thumbnet_add 2
        thumbnet_add 1
        thumbnet_add 0
        ldr     r12, [sp, #4]
        ldr     pc, [sp]
    2:
        thumbnet_add 3
        thumbnet_add 2
        thumbnet_add 1
        thumbnet_add 0
    3:
        thumbnet_add 3
        thumbnet_add 2
        thumbnet_add 1
        thumbnet_add 0
        subs    r12, r12, #1
        bne.w   2b
    4:
        stmia   r2!, {{r8-r11}}
        cmp     r2, lr
        bne.w   1b
        add     sp, sp, #8
        pop     {{r4-r11, pc}}
    .size thumbnet_mla_points, . - thumbnet_mla_points

    .macro thumbnet_second lane
        .if \\lane
        ldrsh   r5, [r0, #2 * \\lane]
        ldrsh   r7, [r1, #8 + 2 * \\lane]
        ldrsh   r6, [r1, #2 * \\lane]
        .else
        ldrsh   r7, [r1, #8]
        ldrsh   r5, [r0], #16
        ldrsh   r6, [r1], #16
        .endif
        mla     r9, r5, r6, r9
        mla     r11, r5, r7, r11
    .endm

    .section .text.thumbnet_mla_points_second, \"ax\", %progbits
    .p2align 2
    .global thumbnet_mla_points_second
    .type thumbnet_mla_points_second, %function
    .thumb_func
    thumbnet_mla_points_second:
        push    {{r4-r11, lr}}
        ldrd    r2, lr, [r2]
        adds    r0, r0, #8
    1:
        mov     r12, r3
        mov     r9, #0
        mov     r11, #0
    2:
        thumbnet_second 3
        thumbnet_second 2
        thumbnet_second 1
        thumbnet_second 0
        subs    r12, r12, #1
        bne     2b
        str     r9, [r2, #4]
        str     r11, [r2, #12]
        adds    r2, r2, #16
        cmp     r2, lr
        bne     1b
        pop     {{r4-r11, pc}}
    .size thumbnet_mla_points_second, . - thumbnet_mla_points_second",
);
