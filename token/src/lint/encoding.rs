//! Deterministic encoding (CTA-5007-B §4.5, RFC 8949 §4.2.1): each item has one form. Order of keys is left out, as
//! the standard leaves it.

use core::fmt;

use ciborium::Value;

/// How an item deviates from the one form that it should have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// An integer, length or tag in more bytes than it needs.
    LongInteger,
    /// A float in more bytes than it needs.
    LongFloat,
    /// A float with a whole value: it should be an integer.
    WholeFloat,
    /// Negative zero.
    NegativeZero,
    /// Not a number.
    NotANumber,
    /// A length that is not given ahead.
    IndefiniteLength,
}

impl Form {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::LongInteger => "long-integer",
            Self::LongFloat => "long-float",
            Self::WholeFloat => "whole-float",
            Self::NegativeZero => "negative-zero",
            Self::NotANumber => "not-a-number",
            Self::IndefiniteLength => "indefinite-length",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LongInteger => "an integer or length longer than it need be",
            Self::LongFloat => "a float longer than it need be",
            Self::WholeFloat => "a float of a whole value, which should be an integer",
            Self::NegativeZero => "negative zero",
            Self::NotANumber => "a number that is none (NaN)",
            Self::IndefiniteLength => "an indefinite length",
        })
    }
}

/// Every deviation with its offset, up to where the bytes are no CBOR. Items follow each other in one row, so that
/// nesting need not be followed.
pub(super) fn deviations(bytes: &[u8]) -> Vec<(usize, Form)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((form, length)) = bytes.get(at..).and_then(item) {
        found.extend(form.map(|form| (at, form)));
        at += length;
    }
    found
}

/// The deviation of the item that begins here, and its length: with its content for a string, without for what
/// holds other items.
fn item(bytes: &[u8]) -> Option<(Option<Form>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 31);
    let width = match info {
        0..24 => 0,
        24..28 => 1_usize << (info - 24),
        31 => {
            // 0xff ends what was begun before.
            let form = (first != 0xff).then_some(Form::IndefiniteLength);
            return Some((form, 1));
        }
        _ => return None,
    };
    let argument = rest.get(..width)?;
    let value = argument
        .iter()
        .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if major == 7 {
        let form = match width {
            2 | 4 | 8 => float(bytes.get(..=width)?),
            _ => None,
        };
        return Some((form, 1 + width));
    }
    let least = match width {
        0 => 0,
        1 => 24,
        2 => 1 << 8,
        4 => 1 << 16,
        _ => 1 << 32,
    };
    let value = if width == 0 { u64::from(info) } else { value };
    let content = match major {
        2 | 3 => usize::try_from(value).ok()?,
        _ => 0,
    };
    let form = (value < least).then_some(Form::LongInteger);
    Some((form, content.checked_add(1 + width)?))
}

/// The deviation of a float, given whole.
fn float(bytes: &[u8]) -> Option<Form> {
    let Ok(Value::Float(value)) = ciborium::from_reader(bytes) else {
        return None;
    };
    if value.is_nan() {
        return Some(Form::NotANumber);
    }
    if value == 0.0 && value.is_sign_negative() {
        return Some(Form::NegativeZero);
    }
    // Every whole number up to here is an integer of CBOR.
    if value.fract() == 0.0 && value.abs() < 18_446_744_073_709_551_616.0 {
        return Some(Form::WholeFloat);
    }
    // ciborium writes the shortest form.
    let mut shortest = Vec::new();
    ciborium::into_writer(&Value::Float(value), &mut shortest).ok()?;
    (shortest.len() < bytes.len()).then_some(Form::LongFloat)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_deviation_is_found_where_it_stands() {
        for (bytes, expected) in [
            (&[0xa1, 0x18, 0x04, 0x00][..], vec![(1, Form::LongInteger)]),
            (&[0x19, 0x01, 0x00], vec![]),
            (&[0x19, 0x00, 0xff], vec![(0, Form::LongInteger)]),
            (&[0x58, 0x01, 0xff], vec![(0, Form::LongInteger)]),
            (&[0xf9, 0x3e, 0x00], vec![]),
            (&[0xfa, 0x3f, 0xc0, 0, 0], vec![(0, Form::LongFloat)]),
            (&[0xf9, 0x3c, 0x00], vec![(0, Form::WholeFloat)]),
            (&[0xf9, 0x80, 0x00], vec![(0, Form::NegativeZero)]),
            (&[0xf9, 0x7e, 0x00], vec![(0, Form::NotANumber)]),
            (&[0x9f, 0x01, 0xff], vec![(0, Form::IndefiniteLength)]),
            // A byte inside a string is no item.
            (&[0x42, 0x9f, 0xf9, 0x01], vec![]),
        ] {
            assert_eq!(deviations(bytes), expected, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = deviations(&bytes);
        }

        #[test]
        fn what_ciborium_writes_of_integers_and_texts_has_the_one_form(
            entries in proptest::collection::vec((any::<i64>(), ".{0,300}"), 0..8),
        ) {
            let map = entries.into_iter().map(|(key, text)| (key.into(), text.into())).collect();
            let mut bytes = Vec::new();
            ciborium::into_writer(&Value::Map(map), &mut bytes).unwrap();
            prop_assert_eq!(deviations(&bytes), vec![]);
        }
    }
}
