//! What is remembered between requests, and operators' documents, in the KV store.
//!
//! That store is eventually consistent: each point of presence reads a copy, which may be seconds old, and a write
//! that was made from an old copy is refused. So a list of those who are kept out, and a limit on streams, hold
//! with a delay. That something was never used before, such a store cannot say.

use std::{io::Read as _, time::Duration};

use fastly::kv_store::{InsertMode, KVStore, KVStoreError, LookupResponse, PendingLookupHandle};
use selvedge_edge::{
    Standing, StoreRequest, Unanswered,
    stored::{ask, place},
};

use crate::{NAME, now};

/// How often an answer is tried whose writing met another's.
const ATTEMPTS: u32 = 2;

/// A question on its way.
pub(crate) struct Asked {
    request: StoreRequest,
    place: String,
    /// `None` where nobody can answer.
    lookup: Option<(KVStore, PendingLookupHandle)>,
}

impl Asked {
    /// Starts to read what bears on the answer.
    pub(crate) fn start(request: StoreRequest) -> Self {
        let place = place(&request);
        let lookup = match &request {
            StoreRequest::Once { .. } => None,
            StoreRequest::Bar { .. } | StoreRequest::Lease { .. } => {
                KVStore::open(NAME).ok().flatten().and_then(|store| {
                    let pending = store.build_lookup().execute_async(&place).ok()?;
                    Some((store, pending))
                })
            }
        };
        Self {
            request,
            place,
            lookup,
        }
    }

    /// Waits for the answer, and for what it changes to be written.
    pub(crate) fn finish(self) -> Standing {
        let Some((store, pending)) = self.lookup else {
            return Standing::Unknown;
        };
        let mut found = store.pending_lookup_wait(pending);
        for _ in 0..ATTEMPTS {
            match settle(&store, &self.place, &self.request, found) {
                Ok(standing) => return standing,
                // Another request wrote since: what it wrote has to be counted.
                Err(KVStoreError::ItemPreconditionFailed) => found = store.lookup(&self.place),
                Err(error) => {
                    eprintln!("the KV store {NAME} cannot answer: {error}");
                    return Standing::Unknown;
                }
            }
        }
        Standing::Unknown
    }
}

/// A document on its way.
pub(crate) struct Document {
    limit: usize,
    /// `None` where there is no store, or it cannot be asked.
    lookup: Option<(KVStore, Result<PendingLookupHandle, KVStoreError>)>,
}

impl Document {
    /// Starts to read a document of operators'.
    pub(crate) fn start(key: &str, limit: usize) -> Self {
        let store = KVStore::open(NAME).ok().flatten();
        let lookup = store.map(|store| {
            let pending = store.build_lookup().execute_async(key);
            (store, pending)
        });
        Self { limit, lookup }
    }

    /// Waits for it.
    pub(crate) fn finish(self) -> Result<Option<Vec<u8>>, Unanswered> {
        let Some((store, pending)) = self.lookup else {
            return Ok(None);
        };
        let found = pending.and_then(|pending| store.pending_lookup_wait(pending));
        let mut found = match found {
            Ok(found) => found,
            Err(KVStoreError::ItemNotFound) => return Ok(None),
            Err(error) => return Err(Unanswered::Unreachable(error.to_string())),
        };
        let mut document = Vec::new();
        let one_more = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = found.take_body().take(one_more).read_to_end(&mut document);
        read.map_err(|error| Unanswered::Unreachable(error.to_string()))?;
        if document.len() > self.limit {
            return Err(Unanswered::TooLarge);
        }
        Ok(Some(document))
    }
}

fn settle(
    store: &KVStore,
    place: &str,
    request: &StoreRequest,
    found: Result<LookupResponse, KVStoreError>,
) -> Result<Standing, KVStoreError> {
    let found = match found {
        Ok(mut found) => Some((found.take_body_bytes(), found.current_generation())),
        Err(KVStoreError::ItemNotFound) => None,
        Err(error) => return Err(error),
    };
    // Bytes that are no text are nobody's word, as an empty one is.
    let kept = found
        .as_ref()
        .map(|(bytes, _)| str::from_utf8(bytes).unwrap_or_default());
    let now = now();
    let stored = ask(kept, request, now);
    if let Some(text) = stored.save {
        let insert = store.build_insert();
        let insert = match found {
            Some((_, generation)) => insert.if_generation_match(generation),
            None => insert.mode(InsertMode::Add),
        };
        let insert = match stored.due {
            Some(due) => insert.time_to_live(left(due.0 - now.0)),
            None => insert,
        };
        insert.execute(place, text)?;
    }
    Ok(stored.standing)
}

/// How long the store is to keep a text whose first part runs out in so many milliseconds. What is in it counts by
/// its own time, so a day more, for the parts that last longer, does no harm.
fn left(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()) + Duration::from_secs(86_400)
}
