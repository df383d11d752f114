// How long to wait before something that failed is tried again.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Waits that double, up to half a minute, until something works again. */
export class Backoff {
  #first;
  #next;

  /** @param {number} [first] the first wait in ms */
  constructor(first = FIRST_MS) {
    this.#first = first;
    this.#next = first;
  }

  /** The wait before the next try, in ms. */
  next() {
    const wait = this.#next;
    this.#next = Math.min(2 * wait, LONGEST_MS);
    return wait;
  }

  /** It worked: the next failure is a first one again. */
  reset() {
    this.#next = this.#first;
  }
}
