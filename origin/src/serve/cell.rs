//! A channel that many requests share, and the live edges that its viewers wait at.
//!
//! ```text
//! push ─▶ change ─▶ Channel ─▶ Snapshot ─┬─▶ the channel's watchers
//!                                        └─▶ LiveEdge of each track that changed ─▶ blocked players
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use crate::media::{Channel, Mark, Snapshot, TrackView};

/// A channel that many requests share.
pub(super) struct Cell {
    pub(super) name: String,
    channel: Mutex<Channel>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    edges: RwLock<HashMap<String, Edges>>,
    /// Changed since it was last saved.
    pub(super) dirty: AtomicBool,
}

/// What the viewers of one track wait at. Apart, because a chunk that is no whole part yet concerns only those
/// who are in the middle of it, and a playlist's viewers are the many.
struct Edges {
    /// Sent when what the playlist lists changed.
    listed: watch::Sender<Arc<LiveEdge>>,
    /// Sent when bytes came as well.
    grown: watch::Sender<Arc<LiveEdge>>,
}

/// A track at its live edge: the channel at that moment, and which of its tracks this is.
#[derive(Debug)]
pub(super) struct LiveEdge {
    pub(super) snapshot: Arc<Snapshot>,
    index: usize,
    mark: Mark,
}

impl LiveEdge {
    fn new(snapshot: &Arc<Snapshot>, index: usize, track: &TrackView) -> Arc<Self> {
        Arc::new(Self {
            snapshot: Arc::clone(snapshot),
            index,
            mark: snapshot.mark(track),
        })
    }

    /// The track.
    pub(super) fn track(&self) -> Option<&TrackView> {
        self.snapshot.tracks.get(self.index)
    }
}

impl Cell {
    pub(super) fn new(name: &str, channel: Channel) -> Self {
        let snapshot = Arc::new(channel.snapshot());
        let cell = Self {
            name: name.to_owned(),
            channel: Mutex::new(channel),
            snapshot: watch::Sender::new(Arc::clone(&snapshot)),
            edges: RwLock::default(),
            dirty: AtomicBool::new(false),
        };
        cell.publish(snapshot);
        cell
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Channel> {
        // A channel is whole between any two of its own calls, so a panic elsewhere leaves nothing half done.
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the channel and lets readers see it.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channel = self.lock();
        let done = act(&mut channel);
        self.dirty.store(true, Ordering::Release);
        // Under the channel's lock, so that no older state is shown after a newer one.
        self.publish(Arc::new(channel.snapshot()));
        done
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// The channel, now and at every change.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// A track's live edge, now and whenever its playlist changes; closed when the track leaves the documents.
    pub(super) fn listed(&self, track: &str) -> Option<watch::Receiver<Arc<LiveEdge>>> {
        let edges = self.edges.read().unwrap_or_else(PoisonError::into_inner);
        edges.get(track).map(|edges| edges.listed.subscribe())
    }

    /// A track's live edge, now and whenever bytes come or its playlist changes.
    pub(super) fn grown(&self, track: &str) -> Option<watch::Receiver<Arc<LiveEdge>>> {
        let edges = self.edges.read().unwrap_or_else(PoisonError::into_inner);
        edges.get(track).map(|edges| edges.grown.subscribe())
    }

    fn publish(&self, snapshot: Arc<Snapshot>) {
        let mut edges = self.edges.write().unwrap_or_else(PoisonError::into_inner);
        edges.retain(|name, _| snapshot.track(name).is_some());
        for (index, track) in snapshot.tracks.iter().enumerate() {
            let mark = snapshot.mark(track);
            let Some(known) = edges.get(&track.name) else {
                let edge = LiveEdge::new(&snapshot, index, track);
                let edges_of_track = Edges {
                    listed: watch::Sender::new(Arc::clone(&edge)),
                    grown: watch::Sender::new(edge),
                };
                edges.insert(track.name.clone(), edges_of_track);
                continue;
            };
            let (is_listed, is_grown) = {
                let (listed, grown) = (known.listed.borrow(), known.grown.borrow());
                (!listed.mark.lists_the_same(&mark), grown.mark != mark)
            };
            if !is_listed && !is_grown {
                continue;
            }
            let edge = LiveEdge::new(&snapshot, index, track);
            if is_listed {
                known.listed.send_replace(Arc::clone(&edge));
            }
            known.grown.send_replace(edge);
        }
        drop(edges);
        self.snapshot.send_replace(snapshot);
    }
}
