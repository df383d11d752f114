// What a break is to who looks at it: its phase, its name, what is in it, and what can be done with it.

/**
 * @typedef {object} Slot
 * @property {string | null} creative
 * @property {number} duration_us
 *
 * @typedef {object} Break as the origin tells it
 * @property {string} id
 * @property {string} event
 * @property {'scte35' | 'hls' | 'schedule' | 'api'} source
 * @property {'announced' | 'open' | 'ended' | 'void' | 'cancelled'} state
 * @property {number} out_us microseconds since 1970
 * @property {number | null} planned_us
 * @property {number | null} in_us
 * @property {Slot[]} slots
 * @property {string[]} decisions the cohorts that it is decided for
 * @property {string | null} reason
 */

/**
 * The breaks without doubles: one that was called off may stand beside the one of the same id that was asked for again.
 *
 * @param {Break[]} breaks
 */
export function distinct(breaks) {
  const byId = new Map();
  for (const one of breaks) {
    const known = byId.get(one.id);
    if (!known || phaseOf(known) === 'off') byId.set(one.id, one);
  }
  return [...byId.values()];
}

/** A break whose end nobody knows is drawn this long. */
const OPEN_END_US = 30_000_000;

/** @param {Break} one */
export const lengthOf = (one) =>
  one.in_us === null || one.in_us === undefined
    ? (one.planned_us ?? OPEN_END_US)
    : one.in_us - one.out_us;

/** @param {Break} one */
export const endOf = (one) => one.out_us + lengthOf(one);

/** @type {Record<Break['state'], string>} */
const PHASES = {
  open: 'live',
  announced: 'coming',
  ended: 'aired',
  void: 'off',
  cancelled: 'off',
};

/** `live`, `coming`, `aired` or `off`: what colours it, and where it is listed. */
export const phaseOf = (one) => PHASES[one.state] ?? 'off';

/** @param {Break} one */
export function stateOf(one) {
  if (one.state === 'open') return 'On air';
  if (one.state === 'announced') return 'Coming';
  if (one.state === 'ended') return 'Aired';
  if (one.state === 'void') return 'Not aired';
  return 'Cancelled';
}

/** What people call it. */
export function nameOf(one) {
  const [kind, ...rest] = one.event.split(':');
  const what = rest.join(':');
  // The name that the origin gives to a break that was asked for without one.
  if (kind === 'name' && /^at-\d+$/.test(what)) return 'Unnamed';
  if (kind === 'name' && what) return what;
  if (kind === 'si') return `Splice ${what}`;
  if (kind === 'seg') return `Segmentation ${rest[0]}`;
  return 'Cue';
}

const SOURCES = {
  scte35: 'SCTE 35 in the feed',
  hls: 'marker in the feed',
  schedule: 'schedule in the rules',
  api: 'by hand',
};

/** Where it comes from. */
export const sourceOf = (one) => SOURCES[one.source] ?? one.source;

const isOfFeed = (one) => one.source === 'scte35' || one.source === 'hls';

/** What can be done with it: a break of the feed would be moved back by the next message. */
export function actionsOf(one) {
  const phase = phaseOf(one);
  if (phase === 'live') return ['end'];
  if (phase !== 'coming') return [];
  return isOfFeed(one) ? ['cancel'] : ['move', 'cancel'];
}

/**
 * What is in it, in order: creatives that are repeated are one run, and what no slot covers is the rest.
 *
 * @param {Break} one
 * @returns {{ creative: string | null, us: number, count: number }[]}
 */
export function fillOf(one) {
  const runs = [];
  let left = lengthOf(one);
  for (const { creative, duration_us: us } of one.slots) {
    const shown = Math.min(us, left);
    if (shown <= 0) break;
    left -= shown;
    const last = runs.at(-1);
    if (last && last.creative === creative && last.creative !== null) {
      last.us += shown;
      last.count += 1;
    } else {
      runs.push({ creative, us: shown, count: 1 });
    }
  }
  // Less than a frame is nothing that anybody sees.
  if (left > 40_000) runs.push({ creative: null, us: left, count: 1 });
  return runs;
}

/**
 * The groups of the list: on air, coming (the nearest first), over (the latest first).
 *
 * @param {Break[]} breaks
 */
export function groupsOf(breaks) {
  const of = (...phases) => breaks.filter((one) => phases.includes(phaseOf(one)));
  const by = (sign) => (a, b) => sign * (a.out_us - b.out_us);
  return {
    live: of('live').sort(by(1)),
    coming: of('coming').sort(by(1)),
    over: of('aired', 'off').sort(by(-1)),
  };
}

/** The break on air, else the next. */
export function nextOf(breaks) {
  const { live, coming } = groupsOf(breaks);
  return live[0] ?? coming[0] ?? null;
}

/** All creatives that fill breaks, in the order in which they come up. */
export function creativesOf(breaks) {
  const all = breaks.flatMap((one) => one.slots.map(({ creative }) => creative));
  return [...new Set(all.filter(Boolean))];
}

const HUES = 10;

/**
 * A number from 0 to 9 for the colour of each creative: by its name, so that it is the same tomorrow, and another where that
 * one is taken.
 *
 * @param {string[]} creatives
 * @returns {Map<string, number>}
 */
export function huesOf(creatives) {
  const hues = new Map();
  for (const creative of creatives.toSorted()) {
    let hash = 7;
    for (const letter of creative) hash = (hash * 31 + letter.codePointAt(0)) % 1_000_003;
    // Steps of three go through all ten, and far from where they began.
    const free = Array.from({ length: HUES }, (_, step) => (hash + 3 * step) % HUES);
    const taken = new Set(hues.values());
    hues.set(creative, free.find((hue) => !taken.has(hue)) ?? hash % HUES);
  }
  return hues;
}
