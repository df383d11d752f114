//! Init segments that are on their way: media that another connection brings at the same time waits for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::push::Way;
use crate::ingest::path::ObjectName;

/// Objects whose names have no number, being taken: what a sender begins a run with is among them.
#[derive(Default)]
pub(super) struct Inits(Mutex<Vec<Key>>);

/// Whose init segment it is: of which channel and track, from which encoder.
#[derive(Clone, Eq, PartialEq)]
struct Key {
    channel: Arc<str>,
    track: String,
    source: Arc<str>,
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

impl Inits {
    /// Says that the object is being taken, until the answer is dropped. `None` for one that is no init segment by its
    /// name.
    pub(super) fn note(&self, way: &Way, name: &ObjectName) -> Option<OnItsWay<'_>> {
        if name.number.is_some() {
            return None;
        }
        let key = Key::of(way, name);
        self.lock().push(key.clone());
        Some(OnItsWay { inits: self, key })
    }

    /// Whether an init segment of the object's track is being taken. An object that may be one itself waits for none.
    pub(super) fn is_coming(&self, way: &Way, name: &ObjectName) -> bool {
        name.number.is_some() && self.lock().contains(&Key::of(way, name))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An init segment that is being taken.
pub(super) struct OnItsWay<'a> {
    inits: &'a Inits,
    key: Key,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let mut keys = self.inits.lock();
        if let Some(at) = keys.iter().position(|key| *key == self.key) {
            keys.swap_remove(at);
        }
    }
}
