//! Whether a connection is bringing a body just now.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// How many bodies a connection is bringing: a count that its socket and its requests share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receiving(Arc<AtomicUsize>);

impl Receiving {
    /// Counts a body until it has come to its end, or nobody wants more of it.
    pub(crate) fn count(&self, body: Incoming) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted {
            body,
            count: Some(self.clone()),
        }
    }

    /// Whether there is any.
    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A body that counts for as long as more of it may come.
#[derive(Debug)]
pub(crate) struct Counted {
    body: Incoming,
    count: Option<Receiving>,
}

impl Counted {
    fn release(&mut self) {
        if let Some(count) = self.count.take() {
            count.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.release();
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

impl Drop for Counted {
    fn drop(&mut self) {
        self.release();
    }
}
