//! What a splice information section says of breaks.

use serde::{Deserialize, Serialize};

use crate::{
    cue::{Ask, Cue, Source, When},
    key::Key,
    scte35::{
        BreakDuration, Command, Descriptor, Insert, InsertPoint, Schedule, ScheduledPoint, Section,
        Segmentation, SegmentationType, SpliceInsert,
    },
    time::{Micros, Pts, Ticks, UnixMicros},
};

/// One thing that a section says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    /// Which event it is about.
    pub key: Key,
    /// What is to happen.
    pub action: Action,
    /// When.
    pub time: Time,
    /// For how long, where it says so. Of a break, zero is a point at which ads may be inserted, and replaces nothing.
    pub duration: Option<Ticks>,
    /// Whether a break ends by itself after `duration`; `None` where the message cannot say.
    pub auto_return: Option<bool>,
    /// The segmentation, where it is one.
    pub segment: Option<Segment>,
}

/// What is to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// A break begins.
    Out,
    /// A break ends.
    In,
    /// What this event announced is void.
    Cancel,
    /// Of the programme, its chapters and such; or of what the operator opens no break for.
    Info,
}

/// When a signal is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Time {
    /// At once: where the message stands in the feed.
    Immediate,
    /// At a time of the feed's clock, adjusted.
    At(Pts),
    /// At a time of the wall clock, in seconds since 1980-01-06T00:00:00Z with leap seconds counted.
    Gps(u32),
}

/// Which segmentation a signal is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// `segmentation_type_id`.
    pub kind: SegmentationType,
    /// `segment_num`.
    pub num: u8,
    /// `segments_expected`.
    pub expected: u8,
}

/// Why a section is not to be acted on at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// What it says is encrypted.
    #[error("the section is encrypted")]
    Encrypted,
}

/// Which messages open a break: the operator's choice.
///
/// By default `splice_insert`, and segmentations of a break, of an advertisement, of an opportunity to place some, and
/// of an ad block, of provider and distributor. An overlay leaves the programme on air, and never opens one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "OpenerNames", into = "OpenerNames")]
pub struct Openers {
    /// Whether `splice_insert` does.
    has_splice_insert: bool,
    /// A bit for each `segmentation_type_id` below 128.
    segmentations: u128,
}

/// A time of the feed's clock, and when it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clock {
    /// A time of an access unit of the same encoder session as the signals.
    pub pts: Pts,
    /// When in the programme that unit is shown.
    pub wall: UnixMicros,
}

impl Signal {
    /// All that a section says of breaks and programme, in its own order.
    ///
    /// # Errors
    /// [`Ignored`] when nothing may be done about it.
    pub fn read(section: &Section, openers: Openers) -> Result<Vec<Self>, Ignored> {
        let command = section.command().ok_or(Ignored::Encrypted)?;
        Ok(match command {
            Command::Insert(insert) => vec![Self::of_insert(section, insert, openers)],
            Command::Schedule(events) => events
                .iter()
                .map(|event| Self::of_schedule(event, openers))
                .collect(),
            Command::TimeSignal(time) => {
                let time = time.map_or(Time::Immediate, |time| Time::At(section.effective(time)));
                let descriptors = section.descriptors().iter();
                descriptors
                    .filter_map(|descriptor| match descriptor {
                        Descriptor::Segmentation(one) => Some(Self::of_segmentation(one, time, openers)),
                        _ => None,
                    })
                    .collect()
            }
            Command::Null
            | Command::BandwidthReservation
            | Command::Private { .. }
            | Command::Reserved { .. } => Vec::new(),
        })
    }

    /// What the message as a whole is: leaving the programme goes before coming back to it, and both before the rest.
    /// What is scheduled by the wall clock is for the splicer that makes it happen, and leads nothing.
    pub fn leading(signals: &[Self]) -> Option<&Self> {
        let mut now = signals
            .iter()
            .filter(|signal| !matches!(signal.time, Time::Gps(_)));
        let of = |action| now.clone().find(|signal| signal.action == action);
        of(Action::Out).or_else(|| of(Action::In)).or_else(|| now.next())
    }

    /// Whether ads may be inserted there, and nothing is replaced.
    pub fn is_insertion_point(&self) -> bool {
        self.action == Action::Out && self.duration == Some(Ticks(0))
    }

    /// What it asks of a break log; `None` where that is nothing. `clock` says when in the programme its time is.
    pub fn cue(&self, clock: Clock) -> Option<Cue> {
        let ask = match self.action {
            Action::Out => Ask::Out {
                planned: self.duration.map(Ticks::to_micros),
                auto_return: self.auto_return.unwrap_or(false),
            },
            Action::In => Ask::In,
            Action::Cancel => Ask::Cancel,
            Action::Info => {
                let kind = self.segment?.kind;
                matches!(kind, SegmentationType(0x11 | 0x51)).then_some(Ask::ProgrammeEnd)?
            }
        };
        let at = match self.time {
            Time::Immediate => When::Now,
            Time::At(pts) => When::At(clock.moment(pts)),
            Time::Gps(seconds) => When::At(from_gps(seconds)),
        };
        Some(Cue {
            key: self.key.clone(),
            ask,
            at,
            source: Source::Scte35,
        })
    }

    fn of_insert(section: &Section, insert: &SpliceInsert, openers: Openers) -> Self {
        let key = Key::Insert(insert.event_id);
        let Some(event) = &insert.event else {
            return Self::cancel(key);
        };
        let time = time_of(event).map_or(Time::Immediate, |time| Time::At(section.effective(time)));
        Self {
            key,
            action: openers.of_splice(event.is_out),
            time,
            duration: event.duration.map(|lasts| lasts.duration),
            auto_return: event.duration.map(|lasts| lasts.auto_return),
            segment: None,
        }
    }

    fn of_schedule(one: &Schedule, openers: Openers) -> Self {
        let key = Key::Insert(one.event_id);
        let Some(event) = &one.event else {
            return Self::cancel(key);
        };
        let seconds = match &event.point {
            ScheduledPoint::Program(seconds) => Some(*seconds),
            ScheduledPoint::Components(components) => components.first().map(|(_, seconds)| *seconds),
        };
        Self {
            key,
            action: openers.of_splice(event.is_out),
            time: seconds.map_or(Time::Immediate, Time::Gps),
            duration: event.duration.map(|lasts| lasts.duration),
            auto_return: event
                .duration
                .map(|BreakDuration { auto_return, .. }| auto_return),
            segment: None,
        }
    }

    fn of_segmentation(segmentation: &Segmentation, time: Time, openers: Openers) -> Self {
        let event_id = segmentation.event_id;
        let Some(event) = &segmentation.event else {
            return Self::cancel(Key::Segmentation {
                event: event_id,
                start: None,
            });
        };
        let start = event.kind.begin().unwrap_or(event.kind);
        Self {
            key: Key::Segmentation {
                event: event_id,
                start: Some(start.0),
            },
            action: match event.kind.begin() {
                None if openers.has(event.kind) => Action::Out,
                Some(begin) if openers.has(begin) => Action::In,
                _ => Action::Info,
            },
            time,
            duration: event.duration,
            auto_return: None,
            segment: Some(Segment {
                kind: event.kind,
                num: event.segment_num,
                expected: event.segments_expected,
            }),
        }
    }

    fn cancel(key: Key) -> Self {
        Self {
            key,
            action: Action::Cancel,
            time: Time::Immediate,
            duration: None,
            auto_return: None,
            segment: None,
        }
    }
}

impl Openers {
    /// None at all.
    pub const NONE: Self = Self {
        has_splice_insert: false,
        segmentations: 0,
    };

    /// These, and `splice_insert`.
    #[must_use]
    pub const fn with_splice_insert(mut self) -> Self {
        self.has_splice_insert = true;
        self
    }

    /// These, and segmentations that begin with `kind`; unchanged unless `kind` begins what can be a break.
    #[must_use]
    pub const fn with(mut self, kind: SegmentationType) -> Self {
        if kind.can_open_a_break() {
            self.segmentations |= 1 << kind.0;
        }
        self
    }

    /// Whether a segmentation that begins with `kind` opens a break.
    pub const fn has(self, kind: SegmentationType) -> bool {
        kind.can_open_a_break() && self.segmentations >> kind.0 & 1 == 1
    }

    const fn of_splice(self, is_out: bool) -> Action {
        match (self.has_splice_insert, is_out) {
            (false, _) => Action::Info,
            (true, true) => Action::Out,
            (true, false) => Action::In,
        }
    }
}

impl Default for Openers {
    fn default() -> Self {
        let kinds = [0x22, 0x30, 0x32, 0x34, 0x36, 0x44, 0x46];
        kinds
            .into_iter()
            .fold(Self::NONE.with_splice_insert(), |openers, kind| {
                openers.with(SegmentationType(kind))
            })
    }
}

/// Openers as documents have them: `splice_insert` and the names of segmentations.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct OpenerNames(Vec<String>);

impl TryFrom<OpenerNames> for Openers {
    type Error = String;

    fn try_from(names: OpenerNames) -> Result<Self, String> {
        names.0.iter().try_fold(Self::NONE, |openers, name| {
            openers
                .with_name(name)
                .ok_or_else(|| format!("{name:?} opens no break"))
        })
    }
}

impl From<Openers> for OpenerNames {
    fn from(openers: Openers) -> Self {
        Self(openers.names().map(str::to_owned).collect())
    }
}

impl Openers {
    /// These, and what is called `name`: `splice_insert`, or the name of a segmentation that can be a break; `None`
    /// where there is no such thing.
    pub fn with_name(self, name: &str) -> Option<Self> {
        if name == SPLICE_INSERT {
            return Some(self.with_splice_insert());
        }
        let mut kinds = (0..0x80)
            .map(SegmentationType)
            .filter(|kind| kind.can_open_a_break());
        kinds.find(|kind| kind.name() == name).map(|kind| self.with(kind))
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let insert = self.has_splice_insert.then_some(SPLICE_INSERT);
        let kinds = (0..0x80)
            .map(SegmentationType)
            .filter(move |kind| self.has(*kind));
        insert.into_iter().chain(kinds.map(SegmentationType::name))
    }
}

impl Clock {
    /// When in the programme a time of this clock is: within 13 hours of the one that is known.
    pub fn moment(&self, pts: Pts) -> UnixMicros {
        let ticks = pts.since(self.pts);
        let length = Ticks(ticks.unsigned_abs()).to_micros();
        if ticks < 0 {
            self.wall.less(length)
        } else {
            self.wall.plus(length)
        }
    }
}

/// The time of the programme, or of its first component.
fn time_of(event: &Insert) -> Option<Pts> {
    match &event.point {
        InsertPoint::Immediate | InsertPoint::ImmediateComponents(_) => None,
        InsertPoint::Program(time) => *time,
        InsertPoint::Components(components) => components.first().and_then(|component| component.time),
    }
}

fn from_gps(seconds: u32) -> UnixMicros {
    UnixMicros::default().plus(Micros::from_seconds(GPS_EPOCH + i64::from(seconds) - GPS_AHEAD))
}

const SPLICE_INSERT: &str = "splice_insert";
/// 1980-01-06T00:00:00Z.
const GPS_EPOCH: i64 = 315_964_800;
/// Leap seconds since then, the last of them at the end of 2016; no other is announced, and none will be after 2035.
const GPS_AHEAD: i64 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(base64: &str, openers: Openers) -> Vec<Signal> {
        let bytes = crate::scte35::from_base64(base64).unwrap();
        Signal::read(&Section::decode(&bytes).unwrap(), openers).unwrap()
    }

    #[test]
    fn the_operator_says_what_opens_a_break() {
        const OUT: &str = "/DAlAAAAAAAAAP/wFAUAAAPpf+/+E0/ZAH4AUmXAAAcBAgAA+XeWZQ==";
        let [out] = signals(OUT, Openers::default()).try_into().unwrap();
        assert_eq!(out.action, Action::Out);
        let [out] = signals(OUT, Openers::NONE).try_into().unwrap();
        assert_eq!(out.action, Action::Info);
    }

    #[test]
    fn an_overlay_never_opens_a_break() {
        let openers = Openers::NONE.with(SegmentationType(0x38));
        assert!(!openers.has(SegmentationType(0x38)));
        assert_eq!(Openers::NONE.with_name("provider_overlay_po"), None);
        assert_eq!(Openers::NONE.with_name("chapter_start"), None);
    }

    #[test]
    fn the_default_has_a_name_for_each() {
        let names: Vec<_> = Openers::default().names().collect();
        assert_eq!(
            names,
            [
                "splice_insert",
                "break",
                "provider_ad",
                "distributor_ad",
                "provider_po",
                "distributor_po",
                "provider_ad_block",
                "distributor_ad_block",
            ]
        );
        let json = serde_json::to_string(&Openers::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Openers>(&json).unwrap(),
            Openers::default()
        );
    }

    #[test]
    fn a_time_of_the_feed_is_placed_by_the_shorter_way_round_its_clock() {
        let clock = Clock {
            pts: Pts::new((1 << 33) - 90_000),
            wall: UnixMicros(1_767_297_600_000_000),
        };
        let after = clock.moment(Pts::new(90_000));
        assert_eq!(after.since(clock.wall), Micros::from_seconds(2));
        let before = clock.moment(Pts::new((1 << 33) - 180_000));
        assert_eq!(clock.wall.since(before), Micros::from_seconds(1));
    }

    #[test]
    fn scheduled_times_count_leap_seconds() {
        assert_eq!(from_gps(1_450_000_000).to_string(), "2025-12-17T09:46:22.000Z");
    }
}
