//! The sender of one track over HTTP.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Client, StatusCode, Url};
use tokio::{task::JoinHandle, time::Instant};

use selvedge_watermark::pace::{INGEST_HEADER, PaceInfo};

use super::queue::{Next, Queue, QueueSink, Taken};
use crate::stats::TrackStats;

/// How a channel is pushed.
#[derive(Clone, Debug)]
pub struct PushOptions {
    /// Publishing point; the track's name and the object's name are appended to its path.
    pub url: Url,
    /// Segments a track may have waiting.
    pub queue_segments: usize,
    /// How long the receiver may take nothing although there is something to take. At least a segment.
    pub stall: Duration,
}

/// Why the push cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The URL cannot have a path appended.
    #[error("{0} cannot be a publishing point; give an http:// or https:// URL with a path")]
    Url(Url),
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
}

/// Pushes the tracks of one channel.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: Client,
    options: PushOptions,
}

impl Pusher {
    /// Prepares a push; nothing is sent yet, and the receiver may still be absent.
    ///
    /// # Errors
    /// When the URL is none that a push can go to.
    pub fn new(options: PushOptions) -> Result<Self, PushError> {
        if options.url.cannot_be_a_base() || !matches!(options.url.scheme(), "http" | "https") {
            return Err(PushError::Url(options.url));
        }
        // The provider is the process's to choose; a second call here finds one installed, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder();
        if is_loopback(&options.url) {
            // A proxy that the environment names for the way out would look for the receiver on its own machine.
            client = client.no_proxy();
        }
        let client = client
            .tcp_nodelay(true)
            .connect_timeout(options.stall)
            .user_agent(concat!("selvedge-encoder/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PushError::Client(error.to_string()))?;
        Ok(Self { client, options })
    }

    /// Starts the sender of one track on the current Tokio runtime. The task ends when the sink is dropped and what was
    /// queued is sent or given up. A track whose sink gets no init segment, such as `video/b`, leans on one whose sink
    /// does: until the receiver has that, it waits.
    #[must_use]
    pub fn track(&self, stats: &Arc<TrackStats>, content_type: &'static str) -> (QueueSink, JoinHandle<()>) {
        let queue = Queue::new(self.options.queue_segments, Arc::clone(stats));
        let sender = Sender {
            client: self.client.clone(),
            options: self.options.clone(),
            queue: Arc::clone(&queue),
            stats: Arc::clone(stats),
            content_type,
        };
        (QueueSink::new(queue), tokio::spawn(sender.run()))
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Http(String),
    /// Nothing was sent, for there is no connection.
    #[error("{0}")]
    Unreachable(String),
    #[error("receiver answered {0}{1}")]
    Refused(StatusCode, String),
    #[error("receiver took nothing for {0:?}")]
    Stalled(Duration),
}

struct Sender {
    client: Client,
    options: PushOptions,
    queue: Arc<Queue>,
    stats: Arc<TrackStats>,
    content_type: &'static str,
}

impl Sender {
    async fn run(self) {
        let mut header = None::<Bytes>;
        let mut retried = None::<u64>;
        let mut pause = FIRST_PAUSE;
        let mut away = false;
        while let Some(Taken { number, init, pace }) = self.queue.take().await {
            let leans = init.is_empty();
            if !leans && header.as_ref() != Some(&init) {
                match self.send_header(&init).await {
                    Ok(()) => {
                        if std::mem::take(&mut away) {
                            tracing::info!(track = self.stats.name(), "receiver is back");
                        }
                        header = Some(init);
                        pause = FIRST_PAUSE;
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut away, true) {
                            tracing::warn!(track = self.stats.name(), %error, "cannot send the CMAF header, trying on");
                        }
                        self.queue.put_back();
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LAST_PAUSE);
                        continue;
                    }
                }
            }
            match self.send_segment(number, pace).await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.stats.sent();
                }
                // Whoever sends the header has to be first.
                Err(Failure::Unreachable(_) | Failure::Refused(StatusCode::PRECONDITION_FAILED, _))
                    if leans =>
                {
                    self.queue.put_back();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                    continue;
                }
                // The receiver has no header, after a restart for instance, and took nothing of the segment: once more
                // with a header.
                Err(Failure::Refused(StatusCode::PRECONDITION_FAILED, _)) if retried != Some(number) => {
                    tracing::info!(
                        track = self.stats.name(),
                        number,
                        "receiver asks for the CMAF header"
                    );
                    header = None;
                    retried = Some(number);
                    self.queue.put_back();
                    continue;
                }
                Err(error) => {
                    tracing::warn!(track = self.stats.name(), number, %error, "segment lost");
                    self.stats.lost();
                    header = None;
                }
            }
            self.queue.finish(number);
        }
    }

    async fn send_header(&self, init: &Bytes) -> Result<(), Failure> {
        let request = self
            .client
            .put(self.url("init.mp4"))
            .header("content-type", self.content_type);
        let request = request.header(INGEST.0, INGEST.1).body(init.clone()).send();
        let stall = self.options.stall;
        let answer = tokio::time::timeout(stall, async { check(request.await).await });
        answer.await.unwrap_or(Err(Failure::Stalled(stall)))
    }

    async fn send_segment(&self, number: u64, pace: Option<PaceInfo>) -> Result<(), Failure> {
        let progress = Arc::new(Progress::new());
        let body = Body::wrap_stream(self.chunks(number, Arc::clone(&progress)));
        let mut request = self.client.put(self.url(&format!("{number}.m4s")));
        if let Some(pace) = pace {
            request = request.header(INGEST_HEADER, pace.to_header());
        }
        let request = request
            .header("content-type", self.content_type)
            .header(INGEST.0, INGEST.1)
            .body(body)
            .send();
        tokio::select! {
            answer = async { check(request.await).await } => answer,
            () = progress.stalled(self.options.stall) => Err(Failure::Stalled(self.options.stall)),
        }
    }

    fn chunks(
        &self,
        number: u64,
        progress: Arc<Progress>,
    ) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        let queue = Arc::clone(&self.queue);
        stream::unfold(0, move |index| {
            let (queue, progress) = (Arc::clone(&queue), Arc::clone(&progress));
            async move {
                let next = {
                    let _waiting = progress.wait_for_encoder();
                    queue.wait_next(number, index).await
                };
                match next {
                    Next::Chunk(chunk) => Some((Ok(chunk), index + 1)),
                    Next::End | Next::Pending => None,
                    // An error breaks the request off, so that the receiver knows that it is not whole.
                    Next::Broken => Some((Err(std::io::Error::other("segment given up")), index)),
                }
            }
        })
    }

    fn url(&self, object: &str) -> Url {
        let mut url = self.options.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(self.stats.name().split('/'))
                .push(object);
        }
        url
    }
}

/// Whether a URL's host is this machine: 127.0.0.0/8, `::1`, `localhost` or a name below it (RFC 6761, 6.3).
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

async fn check(answer: reqwest::Result<reqwest::Response>) -> Result<(), Failure> {
    let mut answer = answer.map_err(|error| {
        let failure = if error.is_connect() {
            Failure::Unreachable
        } else {
            Failure::Http
        };
        failure(innermost(&error))
    })?;
    let status = answer.status();
    // Read to the end, so that the connection can be used again; an answer that goes on and on is cut off.
    let mut text = Vec::new();
    while let (true, Ok(Some(part))) = (text.len() < MAX_ANSWER, answer.chunk().await) {
        text.extend_from_slice(&part);
    }
    if status.is_success() {
        return Ok(());
    }
    let text: String = String::from_utf8_lossy(&text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    let text = if text.is_empty() {
        text
    } else {
        format!(": {text}")
    };
    Err(Failure::Refused(status, text))
}

/// The message at the bottom of an error's chain: the ones above it only say that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Tells a receiver that takes nothing from an encoder that has nothing to give.
struct Progress {
    waiting: AtomicBool,
    last: Mutex<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self {
            waiting: AtomicBool::new(false),
            last: Mutex::new(Instant::now()),
        }
    }

    /// While the guard lives, it is the encoder that the request waits for.
    fn wait_for_encoder(&self) -> Waiting<'_> {
        self.waiting.store(true, Relaxed);
        Waiting(self)
    }

    /// Returns once the receiver has taken nothing for so long.
    async fn stalled(&self, limit: Duration) {
        loop {
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = self.waiting.load(Relaxed);
            if !waiting && last.elapsed() >= limit {
                return;
            }
            let until = if waiting {
                Instant::now() + limit / 4
            } else {
                last + limit
            };
            tokio::time::sleep_until(until).await;
        }
    }
}

struct Waiting<'a>(&'a Progress);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.waiting.store(false, Relaxed);
    }
}

/// Protocol version header of DASH-IF Live Media Ingest.
const INGEST: (&str, &str) = ("dash-if-ingest", "1.1");
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);
const MAX_ANSWER: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("127.8.9.10", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost", true),
            ("LocalHost.:80", true),
            ("origin.localhost", true),
            ("128.0.0.1", false),
            ("[::2]", false),
            ("localhost.example", false),
            ("notlocalhost", false),
        ] {
            let url = Url::parse(&format!("http://{host}/ingest/demo")).unwrap();
            assert_eq!(is_loopback(&url), expected, "{host}");
        }
    }
}
