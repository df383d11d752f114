//! To see the origin run: what it counts, what it reports, and whether it is ready.
//!
//! Requests are counted on their way by atomics that are there from the start. What there is to say of channels is
//! read from their snapshots when somebody asks, so it costs those who push and watch nothing.

mod exposition;
mod fitness;
mod metrics;
mod report;
mod requests;
mod tell;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::media::Snapshot;
use crate::time::UnixMillis;

pub(crate) use self::exposition::MEDIA_TYPE;
pub(crate) use self::fitness::{Fitness, Unfit};
pub(crate) use self::metrics::metrics;
pub(crate) use self::report::{detail, summary};
pub(crate) use self::requests::{Counting, Held, Route, UnderWay};
pub(crate) use self::tell::tell;

/// The description of the origin's own routes for programs: OpenAPI 3.1.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// What the origin has counted since it began.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) requests: requests::Requests,
    /// Bytes of pushed bodies.
    received: AtomicU64,
    /// Empty bodies.
    probes: AtomicU64,
    /// Boxes of unknown types.
    unknown_boxes: AtomicU64,
    /// Pushes that were refused, by the slug of the reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// The last problems of channels that exist.
    problems: Mutex<HashMap<String, VecDeque<Problem>>>,
    /// Channels whose documents were withheld when it was last looked, and why.
    withheld: Mutex<HashMap<String, &'static str>>,
    /// A stop was asked for.
    draining: AtomicBool,
}

/// A push of a channel that was refused.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Problem {
    at_ms: UnixMillis,
    object: String,
    reason: &'static str,
    detail: String,
}

/// A channel as operators are shown it.
pub(crate) struct Shown<'c> {
    pub(crate) snapshot: &'c Snapshot,
    /// Players that wait for what is next.
    pub(crate) blocked: usize,
    /// Why its documents are withheld, where they are.
    pub(crate) unfit: Option<Unfit>,
}

impl Observed {
    /// Counts bytes of a pushed body.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a push whose body is empty: senders ask so whether they may push.
    pub(crate) fn probed(&self) {
        self.probes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts boxes of unknown types.
    pub(crate) fn unknown_boxes(&self, boxes: u64) {
        self.unknown_boxes.fetch_add(boxes, Ordering::Relaxed);
    }

    /// Counts a push that was refused.
    pub(crate) fn refused(&self, error: &Error) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(error.slug()).or_default() += 1;
    }

    /// Keeps a refusal among the last ones of a channel. `exists` says which channels there are: of those that are
    /// over, nothing is kept.
    pub(crate) fn problem(
        &self,
        channel: &str,
        object: &str,
        error: &Error,
        now: UnixMillis,
        exists: impl Fn(&str) -> bool,
    ) {
        if !exists(channel) {
            return;
        }
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if !problems.contains_key(channel) {
            problems.retain(|channel, _| exists(channel));
        }
        let of_channel = problems.entry(channel.to_owned()).or_default();
        if of_channel.len() == MAX_PROBLEMS {
            of_channel.pop_front();
        }
        of_channel.push_back(Problem {
            at_ms: now,
            object: object.chars().take(MAX_OBJECT).collect(),
            reason: error.slug(),
            detail: error.to_string().chars().take(MAX_DETAIL).collect(),
        });
    }

    /// The last problems of a channel, oldest first.
    pub(crate) fn problems(&self, channel: &str) -> Vec<Problem> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems
            .get(channel)
            .map(|problems| problems.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Takes note of whether a channel's documents are withheld, and logs it when that has changed.
    pub(crate) fn withhold(&self, channel: &str, unfit: Option<&Unfit>) {
        let mut withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
        match (withheld.get(channel).copied(), unfit) {
            (before, Some(unfit)) if before != Some(unfit.reason()) => {
                withheld.insert(channel.to_owned(), unfit.reason());
                let (reason, error) = (unfit.reason(), unfit.clone().refusal(channel));
                tracing::warn!(channel, reason, %error, "documents are withheld");
            }
            (Some(_), None) => {
                withheld.remove(channel);
                tracing::info!(channel, reason = "fit", "documents are shown again");
            }
            _ => {}
        }
    }

    /// A stop was asked for: whoever sends requests here should send them elsewhere.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Problems that are kept of a channel.
const MAX_PROBLEMS: usize = 16;
/// Characters of a problem's text.
const MAX_DETAIL: usize = 400;
/// Characters of an object's name.
const MAX_OBJECT: usize = 120;
