//! The streaming box reader: any bytes, in any split, give the same events or the same error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::cmaf::{Event, Limits, Reader};

const LIMITS: Limits = Limits {
    init: 1 << 16,
    chunk: 1 << 18,
};

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let mut reader = Reader::new(LIMITS);
    let mut is_well = true;
    for piece in pieces {
        is_well = reader.push(piece).is_ok();
        if !is_well {
            break;
        }
    }
    is_well = is_well && reader.finish().is_ok();
    (std::iter::from_fn(|| reader.next_event()).collect(), is_well)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(std::iter::once(bytes));
    let split = read(bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, split);
});
