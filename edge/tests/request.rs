//! The whole way of a request, through the core alone.

mod scenario;

use http::{Request, header};
use scenario::{World, edge, get, key, send, send_through, text, token, token_by};
use selvedge_edge::Body;
use selvedge_token::Jwk;

#[test]
fn a_request_without_a_token_asks_nothing_of_the_origin() {
    let world = World::new();
    let handled = get(&world, "/live/news/index.m3u8");
    insta::assert_snapshot!(text(&handled.response), @r#"{"status":401,"title":"A token is needed","type":"urn:selvedge:error:token-missing"}"#);
    assert_eq!(handled.response.status(), 401);
    assert_eq!(handled.response.headers()[header::CACHE_CONTROL], "no-store");
    assert!(world.asked.borrow().is_empty());
}

#[test]
fn each_bad_token_is_refused_with_its_own_status_and_no_detail() {
    let world = World::new();
    let expired = token_by(&key(), "/live/news/", 0);
    let forged = token_by(&Jwk::elliptic("scenario", &[9; 32]).unwrap(), "/live/news/", 60);
    let other = token_by(&key(), "/live/sport/", 60);
    for (token, status, slug) in [
        (expired.as_str(), 401, "token-expired"),
        (forged.as_str(), 401, "token-invalid"),
        (other.as_str(), 403, "token-scope"),
        ("nonsense", 401, "token-invalid"),
    ] {
        let handled = get(&world, &format!("/t/{token}/live/news/index.m3u8"));
        assert_eq!(handled.response.status(), status, "{slug}");
        assert_eq!(handled.record.problem, Some(slug));
        assert!(handled.record.detail.is_some(), "the operator learns why");
        assert!(!text(&handled.response).contains(&handled.record.detail.unwrap()));
    }
    assert!(world.asked.borrow().is_empty());
}

#[test]
fn a_token_in_the_path_leaves_documents_and_media_untouched() {
    let world = World::new();
    for path in [
        "/live/news/index.m3u8",
        "/live/news/manifest.mpd",
        "/live/news/v/0-1.m4s",
    ] {
        let handled = get(&world, &format!("/t/{}{path}", token()));
        assert_eq!(handled.response.status(), 200);
        assert!(
            matches!(handled.response.body(), Body::Upstream(_)),
            "{path} is passed on unread"
        );
    }
}

#[test]
fn a_token_in_the_query_sends_the_player_below_the_token() {
    let world = World::new();
    let token = token();
    let playlist = get(&world, &format!("/live/news/index.m3u8?CAT={token}"));
    assert_eq!(
        text(&playlist.response),
        format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/t/{token}/live/news/v/index.m3u8\n")
    );
    let headers = playlist.response.headers();
    assert_eq!(
        headers[header::CONTENT_LENGTH],
        text(&playlist.response).len().to_string()
    );
    assert!(
        !headers.contains_key(header::ETAG),
        "the origin's tag is of other bytes"
    );
    let manifest = get(&world, &format!("/live/news/manifest.mpd?cat={token}"));
    assert_eq!(
        text(&manifest.response),
        format!(
            "<MPD><BaseURL>/t/{token}/live/news/</BaseURL>\
             <Location>/t/{token}/live/news/manifest.mpd</Location><Period/></MPD>"
        )
    );
}

#[test]
fn no_token_reaches_the_origin_the_log_or_the_answers_headers() {
    let world = World::new();
    let token = token();
    let with = edge(r#"{"server_timing":true}"#);
    for request in [
        Request::get(format!("https://e/t/{token}/live/news/v/index.m3u8?session=1")),
        Request::get(format!("https://e/live/news/v/index.m3u8?CAT={token}&_HLS_msn=4")),
        Request::get("https://e/live/news/v/index.m3u8").header("CTA-Common-Access-Token", &token),
        Request::get("https://e/live/news/v/index.m3u8")
            .header("Cookie", format!("CTA-Common-Access-Token={token}")),
    ] {
        let handled = send_through(&with, &world, request);
        assert_eq!(handled.response.status(), 200);
        let asked = format!("{:?}", world.asked.borrow_mut().pop().unwrap());
        assert!(!asked.contains(&token) && !asked.contains("session"), "{asked}");
        assert!(!handled.record.to_json().contains(&token));
        assert!(!format!("{:?}", handled.response.headers()).contains(&token));
    }
}

#[test]
fn the_origin_is_asked_for_the_path_that_was_judged() {
    let world = World::new();
    get(
        &world,
        &format!("/t/{}/live/sport/%2e%2e/news/%76/index.m3u8", token()),
    );
    assert_eq!(world.asked.borrow()[0].target, "/live/news/v/index.m3u8");
}

#[test]
fn ranges_and_conditions_go_to_the_origin_where_bytes_pass_and_nothing_else_does() {
    let world = World::new();
    let ranged = |target: String| {
        Request::get(format!("https://e{target}"))
            .header("Range", "bytes=0-1")
            .header("If-None-Match", "\"1\"")
            .header("X-Secret", "s")
    };
    send(&world, ranged(format!("/t/{}/live/news/v/0-1.m4s", token())));
    send(&world, ranged(format!("/live/news/index.m3u8?CAT={}", token())));
    for (target, encodings) in [
        ("v/index.m3u8", "br, gzip"),
        ("v/index.m3u8", "br"),
        ("v/0-1.m4s", "gzip"),
    ] {
        let request = Request::get(format!("https://e/t/{}/live/news/{target}", token()));
        send(&world, request.header("Accept-Encoding", encodings));
    }
    let asked = world.asked.borrow();
    let names = |at: usize| {
        asked[at]
            .headers
            .keys()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["accept-encoding", "range", "if-none-match"]);
    assert_eq!(
        names(1),
        ["accept-encoding"],
        "a rewritten document is not the stored one"
    );
    let encoding = |at: usize| asked[at].headers[header::ACCEPT_ENCODING].to_str().unwrap();
    assert_eq!(
        [0, 1, 2, 3, 4].map(encoding),
        ["identity", "identity", "gzip", "identity", "identity"],
        "documents that pass as they are, to those who can read them"
    );
}

#[test]
fn what_the_origin_says_of_errors_passes_and_is_kept_by_nobody() {
    let mut world = World::new();
    let missing = get(&world, &format!("/t/{}/live/news/none.m4s", token()));
    assert_eq!(missing.response.status(), 404);
    assert_eq!(missing.response.headers()[header::CACHE_CONTROL], "no-store");
    assert!(text(&missing.response).contains("unknown-channel"));
    assert!(!missing.response.headers().contains_key(header::SET_COOKIE));

    world.put_status("/live/news/moved.m4s", 302, "");
    let redirect = get(&world, &format!("/t/{}/live/news/moved.m4s", token()));
    assert_eq!(
        (redirect.response.status().as_u16(), redirect.record.fault),
        (502, Some("origin"))
    );

    world.down = true;
    let down = get(&world, &format!("/t/{}/live/news/index.m3u8", token()));
    assert_eq!(down.record.problem, Some("origin-unreachable"));
    assert_eq!(down.record.detail.as_deref(), Some("connection refused"));
    assert!(!text(&down.response).contains("refused"));
}

#[test]
fn a_page_on_a_listed_origin_may_read_and_another_may_not() {
    let world = World::new();
    let listed = edge(r#"{"cors_origins":["https://tv.example"]}"#);
    let from = |origin: &str| {
        let request =
            Request::get(format!("https://e/t/{}/live/news/index.m3u8", token())).header("Origin", origin);
        send_through(&listed, &world, request)
    };
    let ours = from("https://tv.example");
    assert_eq!(
        ours.response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://tv.example"
    );
    assert_eq!(ours.response.headers()[header::VARY], "Origin");
    let theirs = from("https://thief.example");
    assert!(
        !theirs
            .response
            .headers()
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    );
}

#[test]
fn a_preflight_needs_no_token() {
    let world = World::new();
    let handled = send(&world, Request::options("https://e/live/news/index.m3u8"));
    assert_eq!(handled.response.status(), 204);
    let allowed = handled.response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS]
        .to_str()
        .unwrap();
    assert!(allowed.contains("CTA-Common-Access-Token"));
    assert_eq!(
        handled.response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
        "*"
    );
}

#[test]
fn the_edge_tells_the_time_and_that_it_lives() {
    let world = World::new();
    assert_eq!(text(&get(&world, "/time").response), "2026-11-21T12:00:00.000Z");
    assert_eq!(text(&get(&world, "/healthz").response), "ok");
}

#[test]
fn a_good_token_admits_although_a_bad_one_stands_before_it() {
    let world = World::new();
    let request = Request::get(format!("https://e/t/{}/live/news/index.m3u8", token()))
        .header("CTA-Common-Access-Token", "nonsense");
    let handled = send(&world, request);
    assert_eq!(handled.response.status(), 200);
    assert_eq!(handled.record.token, Some("path"));
}

#[test]
fn the_decision_is_shown_only_where_the_site_says_so() {
    let world = World::new();
    let request = || Request::get(format!("https://e/t/{}/live/news/index.m3u8", token()));
    assert!(
        !send(&world, request())
            .response
            .headers()
            .contains_key("server-timing")
    );
    let shown = send_through(&edge(r#"{"server_timing":true}"#), &world, request());
    assert_eq!(
        shown.response.headers()["server-timing"],
        r#"route;desc="playlist", token;desc="path", kid;desc="scenario", origin;desc="200""#
    );
}

#[test]
fn a_head_of_a_document_asks_as_its_get_does() {
    let world = World::new();
    let url = format!("https://e/live/news/index.m3u8?CAT={}", token());
    let request = Request::head(url)
        .header("Range", "bytes=0-1")
        .header("If-None-Match", "\"1\"");
    let handled = send(&world, request);
    assert!(!handled.response.headers().contains_key(header::ETAG));
    let asked = world.asked.borrow();
    let names: Vec<_> = asked[0].headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["accept-encoding"]);
}

#[test]
fn a_token_behind_an_escape_in_the_query_is_one() {
    let token = token();
    let escaped = format!("%{:02x}{}", token.as_bytes()[0], &token[1..]);
    for query in [format!("%43AT={token}"), format!("c%61t={escaped}")] {
        let world = World::new();
        let handled = get(&world, &format!("/live/news/index.m3u8?{query}"));
        assert_eq!(handled.record.token, Some("query"), "{query}");
        assert!(text(&handled.response).contains(&format!("/t/{token}/")));
    }
}

#[test]
fn parameters_behind_a_token_in_a_header_are_no_part_of_it() {
    let world = World::new();
    let value = format!("{}; path=/live", token());
    let request = Request::get("https://e/live/news/index.m3u8").header("CTA-Common-Access-Token", value);
    assert_eq!(send(&world, request).response.status(), 200);
}
