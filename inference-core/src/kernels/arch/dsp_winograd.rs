//! The Winograd steps with the DSP extension.
//!
//! One point of four channels, two tiles and two output channels takes ten instructions: two loads of
//! four words and eight dual multiplications.

use core::arch::{asm, global_asm};

use super::super::Unit;
use super::super::portable::Portable;
use super::super::winograd::{Finish, Steps, Sums};
use super::dsp::Dsp;
use super::{dsp_block, dsp_tiles};
use crate::winograd::{Combine, POINTS, TILE};

/// Most groups of four channels: so often the loop body stands in the text.
const MAX_QUADS: usize = 32;
/// Bytes of the loop body.
const BODY: usize = 38;
/// Input columns under a pair of tiles, for the largest kernel.
const MAX_COLUMNS: usize = 10;

unsafe extern "C" {
    /// Multiplies `points * quads` groups; writes four sums a point up to `end`.
    fn thumbnet_dsp_points(inputs: *const u32, weights: *const u8, sums: *const SumsRange, quads: usize);
}

/// Where the sums go; the offsets of the fields are in the text of `thumbnet_dsp_points`.
#[repr(C)]
struct SumsRange {
    start: *mut Sums,
    end: *mut Sums,
}

// r0 inputs, r1 weights, r2 to r5 the inputs of two tiles, r6 to r9 the weights of two output channels,
// r10 to lr the four sums. On the stack: where to enter the loop body, the next sums, their end.
global_asm!(
    with_dsp!(),
    "   .syntax unified
    .macro thumbnet_point operation, first, second, third, fourth
        ldmia   r0!, {{r2-r5}}
        ldmia   r1!, {{r6-r9}}
        \\operation r10, r6, r2 \\first
        \\operation r11, r6, r4 \\second
        \\operation r12, r8, r2 \\third
        \\operation lr, r8, r4 \\fourth
        smlad   r10, r7, r3, r10
        smlad   r11, r7, r5, r11
        smlad   r12, r9, r3, r12
        smlad   lr, r9, r5, lr
    .endm

    .section .text.thumbnet_dsp_points, \"ax\", %progbits
    .p2align 2 // adr counts from a whole word
    .global thumbnet_dsp_points
    .type thumbnet_dsp_points, %function
    .thumb_func
    thumbnet_dsp_points:
        push    {{r4-r11, lr}}
        sub     sp, sp, #12
        ldrd    r4, r5, [r2]
        strd    r4, r5, [sp, #4]
        adr.w   r4, 3f
        movs    r5, #{BODY}
        subs    r3, r3, #1
        mls     r4, r3, r5, r4
        adds    r4, r4, #1
        str     r4, [sp]
    1:
        thumbnet_point smuad
        ldr     pc, [sp]
    2:
        .rept {MAX_QUADS} - 1
        thumbnet_point \"smlad\", \", r10\", \", r11\", \", r12\", \", lr\"
        .endr
    3:
        ldrd    r2, r3, [sp, #4]
        stmia   r2!, {{r10, r11, r12, lr}}
        str     r2, [sp, #4]
        cmp     r2, r3
        bne.w   1b
        add     sp, sp, #12
        pop     {{r4-r11, pc}}
    .size thumbnet_dsp_points, . - thumbnet_dsp_points",
    BODY = const BODY,
    MAX_QUADS = const MAX_QUADS,
);

impl Steps for Dsp {
    fn transform<const P: usize>(rows: [&[u8]; 2], combine: Combine, channels: usize, inputs: &mut [u32]) {
        let columns = 6 + (P - 4) / 3 * 2;
        let quads = channels.div_ceil(4);
        // The last group of the last column may reach beyond it.
        let reach = (columns - 1) * channels + quads * 4;
        if rows.iter().any(|row| row.len() < reach) || inputs.len() < P * quads * 4 {
            return Portable::transform::<P>(rows, combine, channels, inputs);
        }
        let rows = rows.map(<[u8]>::as_ptr);
        // SAFETY: each group of each column of the rows has four bytes there, and `inputs` has `P * quads * 4` words.
        unsafe {
            match combine {
                Combine::Difference => transform::<P>(rows, difference, channels, inputs.as_mut_ptr()),
                Combine::Sum => transform::<P>(rows, sum, channels, inputs.as_mut_ptr()),
                Combine::Copy => transform::<P>(rows, |first, _| first, channels, inputs.as_mut_ptr()),
            }
        }
    }

    fn multiply(inputs: &[u32], weights: &[u8], quads: usize, sums: &mut [Sums]) {
        let fits = inputs.len() >= sums.len() * quads * 4 && weights.len() >= sums.len() * quads * 16;
        if !fits || sums.is_empty() || !(1..=MAX_QUADS).contains(&quads) || !weights.as_ptr().addr().is_multiple_of(4) {
            return Portable::multiply(inputs, weights, quads, sums);
        }
        let sums = sums.as_mut_ptr_range();
        // SAFETY: a point reads 16 bytes a group of inputs and of weights and writes one `Sums`; the
        // lengths and the alignment of the weights were checked above.
        unsafe {
            thumbnet_dsp_points(
                inputs.as_ptr(),
                weights.as_ptr(),
                &SumsRange { start: sums.start, end: sums.end },
                quads,
            );
        }
    }

    fn finish<const P: usize>(sums: &[[Sums; P]; P], bias: &[u8], finish: Finish, results: &mut [i32]) {
        dsp_tiles::finish(sums, bias, finish, results);
    }

    fn takes_high_words(unit: &Unit<'_>) -> bool {
        dsp_block::takes_high_words(unit)
    }

    fn activate(unit: &Unit<'_>, high_words: bool, results: &[i32], step: usize, output: &mut [u8]) {
        dsp_block::activate(unit, high_words, results, step, output);
    }
}

/// Transforms one row of points.
///
/// # Safety
/// From each group of four channels of each column on, the rows have four bytes; `inputs` has room for
/// four words a group for each of `P` points.
#[inline(never)]
unsafe fn transform<const P: usize>(
    [first, second]: [*const u8; 2],
    combine: impl Fn(u32, u32) -> u32,
    channels: usize,
    inputs: *mut u32,
) {
    let columns = 6 + (P - 4) / 3 * 2;
    let quads = channels.div_ceil(4);
    for quad in 0..quads {
        let mut patch = [[0; 2]; MAX_COLUMNS];
        for (column, lanes) in patch.iter_mut().take(columns).enumerate() {
            let offset = column * channels + quad * 4;
            // SAFETY: the caller says so.
            let (a, b) = unsafe {
                (first.add(offset).cast::<u32>().read_unaligned(), second.add(offset).cast::<u32>().read_unaligned())
            };
            *lanes = [combine(even(a), even(b)), combine(odd(a), odd(b))];
        }
        for (index, point) in POINTS[..P].iter().enumerate() {
            for tile in 0..2 {
                let [a, b] = point.inputs.map(|column| patch[column + tile * TILE]);
                let lanes = match point.combine {
                    Combine::Difference => [difference(a[0], b[0]), difference(a[1], b[1])],
                    Combine::Sum => [sum(a[0], b[0]), sum(a[1], b[1])],
                    Combine::Copy => a,
                };
                // SAFETY: the point has four words a group.
                unsafe { inputs.add((index * quads + quad) * 4 + tile * 2).cast::<[u32; 2]>().write(lanes) };
            }
        }
    }
}

#[inline(always)]
fn even(word: u32) -> u32 {
    word & 0x00ff_00ff
}

#[inline(always)]
fn odd(word: u32) -> u32 {
    (word >> 8) & 0x00ff_00ff
}

/// Both lanes added.
#[inline(always)]
fn sum(a: u32, b: u32) -> u32 {
    let result;
    // SAFETY: reads and writes registers only.
    unsafe {
        asm!(with_dsp!(), "sadd16 {}, {}, {}", out(reg) result, in(reg) a, in(reg) b, options(pure, nomem, nostack))
    }
    result
}

/// Both lanes of `b` subtracted from those of `a`.
#[inline(always)]
fn difference(a: u32, b: u32) -> u32 {
    let result;
    // SAFETY: reads and writes registers only.
    unsafe {
        asm!(with_dsp!(), "ssub16 {}, {}, {}", out(reg) result, in(reg) a, in(reg) b, options(pure, nomem, nostack))
    }
    result
}
