// A line of the last minute, drawn as SVG.

const WIDTH = 240;
const HEIGHT = 48;
const MARGIN = 3;

/**
 * The path through a series, oldest first, scaled to the box.
 *
 * @param {number[]} values
 * @param {{ capacity: number, floor: number, minSpan: number }} scale `capacity` points fill the
 *   width; `floor` is the smallest lower bound; `minSpan` keeps noise from looking like a storm
 */
export function linePath(values, { capacity, floor, minSpan }) {
  if (values.length < 2) return '';
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = Math.max(high - low, minSpan);
  const bottom = Math.max(floor, (low + high - span) / 2);
  const step = WIDTH / (capacity - 1);
  const start = WIDTH - step * (values.length - 1);
  return values
    .map((value, i) => {
      const x = start + i * step;
      const y = HEIGHT - MARGIN - ((value - bottom) / span) * (HEIGHT - 2 * MARGIN);
      return `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

const SVG = 'http://www.w3.org/2000/svg';

/** A sparkline inside an element that carries the class `spark`. */
export class Sparkline {
  #values = [];
  #scale;
  #line = document.createElementNS(SVG, 'path');
  #area = document.createElementNS(SVG, 'path');

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
    svg.append(this.#area, this.#line);
    host.append(svg);
  }

  push(value) {
    this.#values.push(value);
    if (this.#values.length > this.#scale.capacity) this.#values.shift();
    const line = linePath(this.#values, this.#scale);
    this.#line.setAttribute('d', line);
    const left = WIDTH - (WIDTH / (this.#scale.capacity - 1)) * (this.#values.length - 1);
    this.#area.setAttribute('d', line && `${line}L${WIDTH} ${HEIGHT}L${left.toFixed(1)} ${HEIGHT}Z`);
  }

  clear() {
    this.#values = [];
    this.#line.setAttribute('d', '');
    this.#area.setAttribute('d', '');
  }
}
