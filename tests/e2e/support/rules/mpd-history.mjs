// The rules that hold between the updates of one MPD (ISO/IEC 23009-1 5.4), between an MPD and what can be fetched at a
// time (5.3.9.5), and between an MPD and its patches (5.15).
import { Findings } from './findings.mjs';
import { applyPatch, readPatch } from './mpd-patch.mjs';
import { Presentation } from './mpd-model.mjs';
import { canonical, childOf, firstDifference, readXml } from './xml.mjs';

/** The updates of one MPD, in the order in which they were served. */
export class MpdHistory {
  /** @type {{ presentation: Presentation, text: string, at: number }[]} */
  served = [];
  /** Segments by Period, Representation and time, as they were first listed. */
  segments = new Map();
  /** How many patches were applied and compared with the whole MPD. */
  patches = 0;

  /** @param {Findings} [findings] to report into */
  constructor(findings = new Findings()) {
    this.findings = findings;
  }

  get last() {
    return this.served.at(-1) ?? null;
  }

  /**
   * Takes the next update.
   *
   * @param {Presentation} presentation
   * @param {string} text
   * @param {number} at wall time in ms when it came
   */
  add(presentation, text, at) {
    const before = this.last;
    if (before) this.#compare(before.presentation, presentation);
    this.served.push({ presentation, text, at });
    for (const track of presentation.tracks) this.#remember(track);
  }

  /**
   * Takes a patch: applied to the MPD that it is for, it makes the whole MPD of its publishTime.
   *
   * @param {string} oldText of the MPD that named the patch's location
   * @param {string} patchText
   * @param {string} newText the whole MPD, fetched beside the patch
   * @returns {boolean} false where the patch and the whole MPD are not of the same time, so that nothing can be said
   */
  addPatch(oldText, patchText, newText) {
    const patch = readPatch(patchText, this.findings);
    if (!patch) return false;
    const whole = readXml(newText);
    if (patch.attributes.get('publishTime') !== whole.attributes.get('publishTime')) return false;
    const made = readXml(oldText);
    if (applyPatch(made, patch, this.findings)) {
      const off = firstDifference(made, whole);
      if (off) this.#must('patch-differs', 'Patch', `with the MPD before it, the patch is not the new MPD: ${off}`);
      this.patches += 1;
    }
    return true;
  }

  #must(rule, where, text) {
    this.findings.must(rule, where, text);
  }

  #compare(before, now) {
    for (const [name, was, is] of [
      ['id', before.id, now.id],
      ['availabilityStartTime', before.availabilityStartMs, now.availabilityStartMs],
      ['profiles', before.profiles.join(), now.profiles.join()],
    ]) {
      if (was !== is) this.#must('mpd-changed', 'MPD', `@${name} was ${was} and is ${is}`);
    }
    if (before.type === 'static' && now.type === 'dynamic')
      this.#must('mpd-reopened', 'MPD', 'it was static and is dynamic');
    if (now.publishMs < before.publishMs) {
      this.#must('publish-time-fell', 'MPD', `@publishTime was ${before.publishTime} and is ${now.publishTime}`);
    }
    if (now.publishMs === before.publishMs && canonical(now.root) !== canonical(before.root)) {
      const off = firstDifference(before.root, now.root);
      this.#must('publish-time-same', 'MPD', `@publishTime is still ${now.publishTime} and the MPD changed: ${off}`);
    }
    this.#comparePeriods(before, now);
  }

  #comparePeriods(before, now) {
    const known = new Map(before.periods.map((period) => [period.id, period]));
    const order = now.periods.map(({ id }) => id).filter((id) => known.has(id));
    const kept = before.periods.map(({ id }) => id).filter((id) => order.includes(id));
    if (order.join() !== kept.join()) this.#must('period-moved', 'MPD', `the Periods were ${kept} and are ${order}`);
    const [first] = now.periods;
    for (const period of before.periods) {
      const same = now.periods.find(({ id }) => id === period.id);
      if (!same) {
        if (first && period.startMs > first.startMs)
          this.#must('period-vanished', period.where, `Period ${period.id} is gone`);
        continue;
      }
      if (same.startMs !== period.startMs) {
        this.#must(
          'period-start-changed',
          same.where,
          `Period ${period.id} started at ${period.startS} s and does at ${same.startS} s`,
        );
      }
      for (const track of period.tracks) this.#compareTrack(track, same, before.publishMs);
    }
  }

  #compareTrack(track, period, publishMs) {
    const same = period.tracks.find(({ id }) => id === track.id);
    if (!same) {
      this.#must('representation-vanished', track.where, `Representation ${track.id} of Period ${period.id} is gone`);
      return;
    }
    for (const name of ['timescale', 'offset', 'mimeType', 'codecs', 'availabilityTimeOffset']) {
      if (track[name] !== same[name])
        this.#must('representation-changed', same.where, `its ${name} was ${track[name]} and is ${same[name]}`);
    }
    const sets = [track.set, same.set].map((set) => set.attributes.get('id'));
    if (sets[0] !== sets[1])
      this.#must('representation-moved', same.where, `it was in set ${sets[0]} and is in ${sets[1]}`);
    const [a, b] = [track.urlOf('initialization'), same.urlOf('initialization')];
    if (a !== b) this.#must('representation-changed', same.where, `its initialization was ${a} and is ${b}`);
    if (!track.timeline || !same.timeline) return;
    this.#compareSegments(track.segments(0), same, publishMs);
  }

  #compareSegments(old, track, publishMs) {
    const now = track.segments(0);
    const times = new Set(now.map(({ time }) => time));
    for (const segment of old) {
      if (now[0] && segment.time > now[0].time && segment.time < now.at(-1).time && !times.has(segment.time)) {
        this.#must('segment-vanished', track.where, `segment ${segment.time} is gone from the middle`);
      }
    }
    const last = old.at(-1);
    const known = new Set(old.map(({ time }) => time));
    for (const segment of now) {
      if (last && segment.time < last.time && segment.time >= old[0].time && !known.has(segment.time)) {
        this.#must('segment-inserted', track.where, `segment ${segment.time} has come into the middle`);
      }
    }
    const gone = now.length ? old.filter(({ time }) => time > now.at(-1).time) : [];
    // One that nobody could have yet when it was announced may be taken back: its encoder died before it began.
    const promised = gone.filter(({ availableMs }) => availableMs <= publishMs);
    if (promised.length) this.#must('edge-fell', track.where, `the last segment was ${last.time}`);
    else if (gone.length)
      this.findings.should('segment-withdrawn', track.where, `segment ${gone[0].time} was announced and is gone`);
  }

  #remember(track) {
    if (!track.timeline) return;
    for (const segment of track.segments(0)) {
      const key = `${track.period.id} ${track.id} ${segment.time}`;
      const known = this.segments.get(key);
      if (!known) this.segments.set(key, segment);
      else if (known.duration !== segment.duration || known.url !== segment.url) {
        const text = `segment ${segment.time} lasted ${known.duration} at ${known.url}, and does ${segment.duration} at ${segment.url}`;
        // One that was listed while it came in ends early where its encoder dies; nobody could have said so before.
        const isCut = known.url === segment.url && segment.duration < known.duration;
        if (isCut) this.findings.should('segment-cut', track.where, text);
        else this.#must('segment-changed', track.where, text);
        this.segments.set(key, segment);
      }
    }
  }
}

/**
 * Holds what can be fetched at a moment against what the MPD says of it: what is available is there, from the first
 * segment that the window still holds to the last; what is not available yet is not.
 *
 * @param {Presentation} presentation
 * @param {object} options
 * @param {() => number} options.now the server's clock, in ms
 * @param {(url: string) => Promise<number>} options.status of a GET, whose body need not be read
 * @param {Findings} options.findings
 * @returns {Promise<{ there: number, early: number }>} how many were asked for
 */
export async function checkAvailability(presentation, { now, status, findings }) {
  const counts = { there: 0, early: 0 };
  for (const track of presentation.tracks) {
    const at = now();
    const all = track.segments(at);
    const oldest = presentation.depthMs === null ? -Infinity : at - presentation.depthMs + LEAVING_MS;
    const there = all.filter(({ availableMs, startMs }) => availableMs <= at && startMs >= oldest);
    const first = there[0];
    const last = there.at(-1);
    const initialization = track.urlOf('initialization');
    for (const url of new Set([initialization, first?.url, there[there.length >> 1]?.url, last?.url])) {
      if (!url) continue;
      counts.there += 1;
      const code = await status(url);
      if (code !== 200) findings.must('available-missing', track.where, `${url} is available and answers ${code}`);
    }
    const end = all.at(-1);
    if (!end || presentation.type === 'static') continue;
    // Two segments on, so that the time which the check itself takes cannot make it available.
    const future = end.time + AHEAD * end.duration;
    const url = track.urlOf('media', { Time: future, Number: end.number + AHEAD });
    counts.early += 1;
    const code = await status(url);
    if (code !== 404) findings.must('available-early', track.where, `${url} is not available and answers ${code}`);
  }
  return counts;
}

/** What is about to leave the window may leave while it is asked for. */
const LEAVING_MS = 4_000;
const AHEAD = 3;

/** The part of an MPD's text that says where its patches are; null where it has none. */
export function patchUrl(root, base) {
  const location = childOf(root, 'PatchLocation');
  return location ? new URL(location.children.join('').trim(), base).href : null;
}
