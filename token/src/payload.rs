//! A claims map written again: what is not changed stays as it was, byte for byte.

use crate::{
    cbor::{Item, Reader},
    cose::{head, integer},
    error::Refusal,
    label::Label,
    limits::MAX_CLAIMS,
};

/// What becomes of one claim.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Edit {
    Keep,
    Drop,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Writes the claims map `payload` again, each claim as `edit` says. It is asked with the label, where the key is
/// an integer, and with the value's first item. A claim that is kept keeps the bytes of its key and of its value,
/// in whatever encoding they are.
pub(crate) fn rewrite(
    payload: &[u8],
    mut edit: impl FnMut(Option<Label>, Item<'_>) -> Edit,
) -> Result<Vec<u8>, Refusal> {
    let mut reader = Reader::new(payload);
    let mut kept = 0;
    let mut out = Vec::with_capacity(payload.len());
    for _ in 0..reader.map()? {
        let start = reader.clone();
        let label = match reader.next()? {
            Item::Integer(label) => Some(Label(label)),
            _ => None,
        };
        let value = reader.clone();
        let first = value.clone().next()?;
        reader.skip()?;
        let edit = edit(label, first);
        if edit == Edit::Drop {
            continue;
        }
        kept += 1;
        match edit {
            Edit::Keep => out.extend_from_slice(start.until(&reader)),
            edit => {
                out.extend_from_slice(start.until(&value));
                edit.write(&mut out);
            }
        }
    }
    reader.end()?;
    let mut payload = Vec::with_capacity(out.len().saturating_add(9));
    head(&mut payload, MAP, kept);
    payload.extend(out);
    Ok(payload)
}

/// Adds a claim that the map does not have, behind the others: the order of claims means nothing.
pub(crate) fn add(payload: &[u8], label: Label, value: &Edit) -> Result<Vec<u8>, Refusal> {
    let mut reader = Reader::new(payload);
    let entries = reader.map()?;
    if entries >= MAX_CLAIMS {
        return Err(Refusal::Cbor {
            at: 0,
            what: "too many entries",
        });
    }
    let claims = payload.get(reader.position()..).unwrap_or_default();
    let mut out = Vec::with_capacity(payload.len().saturating_add(40));
    head(&mut out, MAP, entries.saturating_add(1));
    out.extend_from_slice(claims);
    integer(&mut out, label.0);
    value.write(&mut out);
    Ok(out)
}

/// Succeeds for one map, of at most [`MAX_CLAIMS`], in which no key stands twice.
pub(crate) fn check(payload: &[u8]) -> Result<(), Refusal> {
    let mut reader = Reader::new(payload);
    let entries = reader.map()?;
    let mut seen = Vec::with_capacity(entries);
    for _ in 0..entries {
        let at = reader.position();
        let key = reader.next()?;
        if seen.contains(&key) || !matches!(key, Item::Integer(_) | Item::Text(_)) {
            return Err(Refusal::Cbor {
                at,
                what: "a key that stands twice, or is no integer and no text",
            });
        }
        seen.push(key);
        reader.skip()?;
    }
    reader.end()
}

impl Edit {
    /// Writes the new value; nothing where there is none.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Keep | Self::Drop => {}
            Self::Integer(value) => integer(out, i128::from(*value)),
            Self::Text(text) => {
                head(out, TEXT, text.len());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                head(out, BYTES, bytes.len());
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// Major types (RFC 8949 §3.1).
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const MAP: u8 = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_are_in_their_shortest_form(value in prop_oneof![any::<i64>(), -70_000_i64..70_000, (0_u32..64).prop_map(|bits| i64::MAX >> bits)]) {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            integer(&mut ours, value.into());
            ciborium::into_writer(&value, &mut theirs).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }
}
