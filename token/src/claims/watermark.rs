//! The watermark claims of ETSI TS 104 002, which may share a token with those of access. They are carried and
//! typed; they admit and refuse nothing.

use crate::{
    cbor::{Item, Reader},
    claims::read_error,
    label::Label,
};

/// What a token says of its session's watermark.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Watermark {
    /// `wmver`: version of these claims; 1.
    pub version: Option<u8>,
    /// `wmvnd`: the watermark's vendor.
    pub vendor: Option<u8>,
    /// `wmpatlen`: the pattern's length in bits, from 1.
    pub pattern_bits: Option<u16>,
    /// `wmsegduration`: nominal duration of a segment.
    pub segment_duration: Option<SegmentDuration>,
    /// `wmpattern`, in the direct mode: the pattern's bytes, or a COSE message around them, as CBOR.
    pub pattern: Option<Vec<u8>>,
    /// `wmid`, in the indirect mode: what the pattern is derived from.
    pub id: Option<String>,
    /// `wmopid`, in the indirect mode: the operator.
    pub operator: Option<u64>,
    /// `wmkeyver`, in the indirect mode: which key derives the pattern.
    pub key_version: Option<u64>,
}

/// The nominal duration of a segment: `wmsegduration`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentDuration {
    /// In ticks; at least one.
    pub ticks: u64,
    /// How many of them make a second; at least one.
    pub timescale: u64,
}

impl Watermark {
    /// Reads one of the claims 300 to 307.
    pub(crate) fn read(&mut self, label: Label, reader: &mut Reader<'_>) -> Result<(), &'static str> {
        let raw = reader.clone();
        let item = reader.next().map_err(read_error)?;
        match (label, item) {
            (Label::WMVER, Item::Integer(n)) => self.version = Some(in_range(n)?),
            (Label::WMVND, Item::Integer(n)) => self.vendor = Some(in_range(n)?),
            (Label::WMPATLEN, Item::Integer(n)) if n > 0 => self.pattern_bits = Some(in_range(n)?),
            (Label::WMSEGDURATION, Item::Array(2)) => {
                let mut ticks = || match reader.next() {
                    Ok(Item::Integer(n)) => in_range::<u64>(n),
                    _ => Err("expected two unsigned integers"),
                };
                self.segment_duration = match (ticks()?, ticks()?) {
                    (_, 0) | (0, _) => return Err("expected a duration above zero"),
                    (ticks, timescale) => Some(SegmentDuration { ticks, timescale }),
                };
            }
            (Label::WMPATTERN, Item::Bytes(_) | Item::Array(_) | Item::Tag(16 | 96)) => {
                *reader = raw.clone();
                reader.skip().map_err(read_error)?;
                self.pattern = Some(raw.until(reader).to_vec());
            }
            (Label::WMID, Item::Text(text)) => self.id = Some(text.into()),
            (Label::WMOPID, Item::Integer(n)) => self.operator = Some(in_range(n)?),
            (Label::WMKEYVER, Item::Integer(n)) => self.key_version = Some(in_range(n)?),
            _ => return Err("expected the type of ETSI TS 104 002"),
        }
        Ok(())
    }
}

fn in_range<N: TryFrom<i128>>(number: i128) -> Result<N, &'static str> {
    N::try_from(number).map_err(|_| "expected an unsigned integer within range")
}
