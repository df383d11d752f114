// An operator changes the issuer's key under a running channel: nobody who watches notices, and what the old key
// signed is worth nothing once it is gone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCarrying, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, until } from './support/processes.mjs';
import { assertContent, watch } from './support/watching.mjs';
import { Wire } from './support/wire.mjs';

const CHANNEL = 'demo';
const PREFIX = `/live/${CHANNEL}/`;
const CARRIED = { hls: 'path', dash: 'query', shaka: 'header' };
const TOKEN_SECONDS = 8;
const RENEWAL = [
  ...['--renew', 'automatic', '--renew-add', `${TOKEN_SECONDS}s`],
  ...['--renew-before', `${TOKEN_SECONDS / 2}s`],
];
const SECONDS = 20;
/** An edge takes up changed keys by itself, or starts anew with them. */
const TAKEN_UP_WITHIN_MS = 15_000;
/** For so long a player that gets nothing more plays what it has. */
const BUFFER_MS = 8_000;

describe('a rotation of keys', () => {
  const stage = new Stage();
  let origin;
  let site;
  let browser;

  before(async () => {
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL);
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  for (const kind of EDGES) {
    test(`drops no viewer of the edge ${kind}, and then ends what the old key signed`, async (t) => {
      const keys = new Keys(temporaryFolder(stage), `${kind}-old`, { sessions: true });
      const edge = await startEdge(kind, stage, origin, keys, { cors_origins: [site] });
      const status = (token) => statusOf(edge.url, token);
      const change = async (what, takenUp) => {
        const at = performance.now();
        await edge.takeUpKeys();
        await until(what, takenUp, TAKEN_UP_WITHIN_MS, 50);
        t.diagnostic(`${kind}: ${what} after ${Math.round(performance.now() - at)} ms`);
      };

      const byOld = keys.mint(PREFIX);
      assert.equal(await status(byOld), 200);
      const shows = await Promise.all(
        Object.entries(CARRIED).map(async ([player, carrier]) => {
          const [token, wire] = [keys.mint(PREFIX, `${TOKEN_SECONDS}s`, RENEWAL), new Wire(edge.url)];
          const viewing = { player, edge: edge.url, channel: CHANNEL, token, carrier };
          const page = await openCarrying(browser, site, viewing, (page) => wire.watch(page));
          return { name: `${kind}-${carrier}-${player}`, page, wire };
        }),
      );
      try {
        let byNew;
        const figures = await watch(shows, SECONDS, async () => {
          keys.rotate(`${kind}-new`);
          byNew = keys.mint(PREFIX);
          await change('the new key is known', async () => (await status(byNew)) === 200);
          assert.equal(await status(byOld), 200, 'both keys count in the overlap');

          // What the old key signed for viewers runs out, as it does before an operator takes the key away.
          await sleep(TOKEN_SECONDS * 1_000);
          assert.equal(await status(byOld), 200, 'and for as long as the operator lets it');
          keys.retire(`${kind}-old`);
          await change('the old key is gone', async () => (await status(byOld)) === 401);
          assert.equal(await status(byNew), 200);
          await sleep(BUFFER_MS);
        });

        const wires = await Promise.all(shows.map(({ wire }) => wire.read()));
        for (const { name } of shows) t.diagnostic(`${name} ${JSON.stringify(figures[name])}`);
        for (const [i, { name }] of shows.entries()) {
          assertContent(name, figures[name]);
          assert.deepEqual(wires[i].refused, [], `${name}: no request is refused`);
        }

        // In an emergency the edges' own secret goes as well, and with it every session.
        const sessions = wires.map(({ tokens }) => tokens.at(-1));
        keys.retire(`${kind}-old-sessions`);
        await change('the sessions are over', async () => (await status(sessions[0])) === 401);
        for (const session of sessions) assert.equal(await status(session), 401);
        assert.equal(await status(byNew), 200, 'while new viewers are let in');
      } finally {
        await Promise.all(shows.map(({ page }) => page.close()));
        await edge.part.stop();
      }
    });
  }
});

async function statusOf(edge, token) {
  const response = await fetch(`${edge}${PREFIX}index.m3u8`, {
    headers: { 'CTA-Common-Access-Token': token },
  });
  await response.arrayBuffer();
  return response.status;
}
