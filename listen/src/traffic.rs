//! What a connection is doing just now.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use http_body::{Frame, SizeHint};
use hyper::Response as Answer;

/// The bodies that a connection is bringing and the requests that it is waiting for: counts that its socket and its
/// requests share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    coming: AtomicUsize,
    answering: AtomicUsize,
}

impl Traffic {
    /// Counts a body that comes until it has come to its end, or nobody wants more of it.
    pub(crate) fn coming<B>(&self, body: B) -> Counted<B> {
        Counted::new(self, |counts| &counts.coming, body)
    }

    /// Whether a body is coming.
    pub(crate) fn is_bringing(&self) -> bool {
        self.0.coming.load(Ordering::Relaxed) > 0
    }

    /// Counts a request until its answer is there.
    pub(crate) fn answering(&self) -> Counted<()> {
        Counted::new(self, |counts| &counts.answering, ())
    }

    /// Whether an answer is awaited, or in the middle of it.
    pub(crate) fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }
}

/// A body, or a request, that counts for as long as it goes on.
#[derive(Debug)]
pub(crate) struct Counted<B> {
    body: B,
    count: Option<Count>,
}

/// One in a count.
#[derive(Debug)]
struct Count {
    of: Traffic,
    which: fn(&Counts) -> &AtomicUsize,
}

impl Drop for Count {
    fn drop(&mut self) {
        (self.which)(&self.of.0).fetch_sub(1, Ordering::Relaxed);
    }
}

impl<B> Counted<B> {
    fn new(traffic: &Traffic, which: fn(&Counts) -> &AtomicUsize, body: B) -> Self {
        which(&traffic.0).fetch_add(1, Ordering::Relaxed);
        let of = traffic.clone();
        Self {
            body,
            count: Some(Count { of, which }),
        }
    }
}

impl Counted<()> {
    /// The answer, which goes on counting until its end.
    pub(crate) fn answered(self, answer: Response) -> Answer<Counted<Body>> {
        let count = self.count;
        answer.map(|body| Counted { body, count })
    }
}

impl<B> HttpBody for Counted<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.count = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
