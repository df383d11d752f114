//! The Selvedge origin: takes CMAF from encoders, packages it, keeps it, and serves HLS and DASH.
//!
//! ```text
//! PUT /ingest/<channel>/…  ─▶ cmaf::Reader ─▶ media::Channel ─▶ media::Snapshot ─▶ render::{hls, dash}
//!                                                  │
//!                                                  └─▶ store (object store; the window also in memory)
//! ```
//!
//! Out of scope: authorising viewers, ads and cross-origin rules are the edge's work.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use selvedge_origin::{Config, Origin, clock};
//!
//! let origin = Origin::open(Config::default(), clock::system()).await?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! origin.serve(listener, async { let _ = tokio::signal::ctrl_c().await; }).await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod admit;
pub mod clock;
pub mod cmaf;
pub mod config;
pub mod decide;
pub mod error;
pub mod ingest;
pub mod media;
mod observe;
pub mod render;
mod serve;
mod store;
pub mod time;

pub use config::Config;
pub use error::Error;
pub use serve::Origin;
