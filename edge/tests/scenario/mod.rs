//! A world and a viewer, for tests of the whole way of a request.

#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{cell::RefCell, collections::HashMap};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use selvedge_edge::{
    Answer, Body, Edge, Handled, OriginRequest, OriginResponse, Plan, Platform, Read, Unanswered, UnixMillis,
    Visit, Want, block_on,
};
use selvedge_edge::{Standing, StoreRequest};
use selvedge_token::{Component, Jwk, Match, MemoryStore, Minter, SigningKey, Store as _};

/// The moment at which every scenario plays.
pub(crate) const NOW: UnixMillis = UnixMillis::from_seconds(1_795_262_400);

/// An origin that knows some documents, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct World {
    documents: HashMap<String, (u16, &'static str, String)>,
    pub(crate) asked: RefCell<Vec<OriginRequest>>,
    /// What operators have put where every instance reads it.
    pub(crate) stored: HashMap<String, String>,
    pub(crate) down: bool,
    /// The store that instances share, and how often it was asked; none where it is left out.
    pub(crate) store: RefCell<Option<MemoryStore>>,
    pub(crate) store_asked: RefCell<Vec<StoreRequest>>,
}

impl World {
    /// One channel, `news`, with one of each kind of thing.
    pub(crate) fn new() -> Self {
        let mut world = Self::default();
        world.store.replace(Some(MemoryStore::default()));
        world.put(
            "/live/news/index.m3u8",
            "public, max-age=30",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8\n",
        );
        world.put(
            "/live/news/v/index.m3u8",
            "public, max-age=1",
            "#EXTM3U\n#EXTINF:1.92,\n0-1.m4s\n",
        );
        world.put(
            "/live/news/manifest.mpd",
            "public, max-age=1",
            "<MPD><Period/></MPD>",
        );
        world.put(
            "/live/news/v/0-1.m4s",
            "public, max-age=31536000, immutable",
            "media",
        );
        world
    }

    pub(crate) fn put(&mut self, path: &str, caching: &'static str, body: &str) {
        self.documents.insert(path.into(), (200, caching, body.into()));
    }

    pub(crate) fn put_status(&mut self, path: &str, status: u16, body: &str) {
        self.documents
            .insert(path.into(), (status, "no-store", body.into()));
    }

    fn answer(&self, request: &OriginRequest) -> Result<OriginResponse<String>, Unanswered> {
        self.asked.borrow_mut().push(request.clone());
        if self.down {
            return Err(Unanswered::Unreachable("connection refused".into()));
        }
        let path = request.target.split('?').next().unwrap();
        let missing = (
            404,
            "no-store",
            "{\"type\":\"urn:selvedge:error:unknown-channel\"}".to_owned(),
        );
        let (status, caching, text) = self.documents.get(path).cloned().unwrap_or(missing);
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(header::CONTENT_LENGTH, text.len().into());
        headers.insert(header::ETAG, HeaderValue::from_static("\"1\""));
        headers.insert(header::SET_COOKIE, HeaderValue::from_static("secret=1"));
        let body = match request.read {
            Read::Handle => Body::Upstream(text),
            Read::Bytes { limit } if text.len() > limit => return Err(Unanswered::TooLarge),
            Read::Bytes { .. } => Body::Bytes(text.into_bytes()),
        };
        Ok(OriginResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body,
        })
    }
}

impl Platform for World {
    type Body = String;

    async fn gather(&self, plan: Plan) -> Vec<Answer<String>> {
        assert!(plan.wants.len() <= 6, "a Worker has six connections");
        plan.wants
            .into_iter()
            .map(|want| match want {
                Want::Origin(request) => Answer::Origin(self.answer(&request)),
                Want::Store(request) => {
                    self.store_asked.borrow_mut().push(request.clone());
                    let mut store = self.store.borrow_mut();
                    Answer::Store(
                        store
                            .as_mut()
                            .map_or(Standing::Unknown, |store| store.ask(&request, NOW)),
                    )
                }
                Want::Document { key, .. } => {
                    Answer::Document(Ok(self.stored.get(&key).map(|text| text.clone().into_bytes())))
                }
                other => panic!("the world has no answer to {other:?}"),
            })
            .collect()
    }
}

/// The key that the edge of a scenario trusts.
pub(crate) fn key() -> Jwk {
    Jwk::elliptic("scenario", &[8; 32]).unwrap()
}

/// The key that the edge of a scenario renews and exchanges tokens with, where it has one.
pub(crate) fn session_key() -> Jwk {
    Jwk::symmetric("session", &[4; 32]).for_signer()
}

/// A token for `prefix` that lasts `seconds` from [`NOW`], signed by `key`.
pub(crate) fn token_by(key: &Jwk, prefix: &str, seconds: i64) -> String {
    Minter::new()
        .expires_at(NOW.plus_seconds(seconds))
        .uri(Component::Path, Match::Prefix(prefix.into()))
        .mint(&SigningKey::from_jwk(key).unwrap())
        .unwrap()
}

/// A good token for the channel `news`.
pub(crate) fn token() -> String {
    token_by(&key(), "/live/news/", 60)
}

/// An edge with a site document.
pub(crate) fn edge(site: &str) -> Edge {
    let keys = serde_json::to_string(&selvedge_token::JwkSet {
        keys: vec![key().for_recipient()],
    })
    .unwrap();
    Edge::new(&keys, site).unwrap()
}

/// An edge with a site document that also may sign.
pub(crate) fn signing_edge(site: &str) -> Edge {
    let keys = serde_json::to_string(&selvedge_token::JwkSet {
        keys: vec![key().for_recipient(), session_key()],
    })
    .unwrap();
    Edge::new(&keys, site).unwrap()
}

/// Sends a request through an edge with the default site.
pub(crate) fn send(world: &World, request: http::request::Builder) -> Handled<String> {
    send_through(&edge("{}"), world, request)
}

/// Sends a request through an edge.
pub(crate) fn send_through(edge: &Edge, world: &World, request: http::request::Builder) -> Handled<String> {
    let request = request.body(()).unwrap();
    block_on(edge.handle(world, &visit(&request)))
}

/// A request at [`NOW`], of whose client nothing is known.
pub(crate) fn visit(request: &Request<()>) -> Visit<'_> {
    visit_at(request, NOW)
}

/// The same at another moment.
pub(crate) fn visit_at(request: &Request<()>, now: UnixMillis) -> Visit<'_> {
    Visit {
        request,
        context: &(),
        now,
        random: Some(u64::MAX),
    }
}

/// Sends a GET for a path and query.
pub(crate) fn get(world: &World, target: &str) -> Handled<String> {
    send(world, Request::get(format!("https://edge.example{target}")))
}

/// A response's body as text, whoever holds it.
pub(crate) fn text(response: &Response<Body<String>>) -> String {
    match response.body() {
        Body::Empty => String::new(),
        Body::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Upstream(text) => text.clone(),
    }
}
