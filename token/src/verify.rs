//! Verification, in the order that fails closed: frame, key, signature, claims, request.

use crate::{
    base64url,
    claims::{Answer, Claims, Dialect, Minting, Odds, Replay, Scope},
    context::Request,
    dpop::ProofError,
    error::Refusal,
    key::{Algorithm, KeyBounds, KeyIdentity, KeySet},
    label::Label,
    limits::{MAX_TOKEN_BYTES, MAX_TOKEN_TEXT},
    mark::OnceOpened,
    store::{Standing, StoreKey, StoreRequest},
    time::{NumericDate, UnixMillis},
    unseal::unseal,
};

/// Whom a recipient trusts and who it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Trusted issuers. Empty: any that the key vouches for. Otherwise a token without `iss` is refused.
    pub issuers: Vec<String>,
    /// The identities of this recipient, looked for in a token's `aud`. A token with an `aud` is refused
    /// where none of them is in it, also when this list is empty.
    pub audiences: Vec<String>,
    /// What is accepted where the standard leaves room.
    pub dialect: Dialect,
}

impl Policy {
    /// Whether a token with this `iss` counts.
    pub(crate) fn trusts(&self, issuer: Option<&str>) -> bool {
        self.issuers.is_empty()
            || issuer.is_some_and(|issuer| self.issuers.iter().any(|trusted| trusted == issuer))
    }
}

/// A token whose signature has been checked. It says nothing yet about any request.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentic {
    claims: Claims,
    payload: Vec<u8>,
    key: KeyIdentity,
    encrypted: bool,
    opened: OnceOpened,
}

impl Authentic {
    /// What the token says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claims as they were signed: one CBOR map.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The name of the key that signed it.
    pub fn kid(&self) -> &str {
        &self.key.kid
    }

    /// The algorithm of that key.
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm
    }

    /// Whom that key speaks for, and when.
    pub fn key_bounds(&self) -> &KeyBounds {
        &self.key.bounds
    }

    /// Whether only a recipient could read the claims (COSE_Encrypt0).
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(crate) const fn opened(&self) -> &OnceOpened {
        &self.opened
    }

    /// How the token asks to be answered where it refuses a request (`catif`): in place of the usual refusal, which
    /// stands where this is `None`. See [`Consequences::answer`](crate::Consequences::answer).
    ///
    /// A token whose issuer is not trusted, or is not one of its key's, has no say in how it is answered.
    pub fn consequence(&self, refusal: &Refusal, minting: &Minting<'_>) -> Option<Answer> {
        if *refusal == Refusal::Issuer {
            return None;
        }
        let consequences = self.claims.consequences.as_ref()?;
        consequences.answer(refusal.claim()?, minting)
    }

    /// What stands for the token in a store: its issuer and `cti`.
    fn identity(&self) -> Option<StoreKey> {
        let id = self.claims.token_id.as_ref()?;
        let issuer = self.claims.issuer.as_deref().unwrap_or_default();
        Some(StoreKey::new("cti", &[issuer.as_bytes(), id]))
    }
}

/// A token that admits a request, as far as can be said without a store.
///
/// Most tokens ask nothing of a store, and [`settle`](Self::settle) then takes an empty list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "only `settle` says whether the request is admitted"]
pub struct Admission {
    asked: Vec<(StoreRequest, Refusal)>,
}

impl Admission {
    /// What a store has to be asked, in this order. Asking may write, so ask once.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = &StoreRequest> {
        self.asked.iter().map(|(request, _)| request)
    }

    /// Takes the answers to [`requests`](Self::requests), in their order. An answer that is missing, or
    /// [`Standing::Unknown`], refuses. A bad lot refuses whatever the store says of it.
    ///
    /// # Errors
    /// The claim whose question was not answered by [`Standing::Clear`].
    pub fn settle(self, standings: &[Standing]) -> Result<Admitted, Refusal> {
        for (at, (request, refusal)) in self.asked.into_iter().enumerate() {
            match standings.get(at) {
                _ if matches!(request, StoreRequest::Bar { add: true, .. }) => return Err(refusal),
                Some(Standing::Clear) => {}
                Some(Standing::Held) => return Err(refusal),
                Some(Standing::Unknown) | None => {
                    return Err(match refusal.claim() {
                        Some(claim) => Refusal::Unanswerable { claim },
                        None => refusal,
                    });
                }
            }
        }
        Ok(Admitted(()))
    }
}

/// Proof that a request was judged and may pass. Only [`Admission::settle`] makes one.
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

    /// The keys that it trusts.
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Everything that depends on the token alone: decoding, the signature, and the claims' form.
    ///
    /// # Errors
    /// The first thing wrong with it, in the order of the crate's documentation.
    pub fn authenticate(&self, token: &str) -> Result<Authentic, Refusal> {
        let bytes = decode(token)?;
        let unsealed = unseal(&self.keys, &bytes)?;
        Ok(Authentic {
            claims: Claims::read(&unsealed.payload, &self.policy.dialect)?,
            payload: unsealed.payload.into_owned(),
            key: unsealed.key,
            encrypted: unsealed.encrypted,
            opened: OnceOpened::default(),
        })
    }

    /// Judges a request at a moment by an authentic token. There is no leeway on `exp` and `nbf`: the standard
    /// allows none.
    ///
    /// # Errors
    /// The first claim that does not admit the request.
    pub fn admit(
        &self,
        token: &Authentic,
        request: &Request<'_>,
        now: UnixMillis,
    ) -> Result<Admission, Refusal> {
        let claims = &token.claims;
        if !token.key.bounds.hold_at(now) {
            return Err(Refusal::KeyNotValid {
                kid: token.key.kid.to_string(),
            });
        }
        // Before any claim: what follows from a refusal is for trusted issuers to say.
        let issuer = claims.issuer.as_deref();
        if !token.key.bounds.speak_for(issuer) || !self.policy.trusts(issuer) {
            return Err(Refusal::Issuer);
        }
        let scope = Scope {
            policy: &self.policy,
            request,
            now,
        };
        claims.judge(&scope)?;
        let mut asked = Vec::new();
        if let Some(once) = claims.prove(request, now)? {
            asked.push((once, Refusal::Proof(ProofError::Replayed)));
        }
        let unlucky = match &claims.odds {
            Some(odds) => {
                let bad_lot = draw(odds, request.random)?;
                asked.push((bar(claims, odds, bad_lot), Refusal::Barred));
                bad_lot
            }
            None => false,
        };
        // A use is counted only where everything else admits.
        if claims.replay == Replay::Prohibited && !unlucky {
            let until = claims.expires.map_or(UnixMillis::MAX, NumericDate::moment);
            let key = token.identity().ok_or(Refusal::Unanswerable {
                claim: Label::CATREPLAY,
            })?;
            asked.push((StoreRequest::Once { key, until }, Refusal::Replayed));
        }
        Ok(Admission { asked })
    }
}

/// Draws the lot of `catpor`: whether it is a bad one.
fn draw(odds: &Odds, random: Option<u64>) -> Result<bool, Refusal> {
    if odds.probability >= 1.0 {
        return Err(Refusal::Barred);
    }
    match random {
        Some(random) => Ok(odds.loses(random)),
        None if odds.probability <= 0.0 => Ok(false),
        None => Err(Refusal::Unanswerable { claim: Label::CATPOR }),
    }
}

fn bar(claims: &Claims, odds: &Odds, add: bool) -> StoreRequest {
    let issuer = claims.issuer.as_deref().unwrap_or_default();
    StoreRequest::Bar {
        key: StoreKey::new("catpor", &[issuer.as_bytes(), &odds.id]),
        add,
        until: odds.expiry.map(NumericDate::moment),
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
    base64url::decode(unpadded).ok_or(Refusal::NotBase64Url)
}
