//! The Winograd input transform, four channels and a pair of tiles at a time.
//!
//! First the rows are combined, column by column: each column gives a column of points, kept in scratch
//! memory. Then the columns of each row of points are combined. A value is two words, each with two
//! 16-bit lanes: channels 0 and 2, then 1 and 3.

use core::arch::global_asm;

use super::super::winograd::MAX_COLUMNS;

/// Input rows under a tile, for the largest kernel.
const MAX_ROWS: usize = 8;
/// Bytes of scratch memory for a row of points.
const PITCH: usize = MAX_COLUMNS * 8;

/// What `thumbnet_transform` reads; the offsets of the fields are in its text.
#[repr(C)]
struct Arguments {
    rows: [*const u8; MAX_ROWS],
    channels: usize,
    /// Bytes of the columns under the pair of tiles.
    span: usize,
    scratch: *mut i32,
    /// Bytes of a point: 16 for each group of channels.
    stride: usize,
    inputs: *mut u32,
    /// The end of the scratch memory that is used.
    end: *mut i32,
    /// Where the last group of channels begins.
    last: usize,
    /// How often two more taps follow the first three.
    twos: usize,
}

unsafe extern "C" {
    fn thumbnet_transform(arguments: *const Arguments);
}

// Two 16-bit lanes in a word. Without the DSP extension a word is the sum of its lanes, the upper one times
// 2^16: a negative lower lane borrows from the upper one, and gives back when both are separated.
#[cfg(thumbnet_dsp)]
macro_rules! lanes {
    () => {
        concat!(
            with_dsp!(),
            "
            .macro thumbnet_lanes_widen low, high
                uxtb16  \\high, \\low, ror #8
                uxtb16  \\low, \\low
            .endm
            .macro thumbnet_lanes_add to, a, b
                sadd16  \\to, \\a, \\b
            .endm
            .macro thumbnet_lanes_subtract to, a, b
                ssub16  \\to, \\a, \\b
            .endm
            .macro thumbnet_lanes_separate lanes
            .endm"
        )
    };
}
#[cfg(not(thumbnet_dsp))]
macro_rules! lanes {
    () => {
        "
        .macro thumbnet_lanes_widen low, high
            lsr     \\high, \\low, #8
            and     \\high, \\high, #0x00ff00ff
            and     \\low, \\low, #0x00ff00ff
        .endm
        .macro thumbnet_lanes_add to, a, b
            add     \\to, \\a, \\b
        .endm
        .macro thumbnet_lanes_subtract to, a, b
            sub     \\to, \\a, \\b
        .endm
        .macro thumbnet_lanes_separate lanes
            add     \\lanes, \\lanes, #0x8000
            eor     \\lanes, \\lanes, #0x8000
        .endm"
    };
}

// Down the columns: r0 to r3 rows, r4 the place in them, r5 to r10 values, r11 scratch memory, r12
// channels, lr the end of the columns. Along the rows: r0 points, r1 to r12 values, lr bytes of a point.
// On the stack: arguments, first channel of the group, its first point, row of points.
global_asm!(
    lanes!(),
    "   .syntax unified
    .macro thumbnet_both operation, to, to_high, a, a_high, b, b_high
        \\operation \\to, \\a, \\b
        \\operation \\to_high, \\a_high, \\b_high
    .endm

    .macro thumbnet_store_point first, second, third, fourth
        thumbnet_lanes_separate \\first
        thumbnet_lanes_separate \\second
        thumbnet_lanes_separate \\third
        thumbnet_lanes_separate \\fourth
        stm     r0, {{\\first, \\second, \\third, \\fourth}}
        add     r0, r0, lr
    .endm

    .macro thumbnet_points_of_two column
        ldr     r11, [sp, #12]
        add     r11, r11, #8 * \\column
        ldm     r11, {{r1-r10}}
        thumbnet_both thumbnet_lanes_subtract, r1, r2, r1, r2, r3, r4
        thumbnet_both thumbnet_lanes_subtract, r11, r12, r5, r6, r7, r8
        thumbnet_store_point r1, r2, r11, r12
        thumbnet_both thumbnet_lanes_subtract, r1, r2, r3, r4, r5, r6
        thumbnet_both thumbnet_lanes_subtract, r11, r12, r7, r8, r9, r10
        thumbnet_store_point r3, r4, r7, r8
        thumbnet_store_point r1, r2, r11, r12
    .endm

    .section .text.thumbnet_transform, \"ax\", %progbits
    .p2align 2
    .global thumbnet_transform
    .type thumbnet_transform, %function
    .thumb_func
    thumbnet_transform:
        push    {{r4-r11, lr}}
        sub     sp, sp, #20
        movs    r4, #0
        ldr     r1, [r0, #48]
        strd    r0, r4, [sp]
        str     r1, [sp, #8]
    1:  // a group of four channels
        ldrd    r10, r4, [sp]
        ldrd    r12, lr, [r10, #32]
        ldr     r11, [r10, #40]
        add     lr, lr, r4
        ldm     r10, {{r0-r3}}
    2:  // a column of the first three taps
        ldr     r5, [r0, r4]
        ldr     r7, [r2, r4]
        thumbnet_lanes_widen r5, r6
        thumbnet_lanes_widen r7, r8
        thumbnet_both thumbnet_lanes_subtract, r5, r6, r5, r6, r7, r8
        strd    r5, r6, [r11], #8
        ldr     r5, [r1, r4]
        thumbnet_lanes_widen r5, r6
        thumbnet_both thumbnet_lanes_add, r9, r10, r5, r6, r7, r8
        strd    r9, r10, [r11, #{PITCH} - 8]
        thumbnet_both thumbnet_lanes_subtract, r7, r8, r7, r8, r5, r6
        strd    r7, r8, [r11, #2 * {PITCH} - 8]
        ldr     r9, [r3, r4]
        thumbnet_lanes_widen r9, r10
        thumbnet_both thumbnet_lanes_subtract, r5, r6, r5, r6, r9, r10
        strd    r5, r6, [r11, #3 * {PITCH} - 8]
        add     r4, r4, r12
        cmp     r4, lr
        bne     2b
        ldr     r3, [sp]
        ldr     r11, [r3, #40]
        ldr     r9, [r3, #60]
        add     r11, r11, #4 * {PITCH}
        add     r3, r3, #12
        b       5f
    3:  // two more taps
        str     r9, [sp, #16]
        ldr     r4, [sp, #4]
        ldm     r3, {{r0-r2}}
    4:  // a column of them
        ldr     r5, [r0, r4]
        ldr     r7, [r1, r4]
        ldr     r9, [r2, r4]
        thumbnet_lanes_widen r5, r6
        thumbnet_lanes_widen r7, r8
        thumbnet_both thumbnet_lanes_subtract, r5, r6, r5, r6, r7, r8
        strd    r5, r6, [r11], #8
        strd    r7, r8, [r11, #{PITCH} - 8]
        thumbnet_lanes_widen r9, r10
        thumbnet_both thumbnet_lanes_subtract, r7, r8, r7, r8, r9, r10
        strd    r7, r8, [r11, #2 * {PITCH} - 8]
        add     r4, r4, r12
        cmp     r4, lr
        bne     4b
        ldr     r9, [sp, #16]
        ldr     r4, [sp]
        ldr     r11, [r4, #40]
        add     r11, r11, #7 * {PITCH}
        add     r3, r3, #8
        subs    r9, r9, #1
    5:
        cmp     r9, #0
        bne     3b
        ldr     r1, [sp]
        ldr     r0, [sp, #8]
        ldrd    r11, lr, [r1, #40]
    6:  // a row of points, its first three taps
        str     r11, [sp, #12]
        ldm     r11, {{r1-r10}}
        thumbnet_both thumbnet_lanes_subtract, r1, r2, r1, r2, r5, r6
        thumbnet_both thumbnet_lanes_subtract, r11, r12, r5, r6, r9, r10
        thumbnet_store_point r1, r2, r11, r12
        thumbnet_both thumbnet_lanes_add, r1, r2, r3, r4, r5, r6
        thumbnet_both thumbnet_lanes_add, r11, r12, r7, r8, r9, r10
        thumbnet_store_point r1, r2, r11, r12
        thumbnet_both thumbnet_lanes_subtract, r1, r2, r5, r6, r3, r4
        thumbnet_both thumbnet_lanes_subtract, r11, r12, r9, r10, r7, r8
        thumbnet_store_point r1, r2, r11, r12
        ldr     r11, [sp, #12]
        thumbnet_both thumbnet_lanes_subtract, r1, r2, r3, r4, r7, r8
        ldrd    r11, r12, [r11, #40]
        thumbnet_both thumbnet_lanes_subtract, r11, r12, r7, r8, r11, r12
        thumbnet_store_point r1, r2, r11, r12
        ldr     r10, [sp]
        ldr     r9, [r10, #60]
        cmp     r9, #1
        blo     7f
        thumbnet_points_of_two 3
        ldr     r10, [sp]
        ldr     r9, [r10, #60]
        cmp     r9, #1
        beq     7f
        thumbnet_points_of_two 5
        ldr     r10, [sp]
    7:
        ldr     r9, [r10, #52]
        ldr     r11, [sp, #12]
        add     r11, r11, #{PITCH}
        cmp     r11, r9
        bne     6b
        ldr     r1, [r10, #56]
        ldrd    r2, r3, [sp, #4]
        cmp     r2, r1
        beq     8f
        adds    r2, r2, #4
        adds    r3, r3, #16
        cmp     r2, r1
        it      hi
        movhi   r2, r1
        strd    r2, r3, [sp, #4]
        b       1b
    8:
        add     sp, sp, #20
        pop     {{r4-r11, pc}}
    .size thumbnet_transform, . - thumbnet_transform",
    PITCH = const PITCH,
);

/// See [`Steps::transform`](super::super::winograd::Steps::transform).
pub fn transform<'r>(
    points: usize,
    row: impl Fn(usize) -> &'r [u8],
    channels: usize,
    inputs: &mut [u32],
    scratch: &mut [i32],
) {
    let twos = points.saturating_sub(4) / 3;
    let span = (6 + 2 * twos) * channels;
    let stride = channels.div_ceil(4) * 16;
    let used = points * PITCH / size_of::<i32>();
    let mut fits = matches!(points, 4 | 7 | 10)
        && channels >= 4
        && size_of_val(inputs) >= points * points * stride
        && scratch.len() >= used;
    let mut rows = [core::ptr::null(); MAX_ROWS];
    for (index, start) in rows.iter_mut().enumerate().take(4 + 2 * twos) {
        let row = row(index);
        fits &= row.len() >= span;
        *start = row.as_ptr();
    }
    if !fits {
        return;
    }
    let scratch = scratch.as_mut_ptr();
    let arguments = Arguments {
        rows,
        channels,
        span,
        scratch,
        stride,
        inputs: inputs.as_mut_ptr(),
        end: scratch.wrapping_add(used),
        last: channels - 4,
        twos,
    };
    // SAFETY: the rows under so many points are read up to `span` bytes, whose last group of channels
    // begins four bytes before the end of a column; `points` rows of scratch memory and `points * points` points
    // are written. All were checked above.
    unsafe { thumbnet_transform(&arguments) };
}
