// From moments to places on the timeline. Moments and lengths are microseconds.

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What the timeline can show at once. */
export const SPANS = [
  { id: '5m', label: '5 min', us: 5 * MINUTE },
  { id: '30m', label: '30 min', us: 30 * MINUTE },
  { id: '2h', label: '2 h', us: 2 * HOUR },
  { id: '12h', label: '12 h', us: 12 * HOUR },
];

/** Where now stands: more is shown of what comes than of what was. */
export const NOW_AT = 0.3;

const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600].map(
  (seconds) => seconds * SECOND,
);

/** A tick is at least so many pixels from the next, so that its time can be read. */
const TICK_PX = 88;

/** A break is never narrower than what can be seen and touched. */
const MIN_PX = 6;

/** The part of time that is shown, and how wide it is drawn. */
export class Scale {
  /**
   * @param {{ from: number, span: number, width: number }} window `from` is the moment at the left end, `width` is in pixels
   */
  constructor({ from, span, width }) {
    this.from = from;
    this.span = span;
    this.width = width;
  }

  /** The window in which `now` stands where it belongs, shifted by `pan`. */
  static around(now, { span, width, pan = 0 }) {
    return new Scale({ from: now - span * NOW_AT + pan, span, width });
  }

  get to() {
    return this.from + this.span;
  }

  /** Pixels from the left end. */
  x(us) {
    return ((us - this.from) / this.span) * this.width;
  }

  /**
   * Where a length is drawn; null where none of it is in the window.
   *
   * @returns {{ left: number, width: number } | null}
   */
  box(fromUs, toUs) {
    if (toUs < this.from || fromUs > this.to) return null;
    const left = this.x(fromUs);
    return { left, width: Math.max(MIN_PX, this.x(toUs) - left) };
  }

  /**
   * Moments to write below the line, at round times. Days begin at round times too, so `shift` is the zone's distance from UTC.
   *
   * @param {number} [shift] microseconds east of Greenwich
   */
  ticks(shift = 0) {
    const fits = (step) => (step / this.span) * this.width >= TICK_PX;
    const step = STEPS.find(fits) ?? STEPS.at(-1);
    const ticks = [];
    const first = Math.ceil((this.from + shift) / step) * step - shift;
    for (let us = first; us <= this.to; us += step) ticks.push(us);
    return { step, ticks };
  }
}
