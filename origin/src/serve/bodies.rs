//! Bodies that are not the connection's own: inflated ones, and ones that other tasks feed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::Error;
use crate::ingest::Inflate;

/// The body as its sender meant it: without its content coding.
///
/// # Errors
/// [`Error::Unsupported`] for a coding that is not taken, and the body.
pub(super) fn decoded(headers: &HeaderMap, body: Body) -> Result<Body, (Body, Error)> {
    let mut body = body;
    for coding in headers.get_all(CONTENT_ENCODING) {
        let coding = coding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        body = match coding.as_str() {
            "" | "identity" => body,
            "gzip" | "x-gzip" => Body::new(Inflated {
                body,
                inflate: Some(Inflate::new()),
                ready: VecDeque::new(),
            }),
            _ => {
                let reason =
                    format!("content coding {coding:?} is not taken: send the body as it is, or with gzip");
                return Err((body, Error::Unsupported { reason }));
            }
        };
    }
    Ok(body)
}

/// A gzip body, inflated as it comes.
struct Inflated {
    body: Body,
    /// Gone once the end was reached.
    inflate: Option<Inflate>,
    ready: VecDeque<Bytes>,
}

impl HttpBody for Inflated {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(inflate) = &mut this.inflate else {
                return Poll::Ready(None);
            };
            let inflated = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => inflate.push(&bytes, &mut this.ready),
                    Err(_) => Ok(()),
                },
                Some(Err(error)) => {
                    this.inflate = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => this
                    .inflate
                    .take()
                    .map_or(Ok(()), |inflate| inflate.finish(&mut this.ready)),
            };
            if let Err(error) = inflated {
                this.inflate = None;
                this.ready.clear();
                return Poll::Ready(Some(Err(axum::Error::new(error))));
            }
        }
    }
}

/// A body that is fed by whoever holds the sender. It ends when that is dropped, and breaks off with an error.
pub(super) fn fed() -> (Feed, Body) {
    let (feed, fed) = mpsc::channel(WAITING);
    (feed, Body::new(Fed(fed)))
}

pub(super) type Feed = mpsc::Sender<Result<Bytes, Error>>;

struct Fed(mpsc::Receiver<Result<Bytes, Error>>);

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let fed = ready!(self.0.poll_recv(context));
        Poll::Ready(fed.map(|fed| fed.map(Frame::data)))
    }
}

/// What a body came to that broke off: what its own adapter says, or nothing more than that.
pub(super) fn broken(error: axum::Error, received: u64) -> Error {
    match error.into_inner().downcast::<Error>() {
        Ok(own) => *own,
        Err(other) => match other.downcast::<axum::Error>() {
            Ok(inner) => broken(*inner, received),
            Err(_) => Error::BrokenBody { received },
        },
    }
}

/// Pieces that wait between the two tasks.
const WAITING: usize = 16;
