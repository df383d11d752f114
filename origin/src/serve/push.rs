//! The way of one push: a request's body in, a channel's commits out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::USER_AGENT;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;

use super::cell::Cell;
use super::{Inner, Named, Origin};
use crate::Error;
use crate::cmaf::Limits;
use crate::ingest::path::{ObjectName, is_channel_name};
use crate::ingest::{self, Sniffed, Step};
use crate::media::{Committed, Push};

pub(super) async fn push(
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
    let push = origin.0.push_from(&request);
    let mut body = request.into_body();
    let counted = Counted::new(&origin);
    // In a task of its own: senders that close without waiting for the answer (ffmpeg does) must not cancel
    // what they sent.
    let taken = tokio::spawn(async move {
        let _counted = counted;
        let taken = origin.take(&push, &channel, &rest, &mut body).await;
        if let Err(error) = &taken {
            origin.refused(&channel, &rest, error);
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
    async fn take(&self, push: &Push, channel: &str, rest: &str, body: &mut Body) -> Result<(), Error> {
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
            Sniffed::Media => self.take_media(push, channel, &name, head.freeze(), body).await,
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
            let done = cell.change(|channel| channel.end(None, now));
            self.store_all(channel, done.write).await?;
        }
        Ok(())
    }

    async fn take_media(
        &self,
        push: &Push,
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
            let init = cell.as_ref().and_then(|cell| {
                let channel = cell.lock();
                channel
                    .track(track)
                    .and_then(|track| track.init_from(&push.source).cloned())
            });
            coming.set_init(init);
            if let Err(error) = coming.push(&bytes, self.0.clock.now(), &mut steps) {
                coming.abandon(&mut steps);
                break Err(error);
            }
            let settled = self.settle(push, channel, &mut cell, track, &mut steps).await?;
            stored = stored.and(settled);
            if let (Some(cell), Some(open)) = (&cell, coming.grown()) {
                let (so_far, now) = (open.so_far(), self.0.clock.now());
                let done = cell.change(|channel| channel.advance(track, push, &so_far, now));
                stored = stored.and(self.store_committed(channel, track, done).await);
            }
            match self.next(body, coming.received()).await {
                Ok(bytes) => next = bytes,
                Err(error) => {
                    coming.abandon(&mut steps);
                    break Err(error);
                }
            }
        };
        let settled = self.settle(push, channel, &mut cell, track, &mut steps).await?;
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
        push: &Push,
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
                    let mut done = cell.change(|channel| channel.commit(track, push, *segment, now));
                    let verdict = done.verdict;
                    tracing::debug!(channel, track, start, span, ?verdict, "segment");
                    write.append(&mut done.write);
                    tell_switch(channel, track, &done);
                }
                (Step::End, Some(cell)) => {
                    tracing::info!(channel, track, "the sender ended the track");
                    write.extend(cell.change(|channel| channel.end(Some(track), now)).write);
                }
                (Step::Segment(_) | Step::End, None) => {}
            }
        }
        Ok(self.store_all(channel, write).await)
    }

    async fn store_committed(&self, channel: &str, track: &str, done: Committed) -> Result<(), Error> {
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
    async fn next(&self, body: &mut Body, received: u64) -> Result<Option<Bytes>, Error> {
        loop {
            match tokio::time::timeout(self.0.config.body_idle(), body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.0.observed.received(data.len());
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) | Err(_) => return Err(Error::BrokenBody { received }),
            }
        }
    }
}

impl Inner {
    /// Names a push: by the encoder's own word (`?source=`), else by where it pushes from and with what.
    fn push_from(&self, request: &Request) -> Push {
        let told = request.uri().query().and_then(|query| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix("source="))
                .filter(|name| !name.is_empty())
        });
        let source = match told {
            Some(name) => name.chars().take(MAX_SOURCE).collect::<String>(),
            None => {
                let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
                let address = address.map_or_else(String::new, |ConnectInfo(peer)| peer.ip().to_string());
                let agent = request.headers().get(USER_AGENT);
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

fn tell_switch(channel: &str, track: &str, done: &Committed) {
    if let Some(source) = &done.switched_to {
        tracing::warn!(channel, track, %source, reason = "source-switch", "another encoder leads the track");
    }
}

/// Characters of an encoder's name that are kept.
const MAX_SOURCE: usize = 64;
/// A body of white space longer than this is neither text nor media.
const MAX_BLANK: usize = 4096;
/// Bodies that carry many segments are cut at the first sync sample after this.
const DEFAULT_CUT_NANOS: i64 = 2_000_000_000;
