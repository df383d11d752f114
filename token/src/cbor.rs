//! A bounded reader of CBOR (RFC 8949) over a slice: no recursion, no allocation by declared length.
//!
//! Definite lengths only (CTA-5007-B §4.5), slices borrowed from the input, a bound on nesting, and offsets in errors.
//! Floats and simple values are decoded by `ciborium-ll`; the heads of all else, some thirty in every token that comes
//! with a request, are read here, in a tenth of its time.

use ciborium_ll::{Decoder, Header, simple};

use crate::{
    error::Refusal,
    limits::{MAX_CLAIMS, MAX_NESTING},
};

/// A position in a CBOR document.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

/// One item, with containers given by their length alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    /// Any CBOR integer fits an `i128`.
    Integer(i128),
    Float(f64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(usize),
    Map(usize),
    Tag(u64),
    Null,
    /// Booleans, `undefined` and unassigned simple values: no claim that is read has one.
    Simple,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// The bytes between this position and a later one of the same document.
    pub(crate) fn until(&self, later: &Self) -> &'a [u8] {
        self.input.get(self.at..later.at).unwrap_or_default()
    }

    /// Reads the next item's head, and its content where it is a string.
    pub(crate) fn next(&mut self) -> Result<Item<'a>, Refusal> {
        let start = self.at;
        let initial = *self
            .input
            .get(start)
            .ok_or(error(start, "truncated or reserved head"))?;
        let major = initial >> 5;
        if major == 7 {
            return self.float_or_simple();
        }
        let argument = self.argument(initial & 0x1f)?;
        Ok(match major {
            0 => Item::Integer(i128::from(argument)),
            // CBOR writes -1 - n.
            1 => Item::Integer(-1 - i128::from(argument)),
            2 => Item::Bytes(self.take(start, argument)?),
            3 => {
                let bytes = self.take(start, argument)?;
                Item::Text(core::str::from_utf8(bytes).map_err(|_| error(start, "text is not UTF-8"))?)
            }
            4 => Item::Array(length(start, argument)?),
            5 => Item::Map(length(start, argument)?),
            _ => Item::Tag(argument),
        })
    }

    /// Reads the argument of a head whose additional information is `info` (RFC 8949 §3), and passes over the head.
    fn argument(&mut self, info: u8) -> Result<u64, Refusal> {
        let start = self.at;
        let rest = self.input.get(start.saturating_add(1)..).unwrap_or_default();
        let read = match info {
            0..24 => Some((u64::from(info), 0)),
            24 => rest.first().map(|byte| (u64::from(*byte), 1)),
            25 => rest
                .first_chunk()
                .map(|bytes| (u64::from(u16::from_be_bytes(*bytes)), 2)),
            26 => rest
                .first_chunk()
                .map(|bytes| (u64::from(u32::from_be_bytes(*bytes)), 4)),
            27 => rest.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 8)),
            31 => return Err(error(start, "indefinite length")),
            _ => None,
        };
        let (argument, bytes) = read.ok_or(error(start, "truncated or reserved head"))?;
        self.at = start.saturating_add(1 + bytes);
        Ok(argument)
    }

    /// Reads an item of major type 7.
    fn float_or_simple(&mut self) -> Result<Item<'a>, Refusal> {
        let start = self.at;
        let mut decoder = Decoder::from(self.input.get(start..).unwrap_or_default());
        let header = decoder
            .pull()
            .map_err(|_| error(start, "truncated or reserved head"))?;
        self.at = start.saturating_add(decoder.offset());
        match header {
            Header::Float(value) if value.is_nan() => Err(error(start, "not a number")),
            Header::Float(value) => Ok(Item::Float(value)),
            // Not well-formed (RFC 8949 §3.3): the second byte begins at 32.
            Header::Simple(0..32) if decoder.offset() > 1 => Err(error(start, "truncated or reserved head")),
            Header::Simple(simple::NULL) => Ok(Item::Null),
            Header::Simple(_) => Ok(Item::Simple),
            _ => Err(error(start, "break outside an indefinite item")),
        }
    }

    /// Reads a map's head, bounded so that reading its entries is.
    pub(crate) fn map(&mut self) -> Result<usize, Refusal> {
        let start = self.at;
        match self.next()? {
            Item::Map(length) if length <= MAX_CLAIMS => Ok(length),
            Item::Map(_) => Err(error(start, "too many entries")),
            _ => Err(error(start, "expected a map")),
        }
    }

    /// Reads an entry's key, an integer or a text: of any other there would be content left to pass over.
    pub(crate) fn key(&mut self) -> Result<Item<'a>, Refusal> {
        let start = self.at;
        match self.next()? {
            key @ (Item::Integer(_) | Item::Text(_)) => Ok(key),
            _ => Err(error(start, "a key is no integer and no text")),
        }
    }

    /// Passes over one whole item, however nested, within [`MAX_NESTING`].
    pub(crate) fn skip(&mut self) -> Result<(), Refusal> {
        // What is still to be read at each open level; an explicit stack, for hostile nesting must not
        // become ours.
        let mut open = [0_usize; MAX_NESTING];
        let mut depth = 0_usize;
        loop {
            let start = self.at;
            let children = match self.next()? {
                Item::Array(length) => length,
                Item::Map(length) => length.checked_mul(2).ok_or(error(start, "too many entries"))?,
                Item::Tag(_) => 1,
                _ => 0,
            };
            if children > 0 {
                *open.get_mut(depth).ok_or(error(start, "nested too deeply"))? = children;
                depth += 1;
                continue;
            }
            while let Some(level) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) {
                *level -= 1;
                if *level > 0 {
                    break;
                }
                depth -= 1;
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Succeeds where nothing is left.
    pub(crate) fn end(&self) -> Result<(), Refusal> {
        if self.at == self.input.len() {
            Ok(())
        } else {
            Err(error(self.at, "bytes after the item"))
        }
    }

    fn take(&mut self, start: usize, argument: u64) -> Result<&'a [u8], Refusal> {
        let end = self
            .at
            .checked_add(length(start, argument)?)
            .ok_or(error(start, "length overflows"))?;
        let bytes = self
            .input
            .get(self.at..end)
            .ok_or(error(start, "truncated string"))?;
        self.at = end;
        Ok(bytes)
    }
}

/// A declared length as this machine counts.
fn length(start: usize, argument: u64) -> Result<usize, Refusal> {
    usize::try_from(argument).map_err(|_| error(start, "length overflows"))
}

const fn error(at: usize, what: &'static str) -> Refusal {
    Refusal::Cbor { at, what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nesting_beyond_the_bound_is_an_error() {
        let mut deep = vec![0x81; MAX_NESTING + 1];
        deep.push(0);
        assert!(matches!(
            Reader::new(&deep).skip(),
            Err(Refusal::Cbor {
                what: "nested too deeply",
                ..
            })
        ));
        assert_eq!(Reader::new(&deep[2..]).skip(), Ok(()));
    }

    #[test]
    fn a_declared_length_is_never_trusted() {
        // A byte string of 2^63 bytes, and an array of as many items.
        for head in [0x5b, 0x9b] {
            let huge = [head, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            assert!(Reader::new(&huge).skip().is_err());
        }
    }

    #[test]
    fn indefinite_lengths_are_refused() {
        assert!(Reader::new(&[0x9f, 0xff]).skip().is_err());
        assert!(Reader::new(&[0x5f, 0x41, 0x00, 0xff]).skip().is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut reader = Reader::new(&bytes);
            while reader.skip().is_ok() && reader.position() < bytes.len() {}
        }

        #[test]
        fn a_head_is_what_ciborium_takes_it_for(
            // Strings have a content beside their head: they are compared by the next test.
            major in proptest::sample::select(vec![0_u8, 1, 4, 5, 6, 7]),
            info in 0..32_u8,
            argument in any::<[u8; 8]>(),
            length in 0..=9_usize,
        ) {
            let head = [&[major << 5 | info][..], &argument].concat();
            let head = &head[..length];
            let is_reserved = head.first() == Some(&0xf8) && head.get(1).is_some_and(|value| *value < 32);
            let mut decoder = Decoder::from(head);
            let theirs = decoder.pull().ok().filter(|_| !is_reserved).and_then(|header| match header {
                Header::Positive(n) => Some(Item::Integer(n.into())),
                Header::Negative(n) => Some(Item::Integer(-1 - i128::from(n))),
                Header::Float(value) => (!value.is_nan()).then_some(Item::Float(value)),
                Header::Array(length) => length.map(Item::Array),
                Header::Map(length) => length.map(Item::Map),
                Header::Tag(tag) => Some(Item::Tag(tag)),
                Header::Simple(simple::NULL) => Some(Item::Null),
                Header::Simple(_) => Some(Item::Simple),
                _ => None,
            });
            let mut reader = Reader::new(head);
            let ours = reader.next().ok();
            prop_assert_eq!(ours, theirs);
            if ours.is_some() {
                prop_assert_eq!(reader.position(), decoder.offset());
            }
        }

        #[test]
        fn whatever_ciborium_writes_is_one_item(numbers in proptest::collection::vec(any::<i64>(), 0..20), text in ".{0,40}") {
            let value = ciborium::Value::Map(vec![
                (1.into(), ciborium::Value::Array(numbers.into_iter().map(Into::into).collect())),
                (2.into(), ciborium::Value::Tag(61, Box::new(text.into()))),
            ]);
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.skip(), Ok(()));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }
}
