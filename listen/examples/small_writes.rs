//! How long the first byte of a body takes to come from a sender that writes in small pieces and leaves Nagle's
//! algorithm on, as ffmpeg does: into axum's own server, and into this crate's.
//!
//! `cargo run --release -p selvedge-listen --example small_writes`

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on stops here")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::put};
use selvedge_listen::{Limits, serve};
use tokio::net::TcpListener;

const PUSHES: usize = 200;

type Times = Arc<Mutex<Vec<Duration>>>;

/// Takes pushes and notes how long after its header the first byte of each body came, and each that follows.
fn router(times: &Times) -> Router {
    let times = Arc::clone(times);
    let take = move |body: Body| {
        let times = Arc::clone(&times);
        async move {
            let mut since = Instant::now();
            let mut body = std::pin::pin!(body);
            let mut waits = Vec::new();
            while let Some(Ok(frame)) =
                std::future::poll_fn(|context| http_body::Body::poll_frame(body.as_mut(), context)).await
            {
                if frame.is_data() {
                    waits.push(since.elapsed());
                    since = Instant::now();
                }
            }
            times.lock().unwrap().extend(waits.first());
        }
    };
    Router::new().route("/push", put(take))
}

/// Pushes over one connection, each piece in a write of its own.
fn push(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut answer = [0; 4096];
    for _ in 0..PUSHES {
        let header = b"PUT /push HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(header).unwrap();
        for _ in 0..3 {
            stream.write_all(b"12c\r\n").unwrap();
            stream.write_all(&[7; 300]).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        assert!(stream.read(&mut answer).unwrap() > 0);
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn measure(name: &str, ours: bool) {
    let times = Times::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(&times);
    let server = tokio::spawn(async move {
        if ours {
            serve(listener, router, Limits::default(), std::future::pending()).await;
        } else {
            axum::serve(listener, router).await.unwrap();
        }
    });
    tokio::task::spawn_blocking(move || push(address)).await.unwrap();
    server.abort();
    let mut times = std::mem::take(&mut *times.lock().unwrap());
    times.sort();
    let at = |share: f64| times.get((share * (times.len() - 1) as f64) as usize).unwrap();
    let stalled = times
        .iter()
        .filter(|time| **time >= Duration::from_millis(35))
        .count();
    println!(
        "{name:>8}: {stalled} of {} pushes stalled for 35 ms or more; median {:?}, p90 {:?}, longest {:?}",
        times.len(),
        at(0.5),
        at(0.9),
        at(1.0)
    );
}

#[tokio::main]
async fn main() {
    measure("axum", false).await;
    measure("ours", true).await;
}
