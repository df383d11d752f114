//! Which slots a break has. They belong to the break and not to what fills them, so a playlist can be numbered without
//! any decision of the past.

use serde::{Deserialize, Serialize};

use crate::time::Micros;

/// The place of one ad in a break: so many segments, each as long as the others but for the last.
///
/// Whoever watches, and whichever creative is chosen, sees these segments: their number and their ends are what
/// media sequences are counted by.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "PlainSlot", into = "PlainSlot")]
pub struct Slot {
    segments: u32,
    segment: Micros,
    last: Micros,
}

/// What follows the last slot that has room, until the break is over.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Nothing: the timeline jumps over what is left. For less than a segment.
    #[default]
    Wait,
    /// The programme, from its first segment behind the last slot.
    Resume,
    /// Slate, in rounds of this slot, each with a discontinuity before it.
    Slate(Slot),
}

/// The slots of a break, in order, and what follows them.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// At most [`MAX_SLOTS`].
    pub slots: Vec<Slot>,
    /// What follows them.
    #[serde(default)]
    pub after: After,
    /// By how much a segment may end behind the end of the break and still be played, in microseconds.
    #[serde(default, rename = "tolerance_us")]
    pub tolerance: Micros,
}

/// One segment of a break: where it lies, whatever fills it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Which slot it is in. Rounds of slate count on behind the slots of the break.
    pub slot: usize,
    /// Whether it is one of the slate that follows the slots.
    pub is_slate: bool,
    /// Which segment of its slot it is, from zero.
    pub segment: u32,
    /// Where it begins, from the begin of the break.
    pub start: Micros,
    /// Where it ends, from the begin of the break.
    pub end: Micros,
}

/// How much of a structure a break of some length has room for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// Segments that are played.
    pub segments: u64,
    /// Slots of which at least one segment is played, rounds of slate among them.
    pub slots: u64,
    /// Where the last segment ends, from the begin of the break.
    pub end: Micros,
}

impl Slot {
    /// A slot of `segments` segments of length `segment`, but for the last, of length `last`.
    ///
    /// `None` unless there are between one and [`MAX_SEGMENTS`], and both lengths are at least [`MIN_SEGMENT`] and at
    /// most an hour.
    pub fn new(segments: u32, segment: Micros, last: Micros) -> Option<Self> {
        let fits = |length: Micros| (MIN_SEGMENT..=MAX_SEGMENT).contains(&length);
        let is_slot = (1..=MAX_SEGMENTS).contains(&segments) && fits(segment) && fits(last);
        // One segment is its own last.
        let segment = if segments == 1 { last } else { segment };
        is_slot.then_some(Self {
            segments,
            segment,
            last,
        })
    }

    /// A slot of `length`, cut at a channel's cadence: the last segment is what is left, at least half a segment and at
    /// most one and a half.
    pub fn cut(length: Micros, cadence: Micros) -> Option<Self> {
        if length.0 <= 0 || cadence < MIN_SEGMENT {
            return None;
        }
        let count = (length.0.saturating_add(cadence.0 / 2) / cadence.0).max(1);
        let last = length.less(cadence.times(count - 1));
        Self::new(u32::try_from(count).ok()?, cadence, last)
    }

    /// How many segments there are.
    pub const fn segments(&self) -> u32 {
        self.segments
    }

    /// How long each segment is, but for the last.
    pub const fn segment(&self) -> Micros {
        self.segment
    }

    /// How long the last segment is.
    pub const fn last(&self) -> Micros {
        self.last
    }

    /// How long all of them are together.
    pub fn length(&self) -> Micros {
        self.segment.times(i64::from(self.segments) - 1).plus(self.last)
    }
}

impl Structure {
    /// The segments in order: endless where slate follows the slots.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let rounds = match self.after {
            After::Slate(slot) => Some(slot),
            After::Wait | After::Resume => None,
        };
        let slots = self.slots.iter().map(|slot| (*slot, false));
        let slate = std::iter::repeat(rounds).map_while(|slot| slot.map(|slot| (slot, true)));
        let mut begin = Micros::ZERO;
        slots
            .chain(slate)
            .enumerate()
            .flat_map(move |(index, (slot, is_slate))| {
                let start = begin;
                begin = begin.plus(slot.length());
                (0..slot.segments).map(move |segment| {
                    let from = start.plus(slot.segment.times(i64::from(segment)));
                    let is_last = segment + 1 == slot.segments;
                    Place {
                        slot: index,
                        is_slate,
                        segment,
                        start: from,
                        end: from.plus(if is_last { slot.last } else { slot.segment }),
                    }
                })
            })
    }

    /// The segments that a break of `length` plays: those that end within it.
    pub fn within(&self, length: Micros) -> impl Iterator<Item = Place> + '_ {
        let limit = length.min(MAX_LENGTH).plus(self.tolerance);
        self.places().take_while(move |place| place.end <= limit)
    }

    /// How much of it a break of `length` has room for.
    pub fn shape(&self, length: Micros) -> Shape {
        self.within(length).fold(Shape::default(), |shape, place| Shape {
            segments: shape.segments + 1,
            slots: u64::try_from(place.slot).map_or(u64::MAX, |slot| slot + 1),
            end: place.end,
        })
    }

    /// How long the slots are together, without what follows them.
    pub fn filled(&self) -> Micros {
        self.slots
            .iter()
            .fold(Micros::ZERO, |sum, slot| sum.plus(slot.length()))
    }
}

/// A slot as documents have it.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PlainSlot {
    segments: u32,
    #[serde(rename = "segment_us")]
    segment: Micros,
    #[serde(rename = "last_us")]
    last: Micros,
}

impl TryFrom<PlainSlot> for Slot {
    type Error = &'static str;

    fn try_from(plain: PlainSlot) -> Result<Self, Self::Error> {
        Self::new(plain.segments, plain.segment, plain.last)
            .ok_or("a slot has 1 to 10000 segments of 10 ms to an hour each")
    }
}

impl From<Slot> for PlainSlot {
    fn from(slot: Slot) -> Self {
        Self {
            segments: slot.segments,
            segment: slot.segment,
            last: slot.last,
        }
    }
}

/// Slots of one break: more than any hour of ads has.
pub const MAX_SLOTS: usize = 256;
/// Segments of one slot: five hours at 2 s.
pub const MAX_SEGMENTS: u32 = 10_000;
/// The shortest segment of a slot: what bounds the work that a break can cause.
pub const MIN_SEGMENT: Micros = Micros::from_millis(10);
const MAX_SEGMENT: Micros = Micros::from_seconds(3600);
/// The longest break: a clock of 33 bits knows no longer one.
pub const MAX_LENGTH: Micros = Micros::from_seconds(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(length_ms: i64, cadence_ms: i64) -> Slot {
        Slot::cut(Micros::from_millis(length_ms), Micros::from_millis(cadence_ms)).unwrap()
    }

    #[test]
    fn a_slot_is_cut_at_the_cadence_and_its_last_segment_takes_the_rest() {
        let slot = cut(10_000, 3840);
        assert_eq!((slot.segments(), slot.last()), (3, Micros::from_millis(2320)));
        let slot = cut(6030, 2002);
        assert_eq!((slot.segments(), slot.last()), (3, Micros::from_millis(2026)));
        let slot = cut(900, 2000);
        assert_eq!((slot.segments(), slot.segment()), (1, Micros::from_millis(900)));
        assert_eq!(Slot::cut(Micros::ZERO, Micros::from_seconds(2)), None);
    }

    #[test]
    fn segments_follow_one_another_through_the_slots_and_the_slate() {
        let structure = Structure {
            slots: vec![cut(4000, 2000), cut(4600, 2000)],
            after: After::Slate(cut(2000, 1000)),
            tolerance: Micros::ZERO,
        };
        let places: Vec<_> = structure.within(Micros::from_millis(12_000)).collect();
        let ends: Vec<_> = places.iter().map(|place| place.end.0 / 1000).collect();
        assert_eq!(ends, [2000, 4000, 6000, 8600, 9600, 10_600, 11_600]);
        let slots: Vec<_> = places.iter().map(|place| place.slot).collect();
        assert_eq!(slots, [0, 0, 1, 1, 2, 2, 3]);
        assert!(
            places
                .windows(2)
                .all(|pair| matches!(pair, [one, next] if one.end == next.start))
        );
        let shape = structure.shape(Micros::from_millis(12_000));
        assert_eq!((shape.segments, shape.slots), (7, 4));
    }

    #[test]
    fn a_segment_may_end_behind_the_break_by_the_tolerance_alone() {
        let mut structure = Structure {
            slots: vec![cut(6030, 2002)],
            ..Structure::default()
        };
        assert_eq!(structure.shape(Micros::from_millis(6006)).segments, 2);
        structure.tolerance = Micros::from_millis(40);
        assert_eq!(structure.shape(Micros::from_millis(6006)).segments, 3);
        assert_eq!(structure.shape(Micros::ZERO), Shape::default());
    }

    #[test]
    fn a_slot_that_would_be_endless_work_is_refused() {
        assert!(serde_json::from_str::<Slot>(r#"{"segments":1,"segment_us":1,"last_us":1}"#).is_err());
        assert!(
            serde_json::from_str::<Slot>(r#"{"segments":0,"segment_us":2000000,"last_us":2000000}"#).is_err()
        );
    }
}
