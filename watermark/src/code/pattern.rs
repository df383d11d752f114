//! A pattern as bytes: `wmpattern` of ETSI TS 104 002.

/// The bits of a session, the most significant of the first byte first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    bytes: Vec<u8>,
    bits: u16,
}

impl Pattern {
    /// A pattern of `bits` bits; `None` for none, or where `bytes` are not as many as that takes.
    pub fn new(bytes: Vec<u8>, bits: u16) -> Option<Self> {
        (bits > 0 && bytes.len() == Self::length(bits)).then_some(Self { bytes, bits })
    }

    /// How many bytes so many bits take.
    pub const fn length(bits: u16) -> usize {
        (bits as usize).div_ceil(8)
    }

    pub(super) fn of_bits(bits: impl Iterator<Item = bool>) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut count = 0_u16;
        for bit in bits {
            if count.is_multiple_of(8) {
                bytes.push(0);
            }
            if let Some(last) = bytes.last_mut() {
                *last |= u8::from(bit) << (7 - count % 8);
            }
            count = count.checked_add(1)?;
        }
        Self::new(bytes, count)
    }

    /// The bit at a position; a pattern begins again where it ends.
    pub fn bit(&self, index: u16) -> bool {
        let index = index.checked_rem(self.bits).unwrap_or_default();
        let byte = self
            .bytes
            .get(usize::from(index >> 3))
            .copied()
            .unwrap_or_default();
        byte >> (7 - (index & 7)) & 1 == 1
    }

    /// How many bits it has; at least one.
    pub const fn bits(&self) -> u16 {
        self.bits
    }

    /// Its bytes. What follows the last bit means nothing.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_are_counted_from_the_most_significant_one() {
        let pattern = Pattern::new(vec![0x0a, 0x0b, 0x0c, 0x0d], 32).unwrap();
        let bits: String = (0..32)
            .map(|at| if pattern.bit(at) { '1' } else { '0' })
            .collect();
        assert_eq!(bits, "00001010000010110000110000001101");
        assert!(!pattern.bit(3) && pattern.bit(4));
    }

    #[test]
    fn a_pattern_begins_again_where_it_ends() {
        let pattern = Pattern::new(vec![0x80, 0x40], 10).unwrap();
        for (index, due) in [
            (0, true),
            (9, true),
            (10, true),
            (19, true),
            (11, false),
            (65_530, true),
        ] {
            assert_eq!(pattern.bit(index), due, "{index}");
        }
    }

    #[test]
    fn the_length_must_be_that_of_the_bits() {
        assert!(Pattern::new(vec![], 0).is_none());
        assert!(Pattern::new(vec![0], 9).is_none());
        assert!(Pattern::new(vec![0; 2], 8).is_none());
        assert!(Pattern::new(vec![0; 8192], u16::MAX).is_some());
    }

    proptest! {
        #[test]
        fn bits_that_are_put_in_come_out(bits in proptest::collection::vec(any::<bool>(), 1..200)) {
            let pattern = Pattern::of_bits(bits.iter().copied()).unwrap();
            let out: Vec<bool> = (0..pattern.bits()).map(|at| pattern.bit(at)).collect();
            prop_assert_eq!(out, bits);
        }
    }
}
