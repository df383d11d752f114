//! The boxes that carry time in media: `moof` and `prft`.

use super::boxes::Box4;
use super::{Error, FourCc};

/// What a `moof` says, as far as packaging needs it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fragment {
    /// `tfhd.track_ID`.
    pub track_id: u32,
    /// `tfdt`: decode time of the first sample in the track's timescale.
    pub decode_time: u64,
    /// Number of samples.
    pub samples: u64,
    /// Sum of the durations that the fragment names itself.
    named_duration: u64,
    /// Number of samples that take the duration of the init segment's `trex`.
    unnamed_durations: u64,
    /// Flags of the first sample; absent when they are those of `trex`.
    first_flags: Option<u32>,
    /// Sum of the sample sizes, when the fragment names them all.
    pub size: Option<u64>,
    /// Size of the first sample in bytes; absent when it is that of `trex`.
    pub first_sample_size: Option<u32>,
    /// Smallest composition offset of a sample, in ticks: presentation begins at `decode_time` plus this.
    pub first_offset: i64,
    /// `tfdt` has 32 bits, and its time comes round again: see [`unwrap`](super::unwrap).
    pub narrow: bool,
    /// Where the first sample's bytes begin, counted from the `moof`, when the fragment says so.
    pub(super) data_offset: Option<i32>,
}

impl Fragment {
    /// Duration in the track's timescale, given the default of the init segment's `trex`.
    pub fn duration(&self, default: u32) -> u64 {
        self.named_duration
            .saturating_add(self.unnamed_durations.saturating_mul(u64::from(default)))
    }

    /// Whether decoding can start at the first sample, given the default flags of the init segment's `trex`.
    pub fn starts_with_sync(&self, default_flags: u32) -> bool {
        self.first_flags.unwrap_or(default_flags) & NON_SYNC == 0
    }
}

/// `sample_is_non_sync_sample` (ISO/IEC 14496-12 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// A producer reference time box (ISO/IEC 14496-12 8.16.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Prft {
    /// Flags: 0 encoder input … 24 captured.
    pub flags: u32,
    /// Wall time in nanoseconds since 1970.
    pub unix_nanos: i64,
    /// Media time that the wall time belongs to. Negative for primed audio: it is stored as two's complement.
    pub media_time: i64,
}

pub(super) fn prft(found: &Box4<'_>) -> Result<Prft, Error> {
    let version = found.version()?;
    let flags = found.flags()?;
    let ntp = found.u64(16)?;
    let media_time = if version == 0 {
        i64::from(found.u32(24)?)
    } else {
        found.u64(24)?.cast_signed()
    };
    let nanos = (i128::from(ntp) * 1_000_000_000) >> 32;
    let unix_nanos = i64::try_from(nanos - 2_208_988_800_000_000_000).unwrap_or(0);
    Ok(Prft {
        flags,
        unix_nanos,
        media_time,
    })
}

pub(super) fn moof(found: &Box4<'_>) -> Result<Fragment, Error> {
    let mut fragment = None;
    let mut count = 0_u32;
    for child in found.children(8) {
        let child = child?;
        if &child.name == b"traf" {
            count += 1;
            fragment = Some(traf(&child)?);
        }
    }
    match (fragment, count) {
        (Some(fragment), 1) => Ok(fragment),
        (Some(_), count) => Err(Error::Muxed {
            name: FourCc(found.name),
            at: found.at,
            count,
        }),
        (None, _) => Err(found.error("it has no track fragment (traf)")),
    }
}

fn traf(found: &Box4<'_>) -> Result<Fragment, Error> {
    let mut fragment = Fragment {
        size: Some(0),
        ..Fragment::default()
    };
    let mut defaults = Defaults::default();
    let mut has_time = false;
    for child in found.children(8) {
        let child = child?;
        match &child.name {
            b"tfhd" => defaults = tfhd(&child, &mut fragment)?,
            b"tfdt" => {
                has_time = true;
                fragment.narrow = child.version()? == 0;
                fragment.decode_time = if fragment.narrow {
                    u64::from(child.u32(12)?)
                } else {
                    child.u64(12)?
                };
            }
            b"trun" => trun(&child, &defaults, &mut fragment)?,
            _ => {}
        }
    }
    if fragment.track_id == 0 {
        return Err(found.error("it has no track fragment header (tfhd)"));
    }
    if !has_time {
        return Err(found.error("it has no decode time (tfdt)"));
    }
    // 2^62 ticks are 1,600 years at 90 kHz; sums of such times stay inside an i64.
    if fragment.decode_time > 1 << 62 {
        return Err(found.error("its decode time (tfdt) is beyond any date"));
    }
    Ok(fragment)
}

#[derive(Default)]
struct Defaults {
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
}

fn tfhd(found: &Box4<'_>, fragment: &mut Fragment) -> Result<Defaults, Error> {
    let flags = found.flags()?;
    fragment.track_id = found.u32(12)?;
    let mut at = 16;
    at += if flags & 0x1 != 0 { 8 } else { 0 };
    at += if flags & 0x2 != 0 { 4 } else { 0 };
    let mut next = |bit| -> Result<Option<u32>, Error> {
        if flags & bit == 0 {
            return Ok(None);
        }
        let value = found.u32(at)?;
        at += 4;
        Ok(Some(value))
    };
    Ok(Defaults {
        duration: next(0x8)?,
        size: next(0x10)?,
        flags: next(0x20)?,
    })
}

fn trun(found: &Box4<'_>, defaults: &Defaults, fragment: &mut Fragment) -> Result<(), Error> {
    let flags = found.flags()?;
    let count = found.u32(12)?;
    let mut at = 16;
    at += if flags & 0x1 != 0 { 4 } else { 0 };
    if flags & 0x1 != 0 && fragment.samples == 0 {
        fragment.data_offset = Some(found.u32(16)?.cast_signed());
    }
    let mut first_flags = None;
    if flags & 0x4 != 0 {
        first_flags = Some(found.u32(at)?);
        at += 4;
    }
    let stride = 4 * (flags & 0xf00).count_ones() as usize;
    let table = found.rest(at);
    if (table.len() as u64) < u64::from(count) * stride as u64 {
        return Err(found.error("it names more samples than it holds"));
    }
    let duration_at = (flags & 0x100 != 0).then_some(0);
    let size_at = (flags & 0x200 != 0).then_some(if flags & 0x100 != 0 { 4 } else { 0 });
    let flags_at = (flags & 0x400 != 0).then_some(4 * (flags & 0x300).count_ones() as usize);
    let offset_at = (flags & 0x800 != 0).then_some(4 * (flags & 0x700).count_ones() as usize);
    let signed = found.version()? != 0;
    let field = |entry: &[u8], at: usize| {
        entry
            .get(at..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map_or(0, |b| u32::from_be_bytes(*b))
    };
    if fragment.samples == 0 && count > 0 {
        let in_table = flags_at
            .and_then(|at| table.get(at..))
            .map(|entry| field(entry, 0));
        fragment.first_flags = first_flags.or(in_table).or(defaults.flags);
        let in_table = size_at
            .and_then(|at| table.get(at..))
            .map(|entry| field(entry, 0));
        fragment.first_sample_size = in_table.or(defaults.size);
        fragment.first_offset = if offset_at.is_some() { i64::MAX } else { 0 };
    }
    fragment.samples = fragment.samples.saturating_add(u64::from(count));
    if stride > 0 {
        for entry in table.chunks_exact(stride).take(count as usize) {
            if let Some(at) = duration_at {
                fragment.named_duration += u64::from(field(entry, at));
            }
            if let (Some(at), Some(size)) = (size_at, fragment.size.as_mut()) {
                *size += u64::from(field(entry, at));
            }
            if let Some(at) = offset_at {
                let offset = field(entry, at);
                let offset = if signed {
                    i64::from(offset.cast_signed())
                } else {
                    i64::from(offset)
                };
                fragment.first_offset = fragment.first_offset.min(offset);
            }
        }
    }
    if duration_at.is_none() {
        match defaults.duration {
            Some(each) => {
                let sum = u64::from(count) * u64::from(each);
                fragment.named_duration = fragment.named_duration.saturating_add(sum);
            }
            None => fragment.unnamed_durations += u64::from(count),
        }
    }
    if size_at.is_none() {
        fragment.size = fragment
            .size
            .zip(defaults.size)
            .map(|(sum, each)| sum.saturating_add(u64::from(count) * u64::from(each)));
    }
    Ok(())
}
