//! A store in memory: for one process, and for whatever holds its state elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    limits::MAX_STORE_ENTRIES,
    store::{Standing, Store, StoreKey, StoreRequest},
    time::UnixMillis,
};

/// A [`Store`] that keeps everything in memory, within a bound.
///
/// It is as strong as its reach: of two processes with a store each, each admits a single-use token once. Where
/// several share the traffic, its state belongs in one place that all of them ask (a Durable Object, one process
/// behind the others); it serialises for that.
///
/// When it is full of what has not run out yet, it forgets nothing: what would have to be remembered is answered
/// with [`Standing::Unknown`]. Every question takes a time that is logarithmic in the number of entries.
///
/// ```
/// use selvedge_token::{MemoryStore, Standing, Store, StoreKey, StoreRequest, UnixMillis};
///
/// let now = UnixMillis::from_seconds(1_790_000_000);
/// let once = StoreRequest::Once {
///     key: StoreKey::new("example", &[b"a token's identity"]),
///     until: now.plus_seconds(60),
/// };
/// let mut store = MemoryStore::default();
/// assert_eq!(store.ask(&once, now), Standing::Clear);
/// assert_eq!(store.ask(&once, now.plus_seconds(59)), Standing::Held);
/// // Over, and forgotten: nobody can say any more.
/// assert_eq!(store.ask(&once, now.plus_seconds(60)), Standing::Unknown);
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "State", into = "State")]
pub struct MemoryStore {
    capacity: usize,
    /// What is remembered, and the moment from which it is not; `None` for never.
    entries: BTreeMap<Entry, Option<UnixMillis>>,
    /// The same, soonest first, without those that never run out.
    due: BTreeSet<(UnixMillis, Entry)>,
}

/// One thing remembered. The order keeps a subject's leases together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Entry {
    Once(StoreKey),
    Bar(StoreKey),
    Lease { subject: StoreKey, stream: StoreKey },
}

impl Default for MemoryStore {
    /// Room for [`MAX_STORE_ENTRIES`].
    fn default() -> Self {
        Self::with_capacity(MAX_STORE_ENTRIES)
    }
}

impl MemoryStore {
    /// A store that remembers up to `entries` things, each of which takes about 300 bytes.
    pub const fn with_capacity(entries: usize) -> Self {
        Self {
            capacity: entries,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Forgets what has run out by `now`. Asking does so by itself; this is for a store that is about to be
    /// written somewhere.
    pub fn sweep(&mut self, now: UnixMillis) {
        while let Some((until, entry)) = self.due.first().copied()
            && until <= now
        {
            self.due.remove(&(until, entry));
            self.entries.remove(&entry);
        }
    }

    /// How many things it remembers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it remembers nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the next entry runs out, which is when [`MemoryStore::sweep`] next has something to do.
    pub fn next_due(&self) -> Option<UnixMillis> {
        self.due.first().map(|(until, _)| *until)
    }

    /// Remembers something until a moment, or makes what is remembered last until then if that is later. Says
    /// whether there was room.
    fn remember(&mut self, entry: Entry, until: Option<UnixMillis>, now: UnixMillis) -> bool {
        if until.is_some_and(|until| until <= now) {
            return true;
        }
        match self.entries.get(&entry).copied() {
            None if self.entries.len() >= self.capacity => return false,
            None => {}
            Some(None) => return true,
            Some(Some(had)) if until.is_some_and(|until| until <= had) => return true,
            Some(Some(had)) => {
                self.due.remove(&(had, entry));
            }
        }
        self.entries.insert(entry, until);
        if let Some(until) = until {
            self.due.insert((until, entry));
        }
        true
    }

    fn streams(&self, subject: StoreKey) -> usize {
        let lease = |stream| Entry::Lease { subject, stream };
        self.entries
            .range(lease(StoreKey::LOWEST)..=lease(StoreKey::HIGHEST))
            .count()
    }
}

impl Store for MemoryStore {
    fn ask(&mut self, request: &StoreRequest, now: UnixMillis) -> Standing {
        self.sweep(now);
        match *request {
            StoreRequest::Once { key, until } => {
                let entry = Entry::Once(key);
                if self.entries.contains_key(&entry) {
                    Standing::Held
                } else if until > now && self.remember(entry, Some(until), now) {
                    Standing::Clear
                } else {
                    // What is over by the store's own clock may have been used and forgotten.
                    Standing::Unknown
                }
            }
            StoreRequest::Bar { key, add, until } => {
                let entry = Entry::Bar(key);
                if add {
                    // Refused now in any case; without room the lot is drawn again the next time.
                    self.remember(entry, until, now);
                    Standing::Held
                } else if self.entries.contains_key(&entry) {
                    Standing::Held
                } else {
                    Standing::Clear
                }
            }
            StoreRequest::Lease {
                subject,
                stream,
                limit,
                until,
            } => {
                let entry = Entry::Lease { subject, stream };
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                if !self.entries.contains_key(&entry) && self.streams(subject) >= limit {
                    Standing::Held
                } else if self.remember(entry, Some(until), now) {
                    Standing::Clear
                } else {
                    Standing::Unknown
                }
            }
        }
    }
}

/// What is written of a store.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct State {
    capacity: usize,
    once: Vec<(StoreKey, UnixMillis)>,
    bar: Vec<(StoreKey, Option<UnixMillis>)>,
    lease: Vec<(StoreKey, StoreKey, UnixMillis)>,
}

impl From<MemoryStore> for State {
    fn from(store: MemoryStore) -> Self {
        let mut state = Self {
            capacity: store.capacity,
            once: Vec::new(),
            bar: Vec::new(),
            lease: Vec::new(),
        };
        for (entry, until) in store.entries {
            match (entry, until) {
                (Entry::Bar(key), until) => state.bar.push((key, until)),
                (Entry::Once(key), Some(until)) => state.once.push((key, until)),
                (Entry::Lease { subject, stream }, Some(until)) => state.lease.push((subject, stream, until)),
                (Entry::Once(_) | Entry::Lease { .. }, None) => {}
            }
        }
        state
    }
}

impl From<State> for MemoryStore {
    /// Everything that was written comes back, also what is beyond the capacity.
    fn from(state: State) -> Self {
        let once = state
            .once
            .into_iter()
            .map(|(key, until)| (Entry::Once(key), Some(until)));
        let bar = state.bar.into_iter().map(|(key, until)| (Entry::Bar(key), until));
        let lease = state
            .lease
            .into_iter()
            .map(|(subject, stream, until)| (Entry::Lease { subject, stream }, Some(until)));
        let entries: BTreeMap<_, _> = once.chain(bar).chain(lease).collect();
        let due = entries
            .iter()
            .filter_map(|(entry, until)| until.map(|until| (until, *entry)))
            .collect();
        Self {
            capacity: state.capacity,
            entries,
            due,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: u8) -> StoreKey {
        StoreKey::new("test", &[&[name]])
    }

    fn lease(stream: u8, until: i64) -> StoreRequest {
        StoreRequest::Lease {
            subject: key(100),
            stream: key(stream),
            limit: 2,
            until: UnixMillis(until),
        }
    }

    #[test]
    fn a_full_store_says_unknown_and_forgets_nothing() {
        let mut store = MemoryStore::with_capacity(1);
        let once = |name, until| StoreRequest::Once {
            key: key(name),
            until: UnixMillis(until),
        };
        assert_eq!(store.ask(&once(1, 10), UnixMillis(0)), Standing::Clear);
        assert_eq!(store.ask(&once(2, 20), UnixMillis(9)), Standing::Unknown);
        assert_eq!(store.ask(&lease(1, 20), UnixMillis(9)), Standing::Unknown);
        assert_eq!(store.ask(&once(1, 10), UnixMillis(9)), Standing::Held);
        // What has run out makes room.
        assert_eq!(store.ask(&once(2, 20), UnixMillis(10)), Standing::Clear);
    }

    #[test]
    fn what_is_over_by_the_stores_clock_is_not_used_again() {
        let mut store = MemoryStore::default();
        let once = StoreRequest::Once {
            key: key(1),
            until: UnixMillis(10),
        };
        assert_eq!(store.ask(&once, UnixMillis(9)), Standing::Clear);
        assert_eq!(store.ask(&once, UnixMillis(10)), Standing::Unknown);
    }

    #[test]
    fn a_stream_beyond_the_limit_waits_until_one_has_let_go() {
        let mut store = MemoryStore::default();
        assert_eq!(store.ask(&lease(1, 30), UnixMillis(0)), Standing::Clear);
        assert_eq!(store.ask(&lease(2, 30), UnixMillis(0)), Standing::Clear);
        assert_eq!(store.ask(&lease(3, 30), UnixMillis(0)), Standing::Held);
        // One goes on, the other does not.
        assert_eq!(store.ask(&lease(1, 50), UnixMillis(20)), Standing::Clear);
        assert_eq!(store.ask(&lease(3, 50), UnixMillis(29)), Standing::Held);
        assert_eq!(store.ask(&lease(3, 60), UnixMillis(30)), Standing::Clear);
        assert_eq!(store.ask(&lease(2, 60), UnixMillis(30)), Standing::Held);
    }

    #[test]
    fn a_bar_holds_for_good_or_until_its_end() {
        let mut store = MemoryStore::default();
        let bar = |name, add, until| StoreRequest::Bar {
            key: key(name),
            add,
            until,
        };
        let end = Some(UnixMillis(10));
        assert_eq!(store.ask(&bar(1, false, None), UnixMillis(0)), Standing::Clear);
        assert_eq!(store.ask(&bar(1, true, None), UnixMillis(0)), Standing::Held);
        assert_eq!(store.ask(&bar(2, true, end), UnixMillis(0)), Standing::Held);
        // An end does not shorten what is for good.
        assert_eq!(store.ask(&bar(1, true, end), UnixMillis(0)), Standing::Held);
        assert_eq!(store.ask(&bar(2, false, end), UnixMillis(9)), Standing::Held);
        assert_eq!(store.ask(&bar(2, false, end), UnixMillis(10)), Standing::Clear);
        let late = UnixMillis(i64::MAX);
        assert_eq!(store.ask(&bar(1, false, end), late), Standing::Held);
    }

    #[test]
    fn the_written_form_is_that_of_other_programs() {
        let once = StoreRequest::Once {
            key: key(1),
            until: UnixMillis(5),
        };
        let text = serde_json::to_string(&once).unwrap();
        assert!(text.starts_with(r#"{"ask":"once","key":"#), "{text}");
        assert_eq!(serde_json::from_str::<StoreRequest>(&text).unwrap(), once);
        assert_eq!(serde_json::to_string(&Standing::Unknown).unwrap(), r#""unknown""#);
    }

    /// The rules as they are written, without an index and with a list to search.
    #[derive(Default)]
    struct Model(Vec<(Entry, Option<UnixMillis>)>);

    impl Model {
        fn ask(&mut self, request: &StoreRequest, now: UnixMillis, capacity: usize) -> Standing {
            self.0.retain(|(_, until)| until.is_none_or(|until| until > now));
            let (entry, until) = match *request {
                StoreRequest::Once { key, until } => (Entry::Once(key), Some(until)),
                StoreRequest::Bar { key, until, .. } => (Entry::Bar(key), until),
                StoreRequest::Lease {
                    subject,
                    stream,
                    until,
                    ..
                } => (Entry::Lease { subject, stream }, Some(until)),
            };
            let have = self.0.iter().position(|(other, _)| *other == entry);
            match *request {
                StoreRequest::Once { .. } if have.is_some() => return Standing::Held,
                StoreRequest::Bar { add: false, .. } => {
                    return if have.is_some() {
                        Standing::Held
                    } else {
                        Standing::Clear
                    };
                }
                StoreRequest::Lease { subject, limit, .. } if have.is_none() => {
                    let others = self.0.iter().filter(
                        |(other, _)| matches!(other, Entry::Lease { subject: s, .. } if *s == subject),
                    );
                    if others.count() >= limit as usize {
                        return Standing::Held;
                    }
                }
                _ => {}
            }
            let lives = until.is_none_or(|until| until > now);
            let full = have.is_none() && lives && self.0.len() >= capacity;
            match have {
                Some(at)
                    if self.0[at]
                        .1
                        .is_some_and(|had| until.is_none_or(|until| until > had)) =>
                {
                    self.0[at].1 = until;
                }
                None if lives && !full => self.0.push((entry, until)),
                _ => {}
            }
            match request {
                StoreRequest::Bar { .. } => Standing::Held,
                StoreRequest::Once { .. } if !lives => Standing::Unknown,
                _ if full => Standing::Unknown,
                _ => Standing::Clear,
            }
        }
    }

    fn requests() -> impl Strategy<Value = StoreRequest> {
        let moment = || (0_i64..60).prop_map(UnixMillis);
        prop_oneof![
            (0_u8..6, moment()).prop_map(|(name, until)| StoreRequest::Once {
                key: key(name),
                until
            }),
            (0_u8..6, any::<bool>(), proptest::option::of(moment())).prop_map(|(name, add, until)| {
                StoreRequest::Bar {
                    key: key(name),
                    add,
                    until,
                }
            }),
            (0_u8..2, 0_u8..5, 0_u32..4, moment()).prop_map(|(subject, stream, limit, until)| {
                StoreRequest::Lease {
                    subject: key(100 + subject),
                    stream: key(stream),
                    limit,
                    until,
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn it_answers_as_the_rules_do_and_survives_being_written(
            asked in proptest::collection::vec((requests(), 0_i64..4), 0..80),
            capacity in 0_usize..8,
        ) {
            let (mut store, mut model) = (MemoryStore::with_capacity(capacity), Model::default());
            let mut now = UnixMillis(0);
            for (request, step) in asked {
                now.0 += step;
                prop_assert_eq!(store.ask(&request, now), model.ask(&request, now, capacity));
                prop_assert!(store.len() <= capacity && store.due.len() <= store.len());
                let written = serde_json::to_string(&store).unwrap();
                prop_assert_eq!(&serde_json::from_str::<MemoryStore>(&written).unwrap(), &store);
            }
        }
    }
}
