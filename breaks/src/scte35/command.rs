//! Splice commands (SCTE 35 9.7).

use super::{
    Error,
    fields::{Fields, Writer},
    low_u16, within,
};
use crate::time::{Pts, Ticks};

/// What a section asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// `splice_null`: a heartbeat, or a carrier of descriptors.
    Null,
    /// `splice_schedule`: splices by the wall clock.
    Schedule(Vec<Schedule>),
    /// `splice_insert`.
    Insert(SpliceInsert),
    /// `time_signal`: a moment for what the descriptors say; `None` is at once.
    TimeSignal(Option<Pts>),
    /// `bandwidth_reservation`.
    BandwidthReservation,
    /// `private_command`.
    Private {
        /// Whose it is.
        identifier: u32,
        /// What it says.
        bytes: Vec<u8>,
    },
    /// A type that is reserved.
    Reserved {
        /// `splice_command_type`.
        kind: u8,
        /// What it says.
        bytes: Vec<u8>,
    },
}

/// `splice_insert()`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpliceInsert {
    /// `splice_event_id`.
    pub event_id: u32,
    /// What it asks for; `None` cancels what the event announced.
    pub event: Option<Insert>,
}

/// A `splice_insert()` that is no cancellation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Insert {
    /// `out_of_network_indicator`: the programme is left, not come back to.
    pub is_out: bool,
    /// `event_id_compliance_flag` as the bit it is: 0 follows the rule for unique ids.
    pub event_id_compliance_bit: bool,
    /// Where.
    pub point: InsertPoint,
    /// For how long.
    pub duration: Option<BreakDuration>,
    /// `unique_program_id`.
    pub unique_program_id: u16,
    /// `avail_num`.
    pub avail_num: u8,
    /// `avails_expected`.
    pub avails_expected: u8,
}

/// Where a splice is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InsertPoint {
    /// `splice_immediate_flag`: at once.
    Immediate,
    /// The whole programme, at a time; `None` is at once.
    Program(Option<Pts>),
    /// Components at times of their own (deprecated).
    Components(Vec<Component>),
    /// Components at once (deprecated): their `component_tag`s.
    ImmediateComponents(Vec<u8>),
}

/// A component and its splice time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Component {
    /// `component_tag`.
    pub tag: u8,
    /// Its `splice_time`; `None` is at once.
    pub time: Option<Pts>,
}

/// `break_duration()`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakDuration {
    /// The break ends by itself.
    pub auto_return: bool,
    /// How long it is, of 33 bits.
    pub duration: Ticks,
}

/// An event of a `splice_schedule()`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// `splice_event_id`.
    pub event_id: u32,
    /// `event_id_compliance_flag` as the bit it is: 0 follows the rule for unique ids.
    pub event_id_compliance_bit: bool,
    /// What it asks for; `None` cancels what the event announced.
    pub event: Option<Scheduled>,
}

/// An event of a `splice_schedule()` that is no cancellation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scheduled {
    /// `out_of_network_indicator`.
    pub is_out: bool,
    /// When.
    pub point: ScheduledPoint,
    /// For how long.
    pub duration: Option<BreakDuration>,
    /// `unique_program_id`.
    pub unique_program_id: u16,
    /// `avail_num`.
    pub avail_num: u8,
    /// `avails_expected`.
    pub avails_expected: u8,
}

/// When a scheduled splice is, in seconds since 1980-01-06T00:00:00Z with leap seconds counted (`utc_splice_time`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScheduledPoint {
    /// The whole programme.
    Program(u32),
    /// Components: `component_tag` and time of each (deprecated).
    Components(Vec<(u8, u32)>),
}

impl Command {
    /// `splice_command_type`.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Schedule(_) => 4,
            Self::Insert(_) => 5,
            Self::TimeSignal(_) => 6,
            Self::BandwidthReservation => 7,
            Self::Private { .. } => 0xff,
            Self::Reserved { kind, .. } => *kind,
        }
    }

    /// Reads a command whose own fields say where it ends; `None` for the others.
    pub(super) fn read(fields: &mut Fields<'_>, kind: u8) -> Result<Option<Self>, Error> {
        Ok(Some(match kind {
            0 => Self::Null,
            4 => Self::Schedule(read_schedule(fields)?),
            5 => Self::Insert(read_insert(fields)?),
            6 => Self::TimeSignal(read_time(fields)?),
            7 => Self::BandwidthReservation,
            _ => return Ok(None),
        }))
    }

    /// A command that is nothing but bytes.
    pub(super) fn of_bytes(kind: u8, fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(match kind {
            0xff => Self::Private {
                identifier: read_u32(fields, "identifier")?,
                bytes: fields.rest().to_vec(),
            },
            kind => Self::Reserved {
                kind,
                bytes: fields.rest().to_vec(),
            },
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        match self {
            Self::Null | Self::BandwidthReservation => {}
            Self::Schedule(events) => write_schedule(writer, events)?,
            Self::Insert(insert) => write_insert(writer, insert)?,
            Self::TimeSignal(time) => write_time(writer, *time),
            Self::Private { identifier, bytes } => {
                writer.bits(32, u64::from(*identifier));
                writer.bytes(bytes);
            }
            Self::Reserved { bytes, .. } => writer.bytes(bytes),
        }
        Ok(())
    }
}

fn read_insert(fields: &mut Fields<'_>) -> Result<SpliceInsert, Error> {
    let event_id = read_u32(fields, "splice_event_id")?;
    if fields.byte("splice_event_cancel_indicator")? & 0x80 != 0 {
        let event = None;
        return Ok(SpliceInsert { event_id, event });
    }
    let flags = fields.byte("out_of_network_indicator")?;
    let (is_program, is_immediate) = (flags & 0x40 != 0, flags & 0x10 != 0);
    let point = match (is_program, is_immediate) {
        (true, true) => InsertPoint::Immediate,
        (true, false) => InsertPoint::Program(read_time(fields)?),
        (false, true) => {
            let count = fields.byte("component_count")?;
            InsertPoint::ImmediateComponents(fields.take(usize::from(count), "component_tag")?.to_vec())
        }
        (false, false) => {
            let count = fields.byte("component_count")?;
            let components = (0..count).map(|_| {
                Ok(Component {
                    tag: fields.byte("component_tag")?,
                    time: read_time(fields)?,
                })
            });
            InsertPoint::Components(components.collect::<Result<_, _>>()?)
        }
    };
    let duration = if flags & 0x20 != 0 {
        Some(read_duration(fields)?)
    } else {
        None
    };
    let event = Insert {
        is_out: flags & 0x80 != 0,
        event_id_compliance_bit: flags & 0x08 != 0,
        point,
        duration,
        unique_program_id: low_u16(fields.bits(16, "unique_program_id")?, 0xffff),
        avail_num: fields.byte("avail_num")?,
        avails_expected: fields.byte("avails_expected")?,
    };
    Ok(SpliceInsert {
        event_id,
        event: Some(event),
    })
}

fn write_insert(writer: &mut Writer, insert: &SpliceInsert) -> Result<(), Error> {
    writer.bits(32, u64::from(insert.event_id));
    let Some(event) = &insert.event else {
        writer.bits(8, 0xff);
        return Ok(());
    };
    let is_program = matches!(event.point, InsertPoint::Immediate | InsertPoint::Program(_));
    let is_immediate = matches!(
        event.point,
        InsertPoint::Immediate | InsertPoint::ImmediateComponents(_)
    );
    writer.bits(8, 0x7f);
    writer.bits(
        8,
        u64::from(event.is_out) << 7
            | u64::from(is_program) << 6
            | u64::from(event.duration.is_some()) << 5
            | u64::from(is_immediate) << 4
            | u64::from(event.event_id_compliance_bit) << 3
            | 0x07,
    );
    match &event.point {
        InsertPoint::Immediate => {}
        InsertPoint::Program(time) => write_time(writer, *time),
        InsertPoint::Components(components) => {
            writer.bits(8, within("component_count", components.len() as u64, 8)?);
            for component in components {
                writer.bits(8, u64::from(component.tag));
                write_time(writer, component.time);
            }
        }
        InsertPoint::ImmediateComponents(tags) => {
            writer.bits(8, within("component_count", tags.len() as u64, 8)?);
            writer.bytes(tags);
        }
    }
    write_end(
        writer,
        event.duration,
        (event.unique_program_id, event.avail_num, event.avails_expected),
    )
}

fn read_schedule(fields: &mut Fields<'_>) -> Result<Vec<Schedule>, Error> {
    let count = fields.byte("splice_count")?;
    (0..count)
        .map(|_| {
            let event_id = read_u32(fields, "splice_event_id")?;
            let flags = fields.byte("splice_event_cancel_indicator")?;
            let event = if flags & 0x80 != 0 {
                None
            } else {
                Some(read_scheduled(fields)?)
            };
            Ok(Schedule {
                event_id,
                event_id_compliance_bit: flags & 0x40 != 0,
                event,
            })
        })
        .collect()
}

fn read_scheduled(fields: &mut Fields<'_>) -> Result<Scheduled, Error> {
    let flags = fields.byte("out_of_network_indicator")?;
    let point = if flags & 0x40 != 0 {
        ScheduledPoint::Program(read_u32(fields, "utc_splice_time")?)
    } else {
        let count = fields.byte("component_count")?;
        let components = (0..count).map(|_| {
            let tag = fields.byte("component_tag")?;
            Ok((tag, read_u32(fields, "utc_splice_time")?))
        });
        ScheduledPoint::Components(components.collect::<Result<_, Error>>()?)
    };
    let duration = if flags & 0x20 != 0 {
        Some(read_duration(fields)?)
    } else {
        None
    };
    Ok(Scheduled {
        is_out: flags & 0x80 != 0,
        point,
        duration,
        unique_program_id: low_u16(fields.bits(16, "unique_program_id")?, 0xffff),
        avail_num: fields.byte("avail_num")?,
        avails_expected: fields.byte("avails_expected")?,
    })
}

fn write_schedule(writer: &mut Writer, events: &[Schedule]) -> Result<(), Error> {
    writer.bits(8, within("splice_count", events.len() as u64, 8)?);
    for one in events {
        writer.bits(32, u64::from(one.event_id));
        let compliance = u64::from(one.event_id_compliance_bit) << 6 | 0x3f;
        let Some(event) = &one.event else {
            writer.bits(8, 0x80 | compliance);
            continue;
        };
        writer.bits(8, compliance);
        let is_program = matches!(event.point, ScheduledPoint::Program(_));
        writer.bits(
            8,
            u64::from(event.is_out) << 7
                | u64::from(is_program) << 6
                | u64::from(event.duration.is_some()) << 5
                | 0x1f,
        );
        match &event.point {
            ScheduledPoint::Program(time) => writer.bits(32, u64::from(*time)),
            ScheduledPoint::Components(components) => {
                writer.bits(8, within("component_count", components.len() as u64, 8)?);
                for (tag, time) in components {
                    writer.bits(8, u64::from(*tag));
                    writer.bits(32, u64::from(*time));
                }
            }
        }
        write_end(
            writer,
            event.duration,
            (event.unique_program_id, event.avail_num, event.avails_expected),
        )?;
    }
    Ok(())
}

/// `splice_time()`: `None` names no time.
fn read_time(fields: &mut Fields<'_>) -> Result<Option<Pts>, Error> {
    let first = fields.byte("time_specified_flag")?;
    if first & 0x80 == 0 {
        return Ok(None);
    }
    let low = fields.bits(32, "pts_time")?;
    Ok(Some(Pts::new(u64::from(first & 1) << 32 | low)))
}

fn write_time(writer: &mut Writer, time: Option<Pts>) {
    match time {
        None => writer.bits(8, 0x7f),
        Some(time) => writer.bits(40, 0xfe << 32 | time.ticks()),
    }
}

fn read_duration(fields: &mut Fields<'_>) -> Result<BreakDuration, Error> {
    let read = fields.bits(40, "break_duration")?;
    Ok(BreakDuration {
        auto_return: read >> 39 == 1,
        duration: Ticks(read & ((1 << 33) - 1)),
    })
}

/// What both kinds of splices end with: duration, `unique_program_id`, `avail_num`, `avails_expected`.
fn write_end(
    writer: &mut Writer,
    duration: Option<BreakDuration>,
    avail: (u16, u8, u8),
) -> Result<(), Error> {
    if let Some(lasts) = duration {
        let ticks = within("break_duration", lasts.duration.0, 33)?;
        writer.bits(40, u64::from(lasts.auto_return) << 39 | 0x3f << 33 | ticks);
    }
    writer.bits(16, u64::from(avail.0));
    writer.bits(8, u64::from(avail.1));
    writer.bits(8, u64::from(avail.2));
    Ok(())
}

fn read_u32(fields: &mut Fields<'_>, field: &'static str) -> Result<u32, Error> {
    let read = fields.bits(32, field)?;
    Ok(u32::try_from(read).unwrap_or_default())
}
