// What an MPD says: Periods, Representations, and the segments of each with their times and URLs.
import { childOf, childrenOf, pathOf, textIn } from './xml.mjs';

/** Seconds of an xs:duration; months and years have no length of their own and no place in a live MPD. */
export function seconds(text) {
  const match = /^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(text ?? '');
  if (!match) return null;
  const [, sign, years, months, days, hours, minutes, rest] = match;
  const number = (value) => Number(value ?? 0);
  const whole = ((number(years) * 365 + number(months) * 30 + number(days)) * 24 + number(hours)) * 3_600;
  return (sign ? -1 : 1) * (whole + number(minutes) * 60 + number(rest));
}

/** Milliseconds since 1970 of an xs:dateTime; without a zone it is UTC. */
export const instant = (text) =>
  text === undefined ? null : Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`);

/**
 * @typedef {object} MediaSegment
 * @property {number} number
 * @property {number} time in ticks, as `$Time$` has it
 * @property {number} duration in ticks
 * @property {string} url as the template makes it, with the BaseURLs in front of it
 * @property {number} startMs wall time of its start
 * @property {number} availableMs when it can be had, at the earliest
 */

/** The segments of one Representation in one Period. */
export class Track {
  constructor(period, set, representation) {
    this.period = period;
    this.set = set;
    this.representation = representation;
    this.id = representation.attributes.get('id');
    this.where = pathOf(representation);
    this.template = inherited([period.element, set, representation], 'SegmentTemplate');
    this.mimeType = representation.attributes.get('mimeType') ?? set.attributes.get('mimeType') ?? null;
    this.codecs = representation.attributes.get('codecs') ?? set.attributes.get('codecs') ?? null;
    this.contentType = set.attributes.get('contentType') ?? this.mimeType?.split('/')[0] ?? null;
    this.base = [period.mpd, period.element, set, representation].map((one) => childOf(one, 'BaseURL')).filter(Boolean);
  }

  number(name, otherwise) {
    const value = this.template?.attributes.get(name);
    return value === undefined ? otherwise : Number(value);
  }

  get timescale() {
    return this.number('timescale', 1);
  }

  get offset() {
    return this.number('presentationTimeOffset', 0);
  }

  get startNumber() {
    return this.number('startNumber', 1);
  }

  /** Seconds by which segments can be had before they are complete. */
  get availabilityTimeOffset() {
    const given = [this.template, ...this.base].map((one) => one?.attributes.get('availabilityTimeOffset'));
    return given.reduce(
      (sum, value) => sum + (value === undefined ? 0 : value === 'INF' ? Infinity : Number(value)),
      0,
    );
  }

  get timeline() {
    return this.template && childOf(this.template, 'SegmentTimeline');
  }

  /**
   * The segments that the MPD lists or, by numbers, that could be had at a time.
   *
   * @param {number} now wall time in ms
   * @returns {MediaSegment[]}
   */
  segments(now) {
    if (!this.template) return [];
    return this.timeline ? this.#listed() : this.#numbered(now);
  }

  #segment(number, time, duration) {
    const { startMs } = this.period;
    const from = startMs + ((time - this.offset) / this.timescale) * 1_000;
    const until = startMs + ((time - this.offset + duration) / this.timescale) * 1_000;
    return {
      number,
      time,
      duration,
      url: this.urlOf('media', { Number: number, Time: time }),
      startMs: from,
      availableMs: until - this.availabilityTimeOffset * 1_000,
    };
  }

  #listed() {
    const found = [];
    let number = this.startNumber;
    let time = 0;
    const entries = childrenOf(this.timeline, 'S');
    for (const [index, entry] of entries.entries()) {
      const value = (name, otherwise) => Number(entry.attributes.get(name) ?? otherwise);
      time = value('t', time);
      number = value('n', number);
      const duration = value('d', 0);
      let repeat = value('r', 0);
      if (repeat < 0) {
        const next = entries[index + 1]?.attributes.get('t');
        if (next === undefined || duration <= 0) repeat = 0;
        else repeat = Math.ceil((Number(next) - time) / duration) - 1;
      }
      for (let i = 0; i <= repeat; i += 1) {
        found.push(this.#segment(number, time, duration));
        number += 1;
        time += duration;
      }
    }
    return found;
  }

  #numbered(now) {
    const duration = this.number('duration', 0);
    if (!(duration > 0)) return [];
    const length = (duration / this.timescale) * 1_000;
    const early = Math.min(this.availabilityTimeOffset * 1_000, length);
    const end = Math.min(now, this.period.endMs ?? Infinity);
    const last = Math.floor((end + early - this.period.startMs) / length) - 1;
    const depth = this.period.depthMs ?? Infinity;
    const first = Math.max(0, Math.ceil((now - depth - this.period.startMs) / length) - 1);
    const found = [];
    for (let index = Math.max(first, last - MOST_NUMBERED); index <= last; index += 1) {
      found.push(this.#segment(this.startNumber + index, this.offset + index * duration, duration));
    }
    return found;
  }

  /** The URL that a template makes. */
  urlOf(name, values = {}) {
    const template = this.template?.attributes.get(name);
    if (template === undefined) return null;
    const known = { RepresentationID: this.id, Bandwidth: this.representation.attributes.get('bandwidth'), ...values };
    const path = template.replace(/\$(\w*)(?:%0(\d+)d)?\$/g, (whole, key, width) => {
      if (key === '') return '$';
      return known[key] === undefined ? whole : String(known[key]).padStart(Number(width ?? 1), '0');
    });
    return [...this.base.map(textIn), path].reduce((base, part) => (isAbsolute(part) ? part : join(base, part)), '');
  }
}

const MOST_NUMBERED = 200;
const isAbsolute = (url) => /^([a-z][a-z0-9+.-]*:|\/)/i.test(url);
const join = (base, part) => base.replace(/[^/]*$/, '') + part;

/** A template with what it inherits: attributes and timeline of the levels above it. */
function inherited(levels, name) {
  const found = levels.map((level) => childOf(level, name)).filter(Boolean);
  if (!found.length) return null;
  const attributes = new Map(found.flatMap((one) => [...one.attributes]));
  const children = found.findLast((one) => childOf(one, 'SegmentTimeline'))?.children ?? [];
  return { ...found.at(-1), attributes, children };
}

/** A Period with its times. */
export class Period {
  constructor(mpd, element, startS, document) {
    this.mpd = mpd;
    this.element = element;
    this.id = element.attributes.get('id') ?? null;
    this.startS = startS;
    this.durationS = seconds(element.attributes.get('duration'));
    this.startMs = (document.availabilityStartMs ?? 0) + (startS ?? 0) * 1_000;
    this.endMs = this.durationS === null ? null : this.startMs + this.durationS * 1_000;
    this.depthMs = document.depthMs;
    this.where = pathOf(element);
    this.sets = childrenOf(element, 'AdaptationSet');
    this.tracks = this.sets.flatMap((set) => childrenOf(set, 'Representation').map((one) => new Track(this, set, one)));
  }
}

/** A whole MPD. */
export class Presentation {
  /** @param {import('./xml.mjs').Element} root */
  constructor(root) {
    this.root = root;
    const attribute = (name) => root.attributes.get(name);
    this.id = attribute('id') ?? null;
    this.type = attribute('type') ?? 'static';
    this.publishTime = attribute('publishTime') ?? null;
    this.publishMs = instant(attribute('publishTime'));
    this.availabilityStartMs = instant(attribute('availabilityStartTime'));
    this.updateS = seconds(attribute('minimumUpdatePeriod'));
    this.depthMs = attribute('timeShiftBufferDepth') ? seconds(attribute('timeShiftBufferDepth')) * 1_000 : null;
    this.maxSegmentS = seconds(attribute('maxSegmentDuration'));
    this.profiles = (attribute('profiles') ?? '').split(',').filter(Boolean);
    this.patchLocation = childOf(root, 'PatchLocation');
    /** @type {Period[]} */
    this.periods = [];
    for (const element of childrenOf(root, 'Period')) {
      const before = this.periods.at(-1);
      const given = seconds(element.attributes.get('start'));
      const follows =
        before && before.startS !== null && before.durationS !== null ? before.startS + before.durationS : null;
      const first = !before && this.type === 'static' ? 0 : null;
      this.periods.push(new Period(root, element, given ?? follows ?? first, this));
    }
    for (const [index, period] of this.periods.entries()) {
      const next = this.periods[index + 1];
      if (period.endMs === null && next?.startS !== undefined && next?.startS !== null) period.endMs = next.startMs;
    }
  }

  get tracks() {
    return this.periods.flatMap(({ tracks }) => tracks);
  }
}
