// Whether what plays is live, and when a player that fell behind is brought back.
import { Backoff } from './backoff.js';

/**
 * @typedef {object} Pace where a player is beside the live edge, as it reckons itself
 * @property {number} latency how far behind the live edge it plays, in seconds
 * @property {number} target how far behind it means to play, in seconds
 */

/** A player that is further behind its target than this, in seconds, is not live… */
const LEAST_MARGIN = 1;
/** …unless the target is so far from live itself that a viewer would not care: this share of it. */
const MARGIN_SHARE = 0.5;

/** For how long a player may try by itself to come back, in ms, at first and at most. */
const FIRST_PATIENCE_MS = 5_000;
const LAST_PATIENCE_MS = 20_000;

/** Once it has been live for so long, in ms, what was before counts no more. */
const RECOVERED_AFTER_MS = 5_000;

/**
 * @param {Pace} pace
 * @returns {boolean} whether it plays about where it means to
 */
export function isLive({ latency, target }) {
  return latency - target <= Math.max(LEAST_MARGIN, target * MARGIN_SHARE);
}

/**
 * Follows a player that stalled and plays on where it stalled. Some players catch up by playing faster; one that does
 * not, or not soon, is to jump. Between jumps the patience grows: a machine that is too slow stalls at each of them.
 */
export class Follower {
  #behindSince = null;
  #liveSince = null;
  #backoff = new Backoff(FIRST_PATIENCE_MS, LAST_PATIENCE_MS);
  #patience = this.#backoff.next();
  #following = true;

  /** Another player, or the viewer, has just gone to the live edge. */
  begin() {
    this.#following = true;
    this.#behindSince = null;
    this.#forget();
  }

  /** The viewer has paused: whoever comes back later wants to see what was missed. */
  leave() {
    this.#following = false;
  }

  /**
   * @param {Pace} pace of a player that plays
   * @param {number} now ms of a clock that only goes forward
   * @returns {boolean} whether the player is to jump to the live edge now
   */
  shouldJump(pace, now) {
    if (isLive(pace)) {
      this.#behindSince = null;
      this.#liveSince ??= now;
      if (now - this.#liveSince >= RECOVERED_AFTER_MS) this.#forget();
      return false;
    }
    this.#liveSince = null;
    if (!this.#following) return false;
    this.#behindSince ??= now;
    if (now - this.#behindSince < this.#patience) return false;
    this.#behindSince = null;
    this.#patience = this.#backoff.next();
    return true;
  }

  #forget() {
    this.#backoff.reset();
    this.#patience = this.#backoff.next();
  }
}
