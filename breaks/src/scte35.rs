//! Splice information sections (ANSI/SCTE 35 2023r1 9.6): read whole, and written.
//!
//! All commands and all descriptors are read; what is reserved or private is kept as bytes. Two maintained crates read
//! sections, and this module stands in their place: of the collected messages that it is tested by, `scte35` 0.2.0
//! refuses six that must be read (a command length of 0xFFF, `splice_schedule`, `bandwidth_reservation`, encrypted
//! sections, bytes behind the section), and `scte35-splice` 4.0.0 one (0xFFF with stuffing).
//!
//! Tolerant where senders are known to err: a command length of 0xFFF is found by reading the command, bytes behind the
//! section and stuffing are let be, a damaged descriptor is kept as [`Descriptor::Malformed`] and costs nothing but
//! itself, base64 may lack its padding. Not tolerant of a wrong CRC: then no field can be believed.

mod command;
mod descriptor;
mod fields;
mod segmentation;
mod text;

pub use command::{
    BreakDuration, Command, Component, Insert, InsertPoint, Schedule, Scheduled, ScheduledPoint, SpliceInsert,
};
pub use descriptor::{AudioComponent, CUEI, Descriptor};
pub use segmentation::{
    Delivery, Segmentation, SegmentationComponent, SegmentationType, Segmented, SubSegments, Upid,
};
pub use text::{from_base64, from_hex, section, to_base64, to_hex};

use fields::{Fields, Writer, crc32};

use crate::time::Pts;

/// Scheme of a section as it stands in a transport stream.
pub const BINARY: &str = "urn:scte:scte35:2013:bin";
/// Scheme of a section in base64 inside an XML `Signal`.
pub const XML_BINARY: &str = "urn:scte:scte35:2014:xml+bin";

/// A `splice_info_section`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// `section_syntax_indicator`: 0 in every section that follows the standard.
    pub has_section_syntax: bool,
    /// `private_indicator`: 0 in every section that follows the standard.
    pub is_private: bool,
    /// `sap_type`, 0 to 3; 3 is "not said".
    pub sap_type: u8,
    /// `protocol_version`: 0.
    pub protocol_version: u8,
    /// `pts_adjustment`, which every `pts_time` is to be moved by.
    pub pts_adjustment: Pts,
    /// `cw_index`: which control word it is encrypted by.
    pub cw_index: u8,
    /// `tier`, of 12 bits; 0xFFF is "all".
    pub tier: u16,
    /// The command and what goes with it.
    pub body: Body,
}

/// What follows the header of a section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// A command and its descriptors.
    Clear {
        /// The command.
        command: Command,
        /// `splice_command_length` was 0xFFF, as senders from before it was defined have it.
        has_legacy_length: bool,
        /// Its descriptors.
        descriptors: Vec<Descriptor>,
        /// `alignment_stuffing`.
        stuffing: Vec<u8>,
    },
    /// Nothing but bytes, without the key.
    Encrypted {
        /// `encryption_algorithm`, of 6 bits.
        algorithm: u8,
        /// `splice_command_length`, of 12 bits: of the command once it is decrypted.
        command_length: u16,
        /// From `splice_command_type` on, up to the CRC.
        bytes: Vec<u8>,
    },
}

/// Why bytes are no splice information section, and where; or why one cannot be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The section ends inside a field.
    #[error("the section ends at byte {at}, inside {field}")]
    Truncated {
        /// The field's name in the standard.
        field: &'static str,
        /// Where in the section the bytes end.
        at: usize,
    },
    /// The first byte is not `table_id` 0xFC.
    #[error("byte 0: table_id is {found:#04x}, not 0xfc")]
    TableId {
        /// What stands there.
        found: u8,
    },
    /// `section_length` goes past the bytes.
    #[error("byte 1: section_length says {said} bytes, and there are {available}")]
    SectionLength {
        /// What it says.
        said: usize,
        /// What follows it.
        available: usize,
    },
    /// `splice_command_length` goes past the section.
    #[error("byte 11: splice_command_length says {said} bytes, and there are {available}")]
    CommandLength {
        /// What it says.
        said: usize,
        /// What follows it.
        available: usize,
    },
    /// A command of a reserved type that has no length: where it ends cannot be found.
    #[error("byte 13: a command of type {kind:#04x} without a length")]
    UnknownExtent {
        /// `splice_command_type`.
        kind: u8,
    },
    /// `descriptor_loop_length` goes past the section.
    #[error("byte {at}: descriptor_loop_length says {said} bytes, and there are {available}")]
    LoopLength {
        /// Where it stands.
        at: usize,
        /// What it says.
        said: usize,
        /// What follows it.
        available: usize,
    },
    /// `CRC_32` does not fit the bytes.
    #[error("CRC_32 is {said:08x}, and the bytes give {computed:08x}")]
    Crc {
        /// What stands there.
        said: u32,
        /// What it should be.
        computed: u32,
    },
    /// The text is not base64.
    #[error("not base64")]
    Base64,
    /// The text is not an even number of hexadecimal digits.
    #[error("not hexadecimal: expected an even number of digits")]
    Hex,
    /// What is to be written has no room in its field.
    #[error("{field} has no room for {value}")]
    TooLarge {
        /// The field's name in the standard.
        field: &'static str,
        /// What was to be written.
        value: u64,
    },
}

impl Section {
    /// A section that says nothing of itself but its command and descriptors.
    pub const fn new(command: Command, descriptors: Vec<Descriptor>) -> Self {
        Self {
            has_section_syntax: false,
            is_private: false,
            sap_type: 3,
            protocol_version: 0,
            pts_adjustment: Pts::new(0),
            cw_index: 0,
            tier: ALL_TIERS,
            body: Body::Clear {
                command,
                has_legacy_length: false,
                descriptors,
                stuffing: Vec::new(),
            },
        }
    }

    /// How many bytes a section has whose first bytes these are, `section_length` among them; `None` where it is not.
    pub fn length_of(bytes: &[u8]) -> Option<usize> {
        let length = bytes.get(1..3)?.first_chunk::<2>()?;
        Some(3 + usize::from(u16::from_be_bytes(*length) & 0xfff))
    }

    /// Reads a section; bytes behind it are ignored (SCTE 35 9.6.1: a transport packet is filled up with 0xFF).
    ///
    /// # Errors
    /// [`Error`] when it is none, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let truncated = Error::Truncated {
            field: "section_length",
            at: bytes.len(),
        };
        let length = Self::length_of(bytes).ok_or(truncated)?;
        if let Some(found) = bytes.first().copied().filter(|id| *id != TABLE_ID) {
            return Err(Error::TableId { found });
        }
        let section = bytes.get(..length).ok_or(Error::SectionLength {
            said: length - 3,
            available: bytes.len() - 3,
        })?;
        let truncated = Error::Truncated {
            field: "CRC_32",
            at: length,
        };
        let (body, crc) = section.split_last_chunk::<4>().ok_or(truncated)?;
        let (said, computed) = (u32::from_be_bytes(*crc), crc32(body));
        if said != computed {
            return Err(Error::Crc { said, computed });
        }
        read(&mut Fields::new(body))
    }

    /// Writes the section; reserved bits are 1.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when a value or the whole has no room.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut inner = Writer::default();
        self.write(&mut inner)?;
        let inner = inner.into_bytes();
        // The CRC is counted by section_length.
        let length = inner.len() + 4;
        if length > MAX_SECTION_LENGTH {
            return Err(too_large("section_length", length));
        }
        let flags = u64::from(self.has_section_syntax) << 15 | u64::from(self.is_private) << 14;
        let mut writer = Writer::default();
        writer.bits(8, u64::from(TABLE_ID));
        let sap_type = within("sap_type", u64::from(self.sap_type), 2)?;
        writer.bits(16, flags | sap_type << 12 | length as u64);
        writer.bytes(&inner);
        let crc = crc32(writer.as_bytes());
        writer.bits(32, u64::from(crc));
        Ok(writer.into_bytes())
    }

    /// What a `pts_time` of this section is once it is adjusted (SCTE 35 9.6.1).
    pub const fn effective(&self, time: Pts) -> Pts {
        time.plus(self.pts_adjustment)
    }

    /// The command; `None` in an encrypted section.
    pub const fn command(&self) -> Option<&Command> {
        match &self.body {
            Body::Clear { command, .. } => Some(command),
            Body::Encrypted { .. } => None,
        }
    }

    /// The descriptors; none in an encrypted section.
    pub fn descriptors(&self) -> &[Descriptor] {
        match &self.body {
            Body::Clear { descriptors, .. } => descriptors,
            Body::Encrypted { .. } => &[],
        }
    }

    /// From `protocol_version` on, up to the CRC.
    fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        writer.bits(8, u64::from(self.protocol_version));
        let tier = within("tier", u64::from(self.tier), 12)?;
        let first = self.pts_adjustment.ticks();
        match &self.body {
            Body::Encrypted {
                algorithm,
                command_length,
                bytes,
            } => {
                let algorithm = within("encryption_algorithm", u64::from(*algorithm), 6)?;
                let length = within("splice_command_length", u64::from(*command_length), 12)?;
                writer.bits(40, 1 << 39 | algorithm << 33 | first);
                writer.bits(8, u64::from(self.cw_index));
                writer.bits(24, tier << 12 | length);
                writer.bytes(bytes);
            }
            Body::Clear {
                command,
                has_legacy_length,
                descriptors,
                stuffing,
            } => {
                writer.bits(40, first);
                writer.bits(8, u64::from(self.cw_index));
                let mut written = Writer::default();
                command.write(&mut written)?;
                let written = written.into_bytes();
                // 0xFFF itself means "not said".
                if written.len() >= UNNAMED {
                    return Err(too_large("splice_command_length", written.len()));
                }
                let length = if *has_legacy_length {
                    UNNAMED
                } else {
                    written.len()
                };
                writer.bits(24, tier << 12 | length as u64);
                writer.bits(8, u64::from(command.kind()));
                writer.bytes(&written);
                let mut loops = Writer::default();
                for descriptor in descriptors {
                    descriptor.write(&mut loops)?;
                }
                let loops = loops.into_bytes();
                writer.bits(16, within("descriptor_loop_length", loops.len() as u64, 16)?);
                writer.bytes(&loops);
                writer.bytes(stuffing);
            }
        }
        Ok(())
    }
}

fn read(fields: &mut Fields<'_>) -> Result<Section, Error> {
    let head = fields.bits(24, "section_length")?;
    let protocol_version = fields.byte("protocol_version")?;
    let first = fields.bits(40, "pts_adjustment")?;
    let cw_index = fields.byte("cw_index")?;
    let lengths = fields.bits(24, "splice_command_length")?;
    let command_length = low_u16(lengths, 0xfff);
    let body = if first >> 39 == 1 {
        Body::Encrypted {
            algorithm: low_u8(first >> 33, 0x3f),
            command_length,
            bytes: fields.rest().to_vec(),
        }
    } else {
        read_clear(fields, usize::from(command_length))?
    };
    Ok(Section {
        has_section_syntax: head >> 15 & 1 == 1,
        is_private: head >> 14 & 1 == 1,
        sap_type: low_u8(head >> 12, 3),
        protocol_version,
        pts_adjustment: Pts::new(first),
        cw_index,
        tier: low_u16(lengths >> 12, 0xfff),
        body,
    })
}

fn read_clear(fields: &mut Fields<'_>, length: usize) -> Result<Body, Error> {
    let kind = fields.byte("splice_command_type")?;
    let has_legacy_length = length == UNNAMED;
    let command = if has_legacy_length {
        // Written before the field was: the command ends where its own fields do.
        Command::read(fields, kind)?.ok_or(Error::UnknownExtent { kind })?
    } else {
        let available = fields.left();
        let mut inner = fields.split(length).ok_or(Error::CommandLength {
            said: length,
            available,
        })?;
        match Command::read(&mut inner, kind)? {
            Some(command) => command,
            None => Command::of_bytes(kind, &mut inner)?,
        }
    };
    let at = fields.at();
    let said = usize::from(low_u16(fields.bits(16, "descriptor_loop_length")?, 0xffff));
    let available = fields.left();
    let loops = fields
        .split(said)
        .ok_or(Error::LoopLength { at, said, available })?;
    Ok(Body::Clear {
        command,
        has_legacy_length,
        descriptors: Descriptor::read_all(loops),
        stuffing: fields.rest().to_vec(),
    })
}

/// The low bits of a field, which fit.
fn low_u8(bits: u64, mask: u8) -> u8 {
    u8::try_from(bits & u64::from(mask)).unwrap_or(mask)
}

fn low_u16(bits: u64, mask: u16) -> u16 {
    u16::try_from(bits & u64::from(mask)).unwrap_or(mask)
}

/// The value, if it has no more bits than its field.
fn within(field: &'static str, value: u64, bits: u32) -> Result<u64, Error> {
    if value >> bits == 0 {
        Ok(value)
    } else {
        Err(Error::TooLarge { field, value })
    }
}

fn too_large(field: &'static str, length: usize) -> Error {
    Error::TooLarge {
        field,
        value: length as u64,
    }
}

const TABLE_ID: u8 = 0xfc;
const ALL_TIERS: u16 = 0xfff;
const MAX_SECTION_LENGTH: usize = 4093;
/// `splice_command_length` of messages from before the field was.
const UNNAMED: usize = 0xfff;
