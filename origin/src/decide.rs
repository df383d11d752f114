//! Decisions: which creatives fill a break, matched to a channel's renditions. Pure: what is there comes as arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_breaks::{
    BreakId, Creative, Decision, Structure,
    creative::Rendition,
    decision::{Ad, Media, Segment},
    document::Version,
    rules::{Fill, Item},
};

use crate::cmaf::Kind;
use crate::media::Snapshot;

/// What decisions are made of.
#[derive(Clone, Copy, Debug)]
pub struct Stock<'s> {
    /// What the rules fill breaks with.
    pub fill: &'s Fill,
    /// The creatives that there are, by name.
    pub creatives: &'s BTreeMap<String, Arc<Creative>>,
    /// The channel's renditions.
    pub renditions: &'s [Wanted],
}

/// A rendition of a channel that an ad is wanted for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What it carries: pictures or sound.
    pub kind: Kind,
    /// The codec with its parameters (RFC 6381).
    pub codecs: String,
    /// Height in pixels; 0 for sound.
    pub height: u32,
    /// Bits a second.
    pub bandwidth: u64,
}

/// A slot that slate fills, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfilled {
    /// Which slot, from zero.
    pub slot: usize,
    /// The creative that the rules name for it.
    pub creative: String,
    /// Why it is not used.
    pub reason: &'static str,
}

impl Wanted {
    /// The renditions of a channel that ads have media for: pictures and sound.
    pub fn of(snapshot: &Snapshot) -> Vec<Self> {
        let wanted = snapshot.tracks.iter().filter_map(|track| {
            let init = track.init()?;
            matches!(init.kind, Kind::Video | Kind::Audio).then(|| Self {
                name: track.name.clone(),
                kind: init.kind,
                codecs: init.codec.clone(),
                height: init.height,
                bandwidth: track.peak_bitrate,
            })
        });
        wanted.collect()
    }

    /// The rendition of a creative that is shown in this one's place: of the same kind and family of codecs; of
    /// pictures the tallest that is not taller, else the least tall; and of those alike the one nearest in rate.
    pub fn matched<'c>(&self, creative: &'c Creative) -> Option<&'c Rendition> {
        let suits = |rendition: &&Rendition| {
            let kind = match rendition {
                Rendition::Video(_) => Kind::Video,
                Rendition::Audio(_) => Kind::Audio,
            };
            kind == self.kind && family(rendition.codecs()) == family(&self.codecs)
        };
        creative
            .renditions
            .values()
            .filter(suits)
            .min_by_key(|rendition| {
                let height = match rendition {
                    Rendition::Video(video) => video.height,
                    Rendition::Audio(_) => 0,
                };
                let is_taller = height > self.height;
                let off = height.abs_diff(self.height);
                (is_taller, off, rendition.bandwidth().abs_diff(self.bandwidth))
            })
    }
}

impl Stock<'_> {
    /// What fills a break for a cohort, and which of its slots are left to slate.
    pub fn decide(&self, id: &BreakId, cohort: &str, structure: &Structure) -> (Decision, Vec<Unfilled>) {
        let mut unfilled = Vec::new();
        let slots = structure.slots.iter().enumerate();
        let ads = slots.map(|(index, slot)| {
            let item = self.fill.pod.get(index);
            let wanted = usize::try_from(slot.segments()).unwrap_or(usize::MAX);
            let ad = item.ok_or("the rules have no ad for it");
            let ad = ad.and_then(|item| self.ad(item)).and_then(|ad| {
                let mut media = ad.renditions.values();
                match media.all(|media| media.segments.len() == wanted) {
                    true => Ok(ad),
                    false => Err("it is cut into another number of segments"),
                }
            });
            ad.unwrap_or_else(|reason| {
                let creative = item.map_or_else(|| "none".to_owned(), |item| item.creative.to_string());
                unfilled.push(Unfilled {
                    slot: index,
                    creative: creative.clone(),
                    reason,
                });
                // Its place is kept: what follows it stays where it is.
                Ad {
                    creative,
                    duration: slot.length(),
                    renditions: BTreeMap::new(),
                }
            })
        });
        let decision = Decision {
            version: Version,
            break_id: id.clone(),
            cohort: cohort.to_owned(),
            ads: ads.collect(),
            slate: self.fill.slate.as_ref().and_then(|slate| self.ad(slate).ok()),
        };
        (decision, unfilled)
    }

    /// A creative's media for each rendition of the channel.
    fn ad(&self, item: &Item) -> Result<Ad, &'static str> {
        let creative = self.creatives.get(item.creative.as_str());
        let creative = creative.ok_or("there is no such creative")?;
        let media = self.renditions.iter().filter_map(|wanted| {
            let media = wanted.matched(creative)?.media();
            Some((wanted.name.clone(), below(creative.name.as_str(), media)))
        });
        let renditions: BTreeMap<String, Media> = media.collect();
        if renditions.is_empty() {
            return Err("it has no rendition of the channel's codecs");
        }
        Ok(Ad {
            creative: creative.name.to_string(),
            duration: creative.duration,
            renditions,
        })
    }
}

/// Media with its URIs from the root, as viewers fetch it.
fn below(creative: &str, media: &Media) -> Media {
    let uri = |path: &str| format!("/creatives/{creative}/{path}");
    let segment = |segment: &Segment| Segment {
        uri: uri(&segment.uri),
        ..segment.clone()
    };
    Media {
        init: media.init.as_deref().map(uri),
        segments: media.segments.iter().map(segment).collect(),
    }
}

/// What players take one for another: names of the same codec differ by where its parameters lie.
fn family(codecs: &str) -> &str {
    match codecs.split('.').next().unwrap_or_default() {
        "avc3" => "avc1",
        "hev1" => "hvc1",
        family => family,
    }
}

#[cfg(test)]
mod tests {
    use selvedge_breaks::{Key, Micros, Rules, UnixMicros};

    use super::*;

    const CREATIVE: &str = r#"{
        "version": 1, "creative": "NAME", "duration_us": 3840000,
        "renditions": {
            "a": { "kind": "audio", "codecs": "mp4a.40.2", "bandwidth": 128000, "channels": 2, "sample_rate": 48000,
                "media": { "init": "a/init.mp4", "segments": [[1920000, "a/0.m4s"], [1920000, "a/1.m4s"]] } },
            "v360": { "kind": "video", "codecs": "avc1.64001e", "bandwidth": 800000, "width": 640, "height": 360,
                "frame_rate": 25.0,
                "media": { "init": "v360/init.mp4", "segments": [[1920000, "v360/0.m4s"], [1920000, "v360/1.m4s"]] } },
            "v720": { "kind": "video", "codecs": "avc1.64001f", "bandwidth": 2200000, "width": 1280, "height": 720,
                "frame_rate": 25.0,
                "media": { "init": "v720/init.mp4", "segments": [[1920000, "v720/0.m4s"], [1920000, "v720/1.m4s"]] } }
        }
    }"#;

    fn creatives() -> BTreeMap<String, Arc<Creative>> {
        let creative = |name: &str| {
            let read = Creative::read(CREATIVE.replace("NAME", name).as_bytes()).unwrap();
            (name.to_owned(), Arc::new(read))
        };
        BTreeMap::from([creative("acme"), creative("slate")])
    }

    fn wanted(name: &str, kind: Kind, codecs: &str, height: u32, bandwidth: u64) -> Wanted {
        Wanted {
            name: name.to_owned(),
            kind,
            codecs: codecs.to_owned(),
            height,
            bandwidth,
        }
    }

    fn fill() -> Fill {
        let rules = br#"{ "version": 1, "channel": "news", "fill": {
            "pod": [{ "creative": "acme", "duration_ms": 3840 }, { "creative": "gone", "duration_ms": 3840 },
                { "creative": "acme", "duration_ms": 5760 }],
            "slate": { "creative": "slate", "duration_ms": 3840 }, "rest": "slate" } }"#;
        Rules::read(rules).unwrap().fill
    }

    #[test]
    fn the_tallest_that_is_not_taller_is_shown() {
        let all = creatives();
        let matched = |height, codecs| {
            let wanted = wanted("v", Kind::Video, codecs, height, 1_000_000);
            wanted
                .matched(&all["acme"])
                .map(|rendition| rendition.media().init.clone().unwrap())
        };
        assert_eq!(matched(1080, "avc1.640028").as_deref(), Some("v720/init.mp4"));
        assert_eq!(matched(719, "avc3.64001f").as_deref(), Some("v360/init.mp4"));
        assert_eq!(
            matched(180, "avc1.64000c").as_deref(),
            Some("v360/init.mp4"),
            "rather than none"
        );
        assert_eq!(matched(720, "hvc1.1.6.L93.B0"), None);
    }

    #[test]
    fn what_cannot_be_used_keeps_its_place_and_is_told() {
        let (creatives, fill) = (creatives(), fill());
        let renditions = [
            wanted("video", Kind::Video, "avc1.64001e", 360, 700_000),
            wanted("audio", Kind::Audio, "mp4a.40.2", 0, 128_000),
        ];
        let stock = Stock {
            fill: &fill,
            creatives: &creatives,
            renditions: &renditions,
        };
        let structure = fill.layout(Micros(1_920_000)).structure(Micros(13_440_000));
        let id = BreakId::new("news", UnixMicros(0), &Key::Insert(7));
        let (decision, unfilled) = stock.decide(&id, "all", &structure);
        let reasons: Vec<_> = unfilled.iter().map(|one| (one.slot, one.reason)).collect();
        assert_eq!(
            reasons,
            [
                (1, "there is no such creative"),
                (2, "it is cut into another number of segments")
            ]
        );
        assert_eq!(decision.misfit(&structure), None);
        let first = &decision.ads[0].renditions["video"];
        assert_eq!(first.init.as_deref(), Some("/creatives/acme/v360/init.mp4"));
        assert_eq!(first.segments[1].uri, "/creatives/acme/v360/1.m4s");
        assert!(
            decision
                .slate
                .is_some_and(|slate| slate.renditions.contains_key("audio"))
        );
        let json = serde_json::to_vec(&stock.decide(&id, "all", &structure).0).unwrap();
        assert!(Decision::read(&json).is_ok());
    }
}
