//! The init segment of an opened encoder, through FFmpeg's own muxer.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Rational, codec, format};

use super::{EncodeError, ffmpeg_error};
use crate::cmaf::init::from_muxer;

/// Writes `ftyp` and `moov` for an opened encoder, with decode times in `timescale` ticks a second.
pub(crate) fn segment(context: &codec::Context, timescale: u32, bit_rate: u32) -> Result<Bytes, EncodeError> {
    let memory = Memory::default();
    let io = format::context::StreamIo::from_write_with_capacity(memory.clone(), 1 << 16)
        .map_err(ffmpeg_error("open a muxer in memory"))?;
    let mut output =
        format::output_to_stream(io, None, Some("mp4")).map_err(ffmpeg_error("open the mp4 muxer"))?;
    let mut stream = output
        .add_stream_with(context)
        .map_err(ffmpeg_error("describe the track to the muxer"))?;
    stream.set_time_base(Rational(1, timescale as i32));
    let mut options = Dictionary::new();
    options.set(
        "movflags",
        "cmaf+empty_moov+default_base_moof+skip_trailer+write_colr",
    );
    options.set("video_track_timescale", &timescale.to_string());
    drop(
        output
            .write_header_with(options)
            .map_err(ffmpeg_error("write the init segment"))?,
    );
    drop(output);
    let written = std::mem::take(&mut *memory.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(from_muxer(&written, bit_rate)?)
}

#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
