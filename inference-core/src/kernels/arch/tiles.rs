//! From the products of a pair of tiles back to sums: the Winograd output transform.
//!
//! For each tile and channel, each row of points gives two values, and the rows are added up to the
//! tile's four outputs in registers. Compiled Rust takes three times as many instructions: it keeps
//! the addresses of all points on the stack.

use core::arch::global_asm;

use super::super::winograd::{Finish, Sums};

unsafe extern "C" {
    fn thumbnet_tiles_4(sums: *const Sums, results: *mut i32, bias: *const u8, end: *mut i32, mode: usize);
    fn thumbnet_tiles_7(sums: *const Sums, results: *mut i32, bias: *const u8, end: *mut i32, mode: usize);
    fn thumbnet_tiles_10(sums: *const Sums, results: *mut i32, bias: *const u8, end: *mut i32, mode: usize);
}

// r0 the lane's sum of the first point, r1 results, r2 biases, r3 end of the results, r4 to r7 the four
// outputs, r8 and r9 a row's two values, r10 and r11 products, r12 bias. On the stack: the mode.
global_asm!(
    "   .syntax unified
    .macro thumbnet_row points, row
        ldr     r8, [r0, #16 * (\\row * \\points)]
        ldr     r10, [r0, #16 * (\\row * \\points + 1)]
        ldr     r11, [r0, #16 * (\\row * \\points + 2)]
        add     r8, r8, r10
        add     r8, r8, r11
        sub     r9, r10, r11
        ldr     r10, [r0, #16 * (\\row * \\points + 3)]
        sub     r9, r9, r10
        .if \\points > 4
        thumbnet_row_of_two \\points, \\row, 4
        .endif
        .if \\points > 7
        thumbnet_row_of_two \\points, \\row, 7
        .endif
    .endm

    .macro thumbnet_row_of_two points, row, first
        ldr     r10, [r0, #16 * (\\row * \\points + \\first)]
        ldr     r11, [r0, #16 * (\\row * \\points + \\first + 1)]
        add     r8, r8, r10
        add     r8, r8, r11
        add     r9, r9, r11
        ldr     r10, [r0, #16 * (\\row * \\points + \\first + 2)]
        sub     r9, r9, r10
    .endm

    .macro thumbnet_upper
        add     r4, r4, r8
        add     r5, r5, r9
    .endm

    .macro thumbnet_lower operation
        \\operation r6, r6, r8
        \\operation r7, r7, r9
    .endm

    .macro thumbnet_rows_of_two points, first
        thumbnet_row \\points, \\first
        thumbnet_upper
        thumbnet_row \\points, (\\first + 1)
        thumbnet_upper
        thumbnet_lower add
        thumbnet_row \\points, (\\first + 2)
        thumbnet_lower sub
    .endm

    .macro thumbnet_largest first, second
        cmp     \\first, \\second
        it      lt
        movlt   \\first, \\second
    .endm

    .macro thumbnet_tiles points
        .section .text.thumbnet_tiles_\\points, \"ax\", %progbits
        .p2align 2
        .global thumbnet_tiles_\\points
        .type thumbnet_tiles_\\points, %function
        .thumb_func
    thumbnet_tiles_\\points:
        push    {{r4-r11, lr}}
    1:
        ldr     r12, [r2], #4
        bl      2f
        bl      2f
        cmp     r1, r3
        bne     1b
        pop     {{r4-r11, pc}}
    2:
        thumbnet_row \\points, 0
        mov     r4, r8
        mov     r5, r9
        thumbnet_row \\points, 1
        thumbnet_upper
        mov     r6, r8
        mov     r7, r9
        thumbnet_row \\points, 2
        thumbnet_upper
        thumbnet_lower sub
        thumbnet_row \\points, 3
        thumbnet_lower sub
        .if \\points > 4
        thumbnet_rows_of_two \\points, 4
        .endif
        .if \\points > 7
        thumbnet_rows_of_two \\points, 7
        .endif
        ldr     r8, [sp, #36]
        adds    r0, r0, #4
        cmp     r8, #1
        blo     4f
        beq     3f
        thumbnet_largest r4, r6
        thumbnet_largest r5, r7
    3:
        thumbnet_largest r4, r5
        add     r4, r12, r4, asr #2
        str     r4, [r1], #4
        bx      lr
    4:
        add     r4, r12, r4, asr #2
        add     r5, r12, r5, asr #2
        add     r6, r12, r6, asr #2
        add     r7, r12, r7, asr #2
        stmia   r1!, {{r4-r7}}
        bx      lr
    .size thumbnet_tiles_\\points, . - thumbnet_tiles_\\points
    .endm

    thumbnet_tiles 4
    thumbnet_tiles 7
    thumbnet_tiles 10",
);

/// The loop for a number of points.
#[derive(Clone, Copy)]
pub struct Back {
    points: usize,
    tiles: unsafe extern "C" fn(*const Sums, *mut i32, *const u8, *mut i32, usize),
}

impl Back {
    /// For `P` points in one dimension: 4, 7 or 10.
    pub fn of<const P: usize>() -> Self {
        let tiles = const {
            match P {
                4 => thumbnet_tiles_4,
                7 => thumbnet_tiles_7,
                10 => thumbnet_tiles_10,
                _ => panic!("no kernel has so many points"),
            }
        };
        Self { points: P, tiles }
    }

    /// How many sums are read.
    pub fn sums(&self) -> usize {
        self.points * self.points
    }

    /// Transforms the sums of one or two output channels back and adds their biases.
    ///
    /// `bias`: a little-endian `i32` a channel; `results`: [`Finish::words`] a channel.
    pub fn run(&self, sums: &[Sums], bias: &[u8], finish: Finish, results: &mut [i32]) {
        let channels = bias.len() / size_of::<i32>();
        let fits = (1..=2).contains(&channels) && results.len() == channels * finish.words();
        if fits && sums.len() >= self.sums() {
            // SAFETY: all that is read and written was checked above.
            unsafe { self.tiles(sums.as_ptr(), bias.as_ptr(), finish, results) }
        }
    }

    /// The same without checks.
    ///
    /// # Safety
    /// There are [`sums`](Self::sums), results of one or two channels, and a bias for each.
    #[inline]
    pub unsafe fn tiles(&self, sums: *const Sums, bias: *const u8, finish: Finish, results: &mut [i32]) {
        let results = results.as_mut_ptr_range();
        let mode = match finish {
            Finish::Outputs => 0,
            Finish::UpperLargest => 1,
            Finish::Largest => 2,
        };
        // SAFETY: of each sum two lanes are read a channel; the mode writes `finish.words()` results a channel.
        unsafe { (self.tiles)(sums, results.start, bias, results.end, mode) };
    }
}
