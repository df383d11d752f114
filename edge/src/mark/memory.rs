//! What this instance has learnt of positions. A file's never changes, so what is forgotten is only asked for again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::Known;
use crate::limits::MAX_POSITIONS;

/// Positions by the neutral path, in two generations: when the young are many they become the old, and what was old and
/// not used since is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<String, Known>,
    old: HashMap<String, Known>,
}

impl Positions {
    pub(super) fn get(&self, path: &str) -> Option<Known> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(path) {
            return Some(known.clone());
        }
        let (path, known) = generations.old.remove_entry(path)?;
        generations.keep(path, known.clone());
        Some(known)
    }

    pub(super) fn keep(&self, path: &str, known: Known) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(path.to_owned(), known);
    }
}

impl Generations {
    fn keep(&mut self, path: String, known: Known) {
        if self.young.len() >= MAX_POSITIONS / 2 {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(path, known);
    }
}

#[cfg(test)]
mod tests {
    use selvedge_watermark::pace::Position;

    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten_in_time() {
        let positions = Positions::default();
        let keep = |at: usize| positions.keep(&at.to_string(), Known::One(Position::of_slot(at as u64)));
        (0..MAX_POSITIONS * 2).for_each(|at| {
            keep(at);
            assert!(positions.get("0").is_some(), "{at}");
        });
        assert!(positions.get("1").is_none());
        let generations = positions.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= MAX_POSITIONS + 1);
    }
}
