//! What can go wrong, said precisely for operators and vaguely for everybody else.

use thiserror::Error;

use crate::{dpop::ProofError, label::Label, uri::Component};

/// Why a token does not admit a request. The text is for operators' logs; viewers get the [`Class`] alone.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The bound that was exceeded, in bytes.
        limit: usize,
    },
    /// Not base64url (RFC 4648 §5).
    #[error("the token is not base64url")]
    NotBase64Url,
    /// Not well-formed CBOR, or more than one item.
    #[error("malformed CBOR at byte {at}: {what}")]
    Cbor {
        /// Offset in the token, or in its payload once the signature has been checked.
        at: usize,
        /// What was wrong there.
        what: &'static str,
    },
    /// CBOR, but not a COSE frame that a Common Access Token may have (RFC 9052, CTA-5007-B §4.3).
    #[error("not a COSE message of a common access token: {what}")]
    Cose {
        /// What was wrong.
        what: &'static str,
    },
    /// No configured key has this `kid`, or there is no default key for a token without one.
    #[error("no key for kid {kid:?}")]
    UnknownKey {
        /// The `kid` as hex, empty when the token has none.
        kid: String,
    },
    /// The token's `alg` or COSE tag is not what the selected key is for.
    #[error("the token's algorithm is not that of the key")]
    AlgorithmMismatch,
    /// The key that sealed the token is not good yet, or no longer.
    #[error("the key {kid:?} is not good at this moment")]
    KeyNotValid {
        /// The key's `kid`.
        kid: String,
    },
    /// The signature or MAC does not verify, or the ciphertext is not one of the key.
    #[error("the signature does not verify")]
    BadSignature,
    /// A claim is present with a wrong type or value.
    #[error("claim {claim} is malformed: {what}")]
    MalformedClaim {
        /// The claim.
        claim: Label,
        /// What was expected.
        what: &'static str,
    },
    /// A claim that restricts requests and that this recipient does not evaluate.
    #[error("claim {claim} restricts the request in a way that is not evaluated here")]
    UnsupportedClaim {
        /// The claim.
        claim: Label,
    },
    /// `exp` has come.
    #[error("expired at {exp} (unix seconds)")]
    Expired {
        /// `exp`, rounded down to seconds.
        exp: i64,
    },
    /// `nbf` has not come yet.
    #[error("not valid before {nbf} (unix seconds)")]
    NotYetValid {
        /// `nbf`, rounded down to seconds.
        nbf: i64,
    },
    /// `iss` is absent, not trusted, or not one that the key may speak for.
    #[error("the issuer is absent, not trusted, or not one of the key's")]
    Issuer,
    /// No element of `aud` is an identity of this recipient.
    #[error("the token is for another audience")]
    Audience,
    /// `catm` does not list the request's method.
    #[error("the method is not among those that the token admits")]
    Method,
    /// `catu` does not admit the request's URI.
    #[error("the {component} of the request's URI is not what the token admits")]
    Uri {
        /// The first component that did not match.
        component: Component,
    },
    /// Another restriction does not hold for the request: its header fields, its network, its place, its
    /// transport, or a composite of claims.
    #[error("the request is not what claim {claim} admits")]
    Restricted {
        /// The claim.
        claim: Label,
    },
    /// A claim asks for what this recipient does not know of the request: nothing is admitted by ignorance.
    #[error("claim {claim} cannot be judged: what it asks for is not known here")]
    Unanswerable {
        /// The claim.
        claim: Label,
    },
    /// `cnf`: the sender did not prove to hold the key that the token is bound to.
    #[error("no proof of possession: {0}")]
    Proof(#[source] ProofError),
    /// `catpor`: the token drew a bad lot, now or before.
    #[error("the token drew a bad lot (catpor)")]
    Barred,
    /// `catreplay`: the token was presented before and may be used once.
    #[error("the token was presented before and may be used once")]
    Replayed,
}

impl Refusal {
    /// What a viewer may learn.
    pub const fn class(&self) -> Class {
        match self {
            Self::Expired { .. } => Class::Expired,
            Self::NotYetValid { .. } => Class::NotYetValid,
            Self::Issuer
            | Self::Audience
            | Self::Method
            | Self::Uri { .. }
            | Self::UnsupportedClaim { .. }
            | Self::Restricted { .. }
            | Self::Unanswerable { .. }
            | Self::Proof(_)
            | Self::Barred
            | Self::Replayed => Class::OutOfScope,
            Self::TooLong { .. }
            | Self::NotBase64Url
            | Self::Cbor { .. }
            | Self::Cose { .. }
            | Self::UnknownKey { .. }
            | Self::AlgorithmMismatch
            | Self::KeyNotValid { .. }
            | Self::BadSignature
            | Self::MalformedClaim { .. } => Class::Invalid,
        }
    }

    /// The reason as a stable word for logs, metrics and other programs. The list is closed: a reason never
    /// holds anything of the token.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::NotBase64Url => "not-base64url",
            Self::Cbor { .. } => "malformed-cbor",
            Self::Cose { .. } => "malformed-cose",
            Self::UnknownKey { .. } => "unknown-key",
            Self::AlgorithmMismatch => "algorithm-mismatch",
            Self::KeyNotValid { .. } => "key-not-valid",
            Self::BadSignature => "bad-signature",
            Self::MalformedClaim { .. } => "malformed-claim",
            Self::UnsupportedClaim { .. } => "unsupported-claim",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Method => "method",
            Self::Uri { .. } => "uri",
            Self::Restricted { .. } => "restricted",
            Self::Unanswerable { .. } => "unanswerable",
            Self::Proof(error) => error.code(),
            Self::Barred => "barred",
            Self::Replayed => "replayed",
        }
    }

    /// The claim that refused, where one did. Only an authenticated token's claims can.
    pub const fn claim(&self) -> Option<Label> {
        Some(match self {
            Self::MalformedClaim { claim, .. }
            | Self::UnsupportedClaim { claim }
            | Self::Restricted { claim }
            | Self::Unanswerable { claim } => *claim,
            Self::Issuer => Label::ISS,
            Self::Audience => Label::AUD,
            Self::Expired { .. } => Label::EXP,
            Self::NotYetValid { .. } => Label::NBF,
            Self::Method => Label::CATM,
            Self::Uri { .. } => Label::CATU,
            Self::Proof(_) => Label::CNF,
            Self::Barred => Label::CATPOR,
            Self::Replayed => Label::CATREPLAY,
            Self::TooLong { .. }
            | Self::NotBase64Url
            | Self::Cbor { .. }
            | Self::Cose { .. }
            | Self::UnknownKey { .. }
            | Self::AlgorithmMismatch
            | Self::KeyNotValid { .. }
            | Self::BadSignature => return None,
        })
    }
}

/// What a viewer may learn about a refusal: enough to fetch a new token, nothing to forge one with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Malformed, forged, or signed by nobody we know: 401.
    Invalid,
    /// Authentic once, but over: 401.
    Expired,
    /// Authentic, but not yet: 401.
    NotYetValid,
    /// Authentic, but not for this request: 403.
    OutOfScope,
}

impl Class {
    /// The HTTP status: 401 where another token would help, 403 where this one is good for something else.
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid | Self::Expired | Self::NotYetValid => 401,
            Self::OutOfScope => 403,
        }
    }
}

/// Why a key cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// A member of the JWK is missing or has a value that this library does not support.
    #[error("key {kid:?}: member {member:?} {what}")]
    Member {
        /// The key's `kid`.
        kid: String,
        /// The JWK member (RFC 7517, RFC 7518).
        member: &'static str,
        /// What is wrong with it and what it should be.
        what: &'static str,
    },
    /// A set without any key would refuse everybody.
    #[error("the key set is empty: put at least one key under \"keys\"")]
    Empty,
}

/// Why a token cannot be minted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MintError {
    /// The encoded token would exceed what recipients must take.
    #[error("the token would be {bytes} bytes, recipients take no more than {limit}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// A key that is bound to issuers would sign for another.
    #[error("key {kid:?} may not speak for the token's issuer: add the issuer to the key's \"iss\"")]
    Issuer {
        /// The key's name.
        kid: String,
    },
    /// Two rules of `catu` ask in the same way for different things, and a component takes one of each match type.
    #[error("catu has two rules of one match type for the {component}: no recipient takes that")]
    Rules {
        /// The component of the URI.
        component: Component,
    },
    /// The claims could not be written as CBOR.
    #[error("the claims cannot be written as CBOR")]
    Encode,
    /// The key made no seal of the claims.
    #[error("the key could not seal the claims")]
    Seal,
}
