//! Enough of the Thumb-2 encoding to say which instructions a function has (Arm DDI 0403, chapter A5).

/// The instructions of some code, 16-bit ones in the upper half.
pub fn instructions(code: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut halves = code.as_chunks::<2>().0.iter().map(|&half| u32::from(u16::from_le_bytes(half)));
    std::iter::from_fn(move || {
        let first = halves.next()?;
        // These prefixes say that another half follows.
        let is_wide = matches!(first >> 11, 0b11101..=0b11111);
        Some(first << 16 | if is_wide { halves.next()? } else { 0 })
    })
}

/// `smlad` and `smladx`: two 16-bit multiplications, both added.
pub fn is_smlad(instruction: u32) -> bool {
    instruction & 0xfff0_00e0 == 0xfb20_0000 && instruction & 0xf000 != 0xf000
}

/// An instruction of the floating-point unit: one for coprocessor 10 or 11.
pub fn is_float(instruction: u32) -> bool {
    instruction & 0xec00_0e00 == 0xec00_0a00
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_told_apart() {
        // push {r4, lr}; smlad r0, r1, r2, r3; vadd.f32 s0, s0, s1; smuad r0, r1, r2; bx lr
        let code = [0x10, 0xb5, 0x21, 0xfb, 0x02, 0x30, 0x30, 0xee, 0x20, 0x0a, 0x21, 0xfb, 0x02, 0xf0, 0x70, 0x47];
        let found: Vec<u32> = instructions(&code).collect();
        assert_eq!(found, [0xb510_0000, 0xfb21_3002, 0xee30_0a20, 0xfb21_f002, 0x4770_0000]);
        assert_eq!(found.iter().map(|&one| is_smlad(one)).collect::<Vec<_>>(), [false, true, false, false, false]);
        assert_eq!(found.iter().map(|&one| is_float(one)).collect::<Vec<_>>(), [false, false, true, false, false]);
    }
}
