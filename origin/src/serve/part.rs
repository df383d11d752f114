//! Parts, and the one that is hinted: sent as it comes in (bis 6.2.2, 4.4.5.3).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, HeaderValue};
use selvedge_watermark::pace::Position;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::answer::{Freshness, immutable_tag, media_type, object, opaque_object};
use super::blocked::{Blocked, patience};
use super::cell::{Cell, LiveEdge};
use super::edges::Asker;
use super::{Origin, cmsd};
use crate::Error;
use crate::media::{Entry, Part, TrackView};
use crate::render::hls::predicted;
use crate::time::ticks_to_nanos;

/// The name of a part: `<epoch>-<start>.<index>.m4s`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PartName {
    /// The name of its segment.
    pub(super) segment: String,
    index: usize,
    pub(super) name: String,
}

impl PartName {
    /// Reads the last component of a path; `None` when it names no part.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (stem, index) = name.strip_suffix(".m4s")?.rsplit_once('.')?;
        let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
        let is_canonical = is_number && (index == "0" || !index.starts_with('0'));
        let index = index.parse().ok().filter(|_| is_canonical)?;
        Some(Self {
            segment: format!("{stem}.m4s"),
            index,
            name: name.to_owned(),
        })
    }
}

/// How far a part has come.
pub(super) enum Progress {
    /// All of it, of the segment that is open.
    Whole(Vec<Bytes>, Part),
    /// All of it, of a segment that is closed.
    Closed(Part),
    /// Some of it.
    Begun(Vec<Bytes>),
    /// Nothing yet, but it is the one that is hinted.
    Awaited,
    /// There is none, and none is coming.
    Unknown,
}

impl Progress {
    pub(super) fn of(edge: &LiveEdge, name: &PartName) -> Self {
        let Some(track) = edge.track() else {
            return Self::Unknown;
        };
        if let Some(open) = track.open.as_deref().filter(|open| open.name == name.segment) {
            if let Some(part) = open.parts.get(name.index) {
                return Self::Whole(cut(&open.chunks, part.offset, Some(part.length)), *part);
            }
            if open.parts.len() != name.index {
                return Self::Unknown;
            }
            let whole: u64 = open.parts.iter().map(|part| part.length).sum();
            let begun = cut(&open.chunks, whole, None);
            return if begun.is_empty() {
                Self::Awaited
            } else {
                Self::Begun(begun)
            };
        }
        let mut newest = track.entries.iter().rev().filter_map(Entry::segment);
        if let Some(segment) = newest.find(|segment| segment.name == name.segment) {
            let part = segment.parts.get(name.index);
            return part.map_or(Self::Unknown, |part| Self::Closed(*part));
        }
        let is_hinted = name.index == 0
            && !edge.snapshot.ended
            && predicted(&edge.snapshot, track).is_some_and(|predicted| predicted == name.segment);
        if is_hinted { Self::Awaited } else { Self::Unknown }
    }
}

/// The chunks' bytes from `offset` on, `length` of them or all.
pub(super) fn cut(chunks: &[Bytes], offset: u64, length: Option<u64>) -> Vec<Bytes> {
    let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut left = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
    let mut cut = Vec::with_capacity(1);
    for chunk in chunks {
        let from = skip.min(chunk.len());
        skip -= from;
        let to = from + (chunk.len() - from).min(left);
        left -= to - from;
        if to > from {
            cut.push(chunk.slice(from..to));
        }
    }
    cut
}

pub(super) fn joined(chunks: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(chunks) {
        Ok([only]) => only,
        Err(chunks) => chunks.concat().into(),
    }
}

/// Answers a request for a part.
///
/// # Errors
/// [`Error::UnknownSegment`] for a part that is not there and not hinted, [`Error::Late`] when a hinted one does
/// not begin in time.
pub(super) async fn part(
    origin: &Origin,
    cell: &Arc<Cell>,
    track: String,
    name: PartName,
    headers: &HeaderMap,
    asker: Asker,
) -> Result<Response, Error> {
    let Some(mut grown) = cell.grown(&track) else {
        let channel = cell.name.clone();
        return Err(Error::UnknownTrack { channel, track });
    };
    let mut edge = Arc::clone(&grown.borrow_and_update());
    let mut progress = Progress::of(&edge, &name);
    let mut held = None;
    if matches!(progress, Progress::Awaited) {
        let _blocked = Blocked::new(origin, cell)?;
        let patience = patience_of(&edge);
        let since = Instant::now();
        let is_there = |edge: &Arc<LiveEdge>| !matches!(Progress::of(edge, &name), Progress::Awaited);
        edge = match timeout(patience, grown.wait_for(is_there)).await {
            Ok(Ok(edge)) => Arc::clone(&edge),
            Ok(Err(_)) => {
                return Err(Error::UnknownSegment {
                    track,
                    name: name.name,
                });
            }
            Err(_) => {
                return Err(Error::Late {
                    what: "the part",
                    waited_s: patience.as_secs(),
                });
            }
        };
        progress = Progress::of(&edge, &name);
        held = Some(since.elapsed());
    }
    let view = edge.track();
    let (chunks, part) = match progress {
        Progress::Whole(chunks, part) => (chunks, part),
        Progress::Closed(part) => {
            let segment = segment(origin, cell, &track, &name).await?;
            (cut(&[segment], part.offset, Some(part.length)), part)
        }
        Progress::Begun(chunks) => {
            let growing = Growing {
                origin: origin.clone(),
                cell: Arc::clone(cell),
                grown,
                track: track.clone(),
                name,
                sent: 0,
                next: chunks,
                is_whole: false,
            };
            let said = view.and_then(|view| said(origin, view, None));
            let said = said.map(|said| said.available(edge.snapshot.updated));
            let position = position_of(&growing.cell, &track, &growing.name, None);
            let mut response = begun(view, growing, said, held);
            asker.tell(origin, position, &mut response);
            return Ok(origin.public(response));
        }
        Progress::Awaited | Progress::Unknown => {
            return Err(Error::UnknownSegment {
                track,
                name: name.name,
            });
        }
    };
    let kind = media_type(view.and_then(TrackView::init).map(|init| init.kind));
    let position = position_of(cell, &track, &name, Some(&part));
    let mut response = match <[Bytes; 1]>::try_from(chunks) {
        Ok([only]) if position.is_some() => opaque_object(headers, only, kind),
        Err(chunks) if position.is_some() => opaque_object(headers, joined(chunks), kind),
        Ok([only]) => object(headers, only, kind, Freshness::Immutable, &name.name),
        Err(chunks) if headers.contains_key(RANGE) || headers.contains_key(IF_NONE_MATCH) => {
            object(headers, joined(chunks), kind, Freshness::Immutable, &name.name)
        }
        Err(chunks) => of_several(chunks, kind, &name.name),
    };
    asker.tell(origin, position, &mut response);
    if let Some(said) = view.and_then(|view| said(origin, view, Some(&part))) {
        let said = match next_of(&edge, &name) {
            Some(next) => said.next(&next),
            None => said,
        };
        said.put_on(&mut response, held);
    }
    Ok(origin.public(response))
}

/// The position of a part of a marked track.
fn position_of(cell: &Cell, track: &str, name: &PartName, part: Option<&Part>) -> Option<Position> {
    cell.lock().track(track)?.position(&name.segment, part)
}

/// All of a closed segment.
async fn segment(origin: &Origin, cell: &Cell, track: &str, name: &PartName) -> Result<Bytes, Error> {
    let in_memory = cell
        .lock()
        .track(track)
        .and_then(|state| state.media(&name.segment));
    let found = match in_memory {
        Some(bytes) => Some(bytes),
        None => origin.0.store.get(&cell.name, track, &name.segment).await?,
    };
    found.ok_or_else(|| Error::UnknownSegment {
        track: track.to_owned(),
        name: name.name.clone(),
    })
}

pub(super) fn patience_of(edge: &LiveEdge) -> Duration {
    patience(edge.snapshot.grid.map_or(0, |grid| grid.target_duration_s))
}

/// What is said of a part.
fn said(origin: &Origin, track: &TrackView, part: Option<&Part>) -> Option<cmsd::Static> {
    let init = track.init()?;
    let said = cmsd::Static::media(init, &origin.0.config.name).bitrate(track.average_bitrate);
    Some(match part {
        Some(part) => said.duration(ticks_to_nanos(part.duration.cast_signed(), init.timescale)),
        None => said,
    })
}

/// The part that comes after one, of the same segment, if there is any or it is hinted.
fn next_of(edge: &LiveEdge, name: &PartName) -> Option<String> {
    let (track, next) = (edge.track()?, name.index + 1);
    let is_open = track.open.as_deref().filter(|open| open.name == name.segment);
    let parts = match is_open {
        Some(open) if predicted(&edge.snapshot, track).is_none() => open.parts.len() + 1,
        Some(open) => open.parts.len(),
        None => {
            let mut newest = track.entries.iter().rev().filter_map(Entry::segment);
            newest.find(|segment| segment.name == name.segment)?.parts.len()
        }
    };
    let stem = name.segment.strip_suffix(".m4s")?;
    (next < parts).then(|| format!("{stem}.{next}.m4s"))
}

/// The answer with a part of several chunks: as they are, for there are many who ask.
fn of_several(chunks: Vec<Bytes>, kind: &'static str, name: &str) -> Response {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let tag = immutable_tag(name, length);
    let chunks = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, Freshness::Immutable.value());
    headers.extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    response
}

/// The answer with a part that has begun to come in.
fn begun(
    view: Option<&TrackView>,
    growing: Growing,
    said: Option<cmsd::Static>,
    held: Option<Duration>,
) -> Response {
    let kind = media_type(view.and_then(TrackView::init).map(|init| init.kind));
    let chunks = stream::unfold(Some(growing), async |growing| {
        let mut growing = growing?;
        match growing.step().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(growing))),
            Ok(None) => None,
            // Cut off, and not ended: a cache must not keep half a part.
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(Box::pin(chunks)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, Freshness::Immutable.value());
    if let Some(said) = said {
        said.put_on(&mut response, held);
    }
    response
}

/// A part that is sent while it comes in.
struct Growing {
    origin: Origin,
    cell: Arc<Cell>,
    grown: watch::Receiver<Arc<LiveEdge>>,
    track: String,
    name: PartName,
    /// Bytes of the part that were sent.
    sent: u64,
    /// The part as far as it has come: what was sent, and more.
    next: Vec<Bytes>,
    is_whole: bool,
}

impl Growing {
    /// The next bytes; `None` at the end of the part.
    async fn step(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let bytes = joined(cut(&self.next, self.sent, None));
            if !bytes.is_empty() {
                self.sent += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            if self.is_whole {
                return Ok(None);
            }
            let patience = patience_of(&self.grown.borrow());
            timeout(patience, self.grown.changed())
                .await
                .map_err(|_| broken("the part stood still"))?
                .map_err(|_| broken("the track is gone"))?;
            let edge = Arc::clone(&self.grown.borrow_and_update());
            match Progress::of(&edge, &self.name) {
                Progress::Begun(chunks) => self.next = chunks,
                Progress::Whole(chunks, _) => {
                    self.next = chunks;
                    self.is_whole = true;
                }
                Progress::Closed(part) => {
                    let segment = segment(&self.origin, &self.cell, &self.track, &self.name).await;
                    let segment = segment.map_err(|error| broken(&error.to_string()))?;
                    self.next = cut(&[segment], part.offset, Some(part.length));
                    self.is_whole = true;
                }
                Progress::Awaited | Progress::Unknown => return Err(broken("the part was cut off")),
            }
        }
    }
}

fn broken(reason: &str) -> io::Error {
    io::Error::other(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_after_its_segment_and_its_place_in_it() {
        let part = PartName::parse("0-161573616000000.11.m4s").unwrap();
        assert_eq!((part.segment.as_str(), part.index), ("0-161573616000000.m4s", 11));
        for other in [
            "0-161573616000000.m4s",
            "init-00000000.mp4",
            "0-1..m4s",
            "0-1.01.m4s",
            "0-1.x.m4s",
            "0-1.+1.m4s",
            "0-1.99999999999999999999999.m4s",
            "0-1.1.mp4",
        ] {
            assert_eq!(PartName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_part_is_cut_from_the_chunks_that_it_was_made_of() {
        let chunks = [&b"abc"[..], b"", b"de", b"fghi"].map(Bytes::from_static);
        let text = |offset, length| joined(cut(&chunks, offset, length));
        assert_eq!(text(0, Some(3)), "abc");
        assert_eq!(text(3, Some(6)), "defghi");
        assert_eq!(text(1, Some(3)), "bcd");
        assert_eq!(text(5, None), "fghi");
        assert_eq!(text(9, None), "");
        assert_eq!(text(99, Some(1)), "");
    }
}
