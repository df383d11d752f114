//! The desk of ad operations: rules, creatives, and what comes of them. What is kept lies in the object store beside the
//! channels, in folders that no channel can have the name of.

mod creatives;
mod decisions;
mod guard;
mod hear;
mod list;
mod rules;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::Router;
use axum::routing::{get, patch, put};
use bytes::Bytes;
use selvedge_breaks::{BreakId, Creative, Rules};

use super::Origin;
use super::answer::entity_tag;
use crate::Error;
use crate::store::{BREAKS, CREATIVES, DECISIONS, Store};
pub(super) use guard::is_passed_on;

/// What ad operations have laid down, and what was made of it.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    rules: RwLock<HashMap<String, Arc<Ruled>>>,
    creatives: RwLock<Arc<BTreeMap<String, Arc<Creative>>>>,
    /// Rules and creatives change one at a time.
    adding: tokio::sync::Mutex<()>,
    decided: Mutex<Decided>,
    counts: Tally,
}

/// Rules as they came.
#[derive(Debug)]
pub(super) struct Ruled {
    json: Bytes,
    tag: String,
    pub(super) rules: Arc<Rules>,
}

/// What happened at the desk since the origin began.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Rules that had faults.
    pub(crate) refused_rules: AtomicU64,
    /// Decisions that were made.
    pub(crate) decisions: AtomicU64,
    /// Slots that were left to slate, for their ad cannot be used.
    pub(crate) unfilled: AtomicU64,
}

/// Decisions that were made: for whom, and the newest of them as they are sent.
#[derive(Debug, Default)]
struct Decided {
    cohorts: HashMap<String, BTreeMap<BreakId, BTreeSet<String>>>,
    sent: BTreeMap<(BreakId, String), Bytes>,
}

impl Ruled {
    fn new(json: Bytes, rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            tag: entity_tag(&json),
            json,
            rules: Arc::new(rules),
        })
    }
}

impl Desk {
    /// Reads what the store has. What cannot be read is left out and logged, never a reason not to start.
    ///
    /// # Errors
    /// [`Error::Store`] when the store cannot be listed.
    pub(super) async fn open(store: &Store) -> Result<Self, Error> {
        let desk = Self::default();
        for channel in store.folders(&[BREAKS]).await? {
            let Some(json) = store.read(&[BREAKS, &channel, RULES_DOCUMENT]).await? else {
                continue;
            };
            match Rules::read(&json) {
                Ok(rules) => desk.set_rules(&channel, Some(Ruled::new(json, rules))),
                Err(faults) => tracing::error!(channel, %faults, "rules of breaks cannot be read: left out"),
            }
        }
        let mut creatives = BTreeMap::new();
        for name in store.folders(&[CREATIVES]).await? {
            let Some(json) = store
                .read(&[CREATIVES, &name, selvedge_breaks::creative::DOCUMENT])
                .await?
            else {
                continue;
            };
            match Creative::read(&json) {
                Ok(creative) => {
                    creatives.insert(name, Arc::new(creative));
                }
                Err(faults) => tracing::error!(creative = name, %faults, "creative cannot be read: left out"),
            }
        }
        desk.set_creatives(creatives);
        for channel in store.folders(&[DECISIONS]).await? {
            let mut of_channel: BTreeMap<BreakId, BTreeSet<String>> = BTreeMap::new();
            for (id, file) in store.files(&[DECISIONS, &channel]).await? {
                if let (Ok(id), Some(cohort)) = (BreakId::try_from(id), file.strip_suffix(".json")) {
                    of_channel.entry(id).or_default().insert(cohort.to_owned());
                }
            }
            desk.decided().cohorts.insert(channel, of_channel);
        }
        Ok(desk)
    }

    /// The rules of a channel.
    pub(super) fn rules(&self, channel: &str) -> Option<Arc<Ruled>> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.get(channel).cloned()
    }

    fn set_rules(&self, channel: &str, ruled: Option<Arc<Ruled>>) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        match ruled {
            Some(ruled) => rules.insert(channel.to_owned(), ruled),
            None => rules.remove(channel),
        };
    }

    /// The creatives that there are, by name.
    pub(crate) fn creatives(&self) -> Arc<BTreeMap<String, Arc<Creative>>> {
        Arc::clone(&self.creatives.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_creatives(&self, creatives: BTreeMap<String, Arc<Creative>>) {
        *self.creatives.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(creatives);
    }

    fn decided(&self) -> MutexGuard<'_, Decided> {
        // Entries are whole between any two calls.
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened since the origin began.
    pub(crate) fn tally(&self) -> &Tally {
        &self.counts
    }

    /// The cohorts that a break was decided for.
    fn cohorts(&self, channel: &str, id: &BreakId) -> Vec<String> {
        let decided = self.decided();
        let cohorts = decided.cohorts.get(channel).and_then(|breaks| breaks.get(id));
        cohorts.into_iter().flatten().cloned().collect()
    }
}

impl Tally {
    fn count(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// What edges ask for.
pub(super) fn public_routes() -> Router<Origin> {
    Router::new()
        .route("/decisions/{channel}/{break}/{cohort}", get(decisions::decision))
        .route("/creatives/{name}/{*file}", get(creatives::file))
}

/// What ad operations ask for: each checks who asks.
pub(super) fn operators_routes() -> Router<Origin> {
    Router::new()
        .route("/channels/{channel}/breaks", get(list::list).post(schedule::add))
        .route(
            "/channels/{channel}/breaks/rules",
            get(rules::rules).put(rules::replace).delete(rules::remove),
        )
        .route(
            "/channels/{channel}/breaks/{break}",
            patch(schedule::change).delete(schedule::cancel),
        )
        .route("/creatives", get(creatives::list))
        .route("/creatives/{name}", axum::routing::delete(creatives::remove))
        .route("/creatives/{name}/{*file}", put(creatives::upload))
}

const RULES_DOCUMENT: &str = "rules.json";
