//! Marked media through the core: who gets which variant, and who gets nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod scenario;

use std::{cell::RefCell, collections::HashMap};

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use scenario::{NOW, key, session_key, visit};
use selvedge_edge::{
    Answer, Body, Edge, Handled, OriginRequest, OriginResponse, OriginToken, Plan, Platform, Read, Want,
    block_on,
};
use selvedge_token::{Component, Jwk, JwkSet, Match, Minter, SigningKey};
use selvedge_watermark::code::{CodeKey, Design, Event, Session};
use selvedge_watermark::pace::{ByteRanges, Discrete, Position, Sidecar, Variant, egress_header};

const SEGMENT: &str = "/live/news/v1/0-7.m4s";
const SEGMENT_B: &str = "/live/news/v1/b/0-7.m4s";
const SIDECAR: &str = "/live/news/v1/WMPaceInfo/0-7.m4s";

/// base64url of the bytes 0 to 31.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// An origin of marked media: bodies by path, with header fields.
#[derive(Default)]
struct Shelf {
    bodies: HashMap<String, (Vec<u8>, HeaderMap)>,
    asked: RefCell<Vec<OriginRequest>>,
}

impl Shelf {
    /// One marked segment, its part, an init segment, and a picture that is not marked.
    fn new(position: i64) -> Self {
        let mut shelf = Self::default();
        let egress = egress_header(Position::new(position).unwrap());
        for (path, body) in [
            (SEGMENT, "A"),
            (SEGMENT_B, "B"),
            ("/live/news/v1/0-7.0.m4s", "A part"),
            ("/live/news/v1/b/0-7.0.m4s", "B part"),
        ] {
            shelf.put(path, body.as_bytes());
            let fields = &mut shelf.bodies.get_mut(path).unwrap().1;
            fields.insert("WMPaceInfoEgress", HeaderValue::try_from(&egress).unwrap());
            fields.insert("CMSD-Static", HeaderValue::from_static("v=2"));
            fields.insert("X-Cache-Key", HeaderValue::try_from(path).unwrap());
            fields.insert(
                "Last-Modified",
                HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"),
            );
        }
        shelf.put("/live/news/v1/init.mp4", b"init");
        shelf.put("/live/news/v1/index.m3u8", b"#EXTM3U\n#EXTINF:2,\n0-7.m4s\n");
        shelf.put(
            "/live/news/index.m3u8",
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/index.m3u8\n",
        );
        let sidecar = Sidecar::Discrete(vec![Discrete::at(Position::new(position).unwrap())]);
        shelf.put(SIDECAR, &sidecar.to_cbor());
        shelf
    }

    fn put(&mut self, path: &str, body: &[u8]) {
        let mut fields = HeaderMap::new();
        fields.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        fields.insert(header::ETAG, HeaderValue::from_static("\"1\""));
        self.bodies.insert(path.into(), (body.to_vec(), fields));
    }

    /// What the origin was asked for since the last look.
    fn targets(&self) -> Vec<String> {
        self.asked
            .borrow_mut()
            .drain(..)
            .map(|request| request.target)
            .collect()
    }
}

impl Platform for Shelf {
    type Body = Vec<u8>;

    async fn gather(&self, plan: Plan) -> Vec<Answer<Vec<u8>>> {
        let answer = |want| {
            let Want::Origin(request) = want else {
                panic!("{want:?}")
            };
            self.asked.borrow_mut().push(request.clone());
            let found = self.bodies.get(&request.target).cloned();
            let status = if found.is_some() {
                StatusCode::OK
            } else {
                StatusCode::NOT_FOUND
            };
            let (body, headers) = found.unwrap_or_default();
            let body = match request.read {
                Read::Handle => Body::Upstream(body),
                Read::Bytes { .. } => Body::Bytes(body),
            };
            Answer::Origin(Ok(OriginResponse {
                status,
                headers,
                body,
            }))
        };
        plan.wants.into_iter().map(answer).collect()
    }
}

fn site(more: &str) -> String {
    format!(
        r#"{{"watermark":{{"keys":{{"3":"{SECRET}"}},"channels":[{{"path":"/live/news/",
            "media":"^v[0-9]+/[^/]+[.]m4s$","service":"news","epoch":1{more}}}]}}}}"#
    )
}

fn edge(site: &str) -> Edge {
    let keys = JwkSet {
        keys: vec![key().for_recipient(), session_key(), pattern_key()],
    };
    Edge::new(&serde_json::to_string(&keys).unwrap(), site).unwrap()
}

/// What issuer and edges share to hide patterns.
fn pattern_key() -> Jwk {
    Jwk::octets("pattern", selvedge_token::Algorithm::A256Gcm, &[6; 32])
}

fn minter() -> Minter {
    Minter::new()
        .expires_at(NOW.plus_seconds(600))
        .issued_at(NOW)
        .uri(Component::Path, Match::Prefix("/live/news/".into()))
}

fn sign(minter: &Minter) -> String {
    minter.mint(&SigningKey::from_jwk(&key()).unwrap()).unwrap()
}

/// A token of the indirect mode.
fn marked(id: &str) -> String {
    sign(&minter().derived_mark(254, 32_760, id, 7, 3))
}

/// A session of each bit at a position, by the derivation itself.
fn sessions(position: u16) -> [String; 2] {
    let secret: [u8; 32] = core::array::from_fn(|at| at as u8);
    let (key, event) = (
        CodeKey::from_secret(&secret),
        Event {
            service: "news",
            epoch: 1,
            design: Design::Four,
        },
    );
    [false, true].map(|bit| {
        let ids = (0..).map(|number| format!("s-{number}"));
        ids.into_iter()
            .find(|id| key.bit(&event, &Session { operator: 7, id }, position) == bit)
            .unwrap()
    })
}

fn get(edge: &Edge, shelf: &Shelf, token: &str, path: &str) -> Handled<Vec<u8>> {
    send(edge, shelf, Request::get(format!("https://e/t/{token}{path}")))
}

fn send(edge: &Edge, shelf: &Shelf, request: http::request::Builder) -> Handled<Vec<u8>> {
    let request = request.body(()).unwrap();
    block_on(edge.handle(shelf, &visit(&request)))
}

fn body(handled: &Handled<Vec<u8>>) -> &[u8] {
    match handled.response.body() {
        Body::Upstream(bytes) | Body::Bytes(bytes) => bytes,
        Body::Empty => &[],
    }
}

/// Refused, with nothing of the media and nothing for a cache to keep.
fn assert_refused(handled: &Handled<Vec<u8>>, slug: &str) {
    assert_eq!(handled.record.problem, Some(slug), "{:?}", handled.record);
    assert_eq!(handled.response.status(), 403);
    assert_eq!(handled.response.headers()[header::CACHE_CONTROL], "no-store");
    assert!(matches!(handled.response.body(), Body::Bytes(problem) if problem.starts_with(b"{")));
}

#[test]
fn two_sessions_get_two_variants_of_one_url() {
    for pace in ["", r#","pace":"sidecar""#, r#","pace":{"number":{}}"#] {
        let (edge, shelf) = (edge(&site(pace)), Shelf::new(7));
        let [a, b] = sessions(7);
        let (a, b) = (
            get(&edge, &shelf, &marked(&a), SEGMENT),
            get(&edge, &shelf, &marked(&b), SEGMENT),
        );
        assert_eq!((body(&a), body(&b)), (&b"A"[..], &b"B"[..]), "{pace}");
        assert_eq!(
            a.response.headers(),
            b.response.headers(),
            "nothing beside the body tells them apart"
        );
        let asked = shelf.targets();
        assert!(
            asked
                .iter()
                .all(|target| [SEGMENT, SEGMENT_B, SIDECAR].contains(&target.as_str()))
        );
        assert!(
            asked.contains(&SEGMENT.into()) && asked.contains(&SEGMENT_B.into()),
            "{asked:?}"
        );
    }
}

#[test]
fn the_cache_holds_two_copies_whatever_the_audience() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    for viewer in 0..50 {
        let target = format!("{SEGMENT}?session={viewer}&_HLS_msn={viewer}");
        let handled = get(&edge, &shelf, &marked(&format!("viewer-{viewer}")), &target);
        assert_eq!(handled.response.status(), 200);
    }
    let mut asked = shelf.targets();
    assert!(asked.len() <= 51, "a position is learnt once: {}", asked.len());
    asked.sort();
    asked.dedup();
    assert_eq!(asked, [SEGMENT, SEGMENT_B]);
}

#[test]
fn every_session_gets_what_its_pattern_says_at_every_position() {
    let pattern = [0x0a, 0x0b, 0x0c, 0x0d];
    let token = sign(&minter().clear_mark(254, 32, &pattern));
    let encryption = selvedge_token::EncryptionKey::from_jwk(&pattern_key()).unwrap();
    let encrypted = minter()
        .encrypted_mark(254, 32, &pattern, &encryption, [1; 12])
        .unwrap();
    let encrypted = sign(&encrypted);
    for position in [0_u16, 3, 4, 6, 12, 31, 32, 36, 32_759] {
        let bit = 0x0a0b_0c0d_u32 >> (31 - position % 32) & 1 == 1;
        for token in [&token, &encrypted] {
            // A shelf and an edge of its own, for a position never changes.
            let (edge, shelf) = (edge(&site("")), Shelf::new(position.into()));
            let handled = get(&edge, &shelf, token, SEGMENT);
            assert_eq!(body(&handled), if bit { b"B" } else { b"A" }, "{position}");
        }
    }
}

#[test]
fn parts_are_of_their_segments_variant_and_other_files_exist_once() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    let [a, b] = sessions(7).map(|id| marked(&id));
    assert_eq!(
        body(&get(&edge, &shelf, &a, "/live/news/v1/0-7.0.m4s")),
        b"A part"
    );
    assert_eq!(
        body(&get(&edge, &shelf, &b, "/live/news/v1/0-7.0.m4s")),
        b"B part"
    );
    assert_eq!(body(&get(&edge, &shelf, &b, "/live/news/v1/init.mp4")), b"init");
    let documents = [&a, &b].map(|token| {
        let request = Request::get("https://e/live/news/v1/index.m3u8");
        send(&edge, &shelf, request.header("CTA-Common-Access-Token", token))
    });
    assert_eq!(
        body(&documents[0]),
        body(&documents[1]),
        "playlists are the same for all"
    );
}

#[test]
fn media_that_carries_no_bit_is_the_same_for_all() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(-1));
    for id in sessions(7) {
        assert_eq!(body(&get(&edge, &shelf, &marked(&id), SEGMENT)), b"A");
    }
}

#[test]
fn a_session_token_carries_the_mark_on() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    let [_, b] = sessions(7);
    let first = get(&edge, &shelf, &marked(&b), "/live/news/index.m3u8");
    assert_eq!(first.record.onward, Some("path"));
    let playlist = String::from_utf8(body(&first).to_vec()).unwrap();
    let media = playlist.lines().last().unwrap().replace("index.m3u8", "0-7.m4s");
    assert!(
        media.starts_with("/t/") && !media.contains(&marked(&b)),
        "a token of the edge's own: {media}"
    );
    let handled = send(&edge, &shelf, Request::get(format!("https://e{media}")));
    assert_eq!(body(&handled), b"B");
}

#[test]
fn whoever_leaves_the_token_or_its_mark_out_gets_nothing() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    assert_refused(
        &send(&edge, &shelf, Request::get(format!("https://e{SEGMENT}"))),
        "mark-missing",
    );
    assert_refused(&get(&edge, &shelf, &sign(&minter()), SEGMENT), "mark-missing");
    assert!(shelf.targets().is_empty(), "the origin heard of nothing");
    // What is not marked needs none, but a token all the same.
    assert_eq!(
        body(&get(&edge, &shelf, &sign(&minter()), "/live/news/v1/init.mp4")),
        b"init"
    );
    let without = send(&edge, &shelf, Request::get("https://e/live/news/v1/init.mp4"));
    assert_eq!(without.response.status(), 401);
}

#[test]
fn while_a_channel_changes_over_tokens_without_a_mark_get_variant_a() {
    let (edge, shelf) = (edge(&site(r#","without_mark":"serve""#)), Shelf::new(7));
    assert_eq!(body(&get(&edge, &shelf, &sign(&minter()), SEGMENT)), b"A");
    let unusable = sign(&minter().derived_mark(254, 64, "s", 7, 9));
    assert_refused(&get(&edge, &shelf, &unusable, SEGMENT), "mark-unusable");
}

#[test]
fn a_variant_or_a_sidecar_asked_for_by_name_is_refused_with_any_token() {
    let [_, b] = sessions(7);
    for site in [site(""), site(r#","without_mark":"serve""#)] {
        let (edge, shelf) = (edge(&site), Shelf::new(7));
        for path in [
            SEGMENT_B,
            SIDECAR,
            "/live/news/v1/%62/0-7.m4s",
            "/live/news/v1/x/../b/0-7.m4s",
            "/live/news/v1/B/0-7.m4s",
            "/live/news/v1/b/init.mp4",
            "/live/news/b/v1/0-7.m4s",
            "/live/news/v1/wmpaceinfo/0-7.m4s",
            "/live/other/v1/WMPaceInfo/0-7.m4s",
        ] {
            assert_refused(&get(&edge, &shelf, &marked(&b), path), "variant-named");
            assert_refused(
                &send(&edge, &shelf, Request::get(format!("https://e{path}"))),
                "variant-named",
            );
        }
        assert!(shelf.targets().is_empty());
    }
    // Where nothing is marked, no edge knows what a folder means, but for the standard's own.
    let (edge, shelf) = (edge("{}"), Shelf::new(7));
    assert_refused(&get(&edge, &shelf, &marked(&b), SIDECAR), "variant-named");
    assert_eq!(body(&get(&edge, &shelf, &marked(&b), SEGMENT_B)), b"B");
}

#[test]
fn tokens_of_two_sessions_in_one_request_are_refused_in_any_order() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    let [a, b] = sessions(7).map(|id| marked(&id));
    let unmarked = sign(&minter());
    let both = |path: &str, field: &str| {
        let request = Request::get(format!("https://e/t/{path}{SEGMENT}"));
        send(&edge, &shelf, request.header("CTA-Common-Access-Token", field))
    };
    for (path, field) in [(&a, &b), (&b, &a)] {
        assert_refused(&both(path, field), "marks-mixed");
    }
    for (path, field) in [(&unmarked, &b), (&b, &unmarked)] {
        assert_eq!(
            body(&both(path, field)),
            b"B",
            "one without a mark chooses nothing"
        );
    }
    let same = Request::get(format!("https://e/t/{b}{SEGMENT}")).header("CTA-Common-Access-Token", &b);
    assert_eq!(body(&send(&edge, &shelf, same)), b"B");
    // One that admits nothing any more chooses nothing either.
    let over = sign(&minter().expires_at(NOW).derived_mark(254, 32_760, "other", 7, 3));
    let with_old = Request::get(format!("https://e/t/{b}{SEGMENT}")).header("CTA-Common-Access-Token", &over);
    assert_eq!(body(&send(&edge, &shelf, with_old)), b"B");
}

#[test]
fn a_mark_that_cannot_be_used_is_refused() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    let other = Jwk::octets("pattern", selvedge_token::Algorithm::A256Gcm, &[7; 32]);
    let other = selvedge_token::EncryptionKey::from_jwk(&other).unwrap();
    for minter in [
        minter().derived_mark(253, 64, "s", 7, 3),
        minter().derived_mark(254, 64, "s", 7, 4),
        minter().derived_mark(254, 64, "s", 7, 3).claim(300, 2),
        minter().clear_mark(254, 64, &[1, 2, 3]),
        minter()
            .encrypted_mark(254, 64, &[0; 8], &other, [1; 12])
            .unwrap(),
        minter().claim(305, "s"),
    ] {
        let handled = get(&edge, &shelf, &sign(&minter), SEGMENT);
        assert_refused(&handled, "mark-unusable");
        assert!(handled.record.detail.is_some(), "the operator learns why");
    }
    assert!(shelf.targets().is_empty());
}

#[test]
fn a_token_of_its_own_for_the_mark_counts_with_its_subjects_access_alone() {
    let site = site("").replace(r#""keys""#, r#""separate_tokens":true,"keys""#);
    let (edge, shelf) = (edge(&site), Shelf::new(7));
    let access = |subject: &str| sign(&minter().issuer("tv").subject(subject));
    let mark = |issuer: &str, subject: &str, id: &str| {
        let minter = Minter::default().expires_at(NOW.plus_seconds(600)).issued_at(NOW);
        sign(
            &minter
                .issuer(issuer)
                .subject(subject)
                .derived_mark(254, 32_760, id, 7, 3),
        )
    };
    let [_, b] = sessions(7);
    let both = |access: &str, mark: &str| {
        let request = Request::get(format!("https://e/t/{access}{SEGMENT}"));
        send(&edge, &shelf, request.header("CTA-Common-Access-Token", mark))
    };
    assert_eq!(body(&both(&access("anna"), &mark("tv", "anna", &b))), b"B");
    assert_refused(&both(&access("anna"), &mark("tv", "bert", &b)), "marks-mixed");
    assert_refused(&both(&access("anna"), &mark("radio", "anna", &b)), "marks-mixed");
    // By itself it admits to nothing.
    assert_refused(
        &get(&edge, &shelf, &mark("tv", "anna", &b), SEGMENT),
        "mark-missing",
    );
    let init = get(&edge, &shelf, &mark("tv", "anna", &b), "/live/news/v1/init.mp4");
    assert_eq!(init.response.status(), 401);
}

#[test]
fn nothing_that_tells_variants_apart_reaches_a_player() {
    let (edge, shelf) = (
        edge(&site("").replacen('{', r#"{"server_timing":true,"#, 1)),
        Shelf::new(7),
    );
    let answers = sessions(7).map(|id| get(&edge, &shelf, &marked(&id), SEGMENT));
    for handled in &answers {
        for name in ["wmpaceinfoegress", "x-cache-key", "cmsd-static", "last-modified"] {
            assert!(!handled.response.headers().contains_key(name), "{name}");
        }
    }
    assert_eq!(answers[0].response.headers(), answers[1].response.headers());
    assert_eq!(answers[0].record.path, answers[1].record.path);
}

#[test]
fn a_range_is_served_within_one_segment_and_refused_across_two() {
    let site = site(r#","pace":"sidecar""#).replace("[^/]+[.]m4s", "film[.]mp4");
    let (edge, mut shelf) = (edge(&site), Shelf::default());
    let at = |position| Position::new(position).unwrap();
    let ranges = ByteRanges::new(100, vec![(0, at(-1)), (10, at(0)), (40, at(1)), (70, at(2))]).unwrap();
    shelf.put("/live/news/v1/film.mp4", b"A");
    shelf.put("/live/news/v1/b/film.mp4", b"B");
    shelf.put(
        "/live/news/v1/WMPaceInfo/film.mp4",
        &Sidecar::Ranges(ranges).to_cbor(),
    );
    let token = sign(&minter().clear_mark(254, 8, &[0b0110_0000]));
    let ranged = |range: &str| {
        let request = Request::get(format!("https://e/t/{token}/live/news/v1/film.mp4"));
        send(&edge, &shelf, request.header(header::RANGE, range))
    };
    for (range, due) in [
        ("bytes=0-9", b"A"),
        ("bytes=10-39", b"A"),
        ("bytes=40-69", b"B"),
        ("bytes=50-51", b"B"),
        ("bytes=70-", b"B"),
    ] {
        assert_eq!(body(&ranged(range)), due, "{range}");
    }
    for range in [
        "bytes=0-",
        "bytes=39-40",
        "bytes=0-10",
        "bytes=0-1,50-51",
        "bytes=100-",
        "pages=1-2",
    ] {
        assert_refused(&ranged(range), "range-across-marks");
    }
    assert_refused(
        &get(&edge, &shelf, &token, "/live/news/v1/film.mp4"),
        "range-across-marks",
    );
    let asked = shelf.asked.borrow();
    let sidecars = asked
        .iter()
        .filter(|request| request.target.contains("WMPaceInfo"));
    assert_eq!(sidecars.count(), 1);
}

#[test]
fn where_nothing_says_the_position_nothing_is_served() {
    let [_, b] = sessions(7);
    let mut bare = Shelf::new(7);
    for path in [SEGMENT, SEGMENT_B] {
        bare.bodies.get_mut(path).unwrap().1.remove("WMPaceInfoEgress");
    }
    bare.put(SIDECAR, b"\xa0");
    for pace in ["", r#","pace":"sidecar""#] {
        let handled = get(&edge(&site(pace)), &bare, &marked(&b), SEGMENT);
        assert_eq!(handled.response.status(), 502, "{pace}");
        assert_eq!(handled.record.problem, Some("mark-unplaced"));
    }
    let named = site(r#","pace":{"number":{"start":8}}"#);
    assert_eq!(
        get(&edge(&named), &bare, &marked(&b), SEGMENT).response.status(),
        502
    );
    // What is not there is not there.
    for pace in ["", r#","pace":"sidecar""#, r#","pace":{"number":{}}"#] {
        let missing = get(&edge(&site(pace)), &bare, &marked(&b), "/live/news/v1/0-9.m4s");
        assert_eq!(missing.response.status(), 404, "{pace}");
    }
}

#[test]
fn the_origin_is_shown_the_edges_token_with_what_is_marked_and_nothing_else_is() {
    let token = OriginToken::parse("s3cret").unwrap();
    for pace in ["", r#","pace":"sidecar""#, r#","pace":{"number":{}}"#] {
        let edge = edge(&site(pace).replacen('{', r#"{"server_timing":true,"#, 1));
        let edge = edge.with_origin_token(Some(token.clone()));
        // It is the edge's, not its keys'.
        let keys = JwkSet {
            keys: vec![key().for_recipient(), session_key(), pattern_key()],
        };
        let edge = edge.with_keys(&serde_json::to_string(&keys).unwrap()).unwrap();
        let shelf = Shelf::new(7);
        let [a, b] = sessions(7);
        for path in [SEGMENT, "/live/news/v1/init.mp4", "/live/news/v1/index.m3u8"] {
            for id in [&a, &b] {
                let request = Request::get(format!("https://e/t/{}{path}", marked(id)));
                let handled = send(&edge, &shelf, request.header("Authorization", "Bearer viewer's"));
                assert_eq!(handled.response.status(), 200);
                let told = format!("{:?} {}", handled.response, handled.record.to_json());
                assert!(!told.contains("s3cret"), "{told}");
            }
        }
        let asked = shelf.asked.borrow();
        assert!(!format!("{asked:?}").contains("s3cret"));
        for request in asked.iter() {
            let is_marked = [SEGMENT, SEGMENT_B, SIDECAR].contains(&request.target.as_str());
            let shown = request.headers.get(header::AUTHORIZATION);
            let due = is_marked.then_some("Bearer s3cret");
            assert_eq!(
                shown.map(|value| value.to_str().unwrap()),
                due,
                "{}",
                request.target
            );
        }
        let variants = asked.iter().filter(|request| request.target == SEGMENT_B);
        assert!(variants.count() > 0);
    }
}

#[test]
fn a_position_is_learnt_by_the_first_way_that_says_one() {
    const TIMED: &str = "/live/news/v1/t-480000.m4s";
    /// Positions by the header, the sidecar, the number and the duration, where each says one.
    const DUE: [(&str, u16); 4] = [("header", 3), ("sidecar", 4), ("number", 21_360), ("duration", 8)];
    let all = r#","pace":["header","sidecar",{"number":{}},{"duration":{}}]"#;
    let two = |first: &str, second: &str| format!(r#","pace":[{first},{second}]"#);
    let at = |position: u16| Position::new(position.into()).unwrap();
    let shelf = |header: bool, sidecar: bool| {
        let mut shelf = Shelf::default();
        for (path, body) in [(TIMED, "A"), ("/live/news/v1/b/t-480000.m4s", "B")] {
            shelf.put(path, body.as_bytes());
            if header {
                let egress = HeaderValue::try_from(egress_header(at(DUE[0].1))).unwrap();
                shelf
                    .bodies
                    .get_mut(path)
                    .unwrap()
                    .1
                    .insert("WMPaceInfoEgress", egress);
            }
        }
        if sidecar {
            let sidecar = Sidecar::Discrete(vec![Discrete::at(at(DUE[1].1))]);
            shelf.put("/live/news/v1/WMPaceInfo/t-480000.m4s", &sidecar.to_cbor());
        }
        shelf
    };
    let duration = ciborium::Value::Array(vec![60_000.into(), 10_000.into()]);
    let cases = [
        (all.to_owned(), true, true, 0),
        (all.to_owned(), false, true, 1),
        (all.to_owned(), false, false, 2),
        (two(r#""sidecar""#, r#""header""#), true, true, 1),
        (two(r#""header""#, r#"{"duration":{}}"#), false, true, 3),
        (two(r#""sidecar""#, r#"{"duration":{}}"#), true, false, 3),
        (r#","pace":{"duration":{}}"#.to_owned(), true, true, 3),
    ];
    for (pace, header, sidecar, due) in cases {
        let (edge, shelf) = (edge(&site(&pace)), shelf(header, sidecar));
        let (name, position) = DUE[due];
        for (id, variant) in sessions(position).iter().zip(["A", "B"]) {
            let minter = minter()
                .derived_mark(254, 32_760, id, 7, 3)
                .claim(303, duration.clone());
            for _again in 0..2 {
                let handled = get(&edge, &shelf, &sign(&minter), TIMED);
                assert_eq!(body(&handled), variant.as_bytes(), "{pace} {name}");
                assert_eq!(handled.record.pace, Some(name), "{pace}");
            }
        }
        let sidecars = shelf.targets().into_iter();
        let sidecars = sidecars.filter(|target| target.contains("WMPaceInfo")).count();
        assert!(
            sidecars <= 1,
            "what the origin was asked for is remembered: {sidecars}"
        );
    }
}

#[test]
fn nothing_is_guessed_that_the_channel_does_not_allow() {
    let edge = edge(&site(r#","pace":["header",{"duration":{}}]"#));
    let mut shelf = Shelf::new(7);
    for path in [SEGMENT, SEGMENT_B] {
        shelf.bodies.get_mut(path).unwrap().1.remove("WMPaceInfoEgress");
    }
    // The token does not say how long a segment is; the sidecar, which says it all, may not be asked.
    let handled = get(&edge, &shelf, &marked("s"), SEGMENT);
    assert_eq!(handled.response.status(), 502);
    assert_eq!(handled.record.problem, Some("mark-unplaced"));
    assert_eq!(handled.record.pace, None);
}

#[test]
fn a_head_is_of_the_same_variant_as_the_get() {
    let (edge, shelf) = (edge(&site("")), Shelf::new(7));
    let [_, b] = sessions(7);
    send(
        &edge,
        &shelf,
        Request::head(format!("https://e/t/{}{SEGMENT}", marked(&b))),
    );
    assert_eq!(shelf.targets().last().unwrap(), SEGMENT_B);
    let variant = Variant::of_bit(true);
    assert_eq!(variant.path(SEGMENT), SEGMENT_B);
}
