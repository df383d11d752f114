//! The conductor: asks the source for each frame of the grid when it is due and hands it to every track's thread.

mod report;
mod splices;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    clock::{AAC_FRAME, Grid, Pace, Pacer, SAMPLE_RATE, TrackGrid, Utc},
    cmaf::{Marking, Sink},
    config::{Config, InputKind, Rung},
    control::Command,
    encode::{
        AacEncoder, AudioMessage, AudioWorker, EncodeError, Lane, VideoEncoder, VideoMessage, VideoSettings,
        VideoWorker, segmenter,
    },
    ingest::{FileSource, IngestError, Source, TestSource},
    pixel::{Mark, Size},
    splice::Splicer,
    stats::TrackStats,
};
use report::Report;
use selvedge_watermark::pace::{B_FOLDER, Variant};
use splices::Splices;

/// Where the conductor has its time from.
pub trait Clock {
    /// UTC now.
    fn now(&self) -> Utc;

    /// Returns after about so long, or earlier.
    fn wait(&self, time: Duration);

    /// Whether time passes by itself, so that a frame that comes too late must be left out.
    fn is_real(&self) -> bool;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Utc {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Utc(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn wait(&self, time: Duration) {
        // In slices, so that a stop, or a step of the machine's clock, is noticed soon.
        thread::sleep(time.min(Duration::from_millis(50)));
    }

    fn is_real(&self) -> bool {
        true
    }
}

/// One track's way out: its counters and its sink.
pub struct Output {
    /// Counters, named after the track.
    pub stats: Arc<TrackStats>,
    /// Where its objects go.
    pub sink: Box<dyn Sink>,
}

/// Why a channel stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The source gives nothing any more.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// No encoder is left.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread broke down.
    #[error("the thread of {0} broke down")]
    Panicked(String),
}

/// Names of a channel's tracks, the sound last, with their MIME types: an [`Output`] is needed for each, in this order.
/// Variant B of a watermarked rendition follows its variant A and is called `<rendition>/b`; it gets no init segment, for
/// it is that of variant A.
#[must_use]
pub fn tracks(config: &Config) -> Vec<(String, &'static str)> {
    let mut tracks = Vec::new();
    for (name, _) in &config.ladder {
        tracks.push((name.clone(), "video/mp4"));
        if config.mark_of(name).is_some() {
            tracks.push((format!("{name}/{B_FOLDER}"), "video/mp4"));
        }
    }
    tracks.push(("audio".to_owned(), "audio/mp4"));
    tracks
}

/// Opens the source that a configuration names.
///
/// # Errors
/// When the input cannot be opened.
pub fn open_source(config: &Config) -> Result<Box<dyn Source>, IngestError> {
    Ok(match &config.input {
        InputKind::Test => Box::new(TestSource::new(
            largest(config),
            config.grid,
            &config.name,
            config.sound,
        )),
        InputKind::File(path) => Box::new(FileSource::open(path, config.grid, config.sound)?),
    })
}

/// Runs a channel until `stop` is set, the configured duration is over, or nothing can go on. Starts at the next segment
/// boundary; ends at a chunk boundary, with the last segment marked as such.
///
/// # Errors
/// When the source or the last encoder fails; what was encoded until then has been handed out.
pub fn run(
    config: &Config,
    outputs: Vec<Output>,
    clock: &dyn Clock,
    stop: &AtomicBool,
) -> Result<(), PipelineError> {
    run_with(config, outputs, clock, stop, None)
}

/// Runs a channel as [`run`] does, and takes splices from a control door's queue.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    config: &Config,
    outputs: Vec<Output>,
    clock: &dyn Clock,
    stop: &AtomicBool,
    commands: Option<&Receiver<Command>>,
) -> Result<(), PipelineError> {
    let mut source = open_source(config)?;
    let stats: Vec<_> = outputs.iter().map(|output| Arc::clone(&output.stats)).collect();
    let (tracks, threads) = start(config, outputs)?;
    let mut conductor = Conductor::new(config, tracks, stats, clock);
    conductor.splices = Splices::new(Splicer::new(config.grid), commands);
    let result = conductor.run(&mut *source, stop);
    drop(conductor);
    join(threads, result)
}

/// Encodes the first `frames` frames of a source, from the grid's first frame on and as fast as that goes.
///
/// # Errors
/// When the source or an encoder fails.
pub fn record(
    config: &Config,
    source: &mut dyn Source,
    outputs: Vec<Output>,
    frames: u64,
) -> Result<(), PipelineError> {
    let stats = outputs.iter().map(|output| Arc::clone(&output.stats)).collect();
    let (tracks, threads) = start(config, outputs)?;
    let mut conductor = Conductor::new(config, tracks, stats, &NoClock);
    let result = conductor.record(source, frames);
    drop(conductor);
    join(threads, result)
}

/// For what is not made while it is shown.
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Utc {
        Utc(0)
    }

    fn wait(&self, _: Duration) {}

    fn is_real(&self) -> bool {
        false
    }
}

fn join(threads: Vec<Thread>, result: Result<(), PipelineError>) -> Result<(), PipelineError> {
    let mut outcome = result;
    for (name, thread) in threads {
        let ended = match thread.join() {
            Ok(ended) => ended.map_err(PipelineError::from),
            Err(_) => Err(PipelineError::Panicked(name)),
        };
        // A track's own failure says more than the conductor's, which only found the track gone.
        if ended.is_err() {
            outcome = ended;
        }
    }
    outcome
}

type Thread = (String, JoinHandle<Result<(), EncodeError>>);

/// The conductor's ends of the tracks' queues.
struct Tracks {
    video: Vec<(SyncSender<VideoMessage>, Arc<TrackStats>)>,
    audio: Option<SyncSender<AudioMessage>>,
    /// The frame that is handed out, while time passes by itself.
    on_air: Arc<AtomicU64>,
}

fn start(config: &Config, outputs: Vec<Output>) -> Result<(Tracks, Vec<Thread>), PipelineError> {
    let mut tracks = Tracks {
        video: Vec::new(),
        audio: None,
        on_air: Arc::default(),
    };
    let mut threads = Vec::new();
    let mut known = Vec::new();
    let mut outputs = outputs.into_iter();
    for (name, rung) in &config.ladder {
        let settings = settings(config, *rung);
        let watermark = config.mark_of(name);
        let variants: &[Option<Variant>] = match watermark {
            Some(_) => &[Some(Variant::A), Some(Variant::B)],
            None => &[None],
        };
        let outputs: Vec<_> = outputs.by_ref().take(variants.len()).collect();
        let Some(stats) = outputs.first().map(|output| Arc::clone(&output.stats)) else {
            break;
        };
        // Opened here, so that a machine without any encoder is told so before anything runs.
        let encoders =
            VideoEncoder::open_alike(&settings, &config.encoders, name, &mut known, variants.len())?;
        let lanes = encoders.into_iter().zip(outputs).zip(variants);
        let lanes = lanes.map(|((encoder, output), variant)| {
            let mut segmenter = segmenter(TrackGrid::Video(config.grid), config.is_recording);
            if let (Some(variant), Some(watermark)) = (*variant, watermark) {
                segmenter = segmenter.marked(Marking {
                    variant,
                    carrier: watermark.carrier,
                });
            }
            Lane::new(encoder, segmenter, output.sink, output.stats)
        });
        let lanes: Vec<_> = lanes.collect();
        let (sender, messages) = sync_channel(VIDEO_QUEUE);
        tracks.video.push((sender, Arc::clone(&stats)));
        let mark = watermark
            .map(|watermark| Mark::new(rung.size, config.grid, watermark.key.clone(), watermark.strength));
        let worker = VideoWorker {
            track: name.clone(),
            settings,
            encoders: config.encoders.clone(),
            burn: config.burn,
            mark,
            on_air: Arc::clone(&tracks.on_air),
            stats,
        };
        let builder = thread::Builder::new().name(name.clone());
        threads.push((name.clone(), builder.spawn(move || worker.run(lanes, &messages))?));
    }
    if let Some(output) = outputs.next() {
        let encoder = AacEncoder::open(config.audio_bit_rate)?;
        let (sender, messages) = sync_channel(AUDIO_QUEUE);
        tracks.audio = Some(sender);
        let worker = AudioWorker {
            grid: config.grid,
            bit_rate: config.audio_bit_rate,
            is_recording: config.is_recording,
            stats: output.stats,
            sink: output.sink,
        };
        let builder = thread::Builder::new().name("audio".to_owned());
        threads.push((
            "audio".to_owned(),
            builder.spawn(move || worker.run(encoder, &messages))?,
        ));
    }
    Ok((tracks, threads))
}

fn settings(config: &Config, rung: Rung) -> VideoSettings {
    VideoSettings {
        size: rung.size,
        bit_rate: rung.bit_rate,
        grid: config.grid,
        preset: config.preset.clone(),
    }
}

pub(crate) fn largest(config: &Config) -> Size {
    let sizes = config.ladder.iter().map(|(_, rung)| rung.size);
    sizes
        .max_by_key(|size| u64::from(size.width) * u64::from(size.height))
        .unwrap_or(Size {
            width: 1280,
            height: 720,
        })
}

struct Conductor<'a> {
    grid: Grid,
    duration: Option<Duration>,
    tracks: Tracks,
    stats: Vec<Arc<TrackStats>>,
    clock: &'a dyn Clock,
    splices: Splices<'a>,
    /// Frame after the last one handed out.
    sent_to: u64,
    /// Sample after the last one handed out.
    sound_to: u64,
    report: Report,
}

impl<'a> Conductor<'a> {
    fn new(config: &Config, tracks: Tracks, stats: Vec<Arc<TrackStats>>, clock: &'a dyn Clock) -> Self {
        Self {
            grid: config.grid,
            duration: config.duration,
            tracks,
            report: Report::new(&stats, clock.now()),
            stats,
            clock,
            splices: Splices::new(Splicer::new(config.grid), None),
            sent_to: 0,
            sound_to: 0,
        }
    }

    fn run(&mut self, source: &mut dyn Source, stop: &AtomicBool) -> Result<(), PipelineError> {
        let pacer = Pacer::new(self.grid);
        let mut frame = self.next_segment_start(self.grid.frame_at(self.clock.now()) + 1);
        self.restart_sound(frame);
        let mut end = self.duration.map(|duration| {
            let frames = self.grid.frame_at(Utc(0).plus(duration)).max(1);
            self.grid.chunk_end(frame + frames)
        });
        if let Some(end) = end {
            self.announce_end(end);
        }
        let shape = source.shape();
        let mut picture = source.picture(frame)?;
        self.report = Report::new(&self.stats, self.grid.time(frame));
        while end.is_none_or(|end| frame < end) {
            if stop.load(Relaxed) && end.is_none_or(|end| end > self.grid.chunk_end(frame + 1)) {
                let soon = self.grid.chunk_end(frame + 1);
                tracing::info!(last_frame = soon - 1, "stopping at the end of this chunk");
                self.announce_end(soon);
                end = Some(soon);
            }
            self.splice(source, frame);
            match pacer.pace(frame, self.clock.now()) {
                Pace::Wait(time) => {
                    if stop.load(Relaxed) && time > self.frames(self.grid.chunk_frames()) {
                        // There is no chunk under way that would be whole soon.
                        self.announce_end(self.sent_to);
                        return Ok(());
                    }
                    if time > self.frames(self.grid.segment_frames() + self.grid.chunk_frames()) {
                        let start = self.go_back(frame, source);
                        end = end.map(|end| self.grid.chunk_end((start + end).saturating_sub(frame)));
                        if let Some(end) = end {
                            self.announce_end(end);
                        }
                        frame = start;
                        picture = source.picture(frame)?;
                        continue;
                    }
                    self.clock.wait(time);
                    continue;
                }
                Pace::Produce => {}
                Pace::Skip { to } => {
                    frame = self.skip(frame, end.map_or(to, |end| to.min(end - 1)), source);
                    picture = source.picture(frame)?;
                    continue;
                }
            }
            let captured = self.clock.now();
            self.send_picture(frame, &picture, shape, captured)?;
            self.sent_to = frame + 1;
            let late = captured.since(self.grid.time(frame));
            self.send_sound(source, frame, late)?;
            frame += 1;
            // The next picture is made now, while there is time, and waits for its instant.
            picture = source.picture(frame)?;
            self.report.at(captured, &self.stats);
        }
        Ok(())
    }

    fn record(&mut self, source: &mut dyn Source, frames: u64) -> Result<(), PipelineError> {
        self.announce_end(frames);
        let shape = source.shape();
        for frame in 0..frames {
            let picture = source.picture(frame)?;
            self.send_picture(frame, &picture, shape, self.grid.time(frame))?;
            self.send_sound(source, frame, Duration::ZERO)?;
        }
        Ok(())
    }

    fn frames(&self, count: u32) -> Duration {
        self.grid.time(u64::from(count)).since(Utc(0))
    }

    fn next_segment_start(&self, frame: u64) -> u64 {
        let segment = u64::from(self.grid.segment_frames());
        frame.div_ceil(segment) * segment
    }

    /// Sound starts with the frame, a little earlier for the encoder to settle.
    fn restart_sound(&mut self, frame: u64) {
        let aac_frame = self.grid.aac_frame_of(frame).saturating_sub(SETTLE);
        self.sound_to = Grid::audio_time(aac_frame);
    }

    /// Leaves out the frames up to `to`: the tracks repeat what they have. After a long hole they go on at a segment.
    fn skip(&mut self, frame: u64, to: u64, source: &mut dyn Source) -> u64 {
        let missed = to - frame;
        self.report.missed(missed);
        if missed <= u64::from(self.grid.segment_frames()) {
            return to;
        }
        let start = self.next_segment_start(to);
        self.restart_sound(start);
        source.resume_at(start);
        start
    }

    /// The next frame is too far off for a pause between frames: the clock was set back. The stream goes on at the next
    /// segment of the clock's new time, for with the old one the channel would be silent until that comes again.
    fn go_back(&mut self, frame: u64, source: &mut dyn Source) -> u64 {
        let now = self.clock.now();
        let start = self.next_segment_start(self.grid.frame_at(now) + 1);
        tracing::warn!(
            seconds = self.grid.time(frame).since(now).as_secs_f64(),
            "the clock was set back, going on at its new time"
        );
        self.restart_sound(start);
        source.resume_at(start);
        self.report = Report::new(&self.stats, now);
        start
    }

    fn announce_end(&self, end: u64) {
        for (track, _) in &self.tracks.video {
            // A track that is gone has its own error to tell.
            let _ = track.send(VideoMessage::End { frame: end });
        }
        if let Some(track) = &self.tracks.audio {
            let _ = track.send(AudioMessage::End { frame: end });
        }
    }

    fn send_picture(
        &self,
        frame: u64,
        picture: &Arc<crate::pixel::Picture>,
        shape: Size,
        captured: Utc,
    ) -> Result<(), PipelineError> {
        if self.clock.is_real() {
            self.tracks.on_air.store(frame, Relaxed);
        }
        for (track, stats) in &self.tracks.video {
            let message = VideoMessage::Frame {
                index: frame,
                picture: Arc::clone(picture),
                shape,
                captured,
            };
            let gone = if self.clock.is_real() {
                match track.try_send(message) {
                    Ok(()) => false,
                    Err(TrySendError::Full(_)) => {
                        stats.dropped(1);
                        false
                    }
                    Err(TrySendError::Disconnected(_)) => true,
                }
            } else {
                track.send(message).is_err()
            };
            if gone {
                return Err(PipelineError::Panicked(stats.name().to_owned()));
            }
        }
        Ok(())
    }

    /// Hands out the sound up to the end of a frame and what the encoder needs beyond it, so that sound and picture of a
    /// chunk are complete together.
    fn send_sound(
        &mut self,
        source: &mut dyn Source,
        frame: u64,
        late: Duration,
    ) -> Result<(), PipelineError> {
        let Some(track) = &self.tracks.audio else {
            return Ok(());
        };
        let to = self.grid.sample_of(frame + 1) + AHEAD;
        let first = self.sound_to;
        let mut samples = vec![0.0; to.saturating_sub(first) as usize * 2];
        source.sound(first, &mut samples)?;
        self.sound_to = to.max(first);
        let message = AudioMessage::Samples { first, samples, late };
        track
            .send(message)
            .map_err(|_| PipelineError::Panicked("audio".to_owned()))
    }
}

/// Pictures that may wait for an encoder while the machine is busy with other things. One picture in memory serves all
/// rungs.
const VIDEO_QUEUE: usize = 25;
const AUDIO_QUEUE: usize = 64;
/// AAC frames before the first one that is sent: the encoder's priming, and one to settle on.
const SETTLE: u64 = 2;
/// Samples beyond the end of a video frame that let the AAC encoder give out all that starts before it: two frames for
/// the encoder's delay, one for the frame that straddles the end.
const AHEAD: u64 = 3 * AAC_FRAME as u64;
const _: () = assert!(SAMPLE_RATE as u64 > AHEAD);
