// Ads in a live channel, in front of real players: breaks that an operator schedules, stitched by each edge (natively,
// in workerd and in Fastly's local runtime), with creatives that were conditioned for the channel. What is on the screen
// is read frame by frame from the programme's own clock: the programme is left and rejoined to the frame.
// BREAKS sets how many breaks each edge plays.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPlayer, entry, look, PLAYERS, servePlayers, startBrowser } from './support/browser.mjs';
import { Desk, GRID_MS, conditioned } from './support/desk.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, artifacts, until } from './support/processes.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'demo';
/** Two ads, of two segments and of one. */
const POD = [
  { creative: 'acme', segments: 2 },
  { creative: 'fish', segments: 1 },
];
const BREAK_SEGMENTS = 3;
/** From the begin of one break to that of the next. */
const PERIOD_SEGMENTS = 6;
const BREAKS = Number(process.env.BREAKS ?? 2);
/** Breaks are known before they are on air, by more than anybody's live edge is old. */
const LEAD_MS = 8_000;

/** A browser on two cores does not show each frame to its page: so many ms may lie between two that it does. */
const UNSEEN_MS = 400;
const STALL_MS = 200;
/** After the first frames players still jump to their place behind the live edge. */
const SETTLE_MS = 4_000;
const LATENCY_TOLERANCE_MS = 500;
const LOW_LATENCY_MS = 2_000;

describe('ads in a live channel', () => {
  const stage = new Stage();
  let keys;
  let origin;
  let encoder;
  let desk;
  let site;
  let browser;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    desk = new Desk(origin, CHANNEL);
    for (const { creative, segments } of POD) conditioned(origin, creative, segments);
    encoder = await startEncoder(stage, origin, CHANNEL);
    await desk.put({
      version: 1,
      channel: CHANNEL,
      openers: ['splice_insert'],
      lengths: { default_ms: 5_760, min_ms: 1_920, max_ms: 60_000, overrun_ms: 0, late_ms: 0 },
      returns: { early: true, on_plan: true, with_programme: false },
      fill: { pod: POD.map(({ creative, segments }) => ({ creative, duration_ms: segments * GRID_MS })), rest: 'resume' },
      schedule: [],
    });
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  const startOne = (kind) =>
    startEdge(kind, stage, origin, keys, {
      cors_origins: [site],
      breaks: { cohort: 'all', dateranges: true },
    });

  /** Plays through breaks with several players side by side. */
  const play = (title, kind, players, distance) =>
    test(`${BREAKS} breaks ${title}`, async (t) => {
      const { url, part } = await startOne(kind);
      const token = keys.mint('/', '10m');
      const shows = await Promise.all(
        players.map(async (player) => ({
          name: `${kind}-${player}-${distance}`,
          page: await openPlayer(browser, site, player, entry(player, url, CHANNEL, token), distance),
        })),
      );
      try {
        await Promise.all(shows.map(({ page, name }) => untilPlaying(page, name)));
        await sleep(SETTLE_MS);
        await Promise.all(shows.map(({ page }) => page.evaluate(() => window.probe.reset())));
        const first = Math.ceil((Date.now() + LEAD_MS) / GRID_MS) * GRID_MS;
        const planned = Array.from({ length: BREAKS }, (_, i) => {
          const out = first + i * PERIOD_SEGMENTS * GRID_MS;
          return { out, back: out + BREAK_SEGMENTS * GRID_MS };
        });
        for (const { out, back } of planned) await desk.schedule(out, back - out);

        await sleep(1_000);
        const settled = await Promise.all(shows.map(async ({ page }) => (await look(page)).clock));

        // Until everybody shows what comes some time behind the last break.
        const end = planned.at(-1).back + 2_000;
        await until(
          'the last break is over on every screen',
          async () => {
            const all = await Promise.all(shows.map(({ page }) => look(page)));
            return all.every(({ clock }) => clock.last > end);
          },
          end - Date.now() + 40_000,
          500,
        );
        // All that was seen is told before any of it is judged.
        const seen = await Promise.all(
          shows.map(async ({ page, name }, i) => {
            const { version, fatal, stalls, clock, runs } = await page.evaluate(() => ({
              ...window.probe.look(),
              runs: window.probe.runs.list,
            }));
            await page.screenshot({ path: join(artifacts(), `${name}.png`) });
            const latencies = [settled[i], clock].map(({ latencyMs }) => latencyMs);
            const [latency, spans] = [latencies.join(' to '), runs.map(told(planned[0].out)).join(' ')];
            t.diagnostic(`${name} ${version}: latency ${latency} ms, stalls [${stalls}], ${spans}`);
            return { name, fatal, stalls, latencies, runs };
          }),
        );
        writeFileSync(join(artifacts(), `${kind}-${distance}.json`), JSON.stringify({ planned, seen }, null, 1));
        for (const { name, fatal, stalls, latencies, runs } of seen) {
          assert.deepEqual(fatal, [], name);
          assert.deepEqual(stalls.filter((ms) => ms === null || ms > STALL_MS), [], `${name} does not stall`);
          assertRuns(name, runs, planned);
          const [begun, ended] = latencies;
          if (distance === 'low') assert.ok(ended < LOW_LATENCY_MS, `${name}: ${ended} ms behind`);
          assert.ok(ended - begun <= LATENCY_TOLERANCE_MS, `${name}: ${latencies} ms behind`);
        }
      } finally {
        await Promise.all(shows.map(({ page }) => page.close()));
        await part.stop();
      }
    });

  for (const kind of EDGES) play(`through the edge ${kind}`, kind, PLAYERS, 'far');
  play('at low latency', 'native', ['hls'], 'low');
  play('at low latency, by an MPD', 'native', ['dash'], 'low');

  test('are the same bytes from every edge, and from one that was started later', async () => {
    const out = Math.ceil((Date.now() + LEAD_MS) / GRID_MS) * GRID_MS;
    await desk.schedule(out, BREAK_SEGMENTS * GRID_MS);
    const first = await startOne('native');
    const token = keys.mint('/', '10m');
    const below = (edge, document) => `${edge}/t/${token}/live/${CHANNEL}/${document}`;
    const multivariant = await (await fetch(below(first.url, 'index.m3u8'))).text();
    const renditions = [...multivariant.matchAll(/^([^#\s]+\/index\.m3u8)$|URI="([^"]+\/index\.m3u8)"/gm)].map(([, a, b]) => a ?? b);
    assert.equal(renditions.length, 3, multivariant);
    const media = below(first.url, renditions[0]);
    await until('the break is over', async () => {
      const text = await (await fetch(media)).text();
      return text.split('#EXTM3U').length === 2 && text.includes(`${new Date(out + BREAK_SEGMENTS * GRID_MS).toISOString()}\n`);
    }, 30_000);
    // Nothing moves any more.
    await encoder.stop();
    const edges = [first, ...(await Promise.all(EDGES.map(startOne)))];
    for (const document of ['index.m3u8', 'manifest.mpd', 'number.mpd', ...renditions]) {
      const bodies = await Promise.all(
        edges.map(async ({ url }) => {
          const response = await fetch(below(url, document));
          const text = await response.text();
          assert.equal(response.status, 200, `${document}: ${text}`);
          return text;
        }),
      );
      for (const body of bodies) assert.equal(body, bodies[0], document);
      if (document !== 'index.m3u8') assert.match(bodies[0], /creatives\/acme\//, document);
      assert.doesNotMatch(bodies[0], /selvedge:(log|break)|SELVEDGE-(LOG|BREAK)/, document);
    }
  });
});

/** A run, in seconds from the first break's begin, in brackets where it is the programme. */
const told = (begin) => (run) =>
  run.first === null
    ? `ad ${((run.to - run.from) / 1_000).toFixed(2)}`
    : `[${((run.first - begin) / 1_000).toFixed(2)} ${((run.last - begin) / 1_000).toFixed(2)}]`;

/** The programme goes on to each break's begin and from its end, and an ad is shown for as long as it is away. */
function assertRuns(name, runs, planned) {
  const programme = runs.filter(({ first }) => first !== null);
  const said = `${name}: ${JSON.stringify(runs)}`;
  assert.equal(programme.length, planned.length + 1, `one run of the programme before, between and behind; ${said}`);
  for (const [i, { out, back }] of planned.entries()) {
    const [before, after] = [programme[i], programme[i + 1]];
    assert.ok(before.last < out && before.last >= out - UNSEEN_MS, `left at ${out}: ${before.last}; ${said}`);
    assert.ok(after.first >= back && after.first < back + UNSEEN_MS, `rejoined at ${back}: ${after.first}; ${said}`);
    const away = after.from - before.to;
    assert.ok(Math.abs(away - (back - out)) <= UNSEEN_MS, `away for ${away} ms; ${said}`);
  }
}
