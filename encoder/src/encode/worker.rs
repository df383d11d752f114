//! One thread a track: pictures or sound in, chunks out.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use super::{AacEncoder, EncodeError, VideoEncoder, VideoSettings};
use crate::{
    clock::{AAC_FRAME, Grid, TrackGrid, Utc},
    cmaf::{Sample, Segmenter, Sink},
    ffi::Scaler,
    pixel::{Burn, Picture, Size},
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
}

/// What the conductor tells the sound's thread.
pub(crate) enum AudioMessage {
    /// Consecutive samples, left and right in turn. `late` is how much later than its time the sound was made.
    Samples {
        first: u64,
        samples: Vec<f32>,
        late: Duration,
    },
    /// The stream ends before this AAC frame.
    End { aac_frame: u64 },
}

/// Encodes one rung.
pub(crate) struct VideoWorker {
    pub(crate) track: String,
    pub(crate) settings: VideoSettings,
    pub(crate) encoders: Vec<String>,
    pub(crate) burn: bool,
    pub(crate) stats: Arc<TrackStats>,
    pub(crate) sink: Box<dyn Sink>,
}

impl VideoWorker {
    /// Runs until the conductor is gone, then fills up to the announced end.
    pub(crate) fn run(
        self,
        encoder: VideoEncoder,
        messages: &Receiver<VideoMessage>,
    ) -> Result<(), EncodeError> {
        let mut rung = Rung {
            segmenter: Segmenter::new(TrackGrid::Video(self.settings.grid)),
            canvas: Canvas::new(self.settings.size, self.burn),
            captures: VecDeque::new(),
            next: None,
            worker: self,
            encoder,
        };
        rung.worker.sink.init(rung.encoder.init());
        let mut end = None;
        while let Ok(message) = messages.recv() {
            match message {
                VideoMessage::Frame {
                    index,
                    picture,
                    shape,
                    captured,
                } => {
                    rung.fill(index)?;
                    rung.canvas.show(&picture, shape, captured, index);
                    rung.encode(index, captured)?;
                }
                VideoMessage::End { frame } => {
                    end = Some(frame);
                    rung.segmenter.end_at(frame);
                }
            }
        }
        if let Some(end) = end {
            rung.fill(end)?;
            rung.encoder.finish();
            rung.drain();
        }
        rung.segmenter.cut(&mut *rung.worker.sink)?;
        Ok(())
    }
}

/// A rung at work.
struct Rung {
    worker: VideoWorker,
    encoder: VideoEncoder,
    segmenter: Segmenter,
    canvas: Canvas,
    /// Frames in the encoder, with the time of their capture.
    captures: VecDeque<(u64, Utc)>,
    next: Option<u64>,
}

impl Rung {
    /// Makes up for frames before `index` that did not come: the last picture is shown again, so that every segment
    /// stays whole and on the grid. After a hole longer than a segment the stream goes on at the next segment instead.
    fn fill(&mut self, index: u64) -> Result<(), EncodeError> {
        let Some(next) = self.next else { return Ok(()) };
        if index.saturating_sub(next) > u64::from(self.worker.settings.grid.segment_frames()) {
            self.segmenter.cut(&mut *self.worker.sink)?;
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

    fn encode(&mut self, index: u64, captured: Utc) -> Result<(), EncodeError> {
        self.next = Some(index + 1);
        self.captures.push_back((index, captured));
        let idr = self.worker.settings.grid.is_segment_start(index);
        if let Err(error) = self.encoder.encode(self.canvas.picture(), index, idr) {
            self.replace_encoder(&error)?;
        }
        self.drain();
        Ok(())
    }

    /// An encoder failed in the middle: the segment is lost, the next candidate takes over at the next one.
    fn replace_encoder(&mut self, error: &EncodeError) -> Result<(), EncodeError> {
        let VideoWorker {
            track,
            settings,
            encoders,
            sink,
            ..
        } = &mut self.worker;
        tracing::warn!(track, %error, "encoder failed, trying the next one");
        self.segmenter.abort(&mut **sink);
        self.captures.clear();
        encoders.retain(|name| name != self.encoder.name());
        self.encoder = VideoEncoder::open_first(settings, encoders, track, &mut Vec::new())?;
        sink.init(self.encoder.init());
        Ok(())
    }

    fn drain(&mut self) {
        while let Some(coded) = self.encoder.pop() {
            while self.captures.len() > 1 && self.captures.front().is_some_and(|(at, _)| *at < coded.index) {
                self.captures.pop_front();
            }
            let captured = self.captures.front().map_or(Utc(0), |(_, captured)| *captured);
            self.worker.stats.encoded(coded.data.len());
            let sample = Sample {
                index: coded.index,
                data: coded.data,
                key: coded.key,
                captured,
            };
            if let Err(error) = self.segmenter.push(sample, &mut *self.worker.sink) {
                // The segmenter has given the segment up and goes on with the next one.
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
            stats,
            mut sink,
        } = self;
        let mut segmenter = Segmenter::new(TrackGrid::Audio(grid));
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
                AudioMessage::End { aac_frame } => segmenter.end_at(aac_frame),
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
