//! What operators see of a channel, and that it is what the origin's own description of it says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use support::*;

async fn json(world: &World, path: &str) -> Value {
    serde_json::from_str(&world.text(path).await).unwrap()
}

/// Whether `value` is as `schema` says: as much of JSON Schema as our own description uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        return check(document, document.pointer(pointer).unwrap(), value, at);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: {other}"),
    };
    match &schema["type"] {
        Value::String(kind) => assert!(is(kind), "{at}: {value} is no {kind}"),
        Value::Array(kinds) => {
            let some = kinds.iter().any(|kind| is(kind.as_str().unwrap()));
            assert!(some, "{at}: {value} is none of {kinds:?}");
        }
        _ => assert!(schema.get("enum").is_some(), "{at}: no type"),
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for name in schema["required"].as_array().unwrap() {
            assert!(fields.contains_key(name.as_str().unwrap()), "{at}: no {name}");
        }
        for (name, field) in fields {
            let schema = known
                .get(name)
                .unwrap_or_else(|| panic!("{at}: {name} is not described"));
            check(document, schema, field, &format!("{at}.{name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, &schema["items"], item, at);
    }
}

#[tokio::test]
async fn every_answer_is_as_the_description_says() {
    let world = World::new().await;
    let description = json(&world, "/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    // Refused, and told of.
    let (status, _) = world
        .put("/ingest/demo/other/1.m4s", b"no media at all".to_vec())
        .await;
    assert!(status.is_client_error());
    for (path, described) in [
        ("/channels", "/channels"),
        ("/channels/demo", "/channels/{channel}"),
        ("/readyz", "/readyz"),
    ] {
        let answer = json(&world, path).await;
        let schema = &description["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        check(&description, schema, &answer, path);
    }
    let is_for_all = |path: &&String| {
        !path.contains("/breaks") && !path.contains("/creatives") && !path.contains("/decisions")
    };
    for path in description["paths"]
        .as_object()
        .unwrap()
        .keys()
        .filter(is_for_all)
    {
        let path = path.replace("{channel}", "demo");
        let (status, _, _) = world.get(&path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    let (status, _, _) = world.get("/channels/none", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let demo = json(&world, "/channels/demo").await;
    assert_eq!(demo["state"], "live");
    assert_eq!(demo["problems"][0]["object"], "other/1.m4s");
    assert_eq!(demo["tracks"][0]["live_edge_ms"], NOON + 1_920);
}

#[tokio::test]
async fn the_desk_answers_as_the_description_says() {
    let world = World::with(|config| {
        config.admin_token = Some(selvedge_origin::config::AdminToken::new("t"));
    })
    .await;
    let description = json(&world, "/openapi.json").await;
    world.begin("demo").await;
    for slot in FIRST..FIRST + 3 {
        world.slot("demo", slot).await;
    }
    let ask = async |method: &str, path: &str, body: &'static str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", "Bearer t").body(Body::from(body));
        let response = world.send(request.unwrap()).await;
        let status = response.status().as_u16().to_string();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    let (breaks, rules) = ("/channels/demo/breaks", "/channels/demo/breaks/rules");
    for (method, path, body, expected) in [
        (
            "PUT",
            rules,
            r#"{ "version": 1, "channel": "demo", "fil": {} }"#,
            "422",
        ),
        ("PUT", rules, r#"{ "version": 1, "channel": "demo" }"#, "204"),
        ("POST", breaks, r#"{ "at": "now", "duration_ms": 5760 }"#, "201"),
        (
            "POST",
            breaks,
            r#"{ "at": "now", "duration_ms": 5760, "name": "more" }"#,
            "409",
        ),
        ("GET", breaks, "", "200"),
        ("GET", "/creatives", "", "200"),
    ] {
        let (status, answer) = ask(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let described = path.replace("demo", "{channel}");
        let operation = &description["paths"][&described][method.to_lowercase()];
        let mut told = &operation["responses"][&status];
        if let Some(reference) = told["$ref"].as_str() {
            told = description.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        }
        let content = told["content"]
            .as_object()
            .and_then(|content| content.values().next());
        if let Some(content) = content {
            check(&description, &content["schema"], &answer, path);
        }
    }
}

#[tokio::test]
async fn metrics_tell_of_requests_pushes_and_tracks() {
    let world = World::new().await;
    world.begin("demo").await;
    world.slot("demo", FIRST).await;
    let _ = world
        .put("/ingest/demo/other/1.m4s", b"no media at all".to_vec())
        .await;
    let _ = world.get("/live/demo/video/index.m3u8", &[]).await;
    let _ = world.get("/live/none/video/index.m3u8", &[]).await;
    let text = world.text("/metrics").await;
    let value = |sample: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} in {text}"))
            .parse::<f64>()
            .unwrap()
    };
    assert_eq!(
        value(r#"selvedge_origin_requests_total{route="playlist",status="2xx"}"#),
        1.0
    );
    assert_eq!(
        value(r#"selvedge_origin_requests_total{route="playlist",status="4xx"}"#),
        1.0
    );
    assert_eq!(
        value(r#"selvedge_origin_request_duration_seconds_count{route="playlist"}"#),
        2.0
    );
    assert_eq!(value(r#"selvedge_origin_requests_under_way{route="admin"}"#), 1.0);
    assert!(value("selvedge_ingest_bytes_total") > 1_000.0);
    assert_eq!(value("selvedge_ingest_pushes_under_way"), 0.0);
    assert_eq!(value(r#"selvedge_channel_live{channel="demo"}"#), 1.0);
    let video = r#"{channel="demo",track="video"}"#;
    assert_eq!(value(&format!("selvedge_track_segments_total{video}")), 1.0);
    assert_eq!(value(&format!("selvedge_track_gaps_total{video}")), 0.0);
    assert!(value(&format!("selvedge_track_memory_bytes{video}")) > 0.0);
    let _ = value(&format!("selvedge_track_live_edge_age_seconds{video}"));
    assert!(text.contains("selvedge_ingest_refusals_total{reason="), "{text}");
}

#[tokio::test]
async fn with_an_address_of_their_own_operators_are_served_nowhere_else() {
    let world = World::with(|config| config.admin_listen = Some(([127, 0, 0, 1], 0).into())).await;
    for path in ["/metrics", "/channels", "/readyz", "/healthz"] {
        let (status, _, _) = world.get(path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_origin_that_cannot_write_is_not_ready_and_says_so() {
    let world = World::new().await;
    assert_eq!(json(&world, "/readyz").await["ready"], true);
    // A folder that is none any more.
    std::fs::remove_dir_all(&world.config.data).unwrap();
    std::fs::write(&world.config.data, "").unwrap();
    let (status, headers, body) = world.get("/readyz", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["content-type"], "application/json");
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["ready"], false);
    assert!(
        answer["missing"][0].as_str().unwrap().contains("store"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_address_for_operators_answers_until_the_origin_has_stopped() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = free.local_addr().unwrap();
    drop(free);
    let world = World::with(|config| config.admin_listen = Some(admin)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(world.origin.clone().serve(listener, async {
        let _ = stopped.await;
    }));
    // Answered once the origin serves, which is after it has bound the other address.
    assert!(exchange(public, "/metrics").await.starts_with("HTTP/1.1 404"));
    let answer = exchange(admin, "/metrics").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("selvedge_build_info"),
        "{answer}"
    );
    assert!(
        exchange(admin, "/live/demo/index.m3u8")
            .await
            .starts_with("HTTP/1.1 404")
    );
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(admin).await.is_err());
}

async fn exchange(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
