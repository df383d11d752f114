//! Claims by their keys.

use core::fmt;

/// A claim's integer key in the CWT claims map.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Label(pub i128);

/// The registered claims that this crate knows: constant, key and short name in one list.
macro_rules! labels {
    ($($constant:ident = $key:literal, $name:literal;)*) => {
        impl Label {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($key);)*

            /// The standard's short name, where the key has one.
            pub const fn name(self) -> Option<&'static str> {
                Some(match self.0 {
                    $($key => $name,)*
                    _ => return None,
                })
            }

            /// The claim of this short name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$constant),)*
                    _ => None,
                }
            }
        }
    };
}

labels! {
    ISS = 1, "iss";
    SUB = 2, "sub";
    AUD = 3, "aud";
    EXP = 4, "exp";
    NBF = 5, "nbf";
    IAT = 6, "iat";
    CTI = 7, "cti";
    CNF = 8, "cnf";
    GEOHASH = 282, "geohash";
    WMVER = 300, "wmver";
    WMVND = 301, "wmvnd";
    WMPATLEN = 302, "wmpatlen";
    WMSEGDURATION = 303, "wmsegduration";
    WMPATTERN = 304, "wmpattern";
    WMID = 305, "wmid";
    WMOPID = 306, "wmopid";
    WMKEYVER = 307, "wmkeyver";
    CATREPLAY = 308, "catreplay";
    CATPOR = 309, "catpor";
    CATV = 310, "catv";
    CATNIP = 311, "catnip";
    CATU = 312, "catu";
    CATM = 313, "catm";
    CATALPN = 314, "catalpn";
    CATH = 315, "cath";
    CATGEOISO3166 = 316, "catgeoiso3166";
    CATGEOCOORD = 317, "catgeocoord";
    CATGEOALT = 318, "catgeoalt";
    CATTPK = 319, "cattpk";
    CATIFDATA = 320, "catifdata";
    CATDPOP = 321, "catdpop";
    CATIF = 322, "catif";
    CATR = 323, "catr";
    CATTPRINT = 324, "cattprint";
    MOQT = 327, "moqt";
    MOQT_REVAL = 328, "moqt-reval";
}

impl Label {
    /// Whether this key is one that field tokens use for a composite claim, or that restricts another protocol
    /// than HTTP: a token with it admits nothing unless the recipient was told what the key means.
    /// Composite claims have no assigned keys yet; 41 to 45 and 324 to 326 are in use, of which 324 is `cattprint`.
    pub(crate) const fn restricts_unevaluated(self) -> bool {
        matches!(self.0, 41..=45 | 325..=328)
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
