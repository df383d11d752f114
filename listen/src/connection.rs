//! One accepted connection, from its first byte to its last.

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::body::{Body, HttpBody as _};
use hyper::{Method, Request, body::Incoming, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::Watcher};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    Answers, Server, Tls,
    io::{Impatient, Patience},
    peer::Peer,
    socket::Socket,
    traffic::Traffic,
};

/// A connection that was accepted and holds its place among the others.
pub(crate) struct Connection<A> {
    pub(crate) address: SocketAddr,
    pub(crate) server: Arc<Server<A>>,
    /// Told when the listener stops.
    pub(crate) watcher: Watcher,
}

impl<A: Answers> Connection<A> {
    pub(crate) async fn run(self, stream: TcpStream) {
        let traffic = Traffic::default();
        let socket = Socket::new(stream, traffic.clone());
        let Some(tls) = self.server.tls.clone() else {
            let peer = Peer {
                address: self.address,
                tls: None,
            };
            return self.speak(socket, peer, traffic).await;
        };
        // Boxed, as what is large and ends soon: a connection keeps room for its largest moment to its end.
        let hands = Box::pin(timeout(self.server.limits.handshake_time, shake(&tls, socket)));
        match self.server.handshakes.shake(hands).await {
            Some(Ok(Ok(Shaken::Tls(stream, peer_tls)))) => {
                let peer = Peer {
                    address: self.address,
                    tls: Some(peer_tls),
                };
                self.speak(stream, peer, traffic).await;
            }
            Some(Ok(Ok(Shaken::Plain(socket)))) => {
                self.told("no TLS: the peer sent a request in the clear");
                // Who does not take the answer is not waited for.
                let _ = timeout(GOODBYE, Box::pin(explain(socket))).await;
            }
            Some(Ok(Err(error))) => self.told(&error.to_string()),
            Some(Err(_)) => self.told("it took too long"),
            None => self.told("it had to make room"),
        }
    }

    /// A handshake that came to nothing: an operator wants to know of a client whose certificate is refused, and
    /// nobody of each port scan.
    fn told(&self, error: &str) {
        if let Some(count) = self.server.failed_handshakes.one_more() {
            tracing::info!(peer = %self.address, error, count, "handshakes came to nothing");
        }
    }

    /// Serves requests until the peer ends the connection, or the listener.
    fn speak<S>(self, stream: S, peer: Peer, traffic: Traffic) -> Pin<Box<impl Future<Output = ()> + Send>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.server.limits;
        let patience = Patience {
            header: limits.header_time,
            write: limits.write_time,
        };
        let stream = Impatient::new(stream, traffic.clone(), patience);
        let server = Arc::clone(&self.server);
        // Counted in the call itself and not in the future that it gives: hyper looks for the body before it first
        // polls that.
        let service = service_fn(move |request: Request<Incoming>| {
            let brings = matches!(*request.method(), Method::PUT | Method::POST);
            let request = request.map(|body| match brings {
                true => Body::new(traffic.coming(body)),
                // The many, who bring nothing: that needs no box.
                false if body.is_end_stream() => Body::empty(),
                false => Body::new(body),
            });
            let answering = traffic.answering();
            let answer = server.answers.answer(request, &peer);
            async move { Ok::<_, Infallible>(answering.answered(answer.await)) }
        });
        let connection = self
            .server
            .builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = self.watcher.watch(connection);
        Box::pin(async move {
            if let Err(error) = watched.await {
                // Peers that go away or speak nonsense: their business, of interest in detail only.
                tracing::debug!(%error, "connection ended");
            }
        })
    }
}

/// What the first bytes of a connection came to.
enum Shaken {
    Tls(Box<tokio_rustls::server::TlsStream<Socket>>, Arc<crate::TlsFacts>),
    /// A request of HTTP, not encrypted.
    Plain(Socket),
}

async fn shake(tls: &Tls, socket: Socket) -> io::Result<Shaken> {
    // A record of TLS begins with its type, 22 for a handshake; a request begins with a method.
    if socket
        .first_byte()
        .await?
        .is_some_and(|byte| byte.is_ascii_uppercase())
    {
        return Ok(Shaken::Plain(socket));
    }
    let (stream, facts) = tls.accept(socket).await?;
    Ok(Shaken::Tls(Box::new(stream), Arc::new(facts)))
}

/// Answers a request that came in the clear.
async fn explain(mut socket: Socket) -> io::Result<()> {
    socket.write_all(IN_THE_CLEAR).await?;
    socket.shutdown().await?;
    // What was sent and not read would make the kernel end the connection before the peer has the answer.
    let mut rest = socket.take(64 << 10);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

const IN_THE_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: application/problem+json\r\n\
    Content-Length: 109\r\n\
    Cache-Control: no-store\r\n\
    Connection: close\r\n\r\n\
    {\"type\":\"urn:selvedge:error:tls-required\",\"title\":\"This port speaks TLS: use https in the URL.\",\"status\":400}";

/// How long a peer that is answered in the clear may take to go away.
const GOODBYE: Duration = Duration::from_secs(1);
