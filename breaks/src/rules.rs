//! What ad operations rule for a channel: the document in the edge's and the origin's store.

mod position;
mod read;

use serde::{Deserialize, Serialize, Serializer};

pub use self::position::{Asset, At, Position};

use crate::{
    cue::{Ask, Cue, Source, When},
    document::Version,
    key::{Key, Name},
    layout::Layout,
    log::Policy,
    signal::Openers,
    structure::{After, Slot},
    time::{Micros, UnixMicros},
};

/// The rules of a channel's breaks.
///
/// Rules that have any fault never replace rules that have none. In the document, lengths are whole milliseconds, and
/// moments are RFC 3339.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("$id" = "urn:selvedge:schema:break-rules:1")))]
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Always 1.
    pub version: Version,
    /// The channel that they are for.
    pub channel: String,
    /// Which messages open a break: `splice_insert`, and the names of segmentations. Without it, all that may but promotions.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    #[serde(default)]
    pub openers: Openers,
    /// How long breaks are.
    #[serde(default)]
    pub lengths: Lengths,
    /// How breaks end.
    #[serde(default)]
    pub returns: Returns,
    /// What fills them.
    #[serde(default)]
    pub fill: Fill,
    /// What a viewer may not do in a break.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<Restriction>,
    /// Cohorts that stay with the programme.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempt: Vec<Name>,
    /// Breaks by the wall clock, beside those that are signalled. Names are unique, and none overlaps another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Planned>,
    /// Breaks of an asset: of the channel once it has ended, at places of its programme. Names are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<Position>,
}

/// How long breaks are.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lengths {
    /// Of a break whose begin does not say; 120 s if not given.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "default_ms", serialize_with = "millis")]
    pub unsaid: Micros,
    /// Shorter breaks are not made; 0 if not given.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "min_ms", serialize_with = "millis")]
    pub min: Micros,
    /// Longer breaks end then; 10 minutes if not given.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "max_ms", serialize_with = "millis")]
    pub max: Micros,
    /// For how long a break goes on that nothing ends, once its plan is over; 120 s if not given.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "overrun_ms", serialize_with = "millis")]
    pub overrun: Micros,
    /// How late a break may be known and still be made, from the edge on: at most one segment; 0 if not given, and a break
    /// that is known late is void.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "late_ms", serialize_with = "millis")]
    pub late: Micros,
}

/// How breaks end.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Returns {
    /// They may end before their plan is over; true if not given.
    pub early: bool,
    /// They end by themselves when their plan is over, whatever their begin says; false if not given.
    pub on_plan: bool,
    /// The end of a programme or a network ends them; false if not given.
    pub with_programme: bool,
}

/// What fills breaks.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fill {
    /// A static pod: as many of its ads, in order, as there is room for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod: Vec<Item>,
    /// What stands where no ad does, round by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slate: Option<Item>,
    /// What follows the last ad that there is room for.
    pub rest: Rest,
    /// Reserved: an ad server that chooses pods. It is checked and not asked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ad_server: Option<String>,
}

/// A creative that fills a slot.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The creative's key.
    pub creative: Name,
    /// How long it is.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub duration: Micros,
}

/// What follows the last ad that there is room for.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// The programme.
    #[default]
    Resume,
    /// Slate.
    Slate,
    /// Nothing: the timeline jumps. For less than a segment.
    Wait,
}

/// What a viewer may not do in a break.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// Seek forward inside it, or play it faster.
    Skip,
    /// Seek over it.
    Jump,
}

/// A break by the wall clock.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it is known by: letters, digits and `.`, `_`, `:` or `-`.
    pub name: Name,
    /// When it begins.
    #[cfg_attr(test, schemars(with = "String"))]
    #[serde(serialize_with = "rfc3339")]
    pub at: UnixMicros,
    /// For how long.
    #[cfg_attr(test, schemars(with = "u32"))]
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub duration: Micros,
}

impl Restriction {
    /// As playlists have it (`X-RESTRICT`, RFC 8216bis Appendix D).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "SKIP",
            Self::Jump => "JUMP",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Skip, Self::Jump]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

impl Rules {
    /// The rules of a channel for which nobody made any: signalled breaks are known, and the programme stays on.
    pub fn new(channel: &str) -> Self {
        Self {
            version: Version,
            channel: channel.into(),
            openers: Openers::default(),
            lengths: Lengths::default(),
            returns: Returns::default(),
            fill: Fill::default(),
            restrictions: Vec::new(),
            exempt: Vec::new(),
            schedule: Vec::new(),
            positions: Vec::new(),
        }
    }

    /// What they make of the log of a channel whose segments are `cadence` long.
    pub fn policy(&self, cadence: Micros) -> Policy {
        Policy {
            default_length: self.lengths.unsaid,
            min_length: self.lengths.min,
            max_length: self.lengths.max,
            max_overrun: self.lengths.overrun,
            max_late: self.lengths.late,
            returns_on_plan: self.returns.on_plan,
            early_return: self.returns.early,
            ends_with_programme: self.returns.with_programme,
            layout: self.fill.layout(cadence),
            exempt: self.exempt.clone(),
            restrictions: self.restrictions.clone(),
            ..Policy::default()
        }
    }

    /// The breaks by the wall clock, as a log hears of them.
    pub fn cues(&self) -> impl Iterator<Item = Cue> {
        self.schedule.iter().map(Planned::cue)
    }

    /// Whether a cohort stays with the programme.
    pub fn exempts(&self, cohort: &str) -> bool {
        self.exempt.iter().any(|exempt| exempt.as_str() == cohort)
    }
}

impl Planned {
    /// As a log hears of it.
    pub fn cue(&self) -> Cue {
        Cue {
            key: Key::Named(self.name.clone()),
            ask: Ask::Out {
                planned: Some(self.duration),
                auto_return: true,
            },
            at: When::At(self.at),
            source: Source::Schedule,
        }
    }
}

impl Fill {
    /// How it lies in the breaks of a channel whose segments are `cadence` long: each ad is cut at the channel's cadence.
    pub fn layout(&self, cadence: Micros) -> Layout {
        let slot = |item: &Item| Slot::cut(item.duration, cadence);
        let slate = self.slate.as_ref().and_then(slot);
        Layout {
            pod: self.pod.iter().filter_map(slot).collect(),
            after: match (self.rest, slate) {
                (Rest::Slate, Some(slate)) => After::Slate(slate),
                (Rest::Wait, _) => After::Wait,
                (Rest::Resume | Rest::Slate, _) => After::Resume,
            },
            ..Layout::default()
        }
    }
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            unsaid: Micros::from_seconds(120),
            min: Micros::ZERO,
            max: Micros::from_seconds(600),
            overrun: Micros::from_seconds(120),
            late: Micros::ZERO,
        }
    }
}

impl Default for Returns {
    fn default() -> Self {
        Self {
            early: true,
            on_plan: false,
            with_programme: false,
        }
    }
}

#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes what it serialises so"
    )
)]
fn millis<S: Serializer>(length: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(length.0 / 1000)
}

#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes what it serialises so"
    )
)]
fn rfc3339<S: Serializer>(moment: &UnixMicros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

#[cfg(test)]
mod tests;
