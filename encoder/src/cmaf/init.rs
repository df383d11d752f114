//! CMAF headers (init segments): what a muxer wrote, made fit for CMAF.

use bytes::Bytes;
use mp4_atom::{Any, Btrt, Codec, Decode, Encode, Ftyp, Moov};

use super::{CmafError, box_error};

/// Rewrites the `ftyp` and `moov` of a muxer: CMAF brands, no edit list, no writer's tag, and the bit rates in bit/s that
/// the DASH-IF ingest protocol asks for in `btrt`. The same encoder settings give the same bytes.
///
/// # Errors
/// When the bytes are not a movie header with one track.
pub fn from_muxer(mut written: &[u8], bit_rate: u32) -> Result<Bytes, CmafError> {
    let mut moov = None;
    while !written.is_empty() {
        if let Any::Moov(found) = Any::decode(&mut written).map_err(box_error("read the muxer's header"))? {
            moov = Some(found);
        }
    }
    let mut moov: Moov = moov.ok_or(CmafError::Incomplete("moov"))?;
    moov.udta = None;
    moov.mvex.as_ref().ok_or(CmafError::Incomplete("mvex"))?;
    let track = moov.trak.first_mut().ok_or(CmafError::Incomplete("track"))?;
    track.edts = None;
    track.udta = None;
    let rates = Btrt {
        buffer_size_db: 0,
        max_bitrate: bit_rate,
        avg_bitrate: bit_rate,
    };
    match track.mdia.minf.stbl.stsd.codecs.first_mut() {
        Some(Codec::Avc1(entry)) => entry.btrt = Some(rates),
        Some(Codec::Mp4a(entry)) => entry.btrt = Some(rates),
        Some(_) => {}
        None => return Err(CmafError::Incomplete("sample entry")),
    }
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"cmfc".into(), b"dash".into()],
    };
    let mut out = Vec::new();
    ftyp.encode(&mut out).map_err(box_error("write ftyp"))?;
    moov.encode(&mut out).map_err(box_error("write moov"))?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_header_are_refused() {
        assert!(matches!(from_muxer(&[], 1), Err(CmafError::Incomplete("moov"))));
        assert!(matches!(
            from_muxer(b"\0\0\0\x20moovxx", 1),
            Err(CmafError::Box { .. })
        ));
    }
}
