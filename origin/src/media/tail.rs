//! The segment on air: numbered and named with its first chunk, fed chunk by chunk, by one encoder or by whichever
//! of two has the next one.

use std::sync::Arc;

use super::segment::{ClosedSegment, MediaSequence, Parting};
use super::snapshot::OpenView;
use super::timeline::Grid;
use crate::time::UnixMillis;

/// One request's push, and the encoder that it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Push {
    /// What tells it from every other request.
    pub id: u64,
    /// The encoder: what it calls itself, or where it pushes from. One encoder's requests share it.
    pub source: Arc<str>,
}

/// A segment that is on air while it comes in.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    /// Ordinal of its epoch.
    pub(super) epoch: u32,
    pub(super) sequence: MediaSequence,
    /// Wall time of its start in nanoseconds since 1970.
    pub(super) wall: i64,
    pub(super) name: String,
    /// What has come of it.
    pub(super) segment: ClosedSegment,
    parting: Parting,
    /// The longest that it may last, in ticks.
    longest: u64,
    /// More has come of it than that.
    pub(super) is_overlong: bool,
    /// The push that leads; `None` when that broke off, and whoever has the next chunk may go on.
    pub(super) lead: Option<u64>,
    pub(super) source: Arc<str>,
    /// The whole segment as another encoder sent it, in case the one that leads breaks off.
    spare: Option<ClosedSegment>,
    /// When its newest chunk came.
    pub(super) touched: UnixMillis,
}

/// What feeding a tail came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fed {
    /// Nothing new: repeats, or another encoder's copy.
    Nothing,
    /// Chunks of the push that leads.
    Chunks,
    /// Chunks of another push, which leads from now on.
    Switched,
}

impl Tail {
    /// A tail that has nothing yet of `segment` but its start.
    pub(super) fn open(
        segment: &ClosedSegment,
        push: &Push,
        place: (u32, MediaSequence, i64),
        name: String,
        (part_target_ms, target_duration_s): (u32, u32),
        now: UnixMillis,
    ) -> Self {
        let (epoch, sequence, wall) = place;
        Self {
            epoch,
            sequence,
            wall,
            name,
            parting: Parting::new(segment.start, part_target_ms, segment.init.timescale),
            segment: ClosedSegment {
                spans: Vec::new(),
                chunks: Vec::new(),
                events: Vec::new(),
                duration: 0,
                whole: false,
                last: false,
                slate: false,
                ..segment.clone()
            },
            longest: Grid::longest(target_duration_s, segment.init.timescale),
            is_overlong: false,
            lead: Some(push.id),
            source: Arc::clone(&push.source),
            spare: None,
            touched: now,
        }
    }

    /// Whether `segment` is this one, from whichever encoder.
    pub(super) fn is_of(&self, segment: &ClosedSegment) -> bool {
        let first = segment.spans.first().map_or(0, |span| span.duration);
        segment.init.hash == self.segment.init.hash && segment.start.abs_diff(self.segment.start) <= first / 4
    }

    /// Whether `segment` begins where this one ends so far, or later.
    pub(super) fn is_before(&self, segment: &ClosedSegment) -> bool {
        segment.start.saturating_add(self.tolerance()) >= self.segment.end()
    }

    /// Takes what it has not got of a push of the same segment.
    pub(super) fn feed(&mut self, push: &Push, segment: &ClosedSegment, now: UnixMillis) -> Fed {
        if self.lead == Some(push.id) {
            return match self.take(segment, true, now) {
                0 => Fed::Nothing,
                _ => Fed::Chunks,
            };
        }
        let ahead = segment
            .spans
            .iter()
            .filter(|span| span.start.saturating_add(self.tolerance()) >= self.segment.end())
            .count();
        // One that leads and is a chunk late is merely late; two, and viewers would notice.
        let wanted = if self.lead.is_none() { 1 } else { AHEAD };
        if ahead < wanted || self.take(segment, false, now) == 0 {
            return Fed::Nothing;
        }
        self.lead = Some(push.id);
        self.source = Arc::clone(&push.source);
        Fed::Switched
    }

    /// Keeps another encoder's whole copy.
    pub(super) fn keep_spare(&mut self, segment: ClosedSegment) {
        self.spare.get_or_insert(segment);
    }

    /// The push that leads broke off; says whether the spare copy completed the segment.
    pub(super) fn break_off(&mut self, now: UnixMillis) -> bool {
        self.lead = None;
        match self.spare.take() {
            Some(spare) => {
                let taken = self.take(&spare, false, now);
                let is_whole = self.segment.end() >= spare.end();
                self.segment.whole = is_whole;
                taken > 0 && is_whole
            }
            None => false,
        }
    }

    /// The segment, as far as it came, and its parts.
    pub(super) fn finish(mut self, now: UnixMillis) -> (ClosedSegment, Parting) {
        if !self.segment.whole && self.spare.is_some() {
            self.break_off(now);
        }
        self.parting.complete();
        (self.segment, self.parting)
    }

    /// What viewers see of it.
    pub(super) fn view(&self) -> OpenView {
        let parts = self.parting.parts().to_vec();
        OpenView {
            sequence: self.sequence,
            epoch: self.epoch,
            name: self.name.clone(),
            start: self.segment.start,
            duration: parts.iter().map(|part| part.duration).sum(),
            wall: self.wall,
            init: self.segment.init.hash,
            parts,
            chunks: self.segment.chunks.clone(),
        }
    }

    /// Half a sample: encoders that cut the same frames agree to within rounding.
    fn tolerance(&self) -> u64 {
        let samples = self.segment.samples().max(1);
        self.segment.duration / samples / 2
    }

    fn take(&mut self, from: &ClosedSegment, leads: bool, now: UnixMillis) -> usize {
        let mut taken = 0;
        for (span, bytes) in from.spans.iter().zip(&from.chunks) {
            let end = self.segment.end();
            if span.start.saturating_add(self.tolerance()) < end {
                continue;
            }
            // Another encoder goes on exactly where this one stopped, or not at all.
            if !leads && taken == 0 && span.start.abs_diff(end) > self.tolerance() {
                break;
            }
            if span.end().saturating_sub(self.segment.start) > self.longest {
                self.is_overlong = true;
                break;
            }
            self.parting.push(span);
            self.segment.spans.push(*span);
            self.segment.chunks.push(bytes.clone());
            self.segment.duration = span.end().saturating_sub(self.segment.start);
            taken += 1;
        }
        if taken > 0 {
            self.touched = now;
            self.segment.last |= from.last;
            self.segment.slate |= from.slate;
        }
        taken
    }
}

/// Chunks that another encoder must be ahead to take the lead.
const AHEAD: usize = 2;
