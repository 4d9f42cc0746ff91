//! Rows of a 3x3 convolution of one input channel with the DSP extension.
//!
//! One output channel at a time goes along the whole row: its nine weights stay in six registers, and
//! four neighbouring sums take 24 multiplications of columns that were widened once for all channels.

use core::arch::global_asm;

use super::super::blocks::SingleChannel;
use super::super::{InputRows, Scale, Unit};
use super::requantize::takes_high_words;
use super::words;
use crate::format::{Activation, TABLE_LEN, TABLE_ZERO};

/// What `thumbnet_dsp_channel_*` reads; the offsets of the fields are in its text.
#[repr(C)]
struct RequantizeArguments {
    sums: *const i32,
    end: *const i32,
    bias: i32,
    multiplier: i32,
    /// That of the high words of the products, less one.
    shift: i32,
    /// Twice what is added to the scaled sum, and 1 to round.
    offset: i32,
    output: *mut u8,
    /// Bytes from an output to the next pixel's.
    stride: usize,
    table: *const u8,
}

unsafe extern "C" {
    /// The largest sums of 2x2 pixels: of two columns, each two words, and of the two after them.
    fn thumbnet_dsp_columns_pooled(columns: *const u32, weights: *const u8, sums: *mut i32, end: *mut i32);
    /// The sums of the upper of two rows, two at a time.
    fn thumbnet_dsp_columns(columns: *const u32, weights: *const u8, sums: *mut i32, end: *mut i32);
    fn thumbnet_dsp_channel_byte(arguments: *const RequantizeArguments);
    fn thumbnet_dsp_channel_table(arguments: *const RequantizeArguments);
}

// r0 columns, r1 and r9 a column's upper and lower pair of pixels, r2 sums, r3 to r5 the upper two weights
// of each column, r6 to r8 the lower two, r10 to lr four sums. On the stack: the end of the sums.
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

    .macro thumbnet_channel name
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
    .endm

    .macro thumbnet_columns name
        thumbnet_channel \\name
        push    {{r3-r11, lr}}
        thumbnet_channel_weights 0, r3, r6
        thumbnet_channel_weights 1, r4, r7
        thumbnet_channel_weights 2, r5, r8
    1:
        ldrd    r1, r9, [r0], #8
    .endm

    .macro thumbnet_columns_end name
        ldr     r1, [sp]
        cmp     r2, r1
        bne     1b
        pop     {{r3-r11, pc}}
        .size \\name, . - \\name
    .endm

    thumbnet_columns thumbnet_dsp_columns_pooled
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
    thumbnet_columns_end thumbnet_dsp_columns_pooled

    thumbnet_columns thumbnet_dsp_columns
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
    thumbnet_columns_end thumbnet_dsp_columns

    .macro thumbnet_channel_requantize name, bits, table
        thumbnet_channel \\name
        push    {{r4-r10, lr}}
        ldm     r0, {{r1-r9}}
    1:
        ldr     r10, [r1], #4
        add     r10, r10, r3
        smmul   r10, r10, r4
        asr     r10, r10, r5
        add     r10, r10, r6
        usat    r10, #\\bits, r10, asr #1
        .if \\table
        ldrb    r10, [r9, r10]
        .endif
        strb    r10, [r7]
        add     r7, r7, r8
        cmp     r1, r2
        bne     1b
        pop     {{r4-r10, pc}}
        .size \\name, . - \\name
    .endm

    thumbnet_channel_requantize thumbnet_dsp_channel_byte, 8, 0
    thumbnet_channel_requantize thumbnet_dsp_channel_table, 10, 1",
);

/// One output row, as [`Kernels::conv_row`](super::super::Kernels::conv_row); `None` where the layer or the
/// row is not of this kind or the memory is too small: the output may be anything then.
pub fn row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) -> Option<()> {
    let layer = unit.layer;
    let shape = SingleChannel::of(layer)?;
    let table = layer.activation == Activation::Table;
    let clamps = !table && (layer.low, layer.high) != (0, 255);
    if input.conv_rows() != shape.conv_rows() || clamps || !takes_high_words(unit) {
        return None;
    }
    let table = if table { unit.parameters.table.first_chunk::<TABLE_LEN>() } else { None };
    let zero = if table.is_some() { TABLE_ZERO } else { i32::from(layer.output_zero_point) };
    let (columns, rest) = words::of(workspace).split_at_mut_checked(shape.column_words())?;
    let sums = words::signed(rest.get_mut(..shape.sums)?).as_mut_ptr_range();
    let rows = [0, 1, 2, 3].map(|row| input.row(row));
    for (x, column) in columns.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let [a, b, c, d] = rows.map(|row| u32::from(row.get(x).copied().unwrap_or(layer.input_zero_point)));
        *column = [a | b << 16, c | d << 16];
    }
    let channels = usize::from(layer.output.channels);
    let pixels = usize::from(layer.output.width);
    let last = pixels.checked_sub(1)? * channels;
    for (channel, weights) in unit.parameters.weights.as_chunks::<9>().0.iter().take(channels).enumerate() {
        let Scale { multiplier, shift } = unit.scale(channel);
        let output = output.get_mut(channel..).filter(|output| last < output.len())?;
        let arguments = RequantizeArguments {
            sums: sums.start,
            end: sums.start.wrapping_add(pixels),
            bias: unit.bias(channel),
            multiplier,
            shift: i32::from(shift) - 33,
            offset: 2 * zero + 1,
            output: output.as_mut_ptr(),
            stride: channels,
            table: table.map_or(core::ptr::null(), |table| table.as_ptr()),
        };
        // SAFETY: nine weights are read, and two columns more than there are sums of a row; all sums are
        // written. Of those `pixels` are read, no more than there are, and as many bytes are written,
        // `channels` apart, which exist, as was checked above; with a table, one of its entries is read for each.
        unsafe {
            if shape.pooled {
                thumbnet_dsp_columns_pooled(columns.as_ptr(), weights.as_ptr(), sums.start, sums.end);
            } else {
                thumbnet_dsp_columns(columns.as_ptr(), weights.as_ptr(), sums.start, sums.end);
            }
            if table.is_some() {
                thumbnet_dsp_channel_table(&arguments);
            } else {
                thumbnet_dsp_channel_byte(&arguments);
            }
        }
    }
    Some(())
}
