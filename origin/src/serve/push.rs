//! The way of one push: a request's body in, a channel's commits out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_RANGE, USER_AGENT};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use selvedge_watermark::pace::{PaceInfo, Variant};

use super::cell::Cell;
use super::{Inner, Named, Origin, bodies, door, marked};
use crate::Error;
use crate::admit::Terms;
use crate::cmaf::Init;
use crate::ingest::path::{self, ObjectName, is_channel_name};
use crate::ingest::{self, ContentRange, Pace, Sniffed, Step};
use crate::media::{Committed, Push};

pub(super) async fn push(
    State(origin): State<Origin>,
    Named((channel, _)): Named<(String, String)>,
    request: Request,
) -> Response {
    match *request.method() {
        Method::PUT | Method::POST | Method::DELETE => {}
        ref method => {
            let method = method.to_string();
            return Error::Method {
                method,
                allowed: "PUT, POST, DELETE",
            }
            .into_response();
        }
    }
    let (head, body) = request.into_parts();
    let judged = match path::has_dot_segments(head.uri.path()) {
        // A token is judged by the path that such a one leads to, and a route is chosen by the path as it stands.
        true => Err(Error::DotSegment),
        false => origin.0.door.judge(&channel, &head, origin.0.clock.now()),
    };
    let terms = match judged {
        Ok(terms) => Arc::new(terms),
        Err(error) => {
            origin.0.observed.refused(&error);
            // A sender that waits for a word is told at once; one that does not, and has sent little, can read its
            // answer once that is out of the way. What is more is cut off: some senders hear nothing else.
            if !door::waits(&head) {
                origin.drain_briefly(body).await;
            }
            return error.into_response();
        }
    };
    // Senders tidy up after themselves; how long objects stay is the origin's own affair.
    if head.method == Method::DELETE {
        return StatusCode::OK.into_response();
    }
    // The raw path: how `Streams(…)` is escaped is read by the name's own rules.
    let prefix = "/ingest/".len();
    let rest = head
        .uri
        .path()
        .get(prefix..)
        .and_then(|rest| rest.split_once('/'));
    let rest = rest.map_or("", |(_, rest)| rest).to_owned();
    let told = marked::told(&head.headers);
    let way = Way {
        push: origin.0.push_from(&head),
        channel: channel.as_str().into(),
        terms,
        told: told.clone().unwrap_or_default(),
    };
    let counted = Counted::new(&origin);
    // In a task of its own: senders that close without waiting for the answer (ffmpeg does) must not cancel
    // what they sent.
    let taken = tokio::spawn(async move {
        let _counted = counted;
        let (mut body, taken) = match bodies::decoded(&head.headers, body) {
            Ok(mut body) => {
                let taken = match (told, head.headers.get(CONTENT_RANGE)) {
                    (Err(error), _) => Err(error),
                    (_, Some(range)) => origin.take_range(&way, &rest, range.as_bytes(), &mut body).await,
                    (_, None) => origin.take(&way, &rest, &mut body).await,
                };
                (body, taken)
            }
            Err((body, error)) => (body, Err(error)),
        };
        if let Err(error) = &taken {
            origin.refused(&channel, &rest, error);
            if !matches!(error, Error::BrokenBody { .. } | Error::SlowBody { .. }) {
                origin.drain(&mut body).await;
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

/// What stays the same on the way of one push.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) push: Push,
    pub(super) channel: Arc<str>,
    /// What it may bring.
    pub(super) terms: Arc<Terms>,
    /// What it says beside its body of its variant and position (`WMPaceInfoIngest`).
    pub(super) told: Option<PaceInfo>,
}

/// The pace of a body, by the clock that no one sets.
pub(super) struct Paced {
    pace: Pace,
    since: tokio::time::Instant,
}

impl Paced {
    /// See [`Pace::note`].
    pub(super) fn note(&mut self, bytes: usize, is_complete: bool) -> Result<(), Error> {
        self.pace.note(bytes as u64, is_complete, self.since.elapsed())
    }
}

/// A push in the count of those under way, for as long as it lives.
pub(super) struct Counted(Origin);

impl Counted {
    pub(super) fn new(origin: &Origin) -> Self {
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

impl Origin {
    /// Tells of a refused push: in the log, in the metrics, and where the channel is shown.
    fn refused(&self, channel: &str, object: &str, error: &Error) {
        let track = ObjectName::parse(object).map(|name| name.track);
        let (reason, status) = (error.slug(), error.status().as_u16());
        let track = track.as_deref();
        tracing::warn!(channel, track, object, reason, status, %error, "push refused");
        let observed = &self.0.observed;
        observed.refused(error);
        observed.problem(channel, object, error, self.0.clock.now(), |channel| {
            self.cell(channel).is_ok()
        });
    }

    /// Takes one pushed object.
    async fn take(&self, way: &Way, rest: &str, body: &mut Body) -> Result<(), Error> {
        let channel = &*way.channel;
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
        let told = way.told.map(|told| told.variant);
        let Some(name) = ObjectName::parse_told(rest, told) else {
            return Err(Error::UnknownPath {
                path: format!("/ingest/{channel}/{rest}"),
            });
        };
        if told.is_some_and(|told| told != name.variant) {
            return Err(Error::BadPace {
                reason: "the path is of variant B, and the header says variant 0".to_owned(),
            });
        }
        let is_a = name.variant == Variant::A;
        let _on_its_way = is_a.then(|| self.0.runs.init(way, &name));
        let mut head = BytesMut::new();
        let mut pace = self.pace();
        let sniffed = loop {
            match self.next(body, head.len() as u64).await? {
                Some(bytes) => {
                    pace.note(bytes.len(), false)?;
                    head.extend_from_slice(&bytes);
                }
                // An empty body is a probe.
                None => {
                    if head.is_empty() {
                        self.0.observed.probed();
                    }
                    return Ok(());
                }
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
            // What there is to say of the channel the documents of variant A say.
            Sniffed::Manifest if !is_a => {
                self.drain(body).await;
                Ok(())
            }
            Sniffed::Manifest => self.take_manifest(way, rest, head, body).await,
            Sniffed::Foreign(foreign) => Err(foreign.refusal()),
            Sniffed::Media if !is_a => self.take_b(way, &name, head, body).await,
            Sniffed::Media => self.take_media(way, &name, head, body).await,
        }
    }

    /// Takes one range of an object.
    async fn take_range(&self, way: &Way, rest: &str, range: &[u8], body: &mut Body) -> Result<(), Error> {
        let range = ContentRange::parse(&String::from_utf8_lossy(range))?;
        let limit = self.0.config.limits.segment_bytes;
        if range.length() > limit {
            return Err(Error::Limit {
                what: "the range",
                limit,
                key: "limits.segment_bytes",
            });
        }
        let Ok(_slot) = self.0.pushes.try_acquire() else {
            let limit = u64::from(self.0.config.limits.pushes);
            return Err(Error::Limit {
                what: "one more push at a time",
                limit,
                key: "limits.pushes",
            });
        };
        let mut bytes = BytesMut::new();
        let mut pace = self.pace();
        while let Some(more) = self.next(body, bytes.len() as u64).await? {
            bytes.extend_from_slice(&more);
            pace.note(more.len(), false)?;
            if bytes.len() as u64 > range.length() {
                break;
            }
        }
        if bytes.len() as u64 != range.length() {
            return Err(Error::ContentRange {
                reason: "names another length than the body has",
            });
        }
        let (origin, object) = (self.clone(), rest.to_owned());
        let begin = |mut whole: Body| {
            let way = way.clone();
            let counted = Counted::new(&origin);
            tokio::spawn(async move {
                let _counted = counted;
                origin.take(&way, &object, &mut whole).await
            })
        };
        // Two encoders may push one object each.
        let variant = way.told.map_or(Variant::A, |told| told.variant);
        let key = format!("{}/{rest} {variant} {}", way.channel, way.push.source);
        let limit = self.0.config.limits.pushes as usize;
        self.0
            .ranges
            .take(&key, range, bytes.freeze(), limit, begin)
            .await
    }

    pub(super) fn pace(&self) -> Paced {
        let rate = u64::from(self.0.config.limits.min_body_rate);
        Paced {
            pace: Pace::new(rate, self.0.config.body_idle()),
            since: tokio::time::Instant::now(),
        }
    }

    /// Reads a little of a body that is not admitted.
    async fn drain_briefly(&self, mut body: Body) {
        let drain = async {
            let mut left = MAX_UNADMITTED;
            while let Ok(Some(bytes)) = self.next(&mut body, 0).await {
                left = match left.checked_sub(bytes.len()) {
                    Some(left) => left,
                    None => return,
                };
            }
        };
        let _ = tokio::time::timeout(UNADMITTED_TIME, drain).await;
    }

    /// Reads a refused body to its end, within bounds: an answer before the end would close the connection,
    /// and that ends some senders for good.
    async fn drain(&self, body: &mut Body) {
        let drain = async {
            let mut left = self.0.config.limits.segment_bytes;
            let mut pace = self.pace();
            while let Ok(Some(bytes)) = self.next(body, 0).await {
                left = match left.checked_sub(bytes.len() as u64) {
                    Some(left) if pace.note(bytes.len(), false).is_ok() => left,
                    _ => return,
                };
            }
        };
        // One that goes on for ever is to have its answer.
        let _ = tokio::time::timeout(self.0.config.body_idle() * DRAIN_IDLES, drain).await;
    }

    async fn take_manifest(
        &self,
        way: &Way,
        rest: &str,
        mut text: BytesMut,
        body: &mut Body,
    ) -> Result<(), Error> {
        let channel: &str = &way.channel;
        let limit = self.0.config.limits.manifest_bytes;
        let mut pace = self.pace();
        while let Some(bytes) = self.next(body, text.len() as u64).await? {
            pace.note(bytes.len(), false)?;
            text.extend_from_slice(&bytes);
            if text.len() as u64 > limit {
                return Err(Error::Limit {
                    what: "the manifest",
                    limit,
                    key: "limits.manifest_bytes",
                });
            }
        }
        if let Ok(cell) = self.cell(channel)
            && text.starts_with(b"#EXTM3U")
        {
            self.hear_markers(&cell, rest, &text).await;
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
            let done = cell.change(|channel| channel.leave(None, &way.push, now));
            self.store_all(channel, done.write).await?;
        }
        Ok(())
    }

    /// The init segment of a track, as the push's own encoder sent it last.
    pub(super) fn init_of(&self, way: &Way, track: &str) -> Option<Arc<Init>> {
        let cell = self.cell(&way.channel).ok()?;
        let channel = cell.lock();
        channel.track(track)?.init_from(&way.push.source).cloned()
    }

    /// Takes a body of one track.
    pub(super) async fn take_track(
        &self,
        way: &Way,
        name: &ObjectName,
        head: Bytes,
        body: &mut Body,
    ) -> Result<(), Error> {
        let (push, channel) = (&way.push, &*way.channel);
        let track = name.track.as_str();
        let mut coming = self.coming(way, name);
        let mut cell = None;
        let mut steps = Vec::new();
        let mut next = Some(head);
        let mut stored = Ok(());
        let mut pace = self.pace();
        let ended = loop {
            let Some(bytes) = next else {
                break coming.finish(self.0.clock.now(), &mut steps);
            };
            let fed = coming.feed(&bytes);
            let read = loop {
                // Asked each time: the init segment may come on another connection after this body was opened.
                if cell.is_none() {
                    cell = self.cell(channel).ok();
                }
                self.inform(&mut coming, cell.as_deref(), track, push);
                match coming.step(self.0.clock.now(), &mut steps) {
                    Ok(true) => {}
                    Ok(false) => break fed,
                    Err(error) => break Err(error),
                }
                let settled = self.settle(way, &mut cell, track, &mut steps).await?;
                stored = stored.and(settled);
            };
            if let Err(error) = read {
                coming.abandon(&mut steps);
                break Err(error);
            }
            let is_slow = pace.note(bytes.len(), coming.held() == 0);
            let is_over = coming.check(&way.terms);
            self.0.observed.unknown_boxes(coming.take_unknown());
            if let Err(error) = is_slow {
                coming.abandon(&mut steps);
                break Err(error);
            }
            // Of what is too much nothing is kept beyond what viewers were shown.
            if let Err(error) = is_over {
                if let Some(cell) = &cell {
                    let now = self.0.clock.now();
                    let done = cell.change(|channel| channel.refuse(track, push, now));
                    // The store's failure is logged where it happens.
                    let _ = self.store_committed(channel, track, done).await;
                }
                return Err(error);
            }
            if let (Some(cell), Some(open)) = (&cell, coming.grown()) {
                let (so_far, now) = (open.so_far(), self.0.clock.now());
                self.hear_splices(cell, track, push, &so_far).await;
                let done = cell.change(|channel| channel.advance(track, push, &so_far, now));
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
        let settled = self.settle(way, &mut cell, track, &mut steps).await?;
        ended.map_err(|error| of_track(error, track))?;
        stored.and(settled)
    }

    /// Tells a body what the channel knows of its track by now.
    pub(super) fn inform(&self, coming: &mut ingest::Body, cell: Option<&Cell>, track: &str, push: &Push) {
        let now = self.0.clock.now();
        let known = cell.and_then(|cell| {
            let channel = cell.lock();
            let state = channel.track(track)?;
            let open = coming.open_ended();
            let cuts = open.and_then(|open| channel.cuts(track, push, &open.so_far(), now));
            Some((state.init_from(&push.source).cloned(), state.edge(), cuts))
        });
        let (init, edge, cuts) = known.unwrap_or_default();
        coming.set_edge(edge);
        coming.set_init(init);
        coming.set_cuts(cuts);
    }

    /// Brings what a body completed into the channel, and what is new into the store. A channel begins with its
    /// first init segment: stray objects make none.
    ///
    /// The inner result is the first failure of the store: what came after it was taken in all the same.
    async fn settle(
        &self,
        way: &Way,
        cell: &mut Option<Arc<Cell>>,
        track: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Result<(), Error>, Error> {
        let (push, channel) = (&way.push, &*way.channel);
        let mut write = Vec::new();
        for step in steps.drain(..) {
            let now = self.0.clock.now();
            match (step, &mut *cell) {
                (Step::Init(init), cell) => {
                    way.terms.check_init(&init)?;
                    let cell = match cell {
                        Some(cell) => cell,
                        None => cell.insert(self.cell_or_new(channel).await?),
                    };
                    let (name, bytes) = (init.name(), init.bytes.clone());
                    let codec = init.codec.clone();
                    let limit = u64::from(way.terms.tracks(self.0.config.limits.tracks));
                    let is_new = cell.change(|channel| {
                        let is_full = channel.track(track).is_none() && channel.tracks() as u64 >= limit;
                        (!is_full).then(|| channel.set_init(track, &push.source, init, now))
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
                    self.hear_splices(cell, track, push, &segment).await;
                    let mut done = cell.change(|channel| channel.commit(track, push, *segment, now));
                    let verdict = done.verdict;
                    tracing::debug!(channel, track, start, span, ?verdict, "segment");
                    write.append(&mut done.write);
                    tell_switch(channel, track, &done);
                }
                (Step::End, Some(cell)) => {
                    tracing::info!(channel, track, "the sender ended the track");
                    write.extend(cell.change(|channel| channel.leave(Some(track), push, now)).write);
                }
                (Step::Segment(_) | Step::End, None) => {}
            }
        }
        Ok(self.store_all(channel, write).await)
    }

    pub(super) async fn store_committed(
        &self,
        channel: &str,
        track: &str,
        done: Committed,
    ) -> Result<(), Error> {
        tell_switch(channel, track, &done);
        self.store_all(channel, done.write).await
    }

    /// Writes objects of a channel, all that can be written.
    ///
    /// # Errors
    /// [`Error::Store`] of the first that could not.
    pub(super) async fn store_all(
        &self,
        channel: &str,
        write: Vec<(String, String, Bytes)>,
    ) -> Result<(), Error> {
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
    pub(super) async fn next(&self, body: &mut Body, received: u64) -> Result<Option<Bytes>, Error> {
        loop {
            match tokio::time::timeout(self.0.config.body_idle(), body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.0.observed.received(data.len());
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(bodies::broken(error, received)),
                Err(_) => return Err(Error::BrokenBody { received }),
            }
        }
    }
}

impl Inner {
    /// Names a push: by the encoder's own word (`?source=`), else by where it pushes from and with what.
    fn push_from(&self, request: &Parts) -> Push {
        let told = request.uri.query().and_then(|query| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix("source="))
                .filter(|name| !name.is_empty())
        });
        let source = match told {
            Some(name) => name.chars().take(MAX_SOURCE).collect::<String>(),
            None => {
                let address = request.extensions.get::<ConnectInfo<SocketAddr>>();
                let address = address.map_or_else(String::new, |ConnectInfo(peer)| peer.ip().to_string());
                let agent = request.headers.get(USER_AGENT);
                let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("-");
                format!("{address} {}", agent.chars().take(MAX_SOURCE).collect::<String>())
            }
        };
        Push {
            id: self.pushed.fetch_add(1, Ordering::Relaxed),
            source: source.into(),
        }
    }
}

/// # Errors
/// [`Error::UnknownChannel`] where the channel was taken away while a body came in.
pub(super) fn is_kept(cell: Option<&Cell>, channel: &str) -> Result<(), Error> {
    if cell.is_some_and(|cell| cell.gone.load(Ordering::Acquire)) {
        return Err(Error::UnknownChannel {
            channel: channel.to_owned(),
        });
    }
    Ok(())
}

/// What was wrong with a body, which does not know whose it is.
pub(super) fn of_track(error: Error, track: &str) -> Error {
    match error {
        Error::NoInit { .. } => Error::NoInit {
            track: track.to_owned(),
        },
        other => other,
    }
}

fn tell_switch(channel: &str, track: &str, done: &Committed) {
    if let Some(source) = &done.switched_to {
        tracing::warn!(channel, track, %source, reason = "source-switch", "another encoder leads the track");
    }
}

/// Characters of an encoder's name that are kept.
const MAX_SOURCE: usize = 64;
/// Bytes and time for which a push that is not admitted is read.
const MAX_UNADMITTED: usize = 256 << 10;
/// For how long a refused body is read, in times of `limits.body_idle_s`.
const DRAIN_IDLES: u32 = 3;
const UNADMITTED_TIME: Duration = Duration::from_secs(2);
/// A body of white space longer than this is neither text nor media.
const MAX_BLANK: usize = 4096;
