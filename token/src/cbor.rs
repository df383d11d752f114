//! A bounded reader of CBOR (RFC 8949) over a slice: no recursion, no allocation by declared length.
//!
//! It stands on `ciborium-ll`, which decodes one item header at a time, and adds what a token needs: definite
//! lengths only (CTA-5007-B §4.5), slices borrowed from the input, a bound on nesting, and offsets in errors.

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
        let rest = self.input.get(start..).unwrap_or_default();
        let mut decoder = Decoder::from(rest);
        let header = decoder
            .pull()
            .map_err(|_| error(start, "truncated or reserved head"))?;
        self.at = start.saturating_add(decoder.offset());
        Ok(match header {
            Header::Positive(n) => Item::Integer(i128::from(n)),
            // CBOR writes -1 - n; ciborium hands n over.
            Header::Negative(n) => Item::Integer(-1 - i128::from(n)),
            Header::Float(value) if value.is_nan() => return Err(error(start, "not a number")),
            Header::Float(value) => Item::Float(value),
            Header::Bytes(Some(length)) => Item::Bytes(self.take(start, length)?),
            Header::Text(Some(length)) => {
                let bytes = self.take(start, length)?;
                Item::Text(core::str::from_utf8(bytes).map_err(|_| error(start, "text is not UTF-8"))?)
            }
            Header::Array(Some(length)) => Item::Array(length),
            Header::Map(Some(length)) => Item::Map(length),
            Header::Tag(tag) => Item::Tag(tag),
            Header::Simple(simple::NULL) => Item::Null,
            Header::Simple(_) => Item::Simple,
            Header::Bytes(None) | Header::Text(None) | Header::Array(None) | Header::Map(None) => {
                return Err(error(start, "indefinite length"));
            }
            Header::Break => return Err(error(start, "break outside an indefinite item")),
        })
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

    fn take(&mut self, start: usize, length: usize) -> Result<&'a [u8], Refusal> {
        let end = self
            .at
            .checked_add(length)
            .ok_or(error(start, "length overflows"))?;
        let bytes = self
            .input
            .get(self.at..end)
            .ok_or(error(start, "truncated string"))?;
        self.at = end;
        Ok(bytes)
    }
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
