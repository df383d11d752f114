//! One size for the same sample of all variants, so that whatever counts bytes counts the same in each: chunk headers,
//! parts, byte ranges and `Content-Length`.

use bytes::Bytes;

/// Brings the same H.264 sample of each variant, as length-prefixed NAL units, to one size: the least one that all of
/// them can have. The shorter ones get SEI messages of unregistered user data in front (ITU-T H.264, D.1.7), which
/// decoders leave out: filler units are not for files (ISO/IEC 14496-15), and an SEI message behind the slices would be
/// late.
pub fn equalise(samples: &mut [Bytes]) {
    let longest = samples.iter().map(Bytes::len).max().unwrap_or_default();
    let too_near = |sample: &Bytes| (1..LEAST).contains(&(longest - sample.len()));
    let size = if samples.iter().any(too_near) {
        longest + LEAST
    } else {
        longest
    };
    for sample in samples {
        let missing = size - sample.len();
        if missing > 0 {
            let mut padded = Vec::with_capacity(size);
            pad(missing, &mut padded);
            padded.extend_from_slice(sample);
            *sample = padded.into();
        }
    }
}

/// Writes exactly `bytes` of padding, at least [`LEAST`].
fn pad(bytes: usize, out: &mut Vec<u8>) {
    // The size of a message is written with one byte for each 255 of it, so one length in 256 cannot be.
    let one = bytes - OVERHEAD;
    if one % 256 == 255 {
        message(LEAST - OVERHEAD, out);
        pad(bytes - LEAST, out);
        return;
    }
    message(one - one / 256, out);
}

/// One NAL unit with one SEI message: an identifier and user data, all of ones, in which no start code can be.
fn message(payload: usize, out: &mut Vec<u8>) {
    let unit = OVERHEAD - 4 + payload + payload / 255;
    out.extend_from_slice(&u32::try_from(unit).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&[SEI, UNREGISTERED_USER_DATA]);
    out.resize(out.len() + payload / 255, 0xff);
    out.push((payload % 255) as u8);
    out.resize(out.len() + payload, 0xff);
    out.push(STOP_BIT);
}

const SEI: u8 = 6;
const UNREGISTERED_USER_DATA: u8 = 5;
const STOP_BIT: u8 = 0x80;
/// Length prefix, header, type, the last byte of the size, and the stop bit's byte.
const OVERHEAD: usize = 8;
/// The smallest message has its identifier of 16 bytes and nothing else.
const LEAST: usize = OVERHEAD + 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The NAL units of a sample.
    fn units(mut sample: &[u8]) -> Vec<&[u8]> {
        let mut units = Vec::new();
        while let Some((length, rest)) = sample.split_first_chunk::<4>() {
            let (unit, after) = rest
                .split_at_checked(u32::from_be_bytes(*length) as usize)
                .unwrap();
            units.push(unit);
            sample = after;
        }
        assert!(sample.is_empty());
        units
    }

    fn sample(slice: usize) -> Bytes {
        let mut sample = (slice as u32 + 1).to_be_bytes().to_vec();
        sample.push(0x65);
        sample.resize(5 + slice, 7);
        sample.into()
    }

    /// Reads a padding unit as a decoder does, and says how long its user data is.
    fn user_data(unit: &[u8]) -> usize {
        assert_eq!(unit[..2], [SEI, UNREGISTERED_USER_DATA]);
        let mut size = 0;
        let mut rest = &unit[2..];
        loop {
            let (byte, after) = rest.split_first().unwrap();
            size += usize::from(*byte);
            rest = after;
            if *byte != 255 {
                break;
            }
        }
        assert_eq!(rest.len(), size + 1);
        assert_eq!(rest.last(), Some(&STOP_BIT));
        size
    }

    #[test]
    fn every_length_can_be_padded() {
        for bytes in LEAST..3000 {
            let mut out = Vec::new();
            pad(bytes, &mut out);
            assert_eq!(out.len(), bytes);
            assert!(
                units(&out).into_iter().all(|unit| user_data(unit) >= 16),
                "{bytes}"
            );
            let has_zeros = |unit: &[u8]| unit.windows(2).any(|pair| pair == [0, 0]);
            assert!(!units(&out).into_iter().any(has_zeros), "{bytes}");
        }
    }

    #[test]
    fn samples_of_one_size_stay_as_they_are() {
        let mut pair = [sample(100), sample(100)];
        equalise(&mut pair);
        assert_eq!(pair, [sample(100), sample(100)]);
        let mut alone = [sample(3)];
        equalise(&mut alone);
        assert_eq!(alone, [sample(3)]);
    }

    proptest! {
        #[test]
        fn sizes_are_equal_and_the_coded_picture_is_untouched(sizes in prop::collection::vec(0usize..4000, 2..4)) {
            let before: Vec<_> = sizes.iter().map(|size| sample(*size)).collect();
            let mut after = before.clone();
            equalise(&mut after);
            let longest = before.iter().map(Bytes::len).max().unwrap();
            for (before, after) in before.iter().zip(&after) {
                prop_assert_eq!(after.len(), after.len().max(longest));
                prop_assert_eq!(after.len(), after.len().min(longest + LEAST));
                let units = units(after);
                let (slice, padding) = units.split_last().unwrap();
                prop_assert_eq!(&before[4..], *slice);
                padding.iter().for_each(|unit| { user_data(unit); });
            }
            prop_assert!(after.windows(2).all(|pair| pair[0].len() == pair[1].len()));
        }
    }
}
