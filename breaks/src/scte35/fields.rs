//! The bits of a section: read, written and checked.

use super::Error;

/// Fields one after another; each group of them is whole bytes.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    /// Where the first of `bytes` stands in the section.
    at: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bits, eight to sixty-four of them.
    pub(super) fn bits(&mut self, count: usize, field: &'static str) -> Result<u64, Error> {
        let read = self.take(count / 8, field)?;
        Ok(read.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, Error> {
        let read = self.take(1, field)?;
        Ok(read.first().copied().unwrap_or_default())
    }

    pub(super) fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Error> {
        let Some((read, rest)) = self.bytes.split_at_checked(count) else {
            return Err(Error::Truncated {
                field,
                at: self.at + self.bytes.len(),
            });
        };
        (self.bytes, self.at) = (rest, self.at + count);
        Ok(read)
    }

    /// The next `count` bytes as fields of their own; `None` if there are not as many.
    pub(super) fn split(&mut self, count: usize) -> Option<Self> {
        let at = self.at;
        let bytes = self.take(count, "").ok()?;
        Some(Self { bytes, at })
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes;
        (self.bytes, self.at) = (&[], self.at + rest.len());
        rest
    }
}

/// Bytes of a section that is made.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Writes the low `count` bits, a multiple of eight.
    pub(super) fn bits(&mut self, count: usize, value: u64) {
        let bytes = value.to_be_bytes();
        let kept = bytes.get(8_usize.saturating_sub(count / 8)..);
        self.0.extend_from_slice(kept.unwrap_or_default());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// CRC-32/MPEG-2 (ISO/IEC 13818-1 annex A).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let carry = crc >> 31 == 1;
            crc << 1 ^ if carry { 0x04c1_1db7 } else { 0 }
        })
    })
}
