// A line of the last minute, drawn as SVG.

const WIDTH = 240;
const HEIGHT = 48;
const MARGIN = 3;

/**
 * How the values of a series become heights in the box.
 *
 * @param {number[]} values
 * @param {{ floor: number, minSpan: number }} scale
 */
function heights(values, { floor, minSpan }) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = Math.max(high - low, minSpan);
  const bottom = Math.max(floor, (low + high - span) / 2);
  return (value) => HEIGHT - MARGIN - ((value - bottom) / span) * (HEIGHT - 2 * MARGIN);
}

/**
 * The path through a series, oldest first, scaled to the box.
 *
 * @param {number[]} values
 * @param {{ capacity: number, floor: number, minSpan: number }} scale `capacity` points fill the
 *   width; `floor` is the smallest lower bound; `minSpan` keeps noise from looking like a storm
 * @param {number | null} [mark] another value that must lie in the box
 */
export function linePath(values, scale, mark = null) {
  if (values.length < 2) return '';
  const height = heights(mark === null ? values : [...values, mark], scale);
  const step = WIDTH / (scale.capacity - 1);
  const start = WIDTH - step * (values.length - 1);
  return values
    .map((value, i) => `${i ? 'L' : 'M'}${(start + i * step).toFixed(1)} ${height(value).toFixed(1)}`)
    .join('');
}

/** The path of a level across the box, in the scale of {@link linePath}. */
export function markPath(values, scale, mark) {
  if (values.length < 2 || mark === null) return '';
  const y = heights([...values, mark], scale)(mark).toFixed(1);
  return `M0 ${y}L${WIDTH} ${y}`;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A sparkline inside an element that carries the class `spark`. */
export class Sparkline {
  #values = [];
  #scale;
  #line = document.createElementNS(SVG, 'path');
  #area = document.createElementNS(SVG, 'path');
  #mark = document.createElementNS(SVG, 'path');

  /**
   * @param {HTMLElement} host
   * @param {{ capacity: number, floor: number, minSpan: number }} scale
   */
  constructor(host, scale) {
    this.#scale = scale;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    this.#area.setAttribute('class', 'spark-area');
    this.#line.setAttribute('class', 'spark-line');
    this.#mark.setAttribute('class', 'spark-mark');
    svg.append(this.#area, this.#mark, this.#line);
    host.append(svg);
  }

  /**
   * @param {number} value
   * @param {number | null} [mark] a level that the line is seen against
   */
  push(value, mark = null) {
    this.#values.push(value);
    if (this.#values.length > this.#scale.capacity) this.#values.shift();
    const line = linePath(this.#values, this.#scale, mark);
    this.#mark.setAttribute('d', markPath(this.#values, this.#scale, mark));
    this.#line.setAttribute('d', line);
    const left = WIDTH - (WIDTH / (this.#scale.capacity - 1)) * (this.#values.length - 1);
    this.#area.setAttribute('d', line && `${line}L${WIDTH} ${HEIGHT}L${left.toFixed(1)} ${HEIGHT}Z`);
  }

  clear() {
    this.#values = [];
    this.#line.setAttribute('d', '');
    this.#area.setAttribute('d', '');
    this.#mark.setAttribute('d', '');
  }
}
