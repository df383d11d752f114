//! From an origin through the native edge to a viewer: breaks of its channels, and channels made of its assets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod assets;
mod chain;
mod fast;
mod live;
#[path = "../../origin/tests/support/mod.rs"]
mod support;
