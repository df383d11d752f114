//! `selvedge creative` against a real origin.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::{Server, said, selvedge, temporary_folder};

const DOCUMENT: &str = r#"{"version":1,"creative":"acme-2","duration_us":1920000,"renditions":{
    "audio":{"kind":"audio","codecs":"mp4a.40.2","bandwidth":128000,"channels":2,"sample_rate":48000,
        "media":{"init":"audio/init.mp4","segments":[[1920000,"audio/0.m4s",[[960000,3],[960000,2]]]]}},
    "v":{"kind":"video","codecs":"avc1.64001f","bandwidth":400000,"width":640,"height":360,"frame_rate":25.0,
        "media":{"init":"v/init.mp4","segments":[[1920000,"v/0.m4s"]]}}}}"#;

const TOKEN: &str = "a-token-for-operators-alone";

/// An origin whose desk wants the token.
fn origin(folder: &Path) -> Server {
    let data = folder.join("data");
    let toml = format!("[origin]\ndata = {data:?}\nadmin_token = \"{TOKEN}\"\n");
    Server::configured("origin", folder, &toml, &[])
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

fn run(arguments: &[&str], origin: &Server, token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command
        .args(arguments)
        .args(["--origin", &format!("http://{}", origin.address)]);
    match token {
        Some(token) => command.env("SELVEDGE_ADMIN_TOKEN", token),
        None => command.env_remove("SELVEDGE_ADMIN_TOKEN"),
    };
    command.output().unwrap()
}

#[test]
fn a_creative_is_given_to_an_origin_once_and_for_good() {
    let at = temporary_folder();
    let origin = origin(at.path());
    let creative = at.path().join("creative");
    folder(&creative);
    let path = creative.to_str().unwrap();
    let token = Some(TOKEN);
    // The second time says the same.
    for _ in 0..2 {
        let given = run(&["creative", "upload", path], &origin, token);
        assert!(given.status.success(), "{}", said(&given));
    }
    let listed = run(&["creative", "list"], &origin, token);
    assert_eq!(
        String::from_utf8(listed.stdout).unwrap(),
        "acme-2  1.920 s  1 segments  640x360 mp4a.40.2\n"
    );
    // Another creative of the same name.
    fs::write(creative.join("v/0.m4s"), "other").unwrap();
    let refused = run(&["creative", "upload", path], &origin, token);
    assert!(
        said(&refused).contains("another creative has this name"),
        "{}",
        said(&refused)
    );
}

#[test]
fn what_an_origin_refuses_is_told_with_its_place_or_its_fix() {
    let at = temporary_folder();
    let origin = origin(at.path());
    let creative = at.path().join("creative");
    folder(&creative);
    let path = creative.to_str().unwrap();
    let refused = run(&["creative", "upload", path], &origin, None);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("SELVEDGE_ADMIN_TOKEN"),
        "{}",
        said(&refused)
    );
    fs::write(creative.join("audio/0.m4s"), "abcd").unwrap();
    let refused = run(&["creative", "upload", path], &origin, Some(TOKEN));
    assert!(
        said(&refused).contains("/renditions/audio/media/segments/0"),
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
