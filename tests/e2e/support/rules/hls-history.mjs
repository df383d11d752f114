// The rules that hold between the playlists of one rendition over time (rfc8216bis 6.2.1, 6.2.2 and 6.2.5).
import { Findings } from './findings.mjs';
import { spanOf } from './hls-dateranges.mjs';
import { applyDelta, difference } from './hls-delta.mjs';
import { isBefore } from './hls-playlist.mjs';

/**
 * One playlist as it was served.
 *
 * @typedef {object} Served
 * @property {import('./hls-playlist.mjs').MediaPlaylist} playlist
 * @property {number} asked when its request was sent, in ms
 * @property {number} at when its answer was complete, in ms
 */

/** The playlists of one rendition, in the order in which they were served. */
export class RenditionHistory {
  /** @type {Served[]} */
  served = [];
  /** @type {Map<number, import('./hls-playlist.mjs').Segment>} every complete segment that was ever listed */
  segments = new Map();
  /** When each segment was first listed and each part last, by number and by URI, in ms. */
  firstListed = new Map();
  lastListed = new Map();
  /** The longest playlist that listed segments, in seconds. */
  longest = 0;
  /** How many delta updates were made whole and compared with a full playlist. */
  deltas = 0;
  #goneRanges = new Set();

  /**
   * @param {string} uri of the media playlist, which tells it from the others
   * @param {Findings} [findings] to report into
   */
  constructor(uri, findings = new Findings()) {
    this.uri = uri;
    this.findings = findings;
  }

  get last() {
    return this.served.at(-1) ?? null;
  }

  /**
   * Takes the next full playlist. The one before has been answered before this one was asked for.
   *
   * @param {Served} served
   */
  add(served) {
    const before = this.last;
    if (before) this.#compare(before.playlist, served.playlist);
    this.served.push(served);
    this.longest = Math.max(this.longest, served.playlist.duration);
    for (const segment of served.playlist.segments) {
      if (!this.firstListed.has(segment.sequence)) this.firstListed.set(segment.sequence, served.at);
      for (const part of segment.parts) this.lastListed.set(part.uri, served.at);
      const known = this.segments.get(segment.sequence);
      // Later playlists leave parts out; what was once there stays known.
      if (!known || known.parts.length <= segment.parts.length) this.segments.set(segment.sequence, segment);
    }
  }

  /**
   * Takes a delta update: makes it whole with the last full playlist before it, and compares it with the full playlist
   * of the same edge.
   *
   * @param {import('./hls-playlist.mjs').MediaPlaylist} delta
   * @param {import('./hls-playlist.mjs').MediaPlaylist} base what the client had
   * @param {import('./hls-playlist.mjs').MediaPlaylist} full
   * @returns {boolean} false where the two do not show the same edge, so that nothing can be said
   */
  addDelta(delta, base, full) {
    const [a, b] = [delta.edge, full.edge];
    if (a.sequence !== b.sequence || a.part !== b.part) return false;
    if (delta.mediaSequence !== full.mediaSequence || delta.nextSequence !== full.nextSequence) return false;
    const whole = applyDelta(base, delta, this.findings);
    const off = whole && difference(whole, full);
    if (off)
      this.#must('delta-differs', `with the playlist before it, a delta update is not the full playlist: ${off}`);
    this.deltas += 1;
    return true;
  }

  #must(rule, text) {
    this.findings.must(rule, this.uri, text);
  }

  #compare(before, now) {
    for (const name of ['targetDuration', 'partTarget', 'playlistType', 'iFramesOnly', 'independentSegments']) {
      if (before[name] !== now[name]) this.#must('header-changed', `${name} was ${before[name]} and is ${now[name]}`);
    }
    // At its end a playlist may stop to say that it blocks: some players refuse one that has ended and says so.
    const stays = ([name]) => !(now.ended && name === 'CAN-BLOCK-RELOAD');
    const control = ({ serverControl }) => JSON.stringify([...(serverControl ?? [])].filter(stays).sort());
    if (control(before) !== control(now)) {
      this.#must('header-changed', `EXT-X-SERVER-CONTROL was ${control(before)} and is ${control(now)}`);
    }
    if (before.mediaSequence > now.mediaSequence) {
      this.#must('media-sequence-fell', `EXT-X-MEDIA-SEQUENCE was ${before.mediaSequence} and is ${now.mediaSequence}`);
    }
    if (isBefore(now.edge, before.edge)) {
      this.#must('edge-fell', `the edge was ${edgeText(before.edge)} and is ${edgeText(now.edge)}`);
    }
    if (before.ended && (!now.ended || now.segments.length !== before.segments.length)) {
      this.#must('changed-after-end', 'the playlist changed behind EXT-X-ENDLIST');
    }
    this.#compareSegments(before, now);
    this.#compareWindow(before, now);
    this.#compareHint(before, now);
    this.#compareDateRanges(before, now);
  }

  #compareSegments(before, now) {
    const here = new Map(now.all.map((segment) => [segment.sequence, segment]));
    for (const old of before.all) {
      const segment = here.get(old.sequence);
      if (!segment) {
        if (old.sequence >= now.mediaSequence) this.#must('segment-vanished', `segment ${old.sequence} is gone`);
        continue;
      }
      if (old.uri !== null && segment.uri === null)
        this.#must('segment-reopened', `segment ${old.sequence} was complete`);
      const first = segment === now.all[0];
      for (const [name, was, is] of changes(old, segment, first)) {
        this.#must(
          'segment-changed',
          `segment ${old.sequence}: ${name} was ${JSON.stringify(was)} and is ${JSON.stringify(is)}`,
        );
      }
      if (old.time !== null && segment.time !== null && Math.abs(old.time - segment.time) > TIME_SLACK_MS) {
        this.#must(
          'segment-changed',
          `segment ${old.sequence}: its time moved by ${(segment.time - old.time).toFixed(3)} ms`,
        );
      }
      this.#compareParts(old, segment);
    }
  }

  #compareParts(old, segment) {
    const [was, is] = [old.parts, segment.parts].map((parts) => parts.map(({ line, ...part }) => JSON.stringify(part)));
    // Parts of old segments leave the playlist together.
    if (is.length === 0 && segment.uri !== null) return;
    // Or one by one, from the front (6.2.2).
    const gone = segment.uri !== null ? was.length - is.length : 0;
    if (gone > 0 && is.every((part, index) => part === was[index + gone])) return;
    for (const [index, part] of was.entries()) {
      if (is[index] !== part) {
        this.#must('part-changed', `part ${index} of segment ${old.sequence} was ${part} and is ${is[index]}`);
        return;
      }
    }
    if (old.uri !== null && is.length > was.length) {
      this.#must(
        'part-added-late',
        `segment ${old.sequence} was complete and has got ${is.length - was.length} more parts`,
      );
    }
  }

  #compareWindow(before, now) {
    if (now.mediaSequence > before.mediaSequence) {
      if (before.playlistType !== null)
        this.#must('typed-playlist-shrank', `a playlist of type ${before.playlistType} lost segments`);
      const { duration } = now;
      if (!now.ended && now.targetDuration !== null && duration < 3 * now.targetDuration) {
        this.#must('window-short', `segments left and only ${duration.toFixed(3)} s are listed`);
      }
    }
  }

  #compareHint(before, now) {
    const hint = before.partHint;
    if (!hint) return;
    const next = now.all
      .filter(({ sequence }) => sequence >= before.edge.sequence)
      .flatMap(({ sequence, parts }) => parts.map((part, index) => ({ ...part, sequence, index })));
    const first = next.find((part) => isBefore(before.edge, { sequence: part.sequence, part: part.index }));
    if (first && first.uri !== hint.uri && !first.gap) {
      // Allowed where the segmentation changes, as when an encoder dies (6.2.6); a surprise everywhere else.
      this.findings.should('hint-missed', this.uri, `${hint.uri} was hinted and ${first.uri} came`);
    }
  }

  #compareDateRanges(before, now) {
    const merged = ({ dateRanges }) => {
      const ranges = new Map();
      for (const { attributes } of dateRanges) {
        const id = attributes.get('ID');
        ranges.set(id, new Map([...(ranges.get(id) ?? []), ...attributes]));
      }
      return ranges;
    };
    const [was, is] = [merged(before), merged(now)];
    const windowStart = now.all.find(({ time }) => time !== null)?.time ?? null;
    for (const [id, range] of was) {
      const left = is.get(id);
      if (!left) {
        this.#goneRanges.add(id);
        const { start, end } = spanOf(range);
        if (windowStart !== null && start !== null && (end ?? start) > windowStart) {
          this.#must('daterange-vanished', `${id} is gone and its time is still listed`);
        }
        continue;
      }
      for (const [name, value] of range) {
        if (left.get(name) !== value)
          this.#must('daterange-changed', `${id}: ${name} was ${value} and is ${left.get(name)}`);
      }
    }
    for (const id of is.keys()) {
      if (!was.has(id) && this.#goneRanges.has(id)) this.#must('daterange-reused', `${id} was gone and is back`);
    }
  }

  /**
   * What has left the playlist and must still be there to fetch (6.2.2): segments for as long as they last and the
   * longest playlist with them lasted, from when they were first listed; parts for three target durations.
   *
   * @param {number} now in ms, as the playlists were recorded
   * @returns {string[]} URIs
   */
  owed(now) {
    const { playlist } = this.last;
    const listed = new Set(playlist.all.flatMap(({ uri, parts }) => [uri, ...parts.map((part) => part.uri)]));
    const segments = [...this.segments.values()].filter(
      ({ sequence, duration, gap }) =>
        !gap && this.firstListed.get(sequence) + (duration + this.longest) * 1_000 > now + MARGIN_MS,
    );
    const parts = [...this.lastListed].filter(([, at]) => at + 3 * playlist.targetDuration * 1_000 > now + MARGIN_MS);
    return [...segments.map(({ uri }) => uri), ...parts.map(([uri]) => uri)].filter((uri) => !listed.has(uri));
  }

  /**
   * How often the edge moved, as a client saw it that always asked for the next part.
   *
   * @returns {{ moves: number, partTarget: number | null, medianMs: number, p99Ms: number, maxMs: number }}
   */
  cadence() {
    const moved = this.served.filter(
      ({ playlist }, index) => index === 0 || isBefore(this.served[index - 1].playlist.edge, playlist.edge),
    );
    const waits = moved
      .slice(1)
      .map(({ at }, index) => at - moved[index].at)
      .sort((a, b) => a - b);
    const quantile = (share) => Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0);
    return {
      moves: waits.length,
      partTarget: this.last?.playlist.partTarget ?? null,
      medianMs: quantile(0.5),
      p99Ms: quantile(0.99),
      maxMs: quantile(1),
    };
  }
}

/** What of a segment may not change once it is listed, with what it was and is. */
function changes(old, segment, first) {
  const always = ['discontinuitySequence', 'map', 'keys'];
  // The tag may go once nothing stands before it: the sequence number counts it.
  if (!first) always.push('discontinuity');
  // A segment may get a date of its own or lose it: its time is compared in any case.
  if (old.dateTime !== null && segment.dateTime !== null) always.push('dateTime');
  const whole = old.uri === null || segment.uri === null ? [] : ['uri', 'durationText', 'gap', 'byteRange'];
  return [...always, ...whole]
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(segment[name]))
    .map((name) => [name, old[name], segment[name]]);
}

/** Times are reckoned from another date once the first segment is gone: dates and durations are rounded. */
const TIME_SLACK_MS = 2;

/** What is about to be let go need not be there any more by the time that it is fetched. */
const MARGIN_MS = 1_000;

const edgeText = ({ sequence, part }) => (part === null ? String(sequence) : `${sequence}.${part}`);
