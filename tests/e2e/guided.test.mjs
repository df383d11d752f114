// Breaks in the guided form: a player as it comes from npm is told of them, asks the edge for their ads, plays them, and
// goes on with the programme. Origin, encoder and creatives are the real ones, and so is each edge: natively, in workerd
// and in Fastly's local runtime, side by side.
// BREAKS sets how many breaks each player plays; with it, hls.js sees one more that ends early, and Shaka Player plays through
// each edge as well.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { look, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Desk, GRID_MS, conditioned } from './support/desk.mjs';
import { checkMediaPlaylist, checkMultivariant } from './support/hls-rules.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { checkMpd } from './support/mpd-rules.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, artifacts, until } from './support/processes.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'demo';
/** Two ads, of two segments and of one. */
const POD = [
  { creative: 'acme', segments: 2 },
  { creative: 'fish', segments: 1 },
];
const BREAK_MS = POD.reduce((sum, { segments }) => sum + segments, 0) * GRID_MS;
/** From the begin of one break to that of the next. */
const PERIOD_MS = 6 * GRID_MS;
const BREAKS = Number(process.env.BREAKS ?? 1);
const BY_HAND = Boolean(process.env.BREAKS);
/** A break is told of so long before it begins that a player can fetch its ads. */
const LEAD_MS = 12_000;

/** A browser on two cores does not show each frame to its page: so many ms may lie between two that it does. */
const UNSEEN_MS = 400;
const STALL_MS = 200;
/** Shaka Player leaves the programme once it sees that the break's begin has passed: some frames late on a busy machine. */
const LATE_MS = 160;
/** After the first frames players still jump to their place behind the live edge. */
const SETTLE_MS = 4_000;
const LATENCY_TOLERANCE_MS = 500;

describe('guided breaks', () => {
  const stage = new Stage();
  let origin;
  let edges;
  let token;
  let desk;
  let site;
  let browser;

  before(async () => {
    const keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    for (const { creative, segments } of POD) conditioned(origin, creative, segments);
    await startEncoder(stage, origin, CHANNEL);
    desk = new Desk(origin, CHANNEL);
    await desk.put({
      version: 1,
      channel: CHANNEL,
      returns: { on_plan: true },
      fill: { pod: POD.map(({ creative, segments }) => ({ creative, duration_ms: segments * GRID_MS })), rest: 'resume' },
    });
    const rules = { breaks: { form: 'auto', restrict: ['jump'] } };
    edges = await Promise.all(EDGES.map((kind) => startEdge(kind, stage, origin, keys, rules)));
    // The programme and the ads.
    token = keys.mint('/', '10m');
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  const folder = (url) => `${url}/t/${token}/live/${CHANNEL}`;

  /** Opens a player on each edge that is named, and waits until all play and have found their places. */
  const open = async (kinds, player = 'hls') => {
    const shows = await Promise.all(
      kinds.map(async (kind) => {
        const { url } = edges[EDGES.indexOf(kind)];
        const name = `guided-${kind}-${player}`;
        return { name, page: await openPlayer(browser, site, player, entry(url, player)) };
      }),
    );
    await Promise.all(shows.map(({ page, name }) => untilPlaying(page, name)));
    await sleep(SETTLE_MS);
    await Promise.all(shows.map(({ page }) => page.evaluate(() => window.probe.reset())));
    return shows;
  };

  const entry = (url, player) =>
    player === 'hls'
      ? `${url}/live/${CHANNEL}/index.m3u8?_HLS_interstitials=1&CAT=${token}`
      : `${url}/live/${CHANNEL}/manifest.mpd?alternativeMPD=1&CAT=${token}`;

  /** Until everybody shows what comes some time behind a moment; then all that was seen is told and judged. */
  const watch = async (t, shows, settled, planned) => {
    const end = planned.at(-1).back + 2_000;
    await until(
      'the last break is over on every screen',
      async () => (await Promise.all(shows.map(({ page }) => look(page)))).every(({ clock }) => clock.last > end),
      end - Date.now() + 40_000,
      500,
    ).catch((error) => t.diagnostic(error.message));
    const seen = await Promise.all(
      shows.map(async ({ page, name }, i) => {
        const { fatal, stalls, clock, runs, interstitials } = await page.evaluate(() => ({
          ...window.probe.look(),
          runs: window.probe.runs.list,
          interstitials: window.probe.interstitials,
        }));
        await page.screenshot({ path: join(artifacts(), `${name}.png`) });
        const latencies = [settled[i].latencyMs, clock.latencyMs];
        const spans = runs.map(told(planned[0].out)).join(' ');
        t.diagnostic(`${name}: latency ${latencies.join(' to ')} ms, stalls [${stalls}], ${spans}`);
        return { name, fatal, stalls, latencies, runs, interstitials };
      }),
    );
    writeFileSync(join(artifacts(), `${shows[0].name}.json`), JSON.stringify({ planned, seen }, null, 1));
    for (const { name, fatal, stalls, latencies, runs } of seen) {
      assert.deepEqual(fatal, [], name);
      assert.deepEqual(stalls.filter((ms) => ms === null || ms > STALL_MS), [], `${name} does not stall`);
      assertRuns(name, runs, planned);
      const [begun, ended] = latencies;
      assert.ok(ended - begun <= LATENCY_TOLERANCE_MS, `${name}: ${latencies} ms behind`);
    }
    return seen;
  };

  /** Ends a break with the segment of its ads that comes second. */
  const endEarly = async (planned, { id }) => {
    planned.back = planned.out + 2 * GRID_MS;
    await sleep(planned.out + GRID_MS + 500 - Date.now());
    await desk.end(id);
  };

  const clocks = (shows) => Promise.all(shows.map(async ({ page }) => (await look(page)).clock));
  const close = (shows) => Promise.all(shows.map(({ page }) => page.close()));

  test('have ads whose own playlists break no rule', async () => {
    for (const { creative } of POD) {
      const folder = `${origin}/creatives/${creative}`;
      const multivariant = await load(`${folder}/index.m3u8`);
      assertSound(checkMultivariant(multivariant));
      const media = [...multivariant.matchAll(/(?:URI="|^)([^"#\n]+index\.m3u8)/gm)].map(([, uri]) => uri);
      assert.equal(media.length, 3, multivariant);
      for (const uri of media) assertSound(checkMediaPlaylist(await load(`${folder}/${uri}`)));
      assertSound(checkMpd(await load(`${folder}/manifest.mpd`)));
    }
  });

  test(`${BREAKS} in hls.js, through each edge`, async (t) => {
    const shows = await open(EDGES);
    try {
      const planned = plan(BY_HAND ? BREAKS + 1 : BREAKS);
      const breaks = await each(planned, ({ out }) => desk.schedule(out, BREAK_MS));
      const [{ id, out_us: out }] = breaks;
      const ended = BY_HAND && endEarly(planned.at(-1), breaks.at(-1));
      await sleep(1_000);
      const settled = await clocks(shows);

      // What these players are told, and what one is shown that is not guided, is of one moment.
      const track = /^(video[^/]*)\/index\.m3u8$/m.exec(await load(`${origin}/live/${CHANNEL}/index.m3u8`))[1];
      const start = new Date(out / 1_000).toISOString();
      const lists = await each(edges, async ({ url }) => {
        const guided = await load(`${folder(url)}/${track}/index.m3u8?_HLS_interstitials=1`);
        assert.ok(guided.includes(`CLASS="com.apple.hls.interstitial",START-DATE="${start}"`), guided);
        assertSound(checkMediaPlaylist(guided));
        return (await load(`${folder(url)}/asset-list.json?break=${id}`)).replaceAll(url, 'EDGE');
      });
      const asset = ({ creative, segments }) => ({
        URI: `EDGE/t/${token}/creatives/${creative}/index.m3u8`,
        DURATION: (segments * GRID_MS) / 1_000,
      });
      for (const list of lists) assert.deepEqual(JSON.parse(list), { ASSETS: POD.map(asset) });
      const stitched = await until('the stitched form has the ad', async () => {
        const text = await load(`${folder(edges[0].url)}/${track}/index.m3u8`);
        // Not in a hint alone.
        return /^[^#].*\/creatives\/acme\//m.test(text) && text;
      }, LEAD_MS + 20_000);
      assert.ok(stitched.includes(`#EXT-X-PROGRAM-DATE-TIME:${start}`), stitched);

      await ended;
      await watch(t, shows, settled, planned);
    } finally {
      await close(shows);
    }
  });

  test(`${BREAKS} in Shaka Player`, async (t) => {
    const shows = await open(BY_HAND ? EDGES : ['native'], 'shaka');
    try {
      const planned = plan(BREAKS);
      const [{ id }] = await each(planned, ({ out }) => desk.schedule(out, BREAK_MS));
      await sleep(1_000);
      const settled = await clocks(shows);
      const alternatives = await each(edges, async ({ url }) => {
        const guided = await load(`${folder(url)}/manifest.mpd?alternativeMPD=1`);
        assert.ok(guided.includes('urn:mpeg:dash:event:alternativeMPD:replace:2025'), guided);
        assertSound(checkMpd(guided));
        return load(`${folder(url)}/alternative.mpd?break=${id}`);
      });
      for (const alternative of alternatives) assert.equal(alternative, alternatives[0]);
      assertSound(checkMpd(alternatives[0]));
      await watch(t, shows, settled, planned);
    } finally {
      await close(shows);
    }
  });
});

/** So many breaks: when each is left for, and when the programme is back. */
function plan(count) {
  const first = Math.ceil((Date.now() + LEAD_MS) / GRID_MS) * GRID_MS;
  return Array.from({ length: count }, (_, i) => {
    const out = first + i * PERIOD_MS;
    return { out, back: out + BREAK_MS };
  });
}

/** One after the other. */
async function each(list, act) {
  const results = [];
  for (const one of list) results.push(await act(one));
  return results;
}

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
    assert.ok(before.last < out + LATE_MS && before.last >= out - UNSEEN_MS, `left at ${out}: ${before.last}; ${said}`);
    assert.ok(after.first >= back && after.first < back + UNSEEN_MS, `rejoined at ${back}: ${after.first}; ${said}`);
    const away = after.from - before.to;
    assert.ok(Math.abs(away - (back - out)) <= UNSEEN_MS, `away for ${away} ms; ${said}`);
  }
}

async function load(url) {
  const response = await fetch(url);
  const text = await response.text();
  assert.equal(response.status, 200, `${url}: ${text}`);
  return text;
}

function assertSound({ findings }) {
  const broken = findings.list.filter(({ strength }) => strength === 'must');
  assert.deepEqual(broken, []);
}
