//! A store whose content the platform keeps as a text: it loads, asks here, and saves.
//!
//! Platforms have places to keep a value, and no two of them can count the same way. So the rules of the store
//! stay in one place ([`MemoryStore`]), and a platform keeps what that writes: one text for each [`place`].

use core::fmt::Write as _;

use selvedge_token::{MemoryStore, Standing, Store as _, StoreKey, StoreRequest, UnixMillis};

use crate::limits::{MAX_STORED, MAX_STORED_SECONDS};

/// Where the answer to a request is kept: everything that bears on it, and nothing else, lies there. Letters,
/// digits and a hyphen, so that it is a key in every platform's store.
pub fn place(request: &StoreRequest) -> String {
    let (kind, key): (&str, &StoreKey) = match request {
        StoreRequest::Once { key, .. } => ("once", key),
        StoreRequest::Bar { key, .. } => ("bar", key),
        // A limit counts all streams of a subject, so they lie together.
        StoreRequest::Lease { subject, .. } => ("lease", subject),
    };
    let mut place = format!("{kind}-");
    for byte in key.as_bytes() {
        // Writing into a text cannot fail.
        let _ = write!(place, "{byte:02x}");
    }
    place
}

/// What came of asking.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// The answer; it counts once `save` was kept.
    pub standing: Standing,
    /// What to keep from now on; `None` where nothing changed.
    pub save: Option<String>,
    /// When the next thing that is kept runs out, which is when [`sweep`] has something to do; `None` for never, or
    /// for a time more than a century away.
    pub due: Option<UnixMillis>,
}

/// Asks what is kept at a [`place`]: `kept` is the text that was saved there last, `None` where there is none.
///
/// Text that is not of this version's making is nobody's word: the answer is [`Standing::Unknown`], and it is
/// left as it is. A lease may last up to a third longer than it asks for, so that most of its renewals change
/// nothing and need not be saved: platforms count writes, and some let a value change once a second only.
pub fn ask(kept: Option<&str>, request: &StoreRequest, now: UnixMillis) -> Stored {
    let Some(mut store) = read(kept) else {
        return Stored {
            standing: Standing::Unknown,
            save: None,
            due: None,
        };
    };
    let before = store.clone();
    let standing = store.ask(&rounded(request, now), now);
    Stored {
        standing,
        save: (store != before).then(|| write(&store)),
        due: next_due(&store, now),
    }
}

/// The request with the end of a lease moved up to the next full third of its length.
fn rounded(request: &StoreRequest, now: UnixMillis) -> StoreRequest {
    let mut request = request.clone();
    if let StoreRequest::Lease { until, .. } = &mut request {
        let third = (until.0.saturating_sub(now.0) / 3).max(1);
        let past = until.0.rem_euclid(third);
        until.0 = until.0.saturating_add((third - past) % third);
    }
    request
}

/// What is left of a text once what has run out is forgotten: the text to keep and when the next thing runs out,
/// or `None` where nothing is left.
pub fn sweep(kept: &str, now: UnixMillis) -> Option<(String, Option<UnixMillis>)> {
    let Some(mut store) = read(Some(kept)) else {
        return Some((kept.to_owned(), None));
    };
    store.sweep(now);
    (!store.is_empty()).then(|| (write(&store), next_due(&store, now)))
}

/// When the next thing runs out, if that is within what platforms can say: the date of an alarm and the seconds of a
/// time to live are bounded, each in its own way.
fn next_due(store: &MemoryStore, now: UnixMillis) -> Option<UnixMillis> {
    let latest = now.plus_seconds(MAX_STORED_SECONDS);
    store.next_due().filter(|due| *due <= latest)
}

fn read(kept: Option<&str>) -> Option<MemoryStore> {
    kept.map_or_else(
        || Some(MemoryStore::with_capacity(MAX_STORED)),
        |text| serde_json::from_str(text).ok(),
    )
}

fn write(store: &MemoryStore) -> String {
    // Keys and numbers always serialise.
    serde_json::to_string(store).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn key(name: &str) -> StoreKey {
        StoreKey::new("test", &[name.as_bytes()])
    }

    fn once(name: &str) -> StoreRequest {
        StoreRequest::Once {
            key: key(name),
            until: NOW.plus_seconds(60),
        }
    }

    fn lease(stream: &str) -> StoreRequest {
        StoreRequest::Lease {
            subject: key("subject"),
            stream: key(stream),
            limit: 1,
            until: NOW.plus_seconds(30),
        }
    }

    #[test]
    fn what_is_saved_is_known_the_next_time() {
        let first = ask(None, &once("a"), NOW);
        assert_eq!(first.standing, Standing::Clear);
        assert_eq!(first.due, Some(NOW.plus_seconds(60)));
        let second = ask(first.save.as_deref(), &once("a"), NOW.plus_seconds(59));
        assert_eq!((second.standing, second.save), (Standing::Held, None));
    }

    #[test]
    fn most_renewals_of_a_lease_need_no_writing_and_none_ends_early() {
        let lease = |now: UnixMillis| StoreRequest::Lease {
            subject: key("subject"),
            stream: key("one"),
            limit: 1,
            until: now.plus_seconds(30),
        };
        let (mut kept, mut writes) = (None, 0);
        for second in 0..60 {
            let now = NOW.plus_seconds(second);
            let asked = ask(kept.as_deref(), &lease(now), now);
            assert_eq!(asked.standing, Standing::Clear);
            let due = asked.due.unwrap();
            assert!(now.plus_seconds(30) <= due && due < now.plus_seconds(40));
            if let Some(save) = asked.save {
                kept = Some(save);
                writes += 1;
            }
        }
        assert!(writes <= 7, "{writes} of 60");
    }

    #[test]
    fn all_streams_of_a_subject_lie_in_one_place_and_other_things_in_others() {
        assert_eq!(place(&lease("one")), place(&lease("two")));
        let bar = StoreRequest::Bar {
            key: key("a"),
            add: false,
            until: None,
        };
        assert_ne!(place(&once("a")), place(&bar));
        assert_eq!(place(&once("a")).len(), "once-".len() + 64);
        assert!(place(&once("a")).starts_with("once-"));

        let first = ask(None, &lease("one"), NOW);
        let other = ask(first.save.as_deref(), &lease("two"), NOW);
        assert_eq!(other.standing, Standing::Held);
    }

    #[test]
    fn what_ran_out_is_swept_and_nothing_is_left_of_nothing() {
        let kept = ask(None, &lease("one"), NOW).save.unwrap();
        assert_eq!(
            sweep(&kept, NOW),
            Some((kept.clone(), Some(NOW.plus_seconds(30))))
        );
        assert_eq!(sweep(&kept, NOW.plus_seconds(40)), None);
    }

    #[test]
    fn what_lasts_longer_than_platforms_can_say_is_never_due() {
        for until in [UnixMillis::MAX, UnixMillis(8_640_000_000_000_001)] {
            let once = StoreRequest::Once { key: key("a"), until };
            let asked = ask(None, &once, NOW);
            assert_eq!((asked.standing, asked.due), (Standing::Clear, None));
            let kept = asked.save.unwrap();
            assert_eq!(sweep(&kept, NOW), Some((kept.clone(), None)));
            assert_eq!(ask(Some(&kept), &once, NOW).standing, Standing::Held);
        }
    }

    #[test]
    fn a_text_of_anothers_making_is_no_answer_and_is_left_alone() {
        let asked = ask(Some("{}"), &once("a"), NOW);
        assert_eq!((asked.standing, asked.save), (Standing::Unknown, None));
        assert_eq!(sweep("{}", NOW), Some(("{}".to_owned(), None)));
    }
}
