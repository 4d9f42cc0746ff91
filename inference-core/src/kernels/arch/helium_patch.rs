//! Gathering the taps under four pixels of the convolution's result, for Helium.
//!
//! A tap `x` becomes `x - 128` by flipping its highest bit. Sixteen taps of a pixel lie together, then
//! those of the three other pixels, then the next sixteen.

use core::arch::global_asm;
use core::ops::Range;
use core::ptr::{null, null_mut};

use super::super::Unit;
use super::super::blocks::{PIXELS, Place};
use super::rows::Rows;
use crate::format::MAX_WINDOW_ROWS;

/// Taps that one instruction copies or multiplies.
pub const LANES: usize = 16;
/// Bytes from sixteen taps of a pixel to its next sixteen.
pub const SPREAD: usize = LANES * PIXELS;

/// What `thumbnet_helium_gather` reads of a pixel, in the order in which it does.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pixel {
    /// Bytes from the start of a row to the window.
    left: usize,
    /// Where its taps go.
    target: *mut u8,
    /// The rows of the window.
    rows: *const *const u8,
}

/// What else it reads, in the order in which it does.
#[repr(C)]
struct Arguments {
    /// Taps in a row of the window.
    row_len: usize,
    /// The first row with taps to gather.
    first_row: usize,
    /// Taps of it that are left out.
    skip: usize,
    /// Taps to gather, at least 1.
    taps: usize,
    /// What a row that is missing is filled with.
    padding: u32,
    /// Room for all taps, where rows of the window are no multiples of 16 long; otherwise null.
    staged: *mut u8,
}

unsafe extern "C" {
    /// Gathers the taps of at least one pixel.
    fn thumbnet_helium_gather(pixels: *const Pixel, end: *const Pixel, arguments: *const Arguments);
}

// r0 pixels, r1 left, r2 target, r3 row length, r4 taps of this row, r5 this row's first byte, r6 this
// row, r7 taps to come, r8 rows, r9 staged taps, r10 end of the pixels, r11 where this row is staged, r12
// arguments; q1 flips, q2 is padding, q3 padding flipped.
global_asm!(
    with_helium!(),
    "   .syntax unified
    .macro thumbnet_helium_place
        ldm     r0!, {{r1, r2, r8}}
        ldrd    r4, r5, [r12, #4]
        ldr     r7, [r12, #12]
        add     r8, r8, r4, lsl #2
        subs    r4, r3, r5
        add     r5, r5, r1
    .endm

    .macro thumbnet_helium_row padding
        ldr     r6, [r8], #4
        cmp     r4, r7
        csel    r4, r7, r4, hi
        dlstp.8 lr, r4
        subs    r7, r7, r4
        cmp     r6, #0
        beq     \\padding
        add     r6, r6, r5
    .endm

    .section .text.thumbnet_helium_gather, \"ax\", %progbits
    .p2align 2
    .global thumbnet_helium_gather
    .type thumbnet_helium_gather, %function
    .thumb_func
    thumbnet_helium_gather:
        push    {{r4-r11, lr}}
        mov     r10, r1
        mov     r12, r2
        ldr     r3, [r2]
        ldrd    r5, r9, [r2, #16]
        vmov.i8 q1, #0x80
        vdup.8  q2, r5
        veor    q3, q2, q1
        cmp     r9, #0
        beq     1f
        ldrd    r5, r7, [r12, #8]
        cmp     r3, #16
        bhi     5f
        cbnz    r5, 5f
        udiv    r5, r7, r3
        mul     r5, r5, r3
        cmp     r5, r7
        bne     5f
        vctp.8  r3
        b       10f
    1:
        thumbnet_helium_place
    2:
        thumbnet_helium_row 4f
    3:
        vldrb.u8 q0, [r6], #16
        veor    q0, q0, q1
        vstrb.8 q0, [r2], #{SPREAD}
        letp    lr, 3b
    9:
        mov     r5, r1
        mov     r4, r3
        cmp     r7, #0
        bne     2b
        cmp     r0, r10
        bne     1b
        pop     {{r4-r11, pc}}
    4:
        vstrb.8 q3, [r2], #{SPREAD}
        letp    lr, 4b
        b       9b
    5:
        thumbnet_helium_place
        mov     r11, r9
    6:
        thumbnet_helium_row 8f
        add     r4, r4, r11
    7:
        vldrb.u8 q0, [r6], #16
        vstrb.8 q0, [r11], #16
        letp    lr, 7b
    9:
        mov     r11, r4
        mov     r5, r1
        mov     r4, r3
        cmp     r7, #0
        bne     6b
        ldr     r7, [r12, #12]
        mov     r6, r9
        dlstp.8 lr, r7
    3:
        vldrb.u8 q0, [r6], #16
        veor    q0, q0, q1
        vstrb.8 q0, [r2], #{SPREAD}
        letp    lr, 3b
        cmp     r0, r10
        bne     5b
        pop     {{r4-r11, pc}}
    8:
        add     r4, r4, r11
    4:
        vstrb.8 q2, [r11], #16
        letp    lr, 4b
        b       9b
    10: // Whole rows of at most 16 taps.
        thumbnet_helium_place
        mov     r11, r9
        mov     r5, r7
    11:
        ldr     r6, [r8], #4
        cbz     r6, 13f
        add     r6, r6, r1
        vpstt
        vldrbt.u8 q0, [r6]
        vstrbt.8 q0, [r11]
    12:
        add     r11, r11, r3
        subs    r5, r5, r3
        bne     11b
        mov     r6, r9
        dlstp.8 lr, r7
    3:
        vldrb.u8 q0, [r6], #16
        veor    q0, q0, q1
        vstrb.8 q0, [r2], #{SPREAD}
        letp    lr, 3b
        cmp     r0, r10
        bne     10b
        pop     {{r4-r11, pc}}
    13:
        vpst
        vstrbt.8 q2, [r11]
        b       12b
    .size thumbnet_helium_gather, . - thumbnet_helium_gather",
    SPREAD = const SPREAD,
);

/// The taps of four pixels, and how they get there.
pub struct Patches<'w> {
    rows: &'w Rows<'w>,
    channels: usize,
    /// Bytes of a row of the window.
    window_len: usize,
    window_rows: u8,
    padding: u8,
    /// Taps that are gathered at a time, a multiple of 16: as many as there is room for.
    pub chunk: usize,
    taps: &'w mut [u8],
    /// Taps of one pixel, where rows of the window are no multiples of 16 long.
    staged: &'w mut [u8],
    /// Whether overlapping pooling windows may find pixels of the last block where they want them.
    overlaps: bool,
    /// The pixels of the last block.
    places: [Place; PIXELS],
    /// The pixels to gather, so many.
    pixels: [Pixel; PIXELS],
    count: u8,
}

impl<'w> Patches<'w> {
    /// Patches in this memory; `None` where it is too small for 16 taps.
    pub fn new(unit: &Unit<'_>, rows: &'w Rows<'w>, memory: &'w mut [u8], limit: usize) -> Option<Self> {
        let (window, pool) = (&unit.layer.window, &unit.layer.pool);
        let channels = usize::from(unit.layer.input.channels);
        let window_len = usize::from(window.kernel_width) * channels;
        let filter_len = usize::from(window.kernel_height) * window_len;
        let pixels = PIXELS + usize::from(!window_len.is_multiple_of(LANES));
        let room = memory.len() / pixels / LANES * LANES;
        let chunk = room.min(filter_len.next_multiple_of(LANES)).min(limit);
        if chunk == 0 {
            return None;
        }
        let (taps, rest) = memory.split_at_mut_checked(chunk * PIXELS)?;
        Some(Self {
            rows,
            channels,
            window_len,
            window_rows: window.kernel_height,
            padding: unit.layer.input_zero_point,
            chunk,
            taps,
            staged: rest.get_mut(..chunk * (pixels - PIXELS))?,
            overlaps: pool.stride < pool.size && filter_len <= chunk,
            places: [Place::NOWHERE; PIXELS],
            pixels: [Pixel { left: 0, target: null_mut(), rows: null() }; PIXELS],
            count: 0,
        })
    }

    /// Chooses the pixels of the next block: what [`Patches::gather`] gathers.
    #[inline(never)]
    pub fn aim(&mut self, places: &[Place]) {
        let rows = self.rows.pointers.as_ptr();
        let mut target = self.taps.as_mut_ptr();
        let mut pixels = self.pixels.iter_mut();
        for (place, before) in places.iter().zip(&mut self.places) {
            let (top, left) = (usize::from(place.top), usize::from(place.left) * self.channels);
            let inside =
                top + usize::from(self.window_rows) <= MAX_WINDOW_ROWS && left + self.window_len <= self.rows.len;
            let is_there = self.overlaps && place == before;
            if inside
                && !is_there
                && let Some(pixel) = pixels.next()
            {
                *pixel = Pixel { left, target, rows: rows.wrapping_add(top) };
                *before = *place;
            }
            target = target.wrapping_add(LANES);
        }
        self.count = (PIXELS - pixels.len()) as u8;
    }

    /// Gathers these taps of the chosen pixels, at most a chunk; the rest of the last sixteen may be anything.
    #[inline(never)]
    pub fn gather(&mut self, taps: &Range<usize>) -> &[u8] {
        let fits =
            !taps.is_empty() && taps.len() <= self.chunk && taps.end <= usize::from(self.window_rows) * self.window_len;
        let pixels = self.pixels.get(..usize::from(self.count)).unwrap_or(&[]).as_ptr_range();
        if pixels.is_empty() || !fits {
            return self.taps;
        }
        let first_row = if taps.start == 0 { 0 } else { taps.start.checked_div(self.window_len).unwrap_or(0) };
        let arguments = Arguments {
            row_len: self.window_len,
            first_row,
            skip: taps.start - first_row * self.window_len,
            taps: taps.len(),
            padding: self.padding.into(),
            staged: if self.staged.is_empty() { null_mut() } else { self.staged.as_mut_ptr() },
        };
        // SAFETY: the windows lie in the rows, and these are `len` long or null; of a chunk of taps, there
        // is room for `chunk` bytes where they are staged and for `chunk * 4` bytes in the end.
        unsafe { thumbnet_helium_gather(pixels.start, pixels.end, &arguments) };
        self.taps
    }
}
