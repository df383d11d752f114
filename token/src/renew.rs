//! Renewal (`catr`, CTA-5007-B §4.9.2) and exchange: a token that follows another and keeps what it says.

use core::cmp::Ordering;

use crate::{
    cbor::Item,
    error::MintError,
    key::SigningKey,
    label::Label,
    mint::seal,
    payload::{self, Edit},
    time::{NumericDate, UnixMillis},
    verify::Authentic,
};

/// The claims of a token that follows another, to be signed.
///
/// Every claim of the other is in it, known or not, byte for byte as it was, but for those that
/// [`Authentic::renewal`] and [`Authentic::exchange`] name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renewal {
    payload: Vec<u8>,
    expires: Option<i64>,
    issuer: Option<String>,
}

impl Authentic {
    /// The token that is due at `now` in place of this one, which was just admitted: `exp` is `now` and the
    /// `expadd` of `catr`, `iat` is `now`, and `nbf` is `now` if it would exclude it. Every other claim stays,
    /// `iss` and `cti` with them: what was revoked or used up stays so.
    ///
    /// `None` where no renewal is due ([`RenewalTerms::renewed_until`](crate::RenewalTerms::renewed_until)), and
    /// for a token that came encrypted, whose claims the new one would lay open.
    pub fn renewal(&self, now: UnixMillis) -> Option<Renewal> {
        let claims = self.claims();
        let until = claims.renewal.as_ref()?.renewed_until(claims.expires, now)?;
        let changes = Changes {
            expires: Some(until),
            ..Changes::default()
        };
        self.follow(changes, now)
    }

    /// The session token that this one, which was just admitted, is exchanged for: what a player that cannot
    /// take another token carries for the whole session.
    ///
    /// Beside what [`renewal`](Self::renewal) changes, it has neither `catr`, for it is not renewed, nor a
    /// `catreplay` of 1, for the one use is spent on it. It has `token_id` as `cti` if there is one: 16 bytes
    /// that no other session has, no secret; otherwise `cti` stays.
    ///
    /// Its `exp` is that of this token, or `horizon_seconds` from `now` where that is later and `catr` would let
    /// a viewer get there by renewing ([`RenewalTerms::session_until`](crate::RenewalTerms::session_until)). A
    /// token without `exp` gets the horizon. It is never beyond what the issuer granted.
    ///
    /// The key that signed this token has no say in the new one: if it has to be withdrawn, so has the key that
    /// signs sessions.
    ///
    /// `None` for a token that came encrypted, whose claims the new one would lay open.
    pub fn exchange(
        &self,
        horizon_seconds: u32,
        token_id: Option<[u8; 16]>,
        now: UnixMillis,
    ) -> Option<Renewal> {
        let claims = self.claims();
        let until = match (&claims.renewal, claims.expires) {
            // No session is without an end, or it would outlive every key but the one that signs sessions.
            (_, None) => Some(now.seconds().saturating_add(i64::from(horizon_seconds))),
            (Some(terms), expires) => terms.session_until(expires, now, horizon_seconds),
            (None, Some(_)) => None,
        };
        let changes = Changes {
            expires: until,
            token_id,
            kind: Kind::Session,
        };
        self.follow(changes, now)
    }

    fn follow(&self, changes: Changes, now: UnixMillis) -> Option<Renewal> {
        if self.is_encrypted() {
            return None;
        }
        Some(Renewal {
            payload: follow(self.payload(), changes, now)?,
            expires: changes
                .expires
                .or_else(|| self.claims().expires.map(NumericDate::seconds)),
            issuer: self.claims().issuer.clone(),
        })
    }
}

impl Renewal {
    /// The new token's `exp` in seconds since 1970, rounded down. `None` where it has none.
    pub const fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// The claims: one CBOR map.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The token's text, signed by a key of ours.
    ///
    /// # Errors
    /// The key may not speak for the token's issuer, so that no recipient would take the token; or it would be
    /// longer than recipients must take.
    pub fn sign(&self, key: &SigningKey) -> Result<String, MintError> {
        if !key.bounds().speak_for(self.issuer.as_deref()) {
            return Err(MintError::Issuer {
                kid: key.kid().to_owned(),
            });
        }
        seal(&self.payload, key)
    }
}

/// What the new token says otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    expires: Option<i64>,
    token_id: Option<[u8; 16]>,
    kind: Kind,
}

/// What the new token is for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    /// To be used as the old one was.
    #[default]
    Renewed,
    /// To last for a session.
    Session,
}

/// Writes `payload` again with the changes and the new token's time. `None` where it is no claims map, which an
/// authentic token's always is.
fn follow(payload: &[u8], changes: Changes, now: UnixMillis) -> Option<Vec<u8>> {
    let issued = Edit::Integer(now.seconds());
    let expires = changes.expires.map(Edit::Integer);
    let token_id = changes.token_id.map(|id| Edit::Bytes(id.to_vec()));
    let mut missing = [
        (Label::EXP, expires),
        (Label::CTI, token_id),
        (Label::IAT, Some(issued.clone())),
    ];
    let mut out = payload::rewrite(payload, |label, value| {
        let Some(label) = label else {
            return Edit::Keep;
        };
        if let Some((_, change)) = missing.iter_mut().find(|(other, _)| *other == label) {
            return change.take().unwrap_or(Edit::Keep);
        }
        let not_yet = |date: NumericDate| date.compare(now) == Ordering::Greater;
        match (label, value, changes.kind) {
            (Label::NBF, Item::Integer(date), _) if not_yet(NumericDate::Integer(date)) => issued.clone(),
            (Label::NBF, Item::Float(date), _) if not_yet(NumericDate::Float(date)) => issued.clone(),
            (Label::CATREPLAY, Item::Integer(1), Kind::Session) | (Label::CATR, _, Kind::Session) => {
                Edit::Drop
            }
            _ => Edit::Keep,
        }
    })
    .ok()?;
    for (label, change) in missing {
        if let Some(change) = change {
            out = payload::add(&out, label, &change).ok()?;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
