//! Whom the origin tells of variants and positions: edges, and whoever looks for a leak.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::Response;
use http::header::{AUTHORIZATION, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use selvedge_watermark::pace::{Position, egress_header};

use super::Origin;
use super::desk::is_passed_on;
use crate::Error;

/// `WMPaceInfoEgress`.
const EGRESS: HeaderName = HeaderName::from_static("wmpaceinfoegress");

/// Who asks for media.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asker {
    /// An edge, or a detector.
    Edge,
    /// Anybody: there is variant A, without a word of another.
    Anybody,
}

impl Asker {
    /// Who a request comes from: with [`crate::config::Watermark::edge_token`] whoever sends it, without it whoever sits at the machine.
    pub(super) fn of(origin: &Origin, headers: &HeaderMap, peer: Option<SocketAddr>) -> Self {
        let is_edge = match &origin.0.config.watermark.edge_token {
            Some(token) => token.is_sent(headers),
            None => {
                let is_here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
                is_here && !is_passed_on(headers)
            }
        };
        if is_edge { Self::Edge } else { Self::Anybody }
    }

    /// Refuses whoever is no edge.
    ///
    /// # Errors
    /// [`Error::NotEdge`].
    pub(super) fn must_be_edge(self) -> Result<(), Error> {
        match self {
            Self::Edge => Ok(()),
            Self::Anybody => Err(Error::NotEdge),
        }
    }

    /// Says the position of media of a marked track, to those who may know.
    pub(super) fn tell(self, origin: &Origin, position: Option<Position>, response: &mut Response) {
        let Some(position) = position else { return };
        let headers = response.headers_mut();
        if self == Self::Edge {
            headers.extend(HeaderValue::try_from(egress_header(position)).map(|value| (EGRESS, value)));
        }
        if origin.0.config.watermark.edge_token.is_some() {
            // A cache between must not give one of the two what the other was told.
            headers.append(VARY, HeaderValue::from_name(AUTHORIZATION));
        }
    }
}

impl FromRequestParts<Origin> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, origin: &Origin) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self::of(
            origin,
            &parts.headers,
            peer.map(|ConnectInfo(peer)| *peer),
        ))
    }
}
