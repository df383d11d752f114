//! What all documents have in common: a version, and faults with their place.

pub(crate) mod node;

use core::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of a document: 1, and another is refused.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
#[cfg_attr(test, schemars(extend("const" = 1)))]
pub struct Version;

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == 1 {
            Ok(Self)
        } else {
            Err("this program knows version 1 alone")
        }
    }
}

impl From<Version> for u32 {
    fn from(Version: Version) -> Self {
        1
    }
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) of what is wrong; empty for the document as a whole.
    pub place: String,
    /// What is wrong, and what was expected.
    pub what: String,
}

/// All that is wrong with a document: at least one fault.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// One by one, in the order of the document as far as it has one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(crate) fn tell(&mut self, place: impl Into<String>, what: impl Into<String>) {
        // A document of nothing but faults is not worth all of them.
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault {
                place: place.into(),
                what: what.into(),
            });
        }
    }

    /// The document, unless there are faults.
    pub(crate) fn or<T>(self, document: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(document)
        } else {
            Err(self)
        }
    }

    fn one(place: impl Into<String>, what: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.tell(place, what);
        faults
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() {
            "document"
        } else {
            &self.place
        };
        write!(f, "{place}: {}", self.what)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = self.0.iter();
        if let Some(first) = faults.next() {
            write!(f, "{first}")?;
        }
        faults.try_for_each(|fault| write!(f, "; {fault}"))
    }
}

impl core::error::Error for Faults {}

/// A fault of a document as a whole.
pub(crate) fn one_fault(what: impl Into<String>) -> Faults {
    Faults::one("", what)
}

/// Reads a document that a program wrote: its first fault is enough.
pub(crate) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Faults> {
    serde_json::from_slice(json).map_err(|error| Faults::one("", error.to_string()))
}

/// A member's name as a pointer has it.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

const MAX_FAULTS: usize = 100;
