//! One object in several requests: `Content-Range` on a PUT, as GStreamer's `souphttpclientsink` sends it for each
//! buffer.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::Error;

/// `Content-Range: bytes first-last/total` of a request (RFC 9110 §14.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte.
    pub last: u64,
    /// Length of the whole object, if known.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads the field's value.
    ///
    /// # Errors
    /// [`Error::ContentRange`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let read = || {
            let range = text.trim().strip_prefix("bytes")?.trim_start();
            let (span, total) = range.split_once('/')?;
            let (first, last) = span.split_once('-')?;
            let total = match total.trim() {
                "*" => None,
                total => Some(total.parse().ok()?),
            };
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            let is_sane = first <= last && total.is_none_or(|total| last < total);
            is_sane.then_some(Self { first, last, total })
        };
        read().ok_or(Error::ContentRange {
            reason: "is not \"bytes <first>-<last>/<total or *>\"",
        })
    }

    /// Bytes that the body must have.
    pub fn length(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// Puts the ranges of one object in order. What comes early waits, within bounds.
#[derive(Debug, Default)]
pub struct Assembly {
    next: u64,
    early: BTreeMap<u64, Bytes>,
    held: usize,
}

impl Assembly {
    /// Offset of the first byte that has not come.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes the bytes of a range; appends what is in order now to `out`. Bytes that came before are dropped.
    ///
    /// # Errors
    /// [`Error::ContentRange`] when more waits behind a hole than is kept.
    pub fn push(&mut self, first: u64, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Error> {
        if first > self.next {
            let held = self.held.saturating_add(bytes.len());
            if held > MAX_HELD || self.early.len() >= MAX_EARLY {
                return Err(Error::ContentRange {
                    reason: "leaves a hole behind the ranges before it",
                });
            }
            if let Some(before) = self.early.insert(first, bytes) {
                self.held -= before.len();
            }
            self.held = held;
            return Ok(());
        }
        self.take(first, bytes, out);
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (first, bytes) = entry.remove_entry();
            self.held = self.held.saturating_sub(bytes.len());
            self.take(first, bytes, out);
        }
        Ok(())
    }

    fn take(&mut self, first: u64, mut bytes: Bytes, out: &mut Vec<Bytes>) {
        let known = usize::try_from(self.next.saturating_sub(first)).unwrap_or(usize::MAX);
        if known < bytes.len() {
            let fresh = bytes.split_off(known);
            self.next += fresh.len() as u64;
            out.push(fresh);
        }
    }
}

/// Bytes that wait behind a hole.
const MAX_HELD: usize = 4 << 20;
/// Ranges that wait behind a hole.
const MAX_EARLY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_is_read_and_nonsense_is_refused() {
        let range = ContentRange::parse("bytes 5-9/*").unwrap();
        assert_eq!((range.first, range.length(), range.total), (5, 5, None));
        assert_eq!(ContentRange::parse("bytes 0-0/1").unwrap().total, Some(1));
        for text in [
            "",
            "bytes",
            "bytes 9-5/*",
            "bytes 0-4/4",
            "items 0-4/5",
            "bytes */5",
            "bytes -1-4/*",
        ] {
            assert!(ContentRange::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hole_that_is_never_filled_is_refused_once_too_much_waits() {
        let (mut assembly, mut out) = (Assembly::default(), Vec::new());
        let piece = Bytes::from(vec![0; 1 << 20]);
        for index in 0..4 {
            assembly
                .push(10 + (index << 20), piece.clone(), &mut out)
                .unwrap();
        }
        let error = assembly.push(10 + (4 << 20), piece, &mut out).unwrap_err();
        assert_eq!(error.slug(), "bad-content-range");
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn ranges_in_any_order_and_overlap_give_the_object(
            mut pieces in prop::collection::vec((0_usize..200, 1_usize..40), 0..40),
            seed in any::<u64>(),
        ) {
            let object: Vec<u8> = (0..240).map(|index| index as u8).collect();
            pieces.extend((0..240).step_by(24).map(|first| (first, 24)));
            let count = pieces.len() as u64;
            pieces.sort_by_key(|(first, length)| (*first as u64 * 31 + *length as u64 * 17) ^ (seed % count));
            let (mut assembly, mut out) = (Assembly::default(), Vec::new());
            for (first, length) in pieces {
                let end = (first + length).min(object.len());
                assembly.push(first as u64, Bytes::copy_from_slice(&object[first..end]), &mut out).unwrap();
            }
            prop_assert_eq!(out.concat(), object);
        }
    }
}
