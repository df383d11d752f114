//! A source MPD as it lies in its text: what a stitcher needs to know of it, and where.

use core::ops::Range;

use selvedge_breaks::{Micros, UnixMicros};

use super::{runs::Run, time::Timescale, xml::Tag};

/// An MPD.
#[derive(Debug)]
pub(super) struct Source<'d> {
    pub(super) text: &'d str,
    pub(super) root: Tag<'d>,
    /// The moment that its timeline counts from.
    pub(super) begin: UnixMicros,
    /// Whether all of it is there (`type="static"`).
    pub(super) is_static: bool,
    /// Where its timeline ends, where that is known (`mediaPresentationDuration`).
    pub(super) lasts: Option<Micros>,
    pub(super) published: Option<UnixMicros>,
    pub(super) depth: Option<Micros>,
    /// The longest segment that it promises.
    pub(super) longest: Option<Micros>,
    /// Whether it says where URLs that it does not say in full lead.
    pub(super) has_base: bool,
    /// Children of the root that no player gets.
    pub(super) left_out: Vec<Range<usize>>,
    pub(super) periods: Vec<Period<'d>>,
    /// The runs of all timelines, one after the other.
    pub(super) runs: Vec<Run<'d>>,
}

/// A Period (ISO/IEC 23009-1 5.3.2). Moments are lengths from the begin of the MPD's timeline.
#[derive(Debug)]
pub(super) struct Period<'d> {
    pub(super) element: Range<usize>,
    pub(super) tag: Tag<'d>,
    pub(super) start: Micros,
    /// Where the next one begins, or where it ends by its own word; `None` while that is open.
    pub(super) end: Option<Micros>,
    pub(super) templates: Vec<Template<'d>>,
    pub(super) sets: Vec<Set<'d>>,
    pub(super) streams: Vec<EventStream<'d>>,
    /// Where an event stream may be put in by the order of the schema; `None` where it has no children behind them.
    pub(super) events_at: Option<usize>,
    /// Whether all of its media is addressed by templates, so that it can be split.
    pub(super) is_splittable: bool,
}

/// A `SegmentTemplate` (5.3.9.4), with what it has of those above it.
#[derive(Clone, Debug)]
pub(super) struct Template<'d> {
    /// Where it stands itself; `None` where a Representation has those above alone.
    pub(super) tag: Tag<'d>,
    pub(super) timescale: Timescale,
    /// `presentationTimeOffset`.
    pub(super) offset: i64,
    pub(super) start_number: u64,
    pub(super) addressing: Addressing,
    /// `availabilityTimeOffset` and `availabilityTimeComplete` as they are written.
    pub(super) early: Option<&'d str>,
    pub(super) complete: Option<&'d str>,
    /// Whether sound or picture is behind it, by which breaks are paced.
    pub(super) paces: bool,
}

/// How segments are found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Addressing {
    /// Nothing says so, here or above.
    Unknown,
    /// By the number that their time gives (`duration`).
    Number { duration: u64 },
    /// By a `SegmentTimeline`.
    Timeline(Timeline),
}

/// A `SegmentTimeline` (5.3.9.6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Timeline {
    /// Behind its start tag.
    pub(super) begin: usize,
    /// Its runs, among those of the source.
    pub(super) runs: Range<usize>,
    /// Whether its last run goes on for as long as the Period does.
    pub(super) is_open: bool,
    /// Whether it stands in this very template.
    pub(super) is_own: bool,
}

/// An `AdaptationSet` (5.3.3).
#[derive(Clone, Debug)]
pub(super) struct Set<'d> {
    pub(super) element: Range<usize>,
    pub(super) tag: Tag<'d>,
    /// Children that are as true of an ad: roles, labels and their kin.
    pub(super) kept: Vec<Range<usize>>,
    /// `ProducerReferenceTime`s: element and start tag.
    pub(super) references: Vec<(Range<usize>, Tag<'d>)>,
    /// Properties that tie it to one of an earlier Period.
    pub(super) ties: Vec<(Range<usize>, Tag<'d>)>,
    /// Where a property may be put in by the order of the schema.
    pub(super) properties_at: Option<usize>,
    pub(super) representations: Vec<Representation<'d>>,
}

/// A `Representation` (5.3.5).
#[derive(Clone, Debug)]
pub(super) struct Representation<'d> {
    pub(super) element: Range<usize>,
    pub(super) tag: Tag<'d>,
    pub(super) kept: Vec<Range<usize>>,
    /// The template that names its segments, among those of its Period.
    pub(super) template: Option<usize>,
}

/// An `EventStream` (5.10.2).
#[derive(Clone, Debug)]
pub(super) struct EventStream<'d> {
    pub(super) element: Range<usize>,
    pub(super) tag: Tag<'d>,
    pub(super) timescale: Timescale,
    pub(super) offset: i64,
    pub(super) events: Vec<Event<'d>>,
}

/// An `Event`.
#[derive(Clone, Debug)]
pub(super) struct Event<'d> {
    pub(super) element: Range<usize>,
    pub(super) tag: Tag<'d>,
    pub(super) time: i64,
    pub(super) duration: Option<i64>,
}

/// How far a source has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// It lists its segments: from the begin of the first to the end of the last.
    Listed { begin: Micros, edge: Micros },
    /// Players know by their clocks. What lies before `begin` is out of every window.
    Clock { begin: Option<Micros> },
}

impl Template<'_> {
    /// The moment of a tick of the media, in a Period that begins at `start`.
    pub(super) fn moment(&self, start: Micros, tick: u64) -> Micros {
        start.plus(self.timescale.length(i128::from(tick) - i128::from(self.offset)))
    }

    /// The tick of the media at a moment.
    pub(super) fn tick(&self, start: Micros, moment: Micros) -> i64 {
        self.timescale
            .ticks(moment.less(start))
            .saturating_add(self.offset)
    }

    /// When the first segment of its timeline ends that ends behind a moment, in a Period that begins at `start`.
    pub(super) fn end_behind(&self, source: &Source<'_>, start: Micros, moment: Micros) -> Option<Micros> {
        let tick = u64::try_from(self.tick(start, moment)).unwrap_or(0);
        let runs = self.runs(source);
        let run = runs.get(runs.partition_point(|run| run.end() <= tick))?;
        let whole = tick.saturating_sub(run.time) / run.duration;
        let length = run.duration.saturating_mul(whole.saturating_add(1));
        Some(self.moment(start, run.time.saturating_add(length)))
    }

    /// The runs of its timeline; none where it has no timeline.
    pub(super) fn runs<'s, 'd>(&self, source: &'s Source<'d>) -> &'s [Run<'d>] {
        match &self.addressing {
            Addressing::Timeline(timeline) => source.runs.get(timeline.runs.clone()).unwrap_or_default(),
            Addressing::Unknown | Addressing::Number { .. } => &[],
        }
    }

    fn is_clocked(&self) -> bool {
        match &self.addressing {
            Addressing::Number { .. } => true,
            Addressing::Timeline(timeline) => timeline.is_open,
            Addressing::Unknown => false,
        }
    }
}

impl Period<'_> {
    /// What it is called; `None` where it has no name.
    pub(super) fn id(&self) -> Option<&str> {
        self.tag.attribute("id")
    }

    /// The templates by which Representations of sound and picture find their segments.
    pub(super) fn pacing(&self) -> impl Iterator<Item = &Template<'_>> {
        self.templates.iter().filter(|template| template.paces)
    }
}

impl Source<'_> {
    /// The moment of the MPD's timeline at which something is.
    pub(super) fn moment(&self, at: UnixMicros) -> Micros {
        at.since(self.begin)
    }

    /// How long after a segment has begun its first piece is there; `None` where segments come whole.
    pub(super) fn step(&self) -> Option<Micros> {
        let templates = self.periods.last()?.pacing();
        let steps = templates.filter_map(|template| {
            let last = template.runs(self).last()?;
            let length = template.timescale.length(i128::from(last.duration));
            Some(length.less(Micros::read_seconds(template.early?)?))
        });
        steps.filter(|step| *step > Micros::ZERO).max()
    }

    /// How far it has come; `None` where nothing says so.
    ///
    /// Sound and picture are seldom published in the same instant. The edge is where the slowest is, so that a Period
    /// has all of its sets from its first moment; but nobody waits for long for a track that has fallen silent.
    pub(super) fn reach(&self) -> Option<Reach> {
        let mut periods = self.periods.iter().rev();
        let current = periods.find(|period| {
            period
                .pacing()
                .any(|template| template.is_clocked() || !template.runs(self).is_empty())
        })?;
        if current.pacing().any(Template::is_clocked) {
            let published = self.published.zip(self.depth);
            let begin = published.map(|(published, depth)| self.moment(published).less(depth));
            return Some(Reach::Clock { begin });
        }
        let ends = current.pacing().filter_map(|template| {
            let last = template.runs(self).last()?;
            Some(template.moment(current.start, last.end()))
        });
        let (slowest, fastest) = extremes(ends)?;
        let firsts = self.periods.iter().find_map(|period| {
            extremes(period.pacing().filter_map(|template| {
                let first = template.runs(self).first()?;
                Some(template.moment(period.start, first.time))
            }))
        });
        let (first, last) = firsts?;
        let patience = self.patience(current);
        let begin = if last.less(first) <= patience { last } else { first };
        Some(Reach::Listed {
            begin,
            edge: slowest.max(fastest.less(patience)),
        })
    }

    /// For how long one track is waited for by the others: three of its segments.
    fn patience(&self, period: &Period<'_>) -> Micros {
        let lengths = period.pacing().filter_map(|template| {
            let last = template.runs(self).last()?;
            Some(template.timescale.length(i128::from(last.duration)))
        });
        lengths.max().unwrap_or(Micros::ZERO).times(3)
    }
}

/// The least and the greatest.
fn extremes(moments: impl Iterator<Item = Micros>) -> Option<(Micros, Micros)> {
    moments.fold(None, |found, moment| {
        let (least, greatest) = found.unwrap_or((moment, moment));
        Some((least.min(moment), greatest.max(moment)))
    })
}
