//! Event messages in front of a chunk.

use bytes::Bytes;
use mp4_atom::{Emsg, EmsgTimestamp};
use selvedge_breaks::scte35::BINARY;

use crate::clock::VIDEO_TIMESCALE;

/// A splice as it is told in the media: a splice information section in an `emsg` of version 1 (ISO/IEC 23009-1
/// 5.10.3.3), scheme `urn:scte:scte35:2013:bin`.
///
/// It is the same on every rendition, and from every encoder that heard the same section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventMessage {
    /// When it begins, in ticks of [`VIDEO_TIMESCALE`] since 1970.
    pub time: u64,
    /// How long it lasts, in the same ticks; `None` where that is not known.
    pub duration: Option<u32>,
    /// What repetitions of it have in common.
    pub id: u32,
    /// The section, from its `table_id` to its CRC.
    pub section: Bytes,
}

impl EventMessage {
    pub(super) fn to_box(&self) -> Emsg {
        Emsg {
            timescale: VIDEO_TIMESCALE,
            presentation_time: EmsgTimestamp::Absolute(self.time),
            event_duration: self.duration.unwrap_or(u32::MAX),
            id: self.id,
            scheme_id_uri: BINARY.to_owned(),
            value: String::new(),
            message_data: self.section.to_vec(),
        }
    }
}
