// How far the browser's clock is from the edge's, so that latency is measured on one clock.

/**
 * Picks the answer that travelled fastest: its offset is known best.
 *
 * @param {{ sent: number, received: number, edge: number, step: number }[]} answers all in ms;
 *   `step` is the resolution of the edge's answer
 * @returns {{ offset: number, uncertainty: number } | null} add `offset` to the browser's clock
 */
export function bestOffset(answers) {
  let best = null;
  for (const { sent, received, edge, step } of answers) {
    const uncertainty = (received - sent) / 2 + step / 2;
    const offset = edge + step / 2 - (sent + received) / 2;
    if (!best || uncertainty < best.uncertainty) best = { offset, uncertainty };
  }
  return best;
}

/**
 * Asks the edge for the time, a few times.
 *
 * @param {string} url the edge's `/time`
 * @param {number} [times]
 */
export async function measureOffset(url, times = 5) {
  const answers = [];
  for (let i = 0; i < times; i += 1) {
    const sent = now();
    const response = await fetch(url, { cache: 'no-store' });
    const received = now();
    const text = (await response.text()).trim();
    const edge = Date.parse(text);
    // An answer in whole seconds says only within which second it was written.
    const step = /\.\d/.test(text) ? 1 : 1000;
    if (response.ok && Number.isFinite(edge)) answers.push({ sent, received, edge, step });
  }
  return bestOffset(answers);
}

/** The browser's clock in ms since 1970, with a fraction, and monotonic. */
export function now() {
  return performance.timeOrigin + performance.now();
}
