//! Bodies that come compressed (`Content-Encoding: gzip`), inflated as they come and within bounds.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use crate::Error;

/// A body that is being inflated.
#[derive(Debug)]
pub struct Inflate {
    decoder: MultiGzDecoder<Vec<u8>>,
    taken: u64,
    given: u64,
}

impl Default for Inflate {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflate {
    /// At the start of a body.
    pub fn new() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            taken: 0,
            given: 0,
        }
    }

    /// Takes compressed bytes; appends what they hold to `out`, in pieces of a bounded size.
    ///
    /// # Errors
    /// [`Error::Encoding`] when they are no gzip, or inflate to more than any media does.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl Extend<Bytes>) -> Result<(), Error> {
        // Deflate makes a byte into a thousand at most: small steps bound what one of them can give.
        for step in bytes.chunks(STEP) {
            self.decoder.write_all(step).map_err(|_| broken())?;
            self.taken += step.len() as u64;
            self.give(out)?;
        }
        Ok(())
    }

    /// The body is complete.
    ///
    /// # Errors
    /// [`Error::Encoding`] when it ends too early, or its check sum does not fit.
    pub fn finish(mut self, out: &mut impl Extend<Bytes>) -> Result<(), Error> {
        if self.taken == 0 {
            // A probe: an empty body of any encoding.
            return Ok(());
        }
        self.decoder.try_finish().map_err(|_| broken())?;
        self.give(out)
    }

    fn give(&mut self, out: &mut impl Extend<Bytes>) -> Result<(), Error> {
        let inflated = std::mem::take(self.decoder.get_mut());
        if inflated.is_empty() {
            return Ok(());
        }
        self.given += inflated.len() as u64;
        if self.given > FREE && self.given / RATIO > self.taken {
            return Err(Error::Encoding {
                encoding: "gzip",
                reason: "it inflates to more than a hundred times its size, which no media does",
            });
        }
        out.extend(Some(Bytes::from(inflated)));
        Ok(())
    }
}

fn broken() -> Error {
    Error::Encoding {
        encoding: "gzip",
        reason: "the bytes are not what the coding asks for",
    }
}

const STEP: usize = 1024;
/// Inflated bytes before the ratio counts: manifests repeat themselves.
const FREE: u64 = 4 << 20;
const RATIO: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(pieces: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let (mut inflate, mut out) = (Inflate::new(), Vec::<Bytes>::new());
        for piece in pieces {
            inflate.push(piece, &mut out)?;
        }
        inflate.finish(&mut out)?;
        Ok(out.concat())
    }

    #[test]
    fn any_split_inflates_to_the_same_and_members_follow_each_other() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
        let packed = [gzip(&text[..1_000]), gzip(&text[1_000..])].concat();
        for size in [1, 7, 1024, packed.len()] {
            let pieces: Vec<&[u8]> = packed.chunks(size).collect();
            assert_eq!(inflate(&pieces).unwrap(), text, "in pieces of {size}");
        }
        assert_eq!(inflate(&[]).unwrap(), b"");
    }

    #[test]
    fn a_bomb_is_cut_off_early_and_damage_is_an_error() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let (mut inflate_bomb, mut out) = (Inflate::new(), Vec::<Bytes>::new());
        let error = inflate_bomb.push(&bomb, &mut out).unwrap_err();
        assert_eq!((error.slug(), error.status().as_u16()), ("bad-encoding", 400));
        let given: usize = out.iter().map(Bytes::len).sum();
        assert!(given < 6 << 20, "{given}");
        let packed = gzip(b"media");
        assert!(inflate(&[&packed[..packed.len() - 1]]).is_err());
        assert!(inflate(&[b"\0\0\0\x18ftyp"]).is_err());
    }
}
