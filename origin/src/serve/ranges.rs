//! Objects that come in several requests, each with a `Content-Range`: put together, and pushed as one body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::bodies::{self, Feed};
use crate::Error;
use crate::ingest::{Assembly, ContentRange};

/// Objects whose ranges are coming in, by their path.
#[derive(Default)]
pub(super) struct Ranges(Mutex<HashMap<String, Shared>>);

/// One object on its way, one request at a time.
type Shared = Arc<tokio::sync::Mutex<Coming>>;

struct Coming {
    assembly: Assembly,
    /// Gone once the object has ended.
    push: Option<Push>,
    last: Instant,
}

struct Push {
    feed: Feed,
    task: JoinHandle<Result<(), Error>>,
}

impl Ranges {
    /// Takes one range of the object at `path`. `begin` starts a push of the object with the body that it is given,
    /// for the first range.
    ///
    /// # Errors
    /// [`Error::ContentRange`] for a range that cannot be placed, and whatever the push came to.
    pub(super) async fn take(
        &self,
        path: &str,
        range: ContentRange,
        bytes: Bytes,
        limit: usize,
        begin: impl FnOnce(Body) -> JoinHandle<Result<(), Error>>,
    ) -> Result<(), Error> {
        let shared = self.coming(path, range.first == 0, limit, begin)?;
        let mut coming = shared.lock().await;
        coming.last = Instant::now();
        let mut ready = Vec::new();
        coming.assembly.push(range.first, bytes, &mut ready)?;
        let mut is_over = range.total == Some(coming.assembly.next());
        let Some(push) = &coming.push else {
            return Err(Error::ContentRange {
                reason: "comes after the object's end",
            });
        };
        for bytes in ready {
            // A push that takes no more has been refused.
            is_over = push.feed.send(Ok(bytes)).await.is_err() || is_over;
        }
        if !is_over {
            return Ok(());
        }
        self.forget(path, &shared);
        match coming.push.take() {
            Some(Push { feed, task }) => {
                // Without its only sender the body ends.
                drop(feed);
                let received = coming.assembly.next();
                task.await.unwrap_or(Err(Error::BrokenBody { received }))
            }
            None => Ok(()),
        }
    }

    fn coming(
        &self,
        path: &str,
        is_first: bool,
        limit: usize,
        begin: impl FnOnce(Body) -> JoinHandle<Result<(), Error>>,
    ) -> Result<Shared, Error> {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match objects.get(path) {
            // A first range begins again what is under way: its sender did.
            Some(coming) if !is_first => return Ok(Arc::clone(coming)),
            None if !is_first => {
                return Err(Error::ContentRange {
                    reason: "does not begin at 0, and nothing came before it",
                });
            }
            None if objects.len() >= limit => {
                return Err(Error::Limit {
                    what: "one more object in ranges",
                    limit: limit as u64,
                    key: "limits.pushes",
                });
            }
            _ => {}
        }
        let (feed, body) = bodies::fed();
        let coming = Arc::new(tokio::sync::Mutex::new(Coming {
            assembly: Assembly::default(),
            push: Some(Push {
                feed,
                task: begin(body),
            }),
            last: Instant::now(),
        }));
        objects.insert(path.to_owned(), Arc::clone(&coming));
        Ok(coming)
    }

    /// Gives up an object's place, unless another has it already: what comes now begins again.
    fn forget(&self, path: &str, shared: &Shared) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if objects.get(path).is_some_and(|now| Arc::ptr_eq(now, shared)) {
            objects.remove(path);
        }
    }

    /// Ends objects whose sender has said nothing for `patience`: those whose length was never told end so.
    pub(super) fn sweep(&self, patience: Duration) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.retain(|_, coming| {
            coming
                .try_lock()
                .map_or(true, |coming| coming.last.elapsed() < patience)
        });
    }
}
