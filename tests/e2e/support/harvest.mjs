// Watches a channel as players see it, from its first playlist on: keeps every segment that was ever listed, and
// refuses at once what no playlist may ever do.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { framesOf, tracksOf } from './cmaf.mjs';

const EVERY_MS = 250;

/**
 * @typedef {object} Entry one segment of a media playlist
 * @property {number} number media sequence number
 * @property {number} discontinuity its discontinuity sequence number
 * @property {boolean} gap
 * @property {number} seconds EXTINF
 * @property {number} date ms since 1970, of its start
 * @property {boolean} dated whether the date was written beside it
 * @property {string} map URI of its init segment
 * @property {string} uri
 * @property {Buffer} [media]
 */

/** A media playlist, read by RFC 8216's own words. */
export function parsePlaylist(text) {
  const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
  const list = {
    first: number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m),
    target: number(/^#EXT-X-TARGETDURATION:(\d+)/m),
    ended: /^#EXT-X-ENDLIST/m.test(text),
    /** @type {Entry[]} */
    entries: [],
  };
  let discontinuity = number(/^#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)/m);
  let map = null;
  let date = null;
  let next = {};
  for (const line of text.split(/\r?\n/)) {
    const value = line.slice(line.indexOf(':') + 1);
    if (line === '#EXT-X-DISCONTINUITY') discontinuity += 1;
    else if (line === '#EXT-X-GAP') next.gap = true;
    else if (line.startsWith('#EXT-X-MAP:')) map = /URI="([^"]+)"/.exec(value)[1];
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) [date, next.dated] = [Date.parse(value), true];
    else if (line.startsWith('#EXTINF:')) next.seconds = Number.parseFloat(value);
    else if (line !== '' && !line.startsWith('#')) {
      list.entries.push({
        ...{ number: list.first + list.entries.length, discontinuity, gap: false, dated: false, date, map },
        ...{ ...next, uri: line },
      });
      if (date !== null) date += next.seconds * 1_000;
      next = {};
    }
  }
  return list;
}

/** The URIs of a multivariant playlist's renditions, as they stand in it. */
export const renditionsOf = (text) => [
  ...new Set([...text.matchAll(/^(?!#)(\S+)$|^#EXT-X-MEDIA:.*URI="([^"]+)"/gm)].map((match) => match[1] ?? match[2])),
];

/** One rendition through time. */
class Rendition {
  /** @type {Map<number, Entry>} by media sequence number */
  entries = new Map();
  inits = new Map();
  first = 0;
  target = null;

  constructor(name) {
    this.name = name;
  }

  /** Takes a playlist; says which of its segments have not been fetched. */
  take(list) {
    const say = (what) => `${this.name}: ${what}`;
    this.target ??= list.target;
    assert.equal(list.target, this.target, say('the target duration changed'));
    assert.ok(list.first >= this.first, say(`the media sequence went back from ${this.first} to ${list.first}`));
    this.first = list.first;
    const known = [...this.entries.keys()].at(-1);
    const newest = list.entries.at(-1)?.number ?? known;
    assert.ok(known === undefined || newest >= known, say(`number ${known} was listed, and ${newest} is the last`));
    for (const entry of list.entries) {
      assert.ok(entry.seconds < list.target + 0.5, say(`${entry.uri} lasts ${entry.seconds} s, target ${list.target}`));
      const before = this.entries.get(entry.number);
      if (!before) {
        this.entries.set(entry.number, entry);
        continue;
      }
      for (const key of ['uri', 'gap', 'discontinuity', 'seconds', 'map']) {
        assert.equal(entry[key], before[key], say(`number ${entry.number} changed its ${key}`));
      }
      // Between two dates a player counts durations, which are rounded.
      assert.ok(Math.abs(entry.date - before.date) <= 2, say(`number ${entry.number} moved in time`));
    }
    return [...this.entries.values()].filter((entry) => !entry.gap && !entry.media && entry.number >= list.first);
  }

  get list() {
    return [...this.entries.values()].sort((a, b) => a.number - b.number);
  }

  get init() {
    return this.inits.values().next().value;
  }

  /** The tracks that the init segment of an entry describes. */
  tracks(entry) {
    return tracksOf(this.inits.get(entry.map));
  }

  /** Every frame of every segment, in the order of the playlist. */
  frames() {
    return this.list
      .filter((entry) => entry.media)
      .flatMap((entry) => framesOf(entry.media, this.tracks(entry)).map((frame) => ({ ...frame, entry })));
  }
}

/**
 * Watches a channel until `close`.
 */
export class Harvest {
  /** @type {Map<string, Rendition>} by URI */
  renditions = new Map();
  #base;
  #stopped = false;
  #failed = null;
  #watching;

  /**
   * @param {string} origin URL
   * @param {string} channel
   */
  constructor(origin, channel) {
    this.#base = `${origin}/live/${channel}/`;
    this.channel = channel;
    this.#watching = this.#watch();
  }

  async #watch() {
    while (!this.#stopped) {
      try {
        await this.#look();
      } catch (error) {
        if (error instanceof assert.AssertionError) {
          this.#failed = error;
          return;
        }
        // An origin that restarts answers nobody.
      }
      await sleep(EVERY_MS);
    }
  }

  async #look() {
    const multivariant = await this.#get('index.m3u8');
    if (!multivariant) return;
    for (const uri of renditionsOf(multivariant.toString())) {
      if (!this.renditions.has(uri)) this.renditions.set(uri, new Rendition(uri));
    }
    await Promise.all(
      [...this.renditions].map(async ([uri, rendition]) => {
        const text = await this.#get(uri);
        if (!text) return;
        const folder = uri.slice(0, uri.lastIndexOf('/') + 1);
        for (const entry of rendition.take(parsePlaylist(text.toString()))) {
          if (!rendition.inits.has(entry.map)) rendition.inits.set(entry.map, await this.#must(folder + entry.map));
          entry.media = await this.#must(folder + entry.uri);
        }
      }),
    );
  }

  async #get(path) {
    const response = await fetch(this.#base + path, { signal: AbortSignal.timeout(10_000) });
    const body = Buffer.from(await response.arrayBuffer());
    if (response.status === 404 || response.status === 503) return null;
    assert.equal(response.status, 200, `GET ${path}`);
    return body;
  }

  async #must(path) {
    const body = await this.#get(path);
    assert.ok(body, `${this.channel}: ${path} is listed and cannot be had`);
    return body;
  }

  /** What is there by now; throws what was seen to be wrong. */
  check() {
    if (this.#failed) throw this.#failed;
    return [...this.renditions.values()];
  }

  /** Looks once more and stops. */
  async close() {
    this.#stopped = true;
    await this.#watching;
    if (!this.#failed) await this.#look();
    return this.check();
  }
}
