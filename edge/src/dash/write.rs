//! The writer of a stitched MPD: Periods of the source with what breaks change in them, around slices of its text.

use core::{fmt::Write as _, ops::Range};
use std::{borrow::Cow, sync::Arc};

use selvedge_breaks::{Airing, Decision, Micros};

use super::{
    edits::{Edits, with_indent},
    parse::TIES,
    plan::{Item, Piece},
    runs::{self, Cut},
    source::{Addressing, EventStream, Period, Set, Source, Template},
    stitch::Stitching,
    time::Seconds,
    xml::Escaped,
};

/// Writes an MPD Period by Period. Writing to a `String` cannot fail, so what `write!` says of it is dropped.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    pub(super) source: &'a Source<'a>,
    pub(super) decisions: &'a [Arc<Decision>],
    path: Option<&'a str>,
    /// The blanks before a Period, from the line's end on.
    pub(super) indent: &'a str,
    /// `mpd:`, where the source writes its namespace so.
    pub(super) prefix: &'a str,
    /// The longest segment of an ad that can be shown, in seconds.
    pub(super) target: i64,
    /// How soon players are to look for what comes, where that is sooner than the source says.
    pub(super) look_again: Option<Micros>,
    /// How much longer than its source it is.
    pub(super) longer: Micros,
    /// Whether there are other Periods than the source's, so that all have to say when they begin.
    splits: bool,
    /// Whether Periods are told before they begin.
    pub(super) tells_ahead: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(source: &'a Source<'a>, stitching: &Stitching<'a>, slots: usize) -> Self {
        let first = source.periods.first();
        let before = first
            .and_then(|period| source.text.get(..period.element.start))
            .unwrap_or_default();
        let indent = before
            .get(before.trim_end_matches([' ', '\t', '\r', '\n']).len()..)
            .unwrap_or_default();
        let name = first
            .and_then(|period| source.text.get(period.tag.range()))
            .unwrap_or_default();
        let prefix = name
            .find("Period")
            .and_then(|end| name.get(1..end))
            .unwrap_or_default();
        let sets = source.periods.iter().flat_map(|period| &period.sets);
        let most = sets.map(|set| set.representations.len()).sum::<usize>().min(64);
        Self {
            // Enough for nearly all, so that a long document is not moved while it is written.
            out: String::with_capacity(source.text.len() + slots.min(256) * (most * 700 + 400)),
            source,
            decisions: stitching.decisions,
            path: stitching.path.filter(|_| !source.has_base),
            indent,
            prefix,
            target: source
                .longest
                .map_or(i64::MAX, |longest| longest.0.saturating_add(999_999) / 1_000_000),
            look_again: None,
            longer: Micros::ZERO,
            splits: false,
            tells_ahead: false,
        }
    }

    /// The document; `None` where it would have no Period.
    pub(super) fn write(mut self, items: &[Item<'_>]) -> Option<String> {
        let first = self.source.periods.first()?;
        let is_own = |item: &Item<'_>| matches!(item, Item::Programme(piece) if piece.is_whole());
        self.splits = !items.iter().all(is_own);
        self.around(0..first.element.start);
        let mut is_empty = true;
        // The Period of the source before which all has been copied.
        let mut copied = 0;
        for item in items {
            let before = self.out.len();
            let source = match item {
                Item::Programme(piece) => Some(piece.period).filter(|period| *period >= copied),
                Item::Slot(_) => None,
            };
            if !is_empty {
                let gap = source.and_then(|period| self.gap(period));
                self.out.push_str(gap.unwrap_or(self.indent));
            }
            let is_written = match item {
                Item::Programme(piece) => self.piece(piece),
                Item::Slot(slot) => self.slot(slot),
            };
            if !is_written {
                self.out.truncate(before);
                continue;
            }
            is_empty = false;
            copied = source.map_or(copied, |period| period + 1);
        }
        let last = self.source.periods.last()?;
        self.around(last.element.end..self.source.text.len());
        (!is_empty).then_some(self.out)
    }

    /// A range of the document around Periods, without what no player gets.
    pub(super) fn around(&mut self, range: Range<usize>) {
        let mut edits = Edits::default();
        let left_out = self.source.left_out.iter();
        for out in left_out.filter(|out| range.contains(&out.start)) {
            edits.remove(with_indent(self.source.text, out));
        }
        let root = &self.source.root;
        if let Some(step) = self.look_again
            && range.contains(&root.start)
            && root.attribute("minimumUpdatePeriod").is_some()
        {
            edits.set(
                self.source.text,
                root,
                "minimumUpdatePeriod",
                Seconds(step).to_string(),
            );
        }
        if let Some(lasts) = self.source.lasts.filter(|_| range.contains(&root.start))
            && self.longer > Micros::ZERO
        {
            let lasts = Seconds(lasts.plus(self.longer)).to_string();
            edits.set(self.source.text, root, "mediaPresentationDuration", lasts);
        }
        edits.copy(self.source.text, range, &mut self.out);
    }

    /// What stands between a Period of the source and the one before it.
    fn gap(&self, period: usize) -> Option<&'a str> {
        let before = self.source.periods.get(period.checked_sub(1)?)?;
        self.source
            .text
            .get(before.element.end..self.source.periods.get(period)?.element.start)
    }

    /// Writes a Period of the source, or what is left of it; nothing where no media is left of it.
    fn piece(&mut self, piece: &Piece<'_>) -> bool {
        let Some(period) = self.source.periods.get(piece.period) else {
            return false;
        };
        let text = self.source.text;
        let mut edits = Edits::default();
        let is_cut = !piece.is_whole();
        let is_moved = piece.from.is_some() || piece.later > Micros::ZERO;
        if is_moved || (self.splits && period.tag.attribute("start").is_none()) {
            let start = Seconds(piece.start.plus(piece.later));
            edits.set(text, &period.tag, "start", start.to_string());
        }
        if let Some(hole) = piece.from {
            let id = self.id_behind(period, hole.airing, piece.start);
            edits.set(text, &period.tag, "id", id);
        }
        if is_cut {
            self.lasts(piece, period, &mut edits);
            let from = self.shown_from(piece, period);
            let mut is_left = vec![true; period.templates.len()];
            for (template, is_left) in period.templates.iter().zip(&mut is_left) {
                *is_left = self.template(piece, period, template, from, &mut edits);
            }
            if !self.sets(period, &is_left, &mut edits) {
                return false;
            }
            for stream in &period.streams {
                self.events(piece, period, stream, &mut edits);
            }
        }
        if piece.is_behind_break {
            for set in &period.sets {
                self.tie(piece, period, set, &mut edits);
            }
        }
        edits.copy(text, period.element.clone(), &mut self.out);
        true
    }

    /// The name of what a break leaves of a Period behind it: no other break's, nor ever another. Where it was told ahead
    /// and the break ends otherwise than planned, it is not the one that was told.
    fn id_behind(&self, period: &Period<'_>, airing: &Airing, start: Micros) -> String {
        let name = airing.id.to_string();
        let mut id = match period.id() {
            Some(id) => format!("{id}.{}", Escaped(&name)),
            None => format!("{}.{}", Seconds(period.start), Escaped(&name)),
        };
        let plan = airing.planned_rejoin().map(|plan| self.source.moment(plan));
        if self.tells_ahead && plan.is_some_and(|plan| plan != start) {
            let length = start.less(self.source.moment(airing.out));
            let _ = write!(id, ".{}", length.0);
        }
        id
    }

    /// A Period that another follows lasts until that begins, and says nothing of it itself.
    fn lasts(&self, piece: &Piece<'_>, period: &Period<'_>, edits: &mut Edits) {
        let text = self.source.text;
        match (period.tag.attribute("duration"), piece.until, period.end) {
            (None, ..) => {}
            (Some(_), None, Some(end)) => {
                edits.set(
                    text,
                    &period.tag,
                    "duration",
                    Seconds(end.less(piece.start)).to_string(),
                );
            }
            (Some(_), ..) => edits.unset(text, &period.tag, "duration"),
        }
    }

    /// From when on a piece behind a break shows what the source lists: a rest that is no longer than the break's
    /// tolerance has no place there. The cuts of pictures and of sound lie a little apart, and go or stay together, or a
    /// Period would begin without some of its sets.
    fn shown_from(&self, piece: &Piece<'_>, period: &Period<'_>) -> Option<Micros> {
        let from = piece.start.plus(piece.from?.tolerance()).plus(ROUNDING);
        let templates = period.templates.iter();
        let ends = templates.filter_map(|one| one.end_behind(self.source, period.start, piece.start));
        let shortest = ends.min().filter(|end| *end <= from);
        Some(shortest.map_or(from, |end| from.max(end.plus(APART))))
    }

    /// Cuts what a template lists to what is shown from a moment on, and has it count from the begin of the piece; whether
    /// any segment is left.
    fn template(
        &self,
        piece: &Piece<'_>,
        period: &Period<'_>,
        template: &Template<'_>,
        from: Option<Micros>,
        edits: &mut Edits,
    ) -> bool {
        let text = self.source.text;
        if template.addressing == Addressing::Unknown {
            return true;
        }
        let from = from.map(|from| template.tick(period.start, from));
        let until = piece
            .until
            .map(|(until, tolerance)| template.tick(period.start, until.less(tolerance).less(ROUNDING)));
        if piece.from.is_some() {
            let offset = template.tick(period.start, piece.start);
            edits.set(
                text,
                &template.tag,
                "presentationTimeOffset",
                offset.max(0).to_string(),
            );
        }
        match &template.addressing {
            Addressing::Unknown => true,
            Addressing::Number { duration } => {
                if let Some(from) = from {
                    self.numbers(piece, period, template, (*duration, from), edits);
                }
                true
            }
            Addressing::Timeline(timeline) => {
                let mut elsewhere = Edits::default();
                let edits_of_runs = if timeline.is_own {
                    &mut *edits
                } else {
                    &mut elsewhere
                };
                let runs = template.runs(self.source);
                let Cut { gone, is_empty } =
                    runs::cut(text, timeline.begin, runs, from, until, edits_of_runs);
                let names_times = template
                    .tag
                    .attribute("media")
                    .is_some_and(|media| media.contains("$Time"));
                let numbers =
                    template.tag.attribute("startNumber").is_some() || (timeline.is_own && !names_times);
                if gone > 0
                    && numbers
                    && template
                        .tag
                        .attribute("media")
                        .is_none_or(|media| media.contains("$Number"))
                {
                    let number = template.start_number.saturating_add(gone);
                    edits.set(text, &template.tag, "startNumber", number.to_string());
                }
                !is_empty
            }
        }
    }

    /// The number of the first segment of a piece. Where that begins before the piece, `eptDelta` says so
    /// (ISO/IEC 23009-1 5.3.9.2).
    fn numbers(
        &self,
        piece: &Piece<'_>,
        period: &Period<'_>,
        template: &Template<'_>,
        (duration, from): (u64, i64),
        edits: &mut Edits,
    ) {
        let text = self.source.text;
        let first = template.tick(period.start, period.start);
        let into = from.saturating_sub(first).max(0).unsigned_abs();
        let gone = into / duration;
        edits.set(
            text,
            &template.tag,
            "startNumber",
            template.start_number.saturating_add(gone).to_string(),
        );
        let exact = template.tick(period.start, piece.start).saturating_sub(first);
        let overhang = i128::from(exact) - i128::from(gone) * i128::from(duration);
        if overhang > i128::from(from.saturating_sub(first).saturating_sub(exact)) {
            edits.set(text, &template.tag, "eptDelta", (-overhang).to_string());
        }
    }

    /// Takes Representations away that have no segment in a piece, and sets that have none left; whether any is left.
    fn sets(&self, period: &Period<'_>, is_left: &[bool], edits: &mut Edits) -> bool {
        let text = self.source.text;
        let has_media = |template: Option<usize>| {
            template
                .and_then(|index| is_left.get(index))
                .copied()
                .unwrap_or(true)
        };
        let mut any = false;
        for set in &period.sets {
            let mut left = set.representations.iter().filter(|one| has_media(one.template));
            if left.next().is_none() {
                edits.remove(with_indent(text, &set.element));
                continue;
            }
            any = true;
            for one in set.representations.iter().filter(|one| !has_media(one.template)) {
                edits.remove(with_indent(text, &one.element));
            }
        }
        any
    }

    /// Events stay with the Period in which they begin, and last no longer than it; those in a break go.
    fn events(&self, piece: &Piece<'_>, period: &Period<'_>, stream: &EventStream<'_>, edits: &mut Edits) {
        let text = self.source.text;
        let tick = |moment: Micros| {
            stream
                .timescale
                .ticks(moment.less(period.start))
                .saturating_add(stream.offset)
        };
        let from = piece.from.map(|hole| tick(piece.start.less(hole.tolerance())));
        let until = piece
            .until
            .map(|(until, tolerance)| (tick(until), tick(until.less(tolerance))));
        let stays =
            |time: i64| from.is_none_or(|from| time >= from) && until.is_none_or(|(_, until)| time < until);
        if !stream.events.iter().any(|event| stays(event.time))
            && (!stream.events.is_empty() || from.is_some())
        {
            edits.remove(with_indent(text, &stream.element));
            return;
        }
        if from.is_some() {
            edits.set(
                text,
                &stream.tag,
                "presentationTimeOffset",
                tick(piece.start).to_string(),
            );
        }
        for event in &stream.events {
            if !stays(event.time) {
                edits.remove(with_indent(text, &event.element));
            } else if let (Some(duration), Some((until, _))) = (event.duration, until)
                && event.time.saturating_add(duration) > until
            {
                edits.set(
                    text,
                    &event.tag,
                    "duration",
                    until.saturating_sub(event.time).max(0).to_string(),
                );
            }
        }
    }

    /// Says that a set goes on behind a break as it was before it: of the same name and initialisation, though not
    /// without a seam.
    fn tie(&self, piece: &Piece<'_>, period: &Period<'_>, set: &Set<'_>, edits: &mut Edits) {
        let text = self.source.text;
        if piece.from.is_none() {
            for (_, tag) in &set.ties {
                if tag.attribute("schemeIdUri") == Some(CONTINUITY) {
                    edits.set(text, tag, "schemeIdUri", CONNECTIVITY.into());
                }
            }
            return;
        }
        for (element, _) in &set.ties {
            edits.remove(with_indent(text, element));
        }
        let (Some(id), Some(at)) = (period.id(), set.properties_at) else {
            return;
        };
        let blanks = text.get(with_indent(text, &(at..at))).unwrap_or_default();
        let mut property = String::new();
        let prefix = self.prefix;
        let _ = write!(
            property,
            "<{prefix}SupplementalProperty schemeIdUri=\"{CONNECTIVITY}\" value=\"{id}\"/>{blanks}"
        );
        edits.insert(at, property);
    }

    /// A URL of an ad as it is written here. One that begins at the host's root is told from the document's folder
    /// instead, so that it stays below the token in the document's own path.
    pub(super) fn url<'u>(&self, url: &'u str) -> Cow<'u, str> {
        match self.path {
            Some(path) => crate::reroot::from_folder(path, url),
            None => Cow::Borrowed(url),
        }
    }
}

/// More than a moment is off once it was rounded to a tick.
const ROUNDING: Micros = Micros(100);
/// By how much the cuts of one place may lie apart: sound is cut between its frames.
const APART: Micros = Micros::from_millis(22);

const CONTINUITY: &str = TIES[0];
const CONNECTIVITY: &str = TIES[1];
