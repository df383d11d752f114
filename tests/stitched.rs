//! Breaks from an origin's own playlists and MPDs through the native edge to a viewer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

#[path = "../origin/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use selvedge_edge::{BreakRules, Edge, OriginUrl, Site};
use selvedge_edge_native::{Native, Pop, Trust};
use selvedge_origin::config::AdminToken;
use selvedge_origin::time::UnixMillis;
use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};
use serde_json::{Value, json};
use support::*;
use tower::ServiceExt as _;

const TOKEN: &str = "only-for-ad-operations";

/// An origin on a socket, an edge before it, and the token of a viewer.
struct Chain {
    world: World,
    edge: Router,
    token: String,
}

impl Chain {
    /// With three slots of 1.92 s on air, and creatives of so many segments.
    async fn new(creatives: &[(&str, u32)], rules: Value) -> Self {
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
            ..Site::default()
        };
        let edge = Edge::with_site(&keys, site).unwrap();
        let native = Native::new(OriginUrl::parse(&format!("http://{address}/")).unwrap()).unwrap();
        let edge = Pop::new(edge, native, http::uri::Scheme::HTTP, Trust::default()).router();
        let chain = Self { world, edge, token };
        for (name, segments) in creatives {
            chain.creative(name, *segments).await;
        }
        chain
            .desk("PUT", "/channels/demo/breaks/rules", rules.to_string())
            .await;
        chain
    }

    async fn desk(&self, method: &str, path: &str, body: impl Into<Body>) {
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
    async fn creative(&self, name: &str, segments: u32) {
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
    async fn watch(&self, path: &str) -> (StatusCode, String) {
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

    async fn playlist(&self, track: &str) -> Playlist {
        let path = format!("/t/{}/live/demo/{track}/index.m3u8", self.token);
        let (status, text) = self.watch(&path).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        Playlist::read(&path, &text)
    }
}

/// A playlist as a player sees it, read line by line.
#[derive(Debug, Default)]
struct Playlist {
    text: String,
    first: u64,
    segments: Vec<Segment>,
    /// Parts of the segment that comes in, and what is hinted.
    open: Vec<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Segment {
    url: String,
    map: String,
    duration: String,
    discontinuity: u64,
    is_gap: bool,
}

impl Segment {
    fn is_ad(&self) -> bool {
        self.url.contains("/creatives/")
    }
}

impl Playlist {
    fn read(path: &str, text: &str) -> Self {
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
fn resolve(path: &str, uri: &str) -> String {
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

/// What a player has seen of a playlist: what never changes, and what never goes back.
#[derive(Debug, Default)]
struct Seen {
    segments: BTreeMap<u64, Segment>,
    first: u64,
}

impl Seen {
    fn take(&mut self, playlist: &Playlist) {
        assert!(playlist.first >= self.first, "{playlist:?}");
        self.first = playlist.first;
        for (number, segment) in (playlist.first..).zip(&playlist.segments) {
            let known = self.segments.entry(number).or_insert_with(|| segment.clone());
            assert_eq!(known, segment, "segment {number}: {}", playlist.text);
        }
        let last = playlist.first + playlist.segments.len() as u64 - 1;
        assert_eq!(
            self.segments.keys().next_back(),
            Some(&last),
            "the end goes back: {}",
            playlist.text
        );
    }
}

/// Two breaks that meet, each of an ad of three segments, in a window that moves over them.
#[tokio::test]
async fn a_viewer_is_shown_what_the_origin_has_on_air() {
    let at = |slot: u64| UnixMillis((slot * 1_920) as i64).to_string();
    let chain = Chain::new(
        &[("acme", 3), ("slate", 1)],
        json!({
            "version": 1, "channel": "demo",
            "fill": {
                "pod": [{ "creative": "acme", "duration_ms": 5760 }],
                "slate": { "creative": "slate", "duration_ms": 1920 },
                "rest": "slate",
            },
            "schedule": [
                { "name": "one", "at": at(FIRST + 5), "duration_ms": 5760 },
                { "name": "two", "at": at(FIRST + 8), "duration_ms": 7680 },
            ],
        }),
    )
    .await;
    let mut seen = [Seen::default(), Seen::default()];
    let mut parts = 0;
    for slot in FIRST + 3..FIRST + 28 {
        let world = &chain.world;
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        let audio = audio_chunks(slot).concat();
        // Pictures come chunk by chunk, and sound behind them.
        let push = world.push_video(slot);
        for (index, chunk) in video_chunks(slot).into_iter().enumerate() {
            push.send(chunk).await;
            push.taken().await;
            let playlist = chain.playlist("video").await;
            seen[0].take(&playlist);
            if (FIRST + 5..FIRST + 11).contains(&slot) && index < 5 {
                let of_ad = playlist
                    .open
                    .iter()
                    .filter(|url| url.contains("/creatives/acme/v/"));
                // So many parts are out, and the next one is hinted.
                assert_eq!(of_ad.count(), index + 2, "{slot} {index}: {}", playlist.text);
                parts += 1;
            }
        }
        push.end().await;
        world
            .must_put(&format!("/ingest/demo/audio/{slot}.m4s"), audio)
            .await;
        for (seen, track) in seen.iter_mut().zip(["video", "audio"]) {
            seen.take(&chain.playlist(track).await);
        }
    }
    assert_eq!(parts, 30);
    for (seen, kind) in seen.iter().zip(["v", "a"]) {
        let of = |slot: u64| &seen.segments[&slot];
        let ads: Vec<_> = seen.segments.iter().filter(|(_, one)| one.is_ad()).collect();
        let slots: Vec<u64> = ads.iter().map(|(number, _)| **number - FIRST).collect();
        assert_eq!(slots, [5, 6, 7, 8, 9, 10, 11]);
        let files: Vec<&str> = ads
            .iter()
            .map(|(_, one)| one.url.rsplit_once("/creatives/").unwrap().1)
            .collect();
        let file = |name: &str, index: u32| format!("{name}/{kind}/{index}.m4s");
        let acme = || (0..3).map(|index| file("acme", index));
        let expected: Vec<String> = acme().chain(acme()).chain([file("slate", 0)]).collect();
        assert_eq!(files, expected);
        // An ad, an ad, slate, the programme: breaks that meet have one discontinuity between them.
        let numbers = [4, 5, 7, 8, 10, 11, 12, 25].map(|slot| of(FIRST + slot).discontinuity);
        assert_eq!(numbers, [0, 1, 1, 2, 2, 3, 4, 4]);
        for (_, ad) in ads {
            assert!(
                ad.url.starts_with(&format!("/t/{}/creatives/", chain.token)),
                "{}",
                ad.url
            );
            assert_eq!(
                chain.watch(&ad.url).await,
                (StatusCode::OK, "twelve bytes".to_owned())
            );
            assert_eq!(chain.watch(&ad.map).await, (StatusCode::OK, "init".to_owned()));
        }
        let after = of(FIRST + 25);
        assert_eq!(chain.watch(&after.url).await.0, StatusCode::OK);
        assert!(seen.segments.values().all(|one| !one.is_gap));
    }
}
