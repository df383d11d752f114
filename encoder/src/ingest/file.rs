//! A file through FFmpeg's demuxers and decoders, looped without a gap and put onto the grid.

use std::{collections::VecDeque, path::Path, sync::Arc};

use ffmpeg_next::{
    ChannelLayout, Error as Ffmpeg, Packet, Rational, Stream, codec, decoder,
    format::{self, Pixel, Sample as Format, sample::Type},
    frame, media,
    software::{resampling, scaling},
};

use super::{
    IngestError, Sound, Source,
    cues::{Cue, Cues},
    fill_sound,
};
use crate::{
    clock::{Grid, SAMPLE_RATE},
    pixel::{Picture, Size},
    splice::Heard,
};

/// Plays a file again and again. Its first picture is shown at the first frame asked for; each pass lasts as long as its
/// pictures do, and sound is trimmed or padded to that, so that the two never drift apart.
pub struct FileSource {
    path: String,
    grid: Grid,
    input: format::context::Input,
    video: VideoTrack,
    audio: Option<AudioTrack>,
    stand_in: Sound,
    cues: Cues,
    /// Sections that nobody has asked for yet, with the pass that they came in.
    heard: VecDeque<(u64, Cue)>,
    /// First frame asked for, which shows the file's first picture.
    origin: Option<u64>,
    /// Last frame asked for.
    last: u64,
    /// Sample, from the origin, at which this pass through the file began.
    pass: u64,
    /// Time in the file, in nanoseconds, of the first picture.
    file_start: Option<i64>,
    failures: u32,
}

struct VideoTrack {
    index: usize,
    base: Rational,
    decoder: decoder::Video,
    /// Length of a picture in nanoseconds, by the container.
    nominal: i64,
    shape: Size,
    converter: Option<scaling::Context>,
    /// Decoded pictures with their time from the origin in nanoseconds.
    queue: VecDeque<(i64, Arc<Picture>)>,
    /// Time in the file, from its first picture, of the end of the last picture of this pass.
    end: i64,
}

struct AudioTrack {
    index: usize,
    base: Rational,
    decoder: decoder::Audio,
    resampler: Option<resampling::Context>,
    /// Samples, left and right in turn.
    queue: VecDeque<f32>,
    /// Sample, from the origin, after the last one in the queue.
    end: u64,
}

impl FileSource {
    /// Opens a file, or anything that FFmpeg can open and seek in.
    ///
    /// # Errors
    /// When it cannot be opened or has no picture.
    pub fn open(path: &str, grid: Grid, stand_in: Sound) -> Result<Self, IngestError> {
        let open = |error: Ffmpeg| IngestError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let input = format::input(Path::new(path)).map_err(open)?;
        let no_video = || IngestError::NoVideo {
            path: path.to_owned(),
        };
        let stream = input.streams().best(media::Type::Video).ok_or_else(no_video)?;
        let video = VideoTrack::open(&stream).map_err(open)?.ok_or_else(no_video)?;
        let audio = input
            .streams()
            .best(media::Type::Audio)
            .map(|stream| AudioTrack::open(&stream))
            .transpose();
        let audio = audio.map_err(open)?;
        let cues = Cues::of(&input);
        tracing::info!(
            path,
            size = %video.shape,
            picture_ms = video.nominal as f64 / 1e6,
            sound = audio.is_some(),
            splices = !cues.is_none(),
            "input opened"
        );
        Ok(Self {
            path: path.to_owned(),
            grid,
            input,
            video,
            audio,
            stand_in,
            cues,
            heard: VecDeque::new(),
            origin: None,
            last: 0,
            pass: 0,
            file_start: None,
            failures: 0,
        })
    }

    /// How many frames of a grid a file's pictures last for, by their packets: nothing is decoded.
    ///
    /// # Errors
    /// When it cannot be opened or read, or has no picture.
    pub fn frames(path: &str, grid: Grid) -> Result<u64, IngestError> {
        let open = |error: Ffmpeg| IngestError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let no_video = || IngestError::NoVideo {
            path: path.to_owned(),
        };
        let mut input = format::input(Path::new(path)).map_err(open)?;
        let stream = input.streams().best(media::Type::Video).ok_or_else(no_video)?;
        let (index, base) = (stream.index(), stream.time_base());
        let nominal = nominal(&stream);
        let (mut start, mut end) = (i64::MAX, i64::MIN);
        let mut packet = Packet::empty();
        // An error in the middle ends the file there, as it does when it is played.
        while packet.read(&mut input).is_ok() {
            let time = packet.pts().or_else(|| packet.dts());
            if let Some(time) = time.filter(|_| packet.stream() == index) {
                let time = nanos(time, base);
                let length = nanos(packet.duration(), base);
                start = start.min(time);
                end = end.max(time + if length > 0 { length } else { nominal });
            }
        }
        let length = u64::try_from(end.saturating_sub(start)).unwrap_or(0);
        if length == 0 {
            return Err(no_video());
        }
        let frames = u128::from(length) * u128::from(grid.fps()) + 500_000_000;
        Ok((frames / 1_000_000_000) as u64)
    }

    /// Reads and decodes one packet; at the end of the file, starts the next pass.
    fn step(&mut self) -> Result<(), IngestError> {
        let mut packet = Packet::empty();
        match packet.read(&mut self.input) {
            Ok(()) => {
                if let Some(cue) = self.cues.read(&packet) {
                    self.hear(cue);
                    return Ok(());
                }
                let result = if packet.stream() == self.video.index {
                    if let Some(pts) = packet.pts() {
                        self.cues.pictures_at(nanos(pts, self.video.base));
                    }
                    self.video.decoder.send_packet(&packet)
                } else if let Some(audio) = self.audio.as_mut().filter(|audio| audio.index == packet.stream())
                {
                    audio.decoder.send_packet(&packet)
                } else {
                    Ok(())
                };
                // A broken packet costs its picture, not the channel.
                if let Err(error) = result {
                    tracing::debug!(path = self.path, %error, "packet not decoded");
                }
                self.collect();
                Ok(())
            }
            Err(Ffmpeg::Eof) => self.next_pass(),
            Err(error) => {
                self.failures += 1;
                if self.failures > MAX_FAILURES {
                    return Err(self.failed(&error));
                }
                self.next_pass()
            }
        }
    }

    fn hear(&mut self, cue: Cue) {
        self.heard.push_back((self.pass, cue));
        if self.heard.len() > MAX_HEARD {
            self.heard.pop_front();
        }
    }

    fn collect(&mut self) {
        let mut picture = frame::Video::empty();
        while self.video.decoder.receive_frame(&mut picture).is_ok() {
            let time = picture.timestamp().map_or_else(
                || self.video.end + self.file_start.unwrap_or_default(),
                |pts| nanos(pts, self.video.base),
            );
            let start = *self.file_start.get_or_insert(time);
            self.failures = 0;
            if let Err(error) = self.video.take(&picture, time - start, self.pass) {
                tracing::warn!(path = self.path, %error, "picture not converted");
            }
        }
        let Some(audio) = &mut self.audio else { return };
        // Sound that comes before the first picture has no place yet; containers hold little of it.
        let Some(start) = self.file_start else { return };
        let mut sound = frame::Audio::empty();
        while audio.decoder.receive_frame(&mut sound).is_ok() {
            let time = sound.timestamp().map(|pts| nanos(pts, audio.base) - start);
            if let Err(error) = audio.take(&mut sound, time, self.pass) {
                tracing::warn!(path = self.path, %error, "sound not converted");
            }
        }
    }

    fn next_pass(&mut self) -> Result<(), IngestError> {
        // What the decoders still hold belongs to this pass; an error only says that they hold nothing.
        let _ = self.video.decoder.send_eof();
        if let Some(audio) = &mut self.audio {
            let _ = audio.decoder.send_eof();
        }
        self.collect();
        let length = samples(self.video.end);
        if length == 0 {
            return Err(IngestError::NoVideo {
                path: self.path.clone(),
            });
        }
        let end = self.pass + length;
        if let Some(audio) = &mut self.audio {
            audio.finish_pass(end);
        }
        self.pass = end;
        self.video.end = 0;
        self.video.decoder.flush();
        if let Some(audio) = &mut self.audio {
            audio.decoder.flush();
        }
        if self.input.seek(0, ..).is_err() {
            self.input = format::input(Path::new(&self.path)).map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    fn failed(&self, error: &Ffmpeg) -> IngestError {
        IngestError::Read {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

impl Source for FileSource {
    fn shape(&self) -> Size {
        self.video.shape
    }

    fn picture(&mut self, frame: u64) -> Result<Arc<Picture>, IngestError> {
        let origin = *self.origin.get_or_insert(frame);
        self.last = frame;
        let due = self.grid.time(frame.saturating_sub(origin)).0 as i64 + EARLY;
        // The picture is known to be the right one when the next one is too late.
        while self.video.queue.back().is_none_or(|(time, _)| *time <= due) {
            self.step()?;
            self.video.forget_before(due);
        }
        self.video.forget_before(due);
        let picture = self.video.queue.front().map(|(_, picture)| Arc::clone(picture));
        picture.ok_or_else(|| IngestError::NoVideo {
            path: self.path.clone(),
        })
    }

    fn sound(&mut self, first: u64, out: &mut [f32]) -> Result<(), IngestError> {
        let origin = self.origin.map(|frame| self.grid.sample_of(frame));
        let (Some(origin), true) = (origin, self.audio.is_some()) else {
            fill_sound(self.stand_in, first, out);
            return Ok(());
        };
        let before = (origin.saturating_sub(first) as usize * 2).min(out.len());
        let (silent, out) = out.split_at_mut(before);
        silent.fill(0.0);
        let from = first.max(origin) - origin;
        let to = from + out.len() as u64 / 2;
        while self.audio.as_ref().is_some_and(|audio| audio.end < to) {
            if self.video.queue.len() > MAX_PICTURES {
                // The file's sound lies too far behind its picture to wait for: it is silent here.
                if let Some(audio) = &mut self.audio {
                    audio.pad_to(to);
                }
                break;
            }
            self.step()?;
        }
        if let Some(audio) = &mut self.audio {
            audio.read(from, out);
        }
        Ok(())
    }

    /// The picture last given is the one at `frame`. What is decoded already stays: it is counted from the origin, which
    /// moves.
    fn resume_at(&mut self, frame: u64) {
        if let Some(origin) = &mut self.origin {
            let shown = self.last.saturating_sub(*origin);
            *origin = frame.saturating_sub(shown);
            self.last = frame;
        }
    }

    fn splices(&mut self) -> Vec<Heard> {
        let (Some(origin), Some(start)) = (self.origin, self.file_start) else {
            return Vec::new();
        };
        // The first frame at which the picture of that time is shown.
        let frame = |time: i64| {
            let due = u64::try_from(time - EARLY).unwrap_or(0);
            let frames = (u128::from(due) * u128::from(self.grid.fps())).div_ceil(1_000_000_000);
            origin + frames as u64
        };
        let heard = self.heard.drain(..).map(|(pass, cue)| Heard {
            section: cue.section,
            frame: cue.time.map(|time| frame(pass_nanos(pass) + time - start)),
        });
        heard.collect()
    }
}

impl VideoTrack {
    fn open(stream: &Stream<'_>) -> Result<Option<Self>, Ffmpeg> {
        let mut context = codec::Context::from_parameters(stream.parameters())?;
        context.set_threading(codec::threading::Config {
            count: 2,
            ..codec::threading::Config::kind(codec::threading::Type::Frame)
        });
        let decoder = context.decoder().video()?;
        if decoder.width() == 0 || decoder.height() == 0 {
            return Ok(None);
        }
        let nominal = nominal(stream);
        let aspect = decoder.aspect_ratio();
        let width = match (aspect.numerator(), aspect.denominator()) {
            (num, den) if num > 0 && den > 0 => {
                (u64::from(decoder.width()) * num as u64 / den as u64).clamp(1, 16_384) as u32
            }
            _ => decoder.width(),
        };
        let shape = Size {
            width,
            height: decoder.height(),
        };
        Ok(Some(Self {
            index: stream.index(),
            base: stream.time_base(),
            decoder,
            nominal,
            shape,
            converter: None,
            queue: VecDeque::new(),
            end: 0,
        }))
    }

    fn take(&mut self, frame: &frame::Video, time: i64, pass: u64) -> Result<(), Ffmpeg> {
        // Decoded sizes may be odd; 4:2:0 halves want even ones.
        let size = Size {
            width: (frame.width() & !1).max(2),
            height: (frame.height() & !1).max(2),
        };
        let fits = size.width == frame.width() && size.height == frame.height();
        let picture = if frame.format() == Pixel::YUV420P && fits {
            planar(frame, size)
        } else {
            let converter = match &mut self.converter {
                Some(converter) => converter,
                none => none.insert(scaling::Context::get(
                    frame.format(),
                    frame.width(),
                    frame.height(),
                    Pixel::YUV420P,
                    size.width,
                    size.height,
                    scaling::Flags::BILINEAR,
                )?),
            };
            converter.cached(
                frame.format(),
                frame.width(),
                frame.height(),
                Pixel::YUV420P,
                size.width,
                size.height,
                scaling::Flags::BILINEAR,
            );
            let mut converted = frame::Video::empty();
            converter.run(frame, &mut converted)?;
            planar(&converted, size)
        };
        self.end = self.end.max(time + self.nominal);
        self.queue
            .push_back((pass_nanos(pass) + time.max(0), Arc::new(picture)));
        Ok(())
    }

    /// Drops the pictures that were over before `due`, but keeps the one that is on air then.
    fn forget_before(&mut self, due: i64) {
        while self.queue.get(1).is_some_and(|(time, _)| *time <= due) {
            self.queue.pop_front();
        }
    }
}

impl AudioTrack {
    fn open(stream: &Stream<'_>) -> Result<Self, Ffmpeg> {
        let decoder = codec::Context::from_parameters(stream.parameters())?
            .decoder()
            .audio()?;
        Ok(Self {
            index: stream.index(),
            base: stream.time_base(),
            decoder,
            resampler: None,
            queue: VecDeque::new(),
            end: 0,
        })
    }

    fn take(&mut self, sound: &mut frame::Audio, time: Option<i64>, pass: u64) -> Result<(), Ffmpeg> {
        if sound.channel_layout().is_empty() {
            sound.set_channel_layout(ChannelLayout::default(i32::from(sound.channels())));
        }
        let resampled = self.resample(sound).or_else(|_| {
            // The sound changes its rate or its channels in the middle of the file: that wants a new resampler.
            self.resampler = None;
            self.resample(sound)
        })?;
        let mut pairs = interleaved(&resampled);
        if let Some(time) = time {
            let at = pass as i64 + time * i64::from(SAMPLE_RATE) / 1_000_000_000;
            let ahead = at - self.end as i64;
            if ahead > JITTER {
                self.pad_to(at as u64);
            } else if ahead < -JITTER {
                let skip = (ahead.unsigned_abs() as usize * 2).min(pairs.len());
                pairs = pairs.split_off(skip);
            }
        }
        self.end += pairs.len() as u64 / 2;
        self.queue.extend(pairs);
        self.forget_surplus();
        Ok(())
    }

    fn resample(&mut self, sound: &frame::Audio) -> Result<frame::Audio, Ffmpeg> {
        let resampler = match &mut self.resampler {
            Some(resampler) => resampler,
            none => none.insert(resampling::Context::get(
                sound.format(),
                sound.channel_layout(),
                sound.rate(),
                PACKED,
                ChannelLayout::STEREO,
                SAMPLE_RATE,
            )?),
        };
        let room = sound.samples() * SAMPLE_RATE as usize / sound.rate().max(1) as usize + 1024;
        let mut resampled = frame::Audio::new(PACKED, room, ChannelLayout::STEREO);
        resampler.run(sound, &mut resampled)?;
        Ok(resampled)
    }

    /// Makes the sound of a pass exactly as long as its pictures.
    fn finish_pass(&mut self, end: u64) {
        if let Some(mut resampler) = self.resampler.take() {
            let mut rest = frame::Audio::new(PACKED, 4096, ChannelLayout::STEREO);
            if resampler.flush(&mut rest).is_ok() {
                let pairs = interleaved(&rest);
                self.end += pairs.len() as u64 / 2;
                self.queue.extend(pairs);
            }
        }
        let surplus = (self.end.saturating_sub(end) as usize * 2).min(self.queue.len());
        self.queue.truncate(self.queue.len() - surplus);
        self.end -= surplus as u64 / 2;
        self.pad_to(end);
    }

    fn pad_to(&mut self, end: u64) {
        let missing = end.saturating_sub(self.end);
        let silence = (missing as usize * 2).min(MAX_SOUND);
        self.queue.extend(std::iter::repeat_n(0.0, silence));
        self.end += missing;
        self.forget_surplus();
    }

    /// A file whose sound nobody takes, or whose times leap, must not fill the memory: the oldest sound goes.
    fn forget_surplus(&mut self) {
        let surplus = self.queue.len().saturating_sub(MAX_SOUND);
        self.queue.drain(..surplus);
    }

    /// Copies the samples from `from` on and forgets what lies before the end of the copy. Sound that is gone already is
    /// silence.
    fn read(&mut self, from: u64, out: &mut [f32]) {
        let start = self.end - self.queue.len() as u64 / 2;
        let gone = (start.saturating_sub(from) as usize * 2).min(out.len());
        let (silent, out) = out.split_at_mut(gone);
        silent.fill(0.0);
        let skip = (from.saturating_sub(start) as usize * 2).min(self.queue.len());
        self.queue.drain(..skip);
        let count = out.len().min(self.queue.len());
        for (to, from) in out.iter_mut().zip(self.queue.drain(..count)) {
            *to = from;
        }
        out[count..].fill(0.0);
    }
}

/// Samples of a packed stereo frame. The frame's own count is what the resampler filled.
fn interleaved(frame: &frame::Audio) -> Vec<f32> {
    let bytes = frame.data(0).get(..frame.samples() * 8).unwrap_or(&[]);
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|sample| f32::from_ne_bytes(*sample))
        .collect()
}

fn planar(frame: &frame::Video, size: Size) -> Picture {
    let mut picture = Picture::black(size);
    for plane in 0..3 {
        let (from, to) = (frame.stride(plane), picture.stride(plane));
        let rows = frame.data(plane).chunks(from);
        for (to, from) in picture.plane_mut(plane).chunks_exact_mut(to).zip(rows) {
            to.copy_from_slice(&from[..to.len()]);
        }
    }
    picture
}

/// Length of a picture in nanoseconds, by the container.
fn nominal(stream: &Stream<'_>) -> i64 {
    let rate = stream.avg_frame_rate();
    if rate.numerator() > 0 {
        1_000_000_000 * i64::from(rate.denominator()) / i64::from(rate.numerator())
    } else {
        40_000_000
    }
}

fn nanos(pts: i64, base: Rational) -> i64 {
    let scaled = i128::from(pts) * 1_000_000_000 * i128::from(base.numerator());
    (scaled / i128::from(base.denominator().max(1))) as i64
}

/// Nanoseconds to samples, rounded.
fn samples(nanos: i64) -> u64 {
    ((i128::from(nanos.max(0)) * i128::from(SAMPLE_RATE) + 500_000_000) / 1_000_000_000) as u64
}

fn pass_nanos(pass: u64) -> i64 {
    (u128::from(pass) * 1_000_000_000 / u128::from(SAMPLE_RATE)) as i64
}

const PACKED: Format = Format::F32(Type::Packed);
/// How much earlier than its time, in nanoseconds, a picture may be shown: containers round to their own clock.
const EARLY: i64 = 2_000_000;
/// How far, in samples, sound may stand off its time before it is moved: 5 ms.
const JITTER: i64 = 240;
/// Decoded pictures kept while waiting for sound.
const MAX_PICTURES: usize = 100;
/// Values of decoded sound kept while waiting for pictures: 30 s of left and right.
const MAX_SOUND: usize = 30 * 2 * SAMPLE_RATE as usize;
/// Sections kept until they are asked for.
const MAX_HEARD: usize = 64;
/// Passes in a row that end in an error without one picture.
const MAX_FAILURES: u32 = 10;
