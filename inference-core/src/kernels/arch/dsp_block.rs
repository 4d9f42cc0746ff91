//! The loops of the direct convolution with the DSP extension, each behind a function that checks its
//! lengths.
//!
//! A block is four pixels by one output channel. Four taps of it are 13 instructions for 16
//! multiplications: the pixels' patches were widened to 16 bits before, the weights are widened on the
//! way. Both keep the order in which `uxtb16` and `sxtb16` leave the bytes of a word (0 and 2, then 1
//! and 3), so no shuffling is needed.

use core::arch::global_asm;

use super::super::Unit;
use super::super::blocks::PIXELS;
use crate::format::{Activation, TABLE_LEN, TABLE_ZERO};

/// The accumulators of a channel, one a pixel.
pub type Accumulators = [i32; PIXELS];

/// What `thumbnet_dsp_block` reads; the offsets of the fields are in its text.
#[repr(C)]
struct BlockArguments {
    /// Widened patches: of each word of taps, bytes 0 and 2 of four pixels, then bytes 1 and 3.
    patches: *const u32,
    /// Words of taps, at least 1.
    words: usize,
    /// The first tap of the first channel.
    weights: *const u8,
    /// Bytes from the end of a channel's words to the next channel's.
    gap: isize,
    /// One an output channel; null to add to the accumulators.
    bias: *const u8,
    /// Read without a bias, written always.
    accumulators: *mut Accumulators,
    /// Output channels, at least 1.
    channels: usize,
    /// 1 to write the largest of the four sums in the place of the first.
    largest: usize,
}

/// What `thumbnet_dsp_requantize_*` reads; the offsets of the fields are in its text.
#[repr(C)]
struct RequantizeArguments {
    accumulators: *const i32,
    multipliers: *const u8,
    shifts: *const u8,
    output: *mut u8,
    /// Outputs, at least 1.
    count: usize,
    /// Twice what is added to the scaled accumulator, and 1 to round.
    offset: i32,
    low: i32,
    high: i32,
    table: *const u8,
    /// Bytes from an accumulator to the next channel's.
    step: usize,
}

/// What else `thumbnet_dsp_dense` reads; the offsets of the fields are in its text.
#[repr(C)]
struct DenseArguments {
    accumulators: *mut Accumulators,
    /// Words of the row, at least 1.
    words: usize,
}

unsafe extern "C" {
    fn thumbnet_dsp_block(arguments: *const BlockArguments);
    /// Widens `words` words of bytes: two words of 16-bit lanes each, at every fourth word of `target`.
    fn thumbnet_dsp_widen(source: *const u8, target: *mut u32, words: usize);
    /// Adds the products of `words` words of a row with four filters to their accumulators.
    fn thumbnet_dsp_dense(row: *const u8, weights: *const u8, filter_len: usize, arguments: *const DenseArguments);
    fn thumbnet_dsp_requantize_byte(arguments: *const RequantizeArguments);
    fn thumbnet_dsp_requantize_clamp(arguments: *const RequantizeArguments);
    fn thumbnet_dsp_requantize_table(arguments: *const RequantizeArguments);
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

    thumbnet_function thumbnet_dsp_widen
        push    {{r4, lr}}
        lsrs    r2, r2, #1
        bcc     2f
        ldr     r3, [r0], #4
        uxtb16  r4, r3
        uxtb16  r3, r3, ror #8
        str     r4, [r1], #16
        str     r3, [r1], #16
        beq     3f
    2:
        ldr     r3, [r0], #4
        uxtb16  r4, r3
        uxtb16  r3, r3, ror #8
        str     r4, [r1], #16
        str     r3, [r1], #16
        ldr     r3, [r0], #4
        uxtb16  r4, r3
        uxtb16  r3, r3, ror #8
        str     r4, [r1], #16
        str     r3, [r1], #16
        subs    r2, r2, #1
        bne     2b
    3:
        pop     {{r4, pc}}
    .size thumbnet_dsp_widen, . - thumbnet_dsp_widen

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
    .size thumbnet_dsp_dense, . - thumbnet_dsp_dense

    .macro thumbnet_requantize name, low, high, bits, table
        thumbnet_function \\name
        push    {{r4-r11, lr}}
        ldm     r0, {{r1-r9, r12}}
    1:
        ldr     r0, [r1]
        add     r1, r1, r12
        ldr     r10, [r2], #4
        ldrb    r11, [r3], #1
        smmul   r0, r0, r10
        sub     r11, r11, #33
        asr     r0, r0, r11
        add     r0, r0, r6
        .if \\low
        asrs    r0, r0, #1
        cmp     r0, r7
        it      lt
        movlt   r0, r7
        cmp     r0, r8
        it      gt
        movgt   r0, r8
        .else
        usat    r0, #\\bits, r0, asr #1
        .endif
        .if \\table
        ldrb    r0, [r9, r0]
        .endif
        strb    r0, [r4], #1
        subs    r5, r5, #1
        bne     1b
        pop     {{r4-r11, pc}}
    .size \\name, . - \\name
    .endm

    thumbnet_requantize thumbnet_dsp_requantize_byte, 0, 0, 8, 0
    thumbnet_requantize thumbnet_dsp_requantize_clamp, 1, 1, 8, 0
    thumbnet_requantize thumbnet_dsp_requantize_table, 0, 0, 10, 1",
);

/// What a block starts from and what it leaves.
#[derive(Clone, Copy)]
pub struct Pass<'m> {
    /// The bias of each channel, or nothing to add to the accumulators.
    pub bias: &'m [u8],
    /// Whether the largest of the four sums takes the place of the first.
    pub largest: bool,
}

/// Multiplies the taps from `start` on with the patches of four pixels, for all channels.
///
/// `patches`: as `widen` leaves them; `weights`: `filter_len` bytes a channel, and then three bytes
/// more, that are multiplied with zeros of the patches.
pub fn multiply(
    patches: &[u32],
    weights: &[u8],
    (start, filter_len): (usize, usize),
    pass: Pass<'_>,
    accumulators: &mut [Accumulators],
) {
    let channels = accumulators.len();
    let words = patches.len() / (2 * PIXELS);
    let end = start + words * 4;
    if channels == 0
        || words == 0
        || weights.len() < (channels - 1) * filter_len + end
        || (!pass.bias.is_empty() && pass.bias.len() < channels * size_of::<i32>())
    {
        return;
    }
    let arguments = BlockArguments {
        patches: patches.as_ptr(),
        words,
        weights: weights.as_ptr().wrapping_add(start),
        gap: filter_len as isize - words as isize * 4,
        bias: if pass.bias.is_empty() { core::ptr::null() } else { pass.bias.as_ptr() },
        accumulators: accumulators.as_mut_ptr(),
        channels,
        largest: usize::from(pass.largest),
    };
    // SAFETY: reads `words * 8` words of patches, `words * 4` bytes of each filter from `start` on and
    // one bias a channel; reads and writes one `Accumulators` a channel. All were checked above.
    unsafe { thumbnet_dsp_block(&arguments) };
}

/// Widens whole words of a pixel's taps into its places among the patches: word 0 and 4 of `target` for
/// the first word of taps, 8 and 12 for the second, and so on.
pub fn widen(taps: &[u8], target: &mut [u32]) {
    let words = taps.len() / 4;
    if words == 0 || target.len() + PIXELS - 1 < words * 2 * PIXELS {
        return;
    }
    // SAFETY: reads `words * 4` bytes; the last word is written at `words * 8 - 4`, which exists.
    unsafe { thumbnet_dsp_widen(taps.as_ptr(), target.as_mut_ptr(), words) };
}

/// Adds the products of a row with four filters of `row.len()` weights; of the last bytes that make no
/// whole word, none. Returns how many bytes of the row were multiplied.
pub fn dense(row: &[u8], weights: &[u8], accumulators: &mut Accumulators) -> usize {
    let words = row.len() / 4;
    if words == 0 || weights.len() < PIXELS * row.len() {
        return 0;
    }
    // SAFETY: reads `words` words of the row and of each of four filters, and four accumulators.
    unsafe {
        thumbnet_dsp_dense(row.as_ptr(), weights.as_ptr(), row.len(), &DenseArguments { accumulators, words });
    }
    words * 4
}

/// Whether [`activate`] can use the high words of products alone: with a smaller shift, half a step is
/// not a multiple of 2^32.
pub fn takes_high_words(unit: &Unit<'_>) -> bool {
    unit.parameters.shifts.iter().all(|&shift| shift > 32)
}

/// Activates a pixel: every `step`th accumulator for the next channel. `high_words`:
/// [`takes_high_words`]; the answer for another layer gives other numbers, but nothing worse.
pub fn activate(unit: &Unit<'_>, high_words: bool, accumulators: &[i32], step: usize, output: &mut [u8]) {
    let parameters = &unit.parameters;
    let layer = &unit.layer;
    let count = output.len().min(parameters.shifts.len()).min(parameters.multipliers.len() / 4);
    let table = layer.activation == Activation::Table;
    let fits = count > 0 && (count - 1) * step < accumulators.len() && (!table || parameters.table.len() >= TABLE_LEN);
    if !high_words || !fits {
        return unit.activate_all(accumulators.iter().copied().step_by(step.max(1)), output);
    }
    let zero = if table { TABLE_ZERO } else { i32::from(layer.output_zero_point) };
    let arguments = RequantizeArguments {
        accumulators: accumulators.as_ptr(),
        multipliers: parameters.multipliers.as_ptr(),
        shifts: parameters.shifts.as_ptr(),
        output: output.as_mut_ptr(),
        count,
        offset: 2 * zero + 1,
        low: i32::from(layer.low),
        high: i32::from(layer.high),
        table: parameters.table.as_ptr(),
        step: step * size_of::<i32>(),
    };
    // SAFETY: reads `count` multipliers, shifts, and accumulators `step` apart, and writes `count`
    // bytes; with a table, reads one of its first 2^10 entries for each.
    unsafe {
        match (table, layer.low, layer.high) {
            (true, ..) => thumbnet_dsp_requantize_table(&arguments),
            (false, 0, 255) => thumbnet_dsp_requantize_byte(&arguments),
            (false, ..) => thumbnet_dsp_requantize_clamp(&arguments),
        }
    }
}
