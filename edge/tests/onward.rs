//! What a viewer carries to its next request: renewal, exchange, and what happens where neither can be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod scenario;

use http::{Request, header};
use scenario::{NOW, World, edge, key, send_through, session_key, signing_edge, text, visit_at};
use selvedge_edge::{Handled, block_on};
use selvedge_token::{
    Algorithm, Component, KeySet, Match, Minter, NumericDate, Policy, Replay, SigningKey, UnixMillis,
    Verifier,
};

/// Seconds that a token of this file lasts.
const SHORT: i64 = 30;

/// A short-lived token that may be renewed by `kind` (0 automatic, 1 cookie, 2 header, 3 redirect) for another
/// while, from ten seconds before its end.
fn renewable(kind: u8) -> String {
    use ciborium::Value;
    let terms = [(0, i64::from(kind)), (1, SHORT), (2, 10)];
    let terms = Value::Map(
        terms
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    );
    Minter::new()
        .issuer("broadcaster")
        .token_id(b"a viewing")
        .expires_at(NOW.plus_seconds(SHORT))
        .uri(Component::Path, Match::Prefix("/live/news/".into()))
        .claim(323, terms)
        .claim(70_000, "unknown to all")
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap()
}

/// Sends a GET at so many seconds after the token was made.
fn at(seconds: i64, world: &World, request: http::request::Builder) -> Handled<String> {
    let request = request.body(()).unwrap();
    let visit = visit_at(&request, NOW.plus_seconds(seconds));
    block_on(signing_edge("{}").handle(world, &visit))
}

/// What a token of the edge's own says.
fn read(token: &str) -> selvedge_token::Claims {
    let verifier = Verifier::new(KeySet::from_jwks([&session_key()]).unwrap(), Policy::default());
    let authentic = verifier.authenticate(token).unwrap();
    assert_eq!(authentic.algorithm(), Algorithm::Hs256);
    authentic.claims().clone()
}

fn moment(date: NumericDate) -> UnixMillis {
    date.moment()
}

#[test]
fn a_token_in_a_header_is_renewed_there_when_its_time_comes_and_not_before() {
    let world = World::new();
    let ask = |seconds| {
        let request =
            Request::get("https://e/live/news/v/0-1.m4s").header("CTA-Common-Access-Token", renewable(0));
        at(seconds, &world, request)
    };
    let early = ask(SHORT - 11);
    assert_eq!(early.response.status(), 200);
    assert!(!early.response.headers().contains_key("cta-common-access-token"));

    let due = ask(SHORT - 9);
    let headers = due.response.headers();
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
    assert_eq!(due.record.onward, Some("header"));
    let claims = read(headers["cta-common-access-token"].to_str().unwrap());
    assert_eq!(
        claims.expires.map(moment),
        Some(NOW.plus_seconds(SHORT - 9 + SHORT))
    );
    assert_eq!(claims.issuer.as_deref(), Some("broadcaster"));
    assert_eq!(claims.token_id.as_deref(), Some(b"a viewing".as_slice()));
    assert!(claims.renewal.is_some(), "it can be renewed again");
}

#[test]
fn a_token_in_a_cookie_is_renewed_by_one_that_scripts_do_not_see() {
    let world = World::new();
    let request = Request::get("https://e/live/news/v/index.m3u8")
        .header("Cookie", format!("CTA-Common-Access-Token={}", renewable(0)));
    let handled = at(SHORT - 5, &world, request);
    let cookie = handled.response.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Secure");
    read(pair.strip_prefix("CTA-Common-Access-Token=").unwrap());
}

#[test]
fn a_renewal_by_redirect_leads_to_the_same_thing_with_another_token() {
    let world = World::new();
    let url = format!("https://e/live/news/index.m3u8?a=1&CAT={}", renewable(3));
    let handled = at(SHORT - 5, &world, Request::get(url));
    assert_eq!(handled.response.status(), 302);
    let location = handled.response.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned();
    let token = location
        .strip_prefix("/live/news/index.m3u8?CAT=")
        .and_then(|rest| rest.strip_suffix("&a=1"))
        .unwrap();
    read(token);
    assert!(
        world.asked.borrow().is_empty(),
        "nothing is fetched for a redirect"
    );
}

#[test]
fn a_token_in_a_url_is_exchanged_for_one_that_lasts_the_session() {
    let token = renewable(0);
    for url in [
        format!("https://e/live/news/index.m3u8?CAT={token}"),
        format!("https://e/t/{token}/live/news/index.m3u8"),
        format!("https://e/{token}/live/news/index.m3u8"),
    ] {
        let world = World::new();
        let handled = at(0, &world, Request::get(url));
        assert_eq!(handled.record.onward, Some("path"));
        let playlist = text(&handled.response);
        let session = playlist
            .split("/t/")
            .nth(1)
            .and_then(|rest| rest.strip_suffix("/live/news/v/index.m3u8\n"))
            .unwrap();
        assert!(session.len() < token.len(), "an HMAC is shorter than a signature");
        let claims = read(session);
        assert_eq!(claims.expires.map(moment), Some(NOW.plus_seconds(4 * 3600)));
        assert_eq!(claims.renewal, None);
        assert_ne!(
            claims.token_id.as_deref(),
            Some(b"a viewing".as_slice()),
            "a session of its own"
        );

        let media = format!("https://e/t/{session}/live/news/v/index.m3u8");
        let later = at(3600, &world, Request::get(media));
        assert_eq!(later.response.status(), 200);
        assert_eq!(
            later.record.onward, None,
            "below a session documents are the same for everybody"
        );
        let elsewhere = format!("https://e/t/{session}/live/sport/index.m3u8");
        assert_eq!(at(1, &world, Request::get(elsewhere)).response.status(), 403);
    }
}

#[test]
fn a_manifest_is_reloaded_from_below_the_session() {
    let world = World::new();
    let url = format!("https://e/live/news/manifest.mpd?CAT={}", renewable(0));
    let manifest = text(&at(0, &world, Request::get(url)).response);
    let location = manifest
        .split("<Location>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    assert!(location.starts_with("/t/2D3R") && location.ends_with("/live/news/manifest.mpd"));
    let later = at(3600, &world, Request::get(format!("https://e{location}")));
    assert_eq!(later.response.status(), 200);
}

#[test]
fn without_the_issuers_leave_a_session_ends_with_its_token() {
    let world = World::new();
    let token = Minter::new()
        .expires_at(NOW.plus_seconds(SHORT))
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let handled = at(
        0,
        &world,
        Request::get(format!("https://e/live/news/index.m3u8?CAT={token}")),
    );
    let playlist = text(&handled.response);
    let session = playlist.split("/t/").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(read(session).expires.map(moment), Some(NOW.plus_seconds(SHORT)));
}

#[test]
fn an_edge_that_may_not_sign_hands_on_the_token_that_came() {
    let world = World::new();
    let token = renewable(0);
    let handled = send_through(
        &edge("{}"),
        &world,
        Request::get(format!("https://e/live/news/index.m3u8?CAT={token}")),
    );
    assert!(text(&handled.response).contains(&format!("/t/{token}/live/news/v/index.m3u8")));
}

#[test]
fn a_ticket_for_one_use_opens_one_session() {
    let world = World::new();
    let ticket = Minter::new()
        .issuer("box office")
        .token_id(b"seat 7")
        .expires_at(NOW.plus_seconds(3600))
        .claim(308, 1)
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let url = format!("https://e/live/news/index.m3u8?CAT={ticket}");
    let first = at(0, &world, Request::get(&url));
    assert_eq!(first.response.status(), 200);
    let playlist = text(&first.response);
    let session = playlist.split("/t/").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(read(session).replay, Replay::Permitted);
    for _ in 0..2 {
        let media = at(
            1,
            &world,
            Request::get(format!("https://e/t/{session}/live/news/v/0-1.m4s")),
        );
        assert_eq!(media.response.status(), 200);
    }
    let again = at(2, &world, Request::get(&url));
    assert_eq!(again.response.status(), 403);
    assert_eq!(again.record.reason, Some("replayed"));
    assert_eq!(again.record.cti.as_deref(), Some("736561742037"));
}

#[test]
fn a_ticket_for_one_use_is_refused_where_no_store_can_count_it() {
    let world = World::new();
    world.store.replace(None);
    let ticket = Minter::new()
        .token_id(b"seat 7")
        .claim(308, 1)
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let handled = at(
        0,
        &world,
        Request::get(format!("https://e/t/{ticket}/live/news/index.m3u8")),
    );
    assert_eq!(handled.response.status(), 403);
    assert_eq!(handled.record.reason, Some("unanswerable"));
    assert!(
        world.asked.borrow().is_empty(),
        "the origin is not asked for the refused"
    );
}

#[test]
fn a_subject_has_as_many_streams_as_the_site_allows() {
    let world = World::new();
    let edge = signing_edge(r#"{"streams":{"limit":2,"grace_seconds":30}}"#);
    let stream = |id: &[u8]| {
        let token = Minter::new()
            .issuer("broadcaster")
            .subject("household 12")
            .token_id(id)
            .mint(&SigningKey::from_jwk(&session_key()).unwrap())
            .unwrap();
        send_through(
            &edge,
            &world,
            Request::get(format!("https://e/t/{token}/live/news/v/0-1.m4s")),
        )
    };
    assert_eq!(stream(b"one").response.status(), 200);
    assert_eq!(stream(b"two").response.status(), 200);
    let third = stream(b"three");
    assert_eq!(third.response.status(), 403);
    assert_eq!(third.record.problem, Some("too-many-streams"));
    assert_eq!(stream(b"one").response.status(), 200, "those that play go on");
    assert_eq!(
        world.store_asked.borrow().len(),
        3,
        "a lease that was granted just now is not asked for again"
    );
}

#[test]
fn a_session_and_the_request_that_begins_it_are_one_stream() {
    let world = World::new();
    let edge = signing_edge(r#"{"streams":{"limit":1,"grace_seconds":30}}"#);
    let ticket = Minter::new()
        .issuer("broadcaster")
        .subject("household 12")
        .token_id(b"ticket")
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let get = |url: String, player: &str| {
        let request = Request::get(url).header("User-Agent", player).body(()).unwrap();
        block_on(edge.handle(&world, &visit_at(&request, NOW)))
    };
    let began = get(format!("https://e/live/news/index.m3u8?CAT={ticket}"), "one");
    assert_eq!(began.record.onward, Some("path"));
    let playlist = text(&began.response);
    let session = playlist.split("/t/").nth(1).unwrap().split('/').next().unwrap();
    let media = get(format!("https://e/t/{session}/live/news/v/0-1.m4s"), "one");
    assert_eq!(media.response.status(), 200);
    let again = get(format!("https://e/live/news/index.m3u8?CAT={ticket}"), "one");
    assert_eq!(
        session_in(&text(&again.response)),
        session,
        "a document that is loaded again goes on with the same session"
    );
    let second = get(format!("https://e/live/news/index.m3u8?CAT={ticket}"), "two");
    assert_eq!(second.response.status(), 200, "a document by itself is no stream");
    let other = session_in(&text(&second.response));
    let refused = get(format!("https://e/t/{other}/live/news/v/0-1.m4s"), "two");
    assert_eq!(refused.record.problem, Some("too-many-streams"));
    let first = get(format!("https://e/t/{session}/live/news/v/0-1.m4s"), "one");
    assert_eq!(first.response.status(), 200);
}

#[test]
fn a_refusal_is_answered_as_the_token_itself_asks() {
    use ciborium::Value;
    let world = World::new();
    let action = Value::Array(vec![
        307.into(),
        Value::Map(vec![("Location".into(), "https://shop.example/renew".into())]),
    ]);
    let token = Minter::new()
        .expires_at(NOW)
        .claim(322, Value::Map(vec![(4.into(), action)]))
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let handled = at(
        0,
        &world,
        Request::get(format!("https://e/t/{token}/live/news/index.m3u8")),
    );
    assert_eq!(handled.response.status(), 307);
    let headers = handled.response.headers();
    assert_eq!(headers[header::LOCATION], "https://shop.example/renew");
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
    assert_eq!(handled.record.reason, Some("expired"));
}

/// A token for one playback of a subject's.
fn of_household(id: &[u8]) -> Minter {
    Minter::new()
        .issuer("broadcaster")
        .subject("household 12")
        .token_id(id)
        .expires_at(NOW.plus_seconds(3600))
}

fn session_in(document: &str) -> String {
    document
        .split("/t/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn a_refused_token_takes_nobodys_place_among_the_streams() {
    let world = World::new();
    let edge = signing_edge(r#"{"streams":{"limit":1}}"#);
    let ticket = of_household(b"seat 7")
        .claim(308, 1)
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let get = |url: String| send_through(&edge, &world, Request::get(url));
    let opened = get(format!("https://e/live/news/index.m3u8?CAT={ticket}"));
    assert_eq!(opened.response.status(), 200);
    let replayed = get(format!("https://e/t/{ticket}/live/news/v/0-1.m4s"));
    assert_eq!(replayed.record.reason, Some("replayed"));
    let session = session_in(&text(&opened.response));
    let media = get(format!("https://e/t/{session}/live/news/v/0-1.m4s"));
    assert_eq!(media.response.status(), 200);
}

#[test]
fn a_token_in_the_query_leads_onward_although_its_renewal_goes_another_way() {
    for kind in [1, 2] {
        let world = World::new();
        let url = format!("https://e/live/news/index.m3u8?CAT={}", renewable(kind));
        let handled = at(SHORT - 5, &world, Request::get(url));
        let name = if kind == 1 {
            "set-cookie"
        } else {
            "cta-common-access-token"
        };
        assert!(handled.response.headers().contains_key(name), "type {kind}");
        read(&session_in(&text(&handled.response)));
    }
}

#[test]
fn a_renewal_by_redirect_ends_where_the_old_token_still_comes_along() {
    let world = World::new();
    for carrier in ["CTA-Common-Access-Token", "Cookie"] {
        let mut url = "https://e/live/news/index.m3u8".to_owned();
        let value = match carrier {
            "Cookie" => format!("CTA-Common-Access-Token={}", renewable(3)),
            _ => renewable(3),
        };
        let ask = |url: &str| at(SHORT - 5, &world, Request::get(url).header(carrier, &value));
        let first = ask(&url);
        assert_eq!(first.response.status(), 302);
        url = format!(
            "https://e{}",
            first.response.headers()[header::LOCATION].to_str().unwrap()
        );
        let second = ask(&url);
        assert_eq!(second.response.status(), 200, "{carrier}");
        assert_eq!(second.record.token, Some("query"), "the new one counts");
    }
}

#[test]
fn a_document_that_holds_a_new_token_is_kept_by_nobody() {
    let world = World::new();
    let headers = |url: String| at(0, &world, Request::get(url)).response.headers().clone();
    for document in ["index.m3u8", "manifest.mpd"] {
        let exchanged = headers(format!("https://e/live/news/{document}?CAT={}", renewable(0)));
        assert_eq!(exchanged[header::CACHE_CONTROL], "private, no-store");
    }
}

#[test]
fn a_live_media_playlist_names_the_same_segments_at_each_reload() {
    let mut world = World::new();
    let live = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\n0-1.m4s\n";
    world.put("/live/news/v/index.m3u8", "max-age=1", live);
    let token = renewable(0);
    let load = |world: &World, url: &str| text(&at(0, world, Request::get(url)).response);
    for url in [
        format!("https://e/live/news/v/index.m3u8?CAT={token}"),
        format!("https://e/t/{token}/live/news/v/index.m3u8"),
    ] {
        assert!(load(&world, &url).contains(&format!("\n/t/{token}/live/news/v/0-1.m4s")));
    }
    // What is loaded once goes on in a session.
    world.put(
        "/live/news/v/index.m3u8",
        "max-age=1",
        &format!("{live}#EXT-X-ENDLIST\n"),
    );
    read(&session_in(&load(
        &world,
        &format!("https://e/t/{token}/live/news/v/index.m3u8"),
    )));
}
