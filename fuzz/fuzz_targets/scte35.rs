//! SCTE 35: any bytes are read or refused, and what was read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_breaks::scte35::{Section, section};

/// The check sum of MPEG-2 systems, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

/// The bytes as a section of their own length, with a check sum that fits: else nothing behind it is ever reached.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = (bytes.len() + 4).saturating_sub(3) as u16;
    if let [table, high, low, ..] = &mut bytes[..] {
        *table = 0xfc;
        [*high, *low] = (0x3000 | length & 0x0fff).to_be_bytes();
    }
    let sum = crc32(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let _ = section("urn:scte:scte35:2014:xml+bin", bytes);
    for bytes in [bytes.to_vec(), sealed(bytes)] {
        let Ok(read) = Section::decode(&bytes) else {
            continue;
        };
        if let Ok(written) = read.encode() {
            assert_eq!(Section::decode(&written).ok(), Some(read));
        }
    }
});
