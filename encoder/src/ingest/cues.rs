//! The splice information sections of a transport stream.
//!
//! FFmpeg gives the sections of a PID whose stream type is 0x86, where the programme's map says `CUEI`, as packets of the
//! codec `scte_35`. A packet's own time is that of its arrival; when the splice is stands in the section, on the clock of
//! the pictures (SCTE 35 9.6.1), modulo 2^33.

use bytes::Bytes;
use ffmpeg_next::{Packet, codec, format};
use selvedge_breaks::{
    Openers, Pts, Signal,
    scte35::{Command, Section},
    signal::Time,
};

/// A section, and when its splice is in the time of the input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cue {
    pub(super) section: Bytes,
    /// In nanoseconds of the input's time; none where it is at once.
    pub(super) time: Option<i64>,
}

/// The streams of sections in an input, and how far its pictures have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Cues {
    streams: Vec<usize>,
    /// Time of the newest packet of pictures, in ticks of 90 kHz and in nanoseconds.
    reference: Option<(i64, i64)>,
}

impl Cues {
    pub(super) fn of(input: &format::context::Input) -> Self {
        let streams = input.streams();
        let is_cue = |stream: &ffmpeg_next::Stream<'_>| stream.parameters().id() == codec::Id::SCTE_35;
        Self {
            streams: streams.filter(is_cue).map(|stream| stream.index()).collect(),
            reference: None,
        }
    }

    pub(super) const fn is_none(&self) -> bool {
        self.streams.is_empty()
    }

    /// Takes note of a packet of pictures at so many nanoseconds.
    pub(super) const fn pictures_at(&mut self, nanos: i64) {
        let ticks = (nanos as i128 * 9 + 50_000) / 100_000;
        self.reference = Some((ticks as i64, nanos));
    }

    /// What a packet says of a splice, where it is one of theirs.
    pub(super) fn read(&self, packet: &Packet) -> Option<Cue> {
        if !self.streams.contains(&packet.stream()) {
            return None;
        }
        let bytes = packet.data()?;
        // The packet may be filled up behind the section.
        let length = Section::length_of(bytes)?;
        let bytes = bytes.get(..length)?;
        let section = Section::decode(bytes)
            .inspect_err(|error| tracing::warn!(%error, "a section of the input cannot be read"))
            .ok()?;
        let time = time_of(&section).and_then(|pts| {
            let (ticks, nanos) = self.reference?;
            let ahead = pts.since(Pts::new(ticks.rem_euclid(1 << 33).unsigned_abs()));
            Some(nanos + (i128::from(ahead) * 100_000 / 9) as i64)
        });
        Some(Cue {
            section: Bytes::copy_from_slice(bytes),
            time,
        })
    }
}

/// When the splice of a section is, on its feed's clock.
fn time_of(section: &Section) -> Option<Pts> {
    if let Some(Command::TimeSignal(time)) = section.command() {
        return time.map(|time| section.effective(time));
    }
    let signals = Signal::read(section, Openers::default()).ok()?;
    match Signal::leading(&signals)?.time {
        Time::At(pts) => Some(pts),
        Time::Immediate | Time::Gps(_) => None,
    }
}
