//! Pieces of a document: text, and the same text deflated, each made once.
//!
//! A DEFLATE stream (RFC 1951) may be put together from runs of blocks that were compressed apart, if each run
//! ends at a whole byte and looks back on nothing before it; a gzip file's checksum follows from those of the
//! runs (RFC 1952). So what a live document keeps from one moment to the next is compressed once as well.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A piece of a document that never changes.
#[derive(Default)]
pub struct Piece {
    text: String,
    packed: OnceLock<Packed>,
}

/// A piece's text as DEFLATE blocks, none of them the last, up to a whole byte.
struct Packed {
    blocks: Vec<u8>,
    sum: Crc,
}

impl Piece {
    /// A piece of that text.
    pub fn new(text: String) -> Arc<Self> {
        Arc::new(Self {
            text,
            packed: OnceLock::new(),
        })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| Packed::new(self.text.as_bytes()))
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Piece").field(&self.text).finish()
    }
}

impl Packed {
    fn new(text: &[u8]) -> Self {
        let mut sum = Crc::new();
        sum.update(text);
        let mut blocks = Vec::with_capacity(text.len() / 4 + 64);
        DEFLATE.with_borrow_mut(|deflate| {
            deflate.reset();
            loop {
                let rest = text.get(deflate.total_in() as usize..).unwrap_or_default();
                let done = deflate.compress_vec(rest, &mut blocks, FlushCompress::Sync);
                // It stops short of the spare room only when all is written.
                if blocks.len() < blocks.capacity() || !matches!(done, Ok(Status::Ok | Status::BufError)) {
                    break;
                }
                blocks.reserve(text.len() / 4 + 64);
            }
        });
        Self { blocks, sum }
    }
}

/// The text of a whole document.
pub fn plain(pieces: &[Arc<Piece>]) -> Bytes {
    let mut bytes = Vec::with_capacity(pieces.iter().map(|piece| piece.text.len()).sum());
    pieces
        .iter()
        .for_each(|piece| bytes.extend_from_slice(piece.text.as_bytes()));
    bytes.into()
}

/// A whole document as a gzip file (RFC 1952), level 6.
pub fn gzip(pieces: &[Arc<Piece>]) -> Bytes {
    let blocks: usize = pieces.iter().map(|piece| piece.packed().blocks.len()).sum();
    let mut bytes = Vec::with_capacity(HEAD.len() + blocks + LAST_BLOCK.len() + 8);
    let mut sum = Crc::new();
    bytes.extend_from_slice(&HEAD);
    for piece in pieces {
        let packed = piece.packed();
        bytes.extend_from_slice(&packed.blocks);
        sum.combine(&packed.sum);
    }
    bytes.extend_from_slice(&LAST_BLOCK);
    bytes.extend_from_slice(&sum.sum().to_le_bytes());
    bytes.extend_from_slice(&sum.amount().to_le_bytes());
    bytes.into()
}

/// Magic, DEFLATE, no flags, no time, no extra flags, no system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty block of fixed codes that is the last one.
const LAST_BLOCK: [u8; 2] = [3, 0];

thread_local! {
    // Its tables are some hundred kilobytes: one for each thread, rather than for each document.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(6), false));
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_compressed_apart_are_one_gzip_file(
            texts in prop::collection::vec("[ -~\n]{0,300}|(#EXTINF:1.920000,\nabc[0-9]{12}\n){0,400}", 0..6)
        ) {
            let pieces: Vec<_> = texts.iter().cloned().map(Piece::new).collect();
            let packed = gzip(&pieces);
            let mut unpacked = String::new();
            GzDecoder::new(packed.as_ref()).read_to_string(&mut unpacked).unwrap();
            prop_assert_eq!(&unpacked, &texts.concat());
            prop_assert_eq!(plain(&pieces), unpacked);
        }
    }

    #[test]
    fn text_that_does_not_compress_is_whole_all_the_same() {
        let mut seed = 1_u64;
        let text: String = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + (seed >> 33) as u8 % 90)
        })
        .take(100_000)
        .collect();
        let packed = gzip(&[Piece::new(text.clone())]);
        let mut unpacked = String::new();
        GzDecoder::new(packed.as_ref())
            .read_to_string(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, text);
    }
}
