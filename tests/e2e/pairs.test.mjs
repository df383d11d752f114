// Two encoders push one channel. Each dies once and comes back while a viewer watches, who notices nothing; and what
// playlists listed all along is held beside what the two sent.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { entry, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Harvest } from './support/harvest.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import {
  assertAligned,
  assertComplete,
  assertContiguous,
  assertSent,
  breaksOf,
  gapsOf,
  lanesOf,
  outline,
  seamsOf,
  zerosOf,
} from './support/ledger.mjs';
import { startEdge, startOrigin, untilDeep } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';
import { pushMediaLive } from './support/push-medialive.mjs';
import { SENDERS } from './support/senders.mjs';
import { startTap } from './support/tap.mjs';
import { assertContent, watch } from './support/watching.mjs';

/** Three segments: what was on its way at a death has long come or been given up. */
const APART_MS = 6_000;
/** The second encoder is started so much later: half a segment, so that two clocks of their own are out of step. */
const LATER_MS = 1_000;
/** How much time a switch between two clocks may lose or repeat: a segment begins where its encoder wanted it to. */
const LONGEST_SEAM_MS = 1_920 + 100;

/** The addresses of the two: encoders without a name of their own are told apart by theirs. */
const ADDRESSES = ['127.0.0.2', '127.0.0.3'];

const PAIRS = { ours: 'ours', ffmpeg: 'ffmpeg-dash-low-latency' };

const vectors = process.env.SELVEDGE_VECTORS;

describe('two encoders on one channel', () => {
  const stage = new Stage();
  /** @type {Record<string, Promise<object>>} */
  const lives = {};
  let keys;
  let origin;
  let edge;
  let site;
  let browser;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    edge = (await startEdge('native', stage, origin, keys)).url;
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
    for (const [channel, sender] of Object.entries(PAIRS)) lives[channel] = live(channel, SENDERS[sender]);
    if (vectors) lives.medialive = repeat('medialive');
    // What was seen is judged when all is over. A failure is its test's to tell.
    await Promise.allSettled(Object.values(lives));
  });
  after(() => stage.close());

  /** The life of a pair: one dies and comes back, and then the other. */
  async function live(channel, sender) {
    const taps = await Promise.all(ADDRESSES.map((from) => startTap(stage, origin, { from })));
    const harvest = new Harvest(origin, channel);
    let started = 0;
    const start = (which) =>
      stage.start({ name: `${channel}-${(started += 1)}`, ...sender(`${taps[which].url}/ingest/${channel}`) });
    let first = await start(0);
    await sleep(LATER_MS);
    let second = await start(1);
    await untilDeep(origin, channel);
    const token = keys.mint(`/live/${channel}/`);
    const page = await openPlayer(browser, site, 'hls', entry('hls', edge, channel, token));
    const figures = await watch([{ page, name: channel }], 0, async () => {
      await first.kill();
      await sleep(APART_MS);
      first = await start(0);
      await sleep(APART_MS);
      await second.kill();
      await sleep(APART_MS);
      second = await start(1);
      await sleep(APART_MS);
    });
    await page.close();
    // The one that is not on air goes first: the other would hand over to it.
    await second.stop();
    await first.stop();
    await sleep(1_000);
    await Promise.all(taps.map((tap) => tap.quiet()));
    const renditions = await harvest.close();
    return { harvest, renditions, figures: figures[channel], lanes: taps.map(({ pushed }) => lanesOf(pushed)) };
  }

  /** One event, pushed by two at once. */
  async function repeat(channel) {
    const folder = join(vectors, 'cmaf-ingest/medialive');
    assert.ok(existsSync(join(folder, 'video')), `SELVEDGE_VECTORS is set, but ${folder} is missing`);
    const taps = await Promise.all(ADDRESSES.map((from) => startTap(stage, origin, { from })));
    const harvest = new Harvest(origin, channel);
    await Promise.all(taps.map(({ url }) => pushMediaLive(folder, `${url}/ingest/${channel}`)));
    return { harvest, renditions: await harvest.close(), lanes: taps.map(({ pushed }) => lanesOf(pushed)) };
  }

  test('on one clock are one: nothing is lost, repeated or begun anew', async (t) => {
    const { harvest, renditions, figures, lanes } = await lives.ours;
    // An MPD's timeline promises how long a segment on air will be, and a death breaks that: told, and not judged.
    t.diagnostic(`rules that documents broke: ${harvest.findings.musts}`);
    harvest.assertDialectsAgree();
    assert.equal(renditions.length, lanes[0].size);
    for (const rendition of renditions) {
      assert.deepEqual(gapsOf(rendition), [], outline(rendition));
      assert.deepEqual(breaksOf(rendition), [], outline(rendition));
      const frames = assertSent(rendition, lanes);
      assertContiguous(rendition);
      t.diagnostic(`${rendition.name}: ${frames} frames`);
    }
    assertAligned(renditions);
    t.diagnostic(JSON.stringify(figures));
    assertContent('ours', figures, { burnedClock: false });
    assert.deepEqual(figures.stalls, [], 'the viewer waits for nothing');
  });

  test('on clocks of their own take turns: one discontinuity a death, and no time is missing', async (t) => {
    const { harvest, renditions, figures, lanes } = await lives.ffmpeg;
    // An MPD's timeline promises how long a segment on air will be, and a death breaks that: told, and not judged.
    t.diagnostic(`rules that documents broke: ${harvest.findings.musts}`);
    harvest.assertDialectsAgree();
    assert.equal(renditions.length, lanes[0].size);
    assertAligned(renditions);
    for (const rendition of renditions) {
      assert.deepEqual(gapsOf(rendition), [], outline(rendition));
      assert.equal(breaksOf(rendition).length, 2, outline(rendition));
      const frames = assertSent(rendition, lanes);
      assertContiguous(rendition);
      const seams = seamsOf(rendition);
      t.diagnostic(`${rendition.name}: ${frames} frames, seams of ${seams.map((ms) => ms.toFixed(0))} ms`);
      for (const ms of seams) assert.ok(Math.abs(ms) <= LONGEST_SEAM_MS, `${ms} ms; ${outline(rendition)}`);
    }
    const zeros = renditions.map(zerosOf);
    for (const epoch of zeros[0].keys()) {
      const all = zeros.flatMap((zero) => zero.get(epoch));
      assert.ok(Math.max(...all) - Math.min(...all) < 1, `epoch ${epoch}: renditions differ on the time: ${all}`);
    }
    t.diagnostic(JSON.stringify(figures));
    assertContent('ffmpeg', figures, { burnedClock: false });
    assert.deepEqual(figures.stalls, [], 'the viewer waits for nothing');
  });

  test(
    'that send the same bytes are heard once',
    { skip: vectors ? false : 'SELVEDGE_VECTORS is not set: the recorded vectors are not here' },
    async () => {
      const { harvest, renditions, lanes } = await lives.medialive;
      harvest.assertLawful();
      harvest.assertDialectsAgree();
      assert.equal(renditions.length, 2);
      for (const rendition of renditions) {
        assertComplete(rendition, [lanes[0]]);
        assert.deepEqual([...gapsOf(rendition), ...breaksOf(rendition)], [], outline(rendition));
      }
      assertAligned(renditions);
    },
  );
});
