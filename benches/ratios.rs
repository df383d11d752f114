//! Our own code on the hot path, each beside the library or the bare work that it is to be measured against.
//!
//! Prints ratios, not times: both sides of a row run in turns on the same machine in the same minute, and the
//! medians are divided. What is compared is asserted to be right before it is timed. An argument names the rows to run:
//! `cargo bench -p selvedge -- 'bare slice'`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops here")]

use std::{
    fmt::Write as _,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use http::Request;
use mimalloc::MiMalloc;
use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Decision, Key, Micros, Mode, Return, Slice, Slot, Structure, Sums,
    UnixMicros,
};
use selvedge_edge::{
    Answer, Body, Edge, OriginResponse, Plan, Platform, Read, UnixMillis, Visit, Want, block_on, dash,
    hls::{Cues, Stitching, stitch},
};
use selvedge_token::{
    AgreementKey, Component, EnvelopeSeed, Jwk, JwkSet, KeySet, Match, Minter, Policy, RequestUri,
    SigningKey, Verifier,
};

/// The native edge's own, for both sides of a row.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 60;
const NOW: UnixMillis = UnixMillis::from_seconds(1_795_262_400);

fn main() {
    println!(
        "{:<64} {:>12} {:>12} {:>8}",
        "ours / reference", "ours", "reference", "ratio"
    );
    playlist_with_a_token_in_the_query();
    playlist_with_a_token_in_the_path();
    token_not_yet_seen();
    playlist_with_breaks();
    mpd_with_breaks();
    marked_segment();
}

/// Runs both sides in turns and prints the medians and their ratio.
fn row<A, B>(name: &str, mut ours: impl FnMut() -> A, mut reference: impl FnMut() -> B) {
    // Cargo adds a flag of its own.
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    if wanted.next().is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let time = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_times.push(time(&mut || drop(black_box(ours()))));
        their_times.push(time(&mut || drop(black_box(reference()))));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (ours, theirs) = (median(&mut our_times), median(&mut their_times));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{name:<64} {ours:>12.1?} {theirs:>12.1?} {ratio:>8.3}");
}

/// Three hours of 2 s segments.
fn long_playlist() -> String {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"init.mp4\"\n",
    );
    for number in 0..5400_u64 {
        let seconds = number * 2;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(text, "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T{hour:02}:{minute:02}:{second:02}.000Z\n#EXTINF:2.000,\n0-{}.m4s\n", seconds * 90_000).unwrap();
    }
    text
}

struct OneDocument(String);

impl Platform for OneDocument {
    type Body = ();

    async fn gather(&self, plan: Plan) -> Vec<Answer<()>> {
        plan.wants
            .into_iter()
            .map(|want| {
                let Want::Origin(request) = want else {
                    panic!("one origin is all there is")
                };
                let body = match request.read {
                    Read::Handle => Body::Upstream(()),
                    Read::Bytes { .. } => Body::Bytes(self.0.clone().into_bytes()),
                };
                Answer::Origin(Ok(OriginResponse {
                    status: http::StatusCode::OK,
                    headers: http::HeaderMap::new(),
                    body,
                }))
            })
            .collect()
    }
}

fn key() -> Jwk {
    Jwk::elliptic("bench", &[7; 32]).unwrap()
}

fn token() -> String {
    Minter::new()
        .expires_at(NOW.plus_seconds(60))
        .uri(Component::Path, Match::Prefix("/live/".into()))
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap()
}

fn edge() -> Edge {
    let keys = JwkSet {
        keys: vec![key().for_recipient()],
    };
    Edge::new(&serde_json::to_string(&keys).unwrap(), "{}").unwrap()
}

fn visit(request: &Request<()>) -> Visit<'_> {
    Visit {
        request,
        context: &(),
        now: NOW,
        random: None,
    }
}

fn playlist_with_a_token_in_the_query() {
    let (edge, world) = (edge(), OneDocument(long_playlist()));
    let request = Request::get(format!("https://e/live/c/v/index.m3u8?CAT={}", token()))
        .body(())
        .unwrap();
    let ours = || block_on(edge.handle(&world, &visit(&request))).response;
    let Body::Bytes(rewritten) = ours().into_body() else {
        panic!("not rewritten")
    };
    assert!(
        String::from_utf8(rewritten)
            .unwrap()
            .contains(&format!("\n/t/{}/live/c/v/0-0.m4s\n", token()))
    );
    let parse_and_print = || {
        let mut playlist = m3u8_rs::parse_media_playlist_res(world.0.as_bytes()).unwrap();
        for segment in &mut playlist.segments {
            segment.uri = format!("/t/token/live/c/v/{}", segment.uri);
        }
        let mut out = Vec::new();
        playlist.write_to(&mut out).unwrap();
        out
    };
    row(
        "3 h playlist moved below a token, whole request / m3u8-rs",
        ours,
        parse_and_print,
    );
}

fn playlist_with_a_token_in_the_path() {
    let (edge, world) = (edge(), OneDocument(long_playlist()));
    let request = Request::get(format!("https://e/t/{}/live/c/v/index.m3u8", token()))
        .body(())
        .unwrap();
    let ours = || block_on(edge.handle(&world, &visit(&request))).response;
    assert!(matches!(ours().body(), Body::Upstream(())), "passed on unread");
    row(
        "3 h playlist passed through, whole request / bare p256 verification",
        ours,
        bare_verification(),
    );
}

/// A segment whose position is known, in the two modes, beside one that is not marked: a thousand requests of each.
fn marked_segment() {
    const SEGMENT: &str = "/live/c/v/0-7.m4s";
    let site = r#"{"watermark":{"keys":{"1":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},"channels":[
        {"path":"/live/c/","media":"^v/[^/]+[.]m4s$","service":"c","pace":{"number":{}}}]}}"#;
    let envelope = Jwk::agreement("e", &[3; 32]).unwrap();
    let keys = JwkSet {
        keys: vec![key().for_recipient(), envelope.clone()],
    };
    let keys = serde_json::to_string(&keys).unwrap();
    let (marking, plain) = (Edge::new(&keys, site).unwrap(), Edge::new(&keys, "{}").unwrap());
    let minter = || {
        Minter::new()
            .expires_at(NOW.plus_seconds(60))
            .issued_at(NOW)
            .uri(Component::Path, Match::Prefix("/live/".into()))
    };
    let seed = EnvelopeSeed {
        sender: [4; 32],
        content: [5; 32],
        nonce: [6; 12],
        agreement: [7; 16],
    };
    let recipient = AgreementKey::from_jwk(&envelope).unwrap();
    let world = OneDocument(String::new());
    let request = |minter: Minter| {
        let token = minter.mint(&SigningKey::from_jwk(&key()).unwrap()).unwrap();
        let url = format!("https://e/t/{token}{SEGMENT}");
        Request::get(url).body(()).unwrap()
    };
    let thousand = |edge: &Edge, request: &Request<()>| {
        for _ in 0..1000 {
            let handled = block_on(edge.handle(&world, &visit(request)));
            assert!(matches!(handled.response.body(), Body::Upstream(())));
        }
    };
    let unmarked = request(minter());
    let pattern = minter().enveloped_mark(254, 2048, &[0x5a; 256], &recipient, &seed);
    for (mode, minter) in [
        ("derived", minter().derived_mark(254, 32_760, "s-7f3a", 7, 1)),
        ("from a COSE_Encrypt", pattern.unwrap()),
    ] {
        let marked = request(minter);
        row(
            &format!("1000 marked segments, bits {mode} / 1000 unmarked"),
            || thousand(&marking, &marked),
            || thousand(&plain, &unmarked),
        );
    }
}

/// What no request with a token that this instance has not seen can do without.
fn bare_verification() -> impl FnMut() {
    use p256::ecdsa::{
        Signature, SigningKey as P256,
        signature::{Signer as _, Verifier as _},
    };

    let signer = P256::from_slice(&[7; 32]).unwrap();
    let message = [0; 150];
    let signature: Signature = signer.sign(&message);
    move || signer.verifying_key().verify(&message, &signature).unwrap()
}

fn token_not_yet_seen() {
    let verifier = Verifier::new(
        KeySet::from_jwks([&key().for_recipient()]).unwrap(),
        Policy::default(),
    );
    let token = token();
    let uri = RequestUri::parse("https", "e", "/live/c/v/index.m3u8", None).unwrap();
    let request = selvedge_token::Request::new("GET", &uri);
    let ours = || {
        verifier
            .admit(&verifier.authenticate(&token).unwrap(), &request, NOW)
            .unwrap()
            .settle(&[])
            .unwrap()
    };
    row(
        "ES256 token decoded, verified, judged / bare p256 verification",
        ours,
        bare_verification(),
    );
}

/// Twelve breaks of 30 s in three hours, each of three ads.
fn breaks() -> (Slice, Vec<Arc<Decision>>) {
    let begin = UnixMicros::read("2026-11-21T00:00:00Z").unwrap();
    let segment = Micros::from_seconds(2);
    let airings = (0..12_u32).map(|index| {
        let first = u64::from(index) * 450 + 200;
        let out = begin.plus(segment.times(i64::try_from(first).unwrap()));
        Airing {
            id: BreakId::new("c", out, &Key::Insert(index)),
            mode: Mode::Replace,
            out,
            planned: segment.times(15),
            t_in: Some(out.plus(segment.times(15))),
            revision: 1,
            effective_from: out,
            structure: Structure {
                slots: vec![Slot::new(5, segment, segment).unwrap(); 3],
                after: After::Wait,
                tolerance: Micros::from_millis(40),
            },
            anchor: Some(Anchor {
                msn_out: first + 1,
                dsn_before: 0,
                back: Some(Return {
                    msn_in: first + 16,
                    dsn_in: 0,
                }),
            }),
        }
    });
    let slice = Slice {
        before: Sums { msn: -4, dsn: 7 },
        breaks: airings.collect(),
    };
    let decision = |airing: &Airing| {
        let segments: Vec<_> = (0..5)
            .map(|index| serde_json::json!([2_000_000, format!("https://ads.example/a/v/{index}.m4s")]))
            .collect();
        let media = serde_json::json!({"init": "https://ads.example/a/v/init.mp4", "segments": segments});
        let ad = serde_json::json!({"creative": "a", "duration_us": 10_000_000, "renditions": {"v": media}});
        let document = serde_json::json!({
            "version": 1, "break": airing.id, "cohort": "all", "ads": [ad, ad, ad],
        });
        Arc::new(Decision::read(document.to_string().as_bytes()).unwrap())
    };
    let decisions = slice.breaks.iter().map(decision).collect();
    (slice, decisions)
}

fn playlist_with_breaks() {
    let playlist = long_playlist();
    let (slice, decisions) = breaks();
    let stitching = Stitching {
        slice: &slice,
        decisions: &decisions,
        rendition: "v",
        cues: Cues::Stripped,
        tells_ads: true,
        skips: false,
        path: None,
    };
    let ours = || stitch(&playlist, &stitching, None);
    let stitched = ours();
    assert_eq!(stitched.matches("#EXT-X-DISCONTINUITY\n").count(), 48);
    assert_eq!(stitched.matches("ads.example/a/v/0.m4s").count(), 36);
    assert!(stitched.contains("\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-"));
    let bare = || {
        let mut out = Vec::with_capacity(playlist.len() + 4096);
        let mut at = 0;
        for newline in memchr::memchr_iter(b'\n', playlist.as_bytes()) {
            out.extend_from_slice(&playlist.as_bytes()[at..=newline]);
            at = newline + 1;
        }
        out
    };
    assert_eq!(bare(), playlist.as_bytes());
    row(
        "3 h playlist with 12 breaks, stitched / bare slice pass",
        ours,
        bare,
    );
    let parse_and_print = || {
        let read = m3u8_rs::parse_media_playlist_res(playlist.as_bytes()).unwrap();
        let mut out = Vec::new();
        read.write_to(&mut out).unwrap();
        out
    };
    row(
        "3 h playlist with 12 breaks, stitched / m3u8-rs",
        ours,
        parse_and_print,
    );
    let read_and_write = || {
        let mut reader =
            quick_m3u8::Reader::from_str(&playlist, quick_m3u8::config::ParsingOptions::default());
        let mut writer = quick_m3u8::Writer::new(Vec::new());
        while let Ok(Some(line)) = reader.read_line() {
            writer.write_line(line).unwrap();
        }
        writer.into_inner()
    };
    assert_eq!(read_and_write(), playlist.as_bytes());
    row(
        "3 h playlist with 12 breaks, stitched / quick-m3u8",
        ours,
        read_and_write,
    );
}

/// An hour of four renditions of pictures and one of sound, in segments of which no two in a row are as long: 200 kB.
fn long_mpd() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
         availabilityStartTime=\"2026-11-21T00:00:00Z\" publishTime=\"2026-11-21T00:54:00Z\" minimumUpdatePeriod=\"PT2S\" \
         minBufferTime=\"PT2S\" timeShiftBufferDepth=\"PT1H\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">\n  \
         <Period id=\"0\" start=\"PT0S\">\n",
    );
    for (set, kind, renditions) in [(1, "video", &["v1", "v2", "v3", "v4"][..]), (2, "audio", &["a1"])] {
        writeln!(
            text,
            "    <AdaptationSet id=\"{set}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\">"
        )
        .unwrap();
        for id in renditions {
            writeln!(
                text,
                "      <Representation id=\"{id}\" bandwidth=\"1\">\n        <SegmentTemplate timescale=\"1000\" \
                 initialization=\"{id}/init.mp4\" media=\"{id}/$Time$.m4s\">\n          <SegmentTimeline>"
            )
            .unwrap();
            for pair in 0..450_u64 {
                let time = pair * 4000;
                writeln!(
                    text,
                    "            <S t=\"{time}\" d=\"2020\"/>\n            <S t=\"{}\" d=\"1980\"/>",
                    time + 2020
                )
                .unwrap();
            }
            text.push_str(
                "          </SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n",
            );
        }
        text.push_str("    </AdaptationSet>\n");
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

/// Four breaks of 30 s, each of three ads in every rendition.
fn breaks_of_an_hour() -> (Slice, Vec<Arc<Decision>>) {
    let (slice, _) = breaks();
    let begin = UnixMicros::read("2026-11-21T00:00:00Z").unwrap();
    let segment = Micros::from_seconds(2);
    let place = |(index, airing): (usize, Airing)| {
        let out = begin.plus(segment.times(i64::try_from(index).unwrap() * 200 + 100));
        let id = BreakId::new("c", out, &Key::Insert(u32::try_from(index).unwrap()));
        Airing {
            id,
            out,
            t_in: Some(out.plus(segment.times(15))),
            effective_from: out,
            anchor: None,
            ..airing
        }
    };
    let airings: Vec<Airing> = slice.breaks.into_iter().take(4).enumerate().map(place).collect();
    let decision = |airing: &Airing| {
        let media = |id: &str| {
            let segments: Vec<_> = (0..5)
                .map(|index| {
                    serde_json::json!([2_000_000, format!("https://ads.example/a/{id}/{index}.m4s")])
                })
                .collect();
            (
                id.to_owned(),
                serde_json::json!({"init": format!("https://ads.example/a/{id}/init.mp4"), "segments": segments}),
            )
        };
        let renditions: serde_json::Map<_, _> =
            ["v1", "v2", "v3", "v4", "a1"].map(media).into_iter().collect();
        let ad = serde_json::json!({"creative": "a", "duration_us": 10_000_000, "renditions": renditions});
        let document =
            serde_json::json!({"version": 1, "break": airing.id, "cohort": "all", "ads": [ad, ad, ad]});
        Arc::new(Decision::read(document.to_string().as_bytes()).unwrap())
    };
    let decisions = airings.iter().map(decision).collect();
    (
        Slice {
            before: Sums::default(),
            breaks: airings,
        },
        decisions,
    )
}

fn mpd_with_breaks() {
    let mpd = long_mpd();
    let (slice, decisions) = breaks_of_an_hour();
    let stitching = dash::Stitching {
        slice: &slice,
        decisions: &decisions,
        path: None,
    };
    let ours = || dash::stitch(&mpd, &stitching);
    let stitched = ours();
    assert_eq!(stitched.matches("<Period ").count(), 5 + 12);
    assert_eq!(stitched.matches("a/v1/$Number$.m4s").count(), 12);
    let copied = || {
        let mut reader = quick_xml::Reader::from_str(&mpd);
        let mut writer = quick_xml::Writer::new(Vec::with_capacity(mpd.len()));
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break writer.into_inner(),
                event => writer.write_event(event).unwrap(),
            }
        }
    };
    assert_eq!(copied(), mpd.as_bytes());
    let name = format!(
        "{} kB MPD with 4 breaks, stitched / quick-xml's event copy",
        mpd.len() / 1000
    );
    row(&name, ours, copied);
    let parse_and_print = || dash_mpd_core::parse(&mpd).unwrap().to_string();
    assert!(parse_and_print().len() > 100_000);
    let name = format!(
        "{} kB MPD with 4 breaks, stitched / dash-mpd's types",
        mpd.len() / 1000
    );
    row(&name, ours, parse_and_print);
}
