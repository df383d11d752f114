//! What viewers and edges fetch: documents and media.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::answer::{Freshness, object, text};
use super::{Named, Origin};
use crate::Error;
use crate::render::{dash, hls};

pub(super) async fn multivariant(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = hls::multivariant(&snapshot).into();
    Ok(origin.public(object(&headers, text, HLS, Freshness::Slow, "")))
}

pub(super) async fn playlist(
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

pub(super) async fn manifest(
    State(origin): State<Origin>,
    Named(channel): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let snapshot = origin.ready(&channel)?;
    let text = dash::mpd(&snapshot, origin.0.clock.now()).into();
    Ok(origin.public(object(&headers, text, DASH, Freshness::Live, "")))
}

pub(super) async fn media(
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

pub(super) async fn time(State(origin): State<Origin>) -> Response {
    origin.public(text(origin.0.clock.now().to_string(), "text/plain"))
}

const HLS: &str = "application/vnd.apple.mpegurl";
const DASH: &str = "application/dash+xml";
