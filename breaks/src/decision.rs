//! The pod that was chosen for a break and a cohort: immutable, and the same for ever under its URL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{document::Version, key::BreakId, structure::Structure, time::Micros};

/// What is played in a break, for one cohort: `/decisions/<channel>/<break>/<cohort>`.
///
/// It fills the slots of the break in order, and slate fills what no ad does. A writer that finds that it does not fit the
/// break plays slate in the slots concerned: never other numbers.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend("$id" = "urn:selvedge:schema:decision:1")))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Always 1.
    pub version: Version,
    /// The break.
    #[serde(rename = "break")]
    pub break_id: BreakId,
    /// The cohort: viewers who share this decision.
    pub cohort: String,
    /// What fills the slots, one for each slot, in order.
    pub ads: Vec<Ad>,
    /// What fills the rest of the break, in rounds, and each slot whose ad cannot be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slate: Option<Ad>,
}

/// What fills one slot.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ad {
    /// The creative: what its media, its reports and its tracking are known by.
    pub creative: String,
    /// How long it is, in microseconds.
    #[serde(rename = "duration_us")]
    pub duration: Micros,
    /// Its media for each rendition of the channel, by the rendition's name.
    pub renditions: BTreeMap<String, Media>,
}

/// An ad's media in one rendition.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// URI of the init segment; `None` for a container that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

/// A segment of an ad: in documents `[µs, URI]`, or `[µs, URI, [[µs, bytes], …]]` with its parts.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "PlainSegment", into = "PlainSegment")]
pub struct Segment {
    /// How long it is.
    pub duration: Micros,
    /// Where it is.
    pub uri: String,
    /// Its parts, in order and without a gap; none where it is not cut into any.
    pub parts: Vec<Part>,
}

/// A part of a segment: `[µs, bytes]`. It begins where the one before it ends.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "(Micros, u64)", into = "(Micros, u64)")]
pub struct Part {
    /// How long it is.
    pub duration: Micros,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A part and where it lies in its segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlacedPart {
    /// How long it is.
    pub duration: Micros,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many bytes of the segment come before it.
    pub offset: u64,
    /// Where it ends, from the segment's begin.
    pub end: Micros,
}

/// How a decision differs from the break that it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// There are not as many ads as slots.
    #[error("the decision has {ads} ads for {slots} slots")]
    Slots {
        /// Ads of the decision.
        ads: usize,
        /// Slots of the break.
        slots: usize,
    },
    /// An ad has not as many segments in a rendition as its slot.
    #[error("ad {ad} has {found} segments in a rendition, and its slot {wanted}")]
    Segments {
        /// Which ad, from zero.
        ad: usize,
        /// Segments of the ad.
        found: usize,
        /// Segments of the slot.
        wanted: u32,
    },
}

impl Segment {
    /// Its parts, each with its place in the segment.
    pub fn placed(&self) -> impl Iterator<Item = PlacedPart> + '_ {
        self.parts
            .iter()
            .scan((0_u64, Micros::ZERO), |(next, end), part| {
                let offset = *next;
                *next = next.saturating_add(part.bytes);
                *end = end.plus(part.duration);
                Some(PlacedPart {
                    duration: part.duration,
                    bytes: part.bytes,
                    offset,
                    end: *end,
                })
            })
    }
}

impl Decision {
    /// Reads a decision.
    ///
    /// # Errors
    /// [`Fault`](crate::document::Fault)s where it is none; a decision is written by a program, so the first alone.
    pub fn read(json: &[u8]) -> Result<Self, crate::document::Faults> {
        let decision: Self = crate::document::parse(json)?;
        let mut faults = crate::document::Faults::default();
        let pod = decision.ads.iter().enumerate();
        let slate = decision.slate.iter().map(|ad| ("/slate".to_owned(), ad));
        for (place, ad) in pod.map(|(index, ad)| (format!("/ads/{index}"), ad)).chain(slate) {
            ad.check(&place, &mut faults);
        }
        faults.or(decision)
    }

    /// In what it does not fit the slots of its break; `None` where it does.
    pub fn misfit(&self, structure: &Structure) -> Option<Misfit> {
        let (ads, slots) = (self.ads.len(), structure.slots.len());
        if ads != slots {
            return Some(Misfit::Slots { ads, slots });
        }
        let pairs = self.ads.iter().zip(&structure.slots).enumerate();
        pairs.into_iter().find_map(|(index, (ad, slot))| {
            let wanted = slot.segments();
            let counts = ad.renditions.values().map(|media| media.segments.len());
            let mut wrong = counts.filter(|found| u32::try_from(*found) != Ok(wanted));
            wrong.next().map(|found| Misfit::Segments {
                ad: index,
                found,
                wanted,
            })
        })
    }
}

impl Ad {
    fn check(&self, place: &str, faults: &mut crate::document::Faults) {
        if self.creative.is_empty() || !is_text(&self.creative) {
            faults.tell(format!("{place}/creative"), "is empty or has control characters");
        }
        for (name, media) in &self.renditions {
            let place = format!("{place}/renditions/{}", crate::document::escaped(name));
            media.check(&place, faults);
        }
    }
}

impl Media {
    fn check(&self, place: &str, faults: &mut crate::document::Faults) {
        if self.init.as_deref().is_some_and(|uri| !is_uri(uri)) {
            faults.tell(format!("{place}/init"), NO_URI);
        }
        for (index, segment) in self.segments.iter().enumerate() {
            if !is_uri(&segment.uri) {
                faults.tell(format!("{place}/segments/{index}/1"), NO_URI);
            }
        }
        self.check_lengths(place, faults);
    }

    /// Whether its segments have lengths, and their parts are as long as they are.
    pub(crate) fn check_lengths(&self, place: &str, faults: &mut crate::document::Faults) {
        for (index, segment) in self.segments.iter().enumerate() {
            let place = format!("{place}/segments/{index}");
            if segment.duration.0 <= 0 {
                faults.tell(
                    format!("{place}/0"),
                    "is no length: expected microseconds above zero",
                );
            }
            let parts = segment.parts.iter().map(|part| part.duration);
            let sum = parts.fold(Micros::ZERO, Micros::plus);
            if !segment.parts.is_empty() && sum != segment.duration {
                faults.tell(format!("{place}/2"), "the parts are not as long as their segment");
            }
        }
    }
}

/// Nothing that would end a quoted string or a line: a decision enters playlists.
fn is_text(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || letter == '"')
}

/// `http` or `https`, or relative to the playlist.
fn is_uri(uri: &str) -> bool {
    let has_other_scheme = uri
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|first| first.contains(':') && !matches!(first, "http:" | "https:"));
    !uri.is_empty() && is_text(uri) && !uri.contains(char::is_whitespace) && !has_other_scheme
}

const NO_URI: &str = "is no http, https or relative URI, or has blanks, quotes or control characters";

/// A segment as documents have it.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum PlainSegment {
    WithParts(Micros, String, Vec<Part>),
    Whole(Micros, String),
}

impl From<PlainSegment> for Segment {
    fn from(plain: PlainSegment) -> Self {
        let (duration, uri, parts) = match plain {
            PlainSegment::WithParts(duration, uri, parts) => (duration, uri, parts),
            PlainSegment::Whole(duration, uri) => (duration, uri, Vec::new()),
        };
        Self { duration, uri, parts }
    }
}

impl From<Segment> for PlainSegment {
    fn from(segment: Segment) -> Self {
        if segment.parts.is_empty() {
            Self::Whole(segment.duration, segment.uri)
        } else {
            Self::WithParts(segment.duration, segment.uri, segment.parts)
        }
    }
}

impl From<(Micros, u64)> for Part {
    fn from((duration, bytes): (Micros, u64)) -> Self {
        Self { duration, bytes }
    }
}

impl From<Part> for (Micros, u64) {
    fn from(part: Part) -> Self {
        (part.duration, part.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::Key,
        structure::{After, Slot},
        time::UnixMicros,
    };

    const POD: &str = r#"{
        "version": 1,
        "break": "news-1767297616000-si:7",
        "cohort": "all",
        "ads": [{
            "creative": "acme-30",
            "duration_us": 4000000,
            "renditions": {
                "v1080": {
                    "init": "/ads/acme-30/v1080/init.mp4",
                    "segments": [
                        [2000000, "/ads/acme-30/v1080/0.m4s", [[1000000, 700], [1000000, 300]]],
                        [2000000, "https://ads.example/acme-30/v1080/1.m4s"]
                    ]
                }
            }
        }]
    }"#;

    #[test]
    fn a_decision_is_written_as_it_was_read() {
        let decision = Decision::read(POD.as_bytes()).unwrap();
        let id = BreakId::new("news", UnixMicros(1_767_297_616_000_000), &Key::Insert(7));
        assert_eq!(decision.break_id, id);
        let before: serde_json::Value = serde_json::from_str(POD).unwrap();
        assert_eq!(serde_json::to_value(&decision).unwrap(), before);
    }

    #[test]
    fn parts_lie_one_behind_another() {
        let decision = Decision::read(POD.as_bytes()).unwrap();
        let parts: Vec<_> = decision.ads[0].renditions["v1080"].segments[0].placed().collect();
        let places: Vec<_> = parts
            .iter()
            .map(|part| (part.offset, part.bytes, part.end.0))
            .collect();
        assert_eq!(places, [(0, 700, 1_000_000), (700, 300, 2_000_000)]);
    }

    #[test]
    fn what_would_break_a_playlist_is_a_fault_with_its_place() {
        let broken = POD
            .replace("/ads/acme-30/v1080/init.mp4", "javascript:alert(1)")
            .replace("/ads/acme-30/v1080/0.m4s", "/a\\nb")
            .replace("[1000000, 300]", "[900000, 300]");
        let faults = Decision::read(broken.as_bytes()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "/ads/0/renditions/v1080/init",
                "/ads/0/renditions/v1080/segments/0/1",
                "/ads/0/renditions/v1080/segments/0/2",
            ]
        );
        let typo = POD.replace("\"cohort\"", "\"cohorts\"");
        assert!(Decision::read(typo.as_bytes()).is_err());
    }

    #[test]
    fn a_pod_that_is_not_that_of_the_slots_is_told_apart() {
        let decision = Decision::read(POD.as_bytes()).unwrap();
        let of = |seconds: &[i64]| Structure {
            slots: seconds
                .iter()
                .filter_map(|length| Slot::cut(Micros::from_seconds(*length), Micros::from_seconds(2)))
                .collect(),
            after: After::Wait,
            tolerance: Micros::ZERO,
        };
        assert_eq!(decision.misfit(&of(&[4])), None);
        assert_eq!(
            decision.misfit(&of(&[4, 4])),
            Some(Misfit::Slots { ads: 1, slots: 2 })
        );
        let wrong = Misfit::Segments {
            ad: 0,
            found: 2,
            wanted: 3,
        };
        assert_eq!(decision.misfit(&of(&[6])), Some(wrong));
    }
}
