//! Claims by their keys.

use core::fmt;

/// A claim's integer key in the CWT claims map.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Label(pub i128);

impl Label {
    /// The standard's short name, where the key has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "iss",
            2 => "sub",
            3 => "aud",
            4 => "exp",
            5 => "nbf",
            6 => "iat",
            7 => "cti",
            8 => "cnf",
            282 => "geohash",
            308 => "catreplay",
            309 => "catpor",
            310 => "catv",
            311 => "catnip",
            312 => "catu",
            313 => "catm",
            314 => "catalpn",
            315 => "cath",
            316 => "catgeoiso3166",
            317 => "catgeocoord",
            318 => "catgeoalt",
            319 => "cattpk",
            320 => "catifdata",
            321 => "catdpop",
            322 => "catif",
            323 => "catr",
            324 => "cattprint",
            _ => return None,
        })
    }

    /// Whether a token with this claim admits fewer requests, in a way that this version does not evaluate.
    /// The composite claims have no assigned keys yet; those in use (41 to 45 and 324 to 326) are counted in.
    pub(crate) const fn restricts_unevaluated(self) -> bool {
        matches!(self.0, 8 | 41..=45 | 282 | 308 | 309 | 311 | 314..=319 | 321 | 324..=326 | 327 | 328)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}
