// A plot of series over time as one SVG that is read on light and dark pages alike.

const WIDTH = 960;
const HEIGHT = 420;
const BOX = { left: 64, right: 24, top: 64, bottom: 48 };

const STYLE = `
  .ground { fill: #fbfaf7 } .text { fill: #23262f } .soft { fill: #6a7180 }
  .grid { stroke: #e3e0d8 } .bar { stroke: #c93a30 } .bar-text { fill: #c93a30 }
  .s0 { stroke: #3f5bd9 } .s1 { stroke: #12805c } .f0 { fill: #3f5bd9 } .f1 { fill: #12805c }
  text { font: 13px ui-sans-serif, system-ui, sans-serif } .title { font-size: 17px; font-weight: 600 }
  path, line { fill: none; stroke-width: 1.5; stroke-linejoin: round } .bar { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0b0d13 } .text { fill: #f1ede4 } .soft { fill: #8d95a8 } .grid { stroke: #232838 }
    .bar { stroke: #ff5a4f } .bar-text { fill: #ff5a4f }
    .s0 { stroke: #93a8ff } .s1 { stroke: #7fd6a8 } .f0 { fill: #93a8ff } .f1 { fill: #7fd6a8 }
  }`;

/**
 * Draws at most two series.
 *
 * @param {object} plot
 * @param {string} plot.title
 * @param {string} plot.unit of the values
 * @param {{ name: string, points: { at: number, value: number }[] }[]} plot.series `at` in seconds
 * @param {{ value: number, text: string }} plot.bar that no series should cross
 * @returns {string} SVG
 */
export function plot({ title, unit, series, bar }) {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const seconds = Math.max(1, ...series.flatMap(({ points }) => points.map(({ at }) => at)));
  const top = Math.ceil(Math.max(bar.value * 1.15, ...values) * 2) / 2;
  const x = (at) => BOX.left + (at / seconds) * (WIDTH - BOX.left - BOX.right);
  const y = (value) => HEIGHT - BOX.bottom - (value / top) * (HEIGHT - BOX.top - BOX.bottom);
  const n = (number) => number.toFixed(1);

  const levels = steps(top, 0.5);
  const times = steps(seconds, seconds > 90 ? 30 : 10);
  const grid = levels.map(
    (level) =>
      `<line class="grid" x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${n(y(level))}" y2="${n(y(level))}"/>` +
      `<text class="soft" x="${BOX.left - 10}" y="${n(y(level) + 4)}" text-anchor="end">${level.toFixed(1)}</text>`,
  );
  const axis = times.map(
    (at) => `<text class="soft" x="${n(x(at))}" y="${HEIGHT - BOX.bottom + 22}" text-anchor="middle">${at} s</text>`,
  );
  const lines = series.map(({ points }, i) => {
    const path = points.map(({ at, value }, j) => `${j ? 'L' : 'M'}${n(x(at))} ${n(y(value))}`).join('');
    return `<path class="s${i}" d="${path}"/>`;
  });
  const legend = series.map(
    ({ name }, i) => `<text class="f${i}" x="${BOX.left}" y="${n(y(top) + 22 + 20 * i)}" dx="10">${escaped(name)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="text title" x="${BOX.left}" y="34">${escaped(title)}</text>`,
    `<text class="soft" x="${BOX.left - 10}" y="${BOX.top - 10}" text-anchor="end">${escaped(unit)}</text>`,
    ...grid,
    ...axis,
    `<line class="bar" x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${n(y(bar.value))}" y2="${n(y(bar.value))}"/>`,
    `<text class="bar-text" x="${WIDTH - BOX.right}" y="${n(y(bar.value) - 7)}" text-anchor="end">${escaped(bar.text)}</text>`,
    ...lines,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function steps(to, by) {
  return Array.from({ length: Math.floor(to / by + 1e-6) + 1 }, (_, i) => i * by);
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
