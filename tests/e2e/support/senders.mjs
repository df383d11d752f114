// Encoders of several makes, each as its operator would start it, with pictures small enough for all of them to run
// side by side on two cores.
import * as paths from './paths.mjs';

const QUIET = ['-hide_banner', '-loglevel', 'warning'];
const PICTURE = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
const TONE = ['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
const VIDEO = [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-threads', '1'],
  ...['-g', '48', '-keyint_min', '48', '-sc_threshold', '0', '-b:v', '200k'],
];
const AUDIO = ['-c:a', 'aac', '-b:a', '64k'];
const CODECS = [...VIDEO, ...AUDIO];
const PICTURE_AND_TONE = [...QUIET, ...PICTURE, ...TONE];
/** Two renditions of the picture: what must be aligned between renditions shows. */
const LADDER = ['-map', '0:v', '-map', '0:v', '-map', '1:a', '-s:v:1', '192x108', ...CODECS];
const PUT = ['-method', 'PUT'];
const DASH = ['-f', 'dash', ...PUT, '-seg_duration', '1.92', '-window_size', '4', '-extra_window_size', '2'];
const lowLatency = (push) => [
  ...['-streaming', '1', '-ldash', '1', '-frag_type', 'duration', '-frag_duration', '0.32', '-use_timeline', '0'],
  // Without a clock to name, the muxer writes no reference times.
  ...['-target_latency', '3', '-write_prft', '1', '-utc_timing_url', new URL('/time', push).href],
];
const HLS = ['-f', 'hls', ...PUT, '-hls_time', '1.92', '-hls_segment_type', 'fmp4', '-hls_list_size', '4'];
/** One request carries the whole event: no segment begins or ends on the wire. */
const LONG = [
  ...['-f', 'mp4', '-movflags', 'cmaf+separate_moof+delay_moov+frag_every_frame+skip_trailer'],
  ...['-write_prft', 'wallclock'],
];

const ffmpeg = (...args) => ({ command: 'ffmpeg', args: args.flat() });

/**
 * GStreamer with a muxer for each track, which writes to one URL until it ends, through the given sink.
 */
function gstreamer(push, sink) {
  const muxer = ['!', 'mp4mux', 'fragment-duration=480', 'streamable=true', '!', ...sink];
  return {
    command: 'gst-launch-1.0',
    args: [
      // At an interrupt the pipeline ends its files.
      ...['-q', '-e', 'videotestsrc', 'is-live=true', '!'],
      ...['video/x-raw,width=320,height=180,framerate=25/1', '!', 'openh264enc', 'gop-size=48', 'bitrate=200000'],
      ...['!', 'h264parse', ...muxer, `location=${push}/Streams(video.cmfv)`],
      ...['audiotestsrc', 'is-live=true', 'samplesperbuffer=1024', '!'],
      ...['audio/x-raw,rate=48000,channels=2', '!', 'voaacenc', 'bitrate=64000', '!', 'aacparse'],
      ...[...muxer, `location=${push}/Streams(audio.cmfa)`],
    ],
  };
}

/**
 * How each sender is started.
 *
 * @type {Record<string, (push: string) => { command: string, args: string[] }>} `push` is a channel's publishing point
 */
export const SENDERS = {
  ours: (push) => ({
    command: paths.encoder(),
    args: ['test', '--push', push, '--ladder', '320x180@200k,192x108@100k', '--preset', 'ultrafast'],
  }),
  'ffmpeg-dash-low-latency': (push) =>
    ffmpeg(PICTURE_AND_TONE, LADDER, DASH, lowLatency(push), `${push}/manifest.mpd`),
  'ffmpeg-dash': (push) => ffmpeg(PICTURE_AND_TONE, LADDER, DASH, `${push}/manifest.mpd`),
  'ffmpeg-dash-persistent': (push) =>
    ffmpeg(PICTURE_AND_TONE, LADDER, DASH, '-http_persistent', '1', `${push}/manifest.mpd`),
  'ffmpeg-hls': (push) =>
    ffmpeg(
      ...[PICTURE_AND_TONE, LADDER, HLS, '-var_stream_map', 'v:0,agroup:a v:1,agroup:a a:0,agroup:a'],
      ...['-hls_fmp4_init_filename', 'init_%v.mp4', '-hls_segment_filename', `${push}/seg_%v_%05d.m4s`],
      ...['-master_pl_name', 'master.m3u8', `${push}/stream_%v.m3u8`],
    ),
  'ffmpeg-hls-muxed': (push) =>
    ffmpeg(
      ...[PICTURE_AND_TONE, '-map', '0:v', '-map', '1:a', CODECS, HLS],
      ...['-hls_segment_filename', `${push}/seg_%05d.m4s`, `${push}/stream.m3u8`],
    ),
  'ffmpeg-long-post': (push) =>
    ffmpeg(
      ...[PICTURE_AND_TONE, '-map', '0:v', VIDEO, LONG, `${push}/Streams(video.cmfv)`],
      ...['-map', '1:a', AUDIO, LONG, `${push}/Streams(audio.cmfa)`],
    ),
  'gstreamer-curl': (push) => gstreamer(push, ['curlhttpsink']),
  'gstreamer-soup': (push) => gstreamer(push, ['souphttpclientsink']),
};
