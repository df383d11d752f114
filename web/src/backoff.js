// How long to wait before something that failed is tried again.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Waits that double, from a second to half a minute, until something works again. */
export class Backoff {
  #next = FIRST_MS;

  /** The wait before the next try, in ms. */
  next() {
    const wait = this.#next;
    this.#next = Math.min(2 * wait, LONGEST_MS);
    return wait;
  }

  /** It worked: the next failure is a first one again. */
  reset() {
    this.#next = FIRST_MS;
  }
}
