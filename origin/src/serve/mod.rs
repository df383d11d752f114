//! The origin as a server: routes, and the way of one push.

mod answer;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::{Bytes, BytesMut};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::clock::SharedClock;
use crate::cmaf::Limits;
use crate::ingest::path::{ObjectName, is_channel_name};
use crate::ingest::{self, Sniffed, Step};
use crate::media::{Channel, Settings, Snapshot, TrackView};
use crate::render::{dash, hls};
use crate::store::Store;
use crate::time::UnixMillis;
use crate::{Config, Error};
use answer::{Freshness, object, text};

/// The origin: channels, their store, and a server in front. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Origin(Arc<Inner>);

struct Inner {
    config: Config,
    clock: SharedClock,
    store: Store,
    channels: RwLock<HashMap<String, Arc<Cell>>>,
    /// Held to write while a channel's objects are deleted, so that none of its name begins meanwhile.
    retiring: tokio::sync::RwLock<()>,
    pushes: Semaphore,
    /// Tasks that take pushes: they outlive their connections.
    tasks: watch::Sender<usize>,
}

/// A channel that many requests share.
struct Cell {
    name: String,
    channel: Mutex<Channel>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// Changed since it was last saved.
    dirty: AtomicBool,
}

impl Cell {
    fn new(name: &str, channel: Channel) -> Self {
        let snapshot = Arc::new(channel.snapshot());
        Self {
            name: name.to_owned(),
            channel: Mutex::new(channel),
            snapshot: watch::Sender::new(snapshot),
            dirty: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channel> {
        // A channel is whole between any two of its own calls, so a panic elsewhere leaves nothing half done.
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the channel and lets readers see it.
    fn change<T>(&self, act: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channel = self.lock();
        let done = act(&mut channel);
        self.dirty.store(true, Ordering::Release);
        self.snapshot.send_replace(Arc::new(channel.snapshot()));
        done
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }
}

impl Origin {
    /// Opens the store and brings back the channels that it holds.
    ///
    /// # Errors
    /// [`Error::Config`] for values that cannot be used, [`Error::Store`] when the store cannot be read.
    pub async fn open(config: Config, clock: SharedClock) -> Result<Self, Error> {
        config.check()?;
        let store = Store::folder(&config.data)?;
        let settings = settings(&config);
        let mut channels = HashMap::new();
        for channel in store.load(settings).await? {
            let name = channel.name().to_owned();
            tracing::info!(channel = name, tracks = channel.tracks(), "channel brought back");
            channels.insert(name.clone(), Arc::new(Cell::new(&name, channel)));
        }
        let pushes = Semaphore::new(config.limits.pushes as usize);
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            store,
            channels: RwLock::new(channels),
            retiring: tokio::sync::RwLock::new(()),
            pushes,
            tasks: watch::Sender::new(0),
        })))
    }

    /// The routes, for use inside another server. [`Origin::save`] and [`Origin::sweep`] are the caller's then.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(async || text("ok\n".to_owned(), "text/plain")))
            .route("/time", get(time))
            .route("/channels", get(channels))
            .route("/ingest/{channel}/{*rest}", any(push))
            .route("/live/{channel}/index.m3u8", get(multivariant))
            .route("/live/{channel}/manifest.mpd", get(manifest))
            .route("/live/{channel}/{track}/index.m3u8", get(playlist))
            .route("/live/{channel}/{track}/{object}", get(media))
            .fallback(async |request: Request| Error::UnknownPath {
                path: request.uri().path().to_owned(),
            })
            .method_not_allowed_fallback(async |request: Request| Error::Method {
                method: request.method().to_string(),
                allowed: "GET, HEAD",
            })
            .with_state(self.clone())
    }

    /// Serves until `shutdown` is done, then lets requests under way end and saves every channel.
    ///
    /// # Errors
    /// [`Error::Store`] when the state cannot be saved.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let limits = &self.0.config.limits;
        let bounds = selvedge_listen::Limits {
            connections: limits.connections as usize,
            header_bytes: limits.header_bytes as usize,
            header_fields: limits.headers as usize,
            header_time: Duration::from_secs(u64::from(limits.header_timeout_s)),
            drain_time: Duration::from_secs(u64::from(limits.drain_s)),
            ..selvedge_listen::Limits::default()
        };
        let (stop, mut stopped) = watch::channel(());
        let keeper = tokio::spawn({
            let origin = self.clone();
            async move {
                // Stopped between two rounds alone: a save that is cut off would be lost.
                while tokio::time::timeout(Duration::from_secs(1), stopped.changed())
                    .await
                    .is_err()
                {
                    origin.sweep().await;
                    if let Err(error) = origin.save().await {
                        tracing::error!(%error, "state not saved; will try again");
                    }
                }
            }
        });
        selvedge_listen::serve(listener, self.router(), bounds, shutdown).await;
        drop(stop);
        if let Err(error) = keeper.await {
            tracing::error!(%error, "the keeper of the store failed");
        }
        self.close().await
    }

    /// Lets pushes under way end, within `limits.drain_s`; lists what was cut off, for its sender may never say
    /// more; and saves every channel. [`Origin::serve`] ends with it.
    ///
    /// # Errors
    /// [`Error::Store`] when media or state cannot be saved.
    pub async fn close(&self) -> Result<(), Error> {
        let drain = Duration::from_secs(u64::from(self.0.config.limits.drain_s));
        let mut tasks = self.0.tasks.subscribe();
        if tokio::time::timeout(drain, tasks.wait_for(|tasks| *tasks == 0))
            .await
            .is_err()
        {
            tracing::warn!(
                pushes = *tasks.borrow(),
                "pushes are still under way: left behind"
            );
        }
        let mut outcome = Ok(());
        for cell in self.cells() {
            let now = self.0.clock.now();
            let write = cell.change(|channel| channel.release(now)).write;
            outcome = outcome.and(self.store_all(&cell.name, write).await);
        }
        let saved = self.save().await;
        outcome.and(saved)
    }

    /// Saves every channel that changed since it was last saved.
    ///
    /// # Errors
    /// [`Error::Store`] of the first channel that could not be saved; the others are saved all the same.
    pub async fn save(&self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for cell in self.cells() {
            if cell.dirty.swap(false, Ordering::AcqRel) {
                let record = cell.lock().record();
                if let Err(error) = self.0.store.save(&record).await {
                    cell.dirty.store(true, Ordering::Release);
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome
    }

    /// Deletes what is past its retention.
    pub async fn sweep(&self) {
        let now = self.0.clock.now();
        for cell in self.cells() {
            let swept = cell.lock().sweep(now);
            if swept.is_changed {
                cell.change(|_| ());
            }
            for (track, name) in swept.gone {
                cell.dirty.store(true, Ordering::Release);
                if let Err(error) = self.0.store.delete(&cell.name, &track, &name).await {
                    tracing::warn!(channel = cell.name, %error, "expired object stays in the store");
                }
            }
        }
        self.retire(now).await;
    }

    /// Forgets channels that are over, with all that the store has of them.
    async fn retire(&self, now: UnixMillis) {
        let _alone = self.0.retiring.write().await;
        let mut over = Vec::new();
        {
            let mut channels = self.0.channels.write().unwrap_or_else(PoisonError::into_inner);
            channels.retain(|name, cell| {
                // A request that holds the channel may be about to bring media.
                let is_over = Arc::strong_count(cell) == 1 && cell.lock().is_over(now);
                if is_over {
                    over.push(name.clone());
                }
                !is_over
            });
        }
        for channel in over {
            tracing::info!(channel, "channel is over and forgotten");
            if let Err(error) = self.0.store.remove(&channel).await {
                tracing::warn!(channel, %error, "objects of a forgotten channel stay in the store");
            }
        }
    }

    /// The channel as its documents show it, now and at every change.
    pub fn watch(&self, channel: &str) -> Option<watch::Receiver<Arc<Snapshot>>> {
        self.cell(channel).ok().map(|cell| cell.snapshot.subscribe())
    }

    fn cells(&self) -> Vec<Arc<Cell>> {
        self.0
            .channels
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    fn cell(&self, channel: &str) -> Result<Arc<Cell>, Error> {
        let channels = self.0.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels
            .get(channel)
            .cloned()
            .ok_or_else(|| Error::UnknownChannel {
                channel: channel.to_owned(),
            })
    }

    async fn cell_or_new(&self, channel: &str) -> Result<Arc<Cell>, Error> {
        let _none_retires = self.0.retiring.read().await;
        let mut channels = self.0.channels.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = channels.get(channel) {
            return Ok(Arc::clone(cell));
        }
        let limit = u64::from(self.0.config.limits.channels);
        if channels.len() as u64 >= limit {
            return Err(Error::Limit {
                what: "one more channel",
                limit,
                key: "limits.channels",
            });
        }
        let cell = Arc::new(Cell::new(
            channel,
            Channel::new(channel, settings(&self.0.config)),
        ));
        channels.insert(channel.to_owned(), Arc::clone(&cell));
        tracing::info!(channel, "channel begins");
        Ok(cell)
    }

    /// The channel's snapshot, once it may be shown.
    fn ready(&self, channel: &str) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.cell(channel)?.snapshot();
        let waiting = snapshot.waiting_for().join(", ");
        let starting = |waiting_for: &str| {
            Err(Error::ChannelStarting {
                channel: channel.to_owned(),
                waiting_for: waiting_for.to_owned(),
            })
        };
        let patience = i64::from(self.0.config.start_patience_ms);
        let is_patient = self.0.clock.now().0 - snapshot.began.0 < patience;
        if snapshot.tracks.iter().all(|track| track.entries.is_empty()) {
            return starting(if waiting.is_empty() {
                "the first init segment"
            } else {
                &waiting
            });
        }
        if !waiting.is_empty() && is_patient && !snapshot.ended {
            return starting(&waiting);
        }
        Ok(snapshot)
    }

    fn public(&self, mut response: Response) -> Response {
        if !self.0.config.cors_origin.is_empty()
            && let Ok(origin) = HeaderValue::from_str(&self.0.config.cors_origin)
        {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response
                .headers_mut()
                .insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
        response
    }

    /// Takes one pushed object.
    async fn take(&self, channel: &str, rest: &str, body: &mut Body) -> Result<(), Error> {
        let Ok(_slot) = self.0.pushes.try_acquire() else {
            let limit = u64::from(self.0.config.limits.pushes);
            return Err(Error::Limit {
                what: "one more push at a time",
                limit,
                key: "limits.pushes",
            });
        };
        if !is_channel_name(channel) {
            return Err(Error::ChannelName {
                name: channel.chars().take(80).collect(),
            });
        }
        let Some(name) = ObjectName::parse(rest) else {
            return Err(Error::UnknownPath {
                path: format!("/ingest/{channel}/{rest}"),
            });
        };
        let mut head = BytesMut::new();
        let sniffed = loop {
            match self.next(body, head.len() as u64).await? {
                Some(bytes) => head.extend_from_slice(&bytes),
                // An empty body is a probe.
                None => return Ok(()),
            }
            match ingest::sniff(&head) {
                Some(sniffed) => break sniffed,
                None if head.len() > MAX_BLANK => {
                    return Err(Error::Unsupported {
                        reason: "the body is blank".to_owned(),
                    });
                }
                None => {}
            }
        };
        match sniffed {
            Sniffed::Manifest => self.take_manifest(channel, head, body).await,
            Sniffed::Foreign(foreign) => Err(foreign.refusal()),
            Sniffed::Media => self.take_media(channel, &name, head.freeze(), body).await,
        }
    }

    /// Reads a refused body to its end, within bounds: an answer before the end would close the connection,
    /// and that ends some senders for good.
    async fn drain(&self, mut body: Body) {
        let mut left = self.0.config.limits.segment_bytes;
        while let Ok(Some(bytes)) = self.next(&mut body, 0).await {
            match left.checked_sub(bytes.len() as u64) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }

    async fn take_manifest(&self, channel: &str, mut text: BytesMut, body: &mut Body) -> Result<(), Error> {
        let limit = self.0.config.limits.manifest_bytes;
        while let Some(bytes) = self.next(body, text.len() as u64).await? {
            text.extend_from_slice(&bytes);
            if text.len() as u64 > limit {
                return Err(Error::Limit {
                    what: "the manifest",
                    limit,
                    key: "limits.manifest_bytes",
                });
            }
        }
        // Of a channel without media a manifest says nothing.
        if ingest::manifest_ends(&text)
            && let Ok(cell) = self.cell(channel)
        {
            tracing::info!(
                channel = cell.name,
                "the sender's manifest says that the channel ended"
            );
            let now = self.0.clock.now();
            cell.change(|channel| channel.end(None, now));
        }
        Ok(())
    }

    async fn take_media(
        &self,
        channel: &str,
        name: &ObjectName,
        head: Bytes,
        body: &mut Body,
    ) -> Result<(), Error> {
        let track = name.track.as_str();
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
        let mut cell = None;
        let mut steps = Vec::new();
        let mut next = Some(head);
        let mut stored = Ok(());
        let ended = loop {
            let Some(bytes) = next else {
                break coming.finish(self.0.clock.now(), &mut steps);
            };
            // Asked each time: the init segment may come on another connection after this body was opened.
            if cell.is_none() {
                cell = self.cell(channel).ok();
            }
            let init = cell
                .as_ref()
                .and_then(|cell| cell.lock().track(track).and_then(|track| track.init().cloned()));
            coming.set_init(init);
            if let Err(error) = coming.push(&bytes, self.0.clock.now(), &mut steps) {
                coming.abandon(&mut steps);
                break Err(error);
            }
            let settled = self.settle(channel, &mut cell, track, &mut steps).await?;
            stored = stored.and(settled);
            match self.next(body, coming.received()).await {
                Ok(bytes) => next = bytes,
                Err(error) => {
                    coming.abandon(&mut steps);
                    break Err(error);
                }
            }
        };
        let settled = self.settle(channel, &mut cell, track, &mut steps).await?;
        ended.map_err(|error| match error {
            Error::NoInit { .. } => Error::NoInit {
                track: track.to_owned(),
            },
            other => other,
        })?;
        stored.and(settled)
    }

    /// Brings what a body completed into the channel, and what is new into the store. A channel begins with its
    /// first init segment: stray objects make none.
    ///
    /// The inner result is the first failure of the store: what came after it was taken in all the same.
    async fn settle(
        &self,
        channel: &str,
        cell: &mut Option<Arc<Cell>>,
        track: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Result<(), Error>, Error> {
        let mut write = Vec::new();
        for step in steps.drain(..) {
            let now = self.0.clock.now();
            match (step, &mut *cell) {
                (Step::Init(init), cell) => {
                    let cell = match cell {
                        Some(cell) => cell,
                        None => cell.insert(self.cell_or_new(channel).await?),
                    };
                    let (name, bytes) = (init.name(), init.bytes.clone());
                    let codec = init.codec.clone();
                    let limit = u64::from(self.0.config.limits.tracks);
                    let is_new = cell.change(|channel| {
                        let is_full = channel.track(track).is_none() && channel.tracks() as u64 >= limit;
                        (!is_full).then(|| channel.set_init(track, init, now))
                    });
                    let Some(is_new) = is_new else {
                        return Err(Error::Limit {
                            what: "one more track",
                            limit,
                            key: "limits.tracks",
                        });
                    };
                    tracing::info!(channel, track, codec, init = name, "init segment");
                    write.extend(is_new.then(|| (track.to_owned(), name, bytes)));
                }
                (Step::Segment(segment), Some(cell)) => {
                    let (start, span) = (segment.start, segment.span());
                    let done = cell.change(|channel| channel.commit(track, *segment, now));
                    let verdict = done.verdict;
                    tracing::debug!(channel, track, start, span, ?verdict, "segment");
                    write.extend(done.write);
                }
                (Step::End, Some(cell)) => {
                    tracing::info!(channel, track, "the sender ended the track");
                    cell.change(|channel| channel.end(Some(track), now));
                }
                (Step::Segment(_) | Step::End, None) => {}
            }
        }
        Ok(self.store_all(channel, write).await)
    }

    /// Writes objects of a channel, all that can be written.
    ///
    /// # Errors
    /// [`Error::Store`] of the first that could not.
    async fn store_all(&self, channel: &str, write: Vec<(String, String, Bytes)>) -> Result<(), Error> {
        let mut outcome = Ok(());
        for (track, name, bytes) in write {
            if let Err(error) = self.0.store.put(channel, &track, &name, bytes).await {
                tracing::error!(channel, track, name, %error, "object not stored: served from memory alone");
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The next bytes of a body; `None` at its end.
    async fn next(&self, body: &mut Body, received: u64) -> Result<Option<Bytes>, Error> {
        loop {
            match tokio::time::timeout(self.0.config.body_idle(), body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) | Err(_) => return Err(Error::BrokenBody { received }),
            }
        }
    }
}

/// The parts of a path. One that is not UTF-8 is a path like any other that is not served.
struct Named<T>(T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(names)| Self(names))
            .map_err(|_| Error::UnknownPath {
                path: parts.uri.path().to_owned(),
            })
    }
}

/// A push in the count of those under way, for as long as it lives.
struct Counted(Origin);

impl Counted {
    fn new(origin: &Origin) -> Self {
        origin.0.tasks.send_modify(|tasks| *tasks += 1);
        Self(origin.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0
            .0
            .tasks
            .send_modify(|tasks| *tasks = tasks.saturating_sub(1));
    }
}

async fn push(
    State(origin): State<Origin>,
    Named((channel, _)): Named<(String, String)>,
    request: Request,
) -> Response {
    match *request.method() {
        Method::PUT | Method::POST => {}
        // Senders tidy up after themselves; how long objects stay is the origin's own affair.
        Method::DELETE => return StatusCode::OK.into_response(),
        ref method => {
            let method = method.to_string();
            return Error::Method {
                method,
                allowed: "PUT, POST, DELETE",
            }
            .into_response();
        }
    }
    // The raw path: how `Streams(…)` is escaped is read by the name's own rules.
    let prefix = "/ingest/".len();
    let path = request.uri().path().to_owned();
    let rest = path
        .get(prefix..)
        .and_then(|rest| rest.split_once('/'))
        .map_or("", |(_, rest)| rest);
    let rest = rest.to_owned();
    let mut body = request.into_body();
    let counted = Counted::new(&origin);
    // In a task of its own: senders that close without waiting for the answer (ffmpeg does) must not cancel
    // what they sent.
    let taken = tokio::spawn(async move {
        let _counted = counted;
        let taken = origin.take(&channel, &rest, &mut body).await;
        if let Err(error) = &taken {
            tracing::warn!(channel, object = rest, status = error.status().as_u16(), %error, "push refused");
            if !matches!(error, Error::BrokenBody { .. }) {
                origin.drain(body).await;
            }
        }
        taken
    });
    match taken.await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(error)) => error.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn multivariant(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = hls::multivariant(&snapshot).into();
    Ok(origin.public(object(&headers, text, HLS, Freshness::Slow, "")))
}

async fn playlist(
    State(origin): State<Origin>,
    Named((channel, track)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let found = snapshot.track(&track).filter(|track| !track.entries.is_empty());
    let view = found.ok_or(Error::UnknownTrack { channel, track })?;
    let text = hls::media(&snapshot, view).into();
    Ok(origin.public(object(&headers, text, HLS, Freshness::Live, "")))
}

async fn manifest(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = dash::mpd(&snapshot, origin.0.clock.now()).into();
    Ok(origin.public(object(&headers, text, DASH, Freshness::Live, "")))
}

async fn media(
    State(origin): State<Origin>,
    Named((channel, track, name)): Named<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    let (found, is_kept, kind) = {
        let channel_now = cell.lock();
        let Some(state) = channel_now.track(&track) else {
            return Err(Error::UnknownTrack { channel, track });
        };
        let kind = match state.init().map(|init| init.kind) {
            Some(crate::cmaf::Kind::Video) => "video/mp4",
            Some(crate::cmaf::Kind::Audio) => "audio/mp4",
            _ => "application/mp4",
        };
        let found = state.init_named(&name).or_else(|| state.media(&name));
        (found, state.keeps(&name), kind)
    };
    let body = match found {
        Some(body) => Some(body),
        None if is_kept => origin.0.store.get(&channel, &track, &name).await?,
        None => None,
    };
    let body = body.ok_or_else(|| Error::UnknownSegment {
        track,
        name: name.clone(),
    })?;
    Ok(origin.public(object(&headers, body, kind, Freshness::Immutable, &name)))
}

async fn time(State(origin): State<Origin>) -> Response {
    origin.public(text(origin.0.clock.now().to_string(), "text/plain"))
}

async fn channels(State(origin): State<Origin>) -> Response {
    let listed: BTreeMap<String, Arc<Snapshot>> = origin
        .cells()
        .iter()
        .map(|cell| (cell.name.clone(), cell.snapshot()))
        .collect();
    let track = |track: &TrackView| {
        serde_json::json!({
            "name": track.name,
            "kind": track.init().map(|init| init.kind),
            "codec": track.init().map(|init| init.codec.clone()),
            "segments": track.entries.iter().filter(|entry| entry.segment().is_some()).count(),
            "last_end_ms": track.entries.last().map(|entry| UnixMillis(0).plus_nanos(entry.end())),
        })
    };
    let list: Vec<_> = listed
        .iter()
        .map(|(name, snapshot)| {
            serde_json::json!({
                "channel": name,
                "state": if snapshot.ended { "ended" } else { "live" },
                "tracks": snapshot.tracks.iter().map(track).collect::<Vec<_>>(),
            })
        })
        .collect();
    text(serde_json::Value::from(list).to_string(), "application/json")
}

fn settings(config: &Config) -> Settings {
    Settings {
        window_s: config.window_s,
        retention_ms: i64::from(config.retention_s) * 1_000,
        nominal: i64::from(config.segment_duration_ms) * 1_000_000,
        target_duration_s: config.target_duration_s,
        window_bytes: config.limits.window_bytes,
    }
}

const HLS: &str = "application/vnd.apple.mpegurl";
const DASH: &str = "application/dash+xml";
/// A body of white space longer than this is neither text nor media.
const MAX_BLANK: usize = 4096;
/// Bodies that carry many segments are cut at the first sync sample after this.
const DEFAULT_CUT_NANOS: i64 = 2_000_000_000;
