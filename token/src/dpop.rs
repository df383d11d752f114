//! Proof of possession over HTTP: a DPoP proof (RFC 9449) checked against what `cnf` and `catdpop` say.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    claims::{Confirmation, DpopSettings, ProofReplay},
    limits::{MAX_PROOF_ID, MAX_PROOF_TEXT},
    store::{StoreKey, StoreRequest},
    thumbprint::Thumbprints,
    time::{NumericDate, UnixMillis},
    uri::{Component, RequestUri},
};

/// What a proof of possession has to be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proving<'r> {
    /// The `DpoP` field, its lines joined.
    pub(crate) field: Option<&'r str>,
    pub(crate) method: &'r str,
    pub(crate) uri: &'r RequestUri,
    /// The token's text as presented.
    pub(crate) token: &'r str,
    /// The token's `exp`.
    pub(crate) expires: Option<NumericDate>,
    pub(crate) now: UnixMillis,
}

/// Why a proof of possession does not count. The text is for operators.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ProofError {
    /// `cnf` names no method that is checked here.
    #[error("cnf names no confirmation method that is checked here")]
    Unusable,
    /// The request has no `DPoP` field.
    #[error("the request has no DPoP field")]
    Missing,
    /// The request has several proofs (RFC 9449 §4.3 allows one).
    #[error("the request has several DPoP proofs")]
    Several,
    /// The proof is longer than 4096 bytes, or its `jti` than 256.
    #[error("the DPoP proof, or its jti, is too long")]
    TooLong,
    /// No JWS of three parts, or one whose parts are not the JSON that they have to be.
    #[error("the DPoP proof is not a JWS with the members that RFC 9449 asks for")]
    Malformed,
    /// `typ` is not `dpop+jwt`.
    #[error("the DPoP proof's typ is not dpop+jwt")]
    Type,
    /// `alg` is not `ES256`, or the header has critical members.
    #[error("the DPoP proof's alg is not ES256, or it has critical headers")]
    Algorithm,
    /// `jwk` is not a public key on P-256.
    #[error("the DPoP proof's jwk is not a public key on P-256")]
    Key,
    /// `jwk` holds a private key, which everybody on the way has now seen.
    #[error("the DPoP proof's jwk holds a private key")]
    PrivateKey,
    /// The key is not the one that `cnf` means.
    #[error("the DPoP proof is by another key than the one in cnf")]
    OtherKey,
    /// `htm` is another method.
    #[error("the DPoP proof is for another method")]
    Method,
    /// `htu` is another URI.
    #[error("the DPoP proof is for another URI")]
    Uri,
    /// `iat` is further from now than the window allows.
    #[error("the DPoP proof is too old, or from the future")]
    Time,
    /// `ath` is not the hash of the token.
    #[error("the DPoP proof is for another token")]
    Token,
    /// The signature does not verify.
    #[error("the DPoP proof's signature does not verify")]
    Signature,
    /// The proof was used before, and `catdpop` allows it once.
    #[error("the DPoP proof was used before")]
    Replayed,
}

impl ProofError {
    /// The reason as a stable word for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unusable => "cnf-unusable",
            Self::Missing => "dpop-missing",
            Self::Several => "dpop-several",
            Self::TooLong => "dpop-too-long",
            Self::Malformed => "dpop-malformed",
            Self::Type => "dpop-type",
            Self::Algorithm => "dpop-algorithm",
            Self::Key => "dpop-key",
            Self::PrivateKey => "dpop-private-key",
            Self::OtherKey => "dpop-other-key",
            Self::Method => "dpop-method",
            Self::Uri => "dpop-uri",
            Self::Time => "dpop-time",
            Self::Token => "dpop-token",
            Self::Signature => "dpop-signature",
            Self::Replayed => "dpop-replayed",
        }
    }
}

/// Checks that the sender of a request holds the key that `cnf` means. Answers what a store has to be asked
/// still, if `catdpop` lets a proof be used once only.
///
/// The signature is checked last: everything else is cheap.
pub(crate) fn prove(
    confirmation: &Confirmation,
    settings: DpopSettings,
    proving: &Proving<'_>,
) -> Result<Option<StoreRequest>, ProofError> {
    if !confirmation.is_usable() {
        return Err(ProofError::Unusable);
    }
    let proof = proving.field.ok_or(ProofError::Missing)?.trim();
    // No JWS has a comma: this is what joins the lines of several fields.
    if proof.contains(',') {
        return Err(ProofError::Several);
    }
    if proof.len() > MAX_PROOF_TEXT {
        return Err(ProofError::TooLong);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(ProofError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(ProofError::Malformed)?;
    let header: Header = json(header)?;
    let claims: ProofClaims = json(claims)?;
    if header.typ != "dpop+jwt" {
        return Err(ProofError::Type);
    }
    if header.alg != "ES256" || header.crit.is_some() {
        return Err(ProofError::Algorithm);
    }
    let (key, thumbprints) = header.jwk.read()?;
    if !confirmation.means(&thumbprints) {
        return Err(ProofError::OtherKey);
    }
    if claims.htm != proving.method {
        return Err(ProofError::Method);
    }
    if !same_target(&claims.htu, proving.uri, proving.token) {
        return Err(ProofError::Uri);
    }
    // To the second, as `iat` mostly is. A cast of a float saturates, and JSON has no NaN.
    let issued = claims.iat.floor() as i64;
    if issued.abs_diff(proving.now.seconds()) > settings.window_seconds {
        return Err(ProofError::Time);
    }
    let token_hash = Base64UrlUnpadded::encode_string(&Sha256::digest(proving.token));
    if claims.ath != token_hash {
        return Err(ProofError::Token);
    }
    if claims.jti.len() > MAX_PROOF_ID {
        return Err(ProofError::TooLong);
    }
    let signature = Base64UrlUnpadded::decode_vec(signature).map_err(|_| ProofError::Malformed)?;
    let signature = Signature::from_slice(&signature).map_err(|_| ProofError::Signature)?;
    key.verify(signed.as_bytes(), &signature)
        .map_err(|_| ProofError::Signature)?;

    let window = i64::try_from(settings.window_seconds).unwrap_or(i64::MAX);
    Ok(match settings.replay {
        ProofReplay::Permitted => None,
        ProofReplay::Prohibited => Some(StoreRequest::Once {
            key: StoreKey::new("dpop", &[&thumbprints.jwk, claims.jti.as_bytes()]),
            // The first second in which the window refuses it, or the token that it names is over.
            until: UnixMillis::from_seconds(issued.saturating_add(window).saturating_add(1))
                .min(proving.expires.map_or(UnixMillis::MAX, NumericDate::moment)),
        }),
    })
}

/// The JOSE header of a proof (RFC 9449 §4.2). A member that stands twice is an error.
#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: ProofKey,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// The proof's own key. What names no part of a private key may stand beside it.
#[derive(Deserialize)]
struct ProofKey {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

/// The claims of a proof (RFC 9449 §4.2). `ath` is mandatory: there is always a token.
#[derive(Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    ath: String,
}

/// Members of a JWK that are secret (RFC 7518 §6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl ProofKey {
    fn read(&self) -> Result<(VerifyingKey, Thumbprints), ProofError> {
        if PRIVATE_MEMBERS
            .iter()
            .any(|member| self.others.contains_key(*member))
        {
            return Err(ProofError::PrivateKey);
        }
        if self.kty != "EC" || self.crv != "P-256" {
            return Err(ProofError::Key);
        }
        let coordinate = |text: &str| -> Option<[u8; 32]> {
            let mut bytes = [0; 32];
            (Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len() == 32).then_some(bytes)
        };
        let (Some(x), Some(y)) = (coordinate(&self.x), coordinate(&self.y)) else {
            return Err(ProofError::Key);
        };
        let key = VerifyingKey::from_sec1_bytes(&[&[4], &x[..], &y].concat()).map_err(|_| ProofError::Key)?;
        Ok((key, Thumbprints::of(&x, &y)))
    }
}

/// Decodes one part of a JWS.
fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, ProofError> {
    let bytes = Base64UrlUnpadded::decode_vec(part).map_err(|_| ProofError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| ProofError::Malformed)
}

/// Whether `htu` is the URI of the request, both normalised, query and fragment left out (RFC 9449 §4.3). A client
/// that sends its token in the path signs a path with the token in it: that is the same target.
fn same_target(htu: &str, uri: &RequestUri, token: &str) -> bool {
    let Some((scheme, rest)) = htu.split_once("://") else {
        return false;
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let Ok(target) = RequestUri::parse(scheme, authority, path, None) else {
        return false;
    };
    let same = |component| target.component(component) == uri.component(component);
    let before = target.path().strip_suffix(uri.path());
    same(Component::Scheme)
        && same(Component::Host)
        && same(Component::Port)
        && before.is_some_and(|before| {
            let carried =
                !token.is_empty() && before.strip_suffix(token).is_some_and(|rest| rest.ends_with('/'));
            before.is_empty() || carried
        })
}

#[cfg(test)]
mod tests;
