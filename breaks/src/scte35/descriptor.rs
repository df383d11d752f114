//! Splice descriptors (SCTE 35 10).

use super::{
    Error,
    fields::{Fields, Writer},
    low_u8, low_u16,
    segmentation::Segmentation,
    within,
};

/// `CUEI`: the identifier of descriptors that the standard defines.
pub const CUEI: u32 = 0x4355_4549;

/// What a section says besides its command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Descriptor {
    /// `avail_descriptor`: `provider_avail_id`.
    Avail(u32),
    /// `DTMF_descriptor`.
    Dtmf {
        /// Tenths of a second before the splice.
        preroll: u8,
        /// At most seven of `0` to `9`, `*` and `#`.
        chars: Vec<u8>,
    },
    /// `segmentation_descriptor`.
    Segmentation(Segmentation),
    /// `time_descriptor`.
    Time {
        /// `TAI_seconds`, of 48 bits.
        tai_seconds: u64,
        /// `TAI_ns`.
        tai_ns: u32,
        /// `UTC_offset`: by how many seconds TAI is ahead.
        utc_offset: u16,
    },
    /// `audio_descriptor`: at most fifteen components.
    Audio(Vec<AudioComponent>),
    /// One of another tag, or of somebody else's identifier.
    Other {
        /// `splice_descriptor_tag`.
        tag: u8,
        /// `identifier`.
        identifier: u32,
        /// What it says.
        bytes: Vec<u8>,
    },
    /// One that is damaged, from its tag on. It says nothing; those beside it may. Where its length goes past the loop
    /// it is the last.
    Malformed(Vec<u8>),
}

/// A component of an `audio_descriptor`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AudioComponent {
    /// `component_tag`.
    pub tag: u8,
    /// `ISO_code`: three letters of ISO 639-2.
    pub iso_code: [u8; 3],
    /// `Bit_Stream_Mode`, of 3 bits.
    pub bit_stream_mode: u8,
    /// `Num_Channels`, of 4 bits.
    pub num_channels: u8,
    /// `Full_Srvc_Audio`.
    pub is_full_service: bool,
}

impl Descriptor {
    /// All descriptors of a loop.
    pub(super) fn read_all(mut loops: Fields<'_>) -> Vec<Self> {
        let mut descriptors = Vec::new();
        while loops.left() > 0 {
            let bytes = loops.rest();
            let length = bytes.get(1).map_or(usize::MAX, |length| 2 + usize::from(*length));
            let Some((one, after)) = bytes.split_at_checked(length) else {
                descriptors.push(Self::Malformed(bytes.to_vec()));
                break;
            };
            let read = Self::read(&mut Fields::new(one));
            descriptors.push(read.unwrap_or_else(|_| Self::Malformed(one.to_vec())));
            loops = Fields::new(after);
        }
        descriptors
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let tag = fields.byte("splice_descriptor_tag")?;
        fields.byte("descriptor_length")?;
        let identifier = fields.bits(32, "identifier")?;
        let identifier = u32::try_from(identifier).unwrap_or_default();
        Ok(match (identifier, tag) {
            (CUEI, 0) => {
                let id = fields.bits(32, "provider_avail_id")?;
                Self::Avail(u32::try_from(id).unwrap_or_default())
            }
            (CUEI, 1) => {
                let preroll = fields.byte("preroll")?;
                let count = fields.byte("dtmf_count")? >> 5;
                let chars = fields.take(usize::from(count), "DTMF_char")?.to_vec();
                Self::Dtmf { preroll, chars }
            }
            (CUEI, 2) => Self::Segmentation(Segmentation::read(fields)?),
            (CUEI, 3) => Self::Time {
                tai_seconds: fields.bits(48, "TAI_seconds")?,
                tai_ns: u32::try_from(fields.bits(32, "TAI_ns")?).unwrap_or_default(),
                utc_offset: low_u16(fields.bits(16, "UTC_offset")?, 0xffff),
            },
            (CUEI, 4) => {
                let count = fields.byte("audio_count")? >> 4;
                let components = (0..count).map(|_| AudioComponent::read(fields));
                Self::Audio(components.collect::<Result<_, _>>()?)
            }
            _ => Self::Other {
                tag,
                identifier,
                bytes: fields.rest().to_vec(),
            },
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        let mut inner = Writer::default();
        let (tag, identifier) = match self {
            Self::Malformed(bytes) => {
                writer.bytes(bytes);
                return Ok(());
            }
            Self::Avail(id) => {
                inner.bits(32, u64::from(*id));
                (0, CUEI)
            }
            Self::Dtmf { preroll, chars } => {
                inner.bits(8, u64::from(*preroll));
                inner.bits(8, within("dtmf_count", chars.len() as u64, 3)? << 5 | 0x1f);
                inner.bytes(chars);
                (1, CUEI)
            }
            Self::Segmentation(segmentation) => {
                segmentation.write(&mut inner)?;
                (2, CUEI)
            }
            Self::Time {
                tai_seconds,
                tai_ns,
                utc_offset,
            } => {
                inner.bits(48, within("TAI_seconds", *tai_seconds, 48)?);
                inner.bits(32, u64::from(*tai_ns));
                inner.bits(16, u64::from(*utc_offset));
                (3, CUEI)
            }
            Self::Audio(components) => {
                inner.bits(8, within("audio_count", components.len() as u64, 4)? << 4 | 0x0f);
                for component in components {
                    component.write(&mut inner)?;
                }
                (4, CUEI)
            }
            Self::Other {
                tag,
                identifier,
                bytes,
            } => {
                inner.bytes(bytes);
                (*tag, *identifier)
            }
        };
        let inner = inner.into_bytes();
        writer.bits(8, u64::from(tag));
        writer.bits(8, within("descriptor_length", inner.len() as u64 + 4, 8)?);
        writer.bits(32, u64::from(identifier));
        writer.bytes(&inner);
        Ok(())
    }
}

impl AudioComponent {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let tag = fields.byte("component_tag")?;
        let iso_code = fields.take(3, "ISO_code")?;
        let last = fields.byte("Num_Channels")?;
        Ok(Self {
            tag,
            iso_code: iso_code.first_chunk().copied().unwrap_or_default(),
            bit_stream_mode: last >> 5,
            num_channels: low_u8(u64::from(last) >> 1, 0x0f),
            is_full_service: last & 1 == 1,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        writer.bits(8, u64::from(self.tag));
        writer.bytes(&self.iso_code);
        let mode = within("Bit_Stream_Mode", u64::from(self.bit_stream_mode), 3)?;
        let channels = within("Num_Channels", u64::from(self.num_channels), 4)?;
        writer.bits(8, mode << 5 | channels << 1 | u64::from(self.is_full_service));
        Ok(())
    }
}
