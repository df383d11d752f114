//! What an event is known by, and what a break is.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::time::UnixMicros;

/// What the messages of one event have in common.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Key {
    /// `splice_event_id` of a `splice_insert` or `splice_schedule` (SCTE 35 9.7).
    Insert(u32),
    /// `segmentation_event_id` (SCTE 35 10.3.3) and the `segmentation_type_id` that begins what it is about: the one
    /// event may have a placement opportunity and advertisements in it. A cancellation names no type.
    Segmentation {
        /// `segmentation_event_id`.
        event: u32,
        /// The type that begins it, for messages that end it too; `None` means any.
        start: Option<u8>,
    },
    /// Something else with a name: the `ID` of an `EXT-X-DATERANGE`, or a break that ad operations scheduled.
    Named(Name),
    /// A marker without a name, such as `EXT-X-CUE-OUT`: an end of that kind ends whatever break there is.
    Nameless,
}

/// A name that is safe in a path, a quoted string and a log: letters, digits and `.`, `_`, `:` or `-`.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// What a break is known by, everywhere and for good: the channel, when it begins, and the event.
///
/// It stays as it is when messages are repeated, and is another when a break is moved before it is on air: a moved break
/// may have other slots, and its decision is another decision.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BreakId(String);

impl Key {
    /// Whether a message with the key `other` may be about the event of this key.
    pub fn is_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nameless, _) | (_, Self::Nameless) => true,
            (Self::Segmentation { event, start }, Self::Segmentation { event: of, start: by }) => {
                event == of && (start == by || start.is_none() || by.is_none())
            }
            _ => self == other,
        }
    }

    /// The number that the event has in its messages.
    pub const fn event_id(&self) -> Option<u32> {
        match self {
            Self::Insert(event) | Self::Segmentation { event, .. } => Some(*event),
            Self::Named(_) | Self::Nameless => None,
        }
    }

    /// Whether what it is about may lie inside a longer break: an advertisement within an opportunity for several
    /// (SCTE 35 10.3.3.1, types 0x30 and 0x32).
    pub fn is_inner(&self) -> bool {
        matches!(
            self,
            Self::Segmentation {
                start: Some(0x30 | 0x32),
                ..
            }
        )
    }
}

/// Writes `si:1001`, `seg:77:0x34`, `name:chapter-7` or `cue`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(event) => write!(f, "si:{event}"),
            Self::Segmentation { event, start: None } => write!(f, "seg:{event}"),
            Self::Segmentation {
                event,
                start: Some(start),
            } => write!(f, "seg:{event}:{start:#04x}"),
            Self::Named(name) => write!(f, "name:{name}"),
            Self::Nameless => f.write_str("cue"),
        }
    }
}

impl core::str::FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "cue" {
            return Ok(Self::Nameless);
        }
        let (kind, rest) = text.split_once(':').ok_or(NoKey)?;
        let event = |text: &str| {
            crate::time::number(text)
                .and_then(|id| u32::try_from(id).ok())
                .ok_or(NoKey)
        };
        match (kind, rest.split_once(':')) {
            ("si", None) => Ok(Self::Insert(event(rest)?)),
            ("seg", None) => Ok(Self::Segmentation {
                event: event(rest)?,
                start: None,
            }),
            ("seg", Some((id, start))) => {
                let digits = start.strip_prefix("0x").ok_or(NoKey)?;
                Ok(Self::Segmentation {
                    event: event(id)?,
                    start: Some(u8::from_str_radix(digits, 16).map_err(|_| NoKey)?),
                })
            }
            ("name", _) => Name::new(rest).map(Self::Named).ok_or(NoKey),
            _ => Err(NoKey),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no event's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the key of an event: expected si:<id>, seg:<id>:<type>, name:<name> or cue")]
pub struct NoKey;

impl Name {
    /// Takes a name as it is; `None` where it is empty, longer than 64 bytes, or has other characters.
    pub fn new(text: &str) -> Option<Self> {
        is_safe(text, MAX_NAME).then(|| Self(text.into()))
    }

    /// A name for any text: what it may not have becomes `_`, and what is too long is cut; `None` for an empty one.
    pub fn of(text: &str) -> Option<Self> {
        let letters = text
            .chars()
            .map(|letter| if is_name_letter(letter) { letter } else { '_' });
        let name: String = letters.take(MAX_NAME).collect();
        Self::new(&name)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("a name is letters, digits and . _ : - alone, at most 64 of them")
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BreakId {
    /// Of the break of `channel` that begins at `out` with the event `key`.
    ///
    /// What a channel's name has that a path may not becomes `_`.
    pub fn new(channel: &str, out: UnixMicros, key: &Key) -> Self {
        let letters = channel
            .chars()
            .map(|letter| if is_name_letter(letter) { letter } else { '_' });
        let channel: String = letters.take(MAX_ID - 100).collect();
        Self(format!("{channel}-{}-{key}", out.millis()))
    }

    /// As text: safe in a path, a quoted string and a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BreakId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BreakId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_safe(&text, MAX_ID) {
            Ok(Self(text))
        } else {
            Err("the id of a break is letters, digits and . _ : - alone, at most 256 of them")
        }
    }
}

impl From<BreakId> for String {
    fn from(id: BreakId) -> Self {
        id.0
    }
}

fn is_safe(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.chars().all(is_name_letter)
}

const fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | ':' | '-')
}

const MAX_NAME: usize = 64;
const MAX_ID: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            any::<u32>().prop_map(Key::Insert),
            any::<(u32, Option<u8>)>().prop_map(|(event, start)| Key::Segmentation { event, start }),
            "[A-Za-z0-9._:-]{1,64}".prop_map(|name| Key::Named(Name::new(&name).unwrap())),
            Just(Key::Nameless),
        ]
    }

    #[test]
    fn an_id_is_safe_in_a_path_whatever_the_channel_is_called() {
        let key = Key::Segmentation {
            event: 77,
            start: Some(0x34),
        };
        let id = BreakId::new("news 24/\"x\"", UnixMicros(1_767_297_616_000_999), &key);
        assert_eq!(id.as_str(), "news_24__x_-1767297616000-seg:77:0x34");
        assert!(BreakId::try_from(String::from("a/b")).is_err());
    }

    #[test]
    fn a_cancellation_without_a_type_is_of_every_type() {
        let of = |event, start| Key::Segmentation { event, start };
        assert!(of(1, Some(0x34)).is_of(&of(1, None)));
        assert!(!of(1, Some(0x34)).is_of(&of(1, Some(0x30))));
        assert!(!of(1, Some(0x34)).is_of(&Key::Insert(1)));
        assert!(Key::Insert(7).is_of(&Key::Nameless));
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_is_written(key in any_key()) {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn any_text_gives_a_name_or_none(text in "\\PC{0,80}") {
            prop_assert_eq!(Name::of(&text).is_none(), text.is_empty());
        }
    }
}
