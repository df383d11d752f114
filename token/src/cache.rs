//! What was concluded from a token's text, kept for the next request with the same.

use core::hash::{BuildHasherDefault, Hasher};
use std::{collections::HashMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    key::KeySetVersion,
    limits::{MAX_CACHED_VERDICT_BYTES, MAX_CACHED_VERDICTS},
    time::{NumericDate, UnixMillis},
    verify::Authentic,
};

/// Authentic tokens by their text, so that a signature is checked once and not for each segment.
///
/// Only what [`Verifier::authenticate`](crate::Verifier::authenticate) concludes is kept, which depends on the text, the
/// keys and the [`Dialect`](crate::Dialect) alone; [`Verifier::admit`](crate::Verifier::admit) runs for every request. A
/// cache serves verifiers of one dialect: under another the same claims may say something else. An entry stands
/// under the SHA-256 of the text and the version of the key set: another set finds nothing, so a key that is
/// removed is removed from here as well. The texts are not kept.
///
/// Refusals are not kept. Anybody can make texts that are refused, as many as there is room for, and would push
/// out the tokens that viewers use; and what most of them cost is a MAC, no more than the look-up.
///
/// Looking up and putting in take a time that does not depend on how much is kept. What has not been used while
/// half the room was filled with others is forgotten.
#[derive(Clone, Debug)]
pub struct VerdictCache {
    generations: Generations<Key, Verdict>,
}

/// A text's digest, and the keys by which it was judged.
type Key = ([u8; 32], KeySetVersion);

#[derive(Clone, Debug)]
struct Verdict {
    authentic: Arc<Authentic>,
    expires: Option<NumericDate>,
}

impl Default for VerdictCache {
    /// Room for 10,000 tokens and about 32 MiB, whichever is less.
    fn default() -> Self {
        Self::new(MAX_CACHED_VERDICTS, MAX_CACHED_VERDICT_BYTES)
    }
}

impl VerdictCache {
    /// Room for so many tokens, and for so many bytes, which are reckoned and not counted.
    pub fn new(entries: usize, bytes: usize) -> Self {
        Self {
            generations: Generations::new(entries, bytes),
        }
    }

    /// What is known of a token's text under a set of keys. A token whose `exp` has come is forgotten.
    pub fn get(&mut self, token: &str, keys: KeySetVersion, now: UnixMillis) -> Option<Arc<Authentic>> {
        let key = digest(token, keys);
        let verdict = self.generations.get(&key)?;
        if is_over(verdict.expires, now) {
            self.generations.remove(&key);
            return None;
        }
        Some(Arc::clone(&verdict.authentic))
    }

    /// Keeps what was concluded from a token's text under a set of keys, unless its `exp` has come.
    pub fn insert(&mut self, token: &str, keys: KeySetVersion, authentic: &Arc<Authentic>, now: UnixMillis) {
        let expires = authentic.claims().expires;
        if is_over(expires, now) {
            return;
        }
        let verdict = Verdict {
            authentic: Arc::clone(authentic),
            expires,
        };
        self.generations
            .insert(digest(token, keys), verdict, weight(token, authentic));
    }

    /// How many tokens it keeps.
    pub fn len(&self) -> usize {
        self.generations.len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn digest(token: &str, keys: KeySetVersion) -> Key {
    (Sha256::digest(token).into(), keys)
}

fn is_over(expires: Option<NumericDate>, now: UnixMillis) -> bool {
    expires.is_some_and(|exp| exp.compare(now).is_le())
}

/// About how many bytes a verdict takes: the payload, and the claims that were read from it, in which a byte of
/// text costs a byte and a short item a word or three.
fn weight(token: &str, authentic: &Authentic) -> usize {
    let texts = token.len().saturating_mul(4);
    texts.saturating_add(authentic.claims().footprint())
}

/// A bounded map in two generations. What is put in or used is young; when the young fill half the room, they
/// become the old, and what was old is forgotten.
#[derive(Clone, Debug)]
struct Generations<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
    /// The room of one generation.
    entries: usize,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Generation<K, V> {
    map: HashMap<K, (V, usize), BuildHasherDefault<DigestHasher>>,
    bytes: usize,
}

impl<K, V> Default for Generation<K, V> {
    fn default() -> Self {
        Self {
            map: HashMap::default(),
            bytes: 0,
        }
    }
}

impl<K: core::hash::Hash + Eq + Copy, V> Generation<K, V> {
    fn remove(&mut self, key: &K) -> Option<(V, usize)> {
        let removed = self.map.remove(key)?;
        self.bytes = self.bytes.saturating_sub(removed.1);
        Some(removed)
    }
}

impl<K: core::hash::Hash + Eq + Copy, V> Generations<K, V> {
    fn new(entries: usize, bytes: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            entries: entries / 2,
            bytes: bytes / 2,
        }
    }

    fn len(&self) -> usize {
        self.young.map.len() + self.old.map.len()
    }

    fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((value, weight)) = self.old.remove(key) {
            self.insert(*key, value, weight);
        }
        self.young.map.get(key).map(|(value, _)| value)
    }

    fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if self.entries == 0 || weight > self.bytes {
            return;
        }
        if self.young.map.len() >= self.entries || self.young.bytes.saturating_add(weight) > self.bytes {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(weight);
        self.young.map.insert(key, (value, weight));
    }

    fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

/// Takes what is a digest already as its own hash. Nobody can choose what is in the map: only tokens that somebody
/// signed are put there.
#[derive(Clone, Copy, Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Jwk, KeySet, Minter, Policy, SigningKey, Verifier};

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn keys(secret: u8) -> KeySet {
        KeySet::from_jwks([&Jwk::symmetric("k", &[secret; 32])]).unwrap()
    }

    fn token(subject: &str, left: i64) -> (String, Arc<Authentic>) {
        let key = SigningKey::from_jwk(&Jwk::symmetric("k", &[1; 32])).unwrap();
        let minter = Minter::new().subject(subject).expires_at(NOW.plus_seconds(left));
        let text = minter.mint(&key).unwrap();
        let authentic = Verifier::new(keys(1), Policy::default())
            .authenticate(&text)
            .unwrap();
        (text, Arc::new(authentic))
    }

    #[test]
    fn a_verdict_is_found_until_its_exp_and_under_its_keys_alone() {
        let mut cache = VerdictCache::default();
        let (text, authentic) = token("s", 60);
        let (ours, theirs) = (keys(1).version(), keys(2).version());
        assert_eq!(cache.get(&text, ours, NOW), None);
        cache.insert(&text, ours, &authentic, NOW);
        assert_eq!(
            cache.get(&text, ours, NOW.plus_seconds(59)),
            Some(authentic.clone())
        );
        assert_eq!(cache.get(&text, theirs, NOW), None);
        assert_eq!(cache.get(&format!("{text}="), ours, NOW), None);
        assert_eq!(cache.get(&text, ours, NOW.plus_seconds(60)), None);
        assert!(cache.is_empty());
        cache.insert(&text, ours, &authentic, NOW.plus_seconds(60));
        assert!(cache.is_empty());
    }

    #[test]
    fn what_is_used_stays_while_others_come_and_go() {
        let mut cache = VerdictCache::new(8, usize::MAX);
        let version = keys(1).version();
        let (text, authentic) = token("viewer", 60);
        cache.insert(&text, version, &authentic, NOW);
        for other in 0..50 {
            let (other, authentic) = token(&other.to_string(), 60);
            cache.insert(&other, version, &authentic, NOW);
            assert!(cache.get(&text, version, NOW).is_some());
            assert!(cache.len() <= 8);
        }
    }

    #[test]
    fn claims_that_take_more_memory_weigh_more() {
        let weigh = |pattern: &str| {
            let key = SigningKey::from_jwk(&Jwk::symmetric("k", &[1; 32])).unwrap();
            let rule = crate::Match::Regex {
                pattern: crate::Ere::parse(pattern).unwrap(),
                captures: Vec::new(),
            };
            let text = Minter::new()
                .uri(crate::Component::Path, rule)
                .mint(&key)
                .unwrap();
            let authentic = Verifier::new(keys(1), Policy::default())
                .authenticate(&text)
                .unwrap();
            weight(&text, &authentic)
        };
        assert!(weigh("[a-z]{250}") > weigh("[a-z]{001}") + 250 * 40);
    }

    /// The rule in words: a key is kept if fewer than the room of one generation were put in or used since.
    #[derive(Default)]
    struct Model {
        young: Vec<(u8, usize)>,
        old: Vec<(u8, usize)>,
    }

    impl Model {
        fn put(&mut self, key: u8, weight: usize, room: usize, bytes: usize) {
            self.young.retain(|(other, _)| *other != key);
            self.old.retain(|(other, _)| *other != key);
            if room == 0 || weight > bytes {
                return;
            }
            let full: usize = self.young.iter().map(|(_, weight)| weight).sum();
            if self.young.len() >= room || full + weight > bytes {
                self.old = core::mem::take(&mut self.young);
            }
            self.young.push((key, weight));
        }

        fn has(&mut self, key: u8, room: usize, bytes: usize) -> bool {
            if let Some((_, weight)) = self.old.iter().copied().find(|(other, _)| *other == key) {
                self.put(key, weight, room, bytes);
            }
            self.young.iter().any(|(other, _)| *other == key)
        }
    }

    proptest! {
        #[test]
        fn it_keeps_what_the_rule_keeps_and_never_more_than_its_room(
            steps in proptest::collection::vec((0_u8..3, 0_u8..12, 0_usize..6), 0..120),
            entries in 0_usize..10,
            bytes in 0_usize..40,
        ) {
            let mut kept: Generations<u8, u8> = Generations::new(entries, bytes);
            let mut model = Model::default();
            for (step, key, weight) in steps {
                if step == 0 {
                    kept.insert(key, key, weight);
                    model.put(key, weight, entries / 2, bytes / 2);
                } else {
                    let found = kept.get(&key).copied();
                    prop_assert_eq!(found, model.has(key, entries / 2, bytes / 2).then_some(key));
                }
                prop_assert_eq!(kept.len(), model.young.len() + model.old.len());
                prop_assert!(kept.len() <= entries);
                let weighs: usize = kept.young.map.values().chain(kept.old.map.values()).map(|(_, weight)| weight).sum();
                prop_assert_eq!(weighs, kept.young.bytes + kept.old.bytes);
                prop_assert!(weighs <= bytes);
            }
        }
    }
}
