//! What happens in a channel besides its media: splices, and whatever else encoders announce.

use bytes::Bytes;

/// An event of a channel, from an `emsg` box (ISO/IEC 23009-1 5.10.3.3) or an event track (ISO/IEC 23001-18).
///
/// The same event comes with every rendition and every repetition: `(scheme, value, id)` is what it is known by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// `schemeIdUri`.
    pub scheme: String,
    /// `value`.
    pub value: String,
    /// `id`, unique for scheme and value.
    pub id: u32,
    /// Ordinal of the epoch on whose timeline it was announced.
    pub epoch: u32,
    /// Wall time of its begin in nanoseconds since 1970.
    pub wall: i64,
    /// Duration in nanoseconds; `None` when it was not said.
    pub span: Option<i64>,
    /// `message_data`.
    pub message: Bytes,
    /// What it says of a break, where it is a SCTE-35 splice.
    pub splice: Option<Splice>,
}

/// Which end of a break a splice is (SCTE 35 9.7.3, 10.3.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Splice {
    /// A break begins.
    Out,
    /// A break ends.
    In,
    /// Something else that a splice information section may say.
    Other,
}
