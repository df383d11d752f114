//! The bounded queue between a track's encoder, which never waits, and its sender, which may have to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use selvedge_watermark::pace::PaceInfo;
use tokio::sync::Notify;

use crate::{cmaf::Sink, stats::TrackStats};

/// What a sender finds when it asks for a chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    Chunk(Bytes),
    /// The segment is complete.
    End,
    /// The segment will never be complete.
    Broken,
    /// Nothing yet.
    Pending,
}

/// A segment that is to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Taken {
    pub(crate) number: u64,
    /// The init segment that it needs; empty where another track sends it.
    pub(crate) init: Bytes,
    /// What the origin is told of its variant.
    pub(crate) pace: Option<PaceInfo>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    init: Bytes,
    pace: Option<PaceInfo>,
    chunks: Vec<Bytes>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    Complete,
    Broken,
}

#[derive(Debug, Default)]
struct Inner {
    init: Bytes,
    segments: VecDeque<Segment>,
    /// The segment that is being sent: it is never dropped from under its sender.
    sending: Option<u64>,
    closed: bool,
}

/// The queue of one track.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
    capacity: usize,
    stats: Arc<TrackStats>,
}

impl Queue {
    pub(crate) fn new(capacity: usize, stats: Arc<TrackStats>) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            changed: Notify::new(),
            capacity: capacity.max(1),
            stats,
        })
    }

    /// Waits for a segment to send and marks it as being sent; nothing when the track is over.
    pub(crate) async fn take(&self) -> Option<Taken> {
        loop {
            let changed = self.changed.notified();
            {
                let mut inner = self.lock();
                if let Some(segment) = inner.segments.front() {
                    let taken = Taken {
                        number: segment.number,
                        init: segment.init.clone(),
                        pace: segment.pace,
                    };
                    inner.sending = Some(taken.number);
                    return Some(taken);
                }
                if inner.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// The oldest segment may be dropped again, for it is not being sent.
    pub(crate) fn put_back(&self) {
        self.lock().sending = None;
    }

    /// Forgets a segment that was sent or given up.
    pub(crate) fn finish(&self, number: u64) {
        let mut inner = self.lock();
        inner.sending = None;
        inner.segments.retain(|segment| segment.number != number);
        self.stats.queued(inner.segments.len());
    }

    /// What comes at place `index` of a segment.
    pub(crate) fn next(&self, number: u64, index: usize) -> Next {
        let inner = self.lock();
        let Some(segment) = inner.segments.iter().find(|segment| segment.number == number) else {
            return Next::Broken;
        };
        match (segment.chunks.get(index), segment.state) {
            (_, State::Broken) => Next::Broken,
            (Some(chunk), _) => Next::Chunk(chunk.clone()),
            (None, State::Complete) => Next::End,
            (None, State::Open) => Next::Pending,
        }
    }

    /// Waits until [`Queue::next`] has more to say than [`Next::Pending`].
    pub(crate) async fn wait_next(&self, number: u64, index: usize) -> Next {
        loop {
            let changed = self.changed.notified();
            match self.next(number, index) {
                Next::Pending => changed.await,
                next => return next,
            }
        }
    }

    fn edit(&self, edit: impl FnOnce(&mut Inner)) {
        edit(&mut self.lock());
        // All listeners, for the body of a broken request may still listen beside the one that counts. None is missed:
        // they start to listen before they look.
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The encoder's end of a track's queue. Dropping it ends the track: what is queued is still sent.
#[derive(Debug)]
pub struct QueueSink {
    queue: Arc<Queue>,
}

impl QueueSink {
    pub(crate) const fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    fn open(&self, number: u64, pace: Option<PaceInfo>) {
        let mut dropped = 0;
        self.queue.edit(|inner| {
            let segment = Segment {
                number,
                init: inner.init.clone(),
                pace,
                chunks: Vec::new(),
                state: State::Open,
            };
            inner.segments.push_back(segment);
            // One segment is being sent or filled; `capacity` more may wait.
            while inner.segments.len() > self.queue.capacity + 1 {
                let oldest = inner
                    .segments
                    .iter()
                    .position(|segment| Some(segment.number) != inner.sending);
                let Some(oldest) = oldest.filter(|oldest| oldest + 1 < inner.segments.len()) else {
                    break;
                };
                inner.segments.remove(oldest);
                dropped += 1;
            }
            self.queue.stats.queued(inner.segments.len());
        });
        for _ in 0..dropped {
            self.queue.stats.lost();
        }
        if dropped > 0 {
            tracing::warn!(
                track = self.queue.stats.name(),
                dropped,
                "receiver too slow or away, oldest segment dropped"
            );
        }
    }

    fn settle(&self, state: State) {
        self.queue.edit(|inner| {
            if let Some(segment) = inner
                .segments
                .back_mut()
                .filter(|segment| segment.state == State::Open)
            {
                segment.state = state;
            }
        });
    }
}

impl Sink for QueueSink {
    fn init(&mut self, init: Bytes) {
        self.queue.edit(|inner| inner.init = init);
    }

    fn begin(&mut self, number: u64) {
        self.open(number, None);
    }

    fn begin_marked(&mut self, number: u64, pace: PaceInfo) {
        self.open(number, Some(pace));
    }

    fn chunk(&mut self, chunk: Bytes) {
        self.queue.edit(|inner| {
            if let Some(segment) = inner
                .segments
                .back_mut()
                .filter(|segment| segment.state == State::Open)
            {
                segment.chunks.push(chunk);
            }
        });
    }

    fn end(&mut self) {
        self.settle(State::Complete);
    }

    fn abort(&mut self) {
        self.settle(State::Broken);
    }
}

impl Drop for QueueSink {
    fn drop(&mut self) {
        self.settle(State::Broken);
        self.queue.edit(|inner| inner.closed = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(sink: &mut QueueSink, number: u64) {
        sink.begin(number);
        sink.chunk(Bytes::from(format!("{number}a")));
        sink.chunk(Bytes::from(format!("{number}b")));
        sink.end();
    }

    #[tokio::test]
    async fn oldest_whole_segments_are_dropped_but_never_the_one_being_sent() {
        let stats = Arc::new(TrackStats::new("video"));
        let queue = Queue::new(2, Arc::clone(&stats));
        let mut sink = QueueSink::new(Arc::clone(&queue));
        sink.init(Bytes::from_static(b"init"));
        fill(&mut sink, 1);
        let taken = queue.take().await.unwrap();
        assert_eq!(
            (taken.number, &taken.init[..], taken.pace),
            (1, &b"init"[..], None)
        );
        for number in 2..=6 {
            fill(&mut sink, number);
        }
        assert_eq!(stats.snapshot().lost_segments, 3);
        assert_eq!(stats.snapshot().queued_segments, 3);
        assert_eq!(queue.next(1, 1), Next::Chunk(Bytes::from_static(b"1b")));
        assert_eq!(queue.next(1, 2), Next::End);
        queue.finish(1);
        assert_eq!(queue.take().await.unwrap().number, 5);
        queue.finish(5);
        assert_eq!(queue.take().await.unwrap().number, 6);
        queue.finish(6);
        drop(sink);
        assert_eq!(queue.take().await, None);
    }

    #[tokio::test]
    async fn a_segment_that_is_given_up_is_broken_for_its_sender() {
        let queue = Queue::new(2, Arc::default());
        let mut sink = QueueSink::new(Arc::clone(&queue));
        sink.begin(4);
        assert_eq!(queue.next(4, 0), Next::Pending);
        sink.chunk(Bytes::from_static(b"x"));
        sink.abort();
        assert_eq!(queue.next(4, 0), Next::Broken);
        sink.begin(5);
        drop(sink);
        assert_eq!(queue.wait_next(5, 0).await, Next::Broken);
    }
}
