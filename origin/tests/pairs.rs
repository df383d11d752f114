//! Two encoders on one channel, each on a clock of its own that it tells.

mod support;

use selvedge_origin::time::UnixMillis;
use support::*;

/// An encoder whose media time begins at zero, at `began` on the wall, and that says so in every segment.
struct Encoder {
    source: &'static str,
    began: i64,
}

impl Encoder {
    async fn begin(&self, world: &World) {
        let path = |track| format!("/ingest/c/init-stream{track}.m4s?source={}", self.source);
        world.must_put(&path(0), init(VIDEO)).await;
        let primed = Sketch {
            edit: Some(1_024),
            ..AUDIO
        };
        world.must_put(&path(1), init(primed)).await;
    }

    /// Pushes a segment of both tracks, at the time of its end.
    async fn slot(&self, world: &World, slot: u64) {
        world
            .clock
            .set(UnixMillis(self.began + (slot as i64 + 1) * 1_920));
        let path = |track| {
            let (source, number) = (self.source, slot + 1);
            format!("/ingest/c/chunk-stream{track}-{number:05}.m4s?source={source}")
        };
        // Each track's word is late by what its encoding took.
        let said = |late| self.began + slot as i64 * 1_920 + late;
        let timed = |late, start, media: Vec<u8>| [prft(said(late), start), media].concat();
        let (picture, sound) = (slot * VIDEO_SEGMENT, slot * AUDIO_SEGMENT);
        world
            .must_put(&path(0), timed(40, picture, video(picture, 48)))
            .await;
        world.must_put(&path(1), timed(15, sound, audio(sound, 90))).await;
    }
}

/// A playlist's numbers of discontinuities, its gaps, and how much time is missing before each segment, in ms.
fn outline(text: &str) -> (Vec<u64>, usize, Vec<i64>) {
    let list = read_playlist(text);
    let numbered = list.segments.iter().zip(list.media_sequence..);
    let breaks = numbered
        .filter(|(segment, _)| segment.discontinuity)
        .map(|(_, number)| number)
        .collect();
    let mut seams = Vec::new();
    let mut end: Option<i64> = None;
    for segment in &list.segments {
        if let Some(date) = segment.program_date_time {
            let at = date.timestamp_millis();
            seams.extend(end.map(|end| at - end));
            end = Some(at);
        }
        end = end.map(|end| end + (f64::from(segment.duration) * 1_000.0).round() as i64);
    }
    (breaks, text.matches("#EXT-X-GAP").count(), seams)
}

#[tokio::test]
async fn encoders_on_clocks_of_their_own_take_turns_without_a_gap_and_with_one_discontinuity_a_death() {
    // Apart by less than a segment, by about one, and by more.
    for apart in [300, 700, 1_200, 1_919, 2_500] {
        let world = World::with(|config| config.window_s = 120).await;
        let first = Encoder {
            source: "a",
            began: NOON,
        };
        let second = Encoder {
            source: "b",
            began: NOON + apart,
        };
        first.begin(&world).await;
        second.begin(&world).await;
        for slot in 0..6 {
            first.slot(&world, slot).await;
            second.slot(&world, slot).await;
        }
        // The first is gone, and comes back on another clock.
        for slot in 6..10 {
            second.slot(&world, slot).await;
        }
        let again = Encoder {
            source: "a",
            began: NOON + apart + 19_500,
        };
        again.begin(&world).await;
        for slot in 0..5 {
            second.slot(&world, slot + 10).await;
            again.slot(&world, slot).await;
        }
        // Now the second is gone.
        for slot in 5..10 {
            again.slot(&world, slot).await;
        }
        let video = outline(&world.text("/live/c/stream0/index.m3u8").await);
        let audio = outline(&world.text("/live/c/stream1/index.m3u8").await);
        assert_eq!((video.0.len(), video.1), (2, 0), "{apart}: {video:?}");
        assert_eq!(
            (&audio.0, audio.1),
            (&video.0, 0),
            "{apart}: {audio:?} and {video:?}"
        );
        for seam in video.2.iter().chain(&audio.2) {
            assert!(seam.abs() <= 1_000, "{apart}: {video:?}");
        }
    }
}

#[tokio::test]
async fn sound_is_dated_when_it_is_heard_and_not_when_its_priming_is() {
    let world = World::new().await;
    let encoder = Encoder {
        source: "a",
        began: NOON,
    };
    encoder.begin(&world).await;
    for slot in 0..4 {
        encoder.slot(&world, slot).await;
    }
    let date = async |track: &str| {
        let list = read_playlist(&world.text(&format!("/live/c/{track}/index.m3u8")).await);
        list.segments[0].program_date_time.unwrap().timestamp_millis()
    };
    // 1,024 samples of priming at 48 kHz.
    assert_eq!(date("stream0").await - date("stream1").await, 21);
    // No Period begins before its media time zero, neither of what is live nor of what has ended.
    let negative = "presentationTimeOffset=\"-";
    assert!(!world.text("/live/c/manifest.mpd").await.contains(negative));
    let ended = "<MPD type=\"static\"><Period/></MPD>";
    world.must_put("/ingest/c/manifest.mpd?source=a", ended).await;
    let text = world.text("/live/c/manifest.mpd").await;
    assert!(
        text.contains("type=\"static\"") && !text.contains(negative),
        "{text}"
    );
}

#[tokio::test]
async fn an_init_segment_sent_again_is_remembered_past_what_was_held_before_it() {
    let world = World::new().await;
    let encoder = |began| Encoder { source: "a", began };
    encoder(NOON).begin(&world).await;
    // Without a clock of its own: only the time of arrival tells when this was.
    let put = async |slot: u64, cut: usize| {
        for (track, media) in [
            (0, video(slot * VIDEO_SEGMENT, 48)),
            (1, audio(slot * AUDIO_SEGMENT, 90)),
        ] {
            let body = axum::body::Body::from_stream(futures_util::stream::iter(
                [Ok(media[..media.len() - cut].to_vec())]
                    .into_iter()
                    .chain((cut > 0).then(|| Err(std::io::Error::other("cut")))),
            ));
            world
                .put(&format!("/ingest/c/Streams(stream{track}.mp4)?source=a"), body)
                .await;
        }
    };
    for slot in 0..3 {
        world.clock.set(UnixMillis(NOON + (slot as i64 + 1) * 1_920));
        put(slot, 0).await;
    }
    world.clock.advance(1_000);
    put(3, 1).await;
    world.clock.advance(9_000);
    encoder(NOON).begin(&world).await;
    for slot in 0..3 {
        world.clock.advance(1_920);
        put(slot, 0).await;
    }
    for track in ["stream0", "stream1"] {
        let text = world.text(&format!("/live/c/{track}/index.m3u8")).await;
        assert_eq!(outline(&text).0.len(), 1, "{text}");
        assert_eq!(text.matches("-0.m4s\n").count(), 2, "{text}");
    }
}
