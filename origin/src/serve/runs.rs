//! Runs of senders: each begins with an init segment, and some senders send that and the media behind it on two
//! connections at once. Media that comes first waits, lest it be taken for a part of the run before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::push::Way;
use crate::ingest::path::ObjectName;

/// What is known of each sender's run on each track.
#[derive(Default)]
pub(super) struct Runs(Mutex<HashMap<Key, Run>>);

/// Whose run it is: on which channel and track, from which encoder.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    channel: Arc<str>,
    track: String,
    source: Arc<str>,
}

/// A run of objects with rising numbers.
#[derive(Default)]
struct Run {
    /// The number of the last object of media; none since the last init segment.
    last: Option<u64>,
    /// How many init segments are being taken, and how many have been.
    coming: u32,
    taken: u64,
}

impl Key {
    fn of(way: &Way, name: &ObjectName) -> Self {
        Self {
            channel: Arc::clone(&way.channel),
            track: name.track.clone(),
            source: Arc::clone(&way.push.source),
        }
    }
}

impl Runs {
    /// Says that an init segment is being taken, until the answer is dropped. `None` for what is none by its name.
    pub(super) fn init(&self, way: &Way, name: &ObjectName) -> Option<OnItsWay<'_>> {
        if name.number.is_some() {
            return None;
        }
        let key = Key::of(way, name);
        self.runs().entry(key.clone()).or_default().coming += 1;
        Some(OnItsWay { runs: self, key })
    }

    /// Takes note of an object of media, and says which init segment it is to wait for.
    pub(super) fn media(&self, way: &Way, name: &ObjectName) -> Awaited {
        let mut runs = self.runs();
        if runs.len() >= MAX_RUNS {
            // What is forgotten is that a sender may begin anew, for one object.
            runs.clear();
        }
        let run = runs.entry(Key::of(way, name)).or_default();
        let begins_anew = match (run.last, name.number) {
            (Some(last), Some(number)) => number <= last,
            _ => false,
        };
        run.last = name.number;
        match (begins_anew, run.coming) {
            (true, _) => Awaited::Next(run.taken),
            (false, 1..) if name.number.is_some() => Awaited::Coming,
            _ => Awaited::None,
        }
    }

    /// Whether what an object waits for is there.
    pub(super) fn is_there(&self, way: &Way, name: &ObjectName, awaited: Awaited) -> bool {
        let runs = self.runs();
        let (coming, taken) = runs
            .get(&Key::of(way, name))
            .map_or((0, 0), |run| (run.coming, run.taken));
        match awaited {
            Awaited::None => true,
            Awaited::Coming => coming == 0,
            Awaited::Next(before) => coming == 0 && taken != before,
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Key, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which init segment an object of media waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Awaited {
    /// None: its numbers go on.
    None,
    /// One that is being taken.
    Coming,
    /// One that comes after so many: its numbers begin again.
    Next(u64),
}

/// An init segment that is being taken.
pub(super) struct OnItsWay<'a> {
    runs: &'a Runs,
    key: Key,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(run) = self.runs.runs().get_mut(&self.key) {
            run.coming = run.coming.saturating_sub(1);
            run.taken += 1;
            run.last = None;
        }
    }
}

/// So many runs are known at once.
const MAX_RUNS: usize = 4096;
