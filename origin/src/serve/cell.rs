//! A channel that many requests share, and the live edges that its viewers wait at.
//!
//! ```text
//! push ─▶ change ─▶ Channel ─▶ Snapshot ─┬─▶ the channel's watchers
//!                                        └─▶ LiveEdge of each track that changed ─▶ blocked players
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use selvedge_breaks::Log;
use tokio::sync::watch;

use super::cmsd;
use super::document::Document;
use super::live::HLS;
use super::manifest::Manifests;
use crate::media::{Channel, Mark, Snapshot, TrackView};
use crate::observe;
use crate::render::hls::{Memory, Playlist, Skip};
use crate::store::LogNumber;
use crate::time::UnixMillis;

/// A channel that many requests share.
pub(super) struct Cell {
    pub(super) name: String,
    channel: Mutex<Channel>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    edges: RwLock<HashMap<String, Edges>>,
    /// Requests that wait for media of this channel.
    pub(super) blocked: AtomicUsize,
    /// The origin's name, as its answers say it.
    origin: Arc<str>,
    pub(super) manifests: Manifests,
    /// Documents that seldom change, by name, as they were last sent.
    texts: Mutex<HashMap<String, Arc<Document>>>,
    /// Changed since it was last saved.
    pub(super) dirty: AtomicBool,
    /// Whoever changes what the break log says does so alone: it is kept before it is shown.
    pub(super) hearing: tokio::sync::Mutex<()>,
    /// The break log as it was last kept.
    kept: Mutex<Kept>,
    /// Deleted: nothing may come into it any more.
    pub(super) gone: AtomicBool,
}

/// What the store has of a channel's break log.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The log, where it is this origin's own.
    pub(super) log: Option<Arc<Log>>,
    /// Which change of it was kept last, as far as is known here.
    pub(super) number: LogNumber,
    /// When it was last looked for what other origins keep.
    pub(super) looked: UnixMillis,
}

/// What the viewers of one track wait at. Apart, because a chunk that is no whole part yet concerns only those
/// who are in the middle of it, and a playlist's viewers are the many.
struct Edges {
    /// Sent when what the playlist lists changed.
    listed: watch::Sender<Arc<LiveEdge>>,
    /// Sent when bytes came as well.
    grown: watch::Sender<Arc<LiveEdge>>,
    memory: Arc<Mutex<Memory>>,
}

/// A track at its live edge: the channel at that moment, and which of its tracks this is.
/// Its documents are written when the first request wants them, and once.
#[derive(Debug)]
pub(super) struct LiveEdge {
    pub(super) snapshot: Arc<Snapshot>,
    index: usize,
    mark: Mark,
    origin: Arc<str>,
    memory: Arc<Mutex<Memory>>,
    full: OnceLock<Option<Document>>,
    deltas: [OnceLock<Option<Document>>; 2],
}

impl LiveEdge {
    pub(super) fn new(
        origin: &Arc<str>,
        snapshot: &Arc<Snapshot>,
        index: usize,
        track: &TrackView,
        memory: &Arc<Mutex<Memory>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            snapshot: Arc::clone(snapshot),
            index,
            mark: snapshot.mark(track),
            origin: Arc::clone(origin),
            memory: Arc::clone(memory),
            full: OnceLock::new(),
            deltas: [const { OnceLock::new() }; 2],
        })
    }

    /// The media playlist; `None` while it lists nothing.
    pub(super) fn full(&self) -> Option<&Document> {
        let document = self.full.get_or_init(|| {
            let playlist = Playlist::new(&self.snapshot, self.track()?)?;
            Some(Document::new(playlist.full(&mut self.memory()), HLS, self.cmsd()))
        });
        document.as_ref()
    }

    /// The delta update, or the whole playlist where there is nothing to skip.
    pub(super) fn delta(&self, skip: Skip) -> Option<&Document> {
        let [segments, ranges] = &self.deltas;
        let place = match skip {
            Skip::Segments => segments,
            Skip::SegmentsAndRanges => ranges,
        };
        let document = place.get_or_init(|| {
            let playlist = Playlist::new(&self.snapshot, self.track()?)?;
            let text = playlist.delta(skip, &mut self.memory())?;
            Some(Document::of_text(text, HLS, self.cmsd()))
        });
        document.as_ref().or_else(|| self.full())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is checked before use, so that half of it does no harm.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cmsd(&self) -> cmsd::Static {
        let hls = Some(cmsd::Format::Hls);
        cmsd::Static::new(
            cmsd::ObjectType::Manifest,
            hls,
            &self.origin,
            !self.snapshot.ended,
        )
        .available(self.snapshot.updated)
    }

    /// The track's name.
    pub(super) fn name(&self) -> &str {
        self.track().map_or("", |track| &track.name)
    }

    /// The track.
    pub(super) fn track(&self) -> Option<&TrackView> {
        self.snapshot.tracks.get(self.index)
    }
}

impl Cell {
    pub(super) fn new(name: &str, channel: Channel, origin: &str) -> Self {
        let snapshot = Arc::new(channel.snapshot());
        let cell = Self {
            name: name.to_owned(),
            channel: Mutex::new(channel),
            snapshot: watch::Sender::new(Arc::clone(&snapshot)),
            edges: RwLock::default(),
            blocked: AtomicUsize::default(),
            origin: origin.into(),
            manifests: Manifests::new(origin),
            texts: Mutex::default(),
            dirty: AtomicBool::new(false),
            hearing: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
            gone: AtomicBool::new(false),
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
        channel.settle_breaks();
        self.dirty.store(true, Ordering::Release);
        // Under the channel's lock, so that no older state is shown after a newer one.
        self.publish(Arc::new(channel.snapshot()));
        done
    }

    /// What the store has of the break log.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that wait for media of this channel.
    pub(super) fn blocked(&self) -> usize {
        self.blocked.load(Ordering::Relaxed)
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// The channel, now and at every change.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// A document of HLS that says this; the one that was last sent under the name, if that is what it said.
    pub(super) fn document(&self, name: &str, text: String, is_live: bool) -> Arc<Document> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.get(name).filter(|known| known.says(&text)) {
            return Arc::clone(known);
        }
        let hls = Some(cmsd::Format::Hls);
        let cmsd = cmsd::Static::new(cmsd::ObjectType::Manifest, hls, &self.origin, is_live);
        let document = Arc::new(Document::of_text(text, HLS, cmsd));
        if texts.len() >= MAX_TEXTS {
            texts.clear();
        }
        texts.insert(name.to_owned(), Arc::clone(&document));
        document
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
                let memory = Arc::default();
                let edge = LiveEdge::new(&self.origin, &snapshot, index, track, &memory);
                let edges_of_track = Edges {
                    listed: watch::Sender::new(Arc::clone(&edge)),
                    grown: watch::Sender::new(edge),
                    memory,
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
            let edge = LiveEdge::new(&self.origin, &snapshot, index, track, &known.memory);
            if is_listed {
                known.listed.send_replace(Arc::clone(&edge));
            }
            known.grown.send_replace(edge);
        }
        drop(edges);
        observe::tell(&self.snapshot.borrow(), &snapshot);
        self.snapshot.send_replace(snapshot);
    }
}

/// Documents of a channel that are kept for the next who asks: a channel has two for each track at most.
const MAX_TEXTS: usize = 128;
