//! Common Access Token (CTA-5007-B): mint, parse and verify.
//!
//! A Common Access Token is a CBOR Web Token (RFC 8392) in a COSE frame (RFC 9052) whose claims bound the
//! HTTP requests that it admits. This crate is pure: no I/O, no clock, no randomness, no panics on any input,
//! and it builds for `wasm32-unknown-unknown` and `wasm32-wasip1`.
//!
//! # The way of a token
//!
//! ```text
//! text ──decode──▶ frame ──select key, check signature──▶ Authentic ──judge a request──▶ Admission ──ask a store──▶ Admitted
//! ```
//!
//! [`Verifier::authenticate`] does everything that depends on the token alone, so its result may be kept and
//! used again; [`Verifier::admit`] does what depends on the request and the clock, and runs every time; what only
//! a store shared by all instances can say (was this seen before?) comes out as data and goes back in by
//! [`Admission::settle`]. Nothing of the payload is looked at before the signature has been checked over the bytes
//! as received.
//!
//! # In scope
//!
//! Every claim of CTA-5007-B, and the composite claims of a draft under keys that the recipient names ([`Dialect`]).
//! HMAC 256/256 and ES256; PS256 and COSE_Encrypt0 by features that are on, more algorithms by one that is off. A claim
//! that asks for what the recipient does not know refuses ([`Refusal::Unanswerable`]), and so does one that restricts
//! another protocol ([`Refusal::UnsupportedClaim`]): a restriction is never dropped silently. Unknown claims are ignored, as the standard asks.
//!
//! | what | where |
//! |---|---|
//! | a token's claims | [`Claims`], judged by [`Verifier::admit`] on what a [`RequestContext`] knows |
//! | proof of possession (RFC 9449) | `cnf` and `catdpop`, on the request's `DPoP` field: [`ProofError`] says what is missing |
//! | single use, sticky refusals, streams at a time | [`StoreRequest`], answered by a [`Store`] such as [`MemoryStore`] |
//! | a refusal's consequence (`catif`) | [`Authentic::consequence`] |
//! | renewal (`catr`), and exchange for a session token | [`Authentic::renewal`], [`Authentic::exchange`] |
//! | what was concluded before | [`VerdictCache`] |
//!
//! # Example
//!
//! ```
//! use selvedge_token::{
//!     Component, Jwk, KeySet, Match, Minter, Policy, RequestUri, Request, SigningKey, UnixMillis, Verifier,
//! };
//!
//! let secret = Jwk::symmetric("edge-1", &[7; 32]);
//! let now = UnixMillis::from_seconds(1_790_000_000);
//!
//! let token = Minter::new()
//!     .issuer("broadcaster")
//!     .expires_at(now.plus_seconds(3600))
//!     .uri(Component::Path, Match::Prefix("/live/news/".into()))
//!     .mint(&SigningKey::from_jwk(&secret)?)?;
//!
//! let verifier = Verifier::new(KeySet::from_jwks([&secret])?, Policy::default());
//! let authentic = verifier.authenticate(&token)?;
//! let uri = RequestUri::parse("https", "cdn.example", "/live/news/index.m3u8", None)?;
//! let request = Request::new("GET", &uri);
//! verifier.admit(&authentic, &request, now)?.settle(&[])?;
//!
//! let late = now.plus_seconds(3600);
//! assert!(verifier.admit(&authentic, &request, late).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

#[cfg(feature = "encrypt")]
mod agree;
mod base64url;
mod cache;
mod cbor;
mod claims;
mod context;
mod cose;
mod dpop;
#[cfg(feature = "encrypt")]
mod encrypt;
#[cfg(feature = "encrypt")]
mod envelope;
mod ere;
mod error;
mod http_field;
mod inspect;
mod key;
mod label;
mod limits;
mod lint;
mod mark;
mod memory_store;
mod mint;
mod payload;
mod renew;
mod store;
mod thumbprint;
mod time;
mod unseal;
mod uri;
mod verify;

#[cfg(feature = "encrypt")]
pub use agree::AgreementKey;
pub use cache::VerdictCache;
pub use claims::{
    Answer, Claims, CompositeLabels, Confirmation, Consequences, Dialect, DpopSettings, Match, Minting, Odds,
    ProofReplay, RenewalKind, RenewalTerms, Replay, SegmentDuration, UriRule, Watermark,
};
pub use context::{Coordinates, FingerprintKind, Headers, Place, Request, RequestContext};
pub use dpop::ProofError;
#[cfg(feature = "encrypt")]
pub use encrypt::EncryptionKey;
#[cfg(feature = "encrypt")]
pub use envelope::EnvelopeSeed;
pub use ere::Ere;
pub use error::{Class, KeyError, MintError, Refusal};
pub use inspect::{Explained, ExplainedSet, Inspection, inspect};
pub use key::{Algorithm, Jwk, JwkSet, KeyBounds, KeySet, KeySetVersion, SigningKey};
pub use label::Label;
pub use limits::{
    MAX_CLAIMS, MAX_COMPOSITE_LEVELS, MAX_NESTING, MAX_PATTERN, MAX_STORE_ENTRIES, MAX_TOKEN_BYTES,
    MAX_TOKEN_TEXT,
};
pub use lint::{Exposure, Form, Warning, lint, lint_claims};
pub use mark::{Mark, MarkError, MarkMode};
pub use memory_store::MemoryStore;
pub use mint::Minter;
pub use renew::Renewal;
pub use store::{Standing, Store, StoreKey, StoreRequest};
pub use time::{NumericDate, UnixMillis};
pub use uri::{Component, RequestUri, UriError};
pub use verify::{Admission, Admitted, Authentic, Policy, Verifier};
