//! Rows of a convolution of one input channel with the DSP extension: one output channel after the other,
//! with input columns that were widened once for all.

use core::arch::global_asm;

use super::super::blocks::SingleChannel;
use super::super::{InputRows, Scale, Unit};
use super::requantize::takes_high_words;
use super::{dsp_columns, words};
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
    fn thumbnet_dsp_channel_byte(arguments: *const RequantizeArguments);
    fn thumbnet_dsp_channel_table(arguments: *const RequantizeArguments);
}

global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_channel name
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
    .endm

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
#[inline(never)]
pub fn row<const USES: u32>(
    unit: &Unit<'_>,
    input: &InputRows<'_>,
    workspace: &mut [u8],
    output: &mut [u8],
) -> Option<()> {
    let layer = unit.layer;
    let shape = SingleChannel::of(layer)?;
    let table = layer.activation == Activation::Table;
    let clamps = !table && (layer.low, layer.high) != (0, 255);
    // One table of its own size is enough for this kernel.
    let clamps = clamps || layer.activation == Activation::ByteTable;
    if input.conv_rows() != shape.pool || clamps || !takes_high_words(unit) {
        return None;
    }
    let table = if table { unit.parameters.table.first_chunk::<TABLE_LEN>() } else { None };
    let zero = if table.is_some() { TABLE_ZERO } else { i32::from(layer.output_zero_point) };
    let (columns, rest) = words::of(workspace).split_at_mut_checked(shape.column_words())?;
    let (pairs, rest) = words::signed(rest).split_at_mut_checked(shape.pair_words())?;
    let sums = rest.get_mut(..shape.sums)?;
    columns.fill(u32::from(layer.input_zero_point) * 0x0001_0001);
    for row in 0..=shape.kernel {
        let half = row % 2 * 16;
        for (column, &pixel) in columns.chunks_exact_mut(shape.column_len().max(1)).zip(input.find_row(row)) {
            if let Some(pair) = column.get_mut(row / 2) {
                *pair = *pair & !(0xffff << half) | u32::from(pixel) << half;
            }
        }
    }
    let channels = usize::from(layer.output.channels);
    let pixels = usize::from(layer.output.width);
    let last = pixels.checked_sub(1)? * channels;
    let filters = unit.parameters.weights.chunks_exact((shape.kernel * shape.kernel).max(1));
    for (channel, weights) in filters.take(channels).enumerate() {
        dsp_columns::sums::<USES>(&shape, columns, weights, pairs, sums);
        let Scale { multiplier, shift } = unit.scale(channel);
        let output = output.get_mut(channel..).filter(|output| last < output.len())?;
        let arguments = RequantizeArguments {
            sums: sums.as_ptr(),
            end: sums.as_ptr().wrapping_add(pixels),
            bias: unit.bias(channel),
            multiplier,
            shift: i32::from(shift) - 33,
            offset: 2 * zero + 1,
            output: output.as_mut_ptr(),
            stride: channels,
            table: table.map_or(core::ptr::null(), |table| table.as_ptr()),
        };
        // SAFETY: `pixels` sums are read, no more than there are, and as many bytes are written, `channels`
        // apart, which exist, as was checked above; with a table, one of its entries is read for each.
        unsafe {
            if table.is_some() {
                thumbnet_dsp_channel_table(&arguments);
            } else {
                thumbnet_dsp_channel_byte(&arguments);
            }
        }
    }
    Some(())
}
