//! The file format that boards with a USB drive take: github.com/microsoft/uf2.

/// Bytes of a block, and of what it carries: what all boot loaders take.
const BLOCK: usize = 512;
const PAYLOAD: usize = 256;
const FIRST_MAGIC: u32 = 0x0a32_4655;
const SECOND_MAGIC: u32 = 0x9e5d_5157;
const LAST_MAGIC: u32 = 0x0ab1_6f30;
/// The block says which family of chips it is for.
const HAS_FAMILY: u32 = 0x2000;

/// The file that puts `contents` into the flash at `start`, for the chips of a family.
pub fn file(start: u32, contents: &[u8], family: u32) -> Vec<u8> {
    let blocks = contents.chunks(PAYLOAD);
    let count = blocks.len() as u32;
    let block = |(number, payload): (u32, &[u8])| {
        let address = start + number * PAYLOAD as u32;
        let head = [FIRST_MAGIC, SECOND_MAGIC, HAS_FAMILY, address, PAYLOAD as u32, number, count, family];
        let mut block: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
        block.extend(payload);
        block.resize(BLOCK - LAST_MAGIC.to_le_bytes().len(), 0);
        block.extend(LAST_MAGIC.to_le_bytes());
        block
    };
    (0..).zip(blocks).flat_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(block: &[u8], index: usize) -> u32 {
        u32::from_le_bytes(block.as_chunks().0[index])
    }

    #[test]
    fn blocks_carry_the_contents_to_their_addresses() {
        let contents: Vec<u8> = (0..700).map(|index| index as u8).collect();
        let file = file(0x1000_0000, &contents, 0xe48b_ff56);
        let blocks: Vec<&[u8]> = file.chunks(512).collect();
        assert_eq!(blocks.len(), 3);
        let mut carried: Vec<u8> = Vec::new();
        for (number, block) in (0..).zip(&blocks) {
            assert_eq!((block.len(), word(block, 127)), (512, 0x0ab1_6f30));
            let head: Vec<u32> = (0..8).map(|index| word(block, index)).collect();
            let address = 0x1000_0000 + 256 * number;
            assert_eq!(head, [0x0a32_4655, 0x9e5d_5157, 0x2000, address, 256, number, 3, 0xe48b_ff56]);
            carried.extend(&block[32..32 + 256]);
        }
        assert_eq!(carried[..700], contents);
        assert!(carried[700..].iter().all(|&byte| byte == 0));
    }
}
