// A channel that nobody encodes: a schedule of a film with a break in it. Its documents are the same bytes from each edge,
// and hls.js and dash.js play it from the film over the break and into the next round. The assets are conditioned by the command
// that operators use, and lie at a real origin.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { look, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { GRID_MS, conditioned } from './support/desk.mjs';
import { checkMediaPlaylist, checkMultivariant } from './support/hls-rules.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { checkMpd } from './support/mpd-rules.mjs';
import { EDGES, startEdge, startOrigin } from './support/parts.mjs';
import { Stage, artifacts, until } from './support/processes.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'classics';
const FILM = { asset: 'film', segments: 4 };
const AD = { asset: 'acme', segments: 2 };
/** Segments of the film before the break. */
const BEFORE = 2;
const ROUND_MS = (FILM.segments + AD.segments) * GRID_MS;

const STALL_MS = 200;
const RATE_TOLERANCE = 0.05;

describe('a channel that is a schedule of assets', () => {
  const stage = new Stage();
  /** URLs of the edges below the viewer's token. */
  let edges;
  let site;

  /** Some rounds ago, to the second. */
  const begin = Math.floor((Date.now() - 20 * ROUND_MS) / 1_000) * 1_000;

  before(async () => {
    const keys = new Keys(temporaryFolder(stage));
    const origin = await startOrigin(stage);
    for (const { asset, segments } of [FILM, AD]) conditioned(origin, asset, segments);
    const cut = ({ segments }) => ({ segments, segment_us: GRID_MS * 1_000, last_us: GRID_MS * 1_000 });
    const schedule = {
      version: 1,
      channel: CHANNEL,
      window_us: 20_000_000,
      assets: { [FILM.asset]: cut(FILM), [AD.asset]: cut(AD) },
      ladder: FILM.asset,
      runs: [
        {
          from: new Date(begin).toISOString(),
          items: [{ asset: FILM.asset, breaks: [{ at_us: BEFORE * GRID_MS * 1_000, pod: [AD.asset] }] }],
        },
      ],
    };
    site = await servePlayers(stage);
    const documents = { [`schedules/${CHANNEL}`]: schedule };
    const started = await Promise.all(
      EDGES.map((kind) => startEdge(kind, stage, origin, keys, { fast: true, cors_origins: [site] }, documents)),
    );
    const token = keys.mint('/');
    edges = started.map(({ url }) => `${url}/t/${token}`);
  });
  after(() => stage.close());

  test('is the same bytes from every edge', async () => {
    const multivariant = await same('index.m3u8');
    assertSound(checkMultivariant(multivariant));
    const media = [...multivariant.matchAll(/(?:URI="|^)([^"#\n]+index\.m3u8)/gm)].map(([, uri]) => uri);
    assert.equal(media.length, 3, multivariant);
    const from = begin / 1_000;
    for (const uri of media) {
      const clip = await same(`${from}-${from + Math.ceil(ROUND_MS / 1_000)}/${uri}`);
      assertSound(checkMediaPlaylist(clip));
      assert.match(clip, /#EXT-X-ENDLIST\n$/);
      assert.equal(clip.match(/creatives\/acme\/.*\.m4s$/gm)?.length, AD.segments, clip);
      assertSound(checkMediaPlaylist(await same(uri)));
    }
    assertSound(checkMpd(await same('manifest.mpd')));
    const clip = await same(`${from}-${from + Math.ceil(ROUND_MS / 1_000)}/manifest.mpd`);
    assertSound(checkMpd(clip));
    assert.match(clip, / type="static" /);
    assert.ok(clip.match(/<Period /g).length >= 3, clip);
  });

  test('is played from an asset over a break into the next', async (t) => {
    const browser = await startBrowser(stage);
    const viewers = [['hls', 'index.m3u8', edges[0]], ['dash', 'manifest.mpd', edges[1]]];
    await Promise.all(viewers.map((viewer) => plays(t, browser, ...viewer)));
  });

  async function plays(t, browser, player, document, edge) {
    const page = await openPlayer(browser, site, player, `${edge}/fast/${CHANNEL}/${document}`);
    await untilPlaying(page, player);
    const begun = await page.evaluate(() => (window.probe.reset(), (window.probe.shown = []), window.probe.look()));
    const shown = () =>
      page.evaluate(() => window.probe.shown.map((url) => /creatives\/([^/]+)\/[^/]+\/(\d+)\./.exec(url)?.slice(1).join(' ')));
    const round = (asset, from, to) => Array.from({ length: to - from }, (_, i) => `${asset} ${from + i}`);
    // From before the break to behind the end of the film, where it begins anew.
    const wanted = [
      ...round('film', BEFORE - 1, BEFORE),
      ...round('acme', 0, AD.segments),
      ...round('film', BEFORE, FILM.segments),
      ...round('film', 0, 1),
    ].join(', ');
    const seen = await until('a break and a new round', async () => {
      const all = (await shown()).join(', ');
      return all.includes(wanted) && all;
    }, 3 * ROUND_MS + 20_000, 250).catch(async (error) => {
      throw new Error(`${error.message}: ${await shown()}`);
    });
    await page.screenshot({ path: join(artifacts(), `fast-${player}.png`) });
    const now = await look(page);
    t.diagnostic(`${player}.js ${now.version} showed ${seen}; stalls [${now.stalls}]`);
    assert.deepEqual(now.fatal, []);
    assert.deepEqual(now.stalls.filter((ms) => ms === null || ms > STALL_MS), []);
    const [elapsed, advanced] = [(now.at - begun.at) / 1_000, now.currentTime - begun.currentTime];
    assert.ok(Math.abs(advanced - elapsed) <= elapsed * RATE_TOLERANCE, `${advanced} s shown in ${elapsed} s`);
    assert.ok(now.frames - begun.frames >= elapsed * 20, `${now.frames - begun.frames} frames`);
  }

  /** What all edges say of a document of the channel at one moment. */
  function same(document) {
    return until(`the edges say one thing of ${document}`, async () => {
      const bodies = await Promise.all(
        edges.map(async (edge) => {
          const response = await fetch(`${edge}/fast/${CHANNEL}/${document}`);
          const text = await response.text();
          assert.equal(response.status, 200, `${document}: ${text}`);
          return text;
        }),
      );
      // A segment may have ended between one and another.
      return bodies.every((body) => body === bodies[0]) && bodies[0];
    }, 10_000, 100);
  }
});

function assertSound({ findings }) {
  const broken = findings.list.filter(({ strength }) => strength === 'must');
  assert.deepEqual(broken, []);
}
