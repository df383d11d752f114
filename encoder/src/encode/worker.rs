//! One thread a track: pictures or sound in, chunks out.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::Receiver,
    },
    time::Duration,
};

use super::{AacEncoder, EncodeError, Lane, VideoEncoder, VideoSettings, lanes::Lanes};
use crate::{
    clock::{AAC_FRAME, Grid, TrackGrid, Utc},
    cmaf::{Sample, Segmenter, Sink},
    ffi::Scaler,
    pixel::{Burn, Mark, Picture, Size},
    splice::Splice,
    stats::TrackStats,
};

/// What the conductor tells a rung.
pub(crate) enum VideoMessage {
    /// A frame of the grid. `shape` is the size at which the picture is meant to be seen.
    Frame {
        index: u64,
        picture: Arc<Picture>,
        shape: Size,
        captured: Utc,
    },
    /// The stream ends before this frame.
    End { frame: u64 },
    /// What a splice asks for.
    Splice(Arc<Splice>),
}

/// What the conductor tells the sound's thread.
pub(crate) enum AudioMessage {
    /// Consecutive samples, left and right in turn. `late` is how much later than its time the sound was made.
    Samples {
        first: u64,
        samples: Vec<f32>,
        late: Duration,
    },
    /// The stream ends before this video frame.
    End { frame: u64 },
    /// What a splice asks for.
    Splice(Arc<Splice>),
}

/// Encodes one rung.
pub(crate) struct VideoWorker {
    pub(crate) track: String,
    pub(crate) settings: VideoSettings,
    pub(crate) encoders: Vec<String>,
    pub(crate) burn: bool,
    /// Makes the variants of a watermarked rung.
    pub(crate) mark: Option<Mark>,
    /// The frame that the conductor has reached; stays behind when nobody waits for the frames.
    pub(crate) on_air: Arc<AtomicU64>,
    pub(crate) stats: Arc<TrackStats>,
}

impl VideoWorker {
    /// Runs until the conductor is gone, then fills up to the announced end. There is one lane, or two with a mark.
    pub(crate) fn run(self, lanes: Vec<Lane>, messages: &Receiver<VideoMessage>) -> Result<(), EncodeError> {
        let mut rung = Rung::new(self, lanes);
        rung.lanes.send_init();
        let mut end = None;
        while let Ok(message) = messages.recv() {
            match message {
                VideoMessage::Frame {
                    index,
                    picture,
                    shape,
                    captured,
                } => {
                    if rung.is_behind(index)? {
                        continue;
                    }
                    rung.fill(index)?;
                    rung.canvas.show(&picture, shape, captured, index);
                    rung.encode(index, captured)?;
                }
                VideoMessage::End { frame } => {
                    end = Some(frame);
                    rung.lanes.tell(|segmenter| segmenter.end_at(frame));
                }
                VideoMessage::Splice(splice) => rung.lanes.tell(|segmenter| {
                    cut(segmenter, &splice);
                    // Ahead of it, for who prepares, and where it is, for who comes later.
                    segmenter.announce(splice.message.clone(), 0);
                    segmenter.announce(splice.message.clone(), splice.frame);
                }),
            }
        }
        if let Some(end) = end {
            rung.fill(end)?;
            rung.lanes.finish();
            rung.drain();
        }
        rung.lanes.cut()?;
        Ok(())
    }
}

/// A rung at work.
struct Rung {
    worker: VideoWorker,
    lanes: Lanes,
    canvas: Canvas,
    /// The canvas as variants A and B show it.
    variants: [Picture; 2],
    /// Frames in the encoder, with the time of their capture.
    captures: VecDeque<(u64, Utc)>,
    next: Option<u64>,
    /// First frame to encode after the rung has fallen behind.
    resume_at: Option<u64>,
    /// Failures since an encoder last gave something.
    failures: usize,
}

impl Rung {
    fn new(worker: VideoWorker, lanes: Vec<Lane>) -> Self {
        let size = worker.settings.size;
        let none = Size { width: 0, height: 0 };
        let variant = Picture::black(if worker.mark.is_some() { size } else { none });
        Self {
            lanes: Lanes::new(lanes),
            canvas: Canvas::new(size, worker.burn),
            variants: [variant.clone(), variant],
            captures: VecDeque::new(),
            next: None,
            resume_at: None,
            failures: 0,
            worker,
        }
    }

    /// Whether the frame at `index` is left out, for the encoder is slower than real time. Repeating what it misses would
    /// cost it as much as the pictures do, so that it would never catch up: a rung that is later than [`MAX_LAG`] ends
    /// its segment where it is and goes on at the next one.
    fn is_behind(&mut self, index: u64) -> Result<bool, EncodeError> {
        let grid = self.worker.settings.grid;
        let segment = u64::from(grid.segment_frames());
        let on_air = self.worker.on_air.load(Relaxed);
        if grid.time(on_air).since(grid.time(index)) > MAX_LAG {
            let start = on_air.div_ceil(segment) * segment;
            if self.resume_at.replace(start).is_none() {
                tracing::warn!(
                    track = self.worker.track,
                    frames = on_air - index,
                    "encoder is slower than real time, going on at a later segment"
                );
                self.lanes.cut()?;
                self.next = None;
            }
        }
        // A start that is further off than a segment was chosen before the clock was set back.
        let near = |start: u64| start.saturating_sub(on_air) <= segment;
        let early = self.resume_at.is_some_and(|start| index < start && near(start));
        if early {
            self.worker.stats.dropped(1);
        } else {
            self.resume_at = None;
        }
        Ok(early)
    }

    /// Makes up for frames before `index` that did not come: the last picture is shown again, so that every segment
    /// stays whole and on the grid. After a hole longer than a segment the stream goes on at the next segment instead.
    fn fill(&mut self, index: u64) -> Result<(), EncodeError> {
        let Some(next) = self.next else { return Ok(()) };
        if index < next {
            return self.go_back();
        }
        if index - next > u64::from(self.worker.settings.grid.segment_frames()) {
            self.lanes.cut()?;
            return Ok(());
        }
        let shown = self.captures.back().map(|(_, captured)| *captured);
        for missing in next..index {
            self.worker.stats.repeated(1);
            let captured = shown.unwrap_or_else(|| self.worker.settings.grid.time(missing));
            self.encode(missing, captured)?;
        }
        Ok(())
    }

    /// The clock was set back: encoders want times that grow, so a new one begins, with a header of its own.
    fn go_back(&mut self) -> Result<(), EncodeError> {
        self.lanes.finish();
        self.drain();
        self.lanes.cut()?;
        self.captures.clear();
        self.next = None;
        self.open_encoders()
    }

    fn open_encoders(&mut self) -> Result<(), EncodeError> {
        let VideoWorker {
            track,
            settings,
            encoders,
            ..
        } = &self.worker;
        let count = self.lanes.len();
        let opened = VideoEncoder::open_alike(settings, encoders, track, &mut Vec::new(), count)?;
        self.lanes.replace(opened);
        Ok(())
    }

    fn encode(&mut self, index: u64, captured: Utc) -> Result<(), EncodeError> {
        self.next = Some(index + 1);
        self.captures.push_back((index, captured));
        let idr = self.lanes.begins_at(index);
        let picture = self.canvas.picture();
        let encoded = if let Some(mark) = &mut self.worker.mark {
            let [a, b] = &mut self.variants;
            mark.apply(picture, index, a, b);
            self.lanes.encode(&[&*a, &*b], index, idr)
        } else {
            self.lanes.encode(&[picture], index, idr)
        };
        if let Err(error) = encoded {
            self.replace_encoder(error)?;
        }
        self.drain();
        Ok(())
    }

    /// An encoder failed in the middle: the segment is lost, and the first candidate that opens takes over at the next
    /// one. The failed one goes to the end of the list, for a reset device may work again.
    fn replace_encoder(&mut self, error: EncodeError) -> Result<(), EncodeError> {
        tracing::warn!(track = self.worker.track, %error, "encoder failed");
        self.failures += 1;
        if self.failures > self.worker.encoders.len() {
            return Err(error);
        }
        self.lanes.abort();
        self.captures.clear();
        let failed = self.lanes.encoder();
        self.worker.encoders.sort_by_key(|name| name == failed);
        self.open_encoders()
    }

    fn drain(&mut self) {
        while let Some((index, key)) = self.lanes.next_frame() {
            self.failures = 0;
            while self.captures.len() > 1 && self.captures.front().is_some_and(|(at, _)| *at < index) {
                self.captures.pop_front();
            }
            let captured = self.captures.front().map_or(Utc(0), |(_, captured)| *captured);
            if let Err(error) = self.lanes.push(index, key, captured) {
                // The segmenters have given the segment up and go on with the next one.
                tracing::warn!(track = self.worker.track, %error, "segment given up");
            }
        }
    }
}

/// The picture of a rung: the source scaled into it with its shape kept, black around it, the clock on top.
struct Canvas {
    picture: Picture,
    burn: Option<Burn>,
    scaler: Option<Scaler>,
    bare: Option<(Size, Size)>,
}

impl Canvas {
    fn new(size: Size, burn: bool) -> Self {
        Self {
            picture: Picture::black(size),
            burn: burn.then(|| Burn::new(size)),
            scaler: None,
            bare: None,
        }
    }

    const fn picture(&self) -> &Picture {
        &self.picture
    }

    fn show(&mut self, source: &Picture, shape: Size, captured: Utc, frame: u64) {
        let size = self.picture.size();
        let (inner, x, y) = shape.fit(size);
        if self.bare != Some((source.size(), inner)) || (inner != size && self.burn.is_some()) {
            // The clock is drawn into the margins too, where no new picture would cover the old one.
            self.picture = Picture::black(size);
            self.bare = Some((source.size(), inner));
        }
        if source.size() == size && inner == size {
            self.picture.copy_from(source);
        } else {
            if !self
                .scaler
                .as_ref()
                .is_some_and(|scaler| scaler.fits(source.size(), inner))
            {
                self.scaler = Scaler::new(source.size(), inner);
            }
            if let Some(scaler) = &mut self.scaler {
                scaler.run(source, &mut self.picture, x, y);
            }
        }
        if let Some(burn) = &self.burn {
            burn.draw(&mut self.picture, captured, frame);
        }
    }
}

/// Encodes the sound.
pub(crate) struct AudioWorker {
    pub(crate) grid: Grid,
    pub(crate) bit_rate: u32,
    pub(crate) is_recording: bool,
    pub(crate) stats: Arc<TrackStats>,
    pub(crate) sink: Box<dyn Sink>,
}

impl AudioWorker {
    /// Runs until the end is reached or the conductor is gone.
    pub(crate) fn run(
        self,
        mut encoder: AacEncoder,
        messages: &Receiver<AudioMessage>,
    ) -> Result<(), EncodeError> {
        let Self {
            grid,
            bit_rate,
            is_recording,
            stats,
            mut sink,
        } = self;
        let mut segmenter = segmenter(TrackGrid::Audio(grid), is_recording);
        let mut pending = Vec::<f32>::new();
        let mut next = None::<u64>;
        let mut late = Duration::ZERO;
        sink.init(encoder.init());
        while let Ok(message) = messages.recv() {
            match message {
                AudioMessage::Samples {
                    first,
                    samples,
                    late: now_late,
                } => {
                    if next.is_some_and(|next| next + pending.len() as u64 / 2 != first) {
                        segmenter.cut(&mut *sink)?;
                        pending.clear();
                        next = None;
                        encoder = AacEncoder::open(bit_rate)?;
                    }
                    late = now_late;
                    next.get_or_insert(first);
                    pending.extend(samples);
                }
                AudioMessage::End { frame } => segmenter.end_at(frame),
                AudioMessage::Splice(splice) => cut(&mut segmenter, &splice),
            }
            let block = AAC_FRAME as usize * 2;
            while let (Some(at), Some(samples)) = (next, pending.get(..block)) {
                encoder.encode(samples, at / u64::from(AAC_FRAME))?;
                pending.drain(..block);
                next = Some(at + u64::from(AAC_FRAME));
                while let Some(coded) = encoder.pop() {
                    stats.encoded(coded.data.len());
                    let captured = Grid::sample_time(Grid::audio_time(coded.index)).plus(late);
                    let sample = Sample {
                        index: coded.index,
                        data: coded.data,
                        key: true,
                        captured,
                    };
                    if let Err(error) = segmenter.push(sample, &mut *sink) {
                        tracing::warn!(%error, "segment given up");
                    }
                }
            }
        }
        segmenter.cut(&mut *sink)?;
        Ok(())
    }
}

fn cut(segmenter: &mut Segmenter, splice: &Splice) {
    for frame in &splice.uncuts {
        segmenter.uncut_at(*frame);
    }
    for frame in &splice.cuts {
        segmenter.cut_at(*frame);
    }
}

pub(crate) const fn segmenter(grid: TrackGrid, is_recording: bool) -> Segmenter {
    if is_recording {
        Segmenter::recording(grid)
    } else {
        Segmenter::new(grid)
    }
}

/// How far behind the conductor a rung may fall.
const MAX_LAG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::sync_channel};

    use bytes::Bytes;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    impl Log {
        fn note(&self, what: impl Into<String>) {
            self.0.lock().unwrap().push(what.into());
        }
    }

    impl Sink for Log {
        fn init(&mut self, _: Bytes) {
            self.note("init");
        }
        fn begin(&mut self, number: u64) {
            self.note(format!("begin {number}"));
        }
        fn chunk(&mut self, _: Bytes) {
            self.note("chunk");
        }
        fn end(&mut self) {
            self.note("end");
        }
        fn abort(&mut self) {
            self.note("abort");
        }
    }

    #[test]
    fn a_failing_encoder_is_replaced_at_the_next_segment_with_a_new_header() {
        crate::init_ffmpeg().unwrap();
        let size = Size {
            width: 128,
            height: 72,
        };
        let grid = Grid::new(25, 8, 4).unwrap();
        let settings = VideoSettings {
            size,
            bit_rate: 100_000,
            grid,
            preset: "ultrafast".to_owned(),
        };
        let encoders = vec!["h264_nvenc".to_owned(), "libx264".to_owned()];
        let encoder = VideoEncoder::open_first(&settings, &encoders, "video", &mut Vec::new()).unwrap();
        let log = Log::default();
        let worker = VideoWorker {
            track: "video".to_owned(),
            settings,
            encoders,
            burn: false,
            mark: None,
            on_air: Arc::default(),
            stats: Arc::default(),
        };
        let segmenter = Segmenter::new(TrackGrid::Video(grid));
        let lane = Lane::new(encoder, segmenter, Box::new(log.clone()), Arc::default());
        let mut rung = Rung::new(worker, vec![lane]);
        for index in 0..16 {
            if index == 6 {
                // An encoder that was told to finish refuses the next picture: a real failure in the middle.
                rung.lanes.finish();
            }
            rung.encode(index, Utc(0)).unwrap();
        }
        let events = log.0.lock().unwrap().join(", ");
        assert_eq!(events, "begin 0, chunk, abort, init, begin 1, chunk, chunk, end");
    }

    /// Time goes on by so many frames with each chunk.
    struct Slow(Log, Arc<AtomicU64>, u64);

    impl Sink for Slow {
        fn init(&mut self, init: Bytes) {
            self.0.init(init);
        }
        fn begin(&mut self, number: u64) {
            self.0.begin(number);
        }
        fn chunk(&mut self, chunk: Bytes) {
            self.0.chunk(chunk);
            self.1.fetch_add(self.2, Relaxed);
        }
        fn end(&mut self) {
            self.0.end();
        }
        fn abort(&mut self) {
            self.0.abort();
        }
    }

    #[test]
    fn a_rung_that_falls_behind_goes_on_at_a_segment_on_air() {
        crate::init_ffmpeg().unwrap();
        let size = Size {
            width: 128,
            height: 72,
        };
        let settings = VideoSettings {
            size,
            bit_rate: 100_000,
            grid: Grid::new(25, 8, 4).unwrap(),
            preset: "ultrafast".to_owned(),
        };
        let encoders = vec!["libx264".to_owned()];
        let encoder = VideoEncoder::open_first(&settings, &encoders, "video", &mut Vec::new()).unwrap();
        let (log, on_air, stats) = (Log::default(), Arc::new(AtomicU64::new(8)), Arc::default());
        let worker = VideoWorker {
            track: "video".to_owned(),
            settings,
            encoders,
            burn: false,
            mark: None,
            on_air: Arc::clone(&on_air),
            stats: Arc::clone(&stats),
        };
        let segmenter = Segmenter::new(TrackGrid::Video(worker.settings.grid));
        let sink = Box::new(Slow(log.clone(), on_air, 12));
        let lane = Lane::new(encoder, segmenter, sink, Arc::default());
        let picture = Arc::new(Picture::black(size));
        let (sender, messages) = sync_channel(60);
        for index in 0..60 {
            let message = VideoMessage::Frame {
                index,
                picture: Arc::clone(&picture),
                shape: size,
                captured: Utc(0),
            };
            assert!(sender.try_send(message).is_ok());
        }
        drop(sender);
        worker.run(vec![lane], &messages).unwrap();
        // With 12 more frames on air for every 4 encoded, frame 12 is 44 - 12 frames late: 48 begins the next segment.
        assert_eq!(
            log.0.lock().unwrap().join(", "),
            "init, begin 0, chunk, chunk, end, begin 1, chunk, end, begin 6, chunk, chunk, end, begin 7, chunk, end"
        );
        assert_eq!(stats.snapshot().dropped, 36);
    }

    #[test]
    fn sides_of_a_narrow_picture_stay_black_under_the_clock() {
        let size = Size {
            width: 320,
            height: 180,
        };
        let mut canvas = Canvas::new(size, true);
        let mut square = Picture::black(Size {
            width: 64,
            height: 64,
        });
        square.plane_mut(0).fill(200);
        for frame in 0..2 {
            canvas.show(&square, square.size(), Utc::from_millis(frame), frame);
        }
        let luma = |x: usize, y: usize| canvas.picture().plane(0)[y * 320 + x];
        assert_eq!((luma(10, 90), luma(160, 90), luma(310, 90)), (16, 200, 16));
    }
}
