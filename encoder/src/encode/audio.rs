//! AAC on the epoch grid.

use std::collections::VecDeque;

use bytes::Bytes;
use ffmpeg_next::{
    ChannelLayout, Packet, Rational, codec, encoder,
    format::{Sample as Format, sample::Type},
    frame,
};

use super::{Coded, EncodeError, ffmpeg_error, init};
use crate::clock::{AAC_FRAME, SAMPLE_RATE};

/// AAC-LC, 48 kHz, stereo.
///
/// An AAC decoder puts out, for frame `n`, the sound that the encoder took in one frame earlier. FFmpeg's encoder
/// accounts for that in its packet times: the packet whose time is `A * 1024` decodes to exactly the samples of that
/// time. Indices given out here are those, so sound is heard at the instant that it was made, with nothing to trim and
/// no edit list. It costs that the packet of frame `A` is ready only when frame `A + 2` has been taken in.
pub struct AacEncoder {
    encoder: encoder::audio::Encoder,
    init: Bytes,
    base: Option<u64>,
    ready: VecDeque<Coded>,
}

impl std::fmt::Debug for AacEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AacEncoder").finish_non_exhaustive()
    }
}

impl AacEncoder {
    /// Opens FFmpeg's own AAC encoder at a bit rate in bit/s.
    ///
    /// # Errors
    /// When FFmpeg lacks it or refuses the bit rate.
    pub fn open(bit_rate: u32) -> Result<Self, EncodeError> {
        let codec = encoder::find_by_name("aac")
            .ok_or(ffmpeg_next::Error::EncoderNotFound)
            .map_err(ffmpeg_error("open aac"))?;
        let mut audio = codec::Context::new_with_codec(codec)
            .encoder()
            .audio()
            .map_err(ffmpeg_error("open aac"))?;
        audio.set_rate(SAMPLE_RATE as i32);
        audio.set_channel_layout(ChannelLayout::STEREO);
        audio.set_channels(2);
        audio.set_format(FORMAT);
        audio.set_bit_rate(bit_rate as usize);
        audio.set_time_base(Rational(1, SAMPLE_RATE as i32));
        audio.set_flags(codec::Flags::GLOBAL_HEADER);
        let encoder = audio.open().map_err(ffmpeg_error("open aac"))?;
        let init = init::segment(&encoder, SAMPLE_RATE, bit_rate)?;
        Ok(Self {
            encoder,
            init,
            base: None,
            ready: VecDeque::new(),
        })
    }

    /// The CMAF header of this track.
    #[must_use]
    pub fn init(&self) -> Bytes {
        self.init.clone()
    }

    /// Encodes the samples of AAC frame `index`: 1024 pairs of left and right. Frames come without gaps.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn encode(&mut self, samples: &[f32], index: u64) -> Result<(), EncodeError> {
        let base = *self.base.get_or_insert(index);
        let mut frame = frame::Audio::new(FORMAT, AAC_FRAME as usize, ChannelLayout::STEREO);
        frame.set_rate(SAMPLE_RATE);
        for channel in 0..2 {
            let from = samples.iter().skip(channel).step_by(2);
            frame
                .plane_mut::<f32>(channel)
                .iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = *from);
        }
        frame.set_pts(i64::try_from(index.saturating_sub(base) * u64::from(AAC_FRAME)).ok());
        self.encoder
            .send_frame(&frame)
            .map_err(ffmpeg_error("encode sound"))?;
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let (Some(data), Some(pts)) = (packet.data(), packet.pts()) else {
                continue;
            };
            // The priming packet lies one frame before the first sample.
            let frames = pts.div_euclid(i64::from(AAC_FRAME));
            let Some(index) = base.checked_add_signed(frames) else {
                continue;
            };
            self.ready.push_back(Coded {
                index,
                data: Bytes::copy_from_slice(data),
                key: true,
            });
        }
        Ok(())
    }

    /// The next coded frame that is ready.
    pub fn pop(&mut self) -> Option<Coded> {
        self.ready.pop_front()
    }
}

const FORMAT: Format = Format::F32(Type::Planar);
