//! What the compiler calls to copy and to fill memory, by the names of Arm's run-time ABI.
//!
//! Rust's own are made to be fast, and take a kilobyte; here little is copied, and these take less than 200 bytes. Word by
//! word where both ends are aligned, else byte by byte; in the instructions that every Cortex-M has.
#![allow(unsafe_code, reason = "symbols that the linker takes in place of others")]

use core::arch::global_asm;

// r0 destination, r1 source, r2 length; memcpy returns its destination.
global_asm!(
    "   .syntax unified
        .section .text.memcpy, \"ax\", %progbits
        .p2align 2
        .global memcpy
        .global __aeabi_memcpy
        .global __aeabi_memcpy4
        .global __aeabi_memcpy8
        .type memcpy, %function
        .type __aeabi_memcpy, %function
        .type __aeabi_memcpy4, %function
        .type __aeabi_memcpy8, %function
        .thumb_func
    memcpy:
        .thumb_func
    __aeabi_memcpy:
        .thumb_func
    __aeabi_memcpy4:
        .thumb_func
    __aeabi_memcpy8:
        push    {{r0, r4-r7, lr}}
        mov     r3, r0
        orrs    r3, r1
        lsls    r3, r3, #30
        bne     5f
        b       2f
    1:
        ldmia   r1!, {{r4-r7}}
        stmia   r0!, {{r4-r7}}
    2:
        subs    r2, #16
        bcs     1b
        adds    r2, #12
        bcc     4f
    3:
        ldmia   r1!, {{r4}}
        stmia   r0!, {{r4}}
        subs    r2, #4
        bcs     3b
    4:
        adds    r2, #4
    5:
        movs    r3, #0
        b       7f
    6:
        ldrb    r4, [r1, r3]
        strb    r4, [r0, r3]
        adds    r3, #1
    7:
        cmp     r3, r2
        bne     6b
        pop     {{r0, r4-r7, pc}}
        .size memcpy, . - memcpy
        .size __aeabi_memcpy, . - memcpy
        .size __aeabi_memcpy4, . - memcpy
        .size __aeabi_memcpy8, . - memcpy"
);

// r0 destination, r1 length, r2 value; memset has the last two the other way round, and returns its destination.
global_asm!(
    "   .syntax unified
        .section .text.memset, \"ax\", %progbits
        .p2align 2
        .global memset
        .global __aeabi_memset
        .global __aeabi_memset4
        .global __aeabi_memset8
        .global __aeabi_memclr
        .global __aeabi_memclr4
        .global __aeabi_memclr8
        .type memset, %function
        .type __aeabi_memset, %function
        .type __aeabi_memset4, %function
        .type __aeabi_memset8, %function
        .type __aeabi_memclr, %function
        .type __aeabi_memclr4, %function
        .type __aeabi_memclr8, %function
        .thumb_func
    memset:
        mov     r3, r1
        mov     r1, r2
        mov     r2, r3
        b       1f
        .thumb_func
    __aeabi_memclr:
        .thumb_func
    __aeabi_memclr4:
        .thumb_func
    __aeabi_memclr8:
        movs    r2, #0
        .thumb_func
    __aeabi_memset:
        .thumb_func
    __aeabi_memset4:
        .thumb_func
    __aeabi_memset8:
    1:
        push    {{r0, lr}}
        lsls    r3, r0, #30
        bne     4f
        uxtb    r2, r2
        lsls    r3, r2, #8
        orrs    r2, r3
        lsls    r3, r2, #16
        orrs    r2, r3
        b       3f
    2:
        stmia   r0!, {{r2}}
    3:
        subs    r1, #4
        bcs     2b
        adds    r1, #4
    4:
        subs    r1, #1
        bcc     6f
    5:
        strb    r2, [r0, r1]
        subs    r1, #1
        bcs     5b
    6:
        pop     {{r0, pc}}
        .size memset, . - memset
        .size __aeabi_memset, . - memset
        .size __aeabi_memset4, . - memset
        .size __aeabi_memset8, . - memset
        .size __aeabi_memclr, . - memset
        .size __aeabi_memclr4, . - memset
        .size __aeabi_memclr8, . - memset"
);
