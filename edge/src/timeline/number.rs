//! The two numbers that a segment keeps for its whole life.

/// A Media Sequence Number (RFC 8216bis §3): a segment's place in its playlist, counted from the playlist's begin.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MediaSequence(pub u64);

/// A Discontinuity Sequence Number (RFC 8216bis §4.4.3.3): how many discontinuities lie before a segment.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DiscontinuitySequence(pub u64);

macro_rules! sequence {
    ($name:ident) => {
        impl $name {
            /// The number so much later, or earlier; it stays within its range.
            pub const fn plus(self, distance: i64) -> Self {
                Self(self.0.saturating_add_signed(distance))
            }

            /// How far it is behind another number.
            pub const fn since(self, other: Self) -> i64 {
                self.0.wrapping_sub(other.0).cast_signed()
            }
        }
    };
}

sequence!(MediaSequence);
sequence!(DiscontinuitySequence);
