// Watches a player for a while and says whether a viewer would have been content.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { look } from './browser.mjs';
import { artifacts, until } from './processes.mjs';

/**
 * Play must run this close to the clock on the wall: players may steer their rate a little, and three of them
 * share two cores with an encoder and whatever else the machine does. One viewer's page may not stall at all: the
 * demo's test says so.
 */
const RATE_TOLERANCE = 0.05;
const MAX_DROPPED_SHARE = 0.05;
/** A wait shorter than this is a flicker of the browser's own state: no viewer sees it. */
const STALL_MS = 100;
/** After the first frames players still jump to their place behind the live edge. */
const SETTLE_MS = 4_000;

/** Waits until a page plays, and lets it settle. */
export async function untilPlaying(page, name, withinMs = 45_000) {
  await until(
    `${name} plays`,
    async () => {
      const now = await look(page);
      if (now.fatal.length) throw new Error(`fatal: ${now.fatal.join('; ')}`);
      return !now.paused && now.readyState >= 3 && now.frames > 10;
    },
    withinMs,
  ).catch(async (error) => {
    await page.screenshot({ path: join(artifacts(), `${name}-failed.png`) });
    throw new Error(`${error.message} ${JSON.stringify(await look(page))}`);
  });
}

/**
 * Watches pages side by side.
 *
 * @param {{ page: import('playwright-core').Page, name: string, burnedClock?: boolean }[]} shows
 * @param {number} seconds
 * @param {() => Promise<void>} [meanwhile] what happens under the eyes of the viewers, who stay to its end
 * @returns {Promise<Record<string, object>>} figures for each name
 */
export async function watch(shows, seconds, meanwhile) {
  await Promise.all(shows.map(({ page, name }) => untilPlaying(page, name)));
  await sleep(SETTLE_MS);
  const before = await Promise.all(
    shows.map(({ page }) => page.evaluate(() => (window.probe.reset(), window.probe.look()))),
  );
  await Promise.all([sleep(seconds * 1_000), meanwhile?.()]);
  const after = await Promise.all(shows.map(({ page }) => look(page)));
  const figures = {};
  for (const [i, { page, name }] of shows.entries()) {
    await page.screenshot({ path: join(artifacts(), `${name}.png`) });
    const elapsed = (after[i].at - before[i].at) / 1_000;
    figures[name] = {
      elapsed: round(elapsed),
      advanced: round(after[i].currentTime - before[i].currentTime),
      frames: after[i].frames - before[i].frames,
      dropped: after[i].dropped - before[i].dropped,
      stalls: after[i].stalls.filter((ms) => ms === null || ms >= STALL_MS),
      audioBytes: after[i].audioBytes - before[i].audioBytes,
      picture: `${after[i].width}x${after[i].height}`,
      latencyMs: after[i].clock.latencyMs,
      clockReads: after[i].clock.reads,
      clockMisses: after[i].clock.misses,
      clockAdvanced: round((after[i].clock.last - after[i].clock.first) / 1_000),
      warnings: after[i].warnings.length,
      fatal: after[i].fatal,
    };
  }
  return figures;
}

const round = (value) => Math.round(value * 100) / 100;

/** Asserts that one watched player played in real time, with picture and sound. */
export function assertContent(name, figures, { burnedClock = true } = {}) {
  const said = `${name}: ${JSON.stringify(figures)}`;
  const { elapsed, advanced } = figures;
  assert.deepEqual(figures.fatal, [], said);
  const stalledMs = figures.stalls.reduce((sum, ms) => sum + (ms ?? Infinity), 0);
  assert.ok(stalledMs <= elapsed * 1_000 * RATE_TOLERANCE, `hardly a stall; ${said}`);
  assert.ok(Math.abs(advanced - elapsed) <= elapsed * RATE_TOLERANCE, `real time; ${said}`);
  assert.ok(figures.frames >= elapsed * 20, `frames are decoded; ${said}`);
  assert.ok(figures.dropped <= figures.frames * MAX_DROPPED_SHARE, `few dropped; ${said}`);
  assert.ok(figures.audioBytes > elapsed * 1_000, `sound is decoded; ${said}`);
  if (!burnedClock) return;
  assert.ok(figures.clockReads > elapsed * 5, `the burned-in clock is read; ${said}`);
  assert.ok(figures.clockMisses <= figures.clockReads * 0.05, `and rarely misread; ${said}`);
  assert.ok(Math.abs(figures.clockAdvanced - elapsed) <= 2, `and runs in real time; ${said}`);
  assert.ok(figures.latencyMs > 0 && figures.latencyMs < 20_000, `plausible latency; ${said}`);
}
