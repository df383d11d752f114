//! What this instance has learnt of positions. A file's never changes, so what is forgotten is only asked for again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::Learnt;
use crate::limits::MAX_POSITIONS;

/// Positions by the neutral path, in two generations: when the young are many they become the old, and what was old and
/// not used since is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<String, Learnt>,
    old: HashMap<String, Learnt>,
}

impl Positions {
    pub(super) fn get(&self, path: &str) -> Option<Learnt> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learnt) = generations.young.get(path) {
            return Some(learnt.clone());
        }
        let (path, learnt) = generations.old.remove_entry(path)?;
        generations.keep(path, learnt.clone());
        Some(learnt)
    }

    pub(super) fn keep(&self, path: &str, learnt: Learnt) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(path.to_owned(), learnt);
    }
}

impl Generations {
    fn keep(&mut self, path: String, learnt: Learnt) {
        if self.young.len() >= MAX_POSITIONS / 2 {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(path, learnt);
    }
}

#[cfg(test)]
mod tests {
    use selvedge_watermark::pace::Position;

    use super::*;
    use crate::mark::Known;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten_in_time() {
        let positions = Positions::default();
        let learnt = |at: usize| Learnt {
            known: Known::One(Position::of_slot(at as u64)),
            by: "header",
        };
        (0..MAX_POSITIONS * 2).for_each(|at| {
            positions.keep(&at.to_string(), learnt(at));
            assert!(positions.get("0").is_some(), "{at}");
        });
        assert!(positions.get("1").is_none());
        let generations = positions.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= MAX_POSITIONS + 1);
    }
}
