// One video element, one of three players behind one small interface, and the counts that say
// how well it plays.
import { TokenInHeader } from './token.js';

/**
 * @typedef {object} Level one rendition of the picture
 * @property {string} id
 * @property {number} width
 * @property {number} height
 * @property {number} bitrate bits a second
 */

/**
 * @typedef {object} Adapter what each player does for the page
 * @property {Promise<void>} ready when the video may be told to play
 * @property {() => Level[]} levels
 * @property {() => string | null} current the rendition that plays
 * @property {(id: string | null) => void} select null leaves the choice to the player
 * @property {() => import('./live.js').Pace | null} pace null while the player does not know
 * @property {() => void} toLive jumps to where the player would have started
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Failure what a player met
 * @property {boolean} fatal
 * @property {string} detail
 * @property {number} [status] what the edge answered, where it did
 * @property {number} [retryInMs] when the player tries again by itself, where it does
 */

/**
 * @typedef {object} Carried what a player opens
 * @property {string} url
 * @property {import('./token.js').Carrier | null} carrier of the token beside the URL, where one is needed
 */

/** The players that can be chosen, and the bundle that carries each. */
export const PLAYERS = {
  hls: './player-hls.js',
  dash: './player-dash.js',
  shaka: './player-shaka.js',
};

/**
 * Where the token of a URL that was handed out as `…?CAT=<token>` can ride, by a name for it: what to open, and what
 * carries the token beside that.
 *
 * @type {Record<string, (url: string) => Carried>}
 */
export const CARRIERS = {
  url: (url) => ({ url, carrier: null }),
  header: (url) => {
    const bare = new URL(url);
    const token = bare.searchParams.get('CAT') ?? '';
    bare.searchParams.delete('CAT');
    return { url: bare.href, carrier: new TokenInHeader(token, [url]) };
  },
};

/** A wait shorter than this is a flicker of the browser's own state: no viewer sees it. */
const STALL_MS = 100;

/** A channel is watched for days: only the last failures are kept. */
const ERRORS_KEPT = 50;

/** Plays a channel and counts stalls and errors. */
export class ChannelPlayer {
  /** @type {Adapter | null} */
  adapter = null;
  name = '';
  dialect = '';
  /** @type {Failure[]} the last ones */
  errors = [];
  #video;
  #onError;
  #played = false;
  #stalls = 0;
  /** @type {number | null} */
  #waitsSince = null;
  #generation = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {(error: Failure) => void} [onError] told of each failure of the player that is open
   */
  constructor(video, onError = () => {}) {
    this.#video = video;
    this.#onError = onError;
    video.addEventListener('playing', () => {
      this.#stalls = this.stalls;
      this.#waitsSince = null;
      this.#played = true;
    });
    video.addEventListener('waiting', () => {
      if (this.#played && !video.seeking && !video.paused) this.#waitsSince ??= performance.now();
    });
  }

  /** How often the picture stood still since the player opened. */
  get stalls() {
    const waited = this.#waitsSince === null ? 0 : performance.now() - this.#waitsSince;
    return this.#stalls + (waited >= STALL_MS ? 1 : 0);
  }

  /**
   * Closes the player that plays now, if any, and opens another.
   *
   * @param {keyof typeof PLAYERS} which
   * @param {{ hls: string, dash: string }} urls
   * @param {(url: string) => Carried} carry where the token of such a URL is to ride
   * @param {boolean} lowLatency whether a channel of parts is played as close to live as it asks for
   */
  async open(which, urls, carry, lowLatency) {
    const generation = ++this.#generation;
    const old = this.adapter;
    this.adapter = null;
    await old?.close();
    const bundle = await import(PLAYERS[which]);
    if (generation !== this.#generation) return;
    this.name = `${bundle.name} ${bundle.version}`.trim();
    this.dialect = bundle.dialect;
    this.#stalls = 0;
    this.#waitsSince = null;
    this.errors = [];
    this.#played = false;
    const { url, carrier } = carry(urls[bundle.dialect]);
    const onError = (error) => {
      if (generation !== this.#generation) return;
      this.errors.push(error);
      if (this.errors.length > ERRORS_KEPT) this.errors.shift();
      this.#onError(error);
    };
    this.adapter = bundle.open(this.#video, url, onError, carrier, lowLatency);
    await this.adapter.ready;
  }

  /** A stall that the viewer asked for, by jumping or by changing the rendition, is none. */
  forgiveNextWait() {
    this.#played = false;
  }

  /** Seconds of media that lie ahead of the frame shown. */
  bufferAhead() {
    const { buffered, currentTime } = this.#video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) {
        return buffered.end(i) - currentTime;
      }
    }
    return 0;
  }

  /** Frames decoded, and those of them that came too late to be shown. */
  frames() {
    const quality = this.#video.getVideoPlaybackQuality?.();
    return { total: quality?.totalVideoFrames ?? 0, dropped: quality?.droppedVideoFrames ?? 0 };
  }
}
