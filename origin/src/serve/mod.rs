//! The origin as a server: its channels, their keeper, and the routes.

mod answer;
mod blocked;
mod bodies;
mod cell;
mod channels;
mod cmsd;
mod desk;
mod document;
mod door;
mod edges;
mod front;
mod live;
mod manifest;
mod marked;
mod muxed;
mod ops;
mod part;
mod playlist;
mod push;
mod ranges;
mod runs;
mod segment;
mod variant;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Request};
use axum::response::Response;
use axum::routing::{any, get};
use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS};
use http::request::Parts;
use selvedge_listen::{Tls, serve, serve_tls};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::clock::SharedClock;
use crate::media::{Channel, Settings, Snapshot};
use crate::observe::{Counting, Fitness, Observed};
use crate::store::Store;
use crate::time::UnixMillis;
use crate::{Config, Error};
use cell::Cell;
pub(crate) use desk::Desk;
use door::Door;
use front::Front;
use ranges::Ranges;
use runs::Runs;

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
    /// Requests that wait for media.
    blocked: AtomicUsize,
    /// Whose scripts may read answers (`Access-Control-Allow-Origin`).
    readers: Option<HeaderValue>,
    /// Tasks that take pushes: they outlive their connections.
    tasks: watch::Sender<usize>,
    /// Who may push what.
    door: Door,
    /// Objects that come in several requests.
    ranges: Ranges,
    runs: Runs,
    /// Pushes so far: the next one's number.
    pushed: AtomicU64,
    observed: Arc<Observed>,
    fitness: Fitness,
    /// What ad operations have laid down.
    desk: Desk,
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
        let desk = Desk::open(&store).await?;
        for mut channel in store.load(settings).await? {
            let name = channel.name().to_owned();
            // Without its log a channel would number its breaks anew: better no origin than that.
            let (kept, log) = store.read_log(&name).await?;
            if let Some(log) = log {
                channel.restore_log(log);
            }
            if let Some(ruled) = desk.rules(&name) {
                channel.set_rules(Some(Arc::clone(&ruled.rules)));
            }
            tracing::info!(channel = name, tracks = channel.tracks(), "channel brought back");
            let cell = Cell::new(&name, channel, &config.name);
            cell.kept().number = kept;
            channels.insert(name, Arc::new(cell));
        }
        let door = Door::open(&config).await?;
        let pushes = Semaphore::new(config.limits.pushes as usize);
        let readers = Some(&config.cors_origin).filter(|readers| !readers.is_empty());
        let readers = readers.and_then(|readers| HeaderValue::from_str(readers).ok());
        let fitness = Fitness::new(&config);
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            store,
            channels: RwLock::new(channels),
            retiring: tokio::sync::RwLock::new(()),
            pushes,
            blocked: AtomicUsize::default(),
            readers,
            tasks: watch::Sender::new(0),
            door,
            ranges: Ranges::default(),
            runs: Runs::default(),
            pushed: AtomicU64::new(0),
            observed: Arc::default(),
            fitness,
            desk,
        })))
    }

    /// The routes, for use inside another server. [`Origin::save`] and [`Origin::sweep`] are the caller's then. What
    /// operators ask for is among them, unless [`Config::admin_listen`] names a place of its own for that.
    pub fn router(&self) -> Router {
        let admin = match self.0.config.admin_listen {
            Some(_) => Router::new(),
            None => channels::routes().merge(desk::operators_routes()),
        };
        self.finish(admin.merge(self.media_routes()))
    }

    /// The routes for operators alone: metrics, probes and channels.
    pub fn admin_router(&self) -> Router {
        let desk = desk::operators_routes().merge(desk::public_routes());
        self.finish(channels::routes().merge(channels::changes()).merge(desk))
    }

    fn media_routes(&self) -> Router<Self> {
        Router::new()
            .route("/time", get(live::time))
            .route("/ingest/{channel}/{*rest}", any(push::push))
            .route("/live/{channel}/index.m3u8", get(live::multivariant))
            .route("/live/{channel}/manifest.mpd", get(manifest::by_time))
            .route("/live/{channel}/manifest.mpp", get(manifest::patch_by_time))
            .route("/live/{channel}/number.mpd", get(manifest::by_number))
            .route("/live/{channel}/number.mpp", get(manifest::patch_by_number))
            .route("/live/{channel}/{track}/index.m3u8", get(playlist::playlist))
            .route("/live/{channel}/{track}/iframes.m3u8", get(playlist::iframes))
            .route("/live/{channel}/{track}/{object}", get(segment::media))
            .route("/live/{channel}/{track}/b/{object}", get(variant::media))
            .route(
                "/live/{channel}/{track}/WMPaceInfo/{object}",
                get(variant::sidecar),
            )
            .merge(desk::public_routes())
    }

    /// What all routes have in common.
    fn finish(&self, routes: Router<Self>) -> Router {
        routes
            .fallback(async |request: Request| Error::UnknownPath {
                path: request.uri().path().to_owned(),
            })
            .method_not_allowed_fallback(async |request: Request| Error::Method {
                method: request.method().to_string(),
                allowed: "GET, HEAD",
            })
            .layer(Counting(Arc::clone(&self.0.observed)))
            .with_state(self.clone())
    }

    /// Serves until `shutdown` is done, then lets requests under way end and saves every channel. Over TLS where
    /// [`Config::tls`] says so.
    ///
    /// # Errors
    /// [`Error::Config`] when certificate, key or [`Config::admin_listen`] cannot be used, [`Error::Store`] when the state cannot be saved.
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
        let tls = match self.0.config.tls.clone() {
            Some(files) => Some(Tls::open(files).await.map_err(|error| Error::Config {
                key: "tls",
                reason: error.to_string(),
            })?),
            None => None,
        };
        let admin = match self.0.config.admin_listen {
            Some(address) => Some(self.bind_admin(address).await?),
            None => None,
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
        let shutdown = {
            let origin = self.clone();
            async move {
                shutdown.await;
                origin.0.observed.drain();
            }
        };
        let mut done = stop.subscribe();
        let admin = admin.map(|listener| {
            let served = serve(listener, self.admin_router(), bounds, async move {
                // Whoever asks learns of the stop until the last request has ended.
                let _ = done.changed().await;
            });
            tokio::spawn(served)
        });
        match tls {
            Some(tls) => serve_tls(listener, tls, Front::new(&self), bounds, shutdown).await,
            None => serve(listener, Front::new(&self), bounds, shutdown).await,
        }
        drop(stop);
        if let Some(admin) = admin
            && let Err(error) = admin.await
        {
            tracing::error!(%error, "the listener for operators failed");
        }
        if let Err(error) = keeper.await {
            tracing::error!(%error, "the keeper of the store failed");
        }
        self.close().await
    }

    async fn bind_admin(&self, address: SocketAddr) -> Result<TcpListener, Error> {
        let refused = |error: std::io::Error| Error::Config {
            key: "admin_listen",
            reason: format!("{address}: {error}: stop what listens there or name another address"),
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let admin = listener.local_addr().map_err(refused)?;
        tracing::info!(%admin, "metrics, probes and channels are served here alone");
        Ok(listener)
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
                outcome = outcome.and(self.keep_log(&cell).await.inspect_err(|_| {
                    cell.dirty.store(true, Ordering::Release);
                }));
            }
        }
        outcome
    }

    /// Deletes what is past its retention.
    pub async fn sweep(&self) {
        let now = self.0.clock.now();
        self.0.door.refresh().await;
        self.0.ranges.sweep(self.0.config.body_idle() / 2);
        for cell in self.cells() {
            let swept = cell.lock().sweep(now);
            if swept.is_changed {
                cell.change(|_| ());
            }
            self.look_for_others(&cell, now).await;
            self.hear_schedule(&cell).await;
            self.decide_ahead(&cell).await;
            let unfit = self.0.fitness.judge(&cell.snapshot(), now);
            self.0.observed.withhold(&cell.name, unfit.as_ref());
            // A failure is logged where it happens, and the object stays in memory.
            let _ = self.store_all(&cell.name, swept.write).await;
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
            self.0.observed.withhold(&channel, None);
            if let Err(error) = self.remove_all(&channel).await {
                tracing::warn!(channel, %error, "objects of a forgotten channel stay in the store");
            }
        }
    }

    /// Ends a channel and forgets it, with all that the store has of it. Pushes that are under way are refused with
    /// what comes next of them; one that brings an init segment begins the channel anew.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`]; [`Error::Store`] when not all of it could be deleted.
    pub async fn forget(&self, channel: &str) -> Result<(), Error> {
        let _alone = self.0.retiring.write().await;
        let cell = {
            let mut channels = self.0.channels.write().unwrap_or_else(PoisonError::into_inner);
            channels.remove(channel)
        };
        let cell = cell.ok_or_else(|| Error::UnknownChannel {
            channel: channel.to_owned(),
        })?;
        cell.gone.store(true, Ordering::Release);
        // Whoever waits for more of it learns that there is none.
        cell.change(|state| state.end(None, self.0.clock.now()));
        self.0.observed.withhold(channel, None);
        // Those who hold it may be about to write: most let go at once, a push with its next bytes.
        for _ in 0..LET_GO_ROUNDS {
            if Arc::strong_count(&cell) == 1 {
                break;
            }
            tokio::time::sleep(LET_GO_ROUND).await;
        }
        tracing::info!(channel, reason = "end", "channel is deleted");
        self.remove_all(channel).await
    }

    /// Deletes all that the store has of a channel. Its rules stay: they are for when it comes again.
    async fn remove_all(&self, channel: &str) -> Result<(), Error> {
        self.0.desk.forget_channel(channel);
        let media = self.0.store.remove(channel).await;
        let log = self.0.store.remove_log(channel).await;
        media.and(log)
    }

    /// The channel as its documents show it, now and at every change.
    pub fn watch(&self, channel: &str) -> Option<watch::Receiver<Arc<Snapshot>>> {
        self.cell(channel).ok().map(|cell| cell.watch())
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
        let mut state = Channel::new(channel, settings(&self.0.config));
        state.set_rules(self.0.desk.rules(channel).map(|ruled| Arc::clone(&ruled.rules)));
        let cell = Arc::new(Cell::new(channel, state, &self.0.config.name));
        channels.insert(channel.to_owned(), Arc::clone(&cell));
        tracing::info!(channel, "channel begins");
        Ok(cell)
    }

    /// The channel's snapshot, once it may be shown.
    fn ready(&self, channel: &str) -> Result<Arc<Snapshot>, Error> {
        let snapshot = self.cell(channel)?.snapshot();
        self.is_ready(channel, &snapshot)?;
        Ok(snapshot)
    }

    /// Whether the channel may be shown.
    ///
    /// # Errors
    /// [`Error::ChannelStarting`], [`Error::Stale`] or [`Error::Incomplete`] while it may not.
    fn is_ready(&self, channel: &str, snapshot: &Snapshot) -> Result<(), Error> {
        self.has_begun(channel, snapshot)?;
        match self.0.fitness.judge(snapshot, self.0.clock.now()) {
            Some(unfit) => Err(unfit.refusal(channel)),
            None => Ok(()),
        }
    }

    fn has_begun(&self, channel: &str, snapshot: &Snapshot) -> Result<(), Error> {
        if snapshot.tracks.iter().all(|track| !track.entries.is_empty()) && !snapshot.tracks.is_empty() {
            return Ok(());
        }
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
        Ok(())
    }

    fn public(&self, mut response: Response) -> Response {
        if let Some(readers) = &self.0.readers {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, readers.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
        response
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

fn settings(config: &Config) -> Settings {
    Settings {
        window_s: config.window_s,
        retention_ms: i64::from(config.retention_s) * 1_000,
        end_after_silence_s: config.end_after_silence_s,
        nominal: i64::from(config.segment_duration_ms) * 1_000_000,
        target_duration_s: config.target_duration_s,
        low_latency: config.low_latency,
        part_target_ms: config.part_target_ms,
        window_bytes: config.limits.window_bytes,
    }
}

/// For how long a deletion waits until nobody holds the channel any more.
const LET_GO_ROUNDS: u32 = 100;
const LET_GO_ROUND: Duration = Duration::from_millis(20);
