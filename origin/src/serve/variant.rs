//! Variant B of a watermarked track's media, and the sidecars that say positions: for edges and detectors alone.
//!
//! What there is to ask for follows from variant A: names, parts, and what is hinted. B is as many bytes under another
//! folder, and comes a little before A or after it; until it does, who asks for it waits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::HeaderMap;
use selvedge_watermark::pace::{Discrete, Position, SIDECAR_TYPE, Sidecar};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::answer::{Freshness, media_type, object, opaque_object};
use super::blocked::Blocked;
use super::cell::LiveEdge;
use super::edges::Asker;
use super::part::{PartName, Progress, cut, joined, patience_of};
use super::segment::{Asked, Found, Place, STANDSTILL, streamed};
use super::{Named, Origin};
use crate::Error;
use crate::media::{Part, TrackView, VariantB, stored_name};
use crate::observe::Held;

/// Answers with variant B of a segment or a part.
pub(super) async fn media(
    State(origin): State<Origin>,
    Named((channel, track, name)): Named<(String, String, String)>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Error> {
    asker.must_be_edge()?;
    let cell = origin.cell(&channel)?;
    let began = Instant::now();
    let place = Place { origin, cell, track };
    place.must_be_marked(&name)?;
    let (mut response, waited) = match PartName::parse(&name) {
        Some(part) => place.part_b(part, asker, &headers).await?,
        None => place.segment_b(name, asker, &headers).await?,
    };
    if waited.is_some() {
        response.extensions_mut().insert(Held(began.elapsed()));
    }
    Ok(response)
}

/// Answers with the sidecar of a segment or a part.
pub(super) async fn sidecar(
    State(origin): State<Origin>,
    Named((channel, track, name)): Named<(String, String, String)>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Error> {
    asker.must_be_edge()?;
    let cell = origin.cell(&channel)?;
    let place = Place { origin, cell, track };
    place.must_be_marked(&name)?;
    let (segment, part) = match PartName::parse(&name) {
        Some(part) => {
            let Some(mut grown) = place.cell.grown(&place.track) else {
                return Err(place.unknown(&part.name));
            };
            let mut waited = None;
            let found = place.await_part(&part, &mut grown, true, &mut waited).await?;
            (part.segment, found)
        }
        None => {
            let mut waited = None;
            let (name, _) = place.found(&name, &mut waited).await?;
            (name, None)
        }
    };
    let Some((position, is_settled)) = place.position(&segment, part.as_ref()) else {
        return Err(place.unknown(&name));
    };
    let freshness = match is_settled {
        true => Freshness::Immutable,
        false => Freshness::Live,
    };
    let cbor = Sidecar::Discrete(vec![Discrete::at(position)]).to_cbor();
    Ok(object(
        &headers,
        cbor.into(),
        SIDECAR_TYPE,
        freshness,
        &format!("{position}-{name}"),
    ))
}

/// An answer, and the wait that came before it.
type Waited<'c> = (Response, Option<Blocked<'c>>);

impl Place {
    /// Of a track without a mark, and of init segments, there is no variant.
    fn must_be_marked(&self, name: &str) -> Result<(), Error> {
        let channel = self.cell.lock();
        let track = channel.track(&self.track).ok_or_else(|| Error::UnknownTrack {
            channel: self.cell.name.clone(),
            track: self.track.clone(),
        })?;
        match track.position(name, None) {
            Some(_) if track.init_named(name).is_none() => Ok(()),
            _ => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        Error::UnknownSegment {
            track: self.track.clone(),
            name: name.to_owned(),
        }
    }

    /// A position, and whether it is for good.
    fn position(&self, segment: &str, part: Option<&Part>) -> Option<(Position, bool)> {
        let channel = self.cell.lock();
        let track = channel.track(&self.track)?;
        Some((track.position(segment, part)?, track.is_settled(segment)))
    }

    fn variant_b(&self, segment: &str) -> Option<VariantB> {
        self.cell.lock().track(&self.track)?.variant_b(segment)
    }

    fn patience(&self) -> Duration {
        let ms = self.cell.lock().patience_with_b();
        Duration::from_millis(u64::try_from(ms).unwrap_or_default())
    }

    /// Waits no longer for what is missing of variant B.
    async fn give_up(&self, segment: &str) {
        let now = self.origin.0.clock.now();
        let done = self
            .cell
            .change(|channel| channel.give_up_b(&self.track, segment, now));
        // The store's failure is logged where it happens.
        let _ = self.origin.store_all(&self.cell.name, done.write).await;
    }

    /// The name of a segment that is there or comes in, and the live edge where it does.
    async fn found<'c>(
        &'c self,
        name: &str,
        waited: &mut Option<Blocked<'c>>,
    ) -> Result<(String, Option<watch::Receiver<Arc<LiveEdge>>>), Error> {
        let Some(mut edge) = self.cell.grown(&self.track) else {
            return Ok((name.to_owned(), None));
        };
        match self.find(&mut edge, &Asked::parse(name), name, waited).await? {
            Found::Growing(open, edge) => Ok((open.name.clone(), Some(edge))),
            Found::Whole(name, _) => Ok((name, None)),
            Found::Nothing => Err(self.unknown(name)),
        }
    }

    async fn segment_b<'c>(
        &'c self,
        name: String,
        asker: Asker,
        headers: &HeaderMap,
    ) -> Result<Waited<'c>, Error> {
        let mut waited = None;
        let (segment, growing) = self.found(&name, &mut waited).await?;
        let (kind, _) = self.described(&segment)?;
        let position = self.position(&segment, None).map(|(position, _)| position);
        let mut response = match growing {
            Some(edge) => streamed(
                Growth {
                    place: self.clone(),
                    segment,
                    edge,
                    chunks: 0,
                    bytes: 0,
                    is_over: false,
                }
                .into_stream(),
                kind,
            ),
            None => {
                let body = self.whole_b(&segment, &mut waited).await?;
                opaque_object(headers, body.ok_or_else(|| self.unknown(&name))?, kind)
            }
        };
        asker.tell(&self.origin, position, &mut response);
        Ok((response, waited))
    }

    /// All of variant B of a segment whose variant A is complete, once that is settled.
    async fn whole_b<'c>(
        &'c self,
        segment: &str,
        waited: &mut Option<Blocked<'c>>,
    ) -> Result<Option<Bytes>, Error> {
        let Some(mut edge) = self.cell.grown(&self.track) else {
            return self.bytes_b(segment).await;
        };
        let patience = self.patience();
        loop {
            edge.borrow_and_update();
            if !matches!(self.variant_b(segment), Some(VariantB::Coming { .. })) {
                return self.bytes_b(segment).await;
            }
            if waited.is_none() {
                *waited = Some(Blocked::new(&self.origin, &self.cell)?);
            }
            match timeout(patience, edge.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return self.bytes_b(segment).await,
                Err(_) => self.give_up(segment).await,
            }
        }
    }

    /// The bytes of variant B of a segment that is settled.
    async fn bytes_b(&self, segment: &str) -> Result<Option<Bytes>, Error> {
        match self.variant_b(segment) {
            Some(VariantB::Whole(bytes)) => Ok(Some(bytes)),
            Some(VariantB::Stored) => {
                let store = &self.origin.0.store;
                store
                    .get(&self.cell.name, &self.track, &stored_name(segment))
                    .await
            }
            Some(VariantB::AsA) => self.whole(segment).await,
            Some(VariantB::Coming { .. }) | None => Ok(None),
        }
    }

    /// Waits for a part of variant A: until it is complete, or `begun` is enough; `None` where it has but begun.
    async fn await_part<'c>(
        &'c self,
        name: &PartName,
        grown: &mut watch::Receiver<Arc<LiveEdge>>,
        begun: bool,
        waited: &mut Option<Blocked<'c>>,
    ) -> Result<Option<Part>, Error> {
        loop {
            let edge = Arc::clone(&grown.borrow_and_update());
            match Progress::of(&edge, name) {
                Progress::Whole(_, part) | Progress::Closed(part) => return Ok(Some(part)),
                Progress::Begun(_) if begun => return Ok(None),
                Progress::Begun(_) | Progress::Awaited => {}
                Progress::Unknown => return Err(self.unknown(&name.name)),
            }
            if waited.is_none() {
                *waited = Some(Blocked::new(&self.origin, &self.cell)?);
            }
            let patience = patience_of(&edge);
            match timeout(patience, grown.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.unknown(&name.name)),
                Err(_) => {
                    return Err(Error::Late {
                        what: "the part",
                        waited_s: patience.as_secs(),
                    });
                }
            }
        }
    }

    async fn part_b<'c>(
        &'c self,
        name: PartName,
        asker: Asker,
        headers: &HeaderMap,
    ) -> Result<Waited<'c>, Error> {
        let Some(mut grown) = self.cell.grown(&self.track) else {
            return Err(self.unknown(&name.name));
        };
        let mut waited = None;
        let Some(part) = self.await_part(&name, &mut grown, false, &mut waited).await? else {
            return Err(self.unknown(&name.name));
        };
        let patience = self.patience();
        let body = loop {
            grown.borrow_and_update();
            let (chunks, is_over) = match self.variant_b(&name.segment) {
                Some(VariantB::Coming { chunks, .. }) => (chunks, false),
                _ => (self.bytes_b(&name.segment).await?.into_iter().collect(), true),
            };
            let found = cut(&chunks, part.offset, Some(part.length));
            if found.iter().map(|chunk| chunk.len() as u64).sum::<u64>() == part.length {
                break joined(found);
            }
            if is_over {
                return Err(self.unknown(&name.name));
            }
            if waited.is_none() {
                waited = Some(Blocked::new(&self.origin, &self.cell)?);
            }
            match timeout(patience, grown.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.unknown(&name.name)),
                Err(_) => self.give_up(&name.segment).await,
            }
        };
        let view = Arc::clone(&grown.borrow());
        let init = view.track().and_then(TrackView::init).map(|init| init.kind);
        let mut response = opaque_object(headers, body, media_type(init));
        let position = self.position(&name.segment, Some(&part));
        asker.tell(
            &self.origin,
            position.map(|(position, _)| position),
            &mut response,
        );
        Ok((response, waited))
    }
}

/// How far an edge has come in variant B of a segment that is still coming in.
struct Growth {
    place: Place,
    segment: String,
    edge: watch::Receiver<Arc<LiveEdge>>,
    /// Chunks and bytes that were sent.
    chunks: usize,
    bytes: usize,
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
            self.edge.borrow_and_update();
            let Some(VariantB::Coming { chunks, is_behind }) = self.place.variant_b(&self.segment) else {
                self.is_over = true;
                return self.rest().await;
            };
            if let Some(chunk) = chunks.get(self.chunks) {
                self.chunks += 1;
                self.bytes += chunk.len();
                return Some(Ok(chunk.clone()));
            }
            let patience = match is_behind {
                true => self.place.patience(),
                false => STANDSTILL,
            };
            match timeout(patience, self.edge.changed()).await {
                Ok(Ok(())) => {}
                Err(_) if is_behind => self.place.give_up(&self.segment).await,
                _ => {
                    self.is_over = true;
                    return Some(Err(io::Error::other("the segment stood still")));
                }
            }
        }
        None
    }

    /// What the settled segment has beyond what was sent.
    async fn rest(&self) -> Option<io::Result<Bytes>> {
        match self.place.bytes_b(&self.segment).await {
            Ok(Some(whole)) if whole.len() == self.bytes => None,
            Ok(Some(whole)) if whole.len() > self.bytes => Some(Ok(whole.slice(self.bytes..))),
            Ok(_) => Some(Err(io::Error::other("the segment was cut off"))),
            Err(error) => Some(Err(io::Error::other(error))),
        }
    }
}
