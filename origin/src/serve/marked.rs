//! The way of a push of variant B: into the channel beside variant A, whose init segment it shares.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use http::HeaderMap;
use selvedge_watermark::pace::{INGEST_HEADER, PaceInfo};

use super::Origin;
use super::cell::Cell;
use super::push::{Way, is_kept, of_track};
use crate::Error;
use crate::cmaf::{Init, Limits};
use crate::ingest::path::ObjectName;
use crate::ingest::{self, Step};

/// What a push says beside its body of its variant and position.
///
/// # Errors
/// [`Error::BadPace`].
pub(super) fn told(headers: &HeaderMap) -> Result<Option<PaceInfo>, Error> {
    let wrong = |reason: String| Error::BadPace { reason };
    let mut lines = headers.get_all(INGEST_HEADER).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(wrong(format!("{INGEST_HEADER}: stands twice")));
    }
    let text = line
        .to_str()
        .map_err(|_| wrong(format!("{INGEST_HEADER}: not text")))?;
    PaceInfo::of_header(text)
        .map(Some)
        .map_err(|error| wrong(error.to_string()))
}

impl Origin {
    /// Takes a body of a track's variant B.
    ///
    /// # Errors
    /// [`Error::NoInit`] while variant A has sent no init segment; what the media is refused for; and the store's.
    pub(super) async fn take_b(
        &self,
        way: &Way,
        name: &ObjectName,
        head: BytesMut,
        body: &mut Body,
    ) -> Result<(), Error> {
        let (push, channel, track) = (&way.push, &*way.channel, name.track.as_str());
        let mut coming = self.coming(way, name);
        let mut cell = None;
        let mut steps = Vec::new();
        let mut next = Some(head.freeze());
        let mut stored = Ok(());
        let mut pace = self.pace();
        let ended = loop {
            let Some(bytes) = next else {
                break coming.finish(self.0.clock.now(), &mut steps);
            };
            let fed = coming.feed(&bytes);
            let read = loop {
                if cell.is_none() {
                    cell = self.cell_with_init(way, track).await;
                }
                self.inform(&mut coming, cell.as_deref(), track, push);
                match coming.step(self.0.clock.now(), &mut steps) {
                    Ok(true) => {}
                    Ok(false) => break fed,
                    Err(error) => break Err(error),
                }
                stored = stored.and(self.settle_b(way, cell.as_deref(), track, &mut steps).await?);
            };
            self.0.observed.unknown_boxes(coming.take_unknown());
            let checked = read
                .and_then(|()| pace.note(bytes.len(), coming.held() == 0))
                .and_then(|()| coming.check(&way.terms));
            if let Err(error) = checked {
                coming.abandon(&mut steps);
                break Err(error);
            }
            if let (Some(cell), Some(open)) = (&cell, coming.grown()) {
                let (so_far, now) = (open.so_far(), self.0.clock.now());
                let done = cell.change(|channel| channel.advance_b(track, push, &so_far, now));
                stored = stored.and(self.store_committed(channel, track, done).await);
            }
            let more = self.next(body, coming.received()).await;
            is_kept(cell.as_deref(), channel)?;
            match more {
                Ok(bytes) => next = bytes,
                Err(error) => {
                    coming.abandon(&mut steps);
                    break Err(error);
                }
            }
        };
        let settled = self.settle_b(way, cell.as_deref(), track, &mut steps).await?;
        ended.map_err(|error| of_track(error, track))?;
        stored.and(settled)
    }

    /// The channel, once variant A's init segment is there: that may be on its way on another connection.
    async fn cell_with_init(&self, way: &Way, track: &str) -> Option<Arc<Cell>> {
        for _ in 0..INIT_LOOKS {
            if self.init_of(way, track).is_some() {
                break;
            }
            tokio::time::sleep(INIT_LOOK).await;
        }
        self.cell(&way.channel).ok()
    }

    /// A body of one track, at its start.
    pub(super) fn coming(&self, way: &Way, name: &ObjectName) -> ingest::Body {
        let limits = &self.0.config.limits;
        let bounds = Limits {
            init: limits.init_bytes,
            chunk: limits.segment_bytes,
        };
        let cut_after = match self.0.config.segment_duration_ms {
            0 => DEFAULT_CUT_NANOS,
            ms => i64::from(ms) * 1_000_000,
        };
        let mut coming = ingest::Body::new(name.number, bounds, cut_after);
        coming.set_variant(name.variant, way.told);
        coming
    }

    /// Brings what a body of variant B completed into the channel.
    async fn settle_b(
        &self,
        way: &Way,
        cell: Option<&Cell>,
        track: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Result<(), Error>, Error> {
        let mut stored = Ok(());
        for step in steps.drain(..) {
            match (step, cell) {
                (Step::Init(init), Some(cell)) => is_of_a(cell, track, &init)?,
                (Step::Segment(segment), Some(cell)) => {
                    let now = self.0.clock.now();
                    let done = cell.change(|channel| channel.commit_b(track, &way.push, *segment, now));
                    stored = stored.and(self.store_committed(&way.channel, track, done).await);
                }
                // That a track has ended variant A says.
                (Step::Init(_) | Step::Segment(_) | Step::End, _) => {}
            }
        }
        Ok(stored)
    }
}

/// Whether variant B's init segment is variant A's: there is one for both.
///
/// # Errors
/// [`Error::Conflict`].
fn is_of_a(cell: &Cell, track: &str, init: &Init) -> Result<(), Error> {
    let channel = cell.lock();
    match channel.track(track) {
        Some(state) if state.init_named(&init.name()).is_none() => Err(Error::Conflict {
            reason: format!(
                "the init segment of variant B of track {track:?} is not that of variant A: both must have the same, and B need not send it"
            ),
        }),
        _ => Ok(()),
    }
}

/// How often, and how far apart, variant B looks for variant A's init segment.
const INIT_LOOKS: u32 = 20;
const INIT_LOOK: Duration = Duration::from_millis(10);

/// Bodies that carry many segments are cut at the first sync sample after this.
const DEFAULT_CUT_NANOS: i64 = 2_000_000_000;
