//! The loops of the direct convolution with Helium, each behind a function that checks its lengths.
//!
//! A block is up to four pixels by two output channels, sixteen taps at a time: 14 instructions for 128
//! multiplications. `vmladava` takes numbers of one signedness, so a pixel enters as `x - 128`, and each
//! sum starts from the bias and 128 times the sum of the filter.

use core::arch::global_asm;
use core::ops::Range;

use super::super::blocks::PIXELS;
use super::helium_patch::{LANES, SPREAD};

/// Most taps of a pass: so often, by sixteen, the loop body stands in the text.
pub const MAX_TAPS: usize = 256;

/// The sums of a channel, one a pixel.
pub type Accumulators = [i32; PIXELS];

/// What `thumbnet_helium_block_*` read, in the order in which they do.
#[repr(C)]
struct BlockArguments {
    patches: *const u8,
    /// Blocks of sixteen taps, the last one perhaps shorter.
    blocks: usize,
    /// The first tap of the first channel.
    weights: *const u8,
    /// Bytes from there to the second channel's.
    second: usize,
    /// Taps of the last block, at least 1.
    tail: usize,
    /// Bytes from the end of a channel's blocks to the channel after the next.
    gap: isize,
    /// Where the accumulators end.
    end: *mut Accumulators,
    /// One a channel; null to add to the accumulators.
    starts: *const i32,
    /// Read without starts, written always; two a pass of the loop.
    accumulators: *mut Accumulators,
}

/// Where the results of `thumbnet_helium_starts` and `thumbnet_helium_dense` go.
#[repr(C)]
struct Results<T> {
    start: *mut T,
    end: *mut T,
}

unsafe extern "C" {
    fn thumbnet_helium_block_1(arguments: *const BlockArguments);
    fn thumbnet_helium_block_2(arguments: *const BlockArguments);
    fn thumbnet_helium_block_3(arguments: *const BlockArguments);
    fn thumbnet_helium_block_4(arguments: *const BlockArguments);
    /// Writes the bias and 128 times the sum of each filter.
    fn thumbnet_helium_starts(weights: *const u8, filter_len: usize, bias: *const u8, starts: *const Results<i32>);
    /// Adds the products of a row with one filter an accumulator.
    fn thumbnet_helium_dense(row: *const u8, weights: *const u8, count: usize, results: *const Results<[u8; 4]>);
}

// In the block: r1 patches, r3 and r5 weights of two channels, r7 end of the accumulators, r9 accumulators,
// r11 starts, and the eight sums in the even registers, as `vmladava` wants it. On the stack: patches and
// where to enter the loop body, gap, where to go on. A pixel that is missing gets the last one's sums. In
// the other functions `lr` counts down by itself.
global_asm!(
    with_helium!(),
    "   .syntax unified
    .macro thumbnet_helium_function name
        .section .text.\\name, \"ax\", %progbits
        .p2align 2
        .global \\name
        .type \\name, %function
        .thumb_func
    \\name:
    .endm

    .macro thumbnet_helium_pixel register, step, first, second
        vldrw.u32 \\register, [r1], #\\step
        vmladava.s8 \\first, q0, \\register
        vmladava.s8 \\second, q1, \\register
    .endm

    .macro thumbnet_helium_pixels pixels
        .if \\pixels == 1
        thumbnet_helium_pixel q2, 64, r0, r8
        .else
        thumbnet_helium_pixel q2, 16, r0, r8
        .if \\pixels == 2
        thumbnet_helium_pixel q3, 48, r2, r10
        .else
        thumbnet_helium_pixel q3, 16, r2, r10
        .if \\pixels == 3
        thumbnet_helium_pixel q2, 32, r4, r12
        .else
        thumbnet_helium_pixel q2, 16, r4, r12
        thumbnet_helium_pixel q3, 16, r6, lr
        .endif
        .endif
        .endif
    .endm

    .macro thumbnet_helium_store pixels, first, second, third, fourth
        .if \\pixels == 1
        strd    \\first, \\first, [r9], #8
        strd    \\first, \\first, [r9], #8
        .elseif \\pixels == 2
        strd    \\first, \\second, [r9], #8
        strd    \\second, \\second, [r9], #8
        .elseif \\pixels == 3
        strd    \\first, \\second, [r9], #8
        strd    \\third, \\third, [r9], #8
        .else
        strd    \\first, \\second, [r9], #8
        strd    \\third, \\fourth, [r9], #8
        .endif
    .endm

    .macro thumbnet_helium_block pixels
    thumbnet_helium_function thumbnet_helium_block_\\pixels
        push    {{r4-r11, lr}}
        sub     sp, sp, #16
        ldm     r0, {{r1-r9}}
        vctp.8  r5
        add     r5, r3, r4
        mov     r11, r8
        subs    r2, r2, #1
        movs    r4, #(8 + 12 * \\pixels)
        adr.w   r8, 4f
        mls     r8, r2, r4, r8
        add     r8, r8, #1
        strd    r1, r8, [sp]
        adr.w   r8, 1f
        cmp     r11, #0
        bne     3f
        adr.w   r8, 2f
    3:
        add     r8, r8, #1
        strd    r6, r8, [sp, #8]
        bx      r8
    1:
        ldrd    r0, r8, [r11], #8
        mov     r2, r0
        mov     r4, r0
        mov     r6, r0
        mov     r10, r8
        mov     r12, r8
        mov     lr, r8
        ldm.w   sp, {{r1, pc}}
    2:
        ldrd    r0, r2, [r9]
        ldrd    r4, r6, [r9, #8]
        ldrd    r8, r10, [r9, #16]
        ldrd    r12, lr, [r9, #24]
        ldm.w   sp, {{r1, pc}}
        .rept {MAX_TAPS} / 16 - 1
        vldrb.u8 q0, [r3], #16
        vldrb.u8 q1, [r5], #16
        thumbnet_helium_pixels \\pixels
        .endr
    4:
        vpstt
        vldrbt.u8 q0, [r3], #16
        vldrbt.u8 q1, [r5], #16
        thumbnet_helium_pixels \\pixels
        ldr     r1, [sp, #8]
        add     r3, r3, r1
        add     r5, r5, r1
        thumbnet_helium_store \\pixels, r0, r2, r4, r6
        thumbnet_helium_store \\pixels, r8, r10, r12, lr
        cmp     r9, r7
        it      ne
        ldrne   pc, [sp, #12]
        add     sp, sp, #16
        pop     {{r4-r11, pc}}
    .size thumbnet_helium_block_\\pixels, . - thumbnet_helium_block_\\pixels
    .endm

    thumbnet_helium_block 1
    thumbnet_helium_block 2
    thumbnet_helium_block 3
    thumbnet_helium_block 4

    thumbnet_helium_function thumbnet_helium_starts
        push    {{r4-r9, lr}}
        ldrd    r4, r5, [r3]
        lsrs    r8, r1, #6
        and     r9, r1, #63
    1:
        movs    r6, #0
        wls     lr, r8, 3f
    2:
        .rept 4
        vldrb.u8 q0, [r0], #16
        vaddva.s8 r6, q0
        .endr
        le      lr, 2b
    3:
        mov     r7, r0
        wlstp.8 lr, r9, 5f
    4:
        vldrb.u8 q0, [r7], #16
        vaddva.s8 r6, q0
        letp    lr, 4b
    5:
        ldr     r7, [r2], #4
        add     r0, r0, r9
        add     r7, r7, r6, lsl #7
        str     r7, [r4], #4
        cmp     r4, r5
        bne     1b
        pop     {{r4-r9, pc}}
    .size thumbnet_helium_starts, . - thumbnet_helium_starts

    thumbnet_helium_function thumbnet_helium_dense
        // Here the weights are flipped, to w + 128: what that adds is the same for all filters.
        push    {{r4-r10, lr}}
        ldrd    r9, r10, [r3]
        vmov.i8 q2, #0x80
        movs    r6, #0
        mov     r5, r0
        dlstp.8 lr, r2
    1:
        vldrb.u8 q0, [r5], #16
        vaddva.u8 r6, q0
        letp    lr, 1b
    2:
        ldr     r4, [r9]
        mov     r5, r0
        mov     r7, r1
        sub     r4, r4, r6, lsl #7
        dlstp.8 lr, r2
    3:
        vldrb.u8 q0, [r5], #16
        vldrb.u8 q1, [r7], #16
        veor    q1, q1, q2
        vmladava.u8 r4, q0, q1
        letp    lr, 3b
        str     r4, [r9], #4
        add     r1, r1, r2
        cmp     r9, r10
        bne     2b
        pop     {{r4-r10, pc}}
    .size thumbnet_helium_dense, . - thumbnet_helium_dense",
    MAX_TAPS = const MAX_TAPS,
);

/// The filters of a convolution, and the sums that they make.
pub struct Filters<'w> {
    weights: &'w [u8],
    filter_len: usize,
    channels: usize,
    /// What the sums of a channel start from; one more if they are odd.
    starts: &'w [i32],
    /// One a channel, and one more if they are odd.
    pub accumulators: &'w mut [Accumulators],
}

impl<'w> Filters<'w> {
    /// `weights`: `filter_len` bytes for each of at least one channel, `bias`: a little-endian `i32` each;
    /// `starts` and `accumulators`: one each, and one more if the channels are odd. `None` for others.
    pub fn new(
        weights: &'w [u8],
        bias: &[u8],
        (channels, filter_len): (usize, usize),
        starts: &'w mut [i32],
        accumulators: &'w mut [Accumulators],
    ) -> Option<Self> {
        let even = channels.next_multiple_of(2);
        let fits = channels > 0
            && filter_len > 0
            && weights.len() >= channels * filter_len
            && bias.len() >= channels * size_of::<i32>()
            && starts.len() >= even
            && accumulators.len() >= even;
        if !fits {
            return None;
        }
        let start = starts.as_mut_ptr();
        let results = Results { start, end: start.wrapping_add(channels) };
        // SAFETY: reads `filter_len` weights and one bias for each channel, and writes as many starts.
        unsafe { thumbnet_helium_starts(weights.as_ptr(), filter_len, bias.as_ptr(), &results) };
        Some(Self { weights, filter_len, channels, starts, accumulators })
    }

    /// Multiplies taps of up to four pixels, for all channels: the first ones, or more of them.
    ///
    /// `patches`: as `Patches::gather` leaves them; `taps`: at most [`MAX_TAPS`].
    pub fn multiply(&mut self, patches: &[u8], pixels: usize, taps: Range<usize>) {
        let blocks = taps.len().div_ceil(LANES);
        if blocks == 0 || taps.len() > MAX_TAPS || taps.end > self.filter_len || patches.len() < blocks * SPREAD {
            return;
        }
        let block = match pixels {
            1 => thumbnet_helium_block_1,
            2 => thumbnet_helium_block_2,
            3 => thumbnet_helium_block_3,
            _ => thumbnet_helium_block_4,
        };
        let mut run = |channel: usize, pairs: usize, second: usize| {
            let accumulators = self.accumulators.as_mut_ptr().wrapping_add(channel);
            let starts = self.starts.as_ptr().wrapping_add(channel);
            let arguments = BlockArguments {
                patches: patches.as_ptr(),
                blocks,
                weights: self.weights.as_ptr().wrapping_add(channel * self.filter_len + taps.start),
                second,
                tail: taps.len() - (blocks - 1) * LANES,
                gap: 2 * self.filter_len as isize - (blocks * LANES) as isize,
                end: accumulators.wrapping_add(2 * pairs),
                starts: if taps.start == 0 { starts } else { core::ptr::null() },
                accumulators,
            };
            // SAFETY: reads `blocks * SPREAD` bytes of patches, these taps of each filter, and a start a
            // channel; reads and writes one `Accumulators` a channel. All were checked above.
            unsafe { block(&arguments) };
        };
        if self.channels > 1 {
            run(0, self.channels / 2, self.filter_len);
        }
        // The last one of an odd number is its own second one.
        if self.channels % 2 == 1 {
            run(self.channels - 1, 1, 0);
        }
    }
}

/// Adds the products of a row with a filter of `row.len()` weights to each accumulator.
pub fn dense(row: &[u8], weights: &[u8], accumulators: &mut [[u8; 4]]) {
    if row.is_empty() || accumulators.is_empty() || weights.len() < row.len() * accumulators.len() {
        return;
    }
    let results = accumulators.as_mut_ptr_range();
    let results = Results { start: results.start, end: results.end };
    // SAFETY: reads the row and as many weights for each accumulator, and writes the accumulators,
    // by instructions that need no alignment.
    unsafe { thumbnet_helium_dense(row.as_ptr(), weights.as_ptr(), row.len(), &results) };
}
