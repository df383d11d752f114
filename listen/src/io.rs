//! A socket that gives up on a peer that does nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What an HTTP/2 connection begins with (RFC 9113 §3.4). Until a peer has sent something else, or all of it, no
/// timer of hyper's runs yet.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Ends a connection whose peer says nothing at its start, or takes nothing of what is written to it.
#[derive(Debug)]
pub(crate) struct Impatient<S> {
    stream: S,
    opening: Opening,
    /// Runs while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
}

/// How a connection begins.
#[derive(Debug)]
enum Opening {
    /// So many bytes of the preface have come; there is an end to waiting for more.
    Preface { matched: usize, until: Pin<Box<Sleep>> },
    /// The version of HTTP is known, and that version's own timers run.
    Over,
}

impl<S> Impatient<S> {
    /// Gives the peer `opening` to say which HTTP it speaks, and `patience` to take any byte of what is written.
    pub(crate) fn new(stream: S, opening: Duration, patience: Duration) -> Self {
        let opening = Opening::Preface {
            matched: 0,
            until: Box::pin(sleep(opening)),
        };
        Self {
            stream,
            opening,
            stalled: None,
            patience,
        }
    }

    /// Passes on what a write came to, and ends one that has waited for too long.
    fn progress<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if let Opening::Preface { matched, until } = &mut this.opening {
            if read.is_pending() {
                ready!(until.as_mut().poll(context));
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the peer says nothing",
                )));
            }
            let new = buffer.filled().get(before..).unwrap_or_default();
            let expected = PREFACE.get(*matched..).unwrap_or_default();
            *matched += new.len();
            if *matched >= PREFACE.len() || !expected.starts_with(new) {
                this.opening = Opening::Over;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.progress(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS says goodbye with bytes of its own.
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.progress(context, shut)
    }
}
