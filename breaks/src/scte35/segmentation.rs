//! `segmentation_descriptor()` (SCTE 35 10.3.3): what begins and ends where a `time_signal` points.

use super::{
    Error,
    fields::{Fields, Writer},
    low_u8, within,
};
use crate::time::{Pts, Ticks};

/// `segmentation_descriptor()`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segmentation {
    /// `segmentation_event_id`.
    pub event_id: u32,
    /// `segmentation_event_id_compliance_indicator` as the bit it is: 0 follows the rule for unique ids.
    pub event_id_compliance_bit: bool,
    /// What it says; `None` cancels what the event announced.
    pub event: Option<Segmented>,
}

/// A `segmentation_descriptor()` that is no cancellation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segmented {
    /// Components that begin at times of their own (deprecated); `None` is the whole programme.
    pub components: Option<Vec<SegmentationComponent>>,
    /// `segmentation_duration`, of 40 bits.
    pub duration: Option<Ticks>,
    /// Where it may not be delivered; `None` is "not restricted".
    pub delivery: Option<Delivery>,
    /// What it is about.
    pub upid: Upid,
    /// `segmentation_type_id`.
    pub kind: SegmentationType,
    /// `segment_num`.
    pub segment_num: u8,
    /// `segments_expected`.
    pub segments_expected: u8,
    /// For types that have them, and where they were sent.
    pub sub_segments: Option<SubSegments>,
}

/// A component and by how much it is later than the section's time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentationComponent {
    /// `component_tag`.
    pub tag: u8,
    /// `pts_offset`, which `pts_adjustment` does not move.
    pub pts_offset: Pts,
}

/// Restrictions of delivery, as the bits they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// `web_delivery_allowed_flag`.
    pub is_web_allowed: bool,
    /// `no_regional_blackout_flag`.
    pub has_no_regional_blackout: bool,
    /// `archive_allowed_flag`.
    pub is_archive_allowed: bool,
    /// `device_restrictions`, of 2 bits: group 0, 1 or 2 is restricted, 3 is none.
    pub device_restrictions: u8,
}

/// `sub_segment_num` and `sub_segments_expected`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubSegments {
    /// Which it is.
    pub num: u8,
    /// Of how many.
    pub expected: u8,
}

/// `segmentation_upid()`: what the segmentation is about, in somebody's register.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Upid {
    /// `segmentation_upid_type` (SCTE 35 table 22).
    pub kind: u8,
    /// The identifier as it stands. Never to be taken for UTF-8.
    pub bytes: Vec<u8>,
}

/// `segmentation_type_id` (SCTE 35 table 23).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SegmentationType(pub u8);

impl Segmentation {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let event_id = fields.bits(32, "segmentation_event_id")?;
        let flags = fields.byte("segmentation_event_cancel_indicator")?;
        let event = if flags & 0x80 != 0 {
            None
        } else {
            Some(Segmented::read(fields)?)
        };
        Ok(Self {
            event_id: u32::try_from(event_id).unwrap_or_default(),
            event_id_compliance_bit: flags & 0x40 != 0,
            event,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        writer.bits(32, u64::from(self.event_id));
        let compliance = u64::from(self.event_id_compliance_bit) << 6 | 0x3f;
        let Some(event) = &self.event else {
            writer.bits(8, 0x80 | compliance);
            return Ok(());
        };
        writer.bits(8, compliance);
        event.write(writer)
    }
}

impl Segmented {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let flags = fields.byte("program_segmentation_flag")?;
        let components = if flags & 0x80 == 0 {
            let count = fields.byte("component_count")?;
            let components = (0..count).map(|_| {
                Ok(SegmentationComponent {
                    tag: fields.byte("component_tag")?,
                    pts_offset: Pts::new(fields.bits(40, "pts_offset")?),
                })
            });
            Some(components.collect::<Result<_, Error>>()?)
        } else {
            None
        };
        let duration = if flags & 0x40 != 0 {
            Some(Ticks(fields.bits(40, "segmentation_duration")?))
        } else {
            None
        };
        let delivery = (flags & 0x20 == 0).then(|| Delivery {
            is_web_allowed: flags & 0x10 != 0,
            has_no_regional_blackout: flags & 0x08 != 0,
            is_archive_allowed: flags & 0x04 != 0,
            device_restrictions: low_u8(u64::from(flags), 3),
        });
        let upid_kind = fields.byte("segmentation_upid_type")?;
        let length = fields.byte("segmentation_upid_length")?;
        let upid = Upid {
            kind: upid_kind,
            bytes: fields.take(usize::from(length), "segmentation_upid")?.to_vec(),
        };
        let kind = SegmentationType(fields.byte("segmentation_type_id")?);
        let segment_num = fields.byte("segment_num")?;
        let segments_expected = fields.byte("segments_expected")?;
        // Senders from before 2016 do not write them.
        let sub_segments = if kind.has_sub_segments() && fields.left() >= 2 {
            Some(SubSegments {
                num: fields.byte("sub_segment_num")?,
                expected: fields.byte("sub_segments_expected")?,
            })
        } else {
            None
        };
        Ok(Self {
            components,
            duration,
            delivery,
            upid,
            kind,
            segment_num,
            segments_expected,
            sub_segments,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        let delivery = match self.delivery {
            None => 0x3f,
            Some(delivery) => {
                u64::from(delivery.is_web_allowed) << 4
                    | u64::from(delivery.has_no_regional_blackout) << 3
                    | u64::from(delivery.is_archive_allowed) << 2
                    | within("device_restrictions", u64::from(delivery.device_restrictions), 2)?
            }
        };
        let is_program = self.components.is_none();
        writer.bits(
            8,
            u64::from(is_program) << 7 | u64::from(self.duration.is_some()) << 6 | delivery,
        );
        if let Some(components) = &self.components {
            writer.bits(8, within("component_count", components.len() as u64, 8)?);
            for component in components {
                writer.bits(8, u64::from(component.tag));
                writer.bits(40, 0x7f << 33 | component.pts_offset.ticks());
            }
        }
        if let Some(duration) = self.duration {
            writer.bits(40, within("segmentation_duration", duration.0, 40)?);
        }
        writer.bits(8, u64::from(self.upid.kind));
        let length = self.upid.bytes.len() as u64;
        writer.bits(8, within("segmentation_upid_length", length, 8)?);
        writer.bytes(&self.upid.bytes);
        for byte in [self.kind.0, self.segment_num, self.segments_expected] {
            writer.bits(8, u64::from(byte));
        }
        if let Some(sub) = self.sub_segments.filter(|_| self.kind.has_sub_segments()) {
            writer.bits(8, u64::from(sub.num));
            writer.bits(8, u64::from(sub.expected));
        }
        Ok(())
    }
}

impl Upid {
    /// The identifier as text, for the types that are text and where it is printable ASCII.
    pub fn text(&self) -> Option<&str> {
        let is_text = matches!(self.kind, 0x01 | 0x02 | 0x03 | 0x07 | 0x09 | 0x0e | 0x0f | 0x11);
        let is_printable = self.bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
        (is_text && is_printable)
            .then(|| core::str::from_utf8(&self.bytes).ok())
            .flatten()
    }

    /// The identifiers within one of type MID (0x0D), as far as they can be read; none for other types.
    pub fn several(&self) -> Vec<Self> {
        let mut identifiers = Vec::new();
        let mut rest = if self.kind == 0x0d {
            self.bytes.as_slice()
        } else {
            &[]
        };
        while let [kind, length, after @ ..] = rest {
            let Some((bytes, next)) = after.split_at_checked(usize::from(*length)) else {
                break;
            };
            identifiers.push(Self {
                kind: *kind,
                bytes: bytes.to_vec(),
            });
            rest = next;
        }
        identifiers
    }

    /// `format_identifier` and what follows it, of one of type MPU (0x0C).
    pub fn private(&self) -> Option<([u8; 4], &[u8])> {
        let (format, rest) = self.bytes.split_first_chunk::<4>()?;
        (self.kind == 0x0c).then_some((*format, rest))
    }
}

impl SegmentationType {
    /// Whether a descriptor of this type may count sub-segments.
    pub const fn has_sub_segments(self) -> bool {
        matches!(self.0, 0x30 | 0x32 | 0x34 | 0x36 | 0x38 | 0x3a | 0x44 | 0x46)
    }

    /// The type that begins what this one ends; `None` where it ends nothing.
    pub const fn begin(self) -> Option<Self> {
        match self.0 {
            0x11 | 0x21 | 0x23 | 0x25 | 0x27 | 0x31 | 0x33 | 0x35 | 0x37 | 0x39 | 0x3b | 0x3d | 0x3f
            | 0x41 | 0x43 | 0x45 | 0x47 | 0x51 => Some(Self(self.0 - 1)),
            _ => None,
        }
    }

    /// Whether the programme may be left for what begins with this type: a break, advertisements, promotions, and
    /// opportunities and blocks of them, but no overlay.
    pub const fn can_open_a_break(self) -> bool {
        matches!(
            self.0,
            0x22 | 0x30 | 0x32 | 0x34 | 0x36 | 0x3c | 0x3e | 0x44 | 0x46
        )
    }

    /// A short name. What may be a break has one name for its begin and its end.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x00 => "not_indicated",
            0x01 => "content_identification",
            0x02 => "private",
            0x10 => "program_start",
            0x11 => "program_end",
            0x12 => "program_early_termination",
            0x13 => "program_breakaway",
            0x14 => "program_resumption",
            0x15 => "program_runover_planned",
            0x16 => "program_runover_unplanned",
            0x17 => "program_overlap_start",
            0x18 => "program_blackout_override",
            0x19 => "program_join",
            0x1a => "program_immediate_resumption",
            0x20 => "chapter_start",
            0x21 => "chapter_end",
            0x22 | 0x23 => "break",
            0x24 => "opening_credit_start",
            0x25 => "opening_credit_end",
            0x26 => "closing_credit_start",
            0x27 => "closing_credit_end",
            0x30 | 0x31 => "provider_ad",
            0x32 | 0x33 => "distributor_ad",
            0x34 | 0x35 => "provider_po",
            0x36 | 0x37 => "distributor_po",
            0x38 | 0x39 => "provider_overlay_po",
            0x3a | 0x3b => "distributor_overlay_po",
            0x3c | 0x3d => "provider_promo",
            0x3e | 0x3f => "distributor_promo",
            0x40 => "unscheduled_event_start",
            0x41 => "unscheduled_event_end",
            0x42 => "alternate_content_opportunity_start",
            0x43 => "alternate_content_opportunity_end",
            0x44 | 0x45 => "provider_ad_block",
            0x46 | 0x47 => "distributor_ad_block",
            0x50 => "network_start",
            0x51 => "network_end",
            _ => "reserved",
        }
    }
}
