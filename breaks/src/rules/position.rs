//! Positions: the breaks of an asset, which are inserted into it.

use serde::{Serialize, Serializer};

use super::{Item, Rules};
use crate::{
    airing::{Airing, Mode},
    key::{BreakId, Key, Name},
    structure::{After, Slot, Structure},
    time::{Micros, UnixMicros},
};

/// A break at a place of an asset.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// What it is known by: letters, digits and `.`, `_`, `:` or `-`.
    pub name: Name,
    /// Where it is.
    #[cfg_attr(test, schemars(with = "PlainAt"))]
    pub at: At,
    /// Its ads, in order; those of `fill` if there are none here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod: Vec<Item>,
}

/// A place of an asset: in documents `"start"`, `"end"`, or milliseconds from its begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// Before its first segment.
    Start,
    /// So far behind its begin.
    Offset(Micros),
    /// Behind its last segment.
    End,
}

/// An asset: a programme that is there as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asset {
    /// When it begins, by its own dates; 0 where it has none.
    pub begin: UnixMicros,
    /// When it ends.
    pub end: UnixMicros,
    /// How long its segments are.
    pub cadence: Micros,
}

impl Rules {
    /// The breaks of an asset, in its order; those of one place in the order of the rules. A position behind its end is at
    /// its end.
    pub fn insertions(&self, asset: &Asset) -> Vec<Airing> {
        let mut breaks: Vec<Airing> = self
            .positions
            .iter()
            .map(|position| self.insertion(position, asset))
            .collect();
        breaks.sort_by_key(|airing| airing.out);
        breaks
    }

    /// The break of an asset that has this id, and what fills it.
    pub fn insertion_of<'r>(&'r self, asset: &Asset, id: &BreakId) -> Option<(Airing, &'r [Item])> {
        self.positions.iter().find_map(|position| {
            let airing = self.insertion(position, asset);
            (airing.id == *id).then(|| (airing, self.pod_at(position)))
        })
    }

    /// What fills a position.
    pub fn pod_at<'r>(&'r self, position: &'r Position) -> &'r [Item] {
        if position.pod.is_empty() {
            &self.fill.pod
        } else {
            &position.pod
        }
    }

    fn insertion(&self, position: &Position, asset: &Asset) -> Airing {
        let out = match position.at {
            At::Start => asset.begin,
            At::Offset(offset) => asset.begin.plus(offset).min(asset.end),
            At::End => asset.end,
        };
        let pod = self.pod_at(position).iter();
        let structure = Structure {
            slots: pod
                .filter_map(|item| Slot::cut(item.duration, asset.cadence))
                .collect(),
            after: After::Wait,
            ..Structure::default()
        };
        Airing {
            id: BreakId::new(&self.channel, out, &Key::Named(position.name.clone())),
            mode: Mode::Insert,
            out,
            planned: structure.filled(),
            t_in: None,
            revision: 1,
            effective_from: out,
            structure,
            anchor: None,
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Start => serializer.serialize_str("start"),
            Self::Offset(offset) => serializer.serialize_i64(offset.0 / 1000),
            Self::End => serializer.serialize_str("end"),
        }
    }
}

/// A place as documents have it.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
enum PlainAt {
    /// Milliseconds from the begin.
    Offset(u32),
    /// Before the first segment, or behind the last.
    Edge(Edge),
}

#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is there for its schema")]
enum Edge {
    Start,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVIE: &str = r#"{
        "version": 1,
        "channel": "movie",
        "fill": { "pod": [{ "creative": "acme-30", "duration_ms": 30000 }] },
        "positions": [
            { "name": "post", "at": "end" },
            { "name": "mid", "at": 600000, "pod": [{ "creative": "fish-15", "duration_ms": 15000 }] },
            { "name": "pre", "at": "start" },
            { "name": "pre-2", "at": 0 },
            { "name": "beyond", "at": 7200000 }
        ]
    }"#;

    fn asset() -> Asset {
        Asset {
            begin: UnixMicros(1_767_297_600_000_000),
            end: UnixMicros(1_767_297_600_000_000).plus(Micros::from_seconds(3600)),
            cadence: Micros::from_seconds(2),
        }
    }

    #[test]
    fn positions_are_breaks_in_the_order_of_the_asset() {
        let rules = Rules::read(MOVIE.as_bytes()).unwrap();
        let breaks = rules.insertions(&asset());
        let seen: Vec<_> = breaks
            .iter()
            .map(|airing| {
                let offset = airing.out.since(asset().begin);
                (
                    airing.id.as_str(),
                    offset.0 / 1_000_000,
                    airing.planned.0 / 1_000_000,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("movie-1767297600000-name:pre", 0, 30),
                ("movie-1767297600000-name:pre-2", 0, 30),
                ("movie-1767298200000-name:mid", 600, 15),
                ("movie-1767301200000-name:post", 3600, 30),
                ("movie-1767301200000-name:beyond", 3600, 30),
            ]
        );
        assert!(
            breaks
                .iter()
                .all(|airing| airing.is_inserted() && !airing.is_void())
        );
    }

    #[test]
    fn positions_are_written_as_they_were_read() {
        let rules = Rules::read(MOVIE.as_bytes()).unwrap();
        let written = serde_json::to_string(&rules).unwrap();
        assert_eq!(Rules::read(written.as_bytes()), Ok(rules));
    }

    #[test]
    fn faults_of_positions_are_told_with_their_places() {
        let broken = r#"{ "version": 1, "channel": "movie", "positions": [
            { "name": "a", "at": "middle", "pod": [{ "creative": "c", "duration_ms": 1000 }] },
            { "name": "b", "at": -1, "pod": [{ "creative": "c", "duration_ms": 1000 }] },
            { "name": "c", "at": 5 },
            { "name": "c", "at": 5, "pod": [{ "creative": "c" }], "to": 7 }
        ]}"#;
        let faults = Rules::read(broken.as_bytes()).unwrap_err();
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        /positions/0/at: is "middle": expected start, end or a number of milliseconds
        /positions/1/at: is no whole number from 0 to 86400000, in milliseconds
        /positions/2: has no pod, nor has fill
        /positions/3/to: is not known here: expected one of name, at, pod
        /positions/3/pod/0/duration_ms: is missing
        /positions/3: has the name c, which another position has
        "#);
    }
}
