//! A bounded HTTP listener for an axum router: HTTP/1.1 and HTTP/2 on one port, in the clear or over TLS, with a cap
//! on connections, on handshakes, on headers and on the time that a header may take, and a graceful stop.
//!
//! axum's own `serve` has none of these bounds. A server that faces encoders and players needs each: without
//! them ten thousand idle connections, or one header that never ends, take the memory of the channels on air.

#![forbid(unsafe_code)]

mod connection;
mod handshake;
mod io;
mod peer;
mod socket;
mod tls;
mod traffic;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::ServiceExt as _;

use crate::{connection::Connection, handshake::Handshakes};
pub use crate::{
    peer::{Peer, Protocol, TlsFacts},
    tls::{Clients, Demand, Error as TlsError, Tls, TlsFiles},
};

/// What a listener takes at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Open connections; one more is closed at once, so that its peer tries elsewhere rather than waits.
    pub connections: usize,
    /// TLS handshakes under way; one more ends the oldest. Below `connections`, so that peers who never end theirs
    /// cannot take every place.
    pub handshakes: usize,
    /// How long a TLS handshake may take.
    pub handshake_time: Duration,
    /// All headers of a request together, in bytes. A longer one is answered 431.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_fields: usize,
    /// How long a connection may take to send a whole header, and how long it may stay idle.
    pub header_time: Duration,
    /// How long a peer may take nothing of an answer. Each byte that it takes begins the time anew.
    pub write_time: Duration,
    /// How long requests that are under way may take to end once a stop was asked for.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            handshakes: 1024,
            handshake_time: Duration::from_secs(10),
            header_bytes: 64 << 10,
            header_fields: 128,
            header_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(10),
        }
    }
}

/// What answers the requests of a listener: a router, or something before it that answers some by itself.
pub trait Answers: Clone + Send + Sync + 'static {
    /// The answer to a request of that peer.
    fn answer(&self, request: Request, peer: &Peer) -> impl Future<Output = Response> + Send + use<Self>;
}

/// Its requests carry their connection's other end, as a [`Peer`] and as axum's [`ConnectInfo`].
impl Answers for Router {
    fn answer(&self, mut request: Request, peer: &Peer) -> impl Future<Output = Response> + Send + use<> {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(peer.address));
        extensions.insert(peer.clone());
        let answer = self.clone().oneshot(request);
        async move { answer.await.unwrap_or_else(|never| match never {}) }
    }
}

/// Serves what `answers` until `stop` completes; then takes no new connection, lets requests under way end within
/// [`Limits::drain_time`], and returns.
pub async fn serve<A: Answers>(
    listener: TcpListener,
    answers: A,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    accept(listener, None, answers, limits, stop).await;
}

/// The same over TLS, with the certificate that `tls` has in force when a connection begins. HTTP/2 is offered first.
///
/// A request that comes without TLS is answered 400, so that whoever wrote `http` for `https` learns of it.
pub async fn serve_tls<A: Answers>(
    listener: TcpListener,
    tls: Tls,
    answers: A,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let tls = Arc::new(tls);
    tokio::select! {
        () = accept(listener, Some(&tls), answers, limits, stop) => {}
        // Never ends by itself.
        () = tls.follow() => {}
    }
}

async fn accept<A: Answers>(
    listener: TcpListener,
    tls: Option<&Arc<Tls>>,
    answers: A,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let server = Arc::new(Server {
        builder: builder(limits),
        answers,
        tls: tls.cloned(),
        handshakes: Handshakes::new(limits.handshakes),
        failed_handshakes: Told::default(),
        limits,
    });
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    let (refused, failed) = (Told::default(), Told::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or the peer gave up: neither is a reason to stop serving the others.
                if let Some(count) = failed.one_more() {
                    tracing::warn!(%error, count, "connections could not be accepted");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            if let Some(count) = refused.one_more() {
                tracing::warn!(limit = limits.connections, count, "too many connections: closed");
            }
            continue;
        };
        // Chunks of a live segment are small and late ones are worth nothing: no waiting for more to send with them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "socket options");
        }
        let connection = Connection {
            address,
            server: Arc::clone(&server),
            watcher: graceful.watcher(),
        };
        tokio::spawn(async move {
            connection.run(stream).await;
            drop(permit);
        });
    }
    drop(listener);
    server.handshakes.end();
    if tokio::time::timeout(limits.drain_time, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::info!("connections that did not end in time were closed");
    }
}

/// What all connections of a listener share.
struct Server<A> {
    builder: Builder<TokioExecutor>,
    answers: A,
    /// `None` where connections are not encrypted.
    tls: Option<Arc<Tls>>,
    handshakes: Handshakes,
    failed_handshakes: Told,
    limits: Limits,
}

/// What happens too often to be told each time: a flood must not fill the log.
#[derive(Debug, Default)]
struct Told(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    count: u64,
    last: Option<Instant>,
}

impl Told {
    /// Counts one more; once a second at most, says how many there are to tell of.
    fn one_more(&self) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.count += 1;
        let due = untold
            .last
            .is_none_or(|last| last.elapsed() >= Duration::from_secs(1));
        due.then(|| {
            untold.last = Some(Instant::now());
            std::mem::take(&mut untold.count)
        })
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.header_fields);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_time)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(256);
    builder
}

#[cfg(test)]
mod tests {
    use axum::{extract::ConnectInfo, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
    };

    use super::*;

    async fn start(
        limits: Limits,
    ) -> (
        std::net::SocketAddr,
        oneshot::Sender<()>,
        tokio::task::JoinHandle<()>,
    ) {
        let router = Router::new().route("/", get(|| async { "here" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, router, limits, async {
            let _ = stopped.await;
        }));
        (address, stop, server)
    }

    #[tokio::test]
    async fn a_request_knows_its_connections_other_end() {
        let router = Router::new().route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>| async move { peer.to_string() }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, Limits::default(), std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let own = stream.local_addr().unwrap().to_string();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&own), "{answer}");
    }

    async fn exchange(address: std::net::SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may answer and close before everything is written.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_header_of_a_megabyte_is_refused_and_the_next_request_is_served() {
        let (address, _stop, _server) = start(Limits::default()).await;
        let huge = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
        let answer = exchange(address, huge.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
        let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_connection_beyond_the_cap_is_closed_at_once_and_those_within_live_on() {
        let (address, _stop, _server) = start(Limits {
            connections: 2,
            ..Limits::default()
        })
        .await;
        let mut within = TcpStream::connect(address).await.unwrap();
        let _idle = TcpStream::connect(address).await.unwrap();
        // Both hold their permits once the first was answered.
        within
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 15];
        within.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(answer, "");
        within
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut rest = String::new();
        within.read_to_string(&mut rest).await.unwrap();
        assert!(rest.ends_with("here"));
    }

    #[tokio::test]
    async fn a_header_that_never_ends_is_cut_off() {
        let limits = Limits {
            header_time: Duration::from_millis(50),
            ..Limits::default()
        };
        let (address, _stop, _server) = start(limits).await;
        let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: h\r\nX: ").await;
        assert!(!answer.contains("200"), "{answer}");
    }

    #[tokio::test]
    async fn who_asks_nothing_more_after_an_answer_is_cut_off() {
        let limits = Limits {
            header_time: Duration::from_millis(50),
            ..Limits::default()
        };
        let (address, _stop, _server) = start(limits).await;
        for more in [b"".as_slice(), b"GET / HTTP/1.1\r\nHost:"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for _ in 0..3 {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                    .await
                    .unwrap();
            }
            stream.write_all(more).await.unwrap();
            let mut answers = Vec::new();
            let _ = stream.read_to_end(&mut answers).await;
            let answers = String::from_utf8(answers).unwrap();
            assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
            assert!(answers.ends_with("here"), "closed without a word: {answers}");
        }
    }

    #[tokio::test]
    async fn a_long_answer_and_a_long_body_are_no_silence_of_the_peer() {
        let limits = Limits {
            header_time: Duration::from_millis(50),
            ..Limits::default()
        };
        let pause = Duration::from_millis(200);
        let slow = move || async move {
            tokio::time::sleep(pause).await;
            let (mut pieces, body) = tokio::io::duplex(64);
            tokio::spawn(async move {
                for piece in [b"slow", b"ly, ", b"done"] {
                    pieces.write_all(piece).await.unwrap();
                    tokio::time::sleep(pause).await;
                }
            });
            axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(body))
        };
        let router = Router::new()
            .route("/", get(slow))
            .route("/taken", axum::routing::put(|body: String| async { body }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, limits, std::future::pending()));

        let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("slow") && answer.contains("done"), "{answer}");
        assert!(
            answer.ends_with("0\r\n\r\n"),
            "and then the peer was silent: {answer}"
        );

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"PUT /taken HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nta")
            .await
            .unwrap();
        tokio::time::sleep(pause).await;
        stream.write_all(b"ke").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("take"), "{answer}");
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_or_half_a_preface_makes_room_again() {
        let limits = Limits {
            connections: 2,
            header_time: Duration::from_millis(50),
            ..Limits::default()
        };
        let (address, _stop, _server) = start(limits).await;
        for opening in [b"".as_slice(), b"PRI * HTTP"] {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(opening).await.unwrap();
            let mut end = Vec::new();
            let _ = silent.read_to_end(&mut end).await;
            assert!(end.is_empty(), "closed without a word");
        }
    }

    #[tokio::test]
    async fn a_viewer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let limits = Limits {
            write_time: Duration::from_millis(200),
            ..Limits::default()
        };
        let router = Router::new().route("/", get(|| async { vec![7_u8; 32 << 20] }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, limits, std::future::pending()));
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(request).await.unwrap();
        let mut taken = 0;
        let mut piece = vec![0; 4 << 20];
        loop {
            match slow.read(&mut piece).await.unwrap() {
                0 => break,
                length => taken += length,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(taken > 32 << 20, "all of it, and its header");

        let mut stuck = TcpStream::connect(address).await.unwrap();
        stuck.write_all(request).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut rest = Vec::new();
        let _ = stuck.read_to_end(&mut rest).await;
        assert!(rest.len() < 32 << 20, "what was in flight, and no more");
    }

    #[tokio::test]
    async fn a_stop_ends_the_listener() {
        let (address, stop, server) = start(Limits::default()).await;
        stop.send(()).unwrap();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
