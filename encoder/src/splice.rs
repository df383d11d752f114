//! Splices: where the programme is left for a break and rejoined, on the channel's grid of frames.
//!
//! A [`Splicer`] is pure: it is told what is asked for and which frame is next, and says at which frames segments begin
//! and what is told of it in the media. Two encoders of one clock that are asked for the same, or hear the same feed, say
//! the same. It never moves what has been encoded: a splice is at the next frame but one at the earliest.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use selvedge_breaks::{
    Openers, Pts, Signal, Ticks,
    scte35::{BreakDuration, Command, Insert, InsertPoint, Section, SpliceInsert},
    signal::{Action, Time},
};

use crate::{
    clock::{Grid, Utc},
    cmaf::EventMessage,
};

/// What somebody asks of the splicer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// The programme is left.
    Out {
        /// When.
        at: At,
        /// For how long; without it, until it is rejoined.
        duration: Option<Duration>,
        /// `splice_event_id`; without one it is chosen by the time of the splice.
        event: Option<EventId>,
    },
    /// The programme is rejoined.
    In {
        /// The event that left it.
        event: EventId,
        /// When.
        at: At,
    },
    /// An event that has not begun is called off.
    Cancel {
        /// The event.
        event: EventId,
    },
}

/// `splice_event_id` (SCTE 35 9.7.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId(pub u32);

/// When a splice is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// As soon as can be.
    Now,
    /// Where the next segment of the grid begins.
    Next,
    /// At the frame nearest to an instant.
    Time(Utc),
}

/// A section that came with the input, and the frame that its time is at; none where it is to be at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// The section, from its `table_id` to its CRC.
    pub section: Bytes,
    /// First frame at or behind its splice time.
    pub frame: Option<u64>,
}

/// What becomes of a request or a section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Splice {
    /// Which event it is of; none where a section names none.
    pub event: Option<EventId>,
    /// The frame that it is at.
    pub frame: u64,
    /// Frames at which segments begin.
    pub cuts: Vec<u64>,
    /// Frames at which segments need not begin any more.
    pub uncuts: Vec<u64>,
    /// What is told of it, at once and again where it is.
    pub message: EventMessage,
}

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The moment is encoded already.
    #[error("it is too late: the earliest moment is {} ms later", .0.as_millis())]
    Late(Duration),
    /// Nobody can plan for so far ahead.
    #[error("it is more than a day ahead")]
    Early,
    /// No break lasts so long.
    #[error("a break lasts a day at most")]
    TooLong,
    /// There is no such event.
    #[error("event {} is not known, or is over", .0.0)]
    Unknown(EventId),
    /// The event is known already, with another time or length.
    #[error("event {} is known already: call it off, or give this one another event_id", .0.0)]
    Taken(EventId),
    /// The event has begun.
    #[error("event {} has begun: it can be ended, and not be called off", .0.0)]
    Begun(EventId),
    /// It would be rejoined before it is left.
    #[error("event {} begins then or later: call it off instead", .0.0)]
    NotBegun(EventId),
    /// The section cannot be written.
    #[error("no section says that: {0}")]
    Section(selvedge_breaks::scte35::Error),
}

/// Plans splices.
#[derive(Debug)]
pub struct Splicer {
    grid: Grid,
    /// Events that were asked for, and are not over.
    events: BTreeMap<EventId, Event>,
    /// Sections of the feed that were acted on, with the frame, newest last.
    heard: VecDeque<(Bytes, Option<u64>, u64)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Event {
    out: u64,
    back: Option<u64>,
}

impl Splicer {
    /// A splicer of a channel.
    #[must_use]
    pub const fn new(grid: Grid) -> Self {
        Self {
            grid,
            events: BTreeMap::new(),
            heard: VecDeque::new(),
        }
    }

    /// Plans what is asked for; `next` is the next frame that will be encoded.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn ask(&mut self, request: Request, next: u64) -> Result<Splice, Refusal> {
        self.forget(next);
        match request {
            Request::Out { at, duration, event } => self.out(at, duration, event, next),
            Request::In { event, at } => self.back(event, at, next),
            Request::Cancel { event } => self.cancel(event, next),
        }
    }

    /// Plans what a section of the feed asks for; nothing where it says nothing of splices, or nothing new. What comes too
    /// late is done as soon as can be.
    pub fn hear(&mut self, heard: &Heard, next: u64) -> Option<Splice> {
        let section = Section::decode(&heard.section)
            .inspect_err(|error| tracing::warn!(%error, "a section of the input cannot be read"))
            .ok()?;
        if matches!(
            section.command(),
            Some(Command::Null | Command::BandwidthReservation) | None
        ) {
            return None;
        }
        self.heard
            .retain(|(_, _, frame)| frame + u64::from(self.grid.fps()) * REMEMBERED_SECONDS > next);
        let is_known =
            |(bytes, asked, _): &(Bytes, Option<u64>, u64)| *bytes == heard.section && *asked == heard.frame;
        if self.heard.iter().any(is_known) {
            return None;
        }
        let frame = heard.frame.unwrap_or(0).max(next + 1);
        self.heard.push_back((heard.section.clone(), heard.frame, frame));
        if self.heard.len() > MAX_HEARD {
            self.heard.pop_front();
        }
        let signals = Signal::read(&section, Openers::default()).unwrap_or_default();
        let leading = Signal::leading(&signals);
        let is_splice = leading.is_some_and(|signal| {
            matches!(signal.action, Action::Out | Action::In) && !matches!(signal.time, Time::Gps(_))
        });
        let told = leading
            .and_then(|signal| signal.duration)
            .filter(|told| *told > Ticks(0));
        let lasts = told.map(|told| self.frames(Ticks::to_micros(told).0));
        let mut cuts = Vec::new();
        if is_splice {
            cuts.push(frame);
            cuts.extend(lasts.map(|lasts| frame + lasts));
        }
        let event = match section.command() {
            Some(Command::Insert(insert)) => Some(EventId(insert.event_id)),
            _ => None,
        };
        Some(Splice {
            event,
            frame,
            cuts,
            uncuts: Vec::new(),
            message: self.message(frame, told, heard.section.clone()),
        })
    }

    fn out(
        &mut self,
        at: At,
        duration: Option<Duration>,
        event: Option<EventId>,
        next: u64,
    ) -> Result<Splice, Refusal> {
        let frame = self.frame(at, next)?;
        let lasts = match duration {
            Some(duration) if duration > MAX_AHEAD => return Err(Refusal::TooLong),
            Some(duration) => Some(self.frames(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))),
            None => None,
        };
        // The same for every encoder that is asked for the same moment.
        let event = event.unwrap_or(EventId((frame & 0x7fff_ffff) as u32));
        let back = lasts.map(|lasts| frame + lasts);
        let planned = Event { out: frame, back };
        if self.events.get(&event).is_some_and(|known| *known != planned) || self.events.len() >= MAX_EVENTS {
            return Err(Refusal::Taken(event));
        }
        let ticks = lasts.map(|lasts| Ticks(self.grid.video_time(lasts)));
        let section = self.section(event, true, frame, ticks)?;
        self.events.insert(event, planned);
        Ok(Splice {
            event: Some(event),
            frame,
            cuts: [frame].into_iter().chain(back).collect(),
            uncuts: Vec::new(),
            message: self.message(frame, ticks, section),
        })
    }

    fn back(&mut self, event: EventId, at: At, next: u64) -> Result<Splice, Refusal> {
        let known = *self.events.get(&event).ok_or(Refusal::Unknown(event))?;
        let frame = self.frame(at, next)?;
        if frame <= known.out {
            return Err(Refusal::NotBegun(event));
        }
        let section = self.section(event, false, frame, None)?;
        self.events.insert(
            event,
            Event {
                back: Some(frame),
                ..known
            },
        );
        Ok(Splice {
            event: Some(event),
            frame,
            cuts: vec![frame],
            uncuts: known.back.into_iter().filter(|back| *back != frame).collect(),
            message: self.message(frame, None, section),
        })
    }

    fn cancel(&mut self, event: EventId, next: u64) -> Result<Splice, Refusal> {
        let known = *self.events.get(&event).ok_or(Refusal::Unknown(event))?;
        if known.out <= next {
            return Err(Refusal::Begun(event));
        }
        let insert = SpliceInsert {
            event_id: event.0,
            event: None,
        };
        let section = encode(&Section::new(Command::Insert(insert), Vec::new()))?;
        self.events.remove(&event);
        Ok(Splice {
            event: Some(event),
            frame: known.out,
            cuts: Vec::new(),
            uncuts: [known.out].into_iter().chain(known.back).collect(),
            message: self.message(known.out, None, section),
        })
    }

    /// The frame of a moment that can still be cut at.
    fn frame(&self, at: At, next: u64) -> Result<u64, Refusal> {
        // Sound is encoded a little ahead of the picture.
        let first = next + 1;
        let frame = match at {
            At::Now => first,
            At::Next => first.next_multiple_of(u64::from(self.grid.segment_frames())),
            At::Time(at) => self.grid.frame_at(at.plus(self.grid.time(1).since(Utc(0)) / 2)),
        };
        if frame < first {
            return Err(Refusal::Late(self.grid.time(first).since(self.grid.time(frame))));
        }
        if self.grid.time(frame).since(self.grid.time(next)) > MAX_AHEAD {
            return Err(Refusal::Early);
        }
        Ok(frame)
    }

    /// Microseconds in frames, to the nearest.
    fn frames(&self, micros: i64) -> u64 {
        let micros = u128::from(micros.unsigned_abs());
        ((micros * u128::from(self.grid.fps()) + 500_000) / 1_000_000) as u64
    }

    /// A section whose times are those of the media (ISO/IEC 23009-1 5.10.3.3), at 90 kHz modulo 2^33.
    fn section(
        &self,
        event: EventId,
        is_out: bool,
        frame: u64,
        duration: Option<Ticks>,
    ) -> Result<Bytes, Refusal> {
        let insert = Insert {
            is_out,
            event_id_compliance_bit: true,
            point: InsertPoint::Program(Some(Pts::new(self.grid.video_time(frame)))),
            duration: duration.map(|duration| BreakDuration {
                auto_return: true,
                duration,
            }),
            unique_program_id: 1,
            avail_num: 0,
            avails_expected: 0,
        };
        let command = Command::Insert(SpliceInsert {
            event_id: event.0,
            event: Some(insert),
        });
        encode(&Section::new(command, Vec::new()))
    }

    fn message(&self, frame: u64, duration: Option<Ticks>, section: Bytes) -> EventMessage {
        let time = self.grid.video_time(frame);
        EventMessage {
            time,
            duration: duration.and_then(|Ticks(ticks)| u32::try_from(ticks).ok()),
            id: id(time, &section),
            section,
        }
    }

    /// Forgets events that were over a while ago.
    fn forget(&mut self, next: u64) {
        let while_ago = next.saturating_sub(u64::from(self.grid.fps()) * REMEMBERED_SECONDS);
        let day = self.grid.frame_at(Utc(0).plus(MAX_AHEAD));
        self.events
            .retain(|_, event| event.back.unwrap_or(event.out + day) > while_ago);
    }
}

fn encode(section: &Section) -> Result<Bytes, Refusal> {
    section.encode().map(Bytes::from).map_err(Refusal::Section)
}

/// The same for every rendition and encoder, and another for every section and moment (FNV-1a).
fn id(time: u64, section: &[u8]) -> u32 {
    let bytes = time.to_be_bytes();
    let bytes = bytes.iter().chain(section);
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);
const MAX_EVENTS: usize = 256;
const MAX_HEARD: usize = 256;
/// For how long a repeated section is known for what it is.
const REMEMBERED_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: u64 = 1_700_000_000 * 25;

    fn splicer() -> Splicer {
        Splicer::new(Grid::with_default_cadence(25).unwrap())
    }

    fn out(at: At, millis: u64) -> Request {
        Request::Out {
            at,
            duration: Some(Duration::from_millis(millis)),
            event: Some(EventId(7)),
        }
    }

    #[test]
    fn a_break_is_cut_at_both_ends_and_told_as_a_section_of_the_medias_time() {
        let at = At::Time(Utc::from_millis(1_700_000_010_030));
        let splice = splicer().ask(out(at, 30_000), NEXT).unwrap();
        assert_eq!(splice.frame, NEXT + 251);
        assert_eq!(splice.cuts, [NEXT + 251, NEXT + 251 + 750]);
        assert_eq!(splice.message.time, (NEXT + 251) * 3600);
        assert_eq!(splice.message.duration, Some(2_700_000));
        let section = Section::decode(&splice.message.section).unwrap();
        let signals = Signal::read(&section, Openers::default()).unwrap();
        assert_eq!(signals[0].time, Time::At(Pts::new((NEXT + 251) * 3600)));
        assert_eq!(signals[0].duration, Some(Ticks(2_700_000)));
        // Another encoder, asked for the same a second later.
        assert_eq!(splicer().ask(out(at, 30_000), NEXT + 25), Ok(splice));
    }

    #[test]
    fn now_is_the_next_frame_but_one_and_next_the_next_segment() {
        let mut splicer = splicer();
        assert_eq!(splicer.ask(out(At::Now, 0), NEXT).unwrap().frame, NEXT + 1);
        let next = Request::Out {
            at: At::Next,
            duration: None,
            event: None,
        };
        let splice = splicer.ask(next, NEXT).unwrap();
        assert!(splice.frame > NEXT && splice.frame.is_multiple_of(48));
        assert_eq!(splice.event, Some(EventId((splice.frame & 0x7fff_ffff) as u32)));
        assert_eq!(splice.message.duration, None);
    }

    #[test]
    fn what_is_encoded_already_is_too_late() {
        let late = At::Time(Utc::from_millis(1_700_000_000_000));
        let refused = splicer().ask(out(late, 1000), NEXT);
        assert_eq!(refused, Err(Refusal::Late(Duration::from_millis(40))));
        let early = At::Time(Utc::from_millis(1_700_100_000_000));
        assert_eq!(splicer().ask(out(early, 1000), NEXT), Err(Refusal::Early));
    }

    #[test]
    fn an_early_return_takes_the_planned_end_back() {
        let mut splicer = splicer();
        let event = EventId(7);
        let back = Request::In { event, at: At::Now };
        assert_eq!(splicer.ask(back, NEXT), Err(Refusal::Unknown(event)));
        let begun = splicer.ask(out(At::Now, 30_000), NEXT).unwrap();
        let splice = splicer.ask(back, NEXT + 100).unwrap();
        assert_eq!(
            (splice.cuts, splice.uncuts),
            (vec![NEXT + 101], vec![begun.frame + 750])
        );
        assert_eq!(
            splicer.ask(Request::Cancel { event }, NEXT + 100),
            Err(Refusal::Begun(event))
        );
    }

    #[test]
    fn what_was_called_off_leaves_no_cut() {
        let mut splicer = splicer();
        let planned = splicer.ask(out(At::Next, 4000), NEXT).unwrap();
        assert_eq!(splicer.ask(out(At::Next, 4000), NEXT), Ok(planned.clone()));
        assert_eq!(
            splicer.ask(out(At::Next, 5000), NEXT),
            Err(Refusal::Taken(EventId(7)))
        );
        let off = splicer.ask(Request::Cancel { event: EventId(7) }, NEXT).unwrap();
        assert_eq!((off.cuts, off.uncuts), (vec![], planned.cuts));
    }

    #[test]
    fn a_section_that_is_repeated_is_acted_on_once() {
        let mut splicer = splicer();
        let section = splicer
            .section(EventId(9), true, NEXT, Some(Ticks(900_000)))
            .unwrap();
        let heard = |frame| Heard {
            section: section.clone(),
            frame,
        };
        let splice = splicer.hear(&heard(Some(NEXT + 50)), NEXT).unwrap();
        assert_eq!(splice.cuts, [NEXT + 50, NEXT + 300]);
        assert_eq!(splice.message.section, section);
        assert_eq!(splicer.hear(&heard(Some(NEXT + 50)), NEXT + 10), None);
        let at_once = splicer.hear(&heard(None), NEXT).unwrap();
        assert_eq!(at_once.frame, NEXT + 1);
        assert_eq!(splicer.hear(&heard(None), NEXT + 10), None);
        // A feed that is looped says it again.
        assert!(splicer.hear(&heard(None), NEXT + 1000).is_some());
        let null = Section::new(Command::Null, Vec::new()).encode().unwrap();
        let heard = Heard {
            section: null.into(),
            frame: None,
        };
        assert_eq!(splicer.hear(&heard, NEXT), None);
    }
}
