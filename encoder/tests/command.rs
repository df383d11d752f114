//! The command as a user starts and stops it.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

fn encoder() -> Command {
    Command::new(env!("CARGO_BIN_EXE_selvedge-encoder"))
}

#[test]
fn wrong_configuration_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("encoder.toml");
    fs::write(&file, "fps = 25\nlader = []\n").unwrap();
    let path = file.to_str().unwrap();
    for (arguments, says) in [
        (&["test"][..], "`push`: is missing; give a publishing point"),
        (
            &["--push", "http://127.0.0.1:1/x", "--fps", "23"],
            "`fps`: 23 frames a second have no cadence",
        ),
        (&["--config", path], ":2: unknown field `lader`, expected one of"),
        (&["--config", "no/such.toml"], "no/such.toml: cannot be read"),
        (
            &["--push", "http://127.0.0.1:1/x", "--duration", "-3"],
            "`duration`: -3 is no length",
        ),
        (
            &[
                "--push",
                "http://127.0.0.1:1/x",
                "--log-format",
                "json",
                "--log-format",
                "jsn",
            ],
            "`log_format`: `jsn` is not `human` or `json`",
        ),
    ] {
        let output = encoder().args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(
            told.contains(says) && told.trim_end().lines().count() == 1,
            "{told}"
        );
    }
}

#[test]
fn an_input_that_cannot_be_opened_is_exit_code_1() {
    let output = encoder()
        .args(["no/such/film.mp4", "--push", "http://127.0.0.1:1/x"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("cannot open no/such/film.mp4")
    );
}

#[test]
fn a_signal_ends_the_stream_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let mut child = encoder()
        .args([
            "test",
            "--push",
            &url,
            "--ladder",
            "192x108@150k",
            "--log-format",
            "json",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let track = folder.path().join("video-108p");
    while segments(&track)
        .iter()
        .all(|path| fs::metadata(path).unwrap().len() == 0)
    {
        thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    for track in ["video-108p", "audio"] {
        let last = segments(&folder.path().join(track)).pop().unwrap();
        let bytes = fs::read(last).unwrap();
        assert!(bytes.windows(4).any(|brand| brand == b"lmsg"), "{track}");
    }
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.lines().all(|line| line.starts_with('{')), "{told}");
    assert!(told.contains("encoder chosen"));
}

#[test]
fn the_end_of_standard_input_ends_the_stream_in_order_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let mut child = encoder()
        .args([
            "test",
            "--push",
            &url,
            "--ladder",
            "192x108@150k",
            "--end-with-stdin",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let track = folder.path().join("video-108p");
    while segments(&track)
        .iter()
        .all(|path| fs::metadata(path).unwrap().len() == 0)
    {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(child.try_wait().unwrap().is_none(), "ended before its input");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let bytes = fs::read(segments(&track).pop().unwrap()).unwrap();
    assert!(bytes.windows(4).any(|brand| brand == b"lmsg"));
}

#[test]
fn an_encoder_whose_log_nobody_reads_any_more_ends_in_order_all_the_same() {
    for by_signal in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let mut child = encoder()
            .args(["test", "--push", &url, "--ladder", "192x108@150k"])
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let track = folder.path().join("video-108p");
        while segments(&track)
            .iter()
            .all(|path| fs::metadata(path).unwrap().len() == 0)
        {
            thread::sleep(Duration::from_millis(20));
        }
        // Its parent is gone, and with it the other end of each pipe.
        drop(child.stderr.take());
        if by_signal {
            let id = child.id().to_string();
            let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
            assert!(killed.success());
        } else {
            drop(child.stdin.take());
        }
        assert_eq!(child.wait().unwrap().code(), Some(0), "by a signal: {by_signal}");
        let bytes = fs::read(segments(&track).pop().unwrap()).unwrap();
        assert!(
            bytes.windows(4).any(|brand| brand == b"lmsg"),
            "by a signal: {by_signal}"
        );
    }
}

#[test]
fn a_receiver_on_this_machine_is_spoken_to_directly_and_never_holds_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ingest/demo", listener.local_addr().unwrap());
    // Takes the first words of each connection and answers nothing.
    let (lines, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut start = [0; 17];
            stream.read_exact(&mut start).unwrap();
            held.push(stream);
            lines.send(String::from_utf8(start.to_vec()).unwrap()).unwrap();
        }
    });
    let began = Instant::now();
    let status = encoder()
        .args(["test", "--push", &url, "--duration", "1", "--preset", "ultrafast"])
        .args(["--ladder", "192x108@150k,160x90@100k,96x54@100k"])
        .envs([
            ("http_proxy", "http://127.0.0.1:1"),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
        ])
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // Up to 2 s to the start, 1.3 s of media, 3 s of patience: for all tracks together.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert!(status.success());
    let said = heard.try_recv();
    assert_eq!(said.as_deref(), Ok("PUT /ingest/demo/"));
}

/// Media segments of a track, oldest first.
fn segments(track: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(track) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "m4s"));
    found.sort();
    found
}

/// One request and what is answered, head and body.
fn asked(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn splices_are_taken_at_the_control_door() {
    let refused = encoder()
        .args(["test", "--push", "file:///unused", "--control", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let mut child = encoder()
        .args([
            "test",
            "--push",
            &url,
            "--ladder",
            "192x108@150k",
            "--preset",
            "ultrafast",
        ])
        .args([
            "--control",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--end-with-stdin",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let rest = line.split("\"control\":\"").nth(1)?.to_owned();
        rest.split('"').next().map(str::to_owned)
    });
    let address = address.unwrap();
    thread::spawn(move || lines.for_each(drop));
    let post = |path: &str, kind: &str, body: &str| {
        let length = body.len();
        asked(
            &address,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let json = "application/json";
    assert!(post("/splice", "text/plain", "{}").starts_with("HTTP/1.1 415"));
    assert!(post("/splice", json, "{\"at\":\"soon\"}").starts_with("HTTP/1.1 400"));
    assert!(post("/splice/9/return", json, "{\"at\":\"now\"}").starts_with("HTTP/1.1 404"));
    assert!(post("/splice", json, "{\"at\":\"2020-01-01T00:00:00Z\"}").starts_with("HTTP/1.1 409"));
    assert!(post("/splice", json, &"x".repeat(5000)).starts_with("HTTP/1.1 413"));
    // The channel begins at a segment; a splice in its second one is off the grid by some frames.
    let track = folder.path().join("video-108p");
    while segments(&track).len() < 2 {
        thread::sleep(Duration::from_millis(20));
    }
    let made = post(
        "/splice",
        json,
        "{\"at\":\"now\",\"duration_ms\":30000,\"event_id\":7}",
    );
    assert!(
        made.starts_with("HTTP/1.1 201") && made.contains("\"event_id\":7"),
        "{made}"
    );
    let spliced = |track: &str| {
        let found = segments(&folder.path().join(track));
        let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
        // A decode time, unless it fell on the grid by chance.
        found.iter().any(|path| number(path) > Some(1 << 40)) || found.len() > 4
    };
    while !(spliced("video-108p") && spliced("audio")) {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(post("/splice/7/return", json, "{\"at\":\"next\"}").starts_with("HTTP/1.1 200"));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
