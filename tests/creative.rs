//! `selvedge creative` against a real HTTP server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use support::{said, selvedge, temporary_folder};

const DOCUMENT: &str = r#"{"version":1,"creative":"acme-2","duration_us":1920000,"renditions":{
    "audio":{"kind":"audio","codecs":"mp4a.40.2","bandwidth":128000,"channels":2,"sample_rate":48000,
        "media":{"init":"audio/init.mp4","segments":[[1920000,"audio/0.m4s",[[960000,3],[960000,2]]]]}},
    "v":{"kind":"video","codecs":"avc1.64001f","bandwidth":400000,"width":640,"height":360,"frame_rate":25.0,
        "media":{"init":"v/init.mp4","segments":[[1920000,"v/0.m4s"]]}}}}"#;

/// What was put, in order.
#[derive(Clone, Default)]
struct Door(Arc<Mutex<Vec<(String, Bytes)>>>);

async fn answer(
    State(door): State<Door>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if headers
        .get("authorization")
        .is_none_or(|token| token != "Bearer s3cret")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut there = door.0.lock().unwrap();
    if method == Method::GET {
        let of: BTreeMap<_, _> = there.iter().cloned().collect();
        let document = String::from_utf8(of["/creatives/acme-2/creative.json"].to_vec()).unwrap();
        return format!("[{document}]").into_response();
    }
    let known = there.iter().find(|(path, _)| path == uri.path());
    if known.is_some_and(|(_, bytes)| *bytes != body) {
        return StatusCode::CONFLICT.into_response();
    }
    there.push((uri.path().to_owned(), body));
    StatusCode::NO_CONTENT.into_response()
}

/// Serves until the test ends.
fn serve(door: Door) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().fallback(answer).with_state(door);
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

fn folder(at: &Path) {
    let files = [
        ("audio/init.mp4", "a"),
        ("audio/0.m4s", "abcde"),
        ("v/init.mp4", "v"),
        ("v/0.m4s", "vwxyz"),
        ("creative.json", DOCUMENT),
    ];
    for (path, bytes) in files {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn run(arguments: &[&str], origin: SocketAddr, token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command
        .args(arguments)
        .args(["--origin", &format!("http://{origin}")]);
    match token {
        Some(token) => command.env("SELVEDGE_ADMIN_TOKEN", token),
        None => command.env_remove("SELVEDGE_ADMIN_TOKEN"),
    };
    command.output().unwrap()
}

#[test]
fn a_creative_is_given_file_by_file_and_its_document_last() {
    let at = temporary_folder();
    folder(at.path());
    let path = at.path().to_str().unwrap();
    let door = Door::default();
    let address = serve(door.clone());
    let token = Some("s3cret");
    for _ in 0..2 {
        let given = run(&["creative", "upload", path], address, token);
        assert!(given.status.success(), "{}", said(&given));
    }
    let put: Vec<_> = door
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(
        put[..5],
        [
            "/creatives/acme-2/audio/init.mp4",
            "/creatives/acme-2/audio/0.m4s",
            "/creatives/acme-2/v/init.mp4",
            "/creatives/acme-2/v/0.m4s",
            "/creatives/acme-2/creative.json",
        ]
    );
    let listed = run(&["creative", "list"], address, token);
    assert_eq!(
        String::from_utf8(listed.stdout).unwrap(),
        "acme-2  1.920 s  1 segments  640x360 mp4a.40.2\n"
    );
    // Another creative of the same name.
    fs::write(at.path().join("v/0.m4s"), "other").unwrap();
    let refused = run(&["creative", "upload", path], address, token);
    assert!(
        said(&refused).contains("another creative has this name"),
        "{}",
        said(&refused)
    );
}

#[test]
fn without_the_token_the_fix_is_told() {
    let at = temporary_folder();
    folder(at.path());
    let address = serve(Door::default());
    let refused = run(
        &["creative", "upload", at.path().to_str().unwrap()],
        address,
        None,
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("SELVEDGE_ADMIN_TOKEN"),
        "{}",
        said(&refused)
    );
}

#[test]
fn a_folder_without_a_sound_document_is_told_where_it_is_wrong() {
    let at = temporary_folder();
    fs::write(
        at.path().join("creative.json"),
        DOCUMENT.replace("v/0.m4s", "../0.m4s"),
    )
    .unwrap();
    let path = at.path().to_str().unwrap();
    let refused = selvedge(&["creative", "upload", path, "--origin", "http://127.0.0.1:1"]);
    assert!(
        said(&refused).contains("/renditions/v/media/segments/0/1"),
        "{}",
        said(&refused)
    );
    let unnamed = selvedge(&["creative", "add", "ad.mp4", "--name", "A B", "--out", path]);
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(said(&unnamed).contains("--name"), "{}", said(&unnamed));
}
