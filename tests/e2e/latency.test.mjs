// Glass to glass: from the encoder's clock to the frame on the screen, through origin and edge, read every half second
// from the clock that the encoder burns into the picture. LATENCY_SECONDS sets for how long each player is watched.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBrowser } from './support/browser.mjs';
import * as paths from './support/paths.mjs';
import { plot } from './support/plot.mjs';
import { SMALL_LADDER } from './support/parts.mjs';
import { Stage, artifacts, freePort, until } from './support/processes.mjs';

const SECONDS = Number(process.env.LATENCY_SECONDS ?? 60);
/** While a player finds its place it may be anywhere. */
const SETTLE_SECONDS = 15;
const SAMPLE_EVERY_MS = 500;
const BAR_MS = 2_000;

/** A page whose timer is so late, in ms, was not let run: what follows says something of the machine alone. */
const HALTED_MS = 250;
/** For so long, in seconds. */
const AFTER_HALT_SECONDS = 15;

const PLAYERS = ['hls', 'dash'];

describe(`players stay less than ${BAR_MS / 1_000} s behind the encoder for ${SECONDS} s`, () => {
  const stage = new Stage();
  const series = [];
  after(async () => {
    await stage.close();
    if (series.length) writeFileSync(join(artifacts(), 'latency.svg'), drawn(series));
  });

  for (const player of PLAYERS) {
    test(`with ${player}`, async (t) => {
      paths.page();
      const { url, demo } = await startDemo(stage, player);
      const browser = await startBrowser(stage);
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      await page.goto(`${url}?player=${player}`);
      await until('the page plays', async () => (await look(page)).clockReads > 10, 60_000);

      const samples = await watch(page);
      await page.screenshot({ path: join(artifacts(), `${player}.png`) });
      const name = await page.textContent('#playing-with');
      await browser.close();
      await demo.stop();

      const settled = undisturbed(samples).filter(({ at }) => at >= SETTLE_SECONDS);
      const latencies = settled.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
      const [median, p95] = [quantile(latencies, 0.5), quantile(latencies, 0.95)];
      const halts = samples.filter(({ lateMs }) => lateMs > HALTED_MS).length;
      const { stalls, parts, held, targetMs } = samples.at(-1);
      const rates = settled.map(({ rate }) => rate);
      const said =
        `${name.replace('with ', '')}: latency median ${median} ms, p95 ${p95} ms, least ${latencies[0]} ms, ` +
        `most ${latencies.at(-1)} ms; target ${targetMs} ms, rate ${Math.min(...rates).toFixed(2)} to ` +
        `${Math.max(...rates).toFixed(2)}, stalls ${stalls}, parts ${parts}, held requests ${held}, halts of the machine ${halts}`;
      t.diagnostic(said);
      series.push({
        name: `${name.replace('with ', '')}: median ${median} ms, p95 ${p95} ms`,
        points: samples.map(({ at, latencyMs }) => ({ at, value: latencyMs / 1_000 })),
      });
      writeFileSync(join(artifacts(), `${player}.json`), JSON.stringify(samples));

      const read = samples.filter(({ at }) => at >= SETTLE_SECONDS).length;
      assert.ok(read > SECONDS - SETTLE_SECONDS, `the clock is read throughout; ${said}`);
      if (settled.length < read / 2) {
        t.skip(`this machine halted the page again and again; ${said}`);
        return;
      }
      assert.ok(median < BAR_MS, said);
      assert.ok(p95 < BAR_MS, said);
    });
  }
});

async function startDemo(stage, name) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const demo = await stage.start({
    name: `demo-${name}`,
    command: paths.selvedge(),
    args: ['demo', '--port', String(port), '--ladder', SMALL_LADDER],
    ready: (part) => part.output.includes(`Selvedge demo: ${url}`),
  });
  return { url, demo };
}

/** What was read while the machine let the page run. */
function undisturbed(samples) {
  const halts = samples.filter(({ lateMs }) => lateMs > HALTED_MS).map(({ at }) => at);
  return samples.filter(({ at }) => halts.every((halt) => at < halt || at > halt + AFTER_HALT_SECONDS));
}

/** What the page shows, and how late its timer was at worst since the last look. */
const look = (page) =>
  page.evaluate(() => {
    const lateMs = window.late ?? 0;
    window.late = 0;
    return { ...window.selvedge, lateMs };
  });

const keepTime = (page) =>
  page.evaluate(() => {
    const every = 50;
    let due = performance.now() + every;
    setInterval(() => {
      const now = performance.now();
      window.late = Math.max(window.late ?? 0, now - due);
      due = now + every;
    }, every);
  });

async function watch(page) {
  const samples = [];
  await keepTime(page);
  const started = performance.now();
  for (let i = 0; performance.now() - started < SECONDS * 1_000; i += 1) {
    const { latencyMs, targetMs, rate, bufferSeconds, stalls, parts, held, lateMs } = await look(page);
    const at = (performance.now() - started) / 1_000;
    if (latencyMs !== null) samples.push({ at, latencyMs, targetMs, rate, bufferSeconds, stalls, parts, held, lateMs });
    await sleep(Math.max(0, started + (i + 1) * SAMPLE_EVERY_MS - performance.now()));
  }
  return samples;
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function drawn(series) {
  return plot({
    title: 'From the encoder’s clock to the screen, on one machine',
    unit: 's',
    series,
    bar: { value: BAR_MS / 1_000, text: 'at most 2 s' },
  });
}
