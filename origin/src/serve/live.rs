//! What viewers and edges fetch: documents and media.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::answer::{Freshness, fresh_for, media_type, object, text};
use super::document::Document;
use super::part::{self, PartName};
use super::{Named, Origin, cmsd};
use crate::Error;
use crate::media::Snapshot;
use crate::render::{dash, hls};

impl Origin {
    /// A document of a channel.
    fn document(
        &self,
        text: String,
        kind: &'static str,
        format: cmsd::Format,
        snapshot: &Snapshot,
    ) -> Document {
        let (kind_of, name) = (cmsd::ObjectType::Manifest, &self.0.config.name);
        let said = cmsd::Static::new(kind_of, Some(format), name, !snapshot.ended);
        Document::of_text(text, kind, said.available(snapshot.updated))
    }
}

pub(super) async fn multivariant(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = hls::multivariant(&snapshot);
    let document = origin.document(text, HLS, cmsd::Format::Hls, &snapshot);
    Ok(origin.public(document.answer(&headers, Freshness::Slow.value(), None)))
}

pub(super) async fn iframes(
    State(origin): State<Origin>,
    Named((channel, track)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let view = snapshot.track(&track).filter(|track| !track.entries.is_empty());
    let Some(view) = view else {
        return Err(Error::UnknownTrack { channel, track });
    };
    let text = hls::iframes(&snapshot, view).ok_or_else(|| Error::UnknownSegment {
        track,
        name: "iframes.m3u8".to_owned(),
    })?;
    let document = origin.document(text, HLS, cmsd::Format::Hls, &snapshot);
    let target = snapshot.grid.map_or(1, |grid| grid.target_duration_s / 2);
    Ok(origin.public(document.answer(&headers, fresh_for(target), None)))
}

pub(super) async fn manifest(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = dash::mpd(&snapshot, origin.0.clock.now());
    let document = origin.document(text, DASH, cmsd::Format::Dash, &snapshot);
    Ok(origin.public(document.answer(&headers, Freshness::Live.value(), None)))
}

pub(super) async fn media(
    State(origin): State<Origin>,
    Named((channel, track, name)): Named<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    if let Some(part) = PartName::parse(&name) {
        return part::part(&origin, &cell, track, part, &headers).await;
    }
    let (found, is_kept, kind, said) = {
        let channel_now = cell.lock();
        let Some(state) = channel_now.track(&track) else {
            return Err(Error::UnknownTrack { channel, track });
        };
        let kind = media_type(state.init().map(|init| init.kind));
        let own = &origin.0.config.name;
        let (init, found) = (state.init_named(&name), state.media(&name));
        let said = match state.init().filter(|_| init.is_none()) {
            Some(init) => cmsd::Static::media(init, own),
            None => cmsd::Static::new(cmsd::ObjectType::Init, None, own, true),
        };
        (init.or(found), state.keeps(&name), kind, said)
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
    let mut response = object(&headers, body, kind, Freshness::Immutable, &name);
    said.put_on(&mut response, None);
    Ok(origin.public(response))
}

pub(super) async fn time(State(origin): State<Origin>) -> Response {
    origin.public(text(origin.0.clock.now().to_string(), "text/plain"))
}

/// The media type of HLS playlists.
pub(super) const HLS: &str = "application/vnd.apple.mpegurl";
const DASH: &str = "application/dash+xml";
