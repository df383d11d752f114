//! A socket that gives up on a peer that does nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::traffic::Traffic;

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a peer may do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until a header is whole: from the connection's start, or from the end of the answer before.
    pub(crate) header: Duration,
    /// While something is written to it.
    pub(crate) write: Duration,
}

/// Ends a connection whose peer sends no whole header, or takes nothing of what is written to it.
#[derive(Debug)]
pub(crate) struct Impatient<S> {
    stream: S,
    traffic: Traffic,
    patience: Patience,
    speaks: Speaks,
    /// Since when the peer owes a header: from the connection's start, or from the last byte of the answer before.
    owes: Instant,
    alarm: Alarm,
    /// Runs while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The version of HTTP.
#[derive(Debug)]
enum Speaks {
    /// So many bytes of the preface have come.
    Unknown {
        matched: usize,
    },
    Http1,
    /// Has timers of its own, and no header that ends for good.
    Http2,
}

/// A timer that may go off too early, and is then set anew.
///
/// Almost every header comes in time, so the time by which it is due is moved with each request, thousands of times
/// before the first alarm. To set a timer each time would cost more than the rest of what watches a connection.
#[derive(Debug)]
struct Alarm {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
    /// The task that polls is woken by it. A connection lives in one task.
    is_set: bool,
}

impl Alarm {
    fn new(at: Instant) -> Self {
        Self {
            at,
            sleep: Box::pin(sleep_until(at)),
            is_set: false,
        }
    }

    /// Ready once `due` is past; else the task is woken some time before that, or then.
    fn poll(&mut self, context: &mut Context<'_>, now: Instant, due: Instant) -> Poll<()> {
        if self.is_set && now < self.at {
            return Poll::Pending;
        }
        loop {
            self.is_set = true;
            ready!(self.sleep.as_mut().poll(context));
            if now >= due || Instant::now() >= due {
                return Poll::Ready(());
            }
            self.at = due;
            self.sleep.as_mut().reset(due);
        }
    }
}

impl<S> Impatient<S> {
    /// A connection that begins now.
    pub(crate) fn new(stream: S, traffic: Traffic, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            stream,
            traffic,
            patience,
            speaks: Speaks::Unknown { matched: 0 },
            owes: now,
            alarm: Alarm::new(now + patience.header),
            stalled: None,
        }
    }

    /// Looks at the first bytes for the version of HTTP.
    fn begins(&mut self, new: &[u8]) {
        let Speaks::Unknown { matched } = &mut self.speaks else {
            return;
        };
        let expected = PREFACE.get(*matched..).unwrap_or_default();
        *matched += new.len();
        if !expected.starts_with(new.get(..expected.len()).unwrap_or(new)) {
            self.speaks = Speaks::Http1;
        } else if *matched >= PREFACE.len() {
            self.speaks = Speaks::Http2;
        }
    }

    /// Ready when the peer has owed a header for too long.
    fn overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_busy = self.traffic.is_answering() || self.stalled.is_some();
        if is_busy || matches!(self.speaks, Speaks::Http2) {
            return Poll::Pending;
        }
        self.alarm
            .poll(context, Instant::now(), self.owes + self.patience.header)
    }

    /// Passes on what the write of an answer came to. Nothing may be read until the peer sends something, so the alarm
    /// is looked after here.
    fn answered(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() && !matches!(self.speaks, Speaks::Http2) {
            self.owes = Instant::now();
            // Not due yet: it is only set.
            let _ = self
                .alarm
                .poll(context, self.owes, self.owes + self.patience.header);
        }
        self.progress(context, written)
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
        let patience = self.patience.write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(late("the peer takes nothing")))
    }
}

fn late(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, reason)
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
        if read.is_pending() {
            ready!(this.overdue(context));
            return Poll::Ready(Err(late("the peer sent no whole header")));
        }
        this.begins(buffer.filled().get(before..).unwrap_or_default());
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
        self.answered(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.answered(context, written)
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
