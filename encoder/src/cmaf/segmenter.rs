//! Samples on the grid to chunks and segments.

use super::{Boundary, ChunkWriter, CmafError, Sample, Sink};
use crate::clock::TrackGrid;

/// Cuts one track into chunks and segments on its grid and hands each chunk to a [`Sink`] the moment it is complete.
#[derive(Debug)]
pub struct Segmenter {
    grid: TrackGrid,
    writer: ChunkWriter,
    pending: Vec<Sample>,
    /// Index of the sample after the last one, while a segment is open.
    next: Option<u64>,
    /// First sample of the segment still to be written as its first chunk.
    at_segment_start: bool,
    /// Whether the open segment has announced that it is the last.
    announced_last: bool,
    end: Option<u64>,
}

impl Segmenter {
    /// A segmenter for a track.
    #[must_use]
    pub const fn new(grid: TrackGrid) -> Self {
        Self {
            grid,
            writer: ChunkWriter::new(grid),
            pending: Vec::new(),
            next: None,
            at_segment_start: false,
            announced_last: false,
            end: None,
        }
    }

    /// Tells that the stream ends before sample `end`, as soon as that is known. The segment that holds the last
    /// sample carries the brand `lmsg`.
    pub const fn end_at(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// Takes the next sample. Samples before a first segment's start are left out, for a segment never begins in its
    /// middle.
    ///
    /// # Errors
    /// When the sample leaves a gap, or would start a segment without being a sync sample; the segmenter is then
    /// between segments.
    pub fn push(&mut self, sample: Sample, sink: &mut dyn Sink) -> Result<(), CmafError> {
        if self.end.is_some_and(|end| sample.index >= end) {
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
                let segment = self.grid.segment_of(sample.index);
                if sample.index != self.grid.segment_start(segment) {
                    return Ok(());
                }
                if !sample.key {
                    return Err(CmafError::NoSync {
                        segment,
                        sample: sample.index,
                    });
                }
                self.at_segment_start = true;
                self.announced_last = false;
                sink.begin(segment);
            }
        }
        let after = sample.index + 1;
        let chunk_end = self.grid.chunk_end(sample.index);
        self.pending.push(sample);
        self.next = Some(after);
        let ends_stream = self.end == Some(after);
        if after == chunk_end || ends_stream {
            self.flush(sink)?;
        }
        if ends_stream || after == self.grid.segment_start(self.grid.segment_of(after)) {
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

    fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), CmafError> {
        let Some(last) = self.pending.last().map(|sample| sample.index) else {
            return Ok(());
        };
        let segment_end = self.grid.segment_start(self.grid.segment_of(last) + 1);
        let last_segment = self.end.is_some_and(|end| end <= segment_end);
        let boundary = match (std::mem::take(&mut self.at_segment_start), last_segment) {
            (true, false) => Boundary::Segment,
            (true, true) => Boundary::LastSegment,
            (false, true) if !self.announced_last && self.end == Some(last + 1) => Boundary::LastChunk,
            (false, _) => Boundary::Inside,
        };
        self.announced_last |= boundary == Boundary::LastSegment;
        let chunk = self.writer.write(&self.pending, boundary)?;
        self.pending.clear();
        sink.chunk(chunk);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{FRAME_RATES, Grid, Utc};

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
        let key = matches!(grid, TrackGrid::Audio(_)) || index == grid.segment_start(grid.segment_of(index));
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

    proptest! {
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
                run(track, from..to, Some(to))
            });
            prop_assert_eq!(&video, &audio);
            prop_assert_eq!(video.iter().filter(|event| event.ends_with("last")).count(), 1);
            prop_assert_eq!(video.last().map(String::as_str), Some("end"));
        }
    }
}
