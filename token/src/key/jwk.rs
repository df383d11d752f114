//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037): the form in which keys are configured.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::SigningKey as P256SigningKey;
use serde::{Deserialize, Serialize};

use super::{Algorithm, KeyBounds};
use crate::error::KeyError;

/// A JSON Web Key. Members that are not listed here are ignored (RFC 7517 §4).
///
/// `iss`, `nbf` and `exp` are not of the RFC: they bind what the key may do here.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Jwk {
    /// `EC`, `oct`, `RSA` or `OKP`.
    pub kty: String,
    /// The key's name, which tokens carry as COSE `kid`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kid: String,
    /// The [name](Algorithm::name) of the one algorithm that the key is for. May be left out where the other
    /// members say it all: `EC` by its curve, `OKP`, `RSA` (PS256), `oct` (HS256, or with `use` `enc` AES-GCM
    /// by the length of `k`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What the key is for: `sig` (the default) or `enc`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// What its holder does with it: `verify` (the default) and `sign`, which includes verifying; for `enc`
    /// keys `decrypt` and `encrypt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// The issuers that the key may speak for: a token sealed by it must have one of them as its `iss`.
    /// Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<Vec<String>>,
    /// The first moment at which the key is good, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The first moment at which it is good no longer, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// The curve of an `EC` key (`P-256`, `P-384`) or of an `OKP` key (`Ed25519`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Public point, base64url of the curve's 32 or 48 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Public point, as long as `x`; none for `OKP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Private scalar or seed, as long as `x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d: Option<String>,
    /// Modulus of an `RSA` key, base64url, 2048 to 4096 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Public exponent of an `RSA` key, base64url, odd, at least 3 and below 2^64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// Secret of an `oct` key, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
}

/// A JWK Set (RFC 7517 §5).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct JwkSet {
    /// The keys, in the order in which they are tried. Of those that may sign, the last one signs.
    pub keys: Vec<Jwk>,
}

impl fmt::Debug for Jwk {
    /// Names the key without showing any secret of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

impl Jwk {
    /// An `oct` key of `secret`, for HS256.
    pub fn symmetric(kid: &str, secret: &[u8]) -> Self {
        Self::octets(kid, Algorithm::Hs256, secret)
    }

    /// An `oct` key of `secret`, for a symmetric `algorithm`: HMAC or AES-GCM.
    pub fn octets(kid: &str, algorithm: Algorithm, secret: &[u8]) -> Self {
        Self {
            kty: "oct".into(),
            kid: kid.into(),
            alg: Some(algorithm.name().into()),
            usage: algorithm.encrypts().then(|| "enc".into()),
            k: Some(Base64UrlUnpadded::encode_string(secret)),
            ..Self::default()
        }
    }

    /// A private `EC` key on P-256 from 32 bytes of the caller's randomness.
    ///
    /// # Errors
    /// The bytes are no scalar of the curve's group (fewer than one in 2^32 random ones).
    pub fn elliptic(kid: &str, scalar: &[u8; 32]) -> Result<Self, KeyError> {
        let bare = Self {
            kty: "EC".into(),
            kid: kid.into(),
            alg: Some(Algorithm::Es256.name().into()),
            crv: Some("P-256".into()),
            d: Some(Base64UrlUnpadded::encode_string(scalar)),
            ..Self::default()
        };
        let key = P256SigningKey::from_slice(scalar)
            .map_err(|_| bare.wrong("d", "is not a scalar of P-256: draw other random bytes"))?;
        let point = key.verifying_key().to_sec1_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            return Err(bare.wrong("d", "has no public point"));
        };
        Ok(Self {
            x: Some(Base64UrlUnpadded::encode_string(x)),
            y: Some(Base64UrlUnpadded::encode_string(y)),
            ..bare
        })
    }

    /// A private `EC` key on P-256 that patterns are encrypted to, from 32 bytes of the caller's randomness.
    ///
    /// # Errors
    /// Those of [`elliptic`](Self::elliptic).
    pub fn agreement(kid: &str, scalar: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self {
            alg: Some(Algorithm::EcdhSsA128Kw.name().into()),
            usage: Some("enc".into()),
            ..Self::elliptic(kid, scalar)?
        })
    }

    /// A public `RSA` key for PS256, from its modulus and exponent in big-endian bytes.
    pub fn rsa(kid: &str, modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            kty: "RSA".into(),
            kid: kid.into(),
            alg: Some(Algorithm::Ps256.name().into()),
            n: Some(Base64UrlUnpadded::encode_string(modulus)),
            e: Some(Base64UrlUnpadded::encode_string(exponent)),
            ..Self::default()
        }
    }

    /// The same key for a holder who signs with it.
    #[must_use]
    pub fn for_signer(&self) -> Self {
        Self {
            key_ops: Some(vec!["sign".into(), "verify".into()]),
            ..self.clone()
        }
    }

    /// What a recipient needs of this key: for `EC` and `OKP` without the private part, for `oct` without the
    /// permission to sign. A symmetric key stays whole, for it has no public half, and so does one that patterns are
    /// encrypted to, for the recipient opens them.
    #[must_use]
    pub fn for_recipient(&self) -> Self {
        let opens = self.algorithm().is_ok_and(Algorithm::agrees);
        Self {
            d: self.d.clone().filter(|_| opens),
            key_ops: None,
            ..self.clone()
        }
    }

    /// What whoever encrypts to this key needs of it: its public half. A symmetric key stays whole.
    #[must_use]
    pub fn for_sender(&self) -> Self {
        Self {
            d: None,
            key_ops: None,
            ..self.clone()
        }
    }

    /// The one algorithm that the key is for.
    ///
    /// # Errors
    /// The member that is unknown, that contradicts another, or that asks for an algorithm which this build
    /// does not have.
    pub fn algorithm(&self) -> Result<Algorithm, KeyError> {
        let encrypts = match self.usage.as_deref() {
            None => None,
            Some("sig") => Some(false),
            Some("enc") => Some(true),
            Some(_) => return Err(self.wrong("use", "must be \"sig\" or \"enc\"")),
        };
        let algorithm = match self.alg.as_deref() {
            Some(name) => Algorithm::from_name(name).ok_or_else(|| {
                self.wrong(
                    "alg",
                    "is not one of HS256, ES256, PS256, A128GCM, A256GCM, ECDH-SS+A128KW (or HS384, HS512, ES384, EdDSA)",
                )
            })?,
            None => self.algorithm_by_type(encrypts == Some(true))?,
        };
        let kty = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EcdhSsA128Kw => "EC",
            Algorithm::EdDsa => "OKP",
            Algorithm::Ps256 => "RSA",
            _ => "oct",
        };
        if self.kty != kty {
            return Err(self.wrong("alg", "does not go with kty"));
        }
        if encrypts.is_some_and(|encrypts| encrypts != algorithm.encrypts()) {
            return Err(self.wrong("use", "does not go with alg"));
        }
        if algorithm.is_compiled_in() {
            Ok(algorithm)
        } else {
            Err(self.wrong(
                "alg",
                match algorithm {
                    Algorithm::Ps256 => "needs a build with the feature \"ps256\"",
                    Algorithm::A128Gcm | Algorithm::A256Gcm | Algorithm::EcdhSsA128Kw => {
                        "needs a build with the feature \"encrypt\""
                    }
                    _ => "is not of CTA-5007: it needs a build with the feature \"extra-algorithms\"",
                },
            ))
        }
    }

    /// The algorithm of a key that does not name it.
    fn algorithm_by_type(&self, encrypts: bool) -> Result<Algorithm, KeyError> {
        match self.kty.as_str() {
            "EC" if encrypts => Ok(Algorithm::EcdhSsA128Kw),
            "EC" if self.crv.as_deref() == Some("P-384") => Ok(Algorithm::Es384),
            "EC" => Ok(Algorithm::Es256),
            "OKP" => Ok(Algorithm::EdDsa),
            "RSA" => Ok(Algorithm::Ps256),
            "oct" if encrypts => match self.bytes("k", self.k.as_ref())?.len() {
                16 => Ok(Algorithm::A128Gcm),
                32 => Ok(Algorithm::A256Gcm),
                _ => Err(self.wrong("k", "must be 16 bytes (A128GCM) or 32 bytes (A256GCM)")),
            },
            "oct" => Ok(Algorithm::Hs256),
            _ => Err(self.wrong("kty", "must be \"EC\", \"oct\", \"RSA\" or \"OKP\"")),
        }
    }

    /// Whether the holder signs with this key.
    pub(super) fn signs(&self) -> Result<bool, KeyError> {
        let Some(ops) = &self.key_ops else {
            return Ok(false);
        };
        let signs = ops.iter().any(|op| op == "sign");
        if signs || ops.iter().any(|op| op == "verify") {
            Ok(signs)
        } else {
            Err(self.wrong("key_ops", "must have \"verify\" or \"sign\", or be left out"))
        }
    }

    /// Whom the key speaks for, and when.
    pub(crate) fn bounds(&self) -> Result<KeyBounds, KeyError> {
        if self.iss.as_ref().is_some_and(Vec::is_empty) {
            return Err(self.wrong("iss", "is empty: name an issuer, or leave it out to allow any"));
        }
        if let (Some(nbf), Some(exp)) = (self.nbf, self.exp)
            && nbf >= exp
        {
            return Err(self.wrong("exp", "is not after nbf: the key would never be good"));
        }
        Ok(KeyBounds {
            issuers: self.iss.clone(),
            not_before: self.nbf,
            not_after: self.exp,
        })
    }

    /// A member's base64url. Padding is tolerated, though RFC 7515 §2 has none.
    pub(crate) fn bytes(&self, member: &'static str, value: Option<&String>) -> Result<Vec<u8>, KeyError> {
        let text = value.ok_or_else(|| self.wrong(member, "is missing"))?;
        Base64UrlUnpadded::decode_vec(text.trim_end_matches('='))
            .map_err(|_| self.wrong(member, "is not base64url"))
    }

    /// A member's base64url of exactly `N` bytes.
    pub(crate) fn exactly<const N: usize>(
        &self,
        member: &'static str,
        value: Option<&String>,
        what: &'static str,
    ) -> Result<[u8; N], KeyError> {
        self.bytes(member, value)?
            .try_into()
            .map_err(|_| self.wrong(member, what))
    }

    /// The secret of an `oct` key, no shorter than `least` bytes (RFC 7518 §3.2).
    pub(super) fn secret(&self, least: usize) -> Result<Vec<u8>, KeyError> {
        let secret = self.bytes("k", self.k.as_ref())?;
        if secret.len() < least {
            return Err(self.wrong(
                "k",
                match least {
                    32 => "is shorter than 32 bytes: make a longer one",
                    48 => "is shorter than 48 bytes: make a longer one",
                    _ => "is shorter than 64 bytes: make a longer one",
                },
            ));
        }
        Ok(secret)
    }

    pub(crate) fn wrong(&self, member: &'static str, what: &'static str) -> KeyError {
        KeyError::Member {
            kid: self.kid.clone(),
            member,
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_contradict_each_other_are_named() {
        let key = Jwk::symmetric("k", &[1; 32]);
        for (jwk, member) in [
            (
                Jwk {
                    alg: Some("ES256".into()),
                    ..key.clone()
                },
                "alg",
            ),
            (
                Jwk {
                    alg: Some("hs256".into()),
                    ..key.clone()
                },
                "alg",
            ),
            (
                Jwk {
                    alg: Some("RS256".into()),
                    ..key.clone()
                },
                "alg",
            ),
            (
                Jwk {
                    usage: Some("enc".into()),
                    ..key.clone()
                },
                "use",
            ),
            (
                Jwk {
                    usage: Some("both".into()),
                    ..key.clone()
                },
                "use",
            ),
            (
                Jwk {
                    kty: "XYZ".into(),
                    alg: None,
                    ..key.clone()
                },
                "kty",
            ),
        ] {
            assert!(
                matches!(jwk.algorithm(), Err(KeyError::Member { member: m, .. }) if m == member),
                "{member}"
            );
        }
        for (jwk, member) in [
            (
                Jwk {
                    iss: Some(Vec::new()),
                    ..key.clone()
                },
                "iss",
            ),
            (
                Jwk {
                    nbf: Some(9),
                    exp: Some(9),
                    ..key.clone()
                },
                "exp",
            ),
        ] {
            assert!(
                matches!(jwk.bounds(), Err(KeyError::Member { member: m, .. }) if m == member),
                "{member}"
            );
        }
        let idle = Jwk {
            key_ops: Some(vec!["wrapKey".into()]),
            ..key
        };
        assert!(matches!(
            idle.signs(),
            Err(KeyError::Member {
                member: "key_ops",
                ..
            })
        ));
    }

    #[test]
    fn a_key_without_alg_is_for_what_its_other_members_say() {
        let bare = |jwk: Jwk| Jwk { alg: None, ..jwk }.algorithm();
        assert_eq!(bare(Jwk::symmetric("", &[1; 32])), Ok(Algorithm::Hs256));
        assert_eq!(bare(Jwk::elliptic("", &[1; 32]).unwrap()), Ok(Algorithm::Es256));
        #[cfg(feature = "encrypt")]
        assert_eq!(
            bare(Jwk::octets("", Algorithm::A128Gcm, &[1; 16])),
            Ok(Algorithm::A128Gcm)
        );
        #[cfg(feature = "ps256")]
        assert_eq!(bare(Jwk::rsa("", &[1; 256], &[3])), Ok(Algorithm::Ps256));
    }

    #[test]
    fn unknown_members_are_ignored_and_secrets_do_not_show() {
        let json = r#"{"kty":"oct","kid":"h","x5t":"?","ext":true,"k":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"}"#;
        let jwk: Jwk = serde_json::from_str(json).unwrap();
        assert_eq!(jwk.algorithm(), Ok(Algorithm::Hs256));
        let shown = format!("{jwk:?}");
        assert!(shown.contains("\"h\"") && !shown.contains("QUFB"), "{shown}");
    }
}
