//! A break as it is on air: what an edge needs of it, and no more.

use serde::{Deserialize, Serialize};

use crate::{
    key::BreakId,
    structure::{After, Shape, Structure},
    time::{Micros, UnixMicros},
};

/// By how much breaks have moved a playlist's numbers against its source: to be added to the source's own.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Segments played in breaks, less segments of the programme that they replaced.
    pub msn: i64,
    /// Discontinuities that breaks brought, less those of the source that they hid.
    pub dsn: i64,
}

/// Where in a source playlist the programme is left, and where it goes on.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Media sequence number of the first segment that is replaced.
    pub msn_out: u64,
    /// Discontinuity sequence number of the segment before it.
    pub dsn_before: u64,
    /// The first segment behind the break; `None` until it is listed.
    #[serde(default, rename = "return")]
    pub back: Option<Return>,
}

/// The first segment of the source behind a break.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Its media sequence number.
    pub msn_in: u64,
    /// Its discontinuity sequence number, with the discontinuity before it where there is one.
    pub dsn_in: u64,
}

/// What a break does to the programme.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It takes its place: what is played in the break is shown instead of the programme. A live channel's way.
    #[default]
    Replace,
    /// It holds it up: nothing is hidden, and the programme goes on where it was left. An asset's way.
    Insert,
}

/// A break of one playlist's channel: what stands in the playlist itself (`EXT-X-SELVEDGE-BREAK`).
///
/// Only `t_in`, `revision` and the `anchor` change once the break is on air.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Airing {
    /// What it is known by.
    pub id: BreakId,
    /// What it does to the programme.
    #[serde(default, skip_serializing_if = "Mode::is_replace")]
    pub mode: Mode,
    /// When the programme is left, in microseconds since 1970; in a playlist without dates, from its begin.
    #[serde(rename = "out_us")]
    pub out: UnixMicros,
    /// For how long, as it was planned when it went on air. Of one that is inserted, how long it is.
    #[serde(rename = "planned_us")]
    pub planned: Micros,
    /// When the programme goes on, in microseconds since 1970; `None` while that is open. Of no meaning for a break that
    /// is inserted.
    #[serde(default, rename = "in_us")]
    pub t_in: Option<UnixMicros>,
    /// How often it has changed, from 1.
    pub revision: u32,
    /// Since which moment of the programme it is known: later than `out`, and it is void for everybody.
    #[serde(rename = "effective_from_us")]
    pub effective_from: UnixMicros,
    /// Its slots.
    pub structure: Structure,
    /// Where it stands in the playlist; `None` until its first segment is listed there.
    #[serde(default)]
    pub anchor: Option<Anchor>,
}

impl Mode {
    /// Whether it is the one that documents need not name.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes what it serialises so"
    )]
    const fn is_replace(&self) -> bool {
        matches!(self, Self::Replace)
    }
}

impl Sums {
    /// Both together.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            msn: self.msn.saturating_add(other.msn),
            dsn: self.dsn.saturating_add(other.dsn),
        }
    }
}

impl Airing {
    /// Whether it was known too late: the programme stays on air for everybody.
    pub fn is_void(&self) -> bool {
        self.effective_from > self.out
    }

    /// Whether the programme goes on where it was left.
    pub const fn is_inserted(&self) -> bool {
        matches!(self.mode, Mode::Insert)
    }

    /// How long it is; `None` while its end is open. All slots of a break that is inserted are in it.
    pub fn length(&self) -> Option<Micros> {
        match self.mode {
            Mode::Replace => self.t_in.map(|t_in| t_in.since(self.out).max(Micros::ZERO)),
            Mode::Insert => Some(self.planned.max(self.structure.filled())),
        }
    }

    /// What is played in it by the time that the programme's edge is at `edge`: a segment is shown when what it
    /// replaces would have been, so an earlier return takes nothing back.
    pub fn shape_at(&self, edge: UnixMicros) -> Shape {
        if let (Mode::Insert, Some(length)) = (self.mode, self.length()) {
            return self.structure.shape(length);
        }
        let aired = edge.since(self.out).max(Micros::ZERO);
        self.structure
            .shape(self.length().map_or(aired, |length| length.min(aired)))
    }

    /// With which moment of the programme it goes on: `t_in`, or where its slots end if it is to resume there; `None`
    /// while that is open. Where a break is inserted, the one at which it was left.
    pub fn rejoin(&self) -> Option<UnixMicros> {
        if self.is_inserted() {
            return Some(self.out);
        }
        rejoin(&self.structure, self.out, self.t_in)
    }

    /// With which moment of the programme it would go on by its plan; `None` where a break is inserted.
    pub fn planned_rejoin(&self) -> Option<UnixMicros> {
        let plan = Some(self.out.plus(self.planned));
        rejoin(&self.structure, self.out, plan).filter(|_| !self.is_inserted())
    }

    /// What it adds to the numbers of all that follows it in this playlist; `None` until it is over there.
    pub fn sums(&self) -> Option<Sums> {
        sums(&self.structure, self.anchor?, self.length()?)
    }
}

pub(crate) fn rejoin(structure: &Structure, out: UnixMicros, t_in: Option<UnixMicros>) -> Option<UnixMicros> {
    match structure.after {
        After::Resume => {
            let filled = structure.filled();
            let Some(t_in) = t_in else {
                return Some(out.plus(filled));
            };
            let length = t_in.since(out);
            let end = structure.shape(length).end;
            Some(out.plus(end.min(length)))
        }
        After::Wait | After::Slate(_) => t_in,
    }
}

/// Section by section: `m` segments for `r` of the source, `n` discontinuities for `k`.
pub(crate) fn sums(structure: &Structure, anchor: Anchor, length: Micros) -> Option<Sums> {
    let back = anchor.back?;
    let shape = structure.shape(length);
    if shape.segments == 0 {
        return Some(Sums::default());
    }
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let replaced = signed(back.msn_in.saturating_sub(anchor.msn_out));
    let hidden = signed(back.dsn_in.saturating_sub(anchor.dsn_before));
    Some(Sums {
        msn: signed(shape.segments).saturating_sub(replaced),
        dsn: signed(shape.slots).saturating_add(1).saturating_sub(hidden),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::Key, structure::Slot};

    fn airing(after: After, t_in: Option<i64>) -> Airing {
        let out = UnixMicros(1_767_297_616_000_000);
        let cut = |seconds| Slot::cut(Micros::from_seconds(seconds), Micros::from_seconds(2)).unwrap();
        Airing {
            id: BreakId::new("news", out, &Key::Insert(1)),
            mode: Mode::Replace,
            out,
            planned: Micros::from_seconds(20),
            t_in: t_in.map(|seconds| out.plus(Micros::from_seconds(seconds))),
            revision: 1,
            effective_from: out,
            structure: Structure {
                slots: vec![cut(6), cut(6)],
                after,
                tolerance: Micros::from_millis(40),
            },
            anchor: Some(Anchor {
                msn_out: 108,
                dsn_before: 0,
                back: Some(Return {
                    msn_in: 114,
                    dsn_in: 0,
                }),
            }),
        }
    }

    #[test]
    fn equal_slots_move_no_media_sequence() {
        let sums = airing(After::Wait, Some(12)).sums();
        assert_eq!(sums, Some(Sums { msn: 0, dsn: 3 }));
    }

    #[test]
    fn an_underfilled_break_resumes_where_its_slots_end() {
        let long = airing(After::Resume, Some(20));
        assert_eq!(long.rejoin(), Some(long.out.plus(Micros::from_seconds(12))));
        assert_eq!(airing(After::Wait, Some(20)).rejoin(), long.t_in);
        let early = airing(After::Resume, Some(8));
        assert_eq!(early.rejoin(), Some(early.out.plus(Micros::from_seconds(8))));
    }

    #[test]
    fn an_open_break_plays_what_the_edge_has_passed() {
        let open = airing(After::Wait, None);
        assert_eq!(open.shape_at(open.out.plus(Micros::from_seconds(5))).segments, 2);
        assert_eq!(open.shape_at(open.out).segments, 0);
        assert_eq!(open.sums(), None);
    }

    #[test]
    fn a_break_that_is_inserted_is_whole_and_hides_nothing() {
        let mut inserted = airing(After::Wait, None);
        inserted.mode = Mode::Insert;
        inserted.planned = Micros::from_seconds(2);
        assert_eq!(
            inserted.length(),
            Some(Micros::from_seconds(12)),
            "all of its slots"
        );
        assert_eq!(inserted.rejoin(), Some(inserted.out));
        assert_eq!(inserted.shape_at(inserted.out).segments, 6);
        inserted.anchor = Some(Anchor {
            msn_out: 108,
            dsn_before: 0,
            back: Some(Return {
                msn_in: 108,
                dsn_in: 1,
            }),
        });
        assert_eq!(inserted.sums(), Some(Sums { msn: 6, dsn: 2 }));
    }

    #[test]
    fn a_break_in_which_nothing_is_played_moves_nothing() {
        let mut short = airing(After::Wait, Some(1));
        assert_eq!(short.sums(), Some(Sums::default()));
        short.effective_from = short.out.plus(Micros(1));
        assert!(short.is_void());
    }
}
