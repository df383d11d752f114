//! Writing boxes again where the bytes cannot stay as they came.

use super::Error;
use super::boxes::Box4;

pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

/// A box of these payload pieces. Its size is that of what was read and a few bytes: below 4 GiB.
pub(super) fn boxed(name: &[u8; 4], pieces: &[&[u8]]) -> Vec<u8> {
    let size = pieces
        .iter()
        .fold(8_usize, |sum, piece| sum.saturating_add(piece.len()));
    let mut out = Vec::with_capacity(size);
    put(&mut out, &u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    put(&mut out, name);
    pieces.iter().for_each(|piece| put(&mut out, piece));
    out
}

/// A `trun` or `saio` whose offsets, counted from the `moof`, are moved by `by` bytes.
pub(super) fn shift(found: &Box4<'_>, by: i64) -> Result<Vec<u8>, Error> {
    let moved = |offset: i64| offset.saturating_add(by);
    if &found.name == b"trun" {
        return match found.flags()? & 1 {
            0 => Ok(found.bytes.to_vec()),
            _ => run_at(found, moved(i64::from(found.u32(16)?.cast_signed()))),
        };
    }
    let head = if found.flags()? & 1 != 0 { 20 } else { 12 };
    let count = found.u32(head)?;
    let mut body = found.rest(8).get(..head - 4).unwrap_or_default().to_vec();
    let long = found.version()? != 0;
    let width = if long { 8 } else { 4 };
    for index in 0..count as usize {
        let at = head.saturating_add(4).saturating_add(index.saturating_mul(width));
        if long {
            let offset = moved(found.u64(at)?.cast_signed());
            put(&mut body, &offset.to_be_bytes());
        } else {
            let offset = u32::try_from(moved(i64::from(found.u32(at)?)));
            put(
                &mut body,
                &offset
                    .map_err(|_| found.error("an offset leaves its range"))?
                    .to_be_bytes(),
            );
        }
    }
    Ok(boxed(&found.name, &[&body]))
}

/// A `trun` whose samples begin at `offset`, counted from the `moof`.
pub(super) fn run_at(trun: &Box4<'_>, offset: i64) -> Result<Vec<u8>, Error> {
    let offset = i32::try_from(offset).map_err(|_| trun.error("its data offset leaves its range"))?;
    let head = trun.u32(8)?;
    let had = head & 1 != 0;
    Ok(boxed(
        b"trun",
        &[
            &(head | 1).to_be_bytes(),
            &trun.u32(12)?.to_be_bytes(),
            &offset.to_be_bytes(),
            trun.rest(if had { 20 } else { 16 }),
        ],
    ))
}
