//! One CMAF chunk to bytes.

use bytes::Bytes;
use mp4_atom::{Encode, Mfhd, Moof, Prft, ReferenceTime, Styp, Tfdt, Tfhd, Traf, Trun, TrunEntry};

use selvedge_watermark::pace::PaceInfo;

use super::{CmafError, EventMessage, Sample, box_error};
use crate::clock::TrackGrid;

/// Where in its segment, and in its stream, a chunk stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boundary {
    /// Inside a segment.
    Inside,
    /// First of a segment.
    Segment,
    /// First of the stream's last segment.
    LastSegment,
    /// Last chunk of a stream whose end was not known when its segment began: the chunk has a `styp` of its own, as
    /// ISO/IEC 23000-19 7.3.3.2 allows, to carry the brand that says so.
    LastChunk,
}

/// Writes the chunks of one track: `[styp [wmpi]] [prft] [emsg…] moof mdat`, always track 1 of its own file.
#[derive(Clone, Copy, Debug)]
pub struct ChunkWriter {
    grid: TrackGrid,
    has_clock: bool,
}

/// Sample flags of a sync sample that depends on no other (ISO/IEC 14496-12, 8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// Sample flags of a sample that depends on others and is no sync sample.
const NON_SYNC: u32 = 0x0101_0000;

impl ChunkWriter {
    /// A writer for a track on a grid.
    #[must_use]
    pub const fn new(grid: TrackGrid) -> Self {
        Self {
            grid,
            has_clock: true,
        }
    }

    /// A writer of chunks without `prft`, for media that was not captured when it is played.
    #[must_use]
    pub const fn without_clock(grid: TrackGrid) -> Self {
        Self {
            grid,
            has_clock: false,
        }
    }

    /// Writes consecutive samples as one chunk, with event messages in front of it, and with pace information where a
    /// segment begins that has some of its own. The `prft` carries the capture time of the first one, flags 24: the
    /// media and the clock run at the same rate and the time is that of capture (ISO/IEC 14496-12, 8.16.5).
    ///
    /// # Errors
    /// When a box cannot be written or the chunk exceeds 32 bits of size.
    pub fn write(
        &self,
        samples: &[Sample],
        events: &[EventMessage],
        boundary: Boundary,
        pace: Option<PaceInfo>,
    ) -> Result<Bytes, CmafError> {
        let Some(first) = samples.first() else {
            return Ok(Bytes::new());
        };
        let media: usize = samples.iter().map(|sample| sample.data.len()).sum();
        let mut out = Vec::with_capacity(media + 256 + 8 * samples.len());
        if let Some(styp) = styp(boundary) {
            styp.encode(&mut out).map_err(box_error("write styp"))?;
            if let Some(pace) = pace {
                out.extend_from_slice(&pace.to_box());
            }
        }
        if self.has_clock {
            let prft = Prft {
                reference_track_id: 1,
                ntp_timestamp: first.captured.to_ntp(),
                media_time: self.grid.decode_time(first.index),
                utc_time_semantics: ReferenceTime::RealTime,
            };
            prft.encode(&mut out).map_err(box_error("write prft"))?;
        }
        for event in events {
            event.to_box().encode(&mut out).map_err(box_error("write emsg"))?;
        }

        // The offset of the media counts from the moof's first byte, so the moof has to be measured first.
        let mut moof = Vec::new();
        self.moof(samples, 0)?
            .encode(&mut moof)
            .map_err(box_error("write moof"))?;
        let offset = i32::try_from(moof.len() + 8).map_err(|_| CmafError::TooLarge(moof.len()))?;
        self.moof(samples, offset)?
            .encode(&mut out)
            .map_err(box_error("write moof"))?;

        let mdat = u32::try_from(media + 8).map_err(|_| CmafError::TooLarge(media))?;
        out.extend_from_slice(&mdat.to_be_bytes());
        out.extend_from_slice(b"mdat");
        for sample in samples {
            out.extend_from_slice(&sample.data);
        }
        Ok(out.into())
    }

    fn moof(&self, samples: &[Sample], data_offset: i32) -> Result<Moof, CmafError> {
        let first = samples.first();
        let index = first.map_or(0, |sample| sample.index);
        let default_flags = match self.grid {
            TrackGrid::Video(_) => NON_SYNC,
            TrackGrid::Audio(_) => SYNC,
        };
        let flags = |sample: &Sample| if sample.key { SYNC } else { NON_SYNC };
        // A sync sample anywhere but in front would need flags on every sample; sound has them all alike.
        let explicit = samples
            .iter()
            .skip(1)
            .any(|sample| flags(sample) != default_flags);
        let entries = samples
            .iter()
            .enumerate()
            .map(|(place, sample)| {
                let size =
                    u32::try_from(sample.data.len()).map_err(|_| CmafError::TooLarge(sample.data.len()))?;
                let named = explicit || place == 0 && flags(sample) != default_flags;
                Ok(TrunEntry {
                    size: Some(size),
                    flags: named.then(|| flags(sample)),
                    ..TrunEntry::default()
                })
            })
            .collect::<Result<Vec<_>, CmafError>>()?;
        let tfhd = Tfhd {
            track_id: 1,
            default_sample_duration: Some(self.grid.sample_ticks()),
            default_sample_flags: Some(default_flags),
            default_base_is_moof: true,
            ..Tfhd::default()
        };
        let traf = Traf {
            tfhd,
            tfdt: Some(Tfdt {
                base_media_decode_time: self.grid.decode_time(index),
            }),
            trun: vec![Trun {
                data_offset: Some(data_offset),
                samples: entries.into(),
            }],
            ..Traf::default()
        };
        // The first sample's number on the grid, modulo 2^32: rises with each chunk, also across a restart and a splice.
        let sequence_number = index as u32;
        Ok(Moof {
            mfhd: Mfhd { sequence_number },
            traf: vec![traf],
        })
    }
}

fn styp(boundary: Boundary) -> Option<Styp> {
    let brands: &[&[u8; 4]] = match boundary {
        Boundary::Inside => return None,
        Boundary::Segment => &[b"cmfs", b"cmff", b"cmfl", b"msdh"],
        Boundary::LastSegment => &[b"cmfs", b"cmff", b"cmfl", b"msdh", b"lmsg"],
        Boundary::LastChunk => &[b"cmfl", b"lmsg"],
    };
    let compatible_brands: Vec<mp4_atom::FourCC> = brands.iter().map(|brand| (*brand).into()).collect();
    let major_brand = *compatible_brands.first()?;
    Some(Styp {
        major_brand,
        minor_version: 0,
        compatible_brands,
    })
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Any, Decode};
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Grid, Utc};

    fn boxes(mut bytes: &[u8]) -> Vec<Any> {
        let mut boxes = Vec::new();
        while !bytes.is_empty() {
            boxes.push(Any::decode(&mut bytes).unwrap());
        }
        boxes
    }

    fn video(index: u64, sizes: &[usize], key: bool) -> Vec<Sample> {
        let sample = |(place, size): (usize, &usize)| Sample {
            index: index + place as u64,
            data: vec![place as u8; *size].into(),
            key: key && place == 0,
            captured: Utc::from_millis(1_700_000_000_000 + place as u64 * 40),
        };
        sizes.iter().enumerate().map(sample).collect()
    }

    proptest! {
        #[test]
        fn chunk_reads_back_as_written(
            chunk in 0u64..1 << 33,
            sizes in prop::collection::vec(0usize..3000, 1..20),
            key: bool,
        ) {
            let grid = TrackGrid::Video(Grid::with_default_cadence(25).unwrap());
            let index = chunk * 8;
            let samples = video(index, &sizes, key);
            let bytes = ChunkWriter::new(grid).write(&samples, &[], Boundary::Segment, None).unwrap();
            let boxes = boxes(&bytes);
            let [Any::Styp(styp), Any::Prft(prft), Any::Moof(moof), Any::Mdat(mdat)] = &boxes[..] else {
                panic!("{boxes:?}")
            };
            prop_assert_eq!(styp.major_brand, b"cmfs".into());
            prop_assert_eq!(prft.media_time, index * 3600);
            prop_assert_eq!(prft.ntp_timestamp, samples[0].captured.to_ntp());
            prop_assert_eq!(&prft.utc_time_semantics, &ReferenceTime::RealTime);
            prop_assert_eq!(moof.mfhd.sequence_number, index as u32);
            let traf = &moof.traf[0];
            prop_assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, index * 3600);
            prop_assert_eq!(traf.tfhd.default_sample_duration, Some(3600));
            let trun = &traf.trun[0];
            prop_assert_eq!(trun.samples.len(), sizes.len());
            for (entry, size) in trun.samples.iter().zip(&sizes) {
                prop_assert_eq!(entry.size, Some(*size as u32));
            }
            let moof_at = bytes.windows(4).position(|kind| kind == b"moof").unwrap() - 4;
            let media = &bytes[moof_at + trun.data_offset.unwrap() as usize..];
            prop_assert_eq!(media, &mdat.data[..]);
            prop_assert_eq!(&mdat.data[..], samples.iter().flat_map(|s| s.data.to_vec()).collect::<Vec<_>>());
            prop_assert_eq!(trun.samples.get(0).unwrap().flags, key.then_some(SYNC));
        }
    }

    #[test]
    fn prft_has_flags_24_in_the_bytes() {
        let grid = TrackGrid::Audio(Grid::with_default_cadence(25).unwrap());
        let bytes = ChunkWriter::new(grid)
            .write(&video(90, &[10], true), &[], Boundary::Inside, None)
            .unwrap();
        assert_eq!(&bytes[4..12], b"prft\x00\x00\x00\x18");
    }

    #[test]
    fn events_stand_between_the_clock_and_the_media() {
        let grid = TrackGrid::Video(Grid::with_default_cadence(25).unwrap());
        let event = EventMessage {
            time: 1_700_000_000 * 90_000,
            duration: None,
            id: 7,
            section: Bytes::from_static(b"\xfc0"),
        };
        let bytes = ChunkWriter::new(grid)
            .write(
                &video(48, &[9], true),
                std::slice::from_ref(&event),
                Boundary::Inside,
                None,
            )
            .unwrap();
        let boxes = boxes(&bytes);
        let [Any::Prft(_), Any::Emsg(emsg), Any::Moof(_), Any::Mdat(_)] = &boxes[..] else {
            panic!("{boxes:?}")
        };
        assert_eq!(emsg, &event.to_box());
        assert_eq!(
            (emsg.scheme_id_uri.as_str(), &emsg.message_data[..]),
            ("urn:scte:scte35:2013:bin", &b"\xfc0"[..])
        );
        assert!(
            ChunkWriter::without_clock(grid)
                .write(&video(48, &[9], true), &[], Boundary::Inside, None)
                .unwrap()
                .get(4..8)
                .is_some_and(|kind| kind == b"moof")
        );
    }

    #[test]
    fn only_the_stream_end_has_the_last_message_brand() {
        let grid = TrackGrid::Video(Grid::with_default_cadence(25).unwrap());
        let last = |boundary| {
            let bytes = ChunkWriter::new(grid)
                .write(&video(48, &[9], true), &[], boundary, None)
                .unwrap();
            bytes.windows(4).any(|brand| brand == b"lmsg")
        };
        assert!(!last(Boundary::Inside) && !last(Boundary::Segment));
        assert!(last(Boundary::LastSegment) && last(Boundary::LastChunk));
    }
}
