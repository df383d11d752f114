//! An origin on a socket, the native edge before it, and what a viewer is shown.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use selvedge_edge::{BreakRules, Edge, OriginUrl, Site};
use selvedge_edge_native::{Native, Pop, Trust};
use selvedge_origin::config::AdminToken;
use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::support::*;

const TOKEN: &str = "only-for-ad-operations";

/// An origin on a socket, an edge before it, and the token of a viewer.
pub(crate) struct Chain {
    pub(crate) world: World,
    edge: Router,
    pub(crate) token: String,
    documents: TempDir,
}

impl Chain {
    /// With three slots of 1.92 s on air, and creatives of so many segments.
    pub(crate) async fn new(creatives: &[(&str, u32)], rules: Value) -> Self {
        let world = World::on_air(FIRST..FIRST + 3, |config| {
            config.part_target_ms = 320;
            config.window_s = 20;
            config.admin_token = Some(AdminToken::new(TOKEN));
        })
        .await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = world.origin.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = Jwk::symmetric("k", &[1; 32]);
        let token = Minter::new().mint(&SigningKey::from_jwk(&key).unwrap()).unwrap();
        let keys = serde_json::to_string(&JwkSet { keys: vec![key] }).unwrap();
        let site = Site {
            breaks: Some(BreakRules::default()),
            fast: true,
            ..Site::default()
        };
        let edge = Edge::with_site(&keys, site).unwrap();
        let documents = tempfile::tempdir().unwrap();
        let native = Native::new(OriginUrl::parse(&format!("http://{address}/")).unwrap()).unwrap();
        let native = native.with_documents(documents.path().to_owned());
        let edge = Pop::new(edge, native, http::uri::Scheme::HTTP, Trust::default()).router();
        let chain = Self {
            world,
            edge,
            token,
            documents,
        };
        for (name, segments) in creatives {
            chain.creative(name, *segments).await;
        }
        chain
            .desk("PUT", "/channels/demo/breaks/rules", rules.to_string())
            .await;
        chain
    }

    pub(crate) async fn desk(&self, method: &str, path: &str, body: impl Into<Body>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let request = request.body(body.into()).unwrap();
        let response = self.world.origin.admin_router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
    }

    /// A creative of `segments` segments of 1.92 s, each of six parts of 0.32 s.
    pub(crate) async fn creative(&self, name: &str, segments: u32) {
        let parts = json!([
            [320_000, 2],
            [320_000, 2],
            [320_000, 2],
            [320_000, 2],
            [320_000, 2],
            [320_000, 2]
        ]);
        let media = |folder: &str| {
            let segments =
                (0..segments).map(|index| json!([1_920_000, format!("{folder}/{index}.m4s"), parts]));
            json!({ "init": format!("{folder}/init.mp4"), "segments": segments.collect::<Vec<_>>() })
        };
        let document = json!({
            "version": 1, "creative": name, "duration_us": i64::from(segments) * 1_920_000,
            "renditions": {
                "v": { "kind": "video", "codecs": "avc1.64001f", "bandwidth": 9_000, "width": 640, "height": 360,
                    "frame_rate": 25.0, "media": media("v") },
                "a": { "kind": "audio", "codecs": "mp4a.40.2", "bandwidth": 9_000, "channels": 2,
                    "sample_rate": 48_000, "media": media("a") },
            }
        });
        for folder in ["v", "a"] {
            self.desk("PUT", &format!("/creatives/{name}/{folder}/init.mp4"), "init")
                .await;
            for index in 0..segments {
                self.desk(
                    "PUT",
                    &format!("/creatives/{name}/{folder}/{index}.m4s"),
                    "twelve bytes",
                )
                .await;
            }
        }
        let path = format!("/creatives/{name}/creative.json");
        self.desk("PUT", &path, document.to_string()).await;
    }

    /// What the viewer gets at a path of the edge.
    pub(crate) async fn watch(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::HOST, "edge.example");
        let response = self
            .edge
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// The file of a document that operators put where the edge reads it.
    pub(crate) fn document(&self, key: &str) -> PathBuf {
        let file = self.documents.path().join(format!("{key}.json"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        file
    }

    pub(crate) async fn playlist(&self, track: &str) -> Playlist {
        let path = format!("/t/{}/live/demo/{track}/index.m3u8", self.token);
        let (status, text) = self.watch(&path).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        Playlist::read(&path, &text)
    }
}

/// A playlist as a player sees it, read line by line.
#[derive(Debug, Default)]
pub(crate) struct Playlist {
    pub(crate) text: String,
    pub(crate) first: u64,
    pub(crate) segments: Vec<Segment>,
    /// Parts of the segment that comes in, and what is hinted.
    pub(crate) open: Vec<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Segment {
    pub(crate) url: String,
    pub(crate) map: String,
    pub(crate) duration: String,
    pub(crate) discontinuity: u64,
    pub(crate) is_gap: bool,
}

impl Segment {
    pub(crate) fn is_ad(&self) -> bool {
        self.url.contains("/creatives/")
    }
}

impl Playlist {
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let url = |uri: &str| match uri.strip_prefix('/') {
            Some(_) => uri.to_owned(),
            None => resolve(path, uri),
        };
        let attribute = |line: &str, name: &str| {
            let rest = line.split_once(&format!("{name}=\""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let mut playlist = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let mut next = Segment::default();
        for line in text.lines() {
            let value = line.split_once(':').map_or("", |(_, value)| value);
            let number = || value.parse::<u64>().unwrap();
            match line.split(':').next().unwrap() {
                "#EXT-X-MEDIA-SEQUENCE" => playlist.first = number(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => next.discontinuity = number(),
                "#EXT-X-DISCONTINUITY" => next.discontinuity += 1,
                "#EXT-X-MAP" => next.map = url(&attribute(line, "URI").unwrap()),
                "#EXT-X-GAP" => next.is_gap = true,
                "#EXTINF" => next.duration = value.to_owned(),
                "#EXT-X-PART" | "#EXT-X-PRELOAD-HINT" => {
                    playlist.open.push(url(&attribute(line, "URI").unwrap()));
                }
                tag => assert!(!tag.starts_with("#EXT-X-SELVEDGE"), "for edges alone: {line}"),
            }
            if !line.starts_with('#') && !line.is_empty() {
                next.url = url(line);
                playlist.segments.push(next.clone());
                playlist.open.clear();
                next.is_gap = false;
            }
        }
        playlist
    }
}

/// A relative reference, below the folder of a path.
pub(crate) fn resolve(path: &str, uri: &str) -> String {
    let mut names: Vec<&str> = path.split('/').collect();
    names.pop();
    for name in uri.split('/') {
        match name {
            ".." => drop(names.pop()),
            "." => {}
            name => names.push(name),
        }
    }
    names.join("/")
}
