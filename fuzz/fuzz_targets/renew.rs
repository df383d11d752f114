//! What follows a token: a renewed one and a session's keep every claim but those that they are to change, byte for
//! byte, and are read again; what the token puts into a response cannot break out of its field.
#![no_main]

use std::sync::LazyLock;

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use selvedge_fuzz::{KEY, World, entries, is_well_formed, read_all, seal, verifier};
use selvedge_token::{
    Authentic, Claims, KeySet, Label, Minting, Policy, Renewal, Replay, SigningKey, UnixMillis, Verifier,
};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(Policy::default()));
static SIGNING: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_jwk(&KEY).expect("a key of 32 bytes"));
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_jwks([&*KEY]).expect("a key of 32 bytes"));

const EXP: i64 = 4;
const NBF: i64 = 5;
const IAT: i64 = 6;
const CTI: i64 = 7;
const CATREPLAY: i64 = 308;
const CATR: i64 = 323;

/// Asserts that `after` is `before` but for some keys, and returns what it is read as.
fn assert_follows(before: &Authentic, after: &Renewal, changed: &[i64]) -> Option<Authentic> {
    assert!(is_well_formed(after.payload()));
    let (old, new) = (entries(before.payload()), entries(after.payload()));
    // By value: the key may be spelt in more bytes than it needs.
    let changed: Vec<Value> = changed.iter().map(|label| Value::from(*label)).collect();
    let is_kept = |entry: &&(&[u8], &[u8])| read_all(entry.0).is_none_or(|key| !changed.contains(&key));
    let kept = |entries: &[(&[u8], &[u8])]| entries.iter().filter(is_kept).count();
    assert_eq!(kept(&old), kept(&new), "a claim is lost or new");
    for entry in old.iter().filter(is_kept) {
        assert!(new.contains(entry), "a claim is not what it was");
    }
    // It may be too long by now.
    let text = after.sign(&SIGNING).ok()?;
    Some(
        VERIFIER
            .authenticate(&text)
            .expect("what was written is read again"),
    )
}

/// `nbf` excludes nothing, and `exp` is what was said.
fn assert_times(after: &Authentic, expires: Option<i64>, now: UnixMillis) {
    if let Some(nbf) = after.claims().not_before {
        assert!(nbf.compare(now).is_le());
    }
    assert_eq!(after.claims().expires.map(|exp| exp.seconds()), expires);
}

fn assert_stays_in_its_field(text: &str) {
    assert!(!text.bytes().any(|byte| byte < b' ' || byte == 0x7f), "{text:?}");
}

/// Everything that goes into a response.
fn assert_response_is_whole(claims: &Claims, now: UnixMillis) {
    if let Some(terms) = &claims.renewal {
        terms
            .set_cookie("token")
            .iter()
            .for_each(|cookie| assert_stays_in_its_field(cookie));
        if let Some((name, value)) = terms.header("token") {
            assert_stays_in_its_field(name);
            assert_stays_in_its_field(&value);
        }
        assert!(
            terms
                .redirect_status()
                .is_none_or(|status| (300..400).contains(&status))
        );
    }
    let minting = Minting {
        issuer: Some("edge"),
        lifetime_seconds: 60,
        keys: &KEYS,
        now,
    };
    for claim in claims
        .consequences
        .iter()
        .flat_map(|all| all.claims())
        .collect::<Vec<Label>>()
    {
        let Some(answer) = claims
            .consequences
            .as_ref()
            .and_then(|all| all.answer(claim, &minting))
        else {
            continue;
        };
        assert!((200..600).contains(&answer.status));
        for (name, value) in answer.fields {
            assert!(!name.contains(':'));
            assert_stays_in_its_field(&name);
            assert_stays_in_its_field(&value);
            assert!(
                !name.eq_ignore_ascii_case("location") || value.starts_with("https://"),
                "{value}"
            );
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((world, payload)) = World::split(input) else {
        return;
    };
    let Ok(before) = VERIFIER.authenticate(&seal(payload)) else {
        return;
    };
    let now = world.now;
    assert_response_is_whole(before.claims(), now);
    if let Some(renewed) = before.renewal(now)
        && let Some(after) = assert_follows(&before, &renewed, &[EXP, NBF, IAT])
    {
        assert_times(&after, renewed.expires(), now);
    }
    for token_id in [None, Some([7; 16])] {
        let Some(session) = before.exchange(3600, token_id, now) else {
            continue;
        };
        let mut changed = vec![EXP, NBF, IAT, CATR];
        changed.extend(token_id.map(|_| CTI));
        // The one use is spent; any other word on replay stays.
        changed.extend((before.claims().replay == Replay::Prohibited).then_some(CATREPLAY));
        if let Some(after) = assert_follows(&before, &session, &changed) {
            assert_times(&after, session.expires(), now);
            assert!(after.claims().renewal.is_none());
            assert_ne!(after.claims().replay, Replay::Prohibited);
            if before.claims().renewal.is_none() && before.claims().expires.is_some() {
                assert_eq!(
                    after.claims().expires,
                    before.claims().expires,
                    "nobody granted more"
                );
            }
        }
    }
});
