//! The checksum of everything that the store writes: crc32c, which processors compute by themselves.

/// crc32c of `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// crc32c of what `checksum` is of, followed by `bytes`; `checksum` of nothing is 0.
pub fn extended(checksum: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(checksum, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_castagnoli_polynomial() {
        // From RFC 3720, B.4.
        for (bytes, expected) in [([0_u8; 32], 0x8a91_36aa_u32), ([0xff; 32], 0x62a8_ab43)] {
            assert_eq!(checksum(&bytes), expected);
        }
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn it_may_be_computed_in_parts() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for at in [0, 1, 7, 4096, 10_000] {
            assert_eq!(extended(checksum(&bytes[..at]), &bytes[at..]), checksum(&bytes), "{at}");
        }
    }
}
