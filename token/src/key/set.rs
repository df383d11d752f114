//! The keys of one recipient.

use core::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Jwk, SigningKey, VerificationKey};
#[cfg(feature = "encrypt")]
use crate::{agree::AgreementKey, encrypt::EncryptionKey};
use crate::{error::KeyError, time::UnixMillis};

/// The keys that a recipient trusts, those that open encrypted tokens, and those that it signs with itself.
#[derive(Clone, Debug)]
pub struct KeySet {
    verification: Vec<VerificationKey>,
    signing: Vec<Arc<SigningKey>>,
    #[cfg(feature = "encrypt")]
    encryption: Vec<EncryptionKey>,
    #[cfg(feature = "encrypt")]
    agreement: Vec<AgreementKey>,
    version: KeySetVersion,
}

impl KeySet {
    /// Takes the keys of a JWK Set. A private part is ignored where `key_ops` does not have `sign`; a key that
    /// signs also verifies.
    ///
    /// # Errors
    /// The first key that cannot be used, with the member that is wrong; or an empty set.
    pub fn from_jwks<'k>(jwks: impl IntoIterator<Item = &'k Jwk>) -> Result<Self, KeyError> {
        let mut digest = Sha256::new();
        let mut set = Self {
            verification: Vec::new(),
            signing: Vec::new(),
            #[cfg(feature = "encrypt")]
            encryption: Vec::new(),
            #[cfg(feature = "encrypt")]
            agreement: Vec::new(),
            version: KeySetVersion([0; 32]),
        };
        let mut empty = true;
        for jwk in jwks {
            empty = false;
            absorb(&mut digest, jwk);
            #[cfg(feature = "encrypt")]
            if jwk.algorithm()?.agrees() {
                set.agreement.push(AgreementKey::from_jwk(jwk)?);
                continue;
            }
            #[cfg(feature = "encrypt")]
            if jwk.algorithm()?.encrypts() {
                set.encryption.push(EncryptionKey::from_jwk(jwk)?);
                continue;
            }
            set.verification.push(VerificationKey::from_jwk(jwk)?);
            if jwk.signs()? {
                set.signing.push(Arc::new(SigningKey::from_jwk(jwk)?));
            }
        }
        set.version = KeySetVersion(digest.finalize().into());
        if empty { Err(KeyError::Empty) } else { Ok(set) }
    }

    /// What this set contains, in one comparable value: any change of any member of any key changes it. What
    /// was concluded from a key set is kept under it.
    pub const fn version(&self) -> KeySetVersion {
        self.version
    }

    /// The key to sign with at `now`: of those whose `key_ops` have `sign` and that are good now, the last in
    /// the set, so that a new key takes over when its time has come.
    pub fn signing(&self, now: UnixMillis) -> Option<&SigningKey> {
        self.signers(now).next()
    }

    /// The key to sign with at `now` among those of one name.
    pub fn signing_named(&self, kid: &str, now: UnixMillis) -> Option<&SigningKey> {
        self.signers(now).find(|key| key.kid() == kid)
    }

    fn signers(&self, now: UnixMillis) -> impl Iterator<Item = &SigningKey> {
        self.signing
            .iter()
            .rev()
            .map(|key| &**key)
            .filter(move |key| key.bounds().hold_at(now))
    }

    /// The keys that a token with this `kid` may be sealed by, in the set's order. A token without `kid` may
    /// use the keys without one, or the only key there is: an unknown `kid` never means "try all".
    pub(crate) fn select<'s>(&'s self, kid: Option<&[u8]>) -> impl Iterator<Item = &'s VerificationKey> {
        let only = self.verification.len() == 1;
        self.verification
            .iter()
            .filter(move |key| is_named(&key.identity.kid, kid, only))
    }

    /// The keys that a COSE_Encrypt0 with this `kid` may be opened by, by the rule of [`select`](Self::select).
    #[cfg(feature = "encrypt")]
    pub(crate) fn select_encryption<'s>(
        &'s self,
        kid: Option<&[u8]>,
    ) -> impl Iterator<Item = &'s EncryptionKey> {
        let only = self.encryption.len() == 1;
        self.encryption
            .iter()
            .filter(move |key| is_named(key.kid(), kid, only))
    }

    /// The keys that a recipient of a COSE_Encrypt with this `kid` may mean, by the rule of [`select`](Self::select).
    #[cfg(feature = "encrypt")]
    pub(crate) fn select_agreement<'s>(
        &'s self,
        kid: Option<&[u8]>,
    ) -> impl Iterator<Item = &'s AgreementKey> {
        let only = self.agreement.len() == 1;
        self.agreement
            .iter()
            .filter(move |key| is_named(key.kid(), kid, only))
    }
}

fn is_named(name: &str, kid: Option<&[u8]>, only: bool) -> bool {
    match kid {
        Some(kid) => name.as_bytes() == kid,
        None => only || name.is_empty(),
    }
}

/// Which keys a conclusion was drawn with: a digest of all there is in a [`KeySet`].
///
/// It tells nothing of a key that was made from 32 random bytes; of a guessable secret it lets guesses be
/// tried, as every token of that secret does.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeySetVersion([u8; 32]);

impl fmt::Display for KeySetVersion {
    /// The first eight bytes in hex: enough to tell sets apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeySetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySetVersion({self})")
    }
}

/// Adds one key to the digest. Each value goes in behind its length, so that no two sets look alike.
fn absorb(digest: &mut Sha256, jwk: &Jwk) {
    // Named one by one: a new member that is left out here does not compile.
    let Jwk {
        kty,
        kid,
        alg,
        usage,
        key_ops,
        iss,
        nbf,
        exp,
        crv,
        x,
        y,
        d,
        n,
        e,
        k,
    } = jwk;
    let mut put = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    for text in [kty, kid] {
        put(text.as_bytes());
    }
    for text in [alg, usage, crv, x, y, d, n, e, k] {
        put(&[text.is_some().into()]);
        put(text.as_deref().unwrap_or_default().as_bytes());
    }
    for number in [nbf, exp] {
        put(&[number.is_some().into()]);
        put(&number.unwrap_or_default().to_be_bytes());
    }
    for list in [key_ops, iss] {
        put(&list
            .as_ref()
            .map_or(u64::MAX, |list| list.len() as u64)
            .to_be_bytes());
        list.iter().flatten().for_each(|text| put(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_000);

    fn signer(kid: &str, nbf: Option<i64>, exp: Option<i64>) -> Jwk {
        Jwk {
            nbf,
            exp,
            ..Jwk::symmetric(kid, &[1; 32]).for_signer()
        }
    }

    #[test]
    fn a_short_secret_is_named_with_its_fix() {
        let error = KeySet::from_jwks([&Jwk::symmetric("weak", b"short")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"key "weak": member "k" is shorter than 32 bytes: make a longer one"#
        );
    }

    #[test]
    fn a_recipients_copy_of_an_elliptic_key_cannot_sign() {
        let private = Jwk::elliptic("signer", &[9; 32]).unwrap();
        assert!(SigningKey::from_jwk(&private).is_ok());
        assert!(SigningKey::from_jwk(&private.for_recipient()).is_err());
        assert!(
            KeySet::from_jwks([&private.for_recipient()])
                .unwrap()
                .signing(NOW)
                .is_none()
        );
        assert!(
            KeySet::from_jwks([&private.for_signer()])
                .unwrap()
                .signing(NOW)
                .is_some()
        );
        // "sign" is a promise that the key must be able to keep.
        let promise = Jwk {
            d: None,
            ..private.for_signer()
        };
        assert!(KeySet::from_jwks([&promise]).is_err());
        let other = Jwk {
            d: Jwk::elliptic("", &[8; 32]).unwrap().d,
            ..private.for_signer()
        };
        assert_eq!(
            KeySet::from_jwks([&other]).unwrap_err().to_string(),
            r#"key "signer": member "d" is not the private part of x"#
        );
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let jwk = Jwk::symmetric("h", &[0x41; 32]).for_signer();
        let secret = jwk.k.clone().unwrap();
        let shown = format!("{jwk:?} {:?}", KeySet::from_jwks([&jwk]).unwrap());
        assert!(!shown.contains(&secret) && !shown.contains("65, 65"), "{shown}");
    }

    #[test]
    fn the_last_key_that_is_good_now_signs() {
        let keys = [
            signer("old", None, Some(1_000)),
            signer("current", Some(500), Some(2_000)),
            signer("next", Some(1_500), None),
            Jwk::symmetric("verifies", &[2; 32]),
        ];
        let set = KeySet::from_jwks(&keys).unwrap();
        let at = |seconds| {
            set.signing(UnixMillis::from_seconds(seconds))
                .map(SigningKey::kid)
        };
        assert_eq!(at(499), Some("old"));
        assert_eq!(at(999), Some("current"));
        assert_eq!(at(1_500), Some("next"));
        assert_eq!(
            set.signing_named("current", NOW).map(SigningKey::kid),
            Some("current")
        );
        for (kid, why) in [
            ("old", "over"),
            ("next", "not yet"),
            ("verifies", "signs nothing"),
            ("", "unknown"),
        ] {
            assert!(set.signing_named(kid, NOW).is_none(), "{why}");
        }
    }

    #[test]
    fn an_unknown_kid_selects_nothing_and_none_selects_the_nameless_or_the_only_key() {
        let named = |kids: &[&str]| {
            KeySet::from_jwks(
                &kids
                    .iter()
                    .map(|kid| Jwk::symmetric(kid, &[1; 32]))
                    .collect::<Vec<_>>(),
            )
            .unwrap()
        };
        let count = |set: &KeySet, kid: Option<&[u8]>| set.select(kid).count();
        let set = named(&["a", "a", "b", ""]);
        assert_eq!(
            [
                count(&set, Some(b"a")),
                count(&set, Some(b"c")),
                count(&set, None)
            ],
            [2, 0, 1]
        );
        assert_eq!(count(&named(&["a"]), None), 1);
        assert_eq!(count(&named(&["a", "b"]), None), 0);
    }

    #[test]
    fn any_change_of_any_member_changes_the_version() {
        let base = Jwk::elliptic("k", &[9; 32]).unwrap().for_signer();
        let version = |keys: &[Jwk]| KeySet::from_jwks(keys).unwrap().version();
        let mut versions = vec![
            version(std::slice::from_ref(&base)),
            version(&[base.clone(), base.clone()]),
            version(&[base.for_recipient()]),
            version(&[Jwk {
                alg: None,
                ..base.clone()
            }]),
            version(&[Jwk {
                kid: "l".into(),
                ..base.clone()
            }]),
            version(&[Jwk {
                usage: Some("sig".into()),
                ..base.clone()
            }]),
            version(&[Jwk {
                key_ops: Some(vec!["sign".into()]),
                ..base.clone()
            }]),
            version(&[Jwk {
                iss: Some(vec!["a".into()]),
                ..base.clone()
            }]),
            version(&[Jwk {
                iss: Some(vec!["a".into(), "b".into()]),
                ..base.clone()
            }]),
            version(&[Jwk {
                nbf: Some(0),
                ..base.clone()
            }]),
            version(&[Jwk {
                exp: Some(0),
                ..base.clone()
            }]),
            version(&[Jwk::elliptic("k", &[8; 32]).unwrap().for_signer()]),
        ];
        let all = versions.len();
        versions.sort_by_key(|version| version.0);
        versions.dedup();
        assert_eq!(versions.len(), all);
        assert_eq!(version(std::slice::from_ref(&base)), version(&[base]));
        assert_eq!(versions.first().unwrap().to_string().len(), 16);
    }
}
