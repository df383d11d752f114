//! Compressed bodies: any bytes, in any split, inflate alike or are refused, and never to more than they may.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::ingest::Inflate;

fn inflate<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut inflate = Inflate::new();
    let mut out = Vec::new();
    for piece in pieces {
        inflate.push(piece, &mut out).ok()?;
    }
    inflate.finish(&mut out).ok()?;
    Some(out.concat())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = inflate(std::iter::once(bytes));
    let split = inflate(bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, split);
    // Below 4 MiB any ratio may pass; a kilobyte cannot make more of itself than a thousandfold.
    assert!(whole.is_none_or(|out| out.len() <= (bytes.len() + 1) * 1_100));
});
