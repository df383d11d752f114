//! What viewers and edges fetch: playlists, and the time.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::answer::{Freshness, text};
use super::{Named, Origin};
use crate::Error;
use crate::render::hls;

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

pub(super) async fn time(State(origin): State<Origin>) -> Response {
    origin.public(text(origin.0.clock.now().to_string(), "text/plain"))
}

/// The media type of HLS playlists.
pub(super) const HLS: &str = "application/vnd.apple.mpegurl";
