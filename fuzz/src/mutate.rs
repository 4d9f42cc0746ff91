//! Changed inputs, the same on every run.

use fastrand::Rng;

/// Most changes of one input.
const MOST_CHANGES: usize = 4;
/// Values around which sizes and counts go wrong.
const EDGES: [u8; 8] = [0, 1, 2, 15, 16, 127, 128, 255];

/// An input with a few changes: bits, bytes, words, pieces cut out, repeated, or taken from another input.
pub fn mutated(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..=MOST_CHANGES) {
        if bytes.is_empty() {
            bytes.push(rng.u8(..));
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..8) {
            0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
            2 => bytes[at] = rng.u8(..),
            3 => bytes[at] = EDGES[rng.usize(..EDGES.len())],
            4 => bytes[at] = bytes[at].wrapping_add(rng.choice([1, 255]).unwrap_or(1)),
            5 => {
                let word = rng.u32(..) >> rng.u8(..32);
                for (byte, new) in bytes[at..].iter_mut().zip(word.to_le_bytes()) {
                    *byte = new;
                }
            }
            6 => drop(bytes.drain(at..piece(&bytes, at, rng))),
            _ => {
                let source = if rng.bool() { &bytes } else { other };
                let start = rng.usize(..=source.len().saturating_sub(1));
                let new: Vec<u8> = source.get(start..piece(source, start, rng)).unwrap_or(&[]).to_vec();
                bytes.splice(at..at, new);
            }
        }
    }
    bytes
}

/// The end of a piece that begins at `start`: mostly a short one, sometimes all the rest.
fn piece(bytes: &[u8], start: usize, rng: &mut Rng) -> usize {
    if rng.u8(..8) == 0 { bytes.len() } else { (start + rng.usize(1..=16)).min(bytes.len()) }
}
