//! Sums of a convolution of one input channel with the DSP extension, along a whole row.
//!
//! A column of the input is `(K + 1) / 2` words, each with a pixel and the one below it, for kernels of
//! `K` rows: so both rows of a pooling window take their pixels from the same words, two at a time or one. The
//! nine weights of a 3x3 kernel stay in registers, with which four sums take 24 multiplications. Of larger
//! kernels one column of weights goes along the row after the other and adds to the sums.

use core::arch::global_asm;

use super::super::blocks::SingleChannel;
use super::super::only::single_channel;

unsafe extern "C" {
    /// The largest sums of 2x2 pixels, of a 3x3 kernel.
    fn thumbnet_dsp_sums_3_pooled(columns: *const u32, weights: *const u8, sums: *mut i32, end: *mut i32);
    /// The sums of a row, two at a time, of a 3x3 kernel.
    fn thumbnet_dsp_sums_3(columns: *const u32, weights: *const u8, sums: *mut i32, end: *mut i32);
    /// The sums of two rows, side by side, of a 5x5 kernel; two columns at a time.
    fn thumbnet_dsp_sums_5(columns: *const u32, weights: *const u8, pairs: *mut i32, end: *mut i32);
    /// The same of a 7x7 kernel.
    fn thumbnet_dsp_sums_7(columns: *const u32, weights: *const u8, pairs: *mut i32, end: *mut i32);
    /// The largest of two neighbouring pairs; every second one, or each.
    fn thumbnet_dsp_largest_2(pairs: *const i32, sums: *mut i32, end: *mut i32);
    fn thumbnet_dsp_largest_1(pairs: *const i32, sums: *mut i32, end: *mut i32);
}

// Of a 3x3 kernel: r0 columns, r1 and r9 a column's pairs of pixels, r2 sums, r3 to r5 the upper two weights
// of each column, r6 to r8 the lower two, r10 to lr four sums. On the stack: the end of the sums.
// Of larger ones: r0 columns, r2 sums, from r3 on a column's weights w0 and w1, w2 and w3 and so on, then w1 and
// w2 and so on. On the stack: columns, weights, sums, their end, columns of weights to come.
global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_channel_weights column, upper, lower
        ldrsb   r9, [r1, #\\column]
        ldrsb   r10, [r1, #\\column + 3]
        ldrsb   r11, [r1, #\\column + 6]
        pkhbt   \\upper, r9, r10, lsl #16
        pkhbt   \\lower, r10, r11, lsl #16
    .endm

    .macro thumbnet_upper_sum operation, sum, upper, lower, before
        \\operation \\sum, r1, \\upper \\before
        smlabt  \\sum, r9, \\lower, \\sum
    .endm

    .macro thumbnet_lower_sum operation, sum, upper, lower, before
        \\operation \\sum, r9, \\lower \\before
        smlatb  \\sum, r1, \\upper, \\sum
    .endm

    .macro thumbnet_channel_max first, second
        cmp     \\first, \\second
        it      lt
        movlt   \\first, \\second
    .endm

    .macro thumbnet_sums name
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
    .endm

    .macro thumbnet_sums_3 name
        thumbnet_sums \\name
        push    {{r3-r11, lr}}
        thumbnet_channel_weights 0, r3, r6
        thumbnet_channel_weights 1, r4, r7
        thumbnet_channel_weights 2, r5, r8
    1:
        ldrd    r1, r9, [r0], #8
    .endm

    .macro thumbnet_sums_3_end name
        ldr     r1, [sp]
        cmp     r2, r1
        bne     1b
        pop     {{r3-r11, pc}}
        .size \\name, . - \\name
    .endm

    thumbnet_sums_3 thumbnet_dsp_sums_3_pooled
        thumbnet_upper_sum smuad, r10, r3, r6
        thumbnet_lower_sum smuad, r11, r3, r6
        ldrd    r1, r9, [r0], #8
        thumbnet_upper_sum smlad, r10, r4, r7, \", r10\"
        thumbnet_lower_sum smlad, r11, r4, r7, \", r11\"
        thumbnet_upper_sum smuad, r12, r3, r6
        thumbnet_lower_sum smuad, lr, r3, r6
        ldrd    r1, r9, [r0]
        thumbnet_upper_sum smlad, r10, r5, r8, \", r10\"
        thumbnet_lower_sum smlad, r11, r5, r8, \", r11\"
        thumbnet_upper_sum smlad, r12, r4, r7, \", r12\"
        thumbnet_lower_sum smlad, lr, r4, r7, \", lr\"
        ldrd    r1, r9, [r0, #8]
        thumbnet_upper_sum smlad, r12, r5, r8, \", r12\"
        thumbnet_lower_sum smlad, lr, r5, r8, \", lr\"
        thumbnet_channel_max r10, r11
        thumbnet_channel_max r12, lr
        thumbnet_channel_max r10, r12
        str     r10, [r2], #4
    thumbnet_sums_3_end thumbnet_dsp_sums_3_pooled

    thumbnet_sums_3 thumbnet_dsp_sums_3
        thumbnet_upper_sum smuad, r10, r3, r6
        ldrd    r1, r9, [r0], #8
        thumbnet_upper_sum smlad, r10, r4, r7, \", r10\"
        thumbnet_upper_sum smuad, r11, r3, r6
        ldrd    r1, r9, [r0]
        thumbnet_upper_sum smlad, r10, r5, r8, \", r10\"
        thumbnet_upper_sum smlad, r11, r4, r7, \", r11\"
        ldrd    r1, r9, [r0, #8]
        thumbnet_upper_sum smlad, r11, r5, r8, \", r11\"
        strd    r10, r11, [r2], #8
    thumbnet_sums_3_end thumbnet_dsp_sums_3

    .macro thumbnet_weights_5
        ldrsb   r7, [r1]
        ldrsb   r8, [r1, #5]
        ldrsb   r9, [r1, #10]
        ldrsb   r10, [r1, #15]
        ldrsb   r11, [r1, #20]
        pkhbt   r3, r7, r8, lsl #16
        pkhbt   r4, r9, r10, lsl #16
        pkhbt   r5, r8, r9, lsl #16
        pkhbt   r6, r10, r11, lsl #16
        ldr     r1, [sp, #12]
    .endm

    .macro thumbnet_pair_5 operation, upper, lower, before, before_lower
        ldmia   r0!, {{r7-r9}}
        \\operation \\upper, r3, r7 \\before
        \\operation \\lower, r5, r8 \\before_lower
        smlad   \\upper, r4, r8, \\upper
        smlabt  \\lower, r3, r7, \\lower
        smlatb  \\upper, r6, r9, \\upper
        smlad   \\lower, r6, r9, \\lower
    .endm

    .macro thumbnet_pairs_5 first
    1:
        .if \\first
        thumbnet_pair_5 smuad, r10, r11
        thumbnet_pair_5 smuad, r12, lr
        .else
        ldm     r2, {{r10, r11, r12, lr}}
        thumbnet_pair_5 smlad, r10, r11, \", r10\", \", r11\"
        thumbnet_pair_5 smlad, r12, lr, \", r12\", \", lr\"
        .endif
        stmia   r2!, {{r10, r11, r12, lr}}
        cmp     r2, r1
        bne     1b
    .endm

    .macro thumbnet_weights_7
        ldrsb   r9, [r1]
        ldrsb   r10, [r1, #7]
        ldrsb   r11, [r1, #14]
        ldrsb   r12, [r1, #21]
        pkhbt   r3, r9, r10, lsl #16
        pkhbt   r6, r10, r11, lsl #16
        pkhbt   r4, r11, r12, lsl #16
        ldrsb   r9, [r1, #28]
        ldrsb   r10, [r1, #35]
        ldrsb   r11, [r1, #42]
        pkhbt   r7, r12, r9, lsl #16
        pkhbt   r5, r9, r10, lsl #16
        pkhbt   r8, r10, r11, lsl #16
    .endm

    .macro thumbnet_pair_7 first
        ldmia   r0!, {{r9-r12}}
        .if \\first
        smuad   r1, r3, r9
        smuad   lr, r6, r10
        .else
        ldrd    r1, lr, [r2]
        smlad   r1, r3, r9, r1
        smlad   lr, r6, r10, lr
        .endif
        smlad   r1, r4, r10, r1
        smlabt  lr, r3, r9, lr
        smlad   r1, r5, r11, r1
        smlad   lr, r7, r11, lr
        smlatb  r1, r8, r12, r1
        smlad   lr, r8, r12, lr
        strd    r1, lr, [r2], #8
    .endm

    .macro thumbnet_pairs_7 first
    1:
        thumbnet_pair_7 \\first
        thumbnet_pair_7 \\first
        ldr     r9, [sp, #12]
        cmp     r2, r9
        bne     1b
    .endm

    .macro thumbnet_sums_of kernel
        thumbnet_sums thumbnet_dsp_sums_\\kernel
        push    {{r4-r11, lr}}
        sub     sp, sp, #20
        movs    r4, #\\kernel - 1
        strd    r0, r1, [sp]
        strd    r2, r3, [sp, #8]
        str     r4, [sp, #16]
        thumbnet_weights_\\kernel
        thumbnet_pairs_\\kernel 1
    2:
        ldrd    r0, r1, [sp]
        ldr     r2, [sp, #8]
        adds    r0, r0, #2 * (\\kernel + 1)
        adds    r1, r1, #1
        strd    r0, r1, [sp]
        thumbnet_weights_\\kernel
        thumbnet_pairs_\\kernel 0
        ldr     r9, [sp, #16]
        subs    r9, r9, #1
        str     r9, [sp, #16]
        bne     2b
        add     sp, sp, #20
        pop     {{r4-r11, pc}}
        .size thumbnet_dsp_sums_\\kernel, . - thumbnet_dsp_sums_\\kernel
    .endm

    thumbnet_sums_of 5
    thumbnet_sums_of 7

    thumbnet_sums thumbnet_dsp_largest_2
        push    {{r4-r6, lr}}
    1:
        ldmia   r0!, {{r3-r6}}
        thumbnet_channel_max r3, r4
        thumbnet_channel_max r5, r6
        thumbnet_channel_max r3, r5
        str     r3, [r1], #4
        cmp     r1, r2
        bne     1b
        pop     {{r4-r6, pc}}
    .size thumbnet_dsp_largest_2, . - thumbnet_dsp_largest_2

    thumbnet_sums thumbnet_dsp_largest_1
        push    {{r4, r5, r7, lr}}
        ldrd    r3, r4, [r0], #8
        thumbnet_channel_max r3, r4
    1:
        ldrd    r4, r5, [r0], #8
        thumbnet_channel_max r4, r5
        thumbnet_channel_max r3, r4
        str     r3, [r1], #4
        mov     r3, r4
        cmp     r1, r2
        bne     1b
        pop     {{r4, r5, r7, pc}}
    .size thumbnet_dsp_largest_1, . - thumbnet_dsp_largest_1",
);

/// The sums of a row for one output channel, pooled where the layer is.
///
/// `columns`: [`SingleChannel::column_words`]; `weights`: those of the channel; `pairs`:
/// [`SingleChannel::pair_words`]; `sums`: [`SingleChannel::sums`]. With less, nothing is done.
/// Nor with a kernel that `USES` does not count.
pub fn sums<const USES: u32>(
    shape: &SingleChannel,
    columns: &[u32],
    weights: &[u8],
    pairs: &mut [i32],
    sums: &mut [i32],
) {
    if columns.len() < shape.column_words()
        || weights.len() < shape.kernel * shape.kernel
        || pairs.len() < shape.pair_words()
        || sums.len() != shape.sums
        || sums.is_empty()
    {
        return;
    }
    let (columns, weights) = (columns.as_ptr(), weights.as_ptr());
    let sums = sums.as_mut_ptr_range();
    // Beyond the last pair is one that is never the largest.
    let mut end = pairs.as_mut_ptr_range().start;
    if let Some([pairs @ .., first, second]) = pairs.get_mut(..shape.pair_words()) {
        (*first, *second) = (i32::MIN, i32::MIN);
        end = pairs.as_mut_ptr_range().end;
    }
    let pairs = pairs.as_mut_ptr();
    let has = |kernel| USES & single_channel(kernel) != 0;
    // SAFETY: of the columns are read those of each sum's pixels, `kernel - 1` more than there are pixels in a row;
    // all pairs but the last are written, two at a time, an even number, and all sums, which were checked above.
    unsafe {
        match (shape.kernel, shape.pool) {
            (3, 1) if has(3) => return thumbnet_dsp_sums_3(columns, weights, sums.start, sums.end),
            (3, _) if has(3) => return thumbnet_dsp_sums_3_pooled(columns, weights, sums.start, sums.end),
            (5, _) if has(5) => thumbnet_dsp_sums_5(columns, weights, pairs, end),
            (7, _) if has(7) => thumbnet_dsp_sums_7(columns, weights, pairs, end),
            _ => return,
        }
        if shape.stride == 2 {
            thumbnet_dsp_largest_2(pairs, sums.start, sums.end);
        } else {
            thumbnet_dsp_largest_1(pairs, sums.start, sums.end);
        }
    }
}
