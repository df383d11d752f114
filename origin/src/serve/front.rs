//! The short way to an answer, for what players ask for all the time.
//!
//! A router takes a path apart for all its routes, hands a request's parts to a handler one by one, and boxes whatever
//! it calls. That is nothing for a push or a probe, and much for players, who ask several times a second by the
//! thousand. So playlists and media whose paths are plain are found here. All else goes to the router, which has these
//! routes too and answers them the same.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{Method, Uri};
use pin_project_lite::pin_project;
use selvedge_listen::{Answers, Peer};

use super::edges::Asker;
use super::{Origin, playlist, segment};
use crate::Error;
use crate::observe::{Held, Route, UnderWay};

/// An origin as its listener sees it.
#[derive(Clone)]
pub(super) struct Front {
    origin: Origin,
    router: Router,
}

impl Front {
    pub(super) fn new(origin: &Origin) -> Self {
        Self {
            origin: origin.clone(),
            router: origin.router(),
        }
    }

    fn under_way(&self, route: Route) -> UnderWay {
        UnderWay::new(Arc::clone(&self.origin.0.observed), route)
    }
}

impl Answers for Front {
    fn answer(&self, request: Request, peer: &Peer) -> impl Future<Output = Response> + Send + use<> {
        let (mut head, body) = request.into_parts();
        let plain = Plain::of(&head.method, &head.uri).filter(|_| body.is_end_stream());
        let Some(Plain {
            channel,
            track,
            object,
        }) = plain
        else {
            let answer = self.router.answer(Request::from_parts(head, body), peer);
            return Way::Router { answer };
        };
        let headers = std::mem::take(&mut head.headers);
        if object == PLAYLIST {
            let query = head.uri.query().unwrap_or_default();
            let asked = playlist::Asked::new(self.origin.clone(), channel, track, query, headers);
            let answer = listed(asked, self.under_way(Route::Playlist));
            return Way::Playlist { answer };
        }
        let (origin, under_way) = (self.origin.clone(), self.under_way(Route::Media));
        let asker = Asker::of(&origin, &headers, Some(peer.address));
        let [channel, track, object] = [channel, track, object].map(str::to_owned);
        Way::Media {
            answer: Box::pin(async move {
                let answered = async {
                    let cell = origin.cell(&channel)?;
                    segment::answered(origin, cell, track, object, headers, asker).await
                };
                let response = answered.await.unwrap_or_else(Error::into_response);
                let held = response.extensions().get().map(|Held(time)| *time);
                under_way.ended(response.status(), held);
                response
            }),
        }
    }
}

async fn listed(asked: Result<playlist::Asked, Error>, under_way: UnderWay) -> Response {
    let answered = match asked {
        Ok(asked) => asked.answered().await,
        Err(error) => Err(error),
    };
    let (response, held) = answered.unwrap_or_else(|error| (error.into_response(), None));
    under_way.ended(response.status(), held);
    response
}

pin_project! {
    /// The way that a request goes. In place: this is kept with its connection, and a box would be one a request.
    #[project = Going]
    enum Way<P, R> {
        Playlist { #[pin] answer: P },
        Media { answer: Pin<Box<dyn Future<Output = Response> + Send>> },
        Router { #[pin] answer: R },
    }
}

impl<P, R> Future for Way<P, R>
where
    P: Future<Output = Response>,
    R: Future<Output = Response>,
{
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        match self.project() {
            Going::Playlist { answer } => answer.poll(context),
            Going::Media { answer } => answer.as_mut().poll(context),
            Going::Router { answer } => answer.poll(context),
        }
    }
}

/// A path that needs no decoding, of a media playlist or of media.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Plain<'p> {
    channel: &'p str,
    track: &'p str,
    object: &'p str,
}

impl<'p> Plain<'p> {
    fn of(method: &Method, uri: &'p Uri) -> Option<Self> {
        let path = Some(uri.path()).filter(|path| method == Method::GET && !path.contains('%'))?;
        let mut names = path.strip_prefix("/live/")?.split('/');
        let [channel, track, object] = [names.next()?, names.next()?, names.next()?];
        let is_whole = names.next().is_none() && !channel.is_empty() && !track.is_empty();
        let is_ours = object == PLAYLIST || object.ends_with(".m4s");
        (is_whole && is_ours).then_some(Self {
            channel,
            track,
            object,
        })
    }
}

const PLAYLIST: &str = "index.m3u8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_of_playlists_and_media_alone_go_the_short_way() {
        let plain = |method: Method, uri: &'static str| {
            let uri = Uri::from_static(uri);
            Plain::of(&method, &uri).map(|plain| [plain.channel, plain.track, plain.object].join(" "))
        };
        let get = |uri| plain(Method::GET, uri);
        assert_eq!(
            get("/live/c/v/index.m3u8?_HLS_msn=7").as_deref(),
            Some("c v index.m3u8")
        );
        assert_eq!(get("/live/c/v/0-7.3.m4s").as_deref(), Some("c v 0-7.3.m4s"));
        for other in [
            "/live/c/index.m3u8",
            "/live/c/v/iframes.m3u8",
            "/live/c/v/init.mp4",
            "/live/c/v/x/index.m3u8",
            "/live/c/v/index.m3u8/",
            "/live//v/index.m3u8",
            "/live/c//index.m3u8",
            "/live/c/%76/index.m3u8",
            "/ingest/c/v/1.m4s",
            "/metrics",
            "/",
        ] {
            assert_eq!(get(other), None, "{other}");
        }
        assert_eq!(plain(Method::HEAD, "/live/c/v/index.m3u8"), None);
        assert_eq!(plain(Method::PUT, "/live/c/v/0-7.m4s"), None);
    }
}
