//! The loops of the direct convolution with Helium, each behind a function that checks its lengths.
//!
//! A block is up to four pixels by two output channels, sixteen taps at a time: 14 instructions for 128
//! multiplications. `vmladava` takes numbers of one signedness, so a pixel enters as `x - 128`, and 128
//! times the sum of the filter is added with the bias in the end.

use core::arch::global_asm;
use core::ops::Range;

use super::super::blocks::PIXELS;
use super::helium_patch::{LANES, SPREAD};

/// Most taps of a pass: so often, by sixteen, the loop body stands in the text.
pub const MAX_TAPS: usize = 256;

/// Most taps of a filter whose sums, at most 2^14 a tap in size, can be compared before the rest is added.
const MAX_FILTER: usize = (1 << 17) - 1;

/// The sums of a channel, one a pixel.
pub type Accumulators = [i32; PIXELS];

/// What `thumbnet_helium_block_*` read, in the order in which they do.
#[repr(C)]
struct BlockArguments {
    patches: *const u8,
    /// Blocks of sixteen taps between the first one and the last one; with more taps, before the last one.
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
    /// 0 to add to the accumulators; 1 for the first of several blocks, 2 for the only one.
    first: usize,
    /// Two a pass of the loop.
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
// r11 gap, and the eight sums in the even registers, as `vmladava` wants it. On the stack: patches, where to
// begin with them, where the next two channels begin, where to enter the loop body. A pixel that is missing
// gets the last one's sums. In the other functions `lr` counts down by itself.
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

    .macro thumbnet_helium_pixel operation, register, step, first, second
        vldrw.u32 \\register, [r1], #\\step
        \\operation \\first, q0, \\register
        \\operation \\second, q1, \\register
    .endm

    .macro thumbnet_helium_pixels operation, pixels
        .if \\pixels == 1
        thumbnet_helium_pixel \\operation, q2, 64, r0, r8
        .else
        thumbnet_helium_pixel \\operation, q2, 16, r0, r8
        .if \\pixels == 2
        thumbnet_helium_pixel \\operation, q3, 48, r2, r10
        .else
        thumbnet_helium_pixel \\operation, q3, 16, r2, r10
        .if \\pixels == 3
        thumbnet_helium_pixel \\operation, q2, 32, r4, r12
        .else
        thumbnet_helium_pixel \\operation, q2, 16, r4, r12
        thumbnet_helium_pixel \\operation, q3, 16, r6, lr
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
        mov     r11, r6
        movs    r4, #(8 + 12 * \\pixels)
        adr.w   r6, 5f
        mls     r6, r2, r4, r6
        add     r6, r6, #1
        str     r6, [sp, #12]
        adr.w   r10, 2f
        cmp     r8, #1
        blt     0f
        adr.w   r10, 1f
        adr.w   r6, 3f
        it      hi
        addhi   r6, r6, #(12 + 12 * \\pixels)
        add     r6, r6, #1
    0:
        strd    r1, r6, [sp]
        add     r10, r10, #1
        str     r10, [sp, #8]
        bx      r10
    1: // The first taps, of one block or more.
        ldm.w   sp, {{r1, pc}}
    2: // More taps.
        ldrd    r0, r2, [r9]
        ldrd    r4, r6, [r9, #8]
        ldrd    r8, r10, [r9, #16]
        ldrd    r12, lr, [r9, #24]
        ldm.w   sp, {{r1, pc}}
    3: // The first block of several.
        vldrb.u8 q0, [r3], #16
        vldrb.u8 q1, [r5], #16
        thumbnet_helium_pixels vmladav.s8, \\pixels
        ldr     pc, [sp, #12]
    4: // The only block.
        vpstt
        vldrbt.u8 q0, [r3], #16
        vldrbt.u8 q1, [r5], #16
        thumbnet_helium_pixels vmladav.s8, \\pixels
        b.w     6f
        .rept {MAX_TAPS} / 16 - 1
        vldrb.u8 q0, [r3], #16
        vldrb.u8 q1, [r5], #16
        thumbnet_helium_pixels vmladava.s8, \\pixels
        .endr
    5: // The last block.
        vpstt
        vldrbt.u8 q0, [r3], #16
        vldrbt.u8 q1, [r5], #16
        thumbnet_helium_pixels vmladava.s8, \\pixels
    6:
        add     r3, r3, r11
        add     r5, r5, r11
        thumbnet_helium_store \\pixels, r0, r2, r4, r6
        thumbnet_helium_store \\pixels, r8, r10, r12, lr
        cmp     r9, r7
        it      ne
        ldrne   pc, [sp, #8]
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
    /// What belongs to the sums of each channel: the bias, and 128 times the sum of the filter.
    pub starts: &'w [i32],
    /// One a channel, and one more if they are odd.
    pub accumulators: &'w mut [Accumulators],
}

impl<'w> Filters<'w> {
    /// `weights`: `filter_len` bytes, at most [`MAX_FILTER`], for each of at least one channel; `bias`: a
    /// little-endian `i32` each; `starts`: one each, `accumulators`: and one more if the channels are odd.
    /// `None` for others.
    pub fn new(
        weights: &'w [u8],
        bias: &[u8],
        (channels, filter_len): (usize, usize),
        starts: &'w mut [i32],
        accumulators: &'w mut [Accumulators],
    ) -> Option<Self> {
        let even = channels.next_multiple_of(2);
        let fits = channels > 0
            && (1..=MAX_FILTER).contains(&filter_len)
            && weights.len() >= channels * filter_len
            && bias.len() >= channels * size_of::<i32>()
            && starts.len() >= channels
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
        let is_first = taps.start == 0;
        let mut run = |channel: usize, pairs: usize, second: usize| {
            let accumulators = self.accumulators.as_mut_ptr().wrapping_add(channel);
            let arguments = BlockArguments {
                patches: patches.as_ptr(),
                blocks: if is_first { blocks.saturating_sub(2) } else { blocks - 1 },
                weights: self.weights.as_ptr().wrapping_add(channel * self.filter_len + taps.start),
                second,
                tail: taps.len() - (blocks - 1) * LANES,
                gap: 2 * self.filter_len as isize - (blocks * LANES) as isize,
                end: accumulators.wrapping_add(2 * pairs),
                first: if !is_first { 0 } else { 2 - usize::from(blocks > 1) },
                accumulators,
            };
            // SAFETY: reads `blocks * SPREAD` bytes of patches and these taps of each filter; reads and
            // writes one `Accumulators` a channel. All were checked above.
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
