//! The samples of a fragment, one by one: for what is not on the way of every chunk.

use std::ops::Range;

use super::boxes::{self, Box4};
use super::{Chunk, Init};

/// One sample of a chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Where its bytes stand in the chunk's.
    pub bytes: Range<usize>,
    /// When it is presented, in ticks of media time.
    pub time: i64,
    /// How long it lasts, in ticks.
    pub duration: u64,
}

/// A walk over the samples of a chunk with one track fragment.
#[derive(Debug, Default)]
pub struct Samples {
    rest: std::vec::IntoIter<Sample>,
}

impl Samples {
    /// The samples of `chunk`, as far as its boxes name them; at most 4096.
    pub fn of(chunk: &Chunk, init: &Init) -> Self {
        let defaults = Defaults {
            duration: init.default_duration,
            size: init.default_size,
        };
        let mut moof_at = 0;
        for found in boxes::walk(&chunk.bytes).map_while(Result::ok) {
            if &found.name == b"moof" {
                let runs = Runs::read(
                    &found,
                    chunk.fragment.track_id,
                    defaults,
                    chunk.fragment.decode_time,
                );
                let samples = runs
                    .map(|runs| runs.place(moof_at, chunk.data_at, chunk.bytes.len()))
                    .unwrap_or_default();
                return Self {
                    rest: samples.into_iter(),
                };
            }
            moof_at += found.bytes.len();
        }
        Self::default()
    }
}

impl Iterator for Samples {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        self.rest.next()
    }
}

/// What samples have that their fragment says nothing of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
}

/// The runs of one track fragment, before it is known where their bytes are.
#[derive(Debug, Default)]
struct Runs {
    /// For each run its data offset, and its samples.
    runs: Vec<(Option<i32>, Vec<Unplaced>)>,
}

/// Size, presentation time and duration of a sample.
type Unplaced = (u32, i64, u64);

impl Runs {
    fn read(moof: &Box4<'_>, track: u32, mut defaults: Defaults, start: u64) -> Option<Self> {
        let mut runs = Self::default();
        let mut decode = start.cast_signed();
        let mut count = 0;
        let trafs = moof.children(8).map_while(Result::ok);
        for traf in trafs.filter(|child| &child.name == b"traf") {
            for child in traf.children(8).map_while(Result::ok) {
                match &child.name {
                    b"tfhd" => {
                        if child.u32(12).ok()? != track {
                            break;
                        }
                        let flags = child.flags().ok()?;
                        let mut at =
                            16 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
                        if flags & 0x8 != 0 {
                            defaults.duration = child.u32(at).ok()?;
                            at += 4;
                        }
                        if flags & 0x10 != 0 {
                            defaults.size = child.u32(at).ok()?;
                        }
                    }
                    b"trun" => {
                        let flags = child.flags().ok()?;
                        let signed = child.version().ok()? != 0;
                        let named = child.u32(12).ok()? as usize;
                        let mut at = 16;
                        let offset = if flags & 1 != 0 {
                            at += 4;
                            Some(child.u32(16).ok()?.cast_signed())
                        } else {
                            None
                        };
                        at += if flags & 4 != 0 { 4 } else { 0 };
                        let stride = 4 * (flags & 0xf00).count_ones() as usize;
                        let mut samples = Vec::new();
                        for index in 0..named {
                            count += 1;
                            if count > MAX_SAMPLES {
                                return Some(runs);
                            }
                            let mut at = at + index * stride;
                            let mut field = |bit: u32| -> Option<Option<u32>> {
                                if flags & bit == 0 {
                                    return Some(None);
                                }
                                let value = child.u32(at).ok()?;
                                at += 4;
                                Some(Some(value))
                            };
                            let duration = u64::from(field(0x100)?.unwrap_or(defaults.duration));
                            let size = field(0x200)?.unwrap_or(defaults.size);
                            field(0x400)?;
                            let composition = match field(0x800)? {
                                Some(offset) if signed => i64::from(offset.cast_signed()),
                                Some(offset) => i64::from(offset),
                                None => 0,
                            };
                            samples.push((size, decode.saturating_add(composition), duration));
                            decode = decode.saturating_add(duration.cast_signed());
                        }
                        runs.runs.push((offset, samples));
                    }
                    _ => {}
                }
            }
        }
        Some(runs)
    }

    fn place(self, moof_at: usize, data_at: usize, end: usize) -> Vec<Sample> {
        let mut at = data_at;
        let mut placed = Vec::new();
        for (offset, samples) in self.runs {
            if let Some(from_moof) = offset.and_then(|offset| usize::try_from(offset).ok()) {
                at = moof_at.saturating_add(from_moof);
            }
            for (size, time, duration) in samples {
                let until = at.saturating_add(size as usize);
                if until > end {
                    return placed;
                }
                placed.push(Sample {
                    bytes: at..until,
                    time,
                    duration,
                });
                at = until;
            }
        }
        placed
    }
}

/// Samples that are read of one chunk.
const MAX_SAMPLES: usize = 4096;
