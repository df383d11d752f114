//! The Selvedge edge core: everything a PoP decides, with no I/O, no clock and no randomness of its own.
//!
//! # The way of a request
//!
//! ```text
//! route ──▶ authorise ──▶ gather ──▶ compose ──▶ write
//!   │           │            │
//!   │           │            └ the only step that waits: its wants are data, one batch, handed to the Platform
//!   │           └ token checked against the request: 401, 403 or on
//!   └ token and resource taken out of the URL: 404, 405, 414 or on
//! ```
//!
//! [`Edge::handle`] walks it. A platform adapter translates its host's request into [`http::Request`], answers
//! the [`Plan`] through its implementation of [`Platform`], and translates the [`http::Response`] back; it
//! decides nothing. Media bytes pass as the platform's own body handle ([`Platform::Body`]) and are never looked
//! at; only a document that must be rewritten is read into memory.
//!
//! # Example
//!
//! A platform that knows one playlist, and a request without a token:
//!
//! ```
//! use selvedge_edge::{Answer, Body, Edge, Plan, Platform, UnixMillis, Visit};
//!
//! struct Desert;
//!
//! impl Platform for Desert {
//!     type Body = ();
//!     async fn gather(&self, plan: Plan) -> Vec<Answer<()>> {
//!         unreachable!("a refused request wants nothing: {plan:?}")
//!     }
//! }
//!
//! let keys = r#"{"keys":[{"kty":"oct","kid":"k","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
//! let edge = Edge::new(keys, "{}")?;
//! let request = http::Request::get("https://cdn.example/live/news/index.m3u8").body(())?;
//! let visit = Visit {
//!     request: &request,
//!     context: &(),
//!     now: UnixMillis::from_seconds(0),
//!     random: None,
//! };
//! let handled = selvedge_edge::block_on(edge.handle(&Desert, &visit));
//! assert_eq!(handled.response.status(), 401);
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

mod asset_list;
mod authorise;
mod carrier;
pub mod certificate;
mod compose;
mod cors;
mod credential;
pub mod dash;
mod decide;
pub mod fast;
mod fields;
mod gather;
mod handle;
pub mod hls;
mod limits;
mod mark;
mod onward;
mod platform;
mod problem;
mod record;
mod reroot;
mod route;
mod site;
pub mod stored;
mod streams;
pub mod timeline;
mod visit;

pub use carrier::{Carrier, Carriers};
pub use credential::OriginToken;
pub use handle::{Edge, Handled, block_on};
pub use mark::{DurationRule, MarkKey, MarkRules, MarkedChannel, NumberRule, OnUnmarked, Pace, Paces};
pub use platform::{Answer, Body, OriginRequest, OriginResponse, Plan, Platform, Read, Unanswered, Want};
pub use problem::{misconfigured, too_long};
pub use record::Record;
pub use reroot::Reroot;
pub use route::Resource;
pub use selvedge_token::{
    Coordinates, FingerprintKind, KeySetVersion, MemoryStore, RequestContext, Standing, Store, StoreKey,
    StoreRequest, UnixMillis,
};
pub use site::{BreakForm, BreakRules, ConfigError, OnUnknown, OriginUrl, SessionRules, Site, StreamRules};
pub use visit::Visit;
