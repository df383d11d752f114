// Whether the media behind a playlist is what the playlist says of it.
import { readFragments, readInit } from './boxes.mjs';
import { codecsOf } from './hls-multivariant-rules.mjs';
import { roundingMs } from './hls-playlist.mjs';

/**
 * Fetches what a rendition listed and checks it.
 *
 * @param {import('./hls-history.mjs').RenditionHistory} history
 * @param {object} options
 * @param {(uri: string) => Promise<Buffer | null>} options.fetch a URI of the playlist; null where it is not there
 * @param {import('./findings.mjs').Findings} options.findings
 * @param {boolean} [options.independent] whether every segment says of itself that it starts with a key frame
 * @returns {Promise<{ init: ReturnType<typeof readInit> | null, peak: number, segments: number, parts: number,
 *   anchors: number[] }>} the peak bit rate of a segment; `anchors`: wall time of the media's zero, in ms, by segment
 */
export async function checkMedia(history, { fetch, findings, independent = false }) {
  if (history.last.playlist.iFramesOnly) return checkIFrames(history, { fetch, findings });
  const inits = new Map();
  const figures = { init: null, peak: 0, segments: 0, parts: 0, anchors: [] };
  const lengths = [];
  let before = null;
  const all = [...history.segments.values()].sort((a, b) => a.sequence - b.sequence);
  for (const segment of all) {
    if (segment.gap) {
      before = null;
      continue;
    }
    const where = `${history.uri} segment ${segment.sequence}`;
    const init = await initOf(segment, inits, fetch, findings, where);
    const bytes = await fetch(segment.uri);
    if (!bytes) findings.must('media-missing', where, `${segment.uri} cannot be had`);
    if (!bytes || !init) continue;
    figures.init = init;
    figures.segments += 1;
    lengths.push({ sequence: segment.sequence, bits: bytes.length * 8, duration: segment.duration });
    const measured = measure(bytes, init, findings, where);
    if (!measured) continue;
    checkDuration(segment, measured, init, findings, where);
    if ((independent || history.last.playlist.independentSegments) && !measured.sync && init.handler === 'vide') {
      findings.must('media-not-independent', where, 'the segment does not start with a key frame');
    }
    if (segment.time !== null) {
      figures.anchors.push({
        discontinuitySequence: segment.discontinuitySequence,
        anchor: segment.time - ((measured.start - init.mediaTime) / init.timescale) * 1_000,
      });
    }
    if (before && before.segment.sequence + 1 === segment.sequence && !segment.discontinuity) {
      checkFollows(before, { segment, measured, init }, findings, where);
    }
    before = { segment, measured, init };
    figures.parts += await checkParts(segment, bytes, init, fetch, findings, where);
  }
  checkAnchors(figures.anchors, history.uri, findings);
  figures.peak = peakOf(lengths, history.last.playlist.targetDuration);
  return figures;
}

/** The largest bit rate of any run of segments that lasts between 0.5 and 1.5 target durations (section 1). */
function peakOf(lengths, targetDuration) {
  let peak = 0;
  for (const [index, first] of lengths.entries()) {
    let [bits, duration] = [0, 0];
    for (const one of lengths.slice(index)) {
      if (one.sequence - first.sequence !== lengths.indexOf(one) - index) break;
      bits += one.bits;
      duration += one.duration;
      if (duration > 1.5 * targetDuration) break;
      if (duration >= 0.5 * targetDuration) peak = Math.max(peak, bits / duration);
    }
  }
  return peak;
}

/** I-frames: each segment starts with a key frame and has all of it, and lasts until the next one starts. */
async function checkIFrames(history, { fetch, findings }) {
  const inits = new Map();
  const figures = { init: null, peak: 0, segments: 0, parts: 0, anchors: [] };
  const all = [...history.segments.values()].sort((a, b) => a.sequence - b.sequence);
  let before = null;
  for (const segment of all) {
    const where = `${history.uri} segment ${segment.sequence}`;
    const init = segment.gap ? null : await initOf(segment, inits, fetch, findings, where);
    const resource = init && (await fetch(segment.uri));
    if (init && !resource) findings.must('media-missing', where, `${segment.uri} cannot be had`);
    const measured = resource ? firstFrame(segment, resource, init, findings, where) : null;
    if (measured) {
      figures.init = init;
      figures.segments += 1;
      if (!measured.sync) findings.must('media-not-independent', where, 'it does not start with a key frame');
      if (before && before.segment.sequence + 1 === segment.sequence && !segment.discontinuity) {
        const seconds = measured.start / init.timescale - before.measured.start / before.init.timescale;
        if (Math.abs(seconds - before.segment.duration) * 1_000 > roundingMs(before.segment.durationText) + 1e-6) {
          const text = `the next I-frame comes after ${seconds} s, EXTINF is ${before.segment.durationText}`;
          if (seconds > before.segment.duration && isAbsent(before.segment, segment))
            findings.should('media-absent', where, text);
          else findings.must('media-i-frame-duration', where, text);
        }
      }
    }
    before = measured && { segment, measured, init };
  }
  return figures;
}

/** Whether the playlist's own dates say that something is missing between two segments. */
function isAbsent(before, { time }) {
  return before.time !== null && time !== null && time - before.time > before.duration * 1_000 + WALL_SLACK_MS;
}

function firstFrame(segment, resource, init, findings, where) {
  try {
    const bytes = segment.byteRange === null ? resource : slice(resource, segment.byteRange, []);
    const [first] = readFragments(bytes, init, true);
    if (!first) throw new Error('no fragment');
    return first;
  } catch (error) {
    findings.must('media-unreadable', where, error.message);
    return null;
  }
}

async function initOf({ map }, inits, fetch, findings, where) {
  if (!map) return null;
  if (!inits.has(map.uri)) {
    const bytes = await fetch(map.uri);
    if (!bytes) findings.must('media-missing', where, `${map.uri} cannot be had`);
    try {
      inits.set(map.uri, bytes && readInit(bytes));
    } catch (error) {
      findings.must('media-unreadable', where, `${map.uri}: ${error.message}`);
      inits.set(map.uri, null);
    }
  }
  return inits.get(map.uri);
}

/** Start, length and kind of a run of fragments that follow each other. */
function measure(bytes, init, findings, where) {
  try {
    const fragments = readFragments(bytes, init);
    if (!fragments.length) throw new Error('no fragment');
    let due = fragments[0].start;
    for (const { start, duration } of fragments) {
      if (start !== due) findings.must('media-hole', where, `a fragment starts at ${start}, and ${due} is due`);
      due = start + duration;
    }
    return { start: fragments[0].start, duration: due - fragments[0].start, sync: fragments[0].sync, fragments };
  } catch (error) {
    findings.must('media-unreadable', where, error.message);
    return null;
  }
}

function checkDuration(segment, measured, init, findings, where) {
  const seconds = measured.duration / init.timescale;
  if (Math.abs(seconds - segment.duration) * 1_000 > roundingMs(segment.durationText) + 1e-6) {
    findings.must('media-duration', where, `it lasts ${seconds.toFixed(6)} s, EXTINF is ${segment.durationText}`);
  }
}

/** Media time runs on from segment to segment, and the wall time that the playlist gives runs along. */
function checkFollows(before, now, findings, where) {
  const end = before.measured.start + before.measured.duration;
  const media = (now.measured.start / now.init.timescale - before.measured.start / before.init.timescale) * 1_000;
  const wall = now.segment.time - before.segment.time;
  const agree = before.segment.time !== null && now.segment.time !== null && Math.abs(media - wall) <= WALL_SLACK_MS;
  if (before.init.timescale === now.init.timescale && end !== now.measured.start) {
    const text = `it starts at ${now.measured.start}, and the one before ends at ${end}`;
    // What never came is missing in the playlist's time as well.
    if (agree && isAbsent(before.segment, now.segment)) findings.should('media-absent', where, text);
    else findings.must('media-hole', where, text);
  }
  if (before.segment.time === null || now.segment.time === null || agree) return;
  findings.must(
    'media-wall',
    where,
    `its date moved by ${wall.toFixed(3)} ms, its media time by ${media.toFixed(3)} ms`,
  );
}

/** Two dates, each rounded to a millisecond. */
const WALL_SLACK_MS = 1.1;

/** Within one run of a timeline the wall time of the media's zero does not move. */
function checkAnchors(anchors, uri, findings) {
  const first = new Map();
  for (const { discontinuitySequence, anchor } of anchors) {
    if (!first.has(discontinuitySequence)) first.set(discontinuitySequence, anchor);
    const off = anchor - first.get(discontinuitySequence);
    if (Math.abs(off) > ANCHOR_SLACK_MS) {
      findings.must('media-anchor', uri, `the date of the media's zero moved by ${off.toFixed(3)} ms`);
    }
  }
}

const ANCHOR_SLACK_MS = 2;

async function checkParts(segment, whole, init, fetch, findings, where) {
  if (!segment.parts.length || segment.parts.some(({ gap }) => gap)) return 0;
  const joined = [];
  for (const [index, part] of segment.parts.entries()) {
    const place = `${where} part ${index}`;
    const resource = await fetch(part.uri);
    if (!resource) {
      findings.must('media-missing', place, `${part.uri} cannot be had`);
      return 0;
    }
    const bytes = part.byteRange === null ? resource : slice(resource, part.byteRange, joined);
    joined.push(bytes);
    const measured = measure(bytes, init, findings, place);
    if (!measured) continue;
    const seconds = measured.duration / init.timescale;
    if (Math.abs(seconds - part.duration) * 1_000 > PART_ROUNDING_MS) {
      findings.must('media-part-duration', place, `it lasts ${seconds.toFixed(6)} s, DURATION is ${part.duration}`);
    }
    const video = init.handler === 'vide';
    if (part.independent && !measured.sync)
      findings.must('media-not-independent', place, 'INDEPENDENT=YES and no key frame at its start');
    if (video && !part.independent && measured.sync)
      findings.should('media-independent-unsaid', place, 'it starts with a key frame and INDEPENDENT is missing');
    if (video && measured.fragments.some(({ sync, syncInside }, i) => (i > 0 && sync) || syncInside)) {
      findings.should('media-key-frame-inside', place, 'a key frame lies inside');
    }
  }
  if (!Buffer.concat(joined).equals(whole))
    findings.must('media-parts-differ', where, 'its parts joined are not its bytes');
  return joined.length;
}

const PART_ROUNDING_MS = 0.51;

function slice(resource, byteRange, before) {
  const [length, offset] = byteRange.split('@').map(Number);
  const start = offset ?? before.reduce((sum, { length: bytes }) => sum + bytes, 0);
  return resource.subarray(start, start + length);
}

/**
 * Checks what the multivariant playlist says of formats and bit rates against the media.
 *
 * @param {import('./hls-multivariant-rules.mjs').MultivariantPlaylist} multivariant
 * @param {Map<string, Awaited<ReturnType<typeof checkMedia>>>} figures by the URI of the media playlist
 * @param {import('./findings.mjs').Findings} findings
 */
export function checkAnnounced(multivariant, figures, findings) {
  for (const { attributes, uri, line } of multivariant.variants) {
    const audio = multivariant.group('AUDIO', attributes.get('AUDIO')?.slice(1, -1)).map((one) => one.uri ?? uri);
    const subtitles = multivariant.group('SUBTITLES', attributes.get('SUBTITLES')?.slice(1, -1)).map((one) => one.uri);
    const codecs = codecsOf(attributes).map((codec) => codec.toLowerCase());
    const used = [uri, ...audio, ...subtitles].map((one) => figures.get(one)).filter((one) => one?.init);
    for (const { init } of used) {
      const codec = init.codec.toLowerCase();
      if (!codecs.some((one) => one === codec || (!codec.includes('.') && one.startsWith(codec)))) {
        findings.must('announced-codecs', line, `${init.codec} is in a rendition and not in CODECS ${codecs}`);
      }
    }
    const own = figures.get(uri);
    if (!own?.init) continue;
    const peakOf = (uris) => Math.max(0, ...uris.map((one) => figures.get(one)?.peak ?? 0));
    const peak = own.peak + peakOf(audio.filter((one) => one !== uri)) + peakOf(subtitles);
    // A live playlist names the peak before all of it has been seen (4.4.6.2).
    if (peak > Number(attributes.get('BANDWIDTH')) * LIVE_PEAK) {
      findings.must(
        'announced-bandwidth',
        line,
        `BANDWIDTH ${attributes.get('BANDWIDTH')}, measured ${Math.round(peak)}`,
      );
    }
    const resolution = attributes.get('RESOLUTION');
    if (resolution && own.init.handler === 'vide' && resolution !== `${own.init.width}x${own.init.height}`) {
      findings.must(
        'announced-resolution',
        line,
        `RESOLUTION ${resolution}, the media has ${own.init.width}x${own.init.height}`,
      );
    }
  }
}

/** "Measured peak within 10 % for VOD, 25 % for live": Apple's authoring rules. */
const LIVE_PEAK = 1.25;
