//! Objects of several tracks: taken apart, and each track taken as if it had come by itself.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::Origin;
use super::bodies::{self, Feed};
use super::push::{Counted, Way};
use crate::Error;
use crate::cmaf::{Demuxer, Lane, Limits, Tracks};
use crate::ingest::path::ObjectName;

/// One track on its way.
struct Track {
    feed: Feed,
    task: JoinHandle<Result<(), Error>>,
}

impl Origin {
    /// Takes a body of media, of one track or of several.
    pub(super) async fn take_media(
        &self,
        way: &Way,
        name: &ObjectName,
        mut head: BytesMut,
        body: &mut Body,
    ) -> Result<(), Error> {
        let limit = self.0.config.limits.init_bytes;
        let mut tracks = Tracks::of(&head);
        let mut pace = self.pace();
        while tracks == Tracks::Unknown && (head.len() as u64) < limit {
            match self.next(body, head.len() as u64).await {
                Ok(Some(bytes)) => {
                    pace.note(bytes.len(), false)?;
                    head.extend_from_slice(&bytes);
                }
                Ok(None) => break,
                Err(error) => return Err(error),
            }
            tracks = Tracks::of(&head);
        }
        let head = head.freeze();
        if !head.windows(4).any(|name| name == b"moov") {
            self.await_init(way, name).await;
        }
        let lanes = match tracks {
            Tracks::Unknown | Tracks::One => return self.take_track(way, name, head, body).await,
            Tracks::Several => self.lanes(way, name),
            // The last fragments of a muxed object may be of one track alone.
            Tracks::OneWithoutInit => match self.has_init(way, name) {
                true => Vec::new(),
                false => self.lanes(way, name),
            },
        };
        if tracks == Tracks::OneWithoutInit && lanes.is_empty() {
            return self.take_track(way, name, head, body).await;
        }
        self.take_muxed(way, name, lanes, head, body).await
    }

    async fn take_muxed(
        &self,
        way: &Way,
        name: &ObjectName,
        lanes: Vec<Lane>,
        head: Bytes,
        body: &mut Body,
    ) -> Result<(), Error> {
        let limits = &self.0.config.limits;
        let bounds = Limits {
            init: limits.init_bytes,
            chunk: limits.segment_bytes,
        };
        let mut demuxer = Demuxer::new(bounds, lanes);
        let mut tracks: Vec<Track> = Vec::new();
        let mut pieces = Vec::new();
        let mut received = 0;
        let mut pace = self.pace();
        let mut next = Some(head);
        let ended = loop {
            let Some(bytes) = next else {
                break demuxer.finish().map_err(Error::from);
            };
            received += bytes.len() as u64;
            let pushed = demuxer.push(&bytes, &mut pieces).map_err(Error::from);
            for (lane, piece) in pieces.drain(..) {
                let missing = demuxer.lanes().get(tracks.len()..=lane).unwrap_or_default();
                tracks.extend(missing.iter().map(|lane| self.begin(way, name, &lane.suffix)));
                if let Some(track) = tracks.get(lane) {
                    // One that takes no more has been refused, and says so at the end; the others go on.
                    let _ = track.feed.send(Ok(piece)).await;
                }
            }
            let paced = pushed.and_then(|()| pace.note(bytes.len(), demuxer.held() == 0));
            match paced {
                Ok(()) => {}
                Err(error) => break Err(error),
            }
            match self.next(body, received).await {
                Ok(bytes) => next = bytes,
                Err(error) => break Err(error),
            }
        };
        let mut outcome = ended.clone();
        for Track { feed, task } in tracks {
            if let Err(error) = &ended {
                let _ = feed.send(Err(error.clone())).await;
            }
            drop(feed);
            let done = task.await.unwrap_or(Err(Error::BrokenBody { received }));
            outcome = outcome.and(done);
        }
        outcome
    }

    /// Begins to take one track of a muxed object.
    fn begin(&self, way: &Way, name: &ObjectName, suffix: &str) -> Track {
        let (feed, mut body) = bodies::fed();
        // What is said of an object of several tracks says of none which it is meant for.
        let way = Way {
            told: None,
            ..way.clone()
        };
        let origin = self.clone();
        let name = ObjectName {
            track: lane_name(&name.track, suffix),
            number: name.number,
            variant: name.variant,
        };
        let counted = Counted::new(self);
        let task = tokio::spawn(async move {
            let _counted = counted;
            origin.take_track(&way, &name, Bytes::new(), &mut body).await
        });
        Track { feed, task }
    }

    /// Gives an init segment that is on its way on another connection the time to come: some senders begin with both at
    /// once.
    async fn await_init(&self, way: &Way, name: &ObjectName) {
        let awaited = self.0.runs.media(way, name);
        for _ in 0..INIT_LOOKS {
            let is_known = self.has_init(way, name) || !self.lanes(way, name).is_empty();
            if is_known && self.0.runs.is_there(way, name, awaited) {
                return;
            }
            tokio::time::sleep(INIT_LOOK).await;
        }
    }

    fn has_init(&self, way: &Way, name: &ObjectName) -> bool {
        self.init_of(way, &name.track).is_some()
    }

    /// The tracks that a muxed object of this name was taken apart into before.
    fn lanes(&self, way: &Way, name: &ObjectName) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for letter in ["v", "a", "t", "m"] {
            for ordinal in 1..=MAX_OF_A_KIND {
                let suffix = match ordinal {
                    1 => letter.to_owned(),
                    ordinal => format!("{letter}{ordinal}"),
                };
                let Some(init) = self.init_of(way, &lane_name(&name.track, &suffix)) else {
                    break;
                };
                lanes.push(Lane::known(&suffix, &init));
            }
        }
        lanes
    }
}

fn lane_name(track: &str, suffix: &str) -> String {
    format!("{track}-{suffix}")
}

/// How often, and how far apart, an object without an init segment looks for one.
const INIT_LOOKS: u32 = 20;
const INIT_LOOK: Duration = Duration::from_millis(10);
/// Tracks of one kind that one object may hold.
const MAX_OF_A_KIND: usize = 16;
