//! The demuxer of objects with several tracks: any bytes, in any split, come apart alike or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::cmaf::{Demuxer, Limits, Piece};

const LIMITS: Limits = Limits {
    init: 1 << 16,
    chunk: 1 << 18,
};

fn take_apart<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Piece>, bool) {
    let mut demuxer = Demuxer::new(LIMITS, Vec::new());
    let mut found = Vec::new();
    let mut is_well = true;
    for piece in pieces {
        is_well = demuxer.push(piece, &mut found).is_ok();
        if !is_well {
            break;
        }
        assert!(demuxer.held() as u64 <= 2 * LIMITS.chunk);
    }
    is_well = is_well && demuxer.finish().is_ok();
    for (lane, _) in &found {
        assert!(*lane < demuxer.lanes().len().max(1));
    }
    (found, is_well)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = take_apart(std::iter::once(bytes));
    let split = take_apart(bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, split);
});
