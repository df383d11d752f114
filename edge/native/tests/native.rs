//! The native edge before a real origin on a socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::net::SocketAddr;

use axum::{Router, extract::ConnectInfo, http::HeaderMap, routing::get};
use ciborium::Value;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use selvedge_edge::{Edge, OriginUrl};
use selvedge_edge_native::{Native, Pop, Trust};
use selvedge_token::{Component, Jwk, JwkSet, Match, Minter, SigningKey};
use tower::ServiceExt as _;

fn key() -> Jwk {
    Jwk::symmetric("k", &[1; 32])
}

fn token() -> String {
    Minter::new()
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap()
}

fn edge(origin: &str) -> Router {
    trusting(origin, Trust::default())
}

fn trusting(origin: &str, trust: Trust) -> Router {
    let keys = serde_json::to_string(&JwkSet { keys: vec![key()] }).unwrap();
    Pop::new(
        Edge::new(&keys, "{}").unwrap(),
        Native::new(OriginUrl::parse(origin).unwrap()).unwrap(),
        http::uri::Scheme::HTTPS,
        trust,
    )
    .router()
}

/// An origin that plays back what it was asked for.
async fn origin() -> String {
    let echo = |uri: http::Uri, headers: HeaderMap| async move {
        let range = headers
            .get("range")
            .map(|range| range.to_str().unwrap().to_owned());
        (
            [("cache-control", "public, max-age=9")],
            format!("{uri} {range:?} {}", headers.contains_key("cookie")),
        )
    };
    let router = Router::new()
        .route("/live/c/index.m3u8", get(|| async { "#EXTM3U\nv.m3u8\n" }))
        .route("/live/c/long.m3u8", get(|| async { "#\n".repeat(3 << 20) }))
        .fallback(get(echo));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

async fn send(edge: Router, request: http::request::Builder) -> (StatusCode, String, HeaderMap) {
    let response = edge
        .oneshot(request.body(axum::body::Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (parts.status, text, parts.headers)
}

#[tokio::test]
async fn media_passes_with_its_range_and_without_the_viewers_headers() {
    let request = Request::get(format!("/t/{}/live/c/v/0-1.m4s?x=1", token()))
        .header("Host", "edge.example")
        .header("Range", "bytes=0-9")
        .header("Cookie", "a=b");
    let (status, body, headers) = send(edge(&origin().await), request).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, "/live/c/v/0-1.m4s Some(\"bytes=0-9\") false")
    );
    assert_eq!(headers["cache-control"], "private, max-age=9");
}

#[tokio::test]
async fn a_playlist_is_rewritten_and_one_beyond_the_bound_is_not_read() {
    let origin = origin().await;
    let get = |path: &str| Request::get(format!("{path}?CAT={}", token())).header("Host", "e");
    let (_, body, _) = send(edge(&origin), get("/live/c/index.m3u8")).await;
    assert_eq!(body, format!("#EXTM3U\n/t/{}/live/c/v.m3u8\n", token()));
    let (status, body, _) = send(edge(&origin), get("/live/c/long.m3u8")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("urn:selvedge:error:origin-document"), "{body}");
}

#[tokio::test]
async fn an_origin_that_is_away_is_a_502_with_a_reason_for_programs() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let request = Request::get(format!("/t/{}/live/c/v/0-1.m4s", token())).header("Host", "e");
    let (status, body, _) = send(edge(&format!("http://127.0.0.1:{port}")), request).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body.contains("urn:selvedge:error:origin-unreachable"), "{body}");
}

#[tokio::test]
async fn the_scheme_is_the_operators_and_never_the_clients() {
    let https_only = Minter::new().uri(Component::Scheme, Match::Exact("https".into()));
    let token = https_only.mint(&SigningKey::from_jwk(&key()).unwrap()).unwrap();
    let path = format!("/t/{token}/live/c/v/0-1.m4s");
    for url in [path.clone(), format!("http://e{path}")] {
        let (status, _, _) = send(edge(&origin().await), Request::get(url).header("Host", "e")).await;
        assert_eq!(status, StatusCode::OK);
    }
    let keys = serde_json::to_string(&JwkSet { keys: vec![key()] }).unwrap();
    let plain = Pop::new(
        Edge::new(&keys, "{}").unwrap(),
        Native::new(OriginUrl::parse(&origin().await).unwrap()).unwrap(),
        http::uri::Scheme::HTTP,
        Trust::default(),
    );
    for host in ["e", "no host", ""] {
        let request = Request::get(&path).header("Host", host);
        assert_eq!(
            send(plain.router(), request).await.0,
            StatusCode::FORBIDDEN,
            "{host:?}"
        );
    }
    let (status, _, _) = send(plain.router(), Request::get(&path)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "without a host");
}

#[tokio::test]
async fn a_head_of_a_document_that_is_rewritten_declares_no_length() {
    let request = Request::head(format!("/live/c/index.m3u8?CAT={}", token())).header("Host", "e");
    let (status, body, headers) = send(edge(&origin().await), request).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert!(!headers.contains_key("content-length"), "{headers:?}");
}

#[tokio::test]
async fn a_token_for_an_address_is_taken_from_there_and_headers_count_from_a_trusted_proxy_alone() {
    // catnip: 203.0.113.0/24 (RFC 9164).
    let prefix = Value::Array(vec![24.into(), Value::Bytes(vec![203, 0, 113])]);
    let token = Minter::new()
        .claim(311, Value::Array(vec![Value::Tag(52, Box::new(prefix))]))
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap();
    let trust = Trust {
        proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..Trust::default()
    };
    let edge = trusting(&origin().await, trust);
    let ask = async |peer: &str, forwarded: &str| {
        let request = Request::get(format!("/t/{token}/live/c/v/0-1.m4s"))
            .header("Host", "e")
            .header("X-Forwarded-For", forwarded)
            .extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        send(edge.clone(), request).await.0
    };
    assert_eq!(ask("203.0.113.5:1", "192.0.2.1").await, StatusCode::OK);
    assert_eq!(ask("10.0.0.1:1", "203.0.113.5").await, StatusCode::OK);
    assert_eq!(
        ask("10.0.0.1:1", "203.0.113.5, 192.0.2.1").await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask("192.0.2.1:1", "203.0.113.5").await, StatusCode::FORBIDDEN);
}
