//! Pushes whose bodies are still open, and requests that go on beside them.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use selvedge_origin::time::UnixMillis;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::{AUDIO_SEGMENT, VIDEO, VIDEO_SEGMENT, World, chunk, styp};

/// A push whose body is still open.
pub struct Push {
    body: mpsc::Sender<io::Result<Bytes>>,
    answer: JoinHandle<StatusCode>,
}

impl Push {
    pub fn begin(world: &World, path: &str) -> Self {
        Self::begin_with(world, path, &[])
    }

    pub fn begin_with(world: &World, path: &str, headers: &[(&str, &str)]) -> Self {
        let (body, received) = mpsc::channel(64);
        let chunks = futures_util::stream::unfold(received, async |mut received: mpsc::Receiver<_>| {
            received.recv().await.map(|chunk| (chunk, received))
        });
        let mut request = Request::put(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from_stream(chunks)).unwrap();
        let router = world.origin.router();
        let answer = tokio::spawn(async move { router.oneshot(request).await.unwrap().status() });
        Self { body, answer }
    }

    pub async fn send(&self, bytes: impl Into<Bytes>) {
        self.body.send(Ok(bytes.into())).await.unwrap();
        settle().await;
    }

    /// Waits until the origin has made something of all that was sent: it asks for more only then.
    pub async fn taken(&self) {
        self.send(Bytes::new()).await;
        while self.body.capacity() < self.body.max_capacity() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends the body in good order.
    pub async fn end(self) {
        drop(self.body);
        assert_eq!(self.answer.await.unwrap(), StatusCode::OK);
        settle().await;
    }

    /// Breaks the body off, as a connection does that is lost.
    pub async fn cut(self) {
        self.body.send(Err(io::Error::other("cut"))).await.unwrap();
        drop(self.body);
        let _ = self.answer.await.unwrap();
        settle().await;
    }
}

/// A body that breaks off behind these bytes.
pub fn cut_off(bytes: &[u8]) -> Body {
    let pieces = [Ok(bytes.to_vec()), Err(io::Error::other("reset"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// A GET that goes on in the background.
pub fn ask(world: &World, path: &str, headers: &[(&'static str, &'static str)]) -> JoinHandle<Response> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let router = world.origin.router();
    tokio::spawn(async move { router.oneshot(request).await.unwrap() })
}

/// What comes in time; that nothing does is the end of a test.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(WITHIN, what).await.unwrap()
}

/// Lets every other task go as far as it can.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The six chunks of 0.32 s of a slot's video segment, the first with its `styp`.
pub fn video_chunks(slot: u64) -> Vec<Bytes> {
    let at = |index: u64| slot * VIDEO_SEGMENT + index * 8 * u64::from(VIDEO.sample);
    headed((0..6).map(|index| chunk(at(index), 8, index == 0)))
}

/// The six chunks of 0.32 s of a slot's audio segment, the first with its `styp`.
pub fn audio_chunks(slot: u64) -> Vec<Bytes> {
    let at = |index: u64| slot * AUDIO_SEGMENT + index * 15 * 1_024;
    headed((0..6).map(|index| chunk(at(index), 15, true)))
}

fn headed(chunks: impl Iterator<Item = Vec<u8>>) -> Vec<Bytes> {
    let mut chunks: Vec<Vec<u8>> = chunks.collect();
    chunks[0].splice(0..0, styp(false));
    chunks.into_iter().map(Bytes::from).collect()
}

impl World {
    /// The channel `demo` with parts of 0.32 s, on air for so many slots.
    pub async fn on_air(
        slots: std::ops::Range<u64>,
        change: impl FnOnce(&mut selvedge_origin::Config),
    ) -> Self {
        let world = Self::with(|config| {
            config.part_target_ms = 320;
            change(config);
        })
        .await;
        world.begin("demo").await;
        for slot in slots {
            world.chunked(slot).await;
        }
        world
    }

    /// Pushes a slot of `demo` whose segments have six chunks on both tracks, with the clock at its end.
    pub async fn chunked(&self, slot: u64) {
        self.clock.set(UnixMillis(((slot + 1) * 1_920) as i64));
        for (track, chunks) in [("video", video_chunks(slot)), ("audio", audio_chunks(slot))] {
            let path = format!("/ingest/demo/{track}/{slot}.m4s");
            self.must_put(&path, chunks.concat()).await;
        }
    }

    /// Begins to push a slot's video of `demo`.
    pub fn push_video(&self, slot: u64) -> Push {
        Push::begin(self, &format!("/ingest/demo/video/{slot}.m4s"))
    }
}

/// Longer than anything here waits for, however busy the machine is.
pub const WITHIN: Duration = Duration::from_secs(60);
