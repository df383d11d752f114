//! Breaks of a channel that has become an asset.

use axum::http::StatusCode;
use selvedge_breaks::UnixMicros;
use serde_json::json;

use crate::chain::{Chain, Playlist};
use crate::support::*;

/// Segments that the channel had.
const SEGMENTS: u64 = 6;

#[tokio::test]
async fn a_channel_that_is_over_gets_the_breaks_at_its_positions() {
    let rules = json!({
        "version": 1, "channel": "demo",
        "fill": { "pod": [{ "creative": "acme", "duration_ms": 3840 }] },
        "positions": [
            { "name": "pre", "at": "start" },
            { "name": "mid", "at": 5700, "pod": [{ "creative": "fish", "duration_ms": 1920 }] },
            { "name": "post", "at": "end" },
        ],
    });
    let chain = Chain::new(&[("acme", 2), ("fish", 1)], rules).await;
    let world = &chain.world;
    for slot in FIRST + 3..FIRST + SEGMENTS - 1 {
        world.chunked(slot).await;
    }
    let last = FIRST + SEGMENTS - 1;
    for (track, bytes) in [
        ("video", chunk(last * VIDEO_SEGMENT, 48, true)),
        ("audio", chunk(last * AUDIO_SEGMENT, 90, true)),
    ] {
        let path = format!("/ingest/demo/{track}/{last}.m4s");
        world.must_put(&path, [styp(true), bytes].concat()).await;
    }
    // Who watched it live sees its end, and no number of it moves.
    let live = chain.playlist("video").await;
    assert!(live.text.ends_with("#EXT-X-ENDLIST\n"), "{}", live.text);
    world.clock.advance(59_000);
    world.origin.sweep().await;
    assert_eq!(chain.playlist("video").await.text, live.text);

    world.clock.advance(2_000);
    world.origin.sweep().await;
    let mut begins = Vec::new();
    for (track, kind) in [("video", "v"), ("audio", "a")] {
        let playlist = chain.playlist(track).await;
        let seen: Vec<_> = playlist
            .segments
            .iter()
            .map(|segment| name(&segment.url))
            .collect();
        let ad = |name: &str, index: u32| format!("{name}/{kind}/{index}.m4s");
        let programme =
            |slots: std::ops::Range<u64>| slots.map(|slot| own(track, FIRST + slot)).collect::<Vec<_>>();
        let expected = [
            vec![ad("acme", 0), ad("acme", 1)],
            programme(0..3),
            vec![ad("fish", 0)],
            programme(3..6),
            vec![ad("acme", 0), ad("acme", 1)],
        ];
        assert_eq!(seen, expected.concat(), "{}", playlist.text);
        assert!(playlist.segments.iter().all(|segment| !segment.is_gap));
        for segment in playlist.segments.iter().filter(|segment| segment.is_ad()) {
            assert_eq!(
                chain.watch(&segment.url).await,
                (StatusCode::OK, "twelve bytes".to_owned())
            );
        }
        begins.push(dates(&playlist));
    }
    // Where a viewer is, is the same in each: a date for each run of segments.
    assert_eq!(begins[0], begins[1]);

    for document in ["manifest.mpd", "number.mpd"] {
        let path = format!("/t/{}/live/demo/{document}", chain.token);
        let (status, mpd) = chain.watch(&path).await;
        assert_eq!(status, StatusCode::OK, "{mpd}");
        assert_eq!(periods(&mpd), begins[0], "{document}: {mpd}");
        assert!(!mpd.contains("urn:selvedge"), "{mpd}");
        let end = (FIRST + SEGMENTS + 5) * 1_920;
        assert_eq!(seconds(&mpd, "mediaPresentationDuration"), end as i64, "{mpd}");
    }

    // Rules without positions are followed at once.
    let rules = json!({ "version": 1, "channel": "demo" });
    chain
        .desk("PUT", "/channels/demo/breaks/rules", rules.to_string())
        .await;
    assert_eq!(chain.playlist("video").await.segments.len(), SEGMENTS as usize);
}

/// The end of a URL that says which segment it is.
fn name(url: &str) -> String {
    let of_ad = url.rsplit_once("/creatives/").map(|(_, file)| file);
    let own = url.rsplit_once('/').map(|(_, file)| file);
    of_ad.or(own).unwrap().to_owned()
}

fn own(track: &str, slot: u64) -> String {
    let length = if track == "video" {
        VIDEO_SEGMENT
    } else {
        AUDIO_SEGMENT
    };
    format!("0-{}.m4s", slot * length)
}

/// When each run of segments of one source begins, in milliseconds since 1970.
fn dates(playlist: &Playlist) -> Vec<i64> {
    let mut begins = Vec::new();
    let mut is_next = true;
    for line in playlist.text.lines() {
        is_next |= line == "#EXT-X-DISCONTINUITY";
        let date = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:");
        if let Some(date) = date.filter(|_| is_next) {
            begins.push(UnixMicros::read(date).unwrap().millis());
            is_next = false;
        }
    }
    begins
}

/// When each Period of an MPD begins that counts from 1970, in milliseconds.
fn periods(mpd: &str) -> Vec<i64> {
    let periods = mpd.split("<Period ").skip(1);
    periods.map(|period| seconds(period, "start")).collect()
}

/// The first attribute of that name, a duration in seconds, in milliseconds.
fn seconds(text: &str, name: &str) -> i64 {
    let (_, value) = text.split_once(&format!("{name}=\"PT")).unwrap();
    let (value, _) = value.split_once("S\"").unwrap();
    let (seconds, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let fraction = format!("{fraction:0<3}");
    seconds.parse::<i64>().unwrap() * 1_000 + fraction.parse::<i64>().unwrap()
}
