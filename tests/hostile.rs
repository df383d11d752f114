//! Peers that mean no good, against real processes: bounded, and never a crash.

mod support;

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use support::Server;

/// An origin and an edge before it.
struct House {
    _folder: tempfile::TempDir,
    origin: Server,
    edge: Server,
}

fn house() -> House {
    let folder = support::temporary_folder();
    let (_key, set) = support::make_key(folder.path());
    let origin = Server::origin(&folder.path().join("data"));
    let edge = Server::edge(&origin, &set);
    House {
        origin,
        edge,
        _folder: folder,
    }
}

fn lives(server: &Server) {
    let answer = server.get("/healthz");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn unknown_things_are_404_with_a_reason() {
    let house = house();
    for path in [
        "/",
        "/nowhere",
        "/live/none/index.m3u8",
        "/live/none/v/index.m3u8",
        "/live/none/v/0-1.m4s",
    ] {
        let answer = house.origin.get(path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains("urn:selvedge:error:unknown-")
        );
        assert!(
            answer.to_lowercase().contains("cache-control: no-store"),
            "{path}: {answer}"
        );
    }
    assert!(house.edge.get("/nowhere").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_header_of_a_megabyte_is_refused_by_both() {
    let house = house();
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    for server in [&house.origin, &house.edge] {
        let answer = server.exchange(request.as_bytes(), Duration::from_secs(10));
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
        lives(server);
    }
}

#[test]
fn a_body_that_never_ends_is_cut_at_the_bound_and_memory_stays_flat() {
    let house = house();
    let before = house.origin.resident();
    let mut stream = TcpStream::connect(house.origin.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "PUT /ingest/endless/video/1.m4s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // An mdat of 2 GiB, in pieces: 400 MiB of it at most, unless the origin hangs up before.
    stream.write_all(b"8\r\n\x80\0\0\0mdat\r\n").unwrap();
    let piece = [b"100000\r\n".as_slice(), &vec![0; 1 << 20], b"\r\n"].concat();
    let started = Instant::now();
    let mut sent = 0;
    while sent < 400 && started.elapsed() < Duration::from_secs(60) && stream.write_all(&piece).is_ok() {
        sent += 1;
    }
    assert!(sent < 400, "the origin hung up at its bound");
    let grown = house.origin.resident().saturating_sub(before);
    assert!(grown < 160 * 1024, "{grown} KiB after {sent} MiB");
    lives(&house.origin);
}

#[test]
fn ten_thousand_connections_are_bounded_and_silent_ones_make_room_again() {
    support::allow_many_files();
    let folder = support::temporary_folder();
    let data = folder.path().join("data");
    let toml = "[origin.limits]\nconnections = 500\nheader_timeout_s = 2\n";
    let origin = Server::configured("origin", folder.path(), toml, &["--data", data.to_str().unwrap()]);
    let before = origin.resident();
    let held: Vec<TcpStream> = (0..10_000)
        .inspect(|number| {
            // The kernel holds a thousand that were not accepted yet; beyond them each waits for a second.
            if number % 256 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
        .filter_map(|_| TcpStream::connect_timeout(&origin.address, Duration::from_secs(5)).ok())
        .collect();
    let grown = origin.resident().saturating_sub(before);
    println!("{} connections made, {grown} KiB more memory", held.len());
    assert!(
        held.len() > 5000,
        "this machine opened {} connections",
        held.len()
    );
    assert!(grown < 128 * 1024, "{grown} KiB");
    // All of them are still open on this side: the origin itself has to let go of those that say nothing.
    let started = Instant::now();
    loop {
        let answer = std::panic::catch_unwind(|| origin.get("/healthz")).unwrap_or_default();
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "no answer while the silent stay"
        );
    }
    drop(held);
}
