//! Gathering the taps under four pixels of the convolution's result, for Helium.
//!
//! A tap `x` becomes `x - 128` by flipping its highest bit. Sixteen taps of a pixel lie together, then
//! those of the three other pixels, then the next sixteen.

use core::arch::global_asm;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::{null, null_mut};

use super::super::blocks::{PIXELS, Place};
use super::super::{InputRows, Unit};
use crate::format::MAX_WINDOW_ROWS;

/// Taps that one instruction copies or multiplies.
pub const LANES: usize = 16;
/// Bytes from sixteen taps of a pixel to its next sixteen.
pub const SPREAD: usize = LANES * PIXELS;

/// No pixel.
const NOWHERE: Place = (usize::MAX, 0);

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
        bne     5f
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
    .size thumbnet_helium_gather, . - thumbnet_helium_gather",
    SPREAD = const SPREAD,
);

/// The taps of four pixels, and where they come from.
pub struct Patches<'w> {
    /// The rows under a row of outputs; null for one outside the map.
    rows: [*const u8; MAX_WINDOW_ROWS],
    input: PhantomData<&'w [u8]>,
    /// Bytes of a row.
    row_len: usize,
    channels: usize,
    /// Bytes of a row of the window.
    window_len: usize,
    window_rows: usize,
    padding: u32,
    /// Taps that are gathered at a time, a multiple of 16: as many as there is room for.
    pub chunk: usize,
    taps: &'w mut [u8],
    /// Taps of one pixel, where rows of the window are no multiples of 16 long.
    staged: &'w mut [u8],
    /// Taps of a pixel.
    filter_len: usize,
    /// Whether a chunk has all taps.
    is_whole: bool,
    /// The pixels that are gathered with all their taps.
    places: [Place; PIXELS],
    /// The pixels to gather, so many.
    pixels: [Pixel; PIXELS],
    count: usize,
}

impl<'w> Patches<'w> {
    /// Patches in this memory; `None` where it is too small for 16 taps.
    pub fn new(unit: &Unit<'_>, input: &InputRows<'w>, memory: &'w mut [u8], limit: usize) -> Option<Self> {
        let window = unit.layer.window;
        let channels = usize::from(unit.layer.input.channels);
        let row_len = unit.layer.padded_width() * channels;
        let window_len = usize::from(window.kernel_width) * channels;
        let staged = usize::from(!window_len.is_multiple_of(LANES));
        let filter_len = usize::from(window.kernel_height) * window_len;
        let chunk =
            (memory.len() / (PIXELS + staged) / LANES * LANES).min(filter_len.next_multiple_of(LANES)).min(limit);
        let (taps, rest) = memory.split_at_mut_checked(chunk * PIXELS)?;
        let mut rows = [null(); MAX_WINDOW_ROWS];
        for (index, pointer) in rows.iter_mut().take(unit.layer.window_rows()).enumerate() {
            let row = input.row(index);
            if row.len() >= row_len {
                *pointer = row.as_ptr();
            }
        }
        (chunk > 0).then_some(Self {
            rows,
            input: PhantomData,
            row_len,
            channels,
            window_len,
            window_rows: usize::from(window.kernel_height),
            padding: u32::from(unit.layer.input_zero_point),
            chunk,
            taps,
            staged: rest.get_mut(..chunk * staged)?,
            filter_len,
            is_whole: filter_len <= chunk,
            places: [NOWHERE; PIXELS],
            pixels: [Pixel { left: 0, target: null_mut(), rows: null() }; PIXELS],
            count: 0,
        })
    }

    /// Chooses the pixels of the next block: what [`Patches::gather`] gathers.
    pub fn aim(&mut self, places: &[Place]) {
        self.count = 0;
        let rows = self.rows.as_ptr();
        let mut target = self.taps.as_mut_ptr();
        for (place, before) in places.iter().zip(&mut self.places) {
            let (top, left) = (place.0, place.1 * self.channels);
            let inside = top + self.window_rows <= MAX_WINDOW_ROWS && left + self.window_len <= self.row_len;
            // Overlapping pooling windows share pixels.
            if place != before
                && inside
                && let Some(pixel) = self.pixels.get_mut(self.count)
            {
                *pixel = Pixel { left, target, rows: rows.wrapping_add(top) };
                *before = if self.is_whole { *place } else { NOWHERE };
                self.count += 1;
            }
            target = target.wrapping_add(LANES);
        }
    }

    /// Gathers these taps of each pixel, at most a chunk; the rest of the last sixteen may be anything.
    pub fn gather(&mut self, taps: &Range<usize>) -> &[u8] {
        let pixels = self.pixels.get(..self.count).unwrap_or(&[]).as_ptr_range();
        if pixels.is_empty() || taps.is_empty() || taps.len() > self.chunk || taps.end > self.filter_len {
            return self.taps;
        }
        let first_row = if taps.start == 0 { 0 } else { taps.start.checked_div(self.window_len).unwrap_or(0) };
        let arguments = Arguments {
            row_len: self.window_len,
            first_row,
            skip: taps.start - first_row * self.window_len,
            taps: taps.len(),
            padding: self.padding,
            staged: if self.staged.is_empty() { null_mut() } else { self.staged.as_mut_ptr() },
        };
        // SAFETY: the windows lie in the rows, and they are `row_len` long or null; of a chunk of taps,
        // there is room for `chunk` bytes where they are staged and for `chunk * 4` bytes in the end.
        unsafe { thumbnet_helium_gather(pixels.start, pixels.end, &arguments) };
        self.taps
    }
}
