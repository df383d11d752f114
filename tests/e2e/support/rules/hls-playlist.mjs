// A media playlist as a client sees it: segments with their numbers, times, maps and parts.
import { readDate, unquoted } from './hls-syntax.mjs';

/**
 * @typedef {object} Part
 * @property {string} uri
 * @property {number} duration in seconds
 * @property {boolean} independent
 * @property {boolean} gap
 * @property {string | null} byteRange
 * @property {number} line
 *
 * @typedef {object} Segment
 * @property {number} sequence its Media Sequence Number
 * @property {string | null} uri null while the segment is still coming
 * @property {number | null} duration in seconds; null while the segment is still coming
 * @property {string | null} durationText as it stands there
 * @property {boolean} discontinuity whether the tag stands before it
 * @property {number} discontinuitySequence
 * @property {number | null} dateTime its own PROGRAM-DATE-TIME, in ms
 * @property {number | null} time its start in ms, reckoned from the nearest PROGRAM-DATE-TIME of its run
 * @property {boolean} gap
 * @property {{ uri: string, byteRange: string | null } | null} map
 * @property {string[]} keys the EXT-X-KEY tags in force
 * @property {string | null} byteRange
 * @property {Part[]} parts
 * @property {number} line of its URI, or of what is there of it
 */

/** Reads what a media playlist says. Its lines have been checked for syntax before. */
export class MediaPlaylist {
  version = 1;
  targetDuration = null;
  mediaSequence = 0;
  discontinuitySequence = 0;
  playlistType = null;
  ended = false;
  iFramesOnly = false;
  independentSegments = false;
  partTarget = null;
  /** @type {Map<string, string> | null} */
  serverControl = null;
  /** @type {{ segments: number, removedDateRanges: string[] | null, line: number } | null} */
  skip = null;
  /** @type {Segment[]} complete segments */
  segments = [];
  /** @type {Segment | null} the one whose parts are listed and whose URI is not yet */
  open = null;
  /** @type {{ type: string, uri: string, start: string | null, length: string | null, line: number }[]} */
  hints = [];
  /** @type {{ uri: string, lastSequence: number | null, lastPart: number | null, line: number }[]} */
  reports = [];
  /** @type {{ attributes: Map<string, string>, line: number }[]} in the order of the playlist */
  dateRanges = [];

  /** @param {import('./hls-syntax.mjs').Line[]} lines */
  constructor(lines) {
    this.lines = lines;
    const header = new Map(lines.filter(({ tag }) => tag).map((line) => [line.tag, line]));
    const number = (tag, otherwise) => (header.has(tag) ? Number(header.get(tag).value) : otherwise);
    this.version = number('EXT-X-VERSION', 1);
    this.targetDuration = number('EXT-X-TARGETDURATION', null);
    this.mediaSequence = number('EXT-X-MEDIA-SEQUENCE', 0);
    this.discontinuitySequence = number('EXT-X-DISCONTINUITY-SEQUENCE', 0);
    this.playlistType = header.get('EXT-X-PLAYLIST-TYPE')?.value ?? null;
    this.ended = header.has('EXT-X-ENDLIST');
    this.iFramesOnly = header.has('EXT-X-I-FRAMES-ONLY');
    this.independentSegments = header.has('EXT-X-INDEPENDENT-SEGMENTS');
    this.serverControl = header.get('EXT-X-SERVER-CONTROL')?.attributes ?? null;
    const partTarget = header.get('EXT-X-PART-INF')?.attributes.get('PART-TARGET');
    this.partTarget = partTarget === undefined ? null : Number(partTarget);
    const skip = header.get('EXT-X-SKIP');
    if (skip) {
      const removed = skip.attributes.get('RECENTLY-REMOVED-DATERANGES');
      this.skip = {
        segments: Number(skip.attributes.get('SKIPPED-SEGMENTS')),
        removedDateRanges: removed === undefined ? null : unquoted(removed).split('\t').filter(Boolean),
        line: skip.number,
      };
    }
    this.#readSegments(lines);
    this.#reckonTimes();
  }

  #readSegments(lines) {
    let sequence = this.mediaSequence + (this.skip?.segments ?? 0);
    let discontinuitySequence = this.discontinuitySequence;
    let map = null;
    let keys = [];
    let next = blank();
    for (const { number, tag, value, attributes, uri } of lines) {
      if (uri !== undefined) {
        this.segments.push({ ...next, sequence, discontinuitySequence, map, keys, uri, line: number });
        sequence += 1;
        next = blank();
        continue;
      }
      next.line = number;
      if (tag === 'EXTINF') {
        next.durationText = /^[^,]*/.exec(value ?? '')[0];
        next.duration = Number(next.durationText);
      } else if (tag === 'EXT-X-DISCONTINUITY') {
        next.discontinuity = true;
        discontinuitySequence += 1;
      } else if (tag === 'EXT-X-PROGRAM-DATE-TIME') {
        next.dateTime = readDate(value ?? '')?.ms ?? null;
      } else if (tag === 'EXT-X-GAP') {
        next.gap = true;
      } else if (tag === 'EXT-X-BYTERANGE') {
        next.byteRange = value;
      } else if (tag === 'EXT-X-MAP') {
        map = { uri: unquoted(attributes.get('URI')), byteRange: unquoted(attributes.get('BYTERANGE')) ?? null };
      } else if (tag === 'EXT-X-KEY') {
        keys = keysAfter(keys, attributes, value);
      } else if (tag === 'EXT-X-PART') {
        next.parts.push({
          uri: unquoted(attributes.get('URI')),
          duration: Number(attributes.get('DURATION')),
          independent: attributes.get('INDEPENDENT') === 'YES',
          gap: attributes.get('GAP') === 'YES',
          byteRange: unquoted(attributes.get('BYTERANGE')) ?? null,
          line: number,
        });
      } else if (tag === 'EXT-X-PRELOAD-HINT') {
        this.hints.push({
          type: attributes.get('TYPE'),
          uri: unquoted(attributes.get('URI')),
          start: attributes.get('BYTERANGE-START') ?? null,
          length: attributes.get('BYTERANGE-LENGTH') ?? null,
          line: number,
        });
      } else if (tag === 'EXT-X-RENDITION-REPORT') {
        const count = (name) => (attributes.has(name) ? Number(attributes.get(name)) : null);
        this.reports.push({
          uri: unquoted(attributes.get('URI')),
          lastSequence: count('LAST-MSN'),
          lastPart: count('LAST-PART'),
          line: number,
        });
      } else if (tag === 'EXT-X-DATERANGE') {
        this.dateRanges.push({ attributes, line: number });
      }
    }
    if (next.parts.length || next.dateTime !== null || next.discontinuity) {
      this.open = { ...next, sequence, discontinuitySequence, map, keys, uri: null };
    }
    this.nextSequence = sequence;
  }

  /** Gives each segment its time from the nearest date of its run: the last before it, else the first after it. */
  #reckonTimes() {
    const all = this.all;
    for (const [index, segment] of all.entries()) {
      const before = all[index - 1];
      if (segment.dateTime !== null) segment.time = segment.dateTime;
      else if (before && before.time !== null && !segment.discontinuity && before.duration !== null) {
        segment.time = before.time + before.duration * 1_000;
      }
    }
    for (const [index, segment] of [...all.entries()].reverse()) {
      const after = all[index + 1];
      if (segment.time === null && after && after.time !== null && !after.discontinuity && segment.duration !== null) {
        segment.time = after.time - segment.duration * 1_000;
      }
    }
  }

  /** All segments with the one that is still coming. */
  get all() {
    return this.open ? [...this.segments, this.open] : this.segments;
  }

  /** Seconds of the complete segments that are listed. */
  get duration() {
    return this.segments.reduce((sum, { duration }) => sum + (duration ?? 0), 0);
  }

  /** Seconds of everything that is listed, the parts of the open segment among it. */
  get listed() {
    return this.duration + partsOf(this.open);
  }

  /**
   * The last thing that is listed: the number of the last segment that is there in whole or in part, and its last part.
   * Where the last segment is whole and shows no parts, the part is null.
   */
  get edge() {
    const last = this.open?.parts.length ? this.open : this.segments.at(-1);
    if (!last) return { sequence: this.nextSequence - 1, part: null };
    return { sequence: last.sequence, part: last.parts.length ? last.parts.length - 1 : null };
  }

  /** The hint of the next part, if there is one. */
  get partHint() {
    return this.hints.find(({ type }) => type === 'PART') ?? null;
  }

  control(name) {
    return this.serverControl?.get(name) ?? null;
  }

  /** A number among the server's controls, in seconds. */
  controlSeconds(name) {
    const value = this.control(name);
    return value === null ? null : Number(value);
  }
}

export const partsOf = (segment) => (segment?.parts ?? []).reduce((sum, { duration }) => sum + duration, 0);

/** @returns {Segment} */
function blank() {
  return {
    sequence: 0,
    uri: null,
    duration: null,
    durationText: null,
    discontinuity: false,
    discontinuitySequence: 0,
    dateTime: null,
    time: null,
    gap: false,
    map: null,
    keys: [],
    byteRange: null,
    parts: [],
    line: 0,
  };
}

/** A key replaces the one of its format; NONE ends them all. */
function keysAfter(keys, attributes, text) {
  if (attributes.get('METHOD') === 'NONE') return [];
  const format = (line) => /KEYFORMAT="([^"]*)"/.exec(line)?.[1] ?? 'identity';
  return [...keys.filter((key) => format(key) !== format(text)), text];
}

/** Whether one edge lies before another; a whole segment lies behind each of its parts. */
export function isBefore(a, b) {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence;
  return a.part !== null && (b.part === null || a.part < b.part);
}

/** Sums of decimal numbers are not exact. */
export const CALCULATION = 1e-9;

/** By how much a duration can be off for want of digits. */
export function roundingMs(text) {
  const digits = /\.(\d+)/.exec(text ?? '')?.[1].length ?? 0;
  return 500 / 10 ** digits;
}

/** The line of the first tag of a name. */
export function lineOf(lines, name, otherwise = Infinity) {
  return lines.find(({ tag }) => tag === name)?.number ?? otherwise;
}
