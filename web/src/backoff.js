// How long to wait before something that failed is tried again.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Waits that double, up to half a minute, until something works again. */
export class Backoff {
  #first;
  #longest;
  #next;

  /**
   * @param {number} [first] the first wait in ms
   * @param {number} [longest] the longest wait in ms
   */
  constructor(first = FIRST_MS, longest = LONGEST_MS) {
    this.#first = first;
    this.#longest = longest;
    this.#next = first;
  }

  /** The wait before the next try, in ms. */
  next() {
    const wait = this.#next;
    this.#next = Math.min(2 * wait, this.#longest);
    return wait;
  }

  /** It worked: the next failure is a first one again. */
  reset() {
    this.#next = this.#first;
  }
}
