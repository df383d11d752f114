//! Media for viewers: init segments, segments, and the segment that is still coming in.
//!
//! A segment has one URL from its first byte on, and the same bytes behind it for ever. While it comes in, an
//! answer is its chunks, each sent as it comes; the answer ends when the segment does, and is broken off when the
//! segment never will, so that no cache keeps half of it.
//!
//! A segment can be asked for by its time, `<epoch>-<start>.m4s`, or by its number, `<epoch>-n<number>.m4s`
//! (`$Number$`, which is the media sequence number of HLS).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use selvedge_watermark::pace::Position;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Freshness, media_type, object, opaque_object};
use super::blocked::Blocked;
use super::cell::{Cell, LiveEdge};
use super::edges::Asker;
use super::part::{self, PartName};
use super::{Named, Origin, cmsd};
use crate::Error;
use crate::media::{Entry, OpenView, Snapshot, TrackView};
use crate::time::nanos_to_ticks;

pub(super) async fn media(
    State(origin): State<Origin>,
    Named((channel, track, name)): Named<(String, String, String)>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    answered(origin, cell, track, name, headers, asker).await
}

/// Answers with an object of a track.
///
/// # Errors
/// [`Error::UnknownSegment`] and [`Error::UnknownTrack`] for what is not there and not coming, [`Error::Late`] for a
/// part that does not come in time, [`Error::Limit`] where too many wait.
pub(super) async fn answered(
    origin: Origin,
    cell: Arc<Cell>,
    track: String,
    name: String,
    headers: HeaderMap,
    asker: Asker,
) -> Result<Response, Error> {
    if let Some(part) = PartName::parse(&name) {
        return part::part(&origin, &cell, track, part, &headers, asker).await;
    }
    let place = Place { origin, cell, track };
    let (kind, mut said) = place.described(&name)?;
    let began = Instant::now();
    let mut blocked = None;
    let asked = Asked::parse(&name);
    let found = match place.cell.grown(&place.track) {
        Some(mut edge) => place.find(&mut edge, &asked, &name, &mut blocked).await?,
        // Its last objects outlive a track's place in the documents.
        None => Found::Whole(name.clone(), None),
    };
    let held = blocked.map(|_: Blocked<'_>| began.elapsed());
    let (found, body) = match found {
        Found::Growing(growing, edge) => {
            let body = Growth {
                place: place.clone(),
                name: growing.name.clone(),
                edge,
                chunks: 0,
                bytes: 0,
                is_over: false,
            };
            let position = place.position_of(&body.name);
            let mut response = streamed(body.into_stream(), kind);
            asker.tell(&place.origin, position, &mut response);
            said.put_on(&mut response, held);
            return Ok(place.origin.public(response));
        }
        Found::Whole(found, span) => {
            said = span.into_iter().fold(said, cmsd::Static::duration);
            let body = place.whole(&found).await?;
            (found, body)
        }
        Found::Nothing => (name.clone(), None),
    };
    let body = body.ok_or_else(|| Error::UnknownSegment {
        track: place.track.clone(),
        name,
    })?;
    let position = place.position_of(&found);
    let mut response = match position {
        Some(_) => opaque_object(&headers, body, kind),
        None => object(&headers, body, kind, Freshness::Immutable, &found),
    };
    asker.tell(&place.origin, position, &mut response);
    said.put_on(&mut response, held);
    Ok(place.origin.public(response))
}

/// A track, and where its objects are.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) cell: Arc<Cell>,
    pub(super) track: String,
}

impl Place {
    /// The media type of an object, and what its answer says of it.
    pub(super) fn described(&self, name: &str) -> Result<(&'static str, cmsd::Static), Error> {
        let channel = self.cell.lock();
        let track = channel.track(&self.track).ok_or_else(|| Error::UnknownTrack {
            channel: self.cell.name.clone(),
            track: self.track.clone(),
        })?;
        let (init, own) = (track.init(), &self.origin.0.config.name);
        let is_init = track.init_named(name).is_some();
        let said = match init.filter(|_| !is_init) {
            Some(init) => cmsd::Static::media(init, own),
            None => cmsd::Static::new(cmsd::ObjectType::Init, None, own, true),
        };
        Ok((media_type(init.map(|init| init.kind)), said))
    }

    /// The position of a segment of a marked track.
    fn position_of(&self, name: &str) -> Option<Position> {
        let channel = self.cell.lock();
        let track = channel.track(&self.track)?;
        let is_init = track.init_named(name).is_some();
        track.position(name, None).filter(|_| !is_init)
    }

    /// A complete object, from memory or from the store.
    pub(super) async fn whole(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let (found, is_kept) = {
            let channel = self.cell.lock();
            let Some(track) = channel.track(&self.track) else {
                return Ok(None);
            };
            let found = track.init_named(name).or_else(|| track.media(name));
            (found, track.keeps(name))
        };
        match found {
            None if is_kept => {
                let store = &self.origin.0.store;
                store.get(&self.cell.name, &self.track, name).await
            }
            found => Ok(found),
        }
    }

    /// Finds what was asked for. The segment that comes next is waited for: requests that go by the clock come a
    /// little before the encoder does.
    pub(super) async fn find<'c>(
        &'c self,
        edge: &mut watch::Receiver<Arc<LiveEdge>>,
        asked: &Asked<'_>,
        name: &str,
        blocked: &mut Option<Blocked<'c>>,
    ) -> Result<Found, Error> {
        let mut deadline = None;
        loop {
            let now = Arc::clone(&edge.borrow_and_update());
            let Some(track) = now.track() else {
                return Ok(Found::Nothing);
            };
            let patience = match look(&now.snapshot, track, asked, name) {
                Looked::Open(open) => return Ok(Found::Growing(open, edge.clone())),
                Looked::Closed(name, span) => return Ok(Found::Whole(name, span)),
                Looked::Nowhere => return Ok(Found::Nothing),
                Looked::Next(patience) => patience,
            };
            if blocked.is_none() {
                *blocked = Some(Blocked::new(&self.origin, &self.cell)?);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
            match timeout_at(deadline, edge.changed()).await {
                Ok(Ok(())) => {}
                _ => return Ok(Found::Nothing),
            }
        }
    }
}

/// What a name asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked<'a> {
    /// The segment of an epoch that begins at a time.
    Time { epoch: &'a str, start: u64 },
    /// The segment of an epoch that has a number.
    Number { epoch: &'a str, number: u64 },
    /// An object of that very name.
    Name,
}

impl<'a> Asked<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        let split = name.strip_suffix(".m4s").and_then(|stem| stem.rsplit_once('-'));
        let Some((epoch, place)) = split else {
            return Self::Name;
        };
        // One spelling for each number: a second URL would be a second copy in every cache.
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| n.to_string() == text);
        let by_number = place.strip_prefix('n').and_then(number);
        match (by_number, number(place)) {
            (Some(number), _) => Self::Number { epoch, number },
            (None, Some(start)) => Self::Time { epoch, start },
            (None, None) => Self::Name,
        }
    }
}

/// Where an object is.
pub(super) enum Found {
    /// It comes in.
    Growing(Arc<OpenView>, watch::Receiver<Arc<LiveEdge>>),
    /// It is complete, if there is one of this name; a listed segment lasts so many nanoseconds.
    Whole(String, Option<i64>),
    Nothing,
}

/// What a track has of what was asked for.
enum Looked {
    Open(Arc<OpenView>),
    Closed(String, Option<i64>),
    /// Nothing yet, and it may be waited for so long.
    Next(Duration),
    Nowhere,
}

fn look(snapshot: &Snapshot, track: &TrackView, asked: &Asked<'_>, name: &str) -> Looked {
    let ordinal = |id: &str| {
        let epoch = snapshot.epochs.iter().find(|epoch| epoch.id == id);
        epoch.map(|epoch| epoch.ordinal)
    };
    let open = track.open.as_ref();
    let newest = open.map(|open| (open.epoch, open.sequence.0, open.start));
    let newest = newest.or_else(|| {
        let last = track.entries.last()?;
        let start = last.segment().map_or(0, |segment| segment.start);
        Some((last.epoch(), last.sequence().0, start))
    });
    let patience = snapshot.grid.and_then(|grid| grid.part_target_ms).map(|part_ms| {
        // One for the part that is being made, one for the way that it has to go.
        Duration::from_millis(u64::from(part_ms) * 2)
    });
    let next = patience.map_or(Looked::Nowhere, Looked::Next);
    match asked {
        Asked::Name => Looked::Closed(name.to_owned(), None),
        Asked::Time { epoch, start } => {
            if let Some(open) = open.filter(|open| open.name == name) {
                return Looked::Open(Arc::clone(open));
            }
            let soon = snapshot.grid.zip(track.init()).map_or(0, |(grid, init)| {
                nanos_to_ticks(grid.nominal.saturating_mul(2), init.timescale).cast_unsigned()
            });
            match newest {
                Some((newest, _, at))
                    if ordinal(epoch) == Some(newest)
                        && *start > at
                        && *start - at <= soon
                        && !track.ended =>
                {
                    next
                }
                _ => {
                    let mut listed = track.entries.iter().rev().filter_map(Entry::segment);
                    let span = listed
                        .find(|segment| segment.name == name)
                        .map(|segment| segment.span);
                    Looked::Closed(name.to_owned(), span)
                }
            }
        }
        Asked::Number { epoch, number } => {
            let Some(ordinal) = ordinal(epoch) else {
                return Looked::Nowhere;
            };
            let is_it = |(epoch, sequence)| epoch == ordinal && sequence == *number;
            if let Some(open) = open.filter(|open| is_it((open.epoch, open.sequence.0))) {
                return Looked::Open(Arc::clone(open));
            }
            let entry = track
                .entries
                .iter()
                .find(|entry| is_it((entry.epoch(), entry.sequence().0)));
            match (entry.and_then(Entry::segment), newest) {
                (Some(segment), _) => Looked::Closed(segment.name.clone(), Some(segment.span)),
                (None, Some((newest, last, _)))
                    if newest == ordinal && *number == last + 1 && !track.ended =>
                {
                    next
                }
                _ => Looked::Nowhere,
            }
        }
    }
}

/// An answer that grows with a segment.
pub(super) fn streamed(
    body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    kind: &'static str,
) -> Response {
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // A cache has the whole of it or knows that it has not: what is cut off does not end, it breaks off.
    headers.insert(CACHE_CONTROL, Freshness::Immutable.value());
    response
}

/// How far a viewer has come in a segment that is still coming in.
struct Growth {
    place: Place,
    name: String,
    edge: watch::Receiver<Arc<LiveEdge>>,
    /// Chunks and bytes that were sent.
    chunks: usize,
    bytes: u64,
    is_over: bool,
}

impl Growth {
    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(self, |mut body| async move {
            body.next().await.map(|next| (next, body))
        })
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        while !self.is_over {
            let (chunk, is_open) = self.look();
            if let Some(chunk) = chunk {
                self.chunks += 1;
                self.bytes += chunk.len() as u64;
                return Some(Ok(chunk));
            }
            if is_open && matches!(timeout(STANDSTILL, self.edge.changed()).await, Ok(Ok(()))) {
                continue;
            }
            self.is_over = true;
            return self.rest().await;
        }
        None
    }

    /// The next chunk, if it is there; and whether more may come.
    fn look(&mut self) -> (Option<Bytes>, bool) {
        let now = Arc::clone(&self.edge.borrow_and_update());
        let open = now.track().and_then(|track| track.open.as_ref());
        match open.filter(|open| open.name == self.name) {
            Some(open) => (open.chunks.get(self.chunks).cloned(), true),
            None => (None, false),
        }
    }

    /// What the closed segment has beyond what was sent; an error when there is no such segment.
    async fn rest(&self) -> Option<io::Result<Bytes>> {
        let whole = match self.place.whole(&self.name).await {
            Ok(Some(whole)) => whole,
            Ok(None) => return Some(Err(io::Error::other("the segment was cut off"))),
            Err(error) => return Some(Err(io::Error::other(error))),
        };
        let sent = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        if sent > whole.len() {
            return Some(Err(io::Error::other(
                "the segment ended before what was sent of it",
            )));
        }
        Some(whole.slice(sent..)).filter(|rest| !rest.is_empty()).map(Ok)
    }
}

/// A segment to which nothing comes for so long is given up by those who read it.
pub(super) const STANDSTILL: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_by_what_it_asks() {
        let time = |epoch, start| Asked::Time { epoch, start };
        let number = |epoch, number| Asked::Number { epoch, number };
        assert_eq!(
            Asked::parse("0-154933457050800.m4s"),
            time("0", 154_933_457_050_800)
        );
        assert_eq!(Asked::parse("1795262400.2-0.m4s"), time("1795262400.2", 0));
        assert_eq!(Asked::parse("0-n935032500.m4s"), number("0", 935_032_500));
        for other in [
            "init-0badcafe.mp4",
            "0-1234.0.m4s",
            "0-n.m4s",
            "0-n01.m4s",
            "0-+1.m4s",
            "0.m4s",
            "",
        ] {
            assert_eq!(Asked::parse(other), Asked::Name, "{other}");
        }
    }
}
