// The rules that one media playlist can be judged by alone.
import { Findings } from './findings.mjs';
import { checkDateRanges } from './hls-dateranges.mjs';
import { checkHints, checkParts } from './hls-part-rules.mjs';
import { CALCULATION, MediaPlaylist, lineOf, roundingMs } from './hls-playlist.mjs';
import { TAGS, readDate, readLines, unquoted } from './hls-syntax.mjs';

/**
 * Checks one media playlist.
 *
 * @param {string} text
 * @param {object} [options]
 * @param {boolean} [options.lowLatency] demand what the low-latency server profile demands (appendix B.1)
 * @param {Findings} [options.findings] to report into
 * @returns {{ playlist: MediaPlaylist, findings: Findings }}
 */
export function checkMediaPlaylist(text, { lowLatency = false, findings = new Findings() } = {}) {
  const lines = readLines(text, findings);
  for (const { number, tag } of lines) {
    if (TAGS[tag]?.in === 'multivariant') findings.must('mixed-playlist', number, `${tag} in a media playlist`);
  }
  const playlist = new MediaPlaylist(lines);
  for (const check of [
    checkHeader,
    checkVersion,
    checkServerControl,
    checkSegments,
    checkKeys,
    checkDates,
    checkParts,
    checkHints,
    checkReports,
    checkSkip,
    checkDefinitions,
    checkDateRanges,
  ]) {
    check(playlist, findings);
  }
  if (lowLatency) checkLowLatency(playlist, findings);
  return { playlist, findings };
}

function checkHeader(playlist, findings) {
  const { lines, segments } = playlist;
  if (playlist.targetDuration === null) findings.must('target-duration-missing', 1, 'no EXT-X-TARGETDURATION');
  else if (playlist.targetDuration < 1) findings.must('target-duration-zero', 1, 'the target duration is below 1 s');
  const firstSegment = Math.min(segments[0]?.line ?? Infinity, lineOf(lines, 'EXT-X-PART'));
  for (const tag of ['EXT-X-MEDIA-SEQUENCE', 'EXT-X-DISCONTINUITY-SEQUENCE']) {
    const line = lines.find((one) => one.tag === tag);
    if (line && line.number > firstSegment) {
      findings.must('sequence-after-segment', line.number, `${tag} stands behind the first segment`);
    }
  }
  const discontinuity = lineOf(lines, 'EXT-X-DISCONTINUITY');
  const numbered = lines.find(({ tag }) => tag === 'EXT-X-DISCONTINUITY-SEQUENCE');
  if (numbered && numbered.number > discontinuity) {
    findings.must('sequence-after-segment', numbered.number, 'EXT-X-DISCONTINUITY-SEQUENCE behind EXT-X-DISCONTINUITY');
  }
  if (playlist.playlistType === 'VOD' && !playlist.ended) {
    findings.must('vod-open', 1, 'a VOD playlist does not change, and this one has no EXT-X-ENDLIST');
  }
  const start = lines.find(({ tag }) => tag === 'EXT-X-START');
  if (start) {
    const offset = Number(start.attributes.get('TIME-OFFSET'));
    if (Math.abs(offset) > playlist.listed && !playlist.skip) {
      findings.should('start-outside', start.number, `TIME-OFFSET ${offset} in a playlist of ${playlist.listed} s`);
    }
    if (!playlist.ended && offset < 0 && -offset < 3 * playlist.targetDuration) {
      findings.should('start-near-end', start.number, 'TIME-OFFSET within three target durations of the live edge');
    }
  }
}

/** The version that the tags and attributes of a playlist need (section 8). */
function checkVersion(playlist, findings) {
  const has = (tag) => playlist.lines.some((line) => line.tag === tag);
  const hasAttribute = (tag, test) =>
    playlist.lines.some((line) => line.tag === tag && [...line.attributes].some(([name, value]) => test(name, value)));
  const needs = [
    [2, 'IV', hasAttribute('EXT-X-KEY', (name) => name === 'IV')],
    [3, 'fractions in EXTINF', playlist.segments.some(({ durationText }) => durationText?.includes('.'))],
    [4, 'EXT-X-BYTERANGE', has('EXT-X-BYTERANGE')],
    [4, 'EXT-X-I-FRAMES-ONLY', playlist.iFramesOnly],
    [5, 'KEYFORMAT', hasAttribute('EXT-X-KEY', (name) => name.startsWith('KEYFORMAT'))],
    [5, 'sample encryption', hasAttribute('EXT-X-KEY', (name, value) => value.startsWith('SAMPLE-AES'))],
    [playlist.iFramesOnly ? 5 : 6, 'EXT-X-MAP', has('EXT-X-MAP')],
    [8, 'EXT-X-DEFINE', has('EXT-X-DEFINE')],
    [9, 'EXT-X-SKIP', has('EXT-X-SKIP')],
    [10, 'RECENTLY-REMOVED-DATERANGES', Boolean(playlist.skip?.removedDateRanges)],
    [11, 'QUERYPARAM', hasAttribute('EXT-X-DEFINE', (name) => name === 'QUERYPARAM')],
  ];
  for (const [version, what, used] of needs) {
    if (used && playlist.version < version) {
      findings.must('version-too-low', 1, `${what} needs version ${version}, and this is version ${playlist.version}`);
    }
  }
  // Apple's table of versions has EXT-X-GAP among the tags of version 8; section 8 does not ask for it.
  if (has('EXT-X-GAP')) needs.push([Math.min(8, playlist.version), 'EXT-X-GAP', true]);
  const needed = Math.max(1, ...needs.filter(([, , used]) => used).map(([version]) => version));
  if (playlist.version > needed) {
    findings.should('version-too-high', 1, `version ${playlist.version}, and nothing here needs more than ${needed}`);
  }
}

function checkServerControl(playlist, findings) {
  const { targetDuration, partTarget, serverControl } = playlist;
  const at = lineOf(playlist.lines, 'EXT-X-SERVER-CONTROL', 1);
  const seconds = (name) => playlist.controlSeconds(name);
  if (partTarget !== null && seconds('PART-HOLD-BACK') === null) {
    findings.must('part-hold-back-missing', at, 'EXT-X-PART-INF without PART-HOLD-BACK');
  }
  if (!serverControl) return;
  if (seconds('HOLD-BACK') !== null && seconds('HOLD-BACK') < 3 * targetDuration) {
    findings.must('hold-back-short', at, `HOLD-BACK ${seconds('HOLD-BACK')} is below 3 × ${targetDuration}`);
  }
  const partHoldBack = seconds('PART-HOLD-BACK');
  if (partHoldBack !== null && partTarget !== null) {
    if (partHoldBack < 2 * partTarget - CALCULATION) {
      findings.must('part-hold-back-short', at, `PART-HOLD-BACK ${partHoldBack} is below 2 × ${partTarget}`);
    } else if (partHoldBack < 3 * partTarget - CALCULATION) {
      findings.should('part-hold-back-tight', at, `PART-HOLD-BACK ${partHoldBack} is below 3 × ${partTarget}`);
    }
  }
  if (seconds('CAN-SKIP-UNTIL') !== null && seconds('CAN-SKIP-UNTIL') < 6 * targetDuration) {
    findings.must(
      'skip-boundary-short',
      at,
      `CAN-SKIP-UNTIL ${seconds('CAN-SKIP-UNTIL')} is below 6 × ${targetDuration}`,
    );
  }
  if (serverControl.has('CAN-SKIP-DATERANGES') && !serverControl.has('CAN-SKIP-UNTIL')) {
    findings.must('skip-dateranges-alone', at, 'CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL');
  }
  if (playlist.ended && serverControl.has('CAN-BLOCK-RELOAD')) {
    findings.should('blocking-after-end', at, 'CAN-BLOCK-RELOAD in a playlist that has ended');
  }
}

function checkSegments(playlist, findings) {
  const { segments, targetDuration } = playlist;
  const ranges = new Map();
  for (const [index, segment] of playlist.all.entries()) {
    const { line, uri, duration, byteRange, map } = segment;
    const before = segments[index - 1];
    if (uri !== null && duration === null) findings.must('extinf-missing', line, `${uri} has no EXTINF`);
    if (uri !== null && targetDuration !== null && Math.round(duration) > targetDuration) {
      findings.must('segment-too-long', line, `EXTINF ${duration} is beyond the target duration ${targetDuration}`);
    }
    if (uri !== null && duration === 0) findings.should('segment-empty', line, `${uri} lasts 0 s`);
    const file = (uri ?? segment.parts[0]?.uri ?? '').split(/[?#]/)[0];
    if (FRAGMENTED.test(file) && map === null && !playlist.skip) {
      findings.must('map-missing', line, `${file} is fragmented MP4 and no EXT-X-MAP is in force`);
    }
    if (before && map?.uri !== before.map?.uri && !segment.discontinuity) {
      findings.should('map-changed', line, 'another EXT-X-MAP without EXT-X-DISCONTINUITY');
    }
    if (byteRange !== null && !byteRange.includes('@') && before?.uri !== uri) {
      findings.must('byterange-start', line, `EXT-X-BYTERANGE:${byteRange} does not continue the segment before it`);
    }
    if (uri !== null) {
      const resource = `${uri} ${byteRange ?? ''}`;
      const first = ranges.get(resource);
      if (first !== undefined && !(byteRange !== null && !byteRange.includes('@'))) {
        findings.should('segment-twice', line, `${uri} is segment ${first} already`);
      }
      ranges.set(resource, segment.sequence);
    }
    const stray = segment.gap && segment.parts.find(({ gap }) => !gap);
    if (stray) findings.should('gap-part', stray.line, 'a part of a segment that is a gap is not marked GAP=YES');
  }
  const last = playlist.lines.findLast(({ uri, tag }) => uri !== undefined || tag === 'EXTINF');
  if (last?.tag === 'EXTINF') findings.must('extinf-without-segment', last.number, 'EXTINF with no URI behind it');
  for (const [index, { tag, number }] of playlist.lines.entries()) {
    const following = playlist.lines.slice(index + 1);
    const uriAt = following.findIndex(({ uri }) => uri !== undefined);
    if (!ONCE_A_SEGMENT.has(tag) || uriAt === -1) continue;
    if (following.slice(0, uriAt).some((line) => line.tag === tag)) {
      findings.must('segment-tag-twice', number, `${tag} stands twice before one segment`);
    }
  }
  if (!segments.length && !playlist.open && !playlist.skip) findings.should('no-segments', 1, 'no segment is listed');
}

const ONCE_A_SEGMENT = new Set([
  'EXTINF',
  'EXT-X-BYTERANGE',
  'EXT-X-GAP',
  'EXT-X-PROGRAM-DATE-TIME',
  'EXT-X-DISCONTINUITY',
]);
const FRAGMENTED = /\.(mp4|m4s|m4v|m4a|cmf[vatm])$/;

function checkKeys(playlist, findings) {
  for (const { tag, number, attributes } of playlist.lines) {
    if (tag === 'EXT-X-KEY') checkKey(attributes, number, findings);
  }
}

/** The rules that EXT-X-KEY and EXT-X-SESSION-KEY share. */
export function checkKey(attributes, line, findings) {
  const method = attributes.get('METHOD');
  if (method === 'NONE' && attributes.size > 1) findings.must('key-none', line, 'METHOD=NONE with other attributes');
  if (method !== 'NONE' && !attributes.has('URI')) findings.must('key-uri', line, `METHOD=${method} without URI`);
  if (['AES-256-GCM', 'SAMPLE-AES-CTR'].includes(method) && attributes.has('IV')) {
    findings.must('key-iv', line, `METHOD=${method} takes no IV`);
  }
  if (attributes.has('IV') && !/^0[xX][0-9A-F]{1,32}$/.test(attributes.get('IV'))) {
    findings.must('key-iv', line, 'IV is not 128 bits');
  }
  const versions = unquoted(attributes.get('KEYFORMATVERSIONS'));
  if (versions !== undefined && !/^[1-9]\d*(\/[1-9]\d*)*$/.test(versions)) {
    findings.must('key-versions', line, `KEYFORMATVERSIONS="${versions}"`);
  }
}

function checkDates(playlist, findings) {
  for (const { tag, value, number } of playlist.lines) {
    if (tag !== 'EXT-X-PROGRAM-DATE-TIME') continue;
    const date = readDate(value ?? '');
    if (!date) findings.must('date-unreadable', number, `${value} is no date of ISO 8601`);
    else if (!date.zoned) findings.should('date-without-zone', number, `${value} names no time zone`);
    else if (date.digits < 3) findings.should('date-coarse', number, `${value} is not to the millisecond`);
  }
  const all = playlist.all;
  const dated = all.some(({ dateTime }) => dateTime !== null);
  // Each duration is rounded to its digits, and so is each date: to a millisecond.
  let slack = DATE_ROUNDING_MS;
  for (const [index, segment] of all.entries()) {
    const before = all[index - 1];
    if (dated && segment.discontinuity && segment.dateTime === null) {
      findings.must('date-after-discontinuity', segment.line, 'EXT-X-DISCONTINUITY without EXT-X-PROGRAM-DATE-TIME');
    }
    if (!before || before.time === null || before.duration === null) continue;
    slack += roundingMs(before.durationText);
    if (segment.dateTime === null) continue;
    const due = before.time + before.duration * 1_000;
    const off = segment.dateTime - due;
    if (!segment.discontinuity && off < -slack) {
      findings.must(
        'date-drifts',
        segment.line,
        `the date is ${-off.toFixed(3)} ms before the end of segment ${before.sequence}`,
      );
    }
    // Media that is not there is to be said with EXT-X-GAP, in segments that last as long (6.2.1).
    if (!segment.discontinuity && off > slack) {
      findings.should(
        'absence-unsaid',
        segment.line,
        `${off.toFixed(3)} ms are missing behind segment ${before.sequence}`,
      );
    }
    if (segment.discontinuity && off < -MAX_OVERLAP_MS) {
      findings.must('date-goes-back', segment.line, `time goes back by ${-off} ms behind EXT-X-DISCONTINUITY`);
    }
    slack = DATE_ROUNDING_MS;
  }
}

/** The date rounds by up to half a millisecond at each end. */
const DATE_ROUNDING_MS = 1 + 1e-6;
/** Drifting clocks may overlap a little (6.2.1). */
const MAX_OVERLAP_MS = 1_000;
function checkReports(playlist, findings) {
  const seen = new Set();
  for (const { uri, line } of playlist.reports) {
    if (uri === undefined) continue;
    if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(uri)) findings.must('report-absolute', line, `${uri} is not relative`);
    if (seen.has(uri)) findings.must('report-twice', line, `${uri} has two reports`);
    seen.add(uri);
  }
}

function checkSkip(playlist, findings) {
  const { skip } = playlist;
  if (!skip) return;
  const boundary = playlist.controlSeconds('CAN-SKIP-UNTIL');
  if (boundary === null) findings.must('skip-unannounced', skip.line, 'EXT-X-SKIP without CAN-SKIP-UNTIL');
  if (playlist.ended) findings.must('skip-after-end', skip.line, 'EXT-X-SKIP in a playlist that has ended');
  if (playlist.segments[0] && playlist.segments[0].line < skip.line) {
    findings.must('skip-place', skip.line, 'segments stand before EXT-X-SKIP');
  }
  // The boundary is reckoned from the end of the last parent segment, which may still be coming in (6.2.5.1).
  if (boundary !== null && playlist.listed < boundary - CALCULATION) {
    findings.must(
      'skip-too-much',
      skip.line,
      `only ${playlist.listed.toFixed(3)} s are left of the last ${boundary} s`,
    );
  }
  if (skip.segments === 0 && !skip.removedDateRanges) findings.should('skip-nothing', skip.line, 'nothing is skipped');
}

/** EXT-X-DEFINE, in either kind of playlist. */
export function checkDefinitions({ lines }, findings) {
  const names = new Set();
  for (const { tag, attributes, number } of lines) {
    if (tag !== 'EXT-X-DEFINE') continue;
    const given = ['NAME', 'IMPORT', 'QUERYPARAM'].filter((name) => attributes.has(name));
    if (given.length !== 1) {
      findings.must('define-one-of', number, `EXT-X-DEFINE has ${given.join(' and ') || 'no name'}`);
      continue;
    }
    if (given[0] === 'NAME' && !attributes.has('VALUE')) findings.must('define-value', number, 'NAME without VALUE');
    const name = unquoted(attributes.get(given[0]));
    if (!/^[A-Za-z0-9_-]+$/.test(name)) findings.must('define-name', number, `${name} is no name of a variable`);
    if (names.has(name)) findings.must('define-twice', number, `${name} is defined twice`);
    names.add(name);
  }
}

/** What a server of low latency has beyond the rules for every server (appendix B.1). */
function checkLowLatency(playlist, findings) {
  if (playlist.ended) return;
  if (playlist.control('CAN-BLOCK-RELOAD') !== 'YES') findings.must('profile-blocking', 1, 'no CAN-BLOCK-RELOAD');
  if (playlist.partTarget === null) findings.must('profile-parts', 1, 'no EXT-X-PART-INF');
  if (!playlist.partHint) findings.must('profile-hint', 1, 'no EXT-X-PRELOAD-HINT of a part');
  // In a delta update the dates may have been skipped.
  if (!playlist.skip && !playlist.all.some(({ dateTime }) => dateTime !== null))
    findings.must('profile-date', 1, 'no EXT-X-PROGRAM-DATE-TIME');
}
