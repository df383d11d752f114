//! The command as a user starts and stops it.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
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
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut told).unwrap();
    assert!(told.lines().all(|line| line.starts_with('{')), "{told}");
    assert!(told.contains("encoder chosen"));
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
