//! A player as the standard describes one (ISO/IEC 23009-1 5.3, Annex A). It knows nothing of breaks or of who wrote an
//! MPD: it reads the text, again and again, and complains of all that an MPD may not do.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::collections::BTreeMap;

use quick_xml::{Reader, events::Event};
use selvedge_breaks::Micros;

/// An element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Self>,
}

/// A segment, with its place on the MPD's timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Segment {
    pub(crate) url: String,
    pub(crate) begin: Micros,
    pub(crate) end: Micros,
}

/// A Representation: what about it may never change, and what it lists.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) fixed: (String, String, i64, i64),
    pub(crate) segments: Vec<Segment>,
}

/// A Period.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    pub(crate) id: String,
    pub(crate) start: Micros,
    /// Where the next one begins.
    pub(crate) end: Option<Micros>,
    pub(crate) tracks: BTreeMap<String, Track>,
}

/// An MPD as it reads.
#[derive(Clone, Debug)]
pub(crate) struct Mpd {
    pub(crate) periods: Vec<Period>,
}

/// What a session has seen.
#[derive(Debug, Default)]
pub(crate) struct Player {
    periods: BTreeMap<String, SeenPeriod>,
    pub(crate) last: Option<Mpd>,
}

#[derive(Debug)]
struct SeenPeriod {
    start: Micros,
    tracks: BTreeMap<String, SeenTrack>,
}

#[derive(Debug)]
struct SeenTrack {
    fixed: (String, String, i64, i64),
    /// By their URLs.
    segments: BTreeMap<String, Segment>,
}

impl Element {
    pub(crate) fn parse(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let mut stack = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => stack.push(Self::of(&tag)),
                Event::Empty(tag) => stack.last_mut().unwrap().children.push(Self::of(&tag)),
                Event::End(_) => {
                    let element = stack.pop().unwrap();
                    stack.last_mut().unwrap().children.push(element);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(stack.len(), 1, "an element does not end");
        stack.pop().unwrap().children.pop().unwrap()
    }

    fn of(tag: &quick_xml::events::BytesStart<'_>) -> Self {
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let value = attribute.value.replace("&quot;", "\"").replace("&amp;", "&");
            (attribute.key.as_ref().to_owned(), value)
        });
        Self {
            name: tag.name().as_ref().to_owned(),
            attributes: attributes.collect(),
            children: Vec::new(),
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name).map(|text| text.parse().unwrap())
    }
}

fn duration(text: &str) -> Micros {
    Micros::read_seconds(text.strip_prefix("PT").unwrap().strip_suffix('S').unwrap()).unwrap()
}

impl Mpd {
    /// Reads an MPD. `now` is the time on its timeline, for segments that are found by their number.
    pub(crate) fn read(text: &str, now: Micros) -> Self {
        let root = Element::parse(text);
        assert_eq!(root.name, "MPD");
        let elements: Vec<&Element> = root.all("Period").collect();
        assert!(!elements.is_empty(), "no Period:\n{text}");
        let starts: Vec<Micros> = elements
            .iter()
            .map(|one| duration(one.text("start").unwrap()))
            .collect();
        let mut periods = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let mut period = Period {
                id: element.text("id").unwrap().to_owned(),
                start: starts[index],
                end: starts.get(index + 1).copied(),
                tracks: BTreeMap::new(),
            };
            assert!(
                period.end.is_none_or(|end| end > period.start),
                "a Period without a length:\n{text}"
            );
            assert!(
                element.text("duration").is_none(),
                "a dynamic MPD has starts:\n{text}"
            );
            assert!(
                element.all("AdaptationSet").next().is_some(),
                "a Period without a set:\n{text}"
            );
            for set in element.all("AdaptationSet") {
                assert!(
                    set.all("Representation").next().is_some(),
                    "a set without a Representation:\n{text}"
                );
                for representation in set.all("Representation") {
                    let own = representation
                        .children
                        .iter()
                        .find(|child| child.name.starts_with("Segment"));
                    let addressed = own.or_else(|| set.all("SegmentTemplate").next()).unwrap();
                    let id = representation.text("id").unwrap();
                    let track = track(&period, set, addressed, now);
                    assert!(
                        !track.segments.is_empty() || addressed.text("duration").is_some(),
                        "nothing to play of {id}:\n{text}"
                    );
                    assert!(
                        period.tracks.insert(id.to_owned(), track).is_none(),
                        "{id} twice:\n{text}"
                    );
                }
            }
            periods.push(period);
        }
        Self { periods }
    }

    /// All segments of a Representation, each as far as its Period shows it.
    pub(crate) fn shown(&self, id: &str) -> Vec<Segment> {
        let mut shown = Vec::new();
        for period in &self.periods {
            let Some(track) = period.tracks.get(id) else {
                continue;
            };
            for segment in &track.segments {
                let end = period.end.map_or(segment.end, |end| segment.end.min(end));
                let begin = segment.begin.max(period.start);
                if begin < end {
                    shown.push(Segment {
                        begin,
                        end,
                        ..segment.clone()
                    });
                }
            }
        }
        shown
    }
}

fn track(period: &Period, set: &Element, addressed: &Element, now: Micros) -> Track {
    let timescale = addressed.number("timescale").unwrap_or(1);
    let offset = addressed.number("presentationTimeOffset").unwrap_or(0);
    let place = |tick: i64| {
        period
            .start
            .plus(Micros(((tick - offset) * 1_000_000).div_euclid(timescale)))
    };
    let first = addressed.number("startNumber").unwrap_or(1);
    let init = addressed
        .text("initialization")
        .or_else(|| addressed.all("Initialization").next()?.text("sourceURL"))
        .unwrap();
    let media = addressed.text("media");
    let urls: Vec<&str> = addressed
        .all("SegmentURL")
        .map(|url| url.text("media").unwrap())
        .collect();
    let url = |time: i64, index: i64| match media {
        Some(media) => media
            .replace("$Time$", &time.to_string())
            .replace("$Number$", &(first + index).to_string()),
        None => urls[usize::try_from(index).unwrap()].to_owned(),
    };
    let mut segments = Vec::new();
    if let Some(timeline) = addressed.all("SegmentTimeline").next() {
        let mut time = 0;
        for run in timeline.all("S") {
            let start = run.number("t").unwrap_or(time);
            assert!(start >= time, "a timeline goes back");
            time = start;
            for _ in 0..=run.number("r").unwrap_or(0) {
                let end = time + run.number("d").unwrap();
                let index = i64::try_from(segments.len()).unwrap();
                segments.push(Segment {
                    url: url(time, index),
                    begin: place(time),
                    end: place(end),
                });
                time = end;
            }
        }
        assert!(
            media.is_some() || urls.len() == segments.len(),
            "as many URLs as segments"
        );
    } else if let Some(length) = addressed.number("duration") {
        // A segment can be had when it has ended (A.3.2), and is one of a Period while it begins in it. The first one may
        // begin before the Period does (5.3.9.2.2).
        let ahead = addressed.number("eptDelta").unwrap_or(0);
        let nominal = |index: i64| {
            let ticks = index * length + ahead;
            period
                .start
                .plus(Micros((ticks * 1_000_000).div_euclid(timescale)))
        };
        let last = addressed.number("endNumber").unwrap_or(i64::MAX);
        let mut index = 0;
        while nominal(index + 1) <= now.plus(Micros(1))
            && first + index <= last
            && period.end.is_none_or(|end| nominal(index) < end)
        {
            segments.push(Segment {
                url: url(0, index),
                begin: nominal(index),
                end: nominal(index + 1),
            });
            index += 1;
        }
    }
    Track {
        fixed: (
            set.text("id").unwrap().to_owned(),
            init.to_owned(),
            offset,
            timescale,
        ),
        segments,
    }
}

impl Player {
    /// Where a Period began.
    pub(crate) fn start(&self, period: &str) -> Micros {
        self.periods[period].start
    }

    /// The `presentationTimeOffset` of a Representation in a Period.
    pub(crate) fn offset(&self, period: &str, id: &str) -> i64 {
        self.periods[period].tracks[id].fixed.2
    }

    /// All segments, with their Periods and Representations.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (&str, &str, &Segment)> {
        self.periods.iter().flat_map(|(period, seen)| {
            seen.tracks.iter().flat_map(move |(id, track)| {
                let segments = track.segments.values();
                segments.map(move |segment| (period.as_str(), id.as_str(), segment))
            })
        })
    }

    /// Loads the MPD again.
    pub(crate) fn load(&mut self, text: &str, now: Micros) {
        let mpd = Mpd::read(text, now);
        for period in &mpd.periods {
            if !self.periods.contains_key(&period.id) {
                let seen = SeenPeriod {
                    start: period.start,
                    tracks: BTreeMap::new(),
                };
                self.periods.insert(period.id.clone(), seen);
            }
            let known = self.periods.get_mut(&period.id).unwrap();
            assert_eq!(
                known.start, period.start,
                "the Period {} moved:\n{text}",
                period.id
            );
            for (id, track) in &period.tracks {
                for pair in track.segments.windows(2) {
                    assert!(
                        (pair[1].begin.0 - pair[0].end.0).abs() <= 25,
                        "a hole in {id} of {}:\n{text}",
                        period.id
                    );
                }
                let Some(known) = known.tracks.get_mut(id) else {
                    let segments = track.segments.iter();
                    let seen = SeenTrack {
                        fixed: track.fixed.clone(),
                        segments: segments
                            .map(|segment| (segment.url.clone(), segment.clone()))
                            .collect(),
                    };
                    known.tracks.insert(id.clone(), seen);
                    continue;
                };
                assert_eq!(known.fixed, track.fixed, "{id} of {} changed:\n{text}", period.id);
                for segment in &track.segments {
                    match known.segments.get(&segment.url) {
                        Some(seen) => assert_eq!(seen, segment, "a segment moved:\n{text}"),
                        None => drop(known.segments.insert(segment.url.clone(), segment.clone())),
                    }
                }
            }
        }
        if let Some(before) = &self.last {
            follow(before, &mpd, text);
        }
        self.last = Some(mpd);
    }
}

/// Periods go at the front and come at the end; so do segments in them. A Period of which nothing was there yet was a plan.
fn follow(before: &Mpd, mpd: &Mpd, text: &str) {
    let first = &mpd.periods[0];
    let kept = before.periods.iter().position(|period| period.id == first.id);
    // A window may leave behind all of the Periods that it had.
    let kept = kept.unwrap_or(before.periods.len());
    let gone = &before.periods[..kept];
    let begins = mpd.periods.iter().flat_map(|period| {
        let firsts = period.tracks.values().filter_map(|track| track.segments.first());
        // What of a segment lies before its Period is not shown.
        firsts.map(|first| first.begin.max(period.start))
    });
    let begin = begins.min().unwrap();
    for period in gone {
        let end = period.end.expect("the last Period has gone");
        assert!(
            end.0 <= begin.0 + 60_000,
            "the Period {} went before its time:\n{text}",
            period.id
        );
    }
    let kept_periods = &before.periods[kept..];
    let begun = kept_periods
        .iter()
        .take_while(|period| period.tracks.values().any(|track| !track.segments.is_empty()))
        .count();
    for (index, (old, new)) in kept_periods[..begun].iter().zip(&mpd.periods).enumerate() {
        assert_eq!(old.id, new.id, "Periods changed their order:\n{text}");
        assert!(
            index + 1 >= begun || old.end == new.end,
            "the end of {} moved:\n{text}",
            old.id
        );
        let sets = |period: &Period| period.tracks.keys().cloned().collect::<Vec<_>>();
        assert_eq!(sets(old), sets(new), "the sets of {} changed:\n{text}", old.id);
        for (id, track) in &new.tracks {
            let old_track = &old.tracks[id];
            let last = old_track.segments.last().map(|segment| segment.end);
            let new_last = track.segments.last().map(|segment| segment.end);
            assert!(
                new_last >= last,
                "segments of {id} of {} were taken back:\n{text}",
                new.id
            );
        }
    }
    assert!(mpd.periods.len() >= begun, "Periods were taken back:\n{text}");
}
