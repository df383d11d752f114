//! Objects in several requests: any `Content-Range` is read or refused, and ranges in any order and overlap give the
//! object's own bytes in its own order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::ingest::{Assembly, ContentRange};

/// The byte of the object at an offset.
fn byte(offset: u64) -> u8 {
    offset
        .to_le_bytes()
        .iter()
        .fold(0x5c, |sum, byte| sum ^ byte.rotate_left(3))
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(range) = ContentRange::parse(&String::from_utf8_lossy(bytes)) {
        assert!(range.first <= range.last && range.total.is_none_or(|total| range.last < total));
        let text = match range.total {
            Some(total) => format!("bytes {}-{}/{total}", range.first, range.last),
            None => format!("bytes {}-{}/*", range.first, range.last),
        };
        assert_eq!(ContentRange::parse(&text).ok(), Some(range));
    }
    let mut assembly = Assembly::default();
    let mut out = Vec::new();
    for piece in bytes.chunks_exact(3) {
        let first = u64::from(u16::from_le_bytes([piece[0], piece[1]]) % 2_048);
        let data: Vec<u8> = (first..first + u64::from(piece[2])).map(byte).collect();
        if assembly.push(first, data.into(), &mut out).is_err() {
            break;
        }
        let came: Vec<u8> = out.concat();
        assert_eq!(came.len() as u64, assembly.next());
        assert!(came.iter().zip(0..).all(|(came, offset)| *came == byte(offset)));
    }
});
