//! The schedule of a channel that is made of assets: what is shown, over and over, from when on.

mod timeline;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::timeline::{Aired, Timeline};
use crate::{
    creative::CreativeName,
    document::{Faults, Version, parse},
    key::Name,
    structure::Slot,
    time::{Micros, UnixMicros},
};

/// A channel without an encoder: assets with breaks, one behind the other, endless.
///
/// It says how the assets are cut, so that everything of the channel but the media's names follows from it and from the
/// clock: what is on air, and the numbers of it, for years ahead. Whoever reads it says the same.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("$id" = "urn:selvedge:schema:schedule:1")))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Always 1.
    pub version: Version,
    /// The channel.
    pub channel: Name,
    /// How much of the past is listed, in microseconds: at least three target durations are; a minute if not given.
    #[serde(default = "minute", rename = "window_us")]
    pub window: Micros,
    /// How each asset and each ad is cut.
    pub assets: BTreeMap<CreativeName, Slot>,
    /// The asset whose renditions are the channel's.
    pub ladder: CreativeName,
    /// What is shown, one run after the other.
    pub runs: Vec<Run>,
}

/// What is shown from a moment on, over and over, until the next run begins.
///
/// A channel is changed by a run behind those that it has. A segment that the next run's begin would cut is not shown.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// When it begins.
    #[cfg_attr(test, schemars(with = "String"))]
    #[serde(deserialize_with = "moment", serialize_with = "rfc3339")]
    pub from: UnixMicros,
    /// What is shown, in order.
    pub items: Vec<Item>,
}

/// An asset, and the breaks in it.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Which.
    pub asset: CreativeName,
    /// Its breaks, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Cut>,
}

/// A break in an asset.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Where, in microseconds from the asset's begin: it is at the segment boundary that is nearest, the earlier of two.
    #[serde(rename = "at_us")]
    pub at: Micros,
    /// Its ads, in order.
    pub pod: Vec<CreativeName>,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// All its faults with their places; where it is no document of this kind at all, the first one alone.
    pub fn read(json: &[u8]) -> Result<Self, Faults> {
        let schedule: Self = parse(json)?;
        let mut faults = Faults::default();
        schedule.check(&mut faults);
        faults.or(schedule)
    }

    fn check(&self, faults: &mut Faults) {
        if !(MIN_WINDOW..=MAX_WINDOW).contains(&self.window) {
            faults.tell("/window_us", "is no length between a second and twelve hours");
        }
        if !self.assets.contains_key(&self.ladder) {
            faults.tell(
                "/ladder",
                format!("is {}, which is none of the assets", self.ladder),
            );
        }
        if self.runs.is_empty() {
            faults.tell("/runs", "are none: nothing would ever be shown");
        }
        let mut before = None;
        for (index, run) in self.runs.iter().enumerate() {
            let place = format!("/runs/{index}");
            if before.is_some_and(|before| run.from <= before) {
                faults.tell(
                    format!("{place}/from"),
                    "is not later than that of the run before",
                );
            }
            before = Some(run.from);
            self.check_run(run, &place, faults);
        }
    }

    fn check_run(&self, run: &Run, place: &str, faults: &mut Faults) {
        if run.items.is_empty() {
            faults.tell(format!("{place}/items"), "are none: a run has some length");
        }
        let pieces = run.items.iter().map(|item| {
            let ads = item.breaks.iter().map(|cut| cut.pod.len() + 1);
            1 + ads.sum::<usize>()
        });
        if pieces.sum::<usize>() > MAX_PIECES {
            faults.tell(
                format!("{place}/items"),
                format!("are more than {MAX_PIECES} pieces with their ads"),
            );
        }
        for (index, item) in run.items.iter().enumerate() {
            let place = format!("{place}/items/{index}");
            let mut known = |place: String, name: &CreativeName| {
                if !self.assets.contains_key(name) {
                    faults.tell(place, format!("is {name}, which is none of the assets"));
                }
            };
            known(format!("{place}/asset"), &item.asset);
            for (index, cut) in item.breaks.iter().enumerate() {
                for (ad, name) in cut.pod.iter().enumerate() {
                    known(format!("{place}/breaks/{index}/pod/{ad}"), name);
                }
            }
            let mut before = Micros::ZERO;
            for (index, cut) in item.breaks.iter().enumerate() {
                let place = format!("{place}/breaks/{index}");
                if cut.at < before {
                    faults.tell(
                        format!("{place}/at_us"),
                        "lies before the asset's begin, or the break before it",
                    );
                }
                before = cut.at;
                if cut.pod.is_empty() {
                    faults.tell(format!("{place}/pod"), "has no ads");
                }
            }
        }
    }
}

const fn minute() -> Micros {
    Micros::from_seconds(60)
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMicros, D::Error> {
    let text = String::deserialize(deserializer)?;
    UnixMicros::read(&text).ok_or_else(|| {
        serde::de::Error::custom(format_args!(
            "{text:?} is no date and time of RFC 3339 such as 2026-11-21T12:00:00Z"
        ))
    })
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

const MIN_WINDOW: Micros = Micros::from_seconds(1);
const MAX_WINDOW: Micros = Micros::from_seconds(12 * 3600);
/// Assets, parts of assets between breaks, and ads of one run: a month of films has a few thousand.
const MAX_PIECES: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_written_as_it_was_read() {
        let schedule = Schedule::read(timeline::CLASSICS.as_bytes()).unwrap();
        let written = serde_json::to_string(&schedule).unwrap();
        assert_eq!(Schedule::read(written.as_bytes()), Ok(schedule));
    }

    #[test]
    fn faults_are_told_with_their_places() {
        let broken = r#"{ "version": 1, "channel": "c", "window_us": 5, "ladder": "film",
            "assets": { "short": { "segments": 2, "segment_us": 2000000, "last_us": 2000000 } },
            "runs": [
                { "from": "2026-01-02T00:00:00Z", "items": [] },
                { "from": "2026-01-01T00:00:00Z", "items": [
                    { "asset": "short", "breaks": [
                        { "at_us": 2000000, "pod": ["ad"] }, { "at_us": 1000000, "pod": [] }
                    ] },
                    { "asset": "other" }
                ] }
            ] }"#;
        let faults = Schedule::read(broken.as_bytes()).unwrap_err();
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        /window_us: is no length between a second and twelve hours
        /ladder: is film, which is none of the assets
        /runs/0/items: are none: a run has some length
        /runs/1/from: is not later than that of the run before
        /runs/1/items/0/breaks/0/pod/0: is ad, which is none of the assets
        /runs/1/items/0/breaks/1/at_us: lies before the asset's begin, or the break before it
        /runs/1/items/0/breaks/1/pod: has no ads
        /runs/1/items/1/asset: is other, which is none of the assets
        "#);
        let empty = r#"{ "version": 1, "channel": "c", "ladder": "a", "assets": {}, "runs": [] }"#;
        let faults = Schedule::read(empty.as_bytes()).unwrap_err();
        assert_eq!(faults.iter().count(), 2);
        assert!(Schedule::read(br#"{ "version": 1, "channel": "../c" }"#).is_err());
    }
}
