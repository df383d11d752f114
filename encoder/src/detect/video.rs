//! Pictures of a file, decoded and brought down to small luma.

use std::path::Path;

use ffmpeg_next::{
    Error as Ffmpeg, Packet, Rational, codec, decoder,
    format::{self, Pixel},
    frame, media,
    software::scaling,
};

use super::{DetectError, plane::Plane};

/// A picture and the second of the file's time at which it is shown.
pub(super) type Timed = (f64, Plane);

/// Reads a file's pictures in order.
pub(super) struct Reader {
    path: String,
    input: format::context::Input,
    index: usize,
    base: Rational,
    decoder: decoder::Video,
    scaler: Option<scaling::Context>,
    width: u32,
    height: u32,
    shape: (u32, u32),
    is_over: bool,
    failures: u32,
}

impl Reader {
    /// Opens a file whose pictures are wanted `width` pixels wide, and as high as keeps their shape: a multiple of eight.
    pub(super) fn open(path: &Path, width: u32) -> Result<Self, DetectError> {
        let name = path.display().to_string();
        let failed = |error: Ffmpeg| DetectError::Open {
            path: name.clone(),
            reason: error.to_string(),
        };
        let input = format::input(path).map_err(failed)?;
        let stream = input
            .streams()
            .best(media::Type::Video)
            .ok_or_else(|| DetectError::NoVideo { path: name.clone() })?;
        let (index, base) = (stream.index(), stream.time_base());
        let mut context = codec::Context::from_parameters(stream.parameters()).map_err(failed)?;
        context.set_threading(codec::threading::Config {
            count: 0,
            ..codec::threading::Config::kind(codec::threading::Type::Frame)
        });
        let decoder = context.decoder().video().map_err(failed)?;
        let (columns, rows) = (
            f64::from(decoder.width().max(1)),
            f64::from(decoder.height().max(1)),
        );
        let aspect = decoder.aspect_ratio();
        let stretch = if aspect.numerator() > 0 && aspect.denominator() > 0 {
            f64::from(aspect.numerator()) / f64::from(aspect.denominator())
        } else {
            1.0
        };
        let height = f64::from(width) * rows / (columns * stretch) / 8.0;
        let height = (height.round() as u32).clamp(1, 128) * 8;
        Ok(Self {
            path: name,
            input,
            index,
            base,
            decoder,
            scaler: None,
            width,
            height,
            shape: ((columns * stretch).round() as u32, rows as u32),
            is_over: false,
            failures: 0,
        })
    }

    /// The size of the pictures as they are coded.
    pub(super) fn coded(&self) -> (u32, u32) {
        (self.decoder.width(), self.decoder.height())
    }

    /// The size of the pictures as they are shown.
    pub(super) const fn shape(&self) -> (u32, u32) {
        self.shape
    }

    /// The first picture that is shown at a time or later; nothing at the end.
    pub(super) fn until(&mut self, time: f64) -> Result<Option<Timed>, DetectError> {
        loop {
            match self.next()? {
                Some((shown, _)) if shown < time => {}
                other => return Ok(other),
            }
        }
    }

    /// The next picture; nothing at the end. Broken packets cost their pictures.
    pub(super) fn next(&mut self) -> Result<Option<Timed>, DetectError> {
        let mut picture = frame::Video::empty();
        loop {
            if self.decoder.receive_frame(&mut picture).is_ok() {
                self.failures = 0;
                let Some(time) = picture.timestamp() else { continue };
                let time =
                    time as f64 * f64::from(self.base.numerator()) / f64::from(self.base.denominator());
                return self.luma(&picture).map(|plane| Some((time, plane)));
            }
            if self.is_over {
                return Ok(None);
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.index => {
                    // A broken packet costs its picture, not the recording.
                    let _ = self.decoder.send_packet(&packet);
                }
                Ok(()) => {}
                Err(Ffmpeg::Eof) => self.end(),
                Err(error) => {
                    self.failures += 1;
                    if self.failures > MAX_FAILURES {
                        tracing::warn!(path = self.path, %error, "the file is read no further");
                        self.end();
                    }
                }
            }
        }
    }

    /// Asks the decoder for what it still holds; an error only says that it holds nothing.
    fn end(&mut self) {
        self.is_over = true;
        let _ = self.decoder.send_eof();
    }

    fn luma(&mut self, picture: &frame::Video) -> Result<Plane, DetectError> {
        let failed = |error: Ffmpeg| DetectError::Open {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let (from, wide, high) = (picture.format(), picture.width(), picture.height());
        let scaler = match &mut self.scaler {
            Some(scaler) => scaler,
            none => none.insert(
                scaling::Context::get(
                    from,
                    wide,
                    high,
                    Pixel::GRAY8,
                    self.width,
                    self.height,
                    scaling::Flags::AREA,
                )
                .map_err(failed)?,
            ),
        };
        scaler.cached(
            from,
            wide,
            high,
            Pixel::GRAY8,
            self.width,
            self.height,
            scaling::Flags::AREA,
        );
        let mut small = frame::Video::empty();
        scaler.run(picture, &mut small).map_err(failed)?;
        let (width, height) = (self.width as usize, self.height as usize);
        let rows = small.data(0).chunks(small.stride(0)).take(height);
        let data = rows.flat_map(|row| row[..width].iter().map(|luma| f32::from(*luma)));
        Ok(Plane::new(width, height, data.collect()))
    }
}

/// Errors in a row after which a file is taken to be at its end.
const MAX_FAILURES: u32 = 100;
