//! One request, with all that a platform says of it.

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
    /// A number that was drawn for this request alone, from a cryptographic source: the lot of `catpor`. `None`
    /// where there is no such source; tokens that need one are then refused.
    pub random: Option<u64>,
}
