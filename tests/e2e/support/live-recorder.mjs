// Follows a live channel as players do and keeps all that was served: every playlist of every rendition by blocking
// reload, a delta update now and then, each segment and part when it is first listed, and the MPD with its patches.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Findings, RenditionHistory, checkMediaPlaylist, checkMultivariant } from './hls-rules.mjs';
import { MpdHistory, checkAvailability, checkMpd, patchUrl } from './mpd-rules.mjs';

/**
 * An answer with its times, in ms of `performance.now()`.
 *
 * @typedef {object} Answer
 * @property {number} status 0 where the server hung up before a word
 * @property {Record<string, string>} headers
 * @property {Buffer} body what came, still coded where the server coded it
 * @property {boolean} complete whether the body came to its proper end
 * @property {number} asked
 * @property {number} begun when the head came
 * @property {number} at when the body ended
 * @property {{ at: number, bytes: number }[]} pieces of the body as they came
 */

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * Sends one GET, and waits as long as it takes.
 *
 * @param {string} url
 * @param {object} [options]
 * @param {Record<string, string>} [options.headers]
 * @param {number} [options.withinMs] after which it is given up
 * @returns {Promise<Answer>}
 */
export function get(url, { headers = {}, withinMs = 30_000 } = {}) {
  return new Promise((done, fail) => {
    const answer = { status: 0, headers: {}, body: null, complete: false, asked: performance.now(), begun: 0, at: 0 };
    const [chunks, pieces] = [[], []];
    const end = () => {
      clearTimeout(timer);
      done({ ...answer, body: Buffer.concat(chunks), at: performance.now(), pieces });
    };
    const sent = request(url, { agent, headers }, (response) => {
      Object.assign(answer, { status: response.statusCode, headers: response.headers, begun: performance.now() });
      response.on('data', (chunk) => {
        chunks.push(chunk);
        pieces.push({ at: performance.now(), bytes: chunk.length });
      });
      response.on('end', () => {
        answer.complete = response.complete;
        end();
      });
      response.on('error', end);
    });
    const timer = setTimeout(() => sent.destroy(new Error(`${url}: no end within ${withinMs} ms`)), withinMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      if (answer.begun) end();
      // A server may hang up on an idle connection just when it is used again.
      else if (sent.reusedSocket && error.code === 'ECONNRESET') done(get(url, { headers, withinMs }));
      else fail(error);
    });
    sent.end();
  });
}

/** The text of an answer, unpacked where it is packed. */
export function textOf({ headers, body }) {
  return (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString('utf8');
}

/** What a recorder has seen of one channel's HLS. */
export class HlsRecording {
  findings = new Findings();
  /** @type {import('./hls-rules.mjs').MultivariantPlaylist | null} */
  multivariant = null;
  /** @type {Map<string, RenditionHistory>} by the URI in the multivariant playlist */
  histories = new Map();
  /** @type {Map<string, Promise<Buffer | null>>} media by URL */
  media = new Map();
  /**
   * How many playlists were asked for with directives, without, and as delta updates; how many had not come when the
   * server gave up; and what had left the playlists and was fetched.
   */
  counts = { blocking: 0, plain: 0, deltas: 0, compared: 0, owed: 0, unavailable: 0 };
  #base;
  #stopAt = 0;

  /** @param {string} base URL of the multivariant playlist */
  constructor(base) {
    this.#base = base;
  }

  /**
   * Follows all renditions for some time.
   *
   * @param {number} ms
   * @param {object} [options]
   * @param {boolean} [options.lowLatency] hold the playlists to the low-latency profile
   */
  async follow(ms, { lowLatency = false } = {}) {
    this.#stopAt = performance.now() + ms;
    const answer = await get(this.#base);
    if (answer.status !== 200) throw new Error(`${this.#base} answers ${answer.status}`);
    this.multivariant = checkMultivariant(textOf(answer), { findings: this.findings }).playlist;
    const follow = (uri, profile) => this.#follow(uri, { lowLatency: profile });
    await Promise.all([
      ...this.multivariant.uris.map((uri) => follow(uri, lowLatency)),
      ...this.multivariant.iFrameUris.map((uri) => follow(uri, false)),
    ]);
    await Promise.all(this.media.values());
  }

  async #follow(uri, options) {
    const url = new URL(uri, this.#base).href;
    const history = new RenditionHistory(uri, this.findings);
    this.histories.set(uri, history);
    for (let turn = 0; performance.now() < this.#stopAt; turn += 1) {
      const before = history.last?.playlist ?? null;
      const directives = before ? nextOf(before) : '';
      const boundary = before?.ended ? null : before?.controlSeconds('CAN-SKIP-UNTIL');
      // Who has nothing newer than half of the skip boundary asks for the whole (6.3.7).
      const isFresh = boundary && performance.now() - history.last.at < boundary * 500;
      const withDelta = isFresh && turn % DELTA_EVERY === DELTA_EVERY - 1;
      const join = directives ? '&' : '';
      const skip =
        before?.control('CAN-SKIP-DATERANGES') && turn % (2 * DELTA_EVERY) === DELTA_EVERY - 1 ? 'v2' : 'YES';
      const [full, delta] = await Promise.all([
        this.#load(url, directives, options),
        withDelta ? this.#load(url, `${directives}${join}_HLS_skip=${skip}`, options) : null,
      ]);
      if (full) {
        history.add(full);
        this.#fetchListed(full.playlist, url);
        this.counts[directives ? 'blocking' : 'plain'] += 1;
      }
      if (delta && full) {
        this.counts.deltas += 1;
        if (history.addDelta(delta.playlist, before, full.playlist)) this.counts.compared += 1;
      }
      if (full?.playlist.ended) return;
      if (!directives && before) await sleep((before.targetDuration ?? 2) * 500);
    }
  }

  async #load(url, query, { lowLatency }) {
    const answer = await get(query ? `${url}?${query}` : url, { headers: { 'accept-encoding': 'gzip' } });
    if (answer.status === 503) {
      // What has not come in three target durations is asked for again.
      this.counts.unavailable += 1;
      return null;
    }
    if (answer.status !== 200) {
      this.findings.must('recorder-status', `${url}?${query}`, `answers ${answer.status}`);
      await sleep(200);
      return null;
    }
    this.findings.context = `${url}?${query}`;
    const { playlist } = checkMediaPlaylist(textOf(answer), { lowLatency, findings: this.findings });
    this.findings.context = '';
    return { playlist, asked: answer.asked, at: answer.at };
  }

  /** Media that is listed can be had at once (6.2.1): it is fetched as soon as it is. */
  #fetchListed({ all, targetDuration, ended, duration }, base) {
    // What was old when the recording began may leave before it is fetched.
    let behind = duration;
    for (const { uri, parts, map, gap, duration: seconds } of all) {
      behind -= seconds ?? 0;
      if (gap || (!ended && behind > FETCHED_BEHIND * targetDuration)) continue;
      const listed = [map?.uri, uri, ...parts.filter((part) => !part.gap).map((part) => part.uri)];
      for (const one of listed.filter(Boolean)) this.fetch(one, base);
    }
  }

  /** Fetches media once, and keeps it. */
  fetch(uri, base) {
    const url = new URL(uri, base).href;
    if (!this.media.has(url)) {
      const bytes = get(url)
        .then(({ status, body, complete }) => (status === 200 && complete ? body : null))
        .catch(() => null);
      this.media.set(url, bytes);
    }
    return this.media.get(url);
  }

  /** Fetches what has left the playlists and is owed to those who still play from them. */
  async checkOwed() {
    for (const [uri, history] of this.histories) {
      const base = this.urlOf(uri);
      for (const one of history.owed(performance.now())) {
        const { status } = await get(new URL(one, base).href);
        this.counts.owed += 1;
        if (status !== 200)
          this.findings.must('recorder-owed', uri, `${one} has left the playlist and answers ${status}`);
      }
    }
  }

  /** The URL that the URIs of a rendition are relative to. */
  urlOf(uri) {
    return new URL(uri, this.#base).href;
  }
}

/** The directives that wait for what comes next; none where the server does not block. */
export function nextOf(playlist) {
  if (playlist.control('CAN-BLOCK-RELOAD') !== 'YES' || playlist.ended) return '';
  const { sequence, part } = playlist.edge;
  if (playlist.partTarget === null) return `_HLS_msn=${sequence + 1}`;
  return playlist.open?.parts.length
    ? `_HLS_msn=${sequence}&_HLS_part=${part + 1}`
    : `_HLS_msn=${playlist.nextSequence}&_HLS_part=0`;
}

const DELTA_EVERY = 5;
const FETCHED_BEHIND = 5;

/** What a recorder has seen of one channel's MPD. */
export class MpdRecording {
  findings = new Findings();
  history = new MpdHistory(this.findings);
  /** How many updates and patches came, how often the availability of segments was held against the MPD. */
  counts = { updates: 0, patches: 0, compared: 0, there: 0, early: 0 };
  #url;

  /** @param {string} url of the MPD */
  constructor(url) {
    this.#url = url;
  }

  /**
   * Fetches the MPD as often as it says, each time its patch before it, and asks for segments at the edges.
   *
   * @param {number} ms
   * @param {object} [options]
   * @param {boolean} [options.lowLatency] hold it to the rules for services of low latency
   */
  async follow(ms, { lowLatency = false } = {}) {
    const stopAt = performance.now() + ms;
    while (performance.now() < stopAt) {
      const before = this.history.last;
      const patches = before && patchUrl(before.presentation.root, this.#url);
      const [patch, whole] = await Promise.all([patches ? get(patches) : null, get(this.#url)]);
      if (whole.status !== 200) this.findings.must('recorder-status', this.#url, `answers ${whole.status}`);
      else this.#take(whole, { lowLatency });
      if (patch) this.#takePatch(patch, before, patches);
      const now = this.history.last;
      if (!now) return;
      await this.#checkAvailability(now.presentation);
      if (now.presentation.updateS === null) return;
      await sleep(Math.max(0.2, now.presentation.updateS) * 1_000);
    }
  }

  #take(answer, options) {
    const text = textOf(answer);
    const { presentation } = checkMpd(text, { ...options, findings: this.findings });
    if (!presentation) return;
    this.history.add(presentation, text, Date.now());
    this.counts.updates += 1;
  }

  #takePatch(answer, before, url) {
    // What has not changed has no patch.
    if (answer.status === 304 || answer.status === 204) return;
    if (answer.status !== 200) {
      this.findings.must('recorder-status', url, `answers ${answer.status}`);
      return;
    }
    this.counts.patches += 1;
    const now = this.history.last;
    if (this.history.addPatch(before.text, textOf(answer), now.text)) this.counts.compared += 1;
  }

  async #checkAvailability(presentation) {
    const status = async (url) => (await get(new URL(url, this.#url).href)).status;
    const counts = await checkAvailability(presentation, { now: Date.now, status, findings: this.findings });
    this.counts.there += counts.there;
    this.counts.early += counts.early;
  }
}
