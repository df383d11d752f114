//! The push against a receiver that is absent, forgets, dies, comes back and stalls.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use selvedge_encoder::{
    cmaf::Sink,
    push::{PushOptions, Pusher},
    stats::TrackStats,
};
use selvedge_watermark::pace::{PaceInfo, Position, Variant};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

/// What the receiver does with one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Accept,
    /// Reads everything, then answers with this.
    Answer(u16),
    /// Answers before it has read the body.
    Refuse(u16),
    /// Closes the connection in the middle of the body.
    Die,
    /// Reads nothing and answers nothing.
    Stall,
}

/// A request as the receiver saw it: path, and the body's pieces as they came.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    path: String,
    /// What is said of a watermark's variant.
    pace: Option<String>,
    body: Vec<u8>,
    act: Act,
}

#[derive(Clone)]
struct Receiver {
    script: Arc<Mutex<VecDeque<Act>>>,
    seen: mpsc::UnboundedSender<Seen>,
    pieces: mpsc::UnboundedSender<Bytes>,
}

struct Running {
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
    seen: mpsc::UnboundedReceiver<Seen>,
    pieces: mpsc::UnboundedReceiver<Bytes>,
}

async fn start(address: &str, script: &[Act]) -> Running {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, seen_receiver) = mpsc::unbounded_channel();
    let (pieces, pieces_receiver) = mpsc::unbounded_channel();
    let receiver = Receiver {
        script: Arc::new(Mutex::new(script.iter().copied().collect())),
        seen,
        pieces,
    };
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let receiver = receiver.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| serve(receiver.clone(), request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Running {
        address,
        server,
        seen: seen_receiver,
        pieces: pieces_receiver,
    }
}

async fn serve(
    receiver: Receiver,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    assert_eq!(request.method(), "PUT");
    assert_eq!(request.headers()["dash-if-ingest"], "1.1");
    let path = request.uri().path().to_owned();
    let pace = request.headers().get("WMPaceInfoIngest");
    let pace = pace.map(|pace| pace.to_str().unwrap().to_owned());
    let act = receiver.script.lock().unwrap().pop_front().unwrap_or(Act::Accept);
    let mut body = request.into_body();
    let mut read = Vec::new();
    let answer = |status: u16| {
        let mut response = Response::new(Full::new(Bytes::from_static(b"because")));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    };
    let outcome = match act {
        Act::Accept | Act::Answer(_) => {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { break };
                let piece = frame.into_data().unwrap();
                read.extend_from_slice(&piece);
                let _ = receiver.pieces.send(piece);
            }
            Ok(answer(if let Act::Answer(status) = act {
                status
            } else {
                200
            }))
        }
        Act::Refuse(status) => Ok(answer(status)),
        Act::Die => {
            let _ = body.frame().await;
            Err(std::io::Error::other("died"))
        }
        Act::Stall => {
            let _ = receiver.seen.send(Seen {
                path: path.clone(),
                pace: pace.clone(),
                body: Vec::new(),
                act,
            });
            std::future::pending::<()>().await;
            Ok(answer(200))
        }
    };
    let _ = receiver.seen.send(Seen {
        path,
        pace,
        body: read,
        act,
    });
    outcome
}

impl Running {
    async fn next(&mut self) -> (String, Act) {
        let seen = self.seen.recv().await.unwrap();
        (seen.path, seen.act)
    }

    async fn kill(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

fn push(
    address: SocketAddr,
    stall: Duration,
) -> (Box<dyn Sink>, Arc<TrackStats>, tokio::task::JoinHandle<()>) {
    push_track(address, stall, "video-720p")
}

fn push_track(
    address: SocketAddr,
    stall: Duration,
    track: &str,
) -> (Box<dyn Sink>, Arc<TrackStats>, tokio::task::JoinHandle<()>) {
    let url = format!("http://{address}/ingest/demo").parse().unwrap();
    let pusher = Pusher::new(PushOptions {
        url,
        queue_segments: 2,
        stall,
    })
    .unwrap();
    let stats = Arc::new(TrackStats::new(track));
    let (sink, task) = pusher.track(&stats, "video/mp4");
    (Box::new(sink), stats, task)
}

fn segment(sink: &mut dyn Sink, number: u64) {
    sink.begin(number);
    sink.chunk(Bytes::from(format!("{number}-first")));
    sink.chunk(Bytes::from(format!("{number}-second")));
    sink.end();
}

fn path(object: &str) -> String {
    format!("/ingest/demo/video-720p/{object}")
}

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn header_goes_first_and_each_chunk_leaves_when_it_exists() {
    let mut origin = start("127.0.0.1:0", &[]).await;
    let (mut sink, stats, task) = push(origin.address, PATIENT);
    sink.init(Bytes::from_static(b"header"));
    sink.begin(7);
    assert_eq!(origin.pieces.recv().await.unwrap(), "header");
    sink.chunk(Bytes::from_static(b"first"));
    // The request is still open: the piece has come although the segment has not ended.
    assert_eq!(origin.pieces.recv().await.unwrap(), "first");
    sink.chunk(Bytes::from_static(b"second"));
    assert_eq!(origin.pieces.recv().await.unwrap(), "second");
    sink.end();
    assert_eq!(origin.next().await, (path("init.mp4"), Act::Accept));
    assert_eq!(origin.next().await, (path("7.m4s"), Act::Accept));
    segment(&mut *sink, 8);
    assert_eq!(origin.next().await, (path("8.m4s"), Act::Accept));
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (2, 0)
    );
}

#[tokio::test]
async fn a_receiver_without_header_gets_it_and_then_the_same_segment() {
    let script = [Act::Accept, Act::Accept, Act::Refuse(412), Act::Accept];
    let mut origin = start("127.0.0.1:0", &script).await;
    let (mut sink, stats, task) = push(origin.address, PATIENT);
    sink.init(Bytes::from_static(b"header"));
    segment(&mut *sink, 1);
    for expected in ["init.mp4", "1.m4s"] {
        assert_eq!(origin.next().await.0, path(expected));
    }
    segment(&mut *sink, 2);
    for expected in ["2.m4s", "init.mp4", "2.m4s"] {
        assert_eq!(origin.next().await.0, path(expected));
    }
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (2, 0)
    );
}

#[tokio::test]
async fn a_receiver_that_never_takes_a_segment_does_not_hold_up_the_next() {
    let script = [
        Act::Accept,
        Act::Answer(412),
        Act::Accept,
        Act::Answer(412),
        Act::Accept,
    ];
    let mut origin = start("127.0.0.1:0", &script).await;
    let (mut sink, stats, task) = push(origin.address, PATIENT);
    sink.init(Bytes::from_static(b"header"));
    segment(&mut *sink, 1);
    segment(&mut *sink, 2);
    for expected in ["init.mp4", "1.m4s", "init.mp4", "1.m4s", "init.mp4", "2.m4s"] {
        assert_eq!(origin.next().await.0, path(expected));
    }
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (1, 1)
    );
}

#[tokio::test]
async fn after_a_broken_connection_the_header_goes_first_and_the_next_segment_follows() {
    let mut origin = start("127.0.0.1:0", &[Act::Accept, Act::Die]).await;
    let (mut sink, stats, task) = push(origin.address, PATIENT);
    sink.init(Bytes::from_static(b"header"));
    segment(&mut *sink, 1);
    assert_eq!(origin.next().await.0, path("init.mp4"));
    assert_eq!(origin.next().await, (path("1.m4s"), Act::Die));
    segment(&mut *sink, 2);
    for expected in ["init.mp4", "2.m4s"] {
        assert_eq!(origin.next().await, (path(expected), Act::Accept));
    }
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (1, 1)
    );
}

#[tokio::test]
async fn an_origin_may_be_absent_at_first_and_die_and_come_back() {
    // A port that was just free: nobody listens there until the origin starts.
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let (mut sink, stats, task) = push(address, PATIENT);
    sink.init(Bytes::from_static(b"header"));
    for number in 1..=5 {
        segment(&mut *sink, number);
    }
    assert_eq!(stats.snapshot().lost_segments, 2, "the oldest make room");
    let mut origin = start(&address.to_string(), &[]).await;
    for expected in ["init.mp4", "3.m4s", "4.m4s", "5.m4s"] {
        assert_eq!(origin.next().await, (path(expected), Act::Accept));
    }
    origin.kill().await;
    segment(&mut *sink, 6);
    while stats.snapshot().lost_segments < 3 {
        tokio::task::yield_now().await;
    }
    segment(&mut *sink, 7);
    let mut origin = start(&address.to_string(), &[]).await;
    for expected in ["init.mp4", "7.m4s"] {
        assert_eq!(origin.next().await, (path(expected), Act::Accept));
    }
    drop(sink);
    task.await.unwrap();
}

#[tokio::test]
async fn a_stalled_receiver_costs_whole_segments_and_is_left_in_the_end() {
    let mut origin = start("127.0.0.1:0", &[Act::Accept, Act::Stall]).await;
    let (mut sink, stats, task) = push(origin.address, Duration::from_millis(300));
    sink.init(Bytes::from_static(b"header"));
    segment(&mut *sink, 1);
    assert_eq!(origin.next().await.0, path("init.mp4"));
    assert_eq!(origin.next().await, (path("1.m4s"), Act::Stall));
    for number in 2..=6 {
        segment(&mut *sink, number);
    }
    for expected in ["init.mp4", "5.m4s", "6.m4s"] {
        assert_eq!(origin.next().await, (path(expected), Act::Accept));
    }
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (2, 4)
    );
}

#[tokio::test]
async fn a_new_header_is_sent_before_the_first_segment_that_needs_it() {
    let mut origin = start("127.0.0.1:0", &[]).await;
    let (mut sink, _, task) = push(origin.address, PATIENT);
    sink.init(Bytes::from_static(b"old"));
    segment(&mut *sink, 1);
    sink.init(Bytes::from_static(b"new"));
    segment(&mut *sink, 2);
    drop(sink);
    task.await.unwrap();
    let mut bodies = Vec::new();
    while let Ok(seen) = origin.seen.try_recv() {
        bodies.push(String::from_utf8(seen.body).unwrap());
    }
    assert_eq!(bodies, ["old", "1-first1-second", "new", "2-first2-second"]);
}

#[tokio::test]
async fn a_second_variant_says_what_it_is_and_waits_for_the_header_of_the_first() {
    let mut origin = start("127.0.0.1:0", &[Act::Refuse(412), Act::Refuse(412)]).await;
    let (mut sink, stats, task) = push_track(origin.address, PATIENT, "video-720p/b");
    let pace = PaceInfo::whole(Variant::B, Position::of_slot(7));
    sink.begin_marked(7, pace);
    sink.chunk(Bytes::from_static(b"chunk"));
    sink.end();
    for act in [Act::Refuse(412), Act::Refuse(412), Act::Accept] {
        let seen = origin.seen.recv().await.unwrap();
        assert_eq!((seen.path, seen.act), (path("b/7.m4s"), act));
        assert_eq!(seen.pace, Some(pace.to_header()));
    }
    drop(sink);
    task.await.unwrap();
    assert_eq!(
        (stats.snapshot().sent_segments, stats.snapshot().lost_segments),
        (1, 0)
    );
}
