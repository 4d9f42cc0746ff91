//! The DSP extension of ARMv7E-M and ARMv8-M: two 16-bit multiply-accumulates an instruction.
//!
//! A block is two output pixels by two output channels. Four taps of it are one loop body of 15
//! instructions for 16 multiplications: the pixels' patches were widened to 16 bits before, the
//! weights are widened on the way. Both keep the order in which `uxtb16` and `sxtb16` leave the
//! bytes of a word (0 and 2, then 1 and 3), so no shuffling is needed.

use core::arch::global_asm;

use super::super::blocks::Blocking;
use super::super::portable::Portable;
use super::super::{InputRows, Kernels, Unit, winograd};

/// The family for cores with the DSP extension.
pub struct Dsp;

/// What `thumbnet_dsp_block` reads; the offsets of the fields are in its text.
#[repr(C)]
struct BlockArguments {
    /// Two widened patches, interleaved: four taps of the first pixel, four of the second, and so on.
    patches: *const u32,
    /// The first tap of the first channel.
    weights: *const u8,
    /// Accumulators: a channel's two pixels, the next channel's two pixels, and so on.
    accumulators: *mut u32,
    /// Words (four taps) to multiply, at least 1.
    words: usize,
    /// Pairs of channels, at least 1.
    pairs: usize,
    /// Bytes from a channel's weights to the next one's.
    filter_len: usize,
}

unsafe extern "C" {
    /// Adds the products of two patches with `2 * pairs` filters to the accumulators.
    fn thumbnet_dsp_block(arguments: *const BlockArguments);
    /// Widens `words` words of bytes to 16 bits: 8 bytes from `target` on, then from `target + 16` on...
    fn thumbnet_dsp_widen(source: *const u32, target: *mut u32, words: usize);
}

// r0 patches, r1 and r2 weights of the two channels, r3 count, r4 to r7 four taps of two pixels,
// r8 and r9 weights, r10 to lr the four accumulators. The loop body stands twice; an odd number of
// words enters at the second one.
global_asm!(
    ".macro thumbnet_channel weights, first, second
        ldr     r8, [\\weights], #4
        sxtb16  r9, r8
        sxtb16  r8, r8, ror #8
        smlad   \\first, r9, r4, \\first
        smlad   \\second, r9, r6, \\second
        smlad   \\first, r8, r5, \\first
        smlad   \\second, r8, r7, \\second
    .endm

    .section .text.thumbnet_dsp_block, \"ax\", %progbits
    .global thumbnet_dsp_block
    .type thumbnet_dsp_block, %function
    .thumb_func
    thumbnet_dsp_block:
        push    {{r4-r11, lr}}
        sub     sp, sp, #12
        ldr     r1, [r0, #4]
        ldr     r2, [r0, #8]
        ldr     r3, [r0, #16]
        str     r0, [sp]
        str     r2, [sp, #4]
        str     r3, [sp, #8]
    1:
        ldr     r9, [sp]
        ldr     r0, [r9]
        ldr     r3, [r9, #12]
        ldr     r2, [r9, #20]
        add     r2, r1, r2
        ldr     r9, [sp, #4]
        ldm     r9, {{r10, r11, r12, lr}}
        adds    r3, r3, #1
        lsrs    r3, r3, #1
        bcc     3f
    2:
        ldmia   r0!, {{r4-r7}}
        thumbnet_channel r1, r10, r11
        thumbnet_channel r2, r12, lr
    3:
        ldmia   r0!, {{r4-r7}}
        thumbnet_channel r1, r10, r11
        thumbnet_channel r2, r12, lr
        subs    r3, r3, #1
        bne     2b
        ldr     r9, [sp, #4]
        stmia   r9!, {{r10, r11, r12, lr}}
        str     r9, [sp, #4]
        ldr     r9, [sp]
        ldr     r8, [r9, #20]
        ldr     r3, [r9, #12]
        add     r1, r2, r8
        sub     r1, r1, r3, lsl #2
        ldr     r3, [sp, #8]
        subs    r3, r3, #1
        str     r3, [sp, #8]
        bne     1b
        add     sp, sp, #12
        pop     {{r4-r11, pc}}
    .size thumbnet_dsp_block, . - thumbnet_dsp_block

    .section .text.thumbnet_dsp_widen, \"ax\", %progbits
    .global thumbnet_dsp_widen
    .type thumbnet_dsp_widen, %function
    .thumb_func
    thumbnet_dsp_widen:
        push    {{r4, lr}}
    1:
        ldr     r3, [r0], #4
        uxtb16  r4, r3
        uxtb16  r3, r3, ror #8
        strd    r4, r3, [r1], #16
        subs    r2, r2, #1
        bne     1b
        pop     {{r4, pc}}
    .size thumbnet_dsp_widen, . - thumbnet_dsp_widen",
);

/// The workspace, cut into its parts.
struct Workspace<'w> {
    blocking: Blocking,
    accumulators: &'w mut [u32],
    largest: &'w mut [u32],
    gathered: &'w mut [u32],
    widened: &'w mut [u32],
}

impl<'w> Workspace<'w> {
    /// `None` where the memory is too small.
    fn cut(blocking: Blocking, memory: &'w mut [u8]) -> Option<Self> {
        // SAFETY: every bit pattern is a valid u32.
        let (_, words, _) = unsafe { memory.align_to_mut::<u32>() };
        let (accumulators, words) = words.split_at_mut_checked(blocking.accumulator_words())?;
        let (largest, words) = words.split_at_mut_checked(blocking.pooled_words())?;
        let (gathered, words) = words.split_at_mut_checked(blocking.gathered_words())?;
        let (widened, _) = words.split_at_mut_checked(blocking.widened_words())?;
        Some(Self { blocking, accumulators, largest, gathered, widened })
    }

    /// Accumulates all channels of two pixels of the convolution's result, in row `top` of the
    /// window and at the input columns `left`.
    fn accumulate(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, top: usize, left: [usize; 2]) {
        for (pair, bias) in self.accumulators.as_chunks_mut::<2>().0.iter_mut().zip(unit.parameters.bias.as_chunks().0)
        {
            *pair = [u32::from_le_bytes(*bias); 2];
        }
        let taps = self.blocking.taps;
        for start in (0..taps).step_by(self.blocking.chunk.max(1)) {
            let len = self.blocking.chunk.min(taps - start);
            let words = len.div_ceil(4);
            for (pixel, &left) in left.iter().enumerate() {
                self.gather(unit, input, top, left, start, len);
                // 8 bytes of each pixel in turn.
                let target = self.widened.get_mut(pixel * 2..);
                if let (Some(source), Some(target)) = (self.gathered.get(..words), target)
                    && target.len() + 2 >= words * 4
                {
                    // SAFETY: reads `words` words of `gathered`; writes two words at every fourth
                    // word of `widened`, of which the check above leaves enough.
                    unsafe { thumbnet_dsp_widen(source.as_ptr(), target.as_mut_ptr(), words) };
                }
            }
            self.multiply(unit, start, words);
        }
    }

    /// Copies `len` taps of a patch, from tap `start` on, and zeros up to a whole word.
    fn gather(&mut self, unit: &Unit<'_>, input: &InputRows<'_>, top: usize, left: usize, start: usize, len: usize) {
        let channels = usize::from(unit.layer.input.channels);
        let row_len = usize::from(unit.layer.window.kernel_width) * channels;
        // SAFETY: a u32 may be read and written as four bytes.
        let (_, bytes, _) = unsafe { self.gathered.align_to_mut::<u8>() };
        let Some((mut bytes, rest)) = bytes.split_at_mut_checked(len) else { return };
        rest.iter_mut().take(3).for_each(|byte| *byte = 0);
        let mut row = start.checked_div(row_len).unwrap_or(0);
        let mut offset = start - row * row_len;
        while !bytes.is_empty() {
            let count = (row_len - offset).min(bytes.len());
            let Some((target, rest)) = bytes.split_at_mut_checked(count) else { return };
            let first = left * channels + offset;
            match input.row(top + row).get(first..first + count) {
                Some(source) => target.iter_mut().zip(source).for_each(|(byte, &pixel)| *byte = pixel),
                None => target.fill(unit.layer.input_zero_point),
            }
            bytes = rest;
            row += 1;
            offset = 0;
        }
    }

    /// Adds the products of the widened chunk, which begins at tap `start`.
    fn multiply(&mut self, unit: &Unit<'_>, start: usize, words: usize) {
        let filter_len = self.blocking.taps;
        let channels = usize::from(unit.layer.output.channels);
        let pairs = channels / 2;
        let weights = unit.parameters.weights;
        // The last filter may be read to the end of its last word.
        if weights.len() < channels * filter_len + 3 || words * 4 > self.widened.len() || words == 0 {
            return;
        }
        let mut arguments = BlockArguments {
            patches: self.widened.as_ptr(),
            weights: weights.as_ptr().wrapping_add(start),
            accumulators: self.accumulators.as_mut_ptr(),
            words,
            pairs,
            filter_len,
        };
        if pairs > 0 {
            // SAFETY: reads `words * 4` words of patches; for each of `2 * pairs` filters, `words * 4`
            // bytes from tap `start` on, of which at most 3 lie behind the filter; reads and writes
            // four accumulators a pair. All were checked above, or by `cut`.
            unsafe { thumbnet_dsp_block(&arguments) };
        }
        if channels % 2 == 1 {
            let last = channels - 1;
            arguments.weights = weights.as_ptr().wrapping_add(last * filter_len + start);
            arguments.accumulators = self.accumulators.as_mut_ptr().wrapping_add(last * 2);
            arguments.pairs = 1;
            arguments.filter_len = 0;
            // SAFETY: as above, with the last filter in both places; the accumulators are rounded up to pairs.
            unsafe { thumbnet_dsp_block(&arguments) };
        }
    }
}

impl Kernels for Dsp {
    const NAME: &'static str = "dsp";

    fn conv_row(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], output: &mut [u8]) {
        let Some(mut work) = Workspace::cut(Blocking::of(&unit.layer), workspace) else {
            return Portable::conv_row(unit, input, workspace, output);
        };
        let channels = usize::from(unit.layer.output.channels).max(1);
        let stride = usize::from(unit.layer.window.stride_width);
        if !work.blocking.pooled {
            for (index, pixels) in output.chunks_mut(channels * 2).enumerate() {
                let (first, second) = pixels.split_at_mut_checked(channels).unwrap_or_default();
                let left = index * 2 * stride;
                let next = if second.is_empty() { left } else { left + stride };
                work.accumulate(unit, input, 0, [left, next]);
                unit.activate_all(work.accumulators.iter().step_by(2), first);
                unit.activate_all(work.accumulators.iter().skip(1).step_by(2), second);
            }
            return;
        }
        let pool = &unit.layer.pool;
        let conv_width = unit.layer.conv_width();
        for (x, pixel) in output.chunks_exact_mut(channels).enumerate() {
            let first = x * usize::from(pool.stride);
            let last = (first + usize::from(pool.size)).min(conv_width);
            work.largest.fill(i32::MIN as u32);
            for conv_y in 0..input.conv_rows() {
                let top = conv_y * usize::from(unit.layer.window.stride_height);
                for conv_x in (first..last).step_by(2) {
                    let next = (conv_x + 1).min(last - 1);
                    work.accumulate(unit, input, top, [conv_x * stride, next * stride]);
                    for (largest, &[a, b]) in work.largest.iter_mut().zip(work.accumulators.as_chunks::<2>().0) {
                        *largest = (*largest as i32).max(a as i32).max(b as i32) as u32;
                    }
                }
            }
            unit.activate_all(work.largest.iter(), pixel);
        }
    }

    fn winograd_rows(unit: &Unit<'_>, input: &InputRows<'_>, workspace: &mut [u8], outputs: [&mut [u8]; 2]) {
        winograd::rows::<Self>(unit, input, workspace, outputs);
    }

    fn depthwise_row(unit: &Unit<'_>, input: &InputRows<'_>, output: &mut [u8]) {
        Portable::depthwise_row(unit, input, output);
    }

    fn dense_row(unit: &Unit<'_>, index: usize, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::dense_row(unit, index, row, accumulators);
    }

    fn average_row(unit: &Unit<'_>, row: &[u8], accumulators: &mut [[u8; 4]]) {
        Portable::average_row(unit, row, accumulators);
    }
}
