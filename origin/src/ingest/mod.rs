//! Taking what encoders push: one request's bytes in, a channel's commits out.

mod gzip;
mod manifest;
mod pace;
pub mod path;
mod range;
mod sniff;

use std::sync::Arc;

use selvedge_watermark::pace::{PaceInfo, Variant};

use crate::Error;
use crate::admit::Terms;
use crate::cmaf::{self, Chunk, Event, FourCc, Init, Kind, Limits, Reader};
use crate::media::{ClosedSegment, Cuts, OpenSegment};
use crate::time::UnixMillis;
pub use gzip::Inflate;
pub use manifest::manifest_ends;
pub use pace::Pace;
pub use range::{Assembly, ContentRange};
pub use sniff::{Foreign, Sniffed, sniff};

/// What a body of media brought.
#[derive(Debug)]
pub enum Step {
    /// An init segment.
    Init(Arc<Init>),
    /// A segment is complete, or as complete as it will be.
    Segment(Box<ClosedSegment>),
    /// The track has ended.
    End,
}

/// One body of media on its way in.
#[derive(Debug)]
pub struct Body {
    reader: Reader,
    init: Option<Arc<Init>>,
    open: Option<OpenSegment>,
    number: Option<u64>,
    /// Cut at sync samples after this long, in nanoseconds: for bodies that carry more than one segment.
    cut_after: i64,
    /// Where the channel's pictures are cut, for a track that goes by them.
    cuts: Option<Cuts>,
    segment_limit: u64,
    /// Which variant it is of.
    variant: Variant,
    /// What came beside the body of its first segment's variant and position.
    told: Option<PaceInfo>,
    /// Where the track's media ends so far, in ticks.
    edge: Option<u64>,
    received: u64,
    had_media: bool,
    had_init: bool,
    has_grown: bool,
}

impl Body {
    /// A body at its start. `number` is the one in the object's name: a body without one may carry many
    /// segments and is cut at sync samples after `cut_after` nanoseconds. One with a number is a segment, unless
    /// it is many times as long: `video-1.mp4` may be a track's name.
    pub fn new(number: Option<u64>, limits: Limits, cut_after: i64) -> Self {
        Self {
            reader: Reader::new(limits),
            init: None,
            open: None,
            number,
            cut_after: match number {
                None => cut_after,
                Some(_) => cut_after.saturating_mul(LONG_BODY).min(LONG_BODY_NANOS),
            },
            cuts: None,
            segment_limit: limits.chunk,
            variant: Variant::A,
            told: None,
            edge: None,
            received: 0,
            had_media: false,
            had_init: false,
            has_grown: false,
        }
    }

    /// Says which variant of a watermarked track it is of, and what came beside it of its first segment's position
    /// (`WMPaceInfoIngest`). Those that follow say it in themselves (`wmpi`).
    pub fn set_variant(&mut self, variant: Variant, told: Option<PaceInfo>) {
        self.variant = variant;
        self.told = told;
    }

    /// Says which init segment the track has now. It counts until media or another init segment comes.
    pub fn set_init(&mut self, init: Option<Arc<Init>>) {
        if self.init.is_none() || !self.had_media && !self.had_init {
            self.init = init;
        }
    }

    /// Says where the track's media ended before this body: what times of 32 bits are counted from.
    pub fn set_edge(&mut self, edge: Option<u64>) {
        if !self.had_media {
            self.edge = edge;
        }
    }

    /// The segment that is coming in, of a body that carries many: how far it goes is for [`Body::set_cuts`] to say.
    pub fn open_ended(&self) -> Option<&OpenSegment> {
        self.open.as_ref().filter(|_| self.number.is_none())
    }

    /// Says where the channel's pictures are cut, so that a track that comes in one long body is cut there too.
    /// `None` lets it be cut by its own time.
    pub fn set_cuts(&mut self, cuts: Option<Cuts>) {
        self.cuts = cuts;
    }

    /// Takes bytes that came at `now`; pushes onto `steps` what they complete.
    ///
    /// # Errors
    /// [`Error::BadMedia`] and its kind. What was complete before stays in `steps`.
    pub fn push(&mut self, bytes: &[u8], now: UnixMillis, steps: &mut Vec<Step>) -> Result<(), Error> {
        let fed = self.feed(bytes);
        self.drain(now, steps)?;
        fed
    }

    /// Takes bytes, for [`Body::step`] to make something of.
    ///
    /// # Errors
    /// [`Error::BadMedia`] and its kind; what was complete before is there for [`Body::step`] all the same.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.received += bytes.len() as u64;
        Ok(self.reader.push(bytes)?)
    }

    /// Takes the next init segment, chunk or end of what was fed until `now`, and pushes onto `steps` what that
    /// completes; false when there is none.
    ///
    /// # Errors
    /// [`Error::BadMedia`] and its kind.
    pub fn step(&mut self, now: UnixMillis, steps: &mut Vec<Step>) -> Result<bool, Error> {
        let Some(event) = self.reader.next_event() else {
            return Ok(false);
        };
        match event {
            Event::Init(init) => {
                self.close(true, steps);
                let init = Arc::new(*init);
                self.init = Some(Arc::clone(&init));
                self.had_init = true;
                steps.push(Step::Init(init));
            }
            Event::Chunk(mut chunk) => {
                self.complete(&mut chunk)?;
                self.chunk(&chunk, now, steps)?;
            }
            Event::End => {
                self.close(true, steps);
                // ffmpeg's mp4 muxer and Shaka write an index at the end of every file; only a lone one is
                // an end of the event.
                if !self.had_media {
                    steps.push(Step::End);
                }
            }
        }
        Ok(true)
    }

    /// The sender ended the body.
    ///
    /// # Errors
    /// [`Error::BadMedia`] when it ends inside a box; chunks that were whole become a cut-off segment.
    pub fn finish(mut self, now: UnixMillis, steps: &mut Vec<Step>) -> Result<(), Error> {
        let finished = self.reader.finish();
        let drained = self.drain(now, steps);
        let whole = finished.is_ok() && drained.is_ok();
        self.close(whole, steps);
        drained?;
        Ok(finished?)
    }

    /// The connection broke, or the body went wrong: chunks that were whole become a cut-off segment.
    pub fn abandon(mut self, steps: &mut Vec<Step>) {
        self.close(false, steps);
    }

    /// The segment that is coming in, if it has grown since this was last asked.
    pub fn grown(&mut self) -> Option<&OpenSegment> {
        std::mem::take(&mut self.has_grown)
            .then_some(self.open.as_ref())
            .flatten()
    }

    /// Boxes of types that are not known, since this was last asked.
    pub fn take_unknown(&mut self) -> u64 {
        self.reader.take_unknown()
    }

    /// Bytes held of what is not complete.
    pub fn held(&self) -> usize {
        self.reader.held()
    }

    /// Checks the segment that is coming in against what its sender may push.
    ///
    /// # Errors
    /// [`Error::OverTerms`].
    pub fn check(&self, terms: &Terms) -> Result<(), Error> {
        match &self.open {
            Some(open) => terms.check_rate(open.length(), open.span()),
            None => Ok(()),
        }
    }

    /// Bytes that have come.
    pub fn received(&self) -> u64 {
        self.received
    }

    fn close(&mut self, whole: bool, steps: &mut Vec<Step>) {
        if let Some(open) = self.open.take() {
            steps.push(Step::Segment(Box::new(open.close(whole))));
        }
    }

    fn drain(&mut self, now: UnixMillis, steps: &mut Vec<Step>) -> Result<(), Error> {
        while self.step(now, steps)? {}
        Ok(())
    }

    /// Adds to a chunk what its bytes alone do not say.
    fn complete(&mut self, chunk: &mut Chunk) -> Result<(), Error> {
        let Some(init) = &self.init else {
            return Ok(());
        };
        if chunk.fragment.narrow
            && let Some(edge) = self.edge
        {
            let time = cmaf::unwrap(chunk.fragment.decode_time, edge, init.timescale);
            chunk.set_time(time)?;
        }
        let duration = chunk.fragment.duration(init.default_duration);
        self.edge = Some(chunk.fragment.decode_time.saturating_add(duration));
        chunk.events.extend(cmaf::track_events(chunk, init));
        Ok(())
    }

    fn chunk(&mut self, chunk: &Chunk, now: UnixMillis, steps: &mut Vec<Step>) -> Result<(), Error> {
        self.had_media = true;
        let Some(init) = self.init.clone() else {
            return Err(Error::NoInit { track: String::new() });
        };
        while let Some(place) = self.cut_before(chunk, &init) {
            let front = self.open.as_mut().and_then(|open| open.split_before(place));
            match front {
                Some(front) => steps.push(Step::Segment(Box::new(front.close(true)))),
                None => {
                    self.close(true, steps);
                    self.number = None;
                }
            }
        }
        let is_of_variant = |pace: PaceInfo| pace.variant == self.variant;
        if !chunk.pace.is_none_or(is_of_variant) {
            return Err(Error::BadMedia(cmaf::Error::Malformed {
                name: FourCc(*b"wmpi"),
                at: chunk.at,
                reason: "its variant is not the one that the request is for",
            }));
        }
        let outcome = match &mut self.open {
            Some(open) if open.length().saturating_add(chunk.bytes.len() as u64) > self.segment_limit => {
                return Err(Error::Limit {
                    what: "the segment",
                    limit: self.segment_limit,
                    key: "limits.segment_bytes",
                });
            }
            Some(open) => open.append(chunk),
            None => {
                let told = self.told.take();
                let is_same = |told: PaceInfo, own: PaceInfo| told.position == own.position;
                if !told.zip(chunk.pace).is_none_or(|(told, own)| is_same(told, own)) {
                    return Err(Error::BadPace {
                        reason: "the header says another position than the segment's wmpi".to_owned(),
                    });
                }
                OpenSegment::open(Arc::clone(&init), chunk, self.number, now).map(|mut open| {
                    open.set_pace(told);
                    self.open = Some(open);
                })
            }
        };
        self.has_grown |= outcome.is_ok();
        outcome.map_err(|bad| {
            Error::BadMedia(cmaf::Error::Malformed {
                name: FourCc(*b"moof"),
                at: chunk.at,
                reason: bad.reason(),
            })
        })
    }

    /// Where the segment that is coming in is cut, now that another chunk comes: before which of its own chunks, or
    /// behind them all.
    fn cut_before(&self, chunk: &Chunk, init: &Init) -> Option<usize> {
        let open = self.open.as_ref()?;
        let behind_all = open.chunks().count();
        if self.number.is_none() && open.leaves_hole_before(chunk) {
            return Some(behind_all);
        }
        let half = chunk.fragment.duration(init.default_duration) / 2;
        if let Some(cuts) = self.cuts.as_ref().filter(|_| self.number.is_none()) {
            let begins = |start: u64, at: u64| start.saturating_add(half) >= at;
            let Some(at) = cuts.at.iter().copied().find(|at| !begins(open.start(), *at)) else {
                // Pictures may come a little later; not so much.
                return (open.span() >= self.cut_after.saturating_mul(PATIENCE)).then_some(behind_all);
            };
            if !begins(chunk.fragment.decode_time, at) {
                return None;
            }
            let first = open.chunks().position(|(span, _)| begins(span.start, at));
            return first.filter(|_| !cuts.is_on_air).or(Some(behind_all));
        }
        let syncs = init.kind != Kind::Video || chunk.fragment.starts_with_sync(init.default_flags);
        let half = crate::time::ticks_to_nanos(half.cast_signed(), init.timescale);
        (syncs && open.span().saturating_add(half) >= self.cut_after).then_some(behind_all)
    }
}

/// Sound waits for so many segments to be cut where pictures are.
const PATIENCE: i64 = 4;
/// A numbered body this many times as long as a segment carries more than one.
const LONG_BODY: i64 = 8;
/// So does one that is longer than this.
const LONG_BODY_NANOS: i64 = 30_000_000_000;
