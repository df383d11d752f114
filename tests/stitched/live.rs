//! Breaks of a live channel.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use selvedge_origin::time::UnixMillis;
use serde_json::json;

use crate::chain::{Chain, Playlist, Segment};
use crate::support::*;

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
