//! A hash that never changes: not with a restart, a version of the broker, a compiler or a machine.
//!
//! What a message's key leads to depends on it, and messages with that key wait where it has led before: another hash
//! is another exchange type. It is FNV-1a of 64 bits, mixed at the end as `MurmurHash3` does it, since the high bits of
//! FNV hardly know the last octets.

/// FNV's offset basis and prime for 64 bits.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Takes octets and gives their hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct StableHash(u64);

impl StableHash {
    pub(super) const fn new() -> Self {
        Self(BASIS)
    }

    pub(super) fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(PRIME);
        }
    }

    /// Text that others may follow: ended by an octet that no text has.
    pub(super) fn write_text(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.write(&[0xff]);
    }

    pub(super) const fn finish(self) -> u64 {
        mix(self.0)
    }
}

/// Spreads what differs in a few bits over all of them; different numbers stay different. The finalizer of
/// `MurmurHash3` for 64 bits.
#[inline]
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fnv(octets: &[u8]) -> u64 {
        let mut hash = StableHash::new();
        hash.write(octets);
        hash.0
    }

    #[test]
    fn it_is_fnv_1a_and_the_finalizer_of_murmur_hash_3() {
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv(text.as_bytes()), expected, "{text:?}");
        }
        for (bits, expected) in [(0, 0), (1, 0xb456_bcfc_34c2_cb2c), (u64::MAX, 0x64b5_720b_4b82_5f21)] {
            assert_eq!(mix(bits), expected, "{bits}");
        }
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let hash = |texts: &[&str]| {
            let mut hash = StableHash::new();
            for text in texts {
                hash.write_text(text);
            }
            hash.finish()
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["a"]), hash(&["a", ""]));
    }
}
