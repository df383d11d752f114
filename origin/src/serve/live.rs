//! What viewers and edges fetch: playlists, and the time.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::answer::{Freshness, fresh_for, text};
use super::document::Document;
use super::{Named, Origin, cmsd};
use crate::Error;
use crate::media::Snapshot;
use crate::render::hls;

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
    let cell = origin.cell(&channel)?;
    let snapshot = cell.snapshot();
    origin.is_ready(&channel, &snapshot)?;
    let document = cell.document("", hls::multivariant(&snapshot), !snapshot.ended);
    Ok(origin.public(document.answer(&headers, Freshness::Slow.value(), None)))
}

pub(super) async fn iframes(
    State(origin): State<Origin>,
    Named((channel, track)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let cell = origin.cell(&channel)?;
    let snapshot = cell.snapshot();
    origin.is_ready(&channel, &snapshot)?;
    let view = snapshot.track(&track).filter(|track| !track.entries.is_empty());
    let Some(view) = view else {
        return Err(Error::UnknownTrack { channel, track });
    };
    let Some(text) = hls::iframes(&snapshot, view) else {
        let name = "iframes.m3u8".to_owned();
        return Err(Error::UnknownSegment { track, name });
    };
    let document = cell.document(&track, text, !snapshot.ended);
    let target = snapshot.grid.map_or(1, |grid| grid.target_duration_s / 2);
    Ok(origin.public(document.answer(&headers, fresh_for(target), None)))
}

pub(super) async fn time(State(origin): State<Origin>) -> Response {
    origin.public(text(origin.0.clock.now().to_string(), "text/plain"))
}

/// The media type of HLS playlists.
pub(super) const HLS: &str = "application/vnd.apple.mpegurl";
