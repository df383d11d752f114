//! The five bytes, and the `wmpi` box around them.

use super::{PaceError, PaceInfo, Position, Variant};

/// The length of a `wmpi` box in bytes.
pub const BOX_LENGTH: usize = 13;

/// The version of WMPaceInfo.
const VERSION: u8 = 1;

/// What the position's 15 bits say where there is none.
const NO_POSITION: u16 = 0x7fff;

/// The bits that are always set, lest the bytes look like a start code.
const GUARD_POSITION: u16 = 0x8000;
const GUARD_FLAGS: u8 = 0x80;

const FIRST_PART: u8 = 0x40;
const LAST_PART: u8 = 0x20;

impl PaceInfo {
    /// The five bytes: version, variant, a set bit and the position in 15, a set bit, the two flags and five zeros.
    /// Of an unmarked piece all 15 bits are set.
    pub fn to_bytes(self) -> [u8; 5] {
        let position = self.position.index().unwrap_or(NO_POSITION) | GUARD_POSITION;
        let [high, low] = position.to_be_bytes();
        let first = if self.first_part { FIRST_PART } else { 0 };
        let last = if self.last_part { LAST_PART } else { 0 };
        [
            VERSION,
            self.variant.number(),
            high,
            low,
            GUARD_FLAGS | first | last,
        ]
    }

    /// Reads the five bytes. The reserved bits may be anything.
    ///
    /// # Errors
    /// The version is not 1, the variant is neither A nor B, or a bit that is always set is not.
    pub fn of_bytes(bytes: [u8; 5]) -> Result<Self, PaceError> {
        let wrong = |what| PaceError::Binary { what };
        let [version, variant, high, low, flags] = bytes;
        if version != VERSION {
            return Err(wrong("only version 1 is known"));
        }
        let position = u16::from_be_bytes([high, low]);
        if position & GUARD_POSITION == 0 || flags & GUARD_FLAGS == 0 {
            return Err(wrong("a bit that is always set is zero"));
        }
        Ok(Self {
            variant: Variant::of_number(variant.into())
                .ok_or(wrong("only the variants 0 and 1 are known"))?,
            position: match position & !GUARD_POSITION {
                NO_POSITION => Position::UNMARKED,
                index => Position::new(index.into()).unwrap_or(Position::UNMARKED),
            },
            first_part: flags & FIRST_PART != 0,
            last_part: flags & LAST_PART != 0,
        })
    }

    /// The `wmpi` box: at most one in a segment, behind `styp` and before the first `moof`.
    pub fn to_box(self) -> [u8; BOX_LENGTH] {
        let [version, variant, high, low, flags] = self.to_bytes();
        [
            0,
            0,
            0,
            BOX_LENGTH as u8,
            b'w',
            b'm',
            b'p',
            b'i',
            version,
            variant,
            high,
            low,
            flags,
        ]
    }

    /// Reads a whole `wmpi` box, header included.
    ///
    /// # Errors
    /// It is another box or has another length, or its content is wrong.
    pub fn of_box(bytes: &[u8]) -> Result<Self, PaceError> {
        match bytes {
            [
                0,
                0,
                0,
                13,
                b'w',
                b'm',
                b'p',
                b'i',
                version,
                variant,
                high,
                low,
                flags,
            ] => Self::of_bytes([*version, *variant, *high, *low, *flags]),
            _ => Err(PaceError::Binary {
                what: "not a wmpi box of 13 bytes",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_box_has_the_bytes_of_the_standard() {
        let info = PaceInfo::whole(Variant::A, Position::new(33).unwrap());
        let due = [
            0, 0, 0, 0x0d, 0x77, 0x6d, 0x70, 0x69, 0x01, 0x00, 0x80, 0x21, 0xe0,
        ];
        assert_eq!(info.to_box(), due);
        assert_eq!(PaceInfo::of_box(&due), Ok(info));
    }

    #[test]
    fn an_unmarked_piece_has_all_bits_of_its_position_set() {
        let info = PaceInfo::whole(Variant::B, Position::UNMARKED);
        assert_eq!(info.to_bytes(), [1, 1, 0xff, 0xff, 0xe0]);
        assert_eq!(PaceInfo::of_bytes(info.to_bytes()), Ok(info));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bytes, what) in [
            ([2, 0, 0x80, 0, 0x80], "only version 1 is known"),
            ([1, 2, 0x80, 0, 0x80], "only the variants 0 and 1 are known"),
            ([1, 0, 0x00, 0, 0x80], "a bit that is always set is zero"),
            ([1, 0, 0x80, 0, 0x60], "a bit that is always set is zero"),
        ] {
            assert_eq!(PaceInfo::of_bytes(bytes), Err(PaceError::Binary { what }));
        }
        // As an origin overwrites it before viewers get it.
        assert!(PaceInfo::of_bytes([0xff; 5]).is_err());
        let mut box_bytes = PaceInfo::whole(Variant::A, Position::UNMARKED).to_box();
        assert!(PaceInfo::of_box(&box_bytes[..12]).is_err());
        box_bytes[4] = b'W';
        assert!(PaceInfo::of_box(&box_bytes).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(b in any::<bool>(), position in -1_i64..=32_766, first_part in any::<bool>(), last_part in any::<bool>()) {
            let info = PaceInfo {
                variant: Variant::of_bit(b),
                position: Position::new(position).unwrap(),
                first_part,
                last_part,
            };
            prop_assert_eq!(PaceInfo::of_box(&info.to_box()), Ok(info));
        }

        #[test]
        fn of_what_is_read_the_reserved_bits_alone_are_lost(bytes in any::<[u8; 5]>()) {
            if let Ok(info) = PaceInfo::of_bytes(bytes) {
                let [a, b, c, d, e] = bytes;
                prop_assert_eq!(info.to_bytes(), [a, b, c, d, e & 0xe0]);
            }
        }
    }
}
