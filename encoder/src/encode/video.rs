//! One H.264 encoder at one size.

use std::collections::VecDeque;

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, color, encoder, format::Pixel, frame, picture};

use super::{CANDIDATES, Candidate, Coded, EncodeError, Input, ffmpeg_error, init};
use crate::{
    clock::{Grid, VIDEO_TIMESCALE},
    cmaf::annexb,
    ffi::{VaapiPool, set_rate_buffer},
    pixel::{Picture, Size},
};

/// What a rung asks of its encoder.
#[derive(Clone, Debug)]
pub struct VideoSettings {
    /// Size of the coded picture.
    pub size: Size,
    /// Bit rate in bit/s: average and, over one second, maximum.
    pub bit_rate: u32,
    /// The channel's grid.
    pub grid: Grid,
    /// libx264's preset.
    pub preset: String,
}

/// An opened encoder. It makes an IDR where told to and nowhere else, and no B frames, so that samples come out in the
/// order of their indices.
pub struct VideoEncoder {
    encoder: encoder::video::Encoder,
    candidate: &'static Candidate,
    pool: Option<VaapiPool>,
    init: Bytes,
    base: Option<u64>,
    ready: VecDeque<Coded>,
}

impl std::fmt::Debug for VideoEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoEncoder")
            .field("name", &self.candidate.name)
            .finish_non_exhaustive()
    }
}

impl VideoEncoder {
    /// Opens the first of the named candidates that really opens at this size and pixel format. The choice is logged, and
    /// so is every failure with its reason, unless it is in `known`: rungs mostly fail alike.
    ///
    /// # Errors
    /// When none opens.
    pub fn open_first(
        settings: &VideoSettings,
        names: &[String],
        track: &str,
        known: &mut Vec<String>,
    ) -> Result<Self, EncodeError> {
        let opened = Self::open_alike(settings, names, track, known, 1)?;
        opened.into_iter().next().ok_or_else(|| no_encoder(track, ""))
    }

    /// Opens so many encoders that are all the same candidate and give the same header, so that what they make of like
    /// pictures is like: the first candidate of which as many open.
    ///
    /// # Errors
    /// When there is none.
    pub fn open_alike(
        settings: &VideoSettings,
        names: &[String],
        track: &str,
        known: &mut Vec<String>,
        count: usize,
    ) -> Result<Vec<Self>, EncodeError> {
        let mut reasons = Vec::new();
        for name in names {
            let Some(candidate) = CANDIDATES.iter().find(|candidate| candidate.name == name) else {
                continue;
            };
            let opened: Result<Vec<_>, _> = (0..count).map(|_| Self::open(settings, candidate)).collect();
            let opened = opened.and_then(|encoders| {
                let is_alike = encoders.windows(2).all(|pair| match pair {
                    [one, other] => one.init == other.init,
                    _ => true,
                });
                if is_alike {
                    Ok(encoders)
                } else {
                    Err(EncodeError::Ffmpeg {
                        what: format!("use {name} for variants"),
                        reason: "it gives each a header of its own".to_owned(),
                    })
                }
            });
            match opened {
                Ok(encoders) => {
                    tracing::info!(track, encoder = name, variants = count, size = %settings.size, bit_rate = settings.bit_rate, "encoder chosen");
                    return Ok(encoders);
                }
                Err(error) => {
                    let reason = error.to_string();
                    if !known.contains(&reason) {
                        tracing::info!(
                            track,
                            encoder = name,
                            reason,
                            needs = candidate.needs,
                            "encoder not available"
                        );
                        known.push(reason.clone());
                    }
                    reasons.push(reason);
                }
            }
        }
        Err(no_encoder(track, &reasons.join(", ")))
    }

    /// Opens one candidate.
    ///
    /// # Errors
    /// When FFmpeg lacks the encoder, or the encoder its hardware, or the settings do not suit it.
    pub fn open(settings: &VideoSettings, candidate: &'static Candidate) -> Result<Self, EncodeError> {
        let open_error = || ffmpeg_error(format!("open {}", candidate.name));
        let codec = encoder::find_by_name(candidate.name)
            .ok_or(ffmpeg_next::Error::EncoderNotFound)
            .map_err(open_error())?;
        let mut video = codec::Context::new_with_codec(codec)
            .encoder()
            .video()
            .map_err(open_error())?;
        video.set_width(settings.size.width);
        video.set_height(settings.size.height);
        video.set_format(match candidate.input {
            Input::Planar => Pixel::YUV420P,
            Input::SemiPlanar => Pixel::NV12,
            Input::Vaapi => Pixel::VAAPI,
        });
        let fps = settings.grid.fps() as i32;
        video.set_time_base(Rational(1, fps));
        video.set_frame_rate(Some(Rational(fps, 1)));
        video.set_aspect_ratio(Rational(1, 1));
        video.set_bit_rate(settings.bit_rate as usize);
        video.set_max_bit_rate(settings.bit_rate as usize);
        set_rate_buffer(&mut video, settings.bit_rate.min(i32::MAX as u32) as i32);
        // We ask for every IDR ourselves; hardware encoders take an infinite GOP badly, so theirs is a segment.
        let gop = if candidate.name == "libx264" {
            1 << 20
        } else {
            settings.grid.segment_frames()
        };
        video.set_gop(gop);
        video.set_max_b_frames(0);
        video.set_colorspace(color::Space::BT709);
        video.set_color_range(color::Range::MPEG);
        video.set_color_primaries(color::Primaries::BT709);
        video.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        video.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::CLOSED_GOP);
        let pool = match candidate.input {
            Input::Vaapi => Some(VaapiPool::attach(&mut video, settings.size).map_err(open_error())?),
            _ => None,
        };
        let mut options = Dictionary::new();
        for (key, value) in (candidate.options)(settings) {
            options.set(key, &value);
        }
        let encoder = video.open_with(options).map_err(open_error())?;
        let init = init::segment(&encoder, VIDEO_TIMESCALE, settings.bit_rate)?;
        Ok(Self {
            encoder,
            candidate,
            pool,
            init,
            base: None,
            ready: VecDeque::new(),
        })
    }

    /// FFmpeg's name of the encoder.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.candidate.name
    }

    /// The CMAF header of this track.
    #[must_use]
    pub fn init(&self) -> Bytes {
        self.init.clone()
    }

    /// Encodes one frame of the grid, as an IDR if asked to. Frames come in rising order.
    ///
    /// # Errors
    /// When the encoder fails, which hardware may do at any time.
    pub fn encode(&mut self, picture: &Picture, index: u64, idr: bool) -> Result<(), EncodeError> {
        let base = *self.base.get_or_insert(index);
        let mut frame = self.frame(picture);
        frame.set_pts(i64::try_from(index.saturating_sub(base)).ok());
        // An encoder obeys the type that a frame carries: it must be said anew for each.
        frame.set_kind(if idr {
            picture::Type::I
        } else {
            picture::Type::None
        });
        let failed = || ffmpeg_error(format!("encode with {}", self.candidate.name));
        let frame = match &self.pool {
            Some(pool) => pool.upload(&frame).map_err(failed())?,
            None => frame,
        };
        self.encoder.send_frame(&frame).map_err(failed())?;
        self.collect();
        Ok(())
    }

    /// Asks for what the encoder still holds; nothing can be encoded after.
    pub fn finish(&mut self) {
        if self.encoder.send_eof().is_ok() {
            self.collect();
        }
    }

    /// The next coded frame that is ready.
    pub fn pop(&mut self) -> Option<Coded> {
        self.ready.pop_front()
    }

    fn collect(&mut self) {
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let (Some(data), Some(pts)) = (packet.data(), packet.pts()) else {
                continue;
            };
            let data = Bytes::from(annexb::to_length_prefixed(data));
            let key = annexb::is_idr(&data);
            let index = self.base.unwrap_or_default() + u64::try_from(pts).unwrap_or_default();
            self.ready.push_back(Coded { index, data, key });
        }
    }

    fn frame(&self, picture: &Picture) -> frame::Video {
        let Size { width, height } = picture.size();
        let format = if self.candidate.input == Input::Planar {
            Pixel::YUV420P
        } else {
            Pixel::NV12
        };
        let mut frame = frame::Video::new(format, width, height);
        frame.set_color_range(color::Range::MPEG);
        frame.set_color_space(color::Space::BT709);
        let planes = if format == Pixel::NV12 { 1 } else { 3 };
        for plane in 0..planes {
            let (from, to) = (picture.stride(plane), frame.stride(plane));
            for (to, from) in frame
                .data_mut(plane)
                .chunks_mut(to)
                .zip(picture.plane(plane).chunks_exact(from))
            {
                to[..from.len()].copy_from_slice(from);
            }
        }
        if format == Pixel::NV12 {
            let (from, to) = (picture.stride(1), frame.stride(1));
            let blue = picture.plane(1).chunks_exact(from);
            let rows = blue.zip(picture.plane(2).chunks_exact(from));
            for (to, (blue, red)) in frame.data_mut(1).chunks_mut(to).zip(rows) {
                for (pair, (blue, red)) in to.chunks_exact_mut(2).zip(blue.iter().zip(red)) {
                    pair.copy_from_slice(&[*blue, *red]);
                }
            }
        }
        frame
    }
}

fn no_encoder(track: &str, reasons: &str) -> EncodeError {
    EncodeError::NoEncoder {
        track: track.to_owned(),
        reasons: reasons.to_owned(),
    }
}
