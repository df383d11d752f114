//! Verification, in the order that fails closed: frame, key, signature, claims, request.

use core::cmp::Ordering;

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::{
    claims::Claims,
    cose::{Frame, Structure},
    error::Refusal,
    key::{Algorithm, KeySet},
    limits::{MAX_KEYS_TRIED, MAX_TOKEN_BYTES, MAX_TOKEN_TEXT},
    time::UnixMillis,
    uri::RequestUri,
};

/// Whom a recipient trusts and who it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Trusted issuers. Empty: `iss` is not looked at. Otherwise a token without `iss` is refused.
    pub issuers: Vec<String>,
    /// The identities of this recipient, looked for in a token's `aud`. A token with an `aud` is refused
    /// where none of them is in it, also when this list is empty.
    pub audiences: Vec<String>,
}

/// What a claim may look at of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method, as sent.
    pub method: &'r str,
    /// The effective URI, without the token.
    pub uri: &'r RequestUri,
}

/// A token whose signature has been checked. It says nothing yet about any request.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentic {
    claims: Claims,
    kid: String,
    algorithm: Algorithm,
}

impl Authentic {
    /// What the token says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The name of the key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm of that key.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Proof that a request was judged and may pass. Only [`Verifier::admit`] makes one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Admitted(());

/// Checks tokens against a set of keys and a policy.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: KeySet,
    policy: Policy,
}

impl Verifier {
    /// A verifier that trusts `keys` and follows `policy`.
    pub const fn new(keys: KeySet, policy: Policy) -> Self {
        Self { keys, policy }
    }

    /// Everything that depends on the token alone: decoding, the signature, and the claims' form.
    ///
    /// # Errors
    /// The first thing wrong with it, in the order of the crate's documentation.
    pub fn authenticate(&self, token: &str) -> Result<Authentic, Refusal> {
        let bytes = decode(token)?;
        let frame = Frame::read(&bytes)?;
        let sealed = frame.sealed_bytes();
        let mut mismatch = None;
        for key in self.keys.select(frame.kid).take(MAX_KEYS_TRIED) {
            let algorithm = key.algorithm();
            let agrees = frame.structure == Structure::of(algorithm)
                && frame.alg.is_none_or(|alg| alg == i128::from(algorithm.cose_id()));
            if !agrees {
                mismatch = mismatch.or(Some(Refusal::AlgorithmMismatch));
            } else if key.verifies(&sealed, frame.seal) {
                let claims = Claims::read(frame.payload)?;
                return Ok(Authentic {
                    claims,
                    kid: key.kid.clone(),
                    algorithm,
                });
            } else {
                mismatch = Some(Refusal::BadSignature);
            }
        }
        Err(mismatch.unwrap_or_else(|| Refusal::UnknownKey {
            kid: frame
                .kid
                .unwrap_or_default()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        }))
    }

    /// Judges a request at a moment by an authentic token. There is no leeway on `exp` and `nbf`: the
    /// standard allows none.
    ///
    /// # Errors
    /// The first claim that does not admit the request.
    pub fn admit(
        &self,
        token: &Authentic,
        request: &Request<'_>,
        now: UnixMillis,
    ) -> Result<Admitted, Refusal> {
        let claims = &token.claims;
        if let Some(exp) = claims.expires.filter(|exp| exp.compare(now) != Ordering::Greater) {
            return Err(Refusal::Expired { exp: exp.seconds() });
        }
        if let Some(nbf) = claims
            .not_before
            .filter(|nbf| nbf.compare(now) == Ordering::Greater)
        {
            return Err(Refusal::NotYetValid { nbf: nbf.seconds() });
        }
        if let Some(claim) = claims.unsupported {
            return Err(Refusal::UnsupportedClaim { claim });
        }
        let trusted = |issuer: &String| self.policy.issuers.contains(issuer);
        if !self.policy.issuers.is_empty() && !claims.issuer.as_ref().is_some_and(trusted) {
            return Err(Refusal::Issuer);
        }
        if let Some(audience) = &claims.audience
            && !audience.iter().any(|id| self.policy.audiences.contains(id))
        {
            return Err(Refusal::Audience);
        }
        if let Some(methods) = &claims.methods
            && !methods.iter().any(|method| method == request.method)
        {
            return Err(Refusal::Method);
        }
        match claims.uri.iter().find(|rule| !rule.holds(request.uri)) {
            Some(rule) => Err(Refusal::Uri {
                component: rule.component,
            }),
            None => Ok(Admitted(())),
        }
    }
}

/// Decodes base64url strictly; padding is optional (CTA-5007-B §4.3.1.1).
pub(crate) fn decode(token: &str) -> Result<Vec<u8>, Refusal> {
    if token.len() > MAX_TOKEN_TEXT {
        return Err(Refusal::TooLong {
            limit: MAX_TOKEN_BYTES,
        });
    }
    let unpadded = match token.len() % 4 {
        0 => token
            .strip_suffix("==")
            .or_else(|| token.strip_suffix('='))
            .unwrap_or(token),
        _ => token,
    };
    Base64UrlUnpadded::decode_vec(unpadded).map_err(|_| Refusal::NotBase64Url)
}
