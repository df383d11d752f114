//! CMAF as it arrives: bytes in any split go in, init segments and chunks come out (ISO/IEC 23000-19).
//!
//! Only box headers and the few boxes that carry time are read; no tree is built, and no allocation is sized
//! by a number from the wire.

mod boxes;
mod demux;
mod event;
mod init;
mod moof;
mod reader;
mod samples;
mod unwrap;
mod write;

pub use demux::{Demuxer, Lane, Piece, Tracks};
pub use event::{EventMessage, EventStart, MAX_EVENTS, track_events};
pub use init::{Edit, Init, Kind, Role};
pub use moof::{Fragment, Prft};
pub use reader::{Chunk, Event, Limits, Reader};
pub use samples::{Sample, Samples};
pub use unwrap::unwrap;

use std::fmt;

/// A four-character code.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// Whether it names a box that senders put at the top of a body: the size of any other may be mere text.
    pub(crate) fn is_usual(self) -> bool {
        matches!(
            &self.0,
            b"ftyp" | b"styp" | b"moov" | b"moof" | b"mdat" | b"sidx" | b"emsg" | b"prft" | b"free" | b"skip"
        )
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            if byte.is_ascii_graphic() || byte == b' ' {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}

/// Why bytes are not the CMAF that they should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A box does not follow the format.
    #[error("box '{name}' at byte {at}: {reason}")]
    Malformed {
        /// The box's type.
        name: FourCc,
        /// Offset of the box in the body.
        at: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A box says that it is larger than this origin keeps.
    #[error("box '{name}' at byte {at}: {size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The box's type.
        name: FourCc,
        /// Offset of the box in the body.
        at: u64,
        /// The size that the box names.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// The body ended inside a box.
    #[error("box '{name}' at byte {at}: the body ended {missing} bytes before the box did")]
    Truncated {
        /// The box's type, or zeroes when not even its header was whole.
        name: FourCc,
        /// Offset of the box in the body.
        at: u64,
        /// Bytes that did not come, at least.
        missing: u64,
    },
    /// Well-formed, but of a codec that no document could name.
    #[error("box '{name}' at byte {at}: this origin does not know the codec of sample entry '{name}'")]
    UnknownCodec {
        /// The sample entry's type, or the original format of a protected one.
        name: FourCc,
        /// Offset of the sample entry in the body.
        at: u64,
    },
    /// Well-formed, but more tracks than one.
    #[error(
        "box '{name}' at byte {at}: {count} tracks in one object: push each track by itself (CMAF is not muxed)"
    )]
    Muxed {
        /// `moov` or `moof`.
        name: FourCc,
        /// Offset of the box in the body.
        at: u64,
        /// Tracks found.
        count: u32,
    },
}
