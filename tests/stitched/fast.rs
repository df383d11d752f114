//! A channel that is a schedule of the origin's assets.

use axum::http::StatusCode;
use serde_json::json;

use crate::chain::{Chain, Playlist};

/// A film of three segments with an ad of two behind the first, from the begin of the year 2026 on.
const SCHEDULE: &str = r#"{
    "version": 1, "channel": "classics", "ladder": "film",
    "assets": {
        "film": { "segments": 3, "segment_us": 1920000, "last_us": 1920000 },
        "acme": { "segments": 2, "segment_us": 1920000, "last_us": 1920000 }
    },
    "runs": [{ "from": "2026-01-01T00:00:00Z", "items": [
        { "asset": "film", "breaks": [{ "at_us": 1920000, "pod": ["acme"] }] }
    ] }]
}"#;

#[tokio::test]
async fn a_channel_is_played_from_a_schedule_and_the_origins_assets_alone() {
    let rules = json!({ "version": 1, "channel": "demo" });
    let chain = Chain::new(&[("film", 3), ("acme", 2)], rules).await;
    let folder = format!("/t/{}/fast/classics", chain.token);
    let live = format!("{folder}/v/index.m3u8");
    assert_eq!(chain.watch(&live).await.0, StatusCode::NOT_FOUND, "no schedule");

    let document = chain.document("schedules/classics");
    std::fs::write(&document, SCHEDULE).unwrap();
    let (status, multivariant) = chain.watch(&format!("{folder}/index.m3u8")).await;
    assert_eq!(status, StatusCode::OK, "{multivariant}");
    assert!(multivariant.contains("\nv/index.m3u8\n"), "{multivariant}");

    // A round and its first segment once more, long ago.
    for track in ["v", "a"] {
        let path = format!("{folder}/1767225600-1767225610/{track}/index.m3u8");
        let (status, text) = chain.watch(&path).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
        let clip = Playlist::read(&path, &text);
        let seen = clip.segments.iter().map(|segment| {
            let file = segment.url.rsplit_once("/creatives/").unwrap().1;
            (file.to_owned(), segment.discontinuity)
        });
        let file = |name: &str, index: u32| format!("{name}/{track}/{index}.m4s");
        let expected = [
            (file("film", 0), 1),
            (file("acme", 0), 2),
            (file("acme", 1), 2),
            (file("film", 1), 3),
            (file("film", 2), 3),
            (file("film", 0), 4),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        for segment in &clip.segments {
            let media = chain.watch(&segment.url).await;
            assert_eq!(media, (StatusCode::OK, "twelve bytes".to_owned()), "{segment:?}");
            assert_eq!(
                chain.watch(&segment.map).await,
                (StatusCode::OK, "init".to_owned())
            );
        }
    }

    // What replaces the schedule cannot be used: the channel goes on.
    for bad in [
        "{",
        "{}",
        &SCHEDULE.replace("\"ladder\": \"film\"", "\"ladder\": \"other\""),
    ] {
        std::fs::write(&document, bad).unwrap();
        let (status, text) = chain.watch(&live).await;
        assert_eq!(status, StatusCode::OK, "{bad}: {text}");
    }
    std::fs::remove_file(&document).unwrap();
    assert_eq!(chain.watch(&live).await.0, StatusCode::NOT_FOUND, "taken away");
}
