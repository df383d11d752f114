// What was on the screen, by the clock in the picture: a run is a stretch of frames whose clock goes on. A frame
// without a clock, as ads are, belongs to a run of its own kind.

/** A clock that goes on further than this, in ms, from one frame to the next has left something out. */
const JUMP_MS = 1_000;
/** So many frames without a clock make a run of them; fewer were misread. */
const MISREAD_FRAMES = 4;

/**
 * @typedef {object} Run
 * @property {number | null} first the clock of its first frame, in ms since 1970; null where the picture has none
 * @property {number | null} last
 * @property {number} frames
 * @property {number} from when its first frame was shown, in ms of the page's time
 * @property {number} to when its last one was
 * @property {number} widest the longest step of its clock, in ms
 */

export class Runs {
  /** @type {Run[]} */
  list = [];
  #unread = [];

  /**
   * Takes note of a frame.
   *
   * @param {number | null} clock what the picture's clock says, in ms
   * @param {number} at when it was shown, in ms of the page's time
   */
  note(clock, at) {
    if (clock !== null) {
      this.#unread = [];
      this.#add(clock, at);
      return;
    }
    const run = this.list.at(-1);
    if (run?.first === null) {
      this.#add(null, at);
      return;
    }
    this.#unread.push(at);
    if (this.#unread.length < MISREAD_FRAMES) return;
    for (const moment of this.#unread.splice(0)) this.#add(null, moment);
  }

  #add(clock, at) {
    const run = this.list.at(-1);
    if (run && goesOn(run, clock)) {
      run.widest = Math.max(run.widest, clock - run.last);
      Object.assign(run, { last: clock, to: at, frames: run.frames + 1 });
    } else {
      this.list.push({ first: clock, last: clock, frames: 1, from: at, to: at, widest: 0 });
    }
  }
}

function goesOn(run, clock) {
  if (run.last === null || clock === null) return run.last === clock;
  return clock >= run.last && clock - run.last <= JUMP_MS;
}
