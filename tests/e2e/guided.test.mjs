// A break in the guided form: hls.js as it comes from npm is told of it, asks the edge for its ads, plays them, and goes
// on with the programme. Origin, edge, encoder and creative are the real ones.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { look, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Desk, GRID_MS, conditioned } from './support/desk.mjs';
import { checkMediaPlaylist, checkMultivariant } from './support/hls-rules.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { checkMpd } from './support/mpd-rules.mjs';
import { startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, artifacts, until } from './support/processes.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'demo';
const AD = 'acme';
const SEGMENTS = 3;
const BREAK_MS = SEGMENTS * GRID_MS;
/** A break is told of so long before it begins that a player can fetch its ads. */
const LEAD_MS = 15_000;

describe('a guided break', () => {
  const stage = new Stage();
  let origin;
  let edge;
  let token;
  let desk;

  before(async () => {
    const keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    conditioned(origin, AD, SEGMENTS);
    await startEncoder(stage, origin, CHANNEL);
    desk = new Desk(origin, CHANNEL);
    await desk.put({
      version: 1,
      channel: CHANNEL,
      returns: { on_plan: true },
      fill: { pod: [{ creative: AD, duration_ms: BREAK_MS }], rest: 'resume' },
    });
    const site = { breaks: { form: 'auto', restrict: ['jump'] } };
    edge = (await startEdge('native', stage, origin, keys, site)).url;
    // The programme and the ads.
    token = keys.mint('/');
  });
  after(() => stage.close());

  test('has ads whose own playlists break no rule', async () => {
    const folder = `${origin}/creatives/${AD}`;
    const multivariant = await load(`${folder}/index.m3u8`);
    assertSound(checkMultivariant(multivariant));
    const media = [...multivariant.matchAll(/(?:URI="|^)([^"#\n]+index\.m3u8)/gm)].map(([, uri]) => uri);
    assert.equal(media.length, 3, multivariant);
    for (const uri of media) assertSound(checkMediaPlaylist(await load(`${folder}/${uri}`)));
    assertSound(checkMpd(await load(`${folder}/manifest.mpd`)));
  });

  test('is played by hls.js', async (t) => {
    const browser = await startBrowser(stage);
    const site = await servePlayers(stage);
    const url = `${edge}/live/${CHANNEL}/index.m3u8?_HLS_interstitials=1&CAT=${token}`;
    const page = await openPlayer(browser, site, 'hls', url);
    await untilPlaying(page, 'hls');
    const { id, out_us: out } = await desk.schedule(Date.now() + LEAD_MS, BREAK_MS);

    // What this player is told and what one is shown that is not guided, is of one moment.
    const track = /^(video[^/]*)\/index\.m3u8$/m.exec(await load(`${origin}/live/${CHANNEL}/index.m3u8`))[1];
    const folder = `${edge}/t/${token}/live/${CHANNEL}`;
    const guided = await load(`${folder}/${track}/index.m3u8?_HLS_interstitials=1`);
    const start = new Date(out / 1_000).toISOString();
    assert.ok(guided.includes(`CLASS="com.apple.hls.interstitial",START-DATE="${start}"`), guided);
    assertSound(checkMediaPlaylist(guided));
    const list = JSON.parse(await load(`${folder}/asset-list.json?break=${id}`));
    const asset = `${edge}/t/${token}/creatives/${AD}/index.m3u8`;
    assert.deepEqual(list, { ASSETS: [{ URI: asset, DURATION: BREAK_MS / 1_000 }] });
    const stitched = await until('the stitched form has the ad', async () => {
      const text = await load(`${folder}/${track}/index.m3u8`);
      // Not in a hint alone.
      return new RegExp(`^[^#].*/creatives/${AD}/`, 'm').test(text) && text;
    });
    assert.ok(stitched.includes(`#EXT-X-PROGRAM-DATE-TIME:${start}`), stitched);

    const told = () => page.evaluate(() => window.probe.interstitials);
    const hears = async (name) => (await told()).some((one) => one.name === name);
    try {
      await until('the ad begins', () => hears('INTERSTITIAL_ASSET_STARTED'), 60_000, 50);
      // No burned-in clock: it is the ad that is on the screen.
      await page.evaluate(() => window.probe.reset());
      await until('the ad is shown', async () => (await look(page)).clock.misses > 10, 30_000, 50);
      await page.screenshot({ path: join(artifacts(), 'ad.png') });
      await until('the ad ends', () => hears('INTERSTITIAL_ENDED'), 60_000, 50);
      await page.evaluate(() => window.probe.reset());
      const back = await until('the programme is shown', async () => {
        const { clock } = await look(page);
        return clock.reads > 25 && clock;
      });
      await page.screenshot({ path: join(artifacts(), 'back.png') });
      const behind = back.first / 1_000 - out / 1_000_000;
      t.diagnostic(`hls.js goes on with what was on air ${behind.toFixed(2)} s after the break began`);
      // It has left out as much as it has shown, to a segment and what the page did not see.
      assert.ok(Math.abs(behind - BREAK_MS / 1_000) < 3, `${behind} s behind the begin`);
    } finally {
      t.diagnostic(JSON.stringify(await told()));
    }
    assert.deepEqual((await look(page)).fatal, []);
  });
});

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
