//! What a slot of a break says: a Period of its own, with the sets of the programme and the media of its ad.

use core::{
    fmt::{Display, Write as _},
    ops::Range,
};

use selvedge_breaks::{
    Micros,
    decision::{Ad, Decision, Media},
};

use super::{
    edits::Edits,
    names::{Names, ticks},
    plan::Slot,
    source::{Addressing, Period, Representation, Set, Template},
    time::Seconds,
    write::Writer,
    xml::{Escaped, Kind, Tag, resolved},
};
use crate::timeline::{Shown, decision_for, shown};

impl Writer<'_> {
    /// Writes the Period of a slot. Nothing is written where nothing can be shown there: the Period before it lasts until
    /// the one behind it, and players jump over what has no media.
    pub(super) fn slot(&mut self, slot: &Slot<'_>) -> bool {
        let airing = slot.hole.airing;
        let decision = decision_for(self.decisions, airing);
        let (Some(period), Some(decision)) = (self.source.periods.get(slot.period), decision) else {
            return false;
        };
        let before = self.out.len();
        self.period_tag(slot);
        let tag = self.out.len();
        let mut creative = None;
        for set in &period.sets {
            let Some(found) = self.set(slot, decision, period, set) else {
                continue;
            };
            creative.get_or_insert(found);
        }
        let Some(creative) = creative else {
            self.out.truncate(before);
            return false;
        };
        let (indent, prefix) = (self.indent, self.prefix);
        let asset = format!(
            "{indent}  <{prefix}AssetIdentifier schemeIdUri=\"{ASSET}\" value=\"{}\"/>",
            Escaped(&creative.creative)
        );
        self.out.insert_str(tag, &asset);
        let _ = write!(self.out, "{indent}</{prefix}Period>");
        true
    }

    fn period_tag(&mut self, slot: &Slot<'_>) {
        let (prefix, id) = (self.prefix, &slot.hole.airing.id);
        let (number, start) = (slot.slot.saturating_add(1), Seconds(slot.start));
        let _ = write!(
            self.out,
            "<{prefix}Period id=\"{}.{number}\" start=\"{start}\">",
            Escaped(&id.to_string())
        );
    }

    /// Writes a set, with those Representations that the ad has media for; the ad, where it has any.
    fn set<'d>(
        &mut self,
        slot: &Slot<'_>,
        decision: &'d Decision,
        period: &Period<'_>,
        set: &Set<'_>,
    ) -> Option<&'d Ad> {
        let before = self.out.len();
        let (indent, prefix) = (self.indent, self.prefix);
        let text = self.source.text;
        let tag = text.get(set.tag.range())?;
        let _ = write!(self.out, "{indent}  {tag}");
        for (element, tag) in &set.references {
            let _ = write!(self.out, "{indent}    ");
            self.reference(slot, element, tag);
        }
        for kept in &set.kept {
            let _ = write!(self.out, "{indent}    {}", text.get(kept.clone())?);
        }
        let mut shown = None;
        for representation in &set.representations {
            let found = self.representation(slot, decision, period, representation);
            shown = shown.or(found);
        }
        if shown.is_none() {
            self.out.truncate(before);
            return None;
        }
        let _ = write!(self.out, "{indent}  </{prefix}AdaptationSet>");
        shown
    }

    /// Media time zero is the begin of the ad: of that, the clock is known.
    fn reference(&mut self, slot: &Slot<'_>, element: &Range<usize>, tag: &Tag<'_>) {
        let text = self.source.text;
        let mut edits = Edits::default();
        let wall = self.source.begin.plus(slot.start);
        edits.set(text, tag, "wallClockTime", wall.to_string());
        edits.set(text, tag, "presentationTime", "0".into());
        edits.copy(text, element.clone(), &mut self.out);
    }

    fn representation<'d>(
        &mut self,
        slot: &Slot<'_>,
        decision: &'d Decision,
        period: &Period<'_>,
        representation: &Representation<'_>,
    ) -> Option<&'d Ad> {
        let name = resolved(representation.tag.attribute("id")?);
        let template = period.templates.get(representation.template?)?;
        let first = slot.hole.places.get(slot.places.start)?;
        let Shown { ad, media, segments } = shown(decision, slot.hole.airing, first, &name, self.target)?;
        let last = slot.hole.places.get(slot.places.end.checked_sub(1)?)?;
        // Of slate there may be less than there is room for.
        let range = index(first.segment)?..(index(last.segment)? + 1).min(segments.len());
        if range.is_empty() {
            return None;
        }
        let (indent, prefix, text) = (self.indent, self.prefix, self.source.text);
        let tag = text.get(representation.tag.range())?;
        let open = if representation.tag.kind == Kind::Empty {
            tag.strip_suffix("/>")?.trim_ascii_end()
        } else {
            tag.strip_suffix('>')?
        };
        let _ = write!(self.out, "{indent}    {open}>");
        for kept in &representation.kept {
            let _ = write!(self.out, "{indent}      {}", text.get(kept.clone())?);
        }
        match &template.addressing {
            Addressing::Number { .. } => self.numbered(slot, template, media, range),
            Addressing::Unknown | Addressing::Timeline(_) => self.timed(template, media, range),
        }
        let _ = write!(self.out, "{indent}    </{prefix}Representation>");
        Some(ad)
    }

    /// Segments that are found by their time, as far as they are out.
    fn timed(&mut self, template: &Template<'_>, media: &Media, range: Range<usize>) {
        let names = Names::of(media, template.timescale);
        let is_list = names == Names::List;
        let number = match names {
            Names::Number { first, .. } => Some(first.saturating_add(long(range.start))),
            Names::Time { .. } | Names::List => None,
        };
        self.addressed(template, media, &names, &[("startNumber", number)]);
        self.timeline(template, media, range.clone());
        if is_list {
            self.segment_urls(media, range);
        }
        self.addressed_end(is_list);
    }

    /// Segments that are found by their number: all of them, for players know by their clocks which are out.
    fn numbered(&mut self, slot: &Slot<'_>, template: &Template<'_>, media: &Media, range: Range<usize>) {
        let names = Names::of(media, template.timescale);
        let structure = &slot.hole.airing.structure;
        let planned = structure.slots.get(slot.slot).map(selvedge_breaks::Slot::segment);
        let nominal = planned.or(media.segments.first().map(|segment| segment.duration));
        let duration = template
            .timescale
            .ticks(nominal.unwrap_or(Micros::ZERO))
            .max(1)
            .unsigned_abs();
        let first = match names {
            Names::Number { first, .. } => first.saturating_add(long(range.start)),
            Names::Time { .. } | Names::List => 1,
        };
        // `$Time$` needs a timeline; without one each segment is named by itself.
        let is_list = !matches!(names, Names::Number { .. });
        let names = if is_list { Names::List } else { names };
        let end = first.saturating_add(long(range.len())).saturating_sub(1);
        let attributes = [
            ("duration", Some(duration)),
            ("startNumber", Some(first)),
            ("endNumber", Some(end).filter(|_| !is_list)),
        ];
        self.addressed(template, media, &names, &attributes);
        if is_list {
            self.segment_urls(media, range);
        }
        self.addressed_end(is_list);
    }

    /// Opens a `SegmentTemplate`, or a `SegmentList` where URIs follow no template.
    fn addressed(
        &mut self,
        template: &Template<'_>,
        media: &Media,
        names: &Names<'_>,
        more: &[(&str, Option<u64>)],
    ) {
        let (indent, prefix) = (self.indent, self.prefix);
        let element = if *names == Names::List {
            "SegmentList"
        } else {
            "SegmentTemplate"
        };
        let _ = write!(
            self.out,
            "{indent}      <{prefix}{element} timescale=\"{}\"",
            template.timescale.get()
        );
        let early = [
            ("availabilityTimeOffset", template.early),
            ("availabilityTimeComplete", template.complete),
        ];
        for (name, value) in early {
            if let Some(value) = value {
                let _ = write!(self.out, " {name}=\"{value}\"");
            }
        }
        for (name, value) in more {
            if let Some(value) = value {
                let _ = write!(self.out, " {name}=\"{value}\"");
            }
        }
        let (before, variable, after) = match names {
            Names::Number {
                before,
                after,
                digits: 1,
                ..
            } => (*before, "$Number$".to_owned(), *after),
            Names::Number {
                before,
                after,
                digits,
                ..
            } => (*before, format!("$Number%0{digits}d$"), *after),
            Names::Time { before, after } => (*before, "$Time$".to_owned(), *after),
            Names::List => {
                self.out.push('>');
                if let Some(init) = &media.init {
                    let url = self.url(init);
                    let _ = write!(
                        self.out,
                        "{indent}        <{prefix}Initialization sourceURL=\"{}\"/>",
                        Escaped(&url)
                    );
                }
                return;
            }
        };
        if let Some(init) = &media.init {
            let url = self.url(init);
            let _ = write!(self.out, " initialization=\"{}\"", Plain(&url));
        }
        let before = self.url(before);
        let _ = write!(
            self.out,
            " media=\"{}{variable}{}\">",
            Plain(&before),
            Plain(after)
        );
    }

    fn addressed_end(&mut self, is_list: bool) {
        let (indent, prefix) = (self.indent, self.prefix);
        let element = if is_list { "SegmentList" } else { "SegmentTemplate" };
        let _ = write!(self.out, "{indent}      </{prefix}{element}>");
    }

    fn timeline(&mut self, template: &Template<'_>, media: &Media, range: Range<usize>) {
        let (indent, prefix) = (self.indent, self.prefix);
        let _ = write!(self.out, "{indent}        <{prefix}SegmentTimeline>");
        let segments = ticks(media, template.timescale)
            .skip(range.start)
            .take(range.len());
        let segments: Vec<(u64, u64)> = segments.collect();
        for (index, run) in segments.chunk_by(|one, next| one.1 == next.1).enumerate() {
            let Some((time, duration)) = run.first() else {
                continue;
            };
            let _ = write!(self.out, "{indent}          <{prefix}S");
            if index == 0 {
                let _ = write!(self.out, " t=\"{time}\"");
            }
            let _ = write!(self.out, " d=\"{duration}\"");
            if run.len() > 1 {
                let _ = write!(self.out, " r=\"{}\"", run.len() - 1);
            }
            self.out.push_str("/>");
        }
        let _ = write!(self.out, "{indent}        </{prefix}SegmentTimeline>");
    }

    fn segment_urls(&mut self, media: &Media, range: Range<usize>) {
        let (indent, prefix) = (self.indent, self.prefix);
        for segment in media.segments.get(range).unwrap_or_default() {
            let url = self.url(&segment.uri);
            let _ = write!(
                self.out,
                "{indent}        <{prefix}SegmentURL media=\"{}\"/>",
                Escaped(&url)
            );
        }
    }
}

fn index(segment: u32) -> Option<usize> {
    usize::try_from(segment).ok()
}

fn long(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A text in a template that is none of its variables.
struct Plain<'a>(&'a str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Escaped(&self.0.replace('$', "$$")).fmt(f)
    }
}

/// What identifies an ad (DASH-IF IOP 5.3.2).
const ASSET: &str = "urn:org:dashif:asset-id:2013";
