//! One pass over an MPD, to the notes that a stitcher needs.

use core::ops::Range;

use selvedge_breaks::{Micros, UnixMicros};

use super::{
    runs,
    source::{Addressing, Event, EventStream, Period, Representation, Set, Source, Template, Timeline},
    time::{Timescale, date_time, duration},
    xml::{Cursor, Kind, Malformed, Tag},
};

/// Why an MPD cannot have breaks put into it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unfit {
    /// It is not well formed, or not to be understood.
    Malformed,
    /// Nothing says which moment its timeline counts from (`availabilityStartTime`).
    Undated,
    /// There are no Periods, or it is unknown where they begin.
    NoPeriods,
}

impl From<Malformed> for Unfit {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'d> Source<'d> {
    /// Takes note of where things lie. `leaves_out` says which properties of the root, by their schemes, go.
    pub(super) fn read(text: &'d str, leaves_out: impl Fn(&str) -> bool) -> Result<Self, Unfit> {
        let mut cursor = Cursor::new(text);
        let root = cursor
            .next()?
            .filter(|tag| tag.name == "MPD" && tag.kind == Kind::Start);
        let root = root.ok_or(Unfit::Malformed)?;
        let is_static = root.attribute("type").is_none_or(|kind| kind == "static");
        let begin = match root.attribute("availabilityStartTime") {
            // What is there as a whole may count from nowhere.
            None if is_static => Some(UnixMicros(0)),
            said => said.and_then(date_time),
        };
        let mut source = Self {
            text,
            root,
            begin: begin.ok_or(Unfit::Undated)?,
            is_static,
            lasts: root.attribute("mediaPresentationDuration").and_then(duration),
            published: root.attribute("publishTime").and_then(date_time),
            depth: root.attribute("timeShiftBufferDepth").and_then(duration),
            longest: root.attribute("maxSegmentDuration").and_then(duration),
            has_base: false,
            left_out: Vec::new(),
            periods: Vec::new(),
            runs: Vec::with_capacity(text.len() / 48),
        };
        // Where the next Period begins if it does not say so itself (5.3.2.1).
        let mut start = Some(Micros::ZERO);
        while let Some(tag) = cursor.child(&root)? {
            match tag.name {
                "Period" => {
                    let own = tag
                        .attribute("start")
                        .map(|text| duration(text).ok_or(Unfit::NoPeriods));
                    let begin = own.transpose()?.or(start).ok_or(Unfit::NoPeriods)?;
                    if source.periods.last().is_some_and(|before| begin < before.start) {
                        return Err(Unfit::NoPeriods);
                    }
                    let period = source.period(&mut cursor, tag, begin)?;
                    start = period.end;
                    if let Some(before) = source.periods.last_mut() {
                        before.end = Some(begin);
                    }
                    source.periods.push(period);
                }
                "BaseURL" => {
                    source.has_base = true;
                    cursor.skip(&tag)?;
                }
                "SupplementalProperty" => {
                    let element = cursor.skip(&tag)?;
                    if tag.attribute("schemeIdUri").is_some_and(&leaves_out) {
                        source.left_out.push(element);
                    }
                }
                // Patches of the source are for the document of the source.
                "PatchLocation" => source.left_out.push(cursor.skip(&tag)?),
                "Location" => {
                    let element = cursor.skip(&tag)?;
                    // In full, it leads past the edge.
                    if text
                        .get(tag.end..element.end)
                        .is_some_and(|content| content.contains("//"))
                    {
                        source.left_out.push(element);
                    }
                }
                _ => {
                    cursor.skip(&tag)?;
                }
            }
        }
        let last = source.periods.last_mut().ok_or(Unfit::NoPeriods)?;
        last.end = last.end.or(source.lasts.filter(|_| is_static));
        Ok(source)
    }

    fn period(
        &mut self,
        cursor: &mut Cursor<'d>,
        tag: Tag<'d>,
        start: Micros,
    ) -> Result<Period<'d>, Malformed> {
        let lasts = tag.attribute("duration").and_then(duration);
        let mut period = Period {
            element: tag.range(),
            tag,
            start,
            end: lasts.map(|lasts| start.plus(lasts)),
            templates: Vec::new(),
            sets: Vec::new(),
            streams: Vec::new(),
            events_at: None,
            is_splittable: tag.attribute("href").is_none(),
        };
        // What stands above a set speaks of all that come behind it in the order of the schema.
        let mut above = None;
        while let Some(child) = cursor.child(&tag)? {
            if !STAND_BEFORE_EVENTS.contains(&child.name) {
                period.events_at.get_or_insert(child.start);
            }
            match child.name {
                "SegmentTemplate" => above = Some(self.template(cursor, child, None, false, &mut period)?),
                "AdaptationSet" => self.set(cursor, child, above, &mut period)?,
                "EventStream" => period.streams.push(stream(cursor, child)?),
                "SegmentBase" | "SegmentList" => {
                    cursor.skip(&child)?;
                    period.is_splittable = false;
                }
                _ => {
                    cursor.skip(&child)?;
                }
            }
        }
        period.element = tag.start..cursor.at;
        let is_addressed = |template: &Option<usize>| {
            let found = template.and_then(|index| period.templates.get(index));
            found.is_some_and(|template| template.addressing != Addressing::Unknown)
        };
        let representations = period.sets.iter().flat_map(|set| &set.representations);
        period.is_splittable &= !period.sets.is_empty()
            && period.sets.iter().all(|set| !set.representations.is_empty())
            && representations.map(|one| &one.template).all(is_addressed);
        Ok(period)
    }

    fn set(
        &mut self,
        cursor: &mut Cursor<'d>,
        tag: Tag<'d>,
        above: Option<usize>,
        period: &mut Period<'d>,
    ) -> Result<(), Malformed> {
        let mut set = Set {
            element: tag.range(),
            tag,
            kept: Vec::new(),
            references: Vec::new(),
            ties: Vec::new(),
            properties_at: None,
            representations: Vec::new(),
        };
        period.is_splittable &= tag.attribute("href").is_none();
        let mut paces = is_paced(&tag);
        let mut template = above;
        while let Some(child) = cursor.child(&tag)? {
            if !STAND_BEFORE_PROPERTIES.contains(&child.name) {
                set.properties_at.get_or_insert(child.start);
            }
            match child.name {
                "SegmentTemplate" => template = Some(self.template(cursor, child, above, paces, period)?),
                "Representation" => {
                    paces |= is_paced(&child);
                    let representation = self.representation(cursor, child, template, paces, period)?;
                    set.representations.push(representation);
                }
                "ContentComponent" => {
                    paces |= is_paced(&child);
                    cursor.skip(&child)?;
                }
                "SegmentBase" | "SegmentList" => {
                    cursor.skip(&child)?;
                    period.is_splittable = false;
                }
                "ProducerReferenceTime" => set.references.push((cursor.skip(&child)?, child)),
                name => {
                    let element = cursor.skip(&child)?;
                    if KEPT.contains(&name) {
                        set.kept.push(element);
                    } else if matches!(name, "SupplementalProperty" | "EssentialProperty")
                        && child
                            .attribute("schemeIdUri")
                            .is_some_and(|scheme| TIES.contains(&scheme))
                    {
                        set.ties.push((element, child));
                    }
                }
            }
        }
        set.element = tag.start..cursor.at;
        // A template may stand above the word on what its media is.
        let used = set.representations.iter().filter_map(|one| one.template);
        for index in used.filter(|_| paces) {
            if let Some(template) = period.templates.get_mut(index) {
                template.paces = true;
            }
        }
        period.sets.push(set);
        Ok(())
    }

    fn representation(
        &mut self,
        cursor: &mut Cursor<'d>,
        tag: Tag<'d>,
        above: Option<usize>,
        paces: bool,
        period: &mut Period<'d>,
    ) -> Result<Representation<'d>, Malformed> {
        let mut representation = Representation {
            element: tag.range(),
            tag,
            kept: Vec::new(),
            template: above,
        };
        while let Some(child) = cursor.child(&tag)? {
            match child.name {
                "SegmentTemplate" => {
                    representation.template = Some(self.template(cursor, child, above, paces, period)?);
                }
                "SegmentBase" | "SegmentList" => {
                    cursor.skip(&child)?;
                    period.is_splittable = false;
                }
                name => {
                    let element = cursor.skip(&child)?;
                    if KEPT.contains(&name) {
                        representation.kept.push(element);
                    }
                }
            }
        }
        representation.element = tag.start..cursor.at;
        Ok(representation)
    }

    /// A template with what it has of the one above it; its place among those of the Period.
    fn template(
        &mut self,
        cursor: &mut Cursor<'d>,
        tag: Tag<'d>,
        above: Option<usize>,
        paces: bool,
        period: &mut Period<'d>,
    ) -> Result<usize, Malformed> {
        let above = above.and_then(|index| period.templates.get(index));
        let timescale = match tag.number("timescale") {
            Some(ticks) => Timescale::new(ticks),
            None => above.map(|above| above.timescale).or(Timescale::new(1)),
        };
        let addressing = match (tag.number("duration").filter(|length| *length > 0), above) {
            (Some(duration), _) => Addressing::Number { duration },
            (None, Some(above)) => match above.addressing.clone() {
                Addressing::Timeline(timeline) => Addressing::Timeline(Timeline {
                    is_own: false,
                    ..timeline
                }),
                other => other,
            },
            (None, None) => Addressing::Unknown,
        };
        let inherited = |name: &str, of: fn(&Template<'d>) -> Option<&'d str>| {
            tag.attribute(name).or_else(|| above.and_then(of))
        };
        let mut template = Template {
            tag,
            timescale: timescale.ok_or(Malformed)?,
            offset: match tag.attribute("presentationTimeOffset") {
                Some(text) => text.parse().map_err(|_| Malformed)?,
                None => above.map_or(0, |above| above.offset),
            },
            start_number: tag
                .number("startNumber")
                .or(above.map(|above| above.start_number))
                .unwrap_or(1),
            addressing,
            early: inherited("availabilityTimeOffset", |above| above.early),
            complete: inherited("availabilityTimeComplete", |above| above.complete),
            paces,
        };
        while let Some(child) = cursor.child(&tag)? {
            if child.name == "SegmentTimeline" {
                let first = self.runs.len();
                let is_open = runs::read(cursor, &child, &mut self.runs)?;
                template.addressing = Addressing::Timeline(Timeline {
                    begin: child.end,
                    runs: first..self.runs.len(),
                    is_open,
                    is_own: true,
                });
            } else {
                cursor.skip(&child)?;
            }
        }
        period.templates.push(template);
        Ok(period.templates.len() - 1)
    }
}

fn stream<'d>(cursor: &mut Cursor<'d>, tag: Tag<'d>) -> Result<EventStream<'d>, Malformed> {
    let mut events = Vec::new();
    while let Some(child) = cursor.child(&tag)? {
        let element: Range<usize> = cursor.skip(&child)?;
        if child.name == "Event" {
            events.push(Event {
                element,
                tag: child,
                time: child.number("presentationTime").unwrap_or(0),
                duration: child.number("duration"),
            });
        }
    }
    Ok(EventStream {
        element: tag.start..cursor.at,
        tag,
        timescale: Timescale::new(tag.number("timescale").unwrap_or(1)).ok_or(Malformed)?,
        offset: tag.number("presentationTimeOffset").unwrap_or(0),
        events,
    })
}

/// Whether an element says of itself that it is of sound or picture.
fn is_paced(tag: &Tag<'_>) -> bool {
    let kind = tag.attribute("contentType").or_else(|| tag.attribute("mimeType"));
    kind.is_some_and(|kind| kind.starts_with("video") || kind.starts_with("audio"))
}

/// Children of a set or of a Representation that are as true of the ad in its place.
const KEPT: [&str; 7] = [
    "Accessibility",
    "AudioChannelConfiguration",
    "GroupLabel",
    "Label",
    "Rating",
    "Role",
    "Viewpoint",
];
/// Schemes by which a set is one with a set of an earlier Period (DASH-IF IOP 3.2.12).
pub(super) const TIES: [&str; 2] = [
    "urn:mpeg:dash:period-continuity:2015",
    "urn:mpeg:dash:period-connectivity:2015",
];
/// Children of a Period that stand before what comes behind its event streams by the schema.
const STAND_BEFORE_EVENTS: [&str; 6] = [
    "AssetIdentifier",
    "BaseURL",
    "EventStream",
    "SegmentBase",
    "SegmentList",
    "SegmentTemplate",
];
/// Children of a set that stand before a property by the schema.
const STAND_BEFORE_PROPERTIES: [&str; 6] = [
    "AudioChannelConfiguration",
    "ContentProtection",
    "EssentialProperty",
    "FramePacking",
    "OutputProtection",
    "SupplementalProperty",
];
