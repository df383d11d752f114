//! What the `selvedge` command promises to the person who types it.

mod support;

use std::fs;

use support::{Server, said, selvedge};

#[test]
fn help_names_every_command_and_asking_for_nothing_shows_it() {
    let help = String::from_utf8(selvedge(&["--help"]).stdout).unwrap();
    for command in ["demo", "origin", "edge", "encode", "breaks", "creative", "token"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(command)),
            "{command}:\n{help}"
        );
    }
    assert!(said(&selvedge(&[])).contains("Usage: selvedge"));
}

#[test]
fn a_wrong_configuration_is_one_line_with_key_and_fix_and_exit_code_2() {
    let folder = support::temporary_folder();
    let file = folder.path().join("selvedge.toml");
    let path = file.to_str().unwrap();
    let cases = [
        (
            "[origin]\nwindow = 3\n",
            "origin",
            "selvedge.toml:2: window: unknown field `window`",
        ),
        (
            "[origin]\nwindow_s = \"long\"\n",
            "origin",
            "selvedge.toml:2: window_s: invalid type",
        ),
        ("[origin]\nwindow_s = 1\n", "origin", "window_s"),
        (
            "[edge]\nkeys = \"k.json\"\norigin = \"nowhere\"\n",
            "edge",
            "origin: \"nowhere\" is no origin",
        ),
        ("[edge]\n", "edge", "keys: name a JWK Set"),
    ];
    for (toml, command, told) in cases {
        fs::write(&file, toml).unwrap();
        let output = selvedge(&[command, "--config", path]);
        let line = said(&output);
        assert_eq!(output.status.code(), Some(2), "{toml}{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.starts_with("selvedge: ") && line.contains(told),
            "{told}: {line}"
        );
    }
}

#[test]
fn origin_and_edge_stop_gracefully_when_asked_to() {
    let folder = support::temporary_folder();
    let (_key, set) = support::make_key(folder.path());
    let origin = Server::origin(&folder.path().join("data"));
    let edge = Server::edge(&origin, &set);
    assert!(edge.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(edge.get("/live/news/index.m3u8").starts_with("HTTP/1.1 401"));
    assert!(origin.get("/healthz").starts_with("HTTP/1.1 200"));
    assert_eq!((edge.stop(), origin.stop()), (0, 0));
}

#[test]
fn a_demo_without_its_page_says_how_to_build_it() {
    let folder = support::temporary_folder();
    let output = selvedge(&["demo", "--port", "0", "--web", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("npm run build:page"), "{}", said(&output));
}
