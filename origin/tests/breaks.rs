//! Breaks through the real routes and the real store: from what asks for them to what playlists, MPDs and decisions say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use selvedge_breaks::{Slice, slice};
use selvedge_origin::config::AdminToken;
use selvedge_origin::time::UnixMillis;
use selvedge_origin::{Config, Origin};
use serde_json::{Value, json};
use support::*;
use tower::ServiceExt as _;

const TOKEN: &str = "only-for-ad-operations";

fn guarded(config: &mut Config) {
    config.part_target_ms = 320;
    config.admin_token = Some(AdminToken::new(TOKEN));
}

impl World {
    /// Asks the operators' door.
    async fn desk(&self, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let request = request.body(body.into()).unwrap();
        let response = self.origin.admin_router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn rule(&self, rules: &Value) {
        let (status, answer) = self
            .desk("PUT", "/channels/demo/breaks/rules", rules.to_string())
            .await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }

    async fn breaks(&self) -> Vec<Value> {
        let (status, listing) = self.desk("GET", "/channels/demo/breaks", Body::empty()).await;
        assert_eq!(status, StatusCode::OK, "{listing}");
        listing["breaks"].as_array().unwrap().clone()
    }

    /// The slice of the log in a playlist of `demo`.
    async fn slice(&self, file: &str) -> Slice {
        let text = self.text(&format!("/live/demo/{file}")).await;
        Slice::read(&text).unwrap().unwrap()
    }

    /// Uploads a creative of `segments` segments of 1.92 s, with two parts each.
    async fn creative(&self, name: &str, segments: u32) {
        let rendition = |folder: &str| {
            let segments = (0..segments).map(|index| {
                json!([
                    1_920_000,
                    format!("{folder}/{index}.m4s"),
                    [[960_000, 6], [960_000, 4]]
                ])
            });
            json!({ "init": format!("{folder}/init.mp4"), "segments": segments.collect::<Vec<_>>() })
        };
        let document = json!({
            "version": 1, "creative": name, "duration_us": i64::from(segments) * 1_920_000,
            "renditions": {
                "v": { "kind": "video", "codecs": "avc1.64001f", "bandwidth": 9_000, "width": 640, "height": 360,
                    "frame_rate": 25.0, "media": rendition("v") },
                "a": { "kind": "audio", "codecs": "mp4a.40.2", "bandwidth": 9_000, "channels": 2,
                    "sample_rate": 48_000, "media": rendition("a") },
            }
        });
        for folder in ["v", "a"] {
            let put = async |file: String, bytes: &'static str| {
                let (status, answer) = self
                    .desk("PUT", &format!("/creatives/{name}/{folder}/{file}"), bytes)
                    .await;
                assert_eq!(status, StatusCode::CREATED, "{answer}");
            };
            put("init.mp4".to_owned(), "init").await;
            for index in 0..segments {
                put(format!("{index}.m4s"), "ten bytes!").await;
            }
        }
        let path = format!("/creatives/{name}/creative.json");
        let (status, answer) = self.desk("PUT", &path, document.to_string()).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
}

/// Rules whose pod has one ad of three segments.
fn rules(more: &Value) -> Value {
    let mut rules = json!({
        "version": 1, "channel": "demo",
        "returns": { "on_plan": true },
        "fill": {
            "pod": [{ "creative": "acme", "duration_ms": 5760 }],
            "slate": { "creative": "slate", "duration_ms": 1920 },
            "rest": "slate",
        },
    });
    for (name, value) in more.as_object().unwrap() {
        rules[name] = value.clone();
    }
    rules
}

fn micros(slot: u64) -> i64 {
    (slot * 1_920_000) as i64
}

/// The lines of a slice in a playlist.
fn lines(playlist: &str) -> Vec<&str> {
    let is_ours = |line: &&str| line.starts_with(slice::LOG_TAG) || line.starts_with(slice::BREAK_TAG);
    playlist.lines().filter(is_ours).collect()
}

#[tokio::test]
async fn a_scheduled_break_is_told_decided_and_numbered() {
    let mut world = World::on_air(FIRST..FIRST + 3, |config| {
        guarded(config);
        config.window_s = 20;
    })
    .await;
    world.creative("acme", 3).await;
    world.creative("slate", 1).await;
    // A little off the grid: it begins where a segment does.
    let planned = UnixMillis(((FIRST + 6) * 1_920 + 700) as i64).to_string();
    world
        .rule(&rules(
            &json!({ "schedule": [{ "name": "noon", "at": planned, "duration_ms": 7_680 }] }),
        ))
        .await;
    let told = world.slice("video/index.m3u8").await;
    let id = told.breaks[0].id.to_string();
    assert_eq!(told.breaks[0].out.0, micros(FIRST + 6));
    assert_eq!(told.breaks[0].t_in.unwrap().0, micros(FIRST + 10));
    assert_eq!(told.breaks[0].anchor, None);
    assert_eq!(world.slice("audio/index.m3u8").await, told);
    assert_eq!(world.slice("video/index.m3u8?_HLS_skip=YES").await, told);

    // What fills it, once and for good.
    let path = format!("/decisions/demo/{id}/all");
    let (status, headers, decided) = world.get(&path, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers[header::CACHE_CONTROL],
        "public, max-age=31536000, immutable"
    );
    let decision = selvedge_breaks::Decision::read(&decided).unwrap();
    assert_eq!(decision.misfit(&told.breaks[0].structure), None);
    let ad = &decision.ads[0].renditions["video"];
    assert_eq!(ad.segments[2].uri, "/creatives/acme/v/2.m4s");
    assert_eq!(
        decision.slate.as_ref().unwrap().renditions["audio"]
            .init
            .as_deref(),
        Some("/creatives/slate/a/init.mp4")
    );
    let (status, headers, media) = world.get(&ad.segments[2].uri, &[("range", "bytes=6-9")]).await;
    assert_eq!((status, media.len()), (StatusCode::PARTIAL_CONTENT, 4));
    assert_eq!(headers[header::CONTENT_TYPE], "video/mp4");
    // An ad by itself, for players that are guided to it.
    for (file, kind, line) in [
        ("index.m3u8", "application/vnd.apple.mpegurl", "v/index.m3u8\n"),
        (
            "v/index.m3u8",
            "application/vnd.apple.mpegurl",
            "2.m4s\n#EXT-X-ENDLIST\n",
        ),
        ("manifest.mpd", "application/dash+xml", "</MPD>\n"),
    ] {
        let (status, headers, body) = world.get(&format!("/creatives/acme/{file}"), &[]).await;
        assert_eq!(
            (status, &headers[header::CONTENT_TYPE]),
            (StatusCode::OK, &kind.parse().unwrap())
        );
        assert!(body.ends_with(line.as_bytes()), "{file}");
    }
    let (status, _, _) = world.get("/creatives/acme/x/index.m3u8", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, headers, _) = world.get("/decisions/demo/demo-1-si:7/all", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");

    for slot in FIRST + 3..FIRST + 8 {
        world.chunked(slot).await;
    }
    let open = world.slice("video/index.m3u8").await;
    let anchor = open.breaks[0].anchor.unwrap();
    assert_eq!(
        (anchor.msn_out, anchor.dsn_before, anchor.back),
        (FIRST + 6, 0, None)
    );
    assert_eq!(world.breaks().await[0]["state"], "open");

    // In the middle of it the origin starts anew, and says the same to the byte.
    let before = world.text("/live/demo/video/index.m3u8").await;
    world.restart().await;
    assert_eq!(
        lines(&world.text("/live/demo/video/index.m3u8").await),
        lines(&before)
    );
    let (_, _, again) = world.get(&path, &[]).await;
    assert_eq!(again, decided);

    for slot in FIRST + 8..FIRST + 12 {
        world.chunked(slot).await;
    }
    for file in ["video/index.m3u8", "audio/index.m3u8"] {
        let back = world.slice(file).await.breaks[0].anchor.unwrap().back.unwrap();
        assert_eq!((back.msn_in, back.dsn_in), (FIRST + 10, 0), "{file}");
    }
    // The segment that it returned with is the window's first, and then no more.
    for slot in FIRST + 12.. {
        world.chunked(slot).await;
        let playlist = world.text("/live/demo/video/index.m3u8").await;
        let first = read_playlist(&playlist).media_sequence;
        let slice = Slice::read(&playlist).unwrap().unwrap();
        if first > FIRST + 10 {
            assert_eq!(slice.breaks, []);
            // An ad and a round of slate, and the programme again; as many segments as were replaced.
            assert_eq!((slice.before.msn, slice.before.dsn), (0, 3));
            break;
        }
        assert_eq!((slice.before.dsn, slice.breaks.len()), (0, 1), "{first}");
    }
    // The Period behind it is named by it for as long as it is there.
    let mpd = world.text("/live/demo/manifest.mpd").await;
    assert!(mpd.contains(&format!("ID=&quot;{id}&quot;")), "{mpd}");
    let shown = &world.breaks().await[0];
    assert_eq!(shown["state"], "ended");
    assert_eq!(shown["decisions"], json!(["all"]));
    assert_eq!(
        shown["slots"],
        json!([{ "creative": "acme", "duration_us": 5_760_000 }])
    );
    assert_eq!(
        (&shown["source"], &shown["event"]),
        (&json!("schedule"), &json!("name:noon"))
    );
}

#[tokio::test]
async fn an_exempt_cohort_is_left_with_the_programme_and_nothing_is_decided_for_it() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let planned = UnixMillis(((FIRST + 6) * 1_920) as i64).to_string();
    let rule = async |exempt: Value| {
        let schedule = json!([{ "name": "noon", "at": planned, "duration_ms": 7_680 }]);
        world
            .rule(&rules(&json!({ "schedule": schedule, "exempt": exempt })))
            .await;
    };
    let told = async |cohort: &str| {
        let text = world.text("/live/demo/video/index.m3u8").await;
        let mpd = world.text("/live/demo/manifest.mpd").await;
        let is_exempt = text.contains(&format!(",EXEMPT=\"{cohort}\""));
        assert_eq!(mpd.contains(&format!(",EXEMPT=&quot;{cohort}&quot;")), is_exempt);
        assert_eq!(
            Slice::read_for(&text, cohort).unwrap().unwrap().breaks.is_empty(),
            is_exempt
        );
        is_exempt
    };
    rule(json!(["premium"])).await;
    let id = world.slice("video/index.m3u8").await.breaks[0].id.clone();
    let decided = async |cohort: &str| {
        let path = format!("/decisions/demo/{id}/{cohort}");
        world.get(&path, &[]).await.0
    };
    assert!(told("premium").await && !told("all").await);
    assert_eq!(decided("all").await, StatusCode::OK);
    assert_eq!(decided("premium").await, StatusCode::NOT_FOUND);
    // Until it begins, the rules may say otherwise.
    rule(json!(["staff"])).await;
    assert!(told("staff").await && !told("premium").await);
    assert_eq!(decided("premium").await, StatusCode::OK);
    assert_eq!(world.breaks().await[0]["exempt"], json!(["staff"]));
    for slot in FIRST + 3..FIRST + 8 {
        world.chunked(slot).await;
    }
    rule(json!([])).await;
    assert!(told("staff").await, "on air it stays as it was");
    assert_eq!(decided("staff").await, StatusCode::NOT_FOUND);
}

/// An `emsg` of version 1 with a splice information section: event 1001, out, for 60 s.
fn splice(slot: u64) -> Vec<u8> {
    const OUT: &str = "/DAlAAAAAAAAAP/wFAUAAAPpf+/+E0/ZAH4AUmXAAAcBAgAA+XeWZQ==";
    let section = selvedge_breaks::scte35::from_base64(OUT).unwrap();
    let at = slot * VIDEO_SEGMENT;
    boxed(
        b"emsg",
        &[
            &[1, 0, 0, 0],
            &90_000_u32.to_be_bytes(),
            &at.to_be_bytes(),
            &u32::MAX.to_be_bytes(),
            &7_u32.to_be_bytes(),
            b"urn:scte:scte35:2013:bin\0",
            b"1001\0",
            &section,
        ],
    )
}

#[tokio::test]
async fn a_splice_in_the_very_media_that_it_is_at_is_in_time() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    world.rule(&rules(&json!({}))).await;
    let slot = FIRST + 3;
    let push = world.push_video(slot);
    let chunks = video_chunks(slot);
    // The styp of the segment is 24 bytes long; the message stands behind it.
    let (styp, rest) = chunks[0].split_at(u32::from_be_bytes(chunks[0][..4].try_into().unwrap()) as usize);
    push.send([styp, &splice(slot), rest].concat()).await;
    push.taken().await;
    let told = world.slice("video/index.m3u8").await;
    let [airing] = &told.breaks[..] else {
        panic!("{told:?}");
    };
    assert_eq!((airing.out.0, airing.planned.0), (micros(slot), 60_000_000));
    assert!(!airing.is_void());
    assert_eq!(airing.anchor.unwrap().msn_out, slot);
    assert_eq!(airing.id.to_string(), format!("demo-{}-si:1001", slot * 1_920));
    for chunk in &chunks[1..] {
        push.send(chunk.clone()).await;
    }
    push.end().await;
    assert_eq!(world.breaks().await.len(), 1);
    assert_eq!(world.breaks().await[0]["source"], "scte35");
}

#[tokio::test]
async fn rules_with_faults_never_replace_good_ones() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let path = "/channels/demo/breaks/rules";
    let (status, _) = world.desk("GET", path, Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let playlist = world.text("/live/demo/video/index.m3u8").await;
    assert_eq!(lines(&playlist), Vec::<&str>::new(), "no rules, no lines");
    let good = rules(&json!({}));
    world.rule(&good).await;
    assert_eq!(world.slice("video/index.m3u8").await, Slice::default());
    let bad = rules(&json!({ "returns": { "erly": true }, "exempt": [7] }));
    let (status, answer) = world.desk("PUT", path, bad.to_string()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let places: Vec<_> = answer["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| &fault["at"])
        .collect();
    assert_eq!(places, ["/returns/erly", "/exempt/0"]);
    let elsewhere = rules(&json!({ "channel": "other" }));
    let (status, answer) = world.desk("PUT", path, elsewhere.to_string()).await;
    assert_eq!(
        (status, &answer["faults"][0]["at"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/channel"))
    );
    assert_eq!(
        world.desk("GET", path, Body::empty()).await,
        (StatusCode::OK, good)
    );
    let (status, _) = world.desk("DELETE", path, Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = world.desk("GET", path, Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn breaks_are_for_ad_operations_alone() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let ask = async |path: &str, token: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world.origin.admin_router().oneshot(request).await.unwrap();
        response.status()
    };
    for path in [
        "/channels/demo/breaks",
        "/channels/demo/breaks/rules",
        "/creatives",
    ] {
        for wrong in [None, Some("Bearer wrong"), Some(TOKEN), Some("Basic dXNlcjo=")] {
            assert_eq!(
                ask(path, wrong).await,
                StatusCode::UNAUTHORIZED,
                "{path} {wrong:?}"
            );
        }
    }
    let right = format!("bearer {TOKEN}");
    assert_eq!(ask("/creatives", Some(&right)).await, StatusCode::OK);
    let open = World::new().await;
    let request = Request::get("/creatives").body(Body::empty()).unwrap();
    let answer = open.origin.admin_router().oneshot(request).await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::FORBIDDEN,
        "nobody knows where it comes from"
    );
}

/// A break by hand.
async fn post(world: &World, wish: Value) -> (StatusCode, Value) {
    world
        .desk("POST", "/channels/demo/breaks", wish.to_string())
        .await
}

fn at(slot: u64) -> String {
    UnixMillis((slot * 1_920) as i64).to_string()
}

#[tokio::test]
async fn breaks_are_made_moved_and_called_off_by_hand() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let (status, _) = post(&world, json!({ "at": "now", "duration_ms": 5_760 })).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "without rules there are no breaks");
    world.rule(&rules(&json!({}))).await;
    let (status, made) = post(
        &world,
        json!({ "at": at(FIRST + 8), "duration_ms": 5_760, "name": "extra" }),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(
        (&made["state"], &made["source"]),
        (&json!("announced"), &json!("api"))
    );
    assert_eq!(made["out_us"], micros(FIRST + 8));
    for (wish, expected) in [
        (
            json!({ "at": at(FIRST + 9), "duration_ms": 5_760 }),
            StatusCode::CONFLICT,
        ),
        (
            json!({ "at": at(FIRST + 1), "duration_ms": 5_760 }),
            StatusCode::CONFLICT,
        ),
        (
            json!({ "at": "noon", "duration_ms": 5_760 }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({ "at": "now" }), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({ "at": "now", "duration_ms": 5_760, "len": 1 }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        assert_eq!(post(&world, wish.clone()).await.0, expected, "{wish}");
    }
    // Moved, it is another break.
    let one = |id: &Value| format!("/channels/demo/breaks/{}", id.as_str().unwrap());
    let (status, moved) = world
        .desk(
            "PATCH",
            &one(&made["id"]),
            json!({ "at": at(FIRST + 20) }).to_string(),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{moved}");
    assert_eq!(
        (&moved["out_us"], &moved["planned_us"]),
        (&json!(micros(FIRST + 20)), &json!(5_760_000))
    );
    let (status, _) = world.desk("DELETE", &one(&made["id"]), Body::empty()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.desk("DELETE", &one(&moved["id"]), Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(world.breaks().await[0]["state"], "cancelled");
    assert_eq!(world.slice("video/index.m3u8").await.breaks, []);
    let path = format!("/decisions/demo/{}/all", moved["id"].as_str().unwrap());
    assert_eq!(world.get(&path, &[]).await.0, StatusCode::NOT_FOUND);

    // Now is with the next segment; and what is on air is ended with the segment of which parts were shown.
    let (status, made) = post(&world, json!({ "at": "now", "duration_ms": 7_680 })).await;
    assert_eq!(
        (status, &made["out_us"]),
        (StatusCode::CREATED, &json!(micros(FIRST + 4)))
    );
    world.chunked(FIRST + 3).await;
    world.chunked(FIRST + 4).await;
    let push = world.push_video(FIRST + 5);
    for chunk in &video_chunks(FIRST + 5)[..3] {
        push.send(chunk.clone()).await;
    }
    push.taken().await;
    let (status, _) = world
        .desk(
            "PATCH",
            &one(&made["id"]),
            json!({ "at": at(FIRST + 9) }).to_string(),
        )
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "on air");
    let (status, _) = world.desk("DELETE", &one(&made["id"]), Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let told = world.slice("video/index.m3u8").await;
    assert_eq!(told.breaks[0].t_in.unwrap().0, micros(FIRST + 6));
    assert_eq!(
        world.slice("audio/index.m3u8").await.breaks[0].t_in,
        told.breaks[0].t_in
    );
    push.end().await;
}

#[tokio::test]
async fn a_schedule_may_be_edited_until_its_breaks_begin() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let planned = |name: &str, slot| json!({ "name": name, "at": at(slot), "duration_ms": 5_760 });
    let schedule = |breaks: Vec<Value>| rules(&json!({ "schedule": breaks }));
    world
        .rule(&schedule(vec![
            planned("one", FIRST + 10),
            planned("two", FIRST + 20),
            planned("far", FIRST + 900),
        ]))
        .await;
    let states = async || {
        let breaks = world.breaks().await;
        let state = |one: &Value| {
            let slot = (one["out_us"].as_i64().unwrap() / 1_920_000) as u64 - FIRST;
            format!(
                "{} {slot} {}",
                one["event"].as_str().unwrap(),
                one["state"].as_str().unwrap()
            )
        };
        breaks.iter().map(state).collect::<Vec<_>>()
    };
    let all = [
        "name:one 10 announced",
        "name:two 20 announced",
        "name:far 900 announced",
    ];
    assert_eq!(states().await, all);
    assert_eq!(
        world.slice("video/index.m3u8").await.breaks.len(),
        2,
        "what is near is told"
    );
    // One goes, another moves; hearing the schedule again and again changes nothing.
    world
        .rule(&schedule(vec![
            planned("two", FIRST + 24),
            planned("far", FIRST + 900),
        ]))
        .await;
    for _ in 0..3 {
        world.origin.sweep().await;
    }
    let edited = [
        "name:one 10 cancelled",
        "name:two 24 announced",
        "name:far 900 announced",
    ];
    assert_eq!(states().await, edited);
    // What is called off by hand stays so, near or far.
    for index in [1, 2] {
        let id = world.breaks().await[index]["id"].as_str().unwrap().to_owned();
        let (status, answer) = world
            .desk("DELETE", &format!("/channels/demo/breaks/{id}"), Body::empty())
            .await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
        world.origin.sweep().await;
    }
    let off = [
        "name:one 10 cancelled",
        "name:two 24 cancelled",
        "name:far 900 cancelled",
    ];
    assert_eq!(states().await, off);
    assert_eq!(world.slice("video/index.m3u8").await.breaks, []);
}

#[tokio::test]
async fn a_splice_that_comes_late_is_void_or_begins_with_the_next_segment() {
    for (late_ms, expected) in [(0, None), (2_000, Some(micros(FIRST + 4)))] {
        let world = World::on_air(FIRST..FIRST + 4, guarded).await;
        world
            .rule(&rules(&json!({ "lengths": { "late_ms": late_ms } })))
            .await;
        let (slot, chunks) = (FIRST + 4, video_chunks(FIRST + 4));
        let body = [splice(slot - 1), chunks.concat()].concat();
        world
            .must_put(&format!("/ingest/demo/video/{slot}.m4s"), body)
            .await;
        let told = world.slice("video/index.m3u8").await;
        assert_eq!(told.breaks.first().map(|one| one.out.0), expected);
        let state = if expected.is_some() { "open" } else { "void" };
        assert_eq!(world.breaks().await[0]["state"], state);
    }
}

#[tokio::test]
async fn breaks_that_meet_are_numbered_as_one_seam() {
    let world = World::on_air(FIRST..FIRST + 3, |config| {
        guarded(config);
        config.window_s = 20;
    })
    .await;
    let planned = |name: &str, slot| json!({ "name": name, "at": at(slot), "duration_ms": 5_760 });
    world
        .rule(&rules(
            &json!({ "schedule": [planned("one", FIRST + 4), planned("two", FIRST + 7)] }),
        ))
        .await;
    for slot in FIRST + 3..FIRST + 11 {
        world.chunked(slot).await;
    }
    let told = world.slice("audio/index.m3u8").await;
    let numbers: Vec<_> = told
        .breaks
        .iter()
        .map(|one| {
            (
                one.anchor.unwrap().msn_out - FIRST,
                one.anchor.unwrap().back.unwrap().msn_in - FIRST,
            )
        })
        .collect();
    assert_eq!(numbers, [(4, 7), (7, 10)]);
    for slot in FIRST + 11..FIRST + 24 {
        world.chunked(slot).await;
    }
    let told = world.slice("audio/index.m3u8").await;
    assert_eq!(
        (told.breaks.len(), told.before.msn, told.before.dsn),
        (0, 0, 3),
        "ad, ad, programme"
    );
}

#[tokio::test]
async fn tracks_return_with_one_number_where_a_moment_lies_between_cuts() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    // Three segments and a quarter: as far from one cut as an origin looks back, but for how sound is rounded.
    let planned = json!([{ "name": "noon", "at": at(FIRST + 6), "duration_ms": 6_240 }]);
    world.rule(&rules(&json!({ "schedule": planned }))).await;
    for slot in FIRST + 3..FIRST + 12 {
        world.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        let path = |track| format!("/ingest/demo/{track}/{slot}.m4s");
        world
            .must_put(&path("video"), video(slot * VIDEO_SEGMENT, 48))
            .await;
        // From the second on, each begins a frame before the pictures.
        let (begin, frames) = match slot {
            slot if slot == FIRST + 3 => (slot * AUDIO_SEGMENT, 89),
            slot => (slot * AUDIO_SEGMENT - 1_024, 90),
        };
        world.must_put(&path("audio"), audio(begin, frames)).await;
    }
    for track in ["video", "audio"] {
        let told = world.slice(&format!("{track}/index.m3u8")).await;
        let anchor = told.breaks[0].anchor.unwrap();
        let numbers = (anchor.msn_out, anchor.back.map(|back| back.msn_in));
        assert_eq!(numbers, (FIRST + 6, Some(FIRST + 9)), "{track}");
    }
}

#[tokio::test]
async fn an_mpd_carries_the_same_breaks() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let bare = world.text("/live/demo/manifest.mpd").await;
    assert!(!bare.contains("urn:selvedge"));
    let planned = json!([{ "name": "noon", "at": at(FIRST + 6), "duration_ms": 5_760 }]);
    world.rule(&rules(&json!({ "schedule": planned }))).await;
    let hls = world.slice("video/index.m3u8").await;
    for file in ["manifest.mpd", "number.mpd"] {
        let text = world.text(&format!("/live/demo/{file}")).await;
        let mpd = read_mpd(&text);
        let properties: Vec<_> = mpd
            .supplemental_property
            .iter()
            .map(|one| (one.schemeIdUri.as_str(), one.value.as_deref().unwrap_or_default()))
            .collect();
        let told = Slice::read_properties(properties).unwrap().unwrap();
        assert_eq!(told, hls, "{file}");
        // Where the schema of MPDs has them: behind the Periods, before the clock.
        let place = |what| text.rfind(what).unwrap();
        assert!(place("</Period>") < place("<SupplementalProperty schemeIdUri=\"urn:selvedge"));
        assert!(place("urn:selvedge:break:1") < place("<UTCTiming"));
    }
}

#[tokio::test]
async fn no_patch_leads_past_a_change_of_the_break_log() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let bare = world.text("/live/demo/manifest.mpd").await;
    let (_, location) = bare.split_once("<PatchLocation>").unwrap();
    let (location, _) = location.split_once('<').unwrap();
    let planned = json!([{ "name": "noon", "at": at(FIRST + 6), "duration_ms": 5_760 }]);
    world.rule(&rules(&json!({ "schedule": planned }))).await;
    let told = world.text("/live/demo/manifest.mpd").await;
    assert!(told.contains("urn:selvedge:break:1"));
    // A patch of another version than the viewer's: players do not apply it, and load the MPD.
    let patch = world.text(&format!("/live/demo/{location}")).await;
    let [was, is] = [&bare, &told].map(|mpd| read_mpd(mpd).publishTime.unwrap());
    assert!(was < is);
    let (_, from) = patch.split_once("originalPublishTime=\"").unwrap();
    let (_, at) = told.split_once(" publishTime=\"").unwrap();
    assert_eq!(from.split('"').next(), at.split('"').next(), "{patch}");
}

#[tokio::test]
async fn a_creative_is_whole_or_not_there_and_never_changes() {
    let mut world = World::on_air(FIRST..FIRST + 3, guarded).await;
    let document = |bytes: u64| {
        json!({
            "version": 1, "creative": "acme", "duration_us": 1_920_000,
            "renditions": { "v": {
                "kind": "video", "codecs": "avc1.64001f", "bandwidth": 9_000, "width": 640, "height": 360,
                "frame_rate": 25.0,
                "media": { "init": "v/init.mp4", "segments": [[1_920_000, "v/0.m4s", [[1_920_000, bytes]]]] },
            } }
        })
        .to_string()
    };
    let put = async |world: &World, path: &str, body: String| {
        world.desk("PUT", &format!("/creatives/{path}"), body).await
    };
    assert_eq!(
        put(&world, "acme/v/init.mp4", "init".into()).await.0,
        StatusCode::CREATED
    );
    let (status, answer) = put(&world, "acme/creative.json", document(10)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["faults"][0]["at"], "/renditions/v/media/segments/0");
    assert_eq!(
        put(&world, "acme/v/0.m4s", "ten bytes!".into()).await.0,
        StatusCode::CREATED
    );
    let (status, answer) = put(&world, "acme/creative.json", document(11)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert_eq!(
        world.get("/creatives/acme/v/0.m4s", &[]).await.0,
        StatusCode::NOT_FOUND,
        "not whole yet"
    );
    assert_eq!(
        put(&world, "other/creative.json", document(10)).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        put(&world, "acme/creative.json", document(10)).await.0,
        StatusCode::CREATED
    );
    let (status, headers, body) = world.get("/creatives/acme/v/0.m4s", &[]).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"ten bytes!"[..]));
    assert_eq!(
        headers[header::CACHE_CONTROL],
        "public, max-age=31536000, immutable"
    );
    // The same once more is nothing; something else is another creative.
    assert_eq!(
        put(&world, "acme/v/0.m4s", "ten bytes!".into()).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        put(&world, "acme/v/0.m4s", "TEN BYTES!".into()).await.0,
        StatusCode::CONFLICT
    );
    assert_eq!(
        put(&world, "acme/v/1.m4s", "more".into()).await.0,
        StatusCode::CONFLICT
    );
    for path in ["acme/../x", "acme/.x", "ACME/v/0.m4s", "acme/v/%2e%2e"] {
        assert_eq!(
            put(&world, path, "x".into()).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    world.restart().await;
    let (status, all) = world.desk("GET", "/creatives", Body::empty()).await;
    assert_eq!((status, &all[0]["creative"]), (StatusCode::OK, &json!("acme")));
    // What rules name cannot be taken away.
    world.rule(&rules(&json!({}))).await;
    let remove = async || world.desk("DELETE", "/creatives/acme", Body::empty()).await.0;
    assert_eq!(remove().await, StatusCode::CONFLICT);
    let (status, _) = world
        .desk("DELETE", "/channels/demo/breaks/rules", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(remove().await, StatusCode::NO_CONTENT);
    assert_eq!(remove().await, StatusCode::NOT_FOUND);
    assert_eq!(
        world.get("/creatives/acme/v/0.m4s", &[]).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn two_origins_on_one_store_lose_none_of_each_others_breaks() {
    let one = World::on_air(FIRST..FIRST + 3, guarded).await;
    one.origin.save().await.unwrap();
    let other = World {
        origin: Origin::open(one.config.clone(), one.clock.clone()).await.unwrap(),
        clock: one.clock.clone(),
        config: one.config.clone(),
        folder: tempfile::tempdir().unwrap(),
    };
    let look = async |world: &World| {
        one.clock.advance(6_000);
        world.origin.sweep().await;
    };
    let ids = async |world: &World| {
        let breaks = world.breaks().await.into_iter();
        let shown = breaks.map(|one| (one["id"].clone(), one["state"].clone()));
        shown.collect::<Vec<_>>()
    };
    let wish = |slot, name| json!({ "at": at(slot), "duration_ms": 5_760, "name": name });
    one.creative("acme", 3).await;
    one.rule(&rules(&json!({}))).await;
    look(&other).await;
    let (status, first) = post(&one, wish(FIRST + 10, "first")).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    // The other has not looked, and keeps what it heard beside it all the same.
    let (status, second) = post(&other, wish(FIRST + 20, "second")).await;
    assert_eq!(status, StatusCode::CREATED, "{second}");
    let (status, _) = post(&one, wish(FIRST + 30, "third")).await;
    assert_eq!(status, StatusCode::CREATED);
    let three = ids(&one).await;
    assert_eq!(three.len(), 3);
    look(&other).await;
    assert_eq!(ids(&other).await, three);
    // What is there already cannot be overlapped, wherever it was asked for.
    let (status, _) = post(&other, wish(FIRST + 31, "fourth")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    // Both decide the same, of a creative that one of them was given.
    let decision = format!("/decisions/demo/{}/all", first["id"].as_str().unwrap());
    let (status, _, decided) = other.get(&decision, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&decided).contains("/creatives/acme/v/0.m4s"));
    assert_eq!(one.get(&decision, &[]).await.2, decided);
    assert_eq!(other.get("/creatives/acme/v/0.m4s", &[]).await.0, StatusCode::OK);
    // Called off at one, it is called off at the other, and nobody writes for ever.
    let path = format!("/channels/demo/breaks/{}", second["id"].as_str().unwrap());
    let (status, _) = other.desk("DELETE", &path, Body::empty()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    look(&one).await;
    assert_eq!(ids(&one).await, ids(&other).await);
    assert_eq!(ids(&one).await[1].1, "cancelled");
    let logs = || {
        let folder = one.folder.path().join(".breaks/demo/log");
        let names = std::fs::read_dir(folder).unwrap();
        names.map(|file| file.unwrap().file_name()).max()
    };
    for world in [&one, &other] {
        look(world).await;
        world.origin.save().await.unwrap();
    }
    let settled = logs();
    for world in [&one, &other, &one, &other] {
        look(world).await;
        world.origin.save().await.unwrap();
    }
    assert_eq!(logs(), settled);
}

#[tokio::test]
async fn markers_of_a_pushed_playlist_are_heard() {
    let world = World::on_air(FIRST..FIRST + 3, guarded).await;
    world.rule(&rules(&json!({}))).await;
    let playlist = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n\
         #EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:1.92,\n1.m4s\n\
         #EXT-X-DATERANGE:ID=\"ad\",START-DATE=\"{}\",PLANNED-DURATION=5.76,SCTE35-OUT=0xFC\n",
        at(FIRST + 2),
        at(FIRST + 5),
    );
    world.must_put("/ingest/demo/video.m3u8", playlist.clone()).await;
    world.must_put("/ingest/demo/video.m3u8", playlist).await;
    let told = world.slice("video/index.m3u8").await;
    let [one] = &told.breaks[..] else {
        panic!("{told:?}");
    };
    assert_eq!((one.out.0, one.planned.0), (micros(FIRST + 5), 5_760_000));
    assert_eq!(world.breaks().await[0]["source"], "hls");
}

#[tokio::test]
async fn markers_without_dates_are_where_their_segments_were_taken() {
    let world = World::on_air(FIRST..FIRST + 1, guarded).await;
    let late = json!({ "late_ms": 2_000 });
    world.rule(&rules(&json!({ "lengths": late }))).await;
    for slot in FIRST + 1..FIRST + 4 {
        world.chunked(slot).await;
    }
    let push = async |lines: &str, segments: core::ops::Range<u64>, more: &str| {
        let listed = segments.map(|slot| format!("#EXTINF:1.92,\nvideo/{slot}.m4s\n"));
        let text: String = listed.collect();
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n{text}{lines}{more}");
        world.must_put("/ingest/demo/index.m3u8", text).await;
    };
    // It stands before the segment that is to come.
    let coming = format!("#EXTINF:1.92,\nvideo/{}.m4s\n", FIRST + 4);
    push("#EXT-X-CUE-OUT:5.76\n", FIRST + 2..FIRST + 4, &coming).await;
    let told = world.slice("video/index.m3u8").await;
    let [one] = &told.breaks[..] else {
        panic!("{told:?}");
    };
    assert_eq!((one.out.0, one.planned.0), (micros(FIRST + 4), 5_760_000));
    world.chunked(FIRST + 4).await;
    push("#EXT-X-CUE-OUT:5.76\n", FIRST + 2..FIRST + 4, &coming).await;
    assert_eq!(world.breaks().await.len(), 1, "it is the same break");
    // Names that nobody pushed have no place.
    let foreign = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-CUE-OUT:5\n#EXTINF:2,\nother/1.m4s\n";
    world
        .must_put("/ingest/demo/other.m3u8", foreign.to_owned())
        .await;
    assert_eq!(world.breaks().await.len(), 1);
}
