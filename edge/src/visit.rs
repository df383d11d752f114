//! One request, with all that a platform says of it.

use core::fmt;

use http::Request;
use selvedge_token::{RequestContext, UnixMillis};

/// A request as a platform hands it over.
#[derive(Clone, Copy)]
pub struct Visit<'v> {
    /// With an absolute URI, or a path and a `Host` header.
    pub request: &'v Request<()>,
    /// What the platform knows of the client and its connection. `Sync`, because a host with threads may answer
    /// the request on another one than it began on.
    pub context: &'v (dyn RequestContext + Sync),
    /// The only clock reading there is.
    pub now: UnixMillis,
    /// Fresh randomness.
    pub entropy: Entropy,
}

/// Random bytes for one request, from a cryptographic source. Each use has bytes of its own.
#[derive(Clone, Copy)]
pub struct Entropy([u8; 64]);

impl Entropy {
    /// Takes bytes that were drawn for this request alone.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The lot of `catpor`.
    pub(crate) fn lot(&self) -> u64 {
        u64::from_le_bytes(self.part(0))
    }

    /// The identity of a session that begins.
    pub(crate) fn session_id(&self) -> [u8; 16] {
        self.part(8)
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut part = [0; N];
        for (to, from) in part.iter_mut().zip(self.0.iter().skip(at)) {
            *to = *from;
        }
        part
    }
}

impl fmt::Debug for Entropy {
    /// Shows nothing: it becomes part of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
