//! Documents: a [`Snapshot`](crate::media::Snapshot) to text, by pure functions.

pub mod dash;
pub mod hls;
pub mod piece;
