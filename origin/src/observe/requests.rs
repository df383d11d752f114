//! How many requests of each route there were, how they ended, and how long they took.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// What a request is for: as many as there are, and no more, whatever paths are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub(crate) enum Route {
    /// A push.
    Ingest,
    /// A multivariant playlist.
    Multivariant,
    /// A media playlist.
    Playlist,
    /// An MPD, or a patch of one.
    Manifest,
    /// A segment, a part or an init segment.
    Media,
    /// All that operators and probes ask for.
    Admin,
    /// All else.
    Other,
}

impl Route {
    const ALL: [Self; 7] = [
        Self::Ingest,
        Self::Multivariant,
        Self::Playlist,
        Self::Manifest,
        Self::Media,
        Self::Admin,
        Self::Other,
    ];

    /// The route of a path.
    fn of(path: &str) -> Self {
        let mut names = path.strip_prefix('/').unwrap_or(path).split('/');
        match names.next() {
            Some("ingest") => Self::Ingest,
            Some("live") => {
                let below_channel = names.skip(1).count();
                match path.rsplit_once('.').map(|(_, extension)| extension) {
                    Some("m3u8") if below_channel > 1 => Self::Playlist,
                    Some("m3u8") => Self::Multivariant,
                    Some("mpd" | "mpp") => Self::Manifest,
                    _ if below_channel > 1 => Self::Media,
                    _ => Self::Other,
                }
            }
            Some("metrics" | "healthz" | "readyz" | "channels" | "creatives" | "ops" | "openapi.json") => {
                Self::Admin
            }
            _ => Self::Other,
        }
    }

    /// Its name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Multivariant => "multivariant",
            Self::Playlist => "playlist",
            Self::Manifest => "manifest",
            Self::Media => "media",
            Self::Admin => "admin",
            Self::Other => "other",
        }
    }
}

/// For how long an answer was held back until there was something to say: an extension of the response. It counts
/// apart, for a player that waits for a part is served well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held(pub(crate) Duration);

/// The counts of all routes.
#[derive(Debug, Default)]
pub(crate) struct Requests([Counts; Route::ALL.len()]);

/// The counts of one route.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By the status' first digit, from 1.
    pub(super) by_class: [AtomicU64; 5],
    /// Not answered yet.
    pub(super) under_way: AtomicU64,
    /// From the request's head to the answer's, less what it was held.
    pub(super) service: Histogram,
    /// What answers were held.
    pub(super) held: Histogram,
}

/// How often something took how long.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// One more than there are bounds: the last for what took longer than all.
    pub(super) buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

/// Upper bounds in seconds.
pub(super) const BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

impl Requests {
    pub(super) fn each(&self) -> impl Iterator<Item = (Route, &Counts)> {
        Route::ALL.into_iter().zip(&self.0)
    }

    fn of(&self, route: Route) -> Option<&Counts> {
        self.0.get(route as usize)
    }
}

impl Histogram {
    fn record(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// All times together, in seconds.
    pub(super) fn sum(&self) -> f64 {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// Counts every request of a router.
#[derive(Clone, Debug)]
pub(crate) struct Counting(pub(crate) Arc<super::Observed>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            observed: Arc::clone(&self.0),
        }
    }
}

/// A service whose requests are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S> {
    inner: S,
    observed: Arc<super::Observed>,
}

impl<S> Service<Request> for Counted<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Answering<S::Future> {
        let route = Route::of(request.uri().path());
        let under_way = UnderWay::new(Arc::clone(&self.observed), route);
        Answering {
            answer: self.inner.call(request),
            under_way,
        }
    }
}

pin_project! {
    /// The answer to a request that is counted.
    pub(crate) struct Answering<F> {
        #[pin]
        answer: F,
        under_way: UnderWay,
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(context));
        if let Ok(answer) = &answer {
            let held = answer.extensions().get::<Held>().map(|Held(time)| *time);
            this.under_way.ended(answer.status(), held);
        }
        Poll::Ready(answer)
    }
}

/// A request in the count of those that are not answered yet, for as long as it lives: peers may go away first.
pub(crate) struct UnderWay {
    observed: Arc<super::Observed>,
    route: Route,
    since: Instant,
}

impl UnderWay {
    pub(crate) fn new(observed: Arc<super::Observed>, route: Route) -> Self {
        let under_way = Self {
            observed,
            route,
            since: Instant::now(),
        };
        if let Some(counts) = under_way.counts() {
            counts.under_way.fetch_add(1, Ordering::Relaxed);
        }
        under_way
    }

    fn counts(&self) -> Option<&Counts> {
        self.observed.requests.of(self.route)
    }

    /// Counts the answer, which was held for so long until there was something to say.
    pub(crate) fn ended(&self, status: StatusCode, held: Option<Duration>) {
        let Some(counts) = self.counts() else { return };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = counts.by_class.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        counts
            .service
            .record(self.since.elapsed().saturating_sub(held.unwrap_or_default()));
        if let Some(held) = held {
            counts.held.record(held);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(counts) = self.counts() {
            counts.under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_route() {
        for (path, route) in [
            ("/ingest/c/v/1.m4s", Route::Ingest),
            ("/live/c/index.m3u8", Route::Multivariant),
            ("/live/c/v/index.m3u8", Route::Playlist),
            ("/live/c/v/iframes.m3u8", Route::Playlist),
            ("/live/c/manifest.mpd", Route::Manifest),
            ("/live/c/v/0-1.m4s", Route::Media),
            ("/live/c/v/0-1.3.m4s", Route::Media),
            ("/live/c", Route::Other),
            ("/metrics", Route::Admin),
            ("/channels/c", Route::Admin),
            ("/", Route::Other),
            ("", Route::Other),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
        for (place, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(place, route as usize);
        }
    }

    #[test]
    fn a_time_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for ms in [0, 1, 2, 10_000, 11_000] {
            histogram.record(Duration::from_millis(ms));
        }
        let counts = histogram
            .buckets
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert!((histogram.sum() - 21.003).abs() < 1e-9);
    }
}
