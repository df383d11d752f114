//! H.264 byte streams (ITU-T H.264 annex B) to length-prefixed NAL units (ISO/IEC 14496-15).

/// Rewrites one access unit with 4-byte lengths. Access unit delimiters and parameter sets are left out, for they live
/// in the sample entry; so is an encoder's signature (SEI of unregistered user data). Captions and the rest stay.
#[must_use]
pub fn to_length_prefixed(access_unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(access_unit.len() + 16);
    for unit in units(access_unit) {
        let kind = unit.first().map_or(0, |byte| byte & 31);
        let signature = kind == SEI && unit.get(1) == Some(&UNREGISTERED_USER_DATA);
        if let (false, Ok(length)) = (
            matches!(kind, SPS | PPS | DELIMITER) || signature,
            u32::try_from(unit.len()),
        ) {
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(unit);
        }
    }
    out
}

/// Whether an access unit in length-prefixed form holds an IDR slice (NAL unit type 5).
#[must_use]
pub fn is_idr(mut sample: &[u8]) -> bool {
    while let Some((length, rest)) = sample.split_first_chunk::<4>() {
        if rest.first().is_some_and(|byte| byte & 31 == IDR) {
            return true;
        }
        sample = rest.get(u32::from_be_bytes(*length) as usize..).unwrap_or(&[]);
    }
    false
}

const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const UNREGISTERED_USER_DATA: u8 = 5;

/// NAL units between start codes, without trailing zero bytes.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(window) = stream.get(at..at + 3) {
        if window == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([stream.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| {
        let unit = stream.get(start + 3..end)?;
        let length = unit.iter().rposition(|byte| *byte != 0)? + 1;
        unit.get(..length)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameter_sets_and_signatures_are_left_out() {
        let stream = [
            &[0, 0, 0, 1, 9, 0xf0][..],
            &[0, 0, 0, 1, 0x67, 1, 2],
            &[0, 0, 1, 0x68, 3],
            &[0, 0, 1, 6, 5, 1, 9, 0x80],
            &[0, 0, 1, 6, 4, 1, 7, 0x80],
            &[0, 0, 0, 1, 0x65, 0x88, 0x84],
        ]
        .concat();
        let sample = to_length_prefixed(&stream);
        assert_eq!(
            sample,
            [0, 0, 0, 5, 6, 4, 1, 7, 0x80, 0, 0, 0, 3, 0x65, 0x88, 0x84]
        );
        assert!(is_idr(&sample));
        assert!(!is_idr(&[0, 0, 0, 2, 0x41, 1]));
        assert!(!is_idr(&[0, 0, 0, 200, 0x41]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(stream in prop::collection::vec(0u8..3, 0..200)) {
            let sample = to_length_prefixed(&stream);
            prop_assert!(sample.len() <= stream.len() * 2 + 16);
            let _ = is_idr(&stream);
        }
    }
}
