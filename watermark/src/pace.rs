//! WMPaceInfo (ETSI TS 104 002 §7): which bit of a pattern a piece of media carries, and how that is said.
//!
//! | where | from whom to whom | here |
//! |---|---|---|
//! | `WMPaceInfoIngest` request header, JSON | encoder to origin | [`PaceInfo::to_header`], [`PaceInfo::of_header`] |
//! | `wmpi` box before a segment's first `moof` | encoder to origin | [`PaceInfo::to_box`], [`PaceInfo::of_box`] |
//! | five bytes, in SEI messages and transport streams | encoder to origin | [`PaceInfo::to_bytes`], [`PaceInfo::of_bytes`] |
//! | `WMPaceInfoEgress` response header, CBOR in base64url | origin to edge | [`egress_header`], [`position_of_egress`] |
//! | sidecar at `…/WMPaceInfo/<file>`, CBOR | origin to edge | [`Sidecar`] |

mod binary;
mod ingest;
mod sidecar;

use core::fmt;

use thiserror::Error;

pub use binary::BOX_LENGTH;
pub use sidecar::{ByteRanges, Discrete, Sidecar, Straddles, egress_header, position_of_egress};

/// The request header in which an encoder tells the origin.
pub const INGEST_HEADER: &str = "WMPaceInfoIngest";

/// The response header in which the origin tells an edge. No player may see it.
pub const EGRESS_HEADER: &str = "WMPaceInfoEgress";

/// The folder beside marked media in which their sidecars are. Asked for by a player it is refused.
pub const SIDECAR_FOLDER: &str = "WMPaceInfo";

/// The media type of a sidecar.
pub const SIDECAR_TYPE: &str = "application/cbor";

/// The folder of variant B, beside the files of variant A.
pub const B_FOLDER: &str = "b";

/// After how many slots positions begin again at 0: as many as 15 bits hold, less what divides well (by 2 to 10, 12, 13).
pub const CYCLE: u16 = 32_760;

/// One of the two copies of a marked segment.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Variant {
    /// Carries the bit 0.
    A,
    /// Carries the bit 1.
    B,
}

impl Variant {
    /// The variant that carries a bit.
    pub const fn of_bit(bit: bool) -> Self {
        if bit { Self::B } else { Self::A }
    }

    /// The bit that it carries.
    pub const fn bit(self) -> bool {
        matches!(self, Self::B)
    }

    /// Its number in WMPaceInfo: 0 or 1.
    pub const fn number(self) -> u8 {
        self.bit() as u8
    }

    /// The variant of a number in WMPaceInfo. The standard allows more than two; here there are two.
    pub const fn of_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::A),
            1 => Some(Self::B),
            _ => None,
        }
    }

    /// What stands before the file's name in the variant's path (ETSI TS 104 002 §8: the first variant's may be empty).
    pub const fn directory(self) -> &'static str {
        match self {
            Self::A => "",
            Self::B => "b/",
        }
    }

    /// The variant's path of media whose neutral path is `path`.
    pub fn path(self, path: &str) -> String {
        match path.rsplit_once('/') {
            Some((folder, file)) => format!("{folder}/{}{file}", self.directory()),
            None => format!("{}{path}", self.directory()),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// The path of the sidecar of media whose path is `path`.
pub fn sidecar_path(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/{SIDECAR_FOLDER}/{file}"),
        None => format!("{SIDECAR_FOLDER}/{path}"),
    }
}

/// Which bit of a pattern a piece of media carries: 0 to 32766, or −1 where it carries none.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(i16);

impl Position {
    /// Of media that is not marked: −1.
    pub const UNMARKED: Self = Self(-1);

    /// The largest position that five bytes can say.
    pub const MAX: u16 = 0x7ffe;

    /// A position; `None` outside −1 to 32766.
    pub fn new(position: i64) -> Option<Self> {
        let position = i16::try_from(position).ok()?;
        (-1..=Self::MAX as i16)
            .contains(&position)
            .then_some(Self(position))
    }

    /// The position of the segment that fills the slot `slot` of the grid since 1970, the same with every encoder.
    pub const fn of_slot(slot: u64) -> Self {
        // Below 32760, so it is no less than it was.
        Self((slot % CYCLE as u64) as i16)
    }

    /// The index into a pattern; `None` for media that is not marked.
    pub fn index(self) -> Option<u16> {
        u16::try_from(self.0).ok()
    }

    /// The number in WMPaceInfo, −1 to 32766.
    pub const fn number(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an encoder says of a piece of media.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PaceInfo {
    /// Which copy it is.
    pub variant: Variant,
    /// Which bit it carries.
    pub position: Position,
    /// Whether it is the first piece with this position.
    pub first_part: bool,
    /// Whether it is the last one.
    pub last_part: bool,
}

impl PaceInfo {
    /// Of a segment that carries a bit alone.
    pub const fn whole(variant: Variant, position: Position) -> Self {
        Self {
            variant,
            position,
            first_part: true,
            last_part: true,
        }
    }
}

/// Why pace information cannot be read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PaceError {
    /// The text of a header is not what it should be.
    #[error("{header}: {what}")]
    Header {
        /// The header's name.
        header: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The CBOR is malformed or says what it may not.
    #[error("the sidecar's CBOR is wrong at byte {at}: {what}")]
    Cbor {
        /// How many bytes had been read.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The bytes of a box or of the five-byte form are wrong.
    #[error("the binary pace information is wrong: {what}")]
    Binary {
        /// What is wrong.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_has_its_path_beside_the_neutral_one() {
        for (path, a, b) in [
            (
                "/live/news/v1/0-7.m4s",
                "/live/news/v1/0-7.m4s",
                "/live/news/v1/b/0-7.m4s",
            ),
            ("/x.m4s", "/x.m4s", "/b/x.m4s"),
            ("x.m4s", "x.m4s", "b/x.m4s"),
        ] {
            assert_eq!(Variant::A.path(path), a);
            assert_eq!(Variant::B.path(path), b);
        }
        assert_eq!(
            sidecar_path("/live/news/v1/0-7.m4s"),
            "/live/news/v1/WMPaceInfo/0-7.m4s"
        );
    }

    #[test]
    fn positions_are_those_that_fifteen_bits_can_say_and_minus_one() {
        for number in [-1, 0, 33, 32_766] {
            assert_eq!(Position::new(number).unwrap().number(), number as i16);
        }
        for number in [-2, 32_767, 32_768, i64::MAX, i64::MIN] {
            assert_eq!(Position::new(number), None, "{number}");
        }
        assert_eq!(Position::UNMARKED.index(), None);
        assert_eq!(Position::new(0).unwrap().index(), Some(0));
    }

    #[test]
    fn slots_go_round_before_positions_run_out() {
        assert_eq!(Position::of_slot(0).number(), 0);
        assert_eq!(Position::of_slot(32_759).number(), 32_759);
        assert_eq!(Position::of_slot(32_760).number(), 0);
        assert!(Position::of_slot(u64::MAX).index().is_some());
    }
}
