//! The epoch frame grid: pure arithmetic between UTC, frame numbers, media times and segment numbers.
//!
//! Frame `N` of every channel is the frame whose capture time is `N / fps` seconds after 1970-01-01T00:00:00Z. Media
//! time, chunk and segment numbers follow from `N` alone, so two encoders with one source make interchangeable
//! segments, and a restarted encoder continues the numbering of the one before it.
//!
//! An AAC frame is 1024 samples at 48 kHz. Segments must hold a whole number of both video and AAC frames, else the two
//! tracks could not be cut at the same instant; [`Grid::new`] refuses any other length.

use std::time::Duration;

/// Ticks of a video track's timescale in one second.
pub const VIDEO_TIMESCALE: u32 = 90_000;
/// Samples in one second of sound, and ticks of an audio track's timescale.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in one AAC-LC frame (ISO/IEC 14496-3, 4.5.2.1.1).
pub const AAC_FRAME: u32 = 1024;
/// Frame rates, in frames per second, for which a default cadence is known.
pub const FRAME_RATES: [u32; 5] = [24, 25, 30, 50, 60];

const NANOS: u128 = 1_000_000_000;
/// Seconds between the NTP epoch (1900) and the Unix epoch (1970), RFC 5905 figure 4.
const NTP_OFFSET: u64 = 2_208_988_800;

/// An instant of UTC, in nanoseconds since 1970-01-01T00:00:00Z without leap seconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Utc(pub u64);

impl Utc {
    /// The instant of so many whole milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The instant as a 64-bit NTP timestamp (RFC 5905, 6): seconds since 1900 and a 32-bit fraction.
    #[must_use]
    pub fn to_ntp(self) -> u64 {
        let seconds = self.0 / 1_000_000_000 + NTP_OFFSET;
        let fraction = (u128::from(self.0 % 1_000_000_000) << 32) / NANOS;
        (seconds << 32) | fraction as u64
    }

    /// The instant so much later; stops at the last representable one.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How much later this instant is than `earlier`; zero when it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Hours, minutes, seconds and milliseconds of the UTC day.
    #[must_use]
    pub const fn time_of_day(self) -> (u32, u32, u32, u32) {
        let millis = (self.as_millis() % 86_400_000) as u32;
        (
            millis / 3_600_000,
            millis / 60_000 % 60,
            millis / 1000 % 60,
            millis % 1000,
        )
    }

    /// Year, month (1 to 12) and day (1 to 31) of the UTC date, in the proleptic Gregorian calendar.
    #[must_use]
    pub const fn date(self) -> (u32, u32, u32) {
        // Days are counted from 0000-03-01, so that the leap day is the last day of a year of 365 or 366 days.
        let days = self.0 / 86_400_000_000_000 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
        let year = (year_of_era + era * 400) as u32 + (month <= 2) as u32;
        (year, month, day)
    }
}

/// Why a cadence is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GridError {
    /// The frame rate has no cadence that aligns with AAC.
    #[error("{0} frames a second have no cadence that aligns with sound; use one of 24, 25, 30, 50 or 60")]
    FrameRate(u32),
    /// A segment does not hold a whole number of AAC frames.
    #[error(
        "segments of {frames} frames at {fps} frames a second cannot be cut together with sound; use a multiple of {step}"
    )]
    Unaligned {
        /// The refused number of video frames in a segment.
        frames: u32,
        /// The frame rate.
        fps: u32,
        /// The smallest number of video frames that takes as long as a whole number of AAC frames.
        step: u32,
    },
    /// A segment does not hold a whole number of chunks.
    #[error("chunks of {chunk} frames do not divide segments of {segment} frames")]
    Chunk {
        /// The refused number of video frames in a chunk.
        chunk: u32,
        /// The number of video frames in a segment.
        segment: u32,
    },
}

/// The epoch grid of one channel: frame rate, frames in a segment and frames in a chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grid {
    fps: u32,
    segment: u32,
    chunk: u32,
}

impl Grid {
    /// A grid with the default cadence of a frame rate: 1.92 s and 0.32 s at 25 and 50 frames a second, 1.6 s and
    /// 0.533 s at 30 and 60, 2.667 s and 0.333 s at 24.
    ///
    /// # Errors
    /// [`GridError::FrameRate`] for a rate outside [`FRAME_RATES`].
    pub fn with_default_cadence(fps: u32) -> Result<Self, GridError> {
        let (segment, chunk) = match fps {
            24 => (64, 8),
            25 => (48, 8),
            30 => (48, 16),
            50 => (96, 16),
            60 => (96, 32),
            other => return Err(GridError::FrameRate(other)),
        };
        Self::new(fps, segment, chunk)
    }

    /// A grid of `segment` video frames a segment and `chunk` video frames a chunk.
    ///
    /// # Errors
    /// When the rate is not one of [`FRAME_RATES`], a segment is not a whole number of AAC frames long, or chunks do
    /// not divide segments.
    pub fn new(fps: u32, segment: u32, chunk: u32) -> Result<Self, GridError> {
        if !FRAME_RATES.contains(&fps) {
            return Err(GridError::FrameRate(fps));
        }
        let step = AAC_FRAME / gcd(SAMPLE_RATE / fps, AAC_FRAME);
        if segment == 0 || !segment.is_multiple_of(step) {
            return Err(GridError::Unaligned {
                frames: segment,
                fps,
                step,
            });
        }
        if chunk == 0 || !segment.is_multiple_of(chunk) {
            return Err(GridError::Chunk { chunk, segment });
        }
        Ok(Self { fps, segment, chunk })
    }

    /// Video frames in a second.
    #[must_use]
    pub const fn fps(&self) -> u32 {
        self.fps
    }

    /// Video frames in a segment.
    #[must_use]
    pub const fn segment_frames(&self) -> u32 {
        self.segment
    }

    /// Video frames in a chunk.
    #[must_use]
    pub const fn chunk_frames(&self) -> u32 {
        self.chunk
    }

    /// AAC frames in a segment.
    #[must_use]
    pub const fn segment_aac_frames(&self) -> u32 {
        self.segment * (SAMPLE_RATE / self.fps) / AAC_FRAME
    }

    /// How long a segment lasts.
    #[must_use]
    pub fn segment_duration(&self) -> Duration {
        self.time(u64::from(self.segment)).since(Utc(0))
    }

    /// The instant of a frame.
    #[must_use]
    pub fn time(&self, frame: u64) -> Utc {
        // Rounded up, so that `frame_at(time(n)) == n` for every rate.
        Utc((u128::from(frame) * NANOS).div_ceil(u128::from(self.fps)) as u64)
    }

    /// The frame that is on air at an instant: the last one that is not later.
    #[must_use]
    pub fn frame_at(&self, at: Utc) -> u64 {
        (u128::from(at.0) * u128::from(self.fps) / NANOS) as u64
    }

    /// Decode time of a video frame in [`VIDEO_TIMESCALE`].
    #[must_use]
    pub const fn video_time(&self, frame: u64) -> u64 {
        frame * self.frame_ticks() as u64
    }

    /// Length of one video frame in [`VIDEO_TIMESCALE`].
    #[must_use]
    pub const fn frame_ticks(&self) -> u32 {
        VIDEO_TIMESCALE / self.fps
    }

    /// Number of the segment that a video frame belongs to.
    #[must_use]
    pub const fn segment_of(&self, frame: u64) -> u64 {
        frame / self.segment as u64
    }

    /// First video frame of a segment.
    #[must_use]
    pub const fn segment_start(&self, segment: u64) -> u64 {
        segment * self.segment as u64
    }

    /// Whether a video frame is the first of its segment, and so an IDR.
    #[must_use]
    pub const fn is_segment_start(&self, frame: u64) -> bool {
        frame.is_multiple_of(self.segment as u64)
    }

    /// The first chunk boundary, as a video frame, that is not before `frame`.
    #[must_use]
    pub const fn chunk_end(&self, frame: u64) -> u64 {
        frame.div_ceil(self.chunk as u64) * self.chunk as u64
    }

    /// First sample of sound of a video frame, in samples since 1970.
    #[must_use]
    pub const fn sample_of(&self, frame: u64) -> u64 {
        frame * (SAMPLE_RATE / self.fps) as u64
    }

    /// First AAC frame that starts no earlier than a video frame. Exact at every segment boundary.
    #[must_use]
    pub const fn aac_frame_of(&self, frame: u64) -> u64 {
        self.sample_of(frame).div_ceil(AAC_FRAME as u64)
    }

    /// Decode time of an AAC frame in samples.
    #[must_use]
    pub const fn audio_time(aac_frame: u64) -> u64 {
        aac_frame * AAC_FRAME as u64
    }

    /// The instant of a sample of sound.
    #[must_use]
    pub const fn sample_time(sample: u64) -> Utc {
        Utc((sample as u128 * NANOS / SAMPLE_RATE as u128) as u64)
    }
}

/// How one track counts its samples on a [`Grid`]: the segmenter sees only this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrackGrid {
    /// Samples are video frames.
    Video(Grid),
    /// Samples are AAC frames.
    Audio(Grid),
}

impl TrackGrid {
    /// The channel's grid.
    #[must_use]
    pub const fn grid(&self) -> &Grid {
        match self {
            Self::Video(grid) | Self::Audio(grid) => grid,
        }
    }

    /// First sample of a video frame's instant.
    #[must_use]
    pub const fn sample_of_frame(&self, frame: u64) -> u64 {
        match self {
            Self::Video(_) => frame,
            Self::Audio(grid) => grid.aac_frame_of(frame),
        }
    }

    /// The sample that starts nearest to a video frame's instant.
    #[must_use]
    pub const fn nearest_sample(&self, frame: u64) -> u64 {
        match self {
            Self::Video(_) => frame,
            Self::Audio(grid) => (grid.sample_of(frame) + AAC_FRAME as u64 / 2) / AAC_FRAME as u64,
        }
    }

    /// The video frame that is shown when a sample starts.
    #[must_use]
    pub const fn frame_of(&self, sample: u64) -> u64 {
        match self {
            Self::Video(_) => sample,
            Self::Audio(grid) => Grid::audio_time(sample) / (SAMPLE_RATE / grid.fps) as u64,
        }
    }

    /// Number of the segment that a sample belongs to.
    #[must_use]
    pub const fn segment_of(&self, sample: u64) -> u64 {
        sample / self.samples_in_segment()
    }

    /// Samples in a segment.
    #[must_use]
    pub const fn samples_in_segment(&self) -> u64 {
        match self {
            Self::Video(grid) => grid.segment as u64,
            Self::Audio(grid) => grid.segment_aac_frames() as u64,
        }
    }

    /// First sample of a segment.
    #[must_use]
    pub const fn segment_start(&self, segment: u64) -> u64 {
        segment * self.samples_in_segment()
    }

    /// Decode time of a sample in the track's timescale.
    #[must_use]
    pub const fn decode_time(&self, sample: u64) -> u64 {
        match self {
            Self::Video(grid) => grid.video_time(sample),
            Self::Audio(_) => Grid::audio_time(sample),
        }
    }

    /// Length of one sample in the track's timescale.
    #[must_use]
    pub const fn sample_ticks(&self) -> u32 {
        match self {
            Self::Video(grid) => grid.frame_ticks(),
            Self::Audio(_) => AAC_FRAME,
        }
    }

    /// Ticks in one second.
    #[must_use]
    pub const fn timescale(&self) -> u32 {
        match self {
            Self::Video(_) => VIDEO_TIMESCALE,
            Self::Audio(_) => SAMPLE_RATE,
        }
    }
}

/// What a pacer asks for next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// The frame is due in so long.
    Wait(Duration),
    /// The frame is due now.
    Produce,
    /// The machine is too late: leave the frames before this one out and go on here.
    Skip {
        /// The frame that is on air now.
        to: u64,
    },
}

/// Decides which frame to make and when, so that the output never drifts off the grid.
///
/// A frame that is late by no more than the tolerance is made at once, which absorbs a scheduler's hiccups without loss;
/// beyond it the pacer jumps to the frame that is on air.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    grid: Grid,
    tolerance: u64,
}

impl Pacer {
    /// A pacer that tolerates a lateness of half a second.
    #[must_use]
    pub fn new(grid: Grid) -> Self {
        Self {
            grid,
            tolerance: u64::from(grid.fps / 2),
        }
    }

    /// What to do about `next` at the instant `now`.
    #[must_use]
    pub fn pace(&self, next: u64, now: Utc) -> Pace {
        let due = self.grid.time(next);
        if now < due {
            return Pace::Wait(due.since(now));
        }
        let on_air = self.grid.frame_at(now);
        if on_air > next + self.tolerance {
            Pace::Skip { to: on_air }
        } else {
            Pace::Produce
        }
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grids() -> impl Strategy<Value = Grid> {
        prop::sample::select(FRAME_RATES.to_vec()).prop_map(|fps| Grid::with_default_cadence(fps).unwrap())
    }

    #[test]
    fn default_cadences_last_what_the_design_says() {
        let millis = |fps| {
            let grid = Grid::with_default_cadence(fps).unwrap();
            let chunk = grid.time(u64::from(grid.chunk_frames())).as_millis();
            (
                grid.segment_duration().as_millis(),
                chunk,
                grid.segment_aac_frames(),
            )
        };
        assert_eq!(millis(25), (1920, 320, 90));
        assert_eq!(millis(50), (1920, 320, 90));
        assert_eq!(millis(30), (1600, 533, 75));
        assert_eq!(millis(60), (1600, 533, 75));
        assert_eq!(millis(24), (2666, 333, 125));
    }

    #[test]
    fn two_second_segments_are_refused_with_the_step_that_works() {
        let refused = Grid::new(25, 50, 10).unwrap_err();
        assert_eq!(
            refused,
            GridError::Unaligned {
                frames: 50,
                fps: 25,
                step: 8
            }
        );
        assert_eq!(
            Grid::new(25, 48, 7).unwrap_err(),
            GridError::Chunk {
                chunk: 7,
                segment: 48
            }
        );
        assert_eq!(
            Grid::with_default_cadence(23).unwrap_err(),
            GridError::FrameRate(23)
        );
        assert!(Grid::new(25, 0, 8).is_err() && Grid::new(25, 48, 0).is_err());
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(Utc(0).to_ntp(), NTP_OFFSET << 32);
        assert_eq!(
            Utc::from_millis(1500).to_ntp(),
            ((NTP_OFFSET + 1) << 32) | 0x8000_0000
        );
    }

    #[test]
    fn calendar_agrees_with_known_dates() {
        for (seconds, date) in [
            (0, (1970, 1, 1)),
            (951_782_400, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (1_735_689_599, (2024, 12, 31)),
            (1_735_689_600, (2025, 1, 1)),
            (4_107_542_400, (2100, 3, 1)),
        ] {
            assert_eq!(Utc::from_millis(seconds * 1000).date(), date);
        }
        assert_eq!(
            Utc::from_millis(951_782_400_000 + 45_296_789).time_of_day(),
            (12, 34, 56, 789)
        );
    }

    #[test]
    fn pacer_waits_produces_and_skips() {
        let grid = Grid::with_default_cadence(25).unwrap();
        let pacer = Pacer::new(grid);
        let due = grid.time(1000);
        assert_eq!(
            pacer.pace(1000, Utc(due.0 - 7)),
            Pace::Wait(Duration::from_nanos(7))
        );
        assert_eq!(pacer.pace(1000, due), Pace::Produce);
        assert_eq!(pacer.pace(1000, grid.time(1012)), Pace::Produce);
        assert_eq!(pacer.pace(1000, grid.time(1013)), Pace::Skip { to: 1013 });
    }

    proptest! {
        #[test]
        fn frame_at_inverts_time(grid in grids(), frame in 0u64..1 << 38) {
            prop_assert_eq!(grid.frame_at(grid.time(frame)), frame);
            prop_assert_eq!(grid.frame_at(Utc(grid.time(frame + 1).0 - 1)), frame);
        }

        #[test]
        fn decode_time_is_epoch_time(grid in grids(), frame in 0u64..1 << 38) {
            let seconds = grid.time(frame).0 as f64 / 1e9;
            let video = grid.video_time(frame) as f64 / f64::from(VIDEO_TIMESCALE);
            prop_assert!((seconds - video).abs() < 1e-5);
            prop_assert_eq!(grid.video_time(frame + 1) - grid.video_time(frame), u64::from(grid.frame_ticks()));
        }

        #[test]
        fn both_tracks_cut_segments_at_the_same_instant(grid in grids(), segment in 0u64..1 << 32) {
            let (video, audio) = (TrackGrid::Video(grid), TrackGrid::Audio(grid));
            let first_frame = video.segment_start(segment);
            let first_aac = audio.segment_start(segment);
            prop_assert_eq!(audio.sample_of_frame(first_frame), first_aac);
            let video_ticks = u128::from(video.decode_time(first_frame)) * u128::from(SAMPLE_RATE);
            let audio_ticks = u128::from(audio.decode_time(first_aac)) * u128::from(VIDEO_TIMESCALE);
            prop_assert_eq!(video_ticks, audio_ticks);
            prop_assert_eq!(video.segment_of(first_frame), segment);
            prop_assert_eq!(audio.segment_of(first_aac), segment);
            if segment > 0 {
                prop_assert_eq!(video.segment_of(first_frame - 1), segment - 1);
                prop_assert_eq!(audio.segment_of(first_aac - 1), segment - 1);
            }
        }
    }
}
