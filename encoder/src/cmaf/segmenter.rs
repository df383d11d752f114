//! Samples on the grid to chunks and segments.

use std::collections::BTreeSet;

use selvedge_watermark::pace::{PaceInfo, Position};

use super::{Boundary, Carrier, ChunkWriter, CmafError, EventMessage, Marking, Sample, Sink};
use crate::clock::TrackGrid;

/// Cuts one track into chunks and segments on its grid and hands each chunk to a [`Sink`] the moment it is complete.
///
/// Segments begin where the grid says, and at splices. Whatever a splice does to the segments around it, the next one
/// begins on the grid again, so that encoders which heard of it and those which did not agree from there on.
#[derive(Debug)]
pub struct Segmenter {
    grid: TrackGrid,
    writer: ChunkWriter,
    is_recording: bool,
    marking: Option<Marking>,
    pending: Vec<Sample>,
    /// Event messages that go in front of the first chunk that begins no earlier than a video frame.
    events: Vec<(u64, EventMessage)>,
    /// Video frames off the grid at which segments begin.
    cuts: BTreeSet<u64>,
    /// Video frame at which the open segment began.
    start: u64,
    /// Index of the sample after the last one, while a segment is open.
    next: Option<u64>,
    /// First sample of the segment still to be written as its first chunk.
    at_segment_start: bool,
    /// Whether the open segment has announced that it is the last.
    announced_last: bool,
    /// Video frame before which the stream ends.
    end: Option<u64>,
}

impl Segmenter {
    /// A segmenter for a track of a live channel.
    #[must_use]
    pub const fn new(grid: TrackGrid) -> Self {
        Self {
            grid,
            writer: ChunkWriter::new(grid),
            is_recording: false,
            marking: None,
            pending: Vec::new(),
            events: Vec::new(),
            cuts: BTreeSet::new(),
            start: 0,
            next: None,
            at_segment_start: false,
            announced_last: false,
            end: None,
        }
    }

    /// A segmenter for a track of a creative, which is played inside other media: its chunks do not say when they were
    /// captured, its end is not the end of what is played, and a rest of less than half a segment belongs to the segment
    /// before it.
    #[must_use]
    pub const fn recording(grid: TrackGrid) -> Self {
        let mut recording = Self::new(grid);
        recording.writer = ChunkWriter::without_clock(grid);
        recording.is_recording = true;
        recording
    }

    /// The same for a variant of a watermarked rendition. What begins in one slot of the grid has one position, whole or
    /// cut by a splice: its number since 1970, so that encoders of the same channel agree.
    #[must_use]
    pub const fn marked(mut self, marking: Marking) -> Self {
        self.marking = Some(marking);
        self
    }

    /// Tells that the stream ends before the video frame `end`, as soon as that is known. The segment that holds the
    /// last sample of a live channel carries the brand `lmsg`.
    pub const fn end_at(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// Tells that a segment begins at a video frame, for it is the frame of a splice. The frame is still to come; sound
    /// is cut at the AAC frame that starts nearest to it.
    pub fn cut_at(&mut self, frame: u64) {
        self.cuts.insert(frame);
        // Far more than can be planned: whatever goes wrong with the clock, this stays small.
        while self.cuts.len() > MAX_CUTS {
            self.cuts.pop_first();
        }
    }

    /// Takes a cut back that is still to come.
    pub fn uncut_at(&mut self, frame: u64) {
        self.cuts.remove(&frame);
    }

    /// Puts an event message in front of the first chunk that begins at a video frame or later.
    pub fn announce(&mut self, event: EventMessage, frame: u64) {
        if self.events.len() < MAX_EVENTS {
            self.events.push((frame, event));
        }
    }

    /// Whether a segment begins at a video frame, so that the picture there has to be an IDR.
    #[must_use]
    pub fn begins_at(&self, frame: u64) -> bool {
        self.grid.grid().is_segment_start(frame) || self.cuts.contains(&frame)
    }

    /// Takes the next sample. Samples before a first segment's start are left out, for a segment never begins in its
    /// middle.
    ///
    /// # Errors
    /// When the sample leaves a gap, or would start a segment without being a sync sample; the segmenter is then
    /// between segments.
    pub fn push(&mut self, sample: Sample, sink: &mut dyn Sink) -> Result<(), CmafError> {
        if self.ends_before(sample.index) {
            return Ok(());
        }
        match self.next {
            Some(next) if next != sample.index => {
                self.abort(sink);
                return Err(CmafError::Gap {
                    after: next.saturating_sub(1),
                    got: sample.index,
                });
            }
            Some(_) => {}
            None => {
                let Some(start) = self.start_of(sample.index) else {
                    return Ok(());
                };
                let number = self.number(start);
                if !sample.key {
                    return Err(CmafError::NoSync {
                        segment: number,
                        sample: sample.index,
                    });
                }
                self.start = start;
                self.cuts = self.cuts.split_off(&start);
                self.at_segment_start = true;
                self.announced_last = false;
                match self.pace(Carrier::Header) {
                    Some(pace) => sink.begin_marked(number, pace),
                    None => sink.begin(number),
                }
            }
        }
        let index = sample.index;
        let after = index + 1;
        self.pending.push(sample);
        self.next = Some(after);
        let ends_segment = self.ends_before(after) || after >= self.grid.nearest_sample(self.segment_end());
        if ends_segment || after == self.chunk_end(index) {
            self.flush(sink)?;
        }
        if ends_segment {
            self.next = None;
            sink.end();
        }
        Ok(())
    }

    /// Ends the open segment where it is, for the samples that should follow will not come. What is there is sent.
    ///
    /// # Errors
    /// When the last chunk cannot be written.
    pub fn cut(&mut self, sink: &mut dyn Sink) -> Result<(), CmafError> {
        if self.next.is_some() {
            self.flush(sink)?;
            self.next = None;
            sink.end();
        }
        Ok(())
    }

    /// Gives the open segment up.
    pub fn abort(&mut self, sink: &mut dyn Sink) {
        self.pending.clear();
        if self.next.take().is_some() {
            sink.abort();
        }
    }

    /// The video frame at which a segment begins with this sample.
    fn start_of(&self, sample: u64) -> Option<u64> {
        let segment = self.grid.segment_of(sample);
        if sample == self.grid.segment_start(segment) {
            return Some(self.grid.grid().segment_start(segment));
        }
        let mut cuts = self.cuts.iter().copied();
        cuts.find(|cut| self.grid.nearest_sample(*cut) == sample)
    }

    /// What a segment that begins at a video frame is known by: its number on the grid, or its decode time where it
    /// begins off the grid. No number is ever as large as a time.
    const fn number(&self, start: u64) -> u64 {
        if self.grid.grid().is_segment_start(start) {
            self.grid.grid().segment_of(start)
        } else {
            self.grid.decode_time(self.grid.nearest_sample(start))
        }
    }

    /// The open segment's pace information, where it goes this way.
    fn pace(&self, carrier: Carrier) -> Option<PaceInfo> {
        let marking = self.marking.filter(|marking| marking.carrier == carrier)?;
        let slot = self.grid.grid().segment_of(self.start);
        Some(PaceInfo::whole(marking.variant, Position::of_slot(slot)))
    }

    /// The video frame at which the open segment ends.
    fn segment_end(&self) -> u64 {
        let grid = self.grid.grid();
        let on_grid = |frame| grid.segment_start(grid.segment_of(frame) + 1);
        let end = on_grid(self.start);
        if let (true, Some(last)) = (self.is_recording, self.end) {
            let rest = last.saturating_sub(end);
            let is_short = rest > 0 && rest * 2 < u64::from(grid.segment_frames());
            // Behind the last sample, wherever sound ends.
            return if is_short { last + 1 } else { end };
        }
        let first = self.grid.nearest_sample(self.start);
        let mut cuts = self.cuts.range(self.start + 1..).copied();
        let cut = cuts.find(|cut| self.grid.nearest_sample(*cut) > first);
        cut.map_or(end, |cut| end.min(cut))
    }

    /// First sample of a chunk that begins at a video frame of the open segment.
    const fn chunk_start(&self, frame: u64) -> u64 {
        if self.grid.grid().is_segment_start(self.start) {
            self.grid.sample_of_frame(frame)
        } else {
            self.grid.nearest_sample(frame)
        }
    }

    /// First sample after the chunk that a sample of the open segment belongs to. Chunks are counted from the segment's
    /// begin, so that behind a splice only the last one is short.
    const fn chunk_end(&self, sample: u64) -> u64 {
        let chunk = self.grid.grid().chunk_frames() as u64;
        let chunks = self.grid.frame_of(sample).saturating_sub(self.start) / chunk;
        let end = self.chunk_start(self.start + (chunks + 1) * chunk);
        // A sound frame may begin in the frame before the cut that it belongs to.
        if end > sample {
            end
        } else {
            self.chunk_start(self.start + (chunks + 2) * chunk)
        }
    }

    /// Whether the stream ends before a sample.
    const fn ends_before(&self, sample: u64) -> bool {
        match self.end {
            Some(end) => sample >= self.grid.sample_of_frame(end),
            None => false,
        }
    }

    fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), CmafError> {
        let Some(last) = self.pending.last().map(|sample| sample.index) else {
            return Ok(());
        };
        let is_last = !self.is_recording && self.end.is_some_and(|end| end <= self.segment_end());
        let boundary = match (std::mem::take(&mut self.at_segment_start), is_last) {
            (true, false) => Boundary::Segment,
            (true, true) => Boundary::LastSegment,
            (false, true) if !self.announced_last && self.ends_before(last + 1) => Boundary::LastChunk,
            (false, _) => Boundary::Inside,
        };
        self.announced_last |= boundary == Boundary::LastSegment;
        let first = self
            .pending
            .first()
            .map_or(0, |sample| self.grid.frame_of(sample.index));
        let mut events: Vec<EventMessage> = Vec::new();
        self.events.retain(|(from, event)| {
            let is_later = *from > first;
            // Whoever splices at once announces at once.
            if !is_later && !events.contains(event) {
                events.push(event.clone());
            }
            is_later
        });
        let pace = match boundary {
            Boundary::Segment | Boundary::LastSegment => self.pace(Carrier::Box),
            Boundary::Inside | Boundary::LastChunk => None,
        };
        let chunk = self.writer.write(&self.pending, &events, boundary, pace)?;
        self.pending.clear();
        sink.chunk(chunk);
        Ok(())
    }
}

const MAX_CUTS: usize = 64;
const MAX_EVENTS: usize = 64;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{AAC_FRAME, FRAME_RATES, Grid, SAMPLE_RATE, Utc};

    /// What a segmenter did, one line an event.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Sink for Log {
        fn init(&mut self, _: Bytes) {}
        fn begin(&mut self, number: u64) {
            self.0.push(format!("begin {number}"));
        }
        fn chunk(&mut self, chunk: Bytes) {
            let last = chunk.windows(4).any(|brand| brand == b"lmsg");
            self.0.push(format!("chunk{}", if last { " last" } else { "" }));
        }
        fn end(&mut self) {
            self.0.push("end".into());
        }
        fn abort(&mut self) {
            self.0.push("abort".into());
        }
    }

    fn sample(grid: TrackGrid, index: u64) -> Sample {
        keyed(
            index,
            matches!(grid, TrackGrid::Audio(_)) || index == grid.segment_start(grid.segment_of(index)),
        )
    }

    fn keyed(index: u64, key: bool) -> Sample {
        Sample {
            index,
            data: Bytes::from_static(b"x"),
            key,
            captured: Utc(0),
        }
    }

    fn run(grid: TrackGrid, frames: std::ops::Range<u64>, end: Option<u64>) -> Vec<String> {
        let (mut segmenter, mut log) = (Segmenter::new(grid), Log::default());
        end.into_iter().for_each(|end| segmenter.end_at(end));
        for index in frames {
            segmenter.push(sample(grid, index), &mut log).unwrap();
        }
        log.0
    }

    fn video() -> TrackGrid {
        TrackGrid::Video(Grid::with_default_cadence(25).unwrap())
    }

    #[test]
    fn a_stream_starts_at_its_first_whole_segment() {
        let log = run(video(), 40..96, None);
        assert_eq!(
            log,
            [
                "begin 1", "chunk", "chunk", "chunk", "chunk", "chunk", "chunk", "end"
            ]
        );
    }

    #[test]
    fn a_known_end_is_announced_when_the_last_segment_starts() {
        let log = run(video(), 0..64, Some(64));
        assert_eq!(log[7..], ["end", "begin 1", "chunk last", "chunk", "end"][..]);
    }

    #[test]
    fn a_sudden_end_is_announced_in_the_last_chunk() {
        let grid = video();
        let (mut segmenter, mut log) = (Segmenter::new(grid), Log::default());
        for index in 0..16 {
            if index == 10 {
                segmenter.end_at(16);
            }
            segmenter.push(sample(grid, index), &mut log).unwrap();
        }
        segmenter.push(sample(grid, 16), &mut log).unwrap();
        assert_eq!(log.0, ["begin 0", "chunk", "chunk last", "end"]);
    }

    #[test]
    fn a_gap_aborts_the_segment_and_the_next_one_starts_clean() {
        let grid = video();
        let (mut segmenter, mut log) = (Segmenter::new(grid), Log::default());
        for index in 0..10 {
            segmenter.push(sample(grid, index), &mut log).unwrap();
        }
        assert!(matches!(
            segmenter.push(sample(grid, 12), &mut log),
            Err(CmafError::Gap { after: 9, got: 12 })
        ));
        for index in 13..57 {
            segmenter.push(sample(grid, index), &mut log).unwrap();
        }
        assert_eq!(log.0, ["begin 0", "chunk", "abort", "begin 1", "chunk"]);
    }

    #[test]
    fn a_segment_without_sync_sample_is_refused() {
        let grid = video();
        let mut broken = sample(grid, 48);
        broken.key = false;
        let refused = Segmenter::new(grid).push(broken, &mut Log::default());
        assert!(matches!(
            refused,
            Err(CmafError::NoSync {
                segment: 1,
                sample: 48
            })
        ));
    }

    /// First sample and number of each segment, and first sample of each chunk.
    #[derive(Default)]
    struct Starts {
        segments: Vec<(u64, u64)>,
        chunks: Vec<u64>,
        samples: u64,
    }

    impl Sink for Starts {
        fn init(&mut self, _: Bytes) {}
        fn begin(&mut self, number: u64) {
            self.segments.push((self.samples, number));
        }
        fn chunk(&mut self, chunk: Bytes) {
            self.chunks.push(self.samples);
            // Each sample is a byte.
            let mdat = chunk.windows(4).position(|kind| kind == b"mdat").unwrap();
            self.samples += (chunk.len() - mdat - 4) as u64;
        }
        fn end(&mut self) {}
        fn abort(&mut self) {}
    }

    /// What becomes of the frames of two segments with cuts.
    fn cut(grid: TrackGrid, cuts: &[u64]) -> Starts {
        let (mut segmenter, mut starts) = (Segmenter::new(grid), Starts::default());
        for cut in cuts {
            segmenter.cut_at(*cut);
        }
        let to = grid.sample_of_frame(2 * u64::from(grid.grid().segment_frames()));
        for index in 0..to {
            let key = matches!(grid, TrackGrid::Audio(_)) || segmenter.begins_at(index);
            let data = Bytes::from_static(b"x");
            segmenter
                .push(
                    Sample {
                        data,
                        ..keyed(index, key)
                    },
                    &mut starts,
                )
                .unwrap();
        }
        starts
    }

    #[test]
    fn a_splice_off_the_grid_begins_a_segment_and_the_next_one_is_on_the_grid() {
        let starts = cut(video(), &[61]);
        assert_eq!(starts.segments, [(0, 0), (48, 1), (61, 61 * 3600)]);
        assert_eq!(starts.chunks[5..], [40, 48, 56, 61, 69, 77, 85, 93]);
        let sound = TrackGrid::Audio(Grid::with_default_cadence(25).unwrap());
        let starts = cut(sound, &[61]);
        // Frame 61 begins with sample 117,120: the AAC frame 114.375 is cut at 114.
        assert_eq!(starts.segments, [(0, 0), (90, 1), (114, 114 * 1024)]);
        assert_eq!(starts.chunks[6..], [90, 105, 114, 129, 144, 159, 174]);
    }

    #[test]
    fn a_splice_on_the_grid_changes_nothing() {
        assert_eq!(cut(video(), &[48]).segments, cut(video(), &[]).segments);
    }

    #[test]
    fn every_piece_of_a_slot_has_its_position() {
        use selvedge_watermark::pace::Variant;

        #[derive(Default)]
        struct Paces(Vec<(u64, PaceInfo)>, Vec<Bytes>);
        impl Sink for Paces {
            fn init(&mut self, _: Bytes) {}
            fn begin(&mut self, _: u64) {}
            fn begin_marked(&mut self, number: u64, pace: PaceInfo) {
                self.0.push((number, pace));
            }
            fn chunk(&mut self, chunk: Bytes) {
                self.1.push(chunk);
            }
            fn end(&mut self) {}
            fn abort(&mut self) {}
        }
        let run = |carrier| {
            let variant = Variant::B;
            let (mut segmenter, mut paces) = (
                Segmenter::new(video()).marked(Marking { variant, carrier }),
                Paces::default(),
            );
            // The second slot is cut in two; positions begin again after 32,760 of them.
            let first = 32_759 * 48;
            segmenter.cut_at(first + 60);
            for index in first..first + 96 {
                let key = segmenter.begins_at(index);
                segmenter.push(keyed(index, key), &mut paces).unwrap();
            }
            paces
        };
        let whole = |position| PaceInfo::whole(Variant::B, Position::new(position).unwrap());
        let beside = run(Carrier::Header);
        let off_grid = (32_759 * 48 + 60) * 3600;
        assert_eq!(
            beside.0,
            [(32_759, whole(32_759)), (32_760, whole(0)), (off_grid, whole(0))]
        );
        let inside = run(Carrier::Box);
        assert_eq!(inside.0, []);
        let found = inside.1.iter().filter_map(|chunk| {
            let at = chunk.windows(4).position(|kind| kind == b"wmpi")?;
            assert_eq!(&chunk[4..8], b"styp");
            assert_eq!(chunk[3] as usize, at - 4);
            Some(PaceInfo::of_box(&chunk[at - 4..at + 9]).unwrap())
        });
        assert_eq!(found.collect::<Vec<_>>(), [whole(32_759), whole(0), whole(0)]);
    }

    #[test]
    fn a_recording_ends_with_what_is_left_unless_that_is_less_than_half_a_segment() {
        let segments = |end| {
            let (mut segmenter, mut log) = (Segmenter::recording(video()), Log::default());
            segmenter.end_at(end);
            for index in 0..end {
                segmenter.push(sample(video(), index), &mut log).unwrap();
            }
            assert!(!log.0.iter().any(|line| line.ends_with("last")));
            log.0.iter().filter(|line| *line == "end").count()
        };
        assert_eq!([48, 71, 72, 96, 100].map(segments), [1, 1, 2, 2, 2]);
    }

    proptest! {
        #[test]
        fn sound_is_cut_within_half_a_frame_of_each_splice(
            fps in prop::sample::select(FRAME_RATES.to_vec()),
            cuts in prop::collection::btree_set(1u64..66, 0..5),
        ) {
            let grid = Grid::with_default_cadence(fps).unwrap();
            let cuts: Vec<_> = cuts.into_iter().map(|cut| cut * 3).collect();
            let [video, audio] = [TrackGrid::Video(grid), TrackGrid::Audio(grid)].map(|track| cut(track, &cuts));
            for ((picture, _), (sound, _)) in video.segments.iter().zip(&audio.segments) {
                let apart = (picture * u64::from(SAMPLE_RATE / fps)).abs_diff(sound * u64::from(AAC_FRAME));
                prop_assert!(apart <= u64::from(AAC_FRAME) / 2);
            }
            prop_assert_eq!(audio.segments.len(), video.segments.len());
        }

        #[test]
        fn both_tracks_have_the_same_segments_and_chunks(
            fps in prop::sample::select(FRAME_RATES.to_vec()),
            segment in 0u64..1 << 30,
            frames in 1u64..400,
        ) {
            let grid = Grid::with_default_cadence(fps).unwrap();
            let start = grid.segment_start(segment);
            let end = grid.chunk_end(start + frames);
            let [video, audio] = [TrackGrid::Video(grid), TrackGrid::Audio(grid)].map(|track| {
                let (from, to) = (track.sample_of_frame(start), track.sample_of_frame(end));
                run(track, from..to, Some(end))
            });
            prop_assert_eq!(&video, &audio);
            prop_assert_eq!(video.iter().filter(|event| event.ends_with("last")).count(), 1);
            prop_assert_eq!(video.last().map(String::as_str), Some("end"));
        }
    }
}
