// hls.js, dash.js and Shaka play the live channel through each edge: natively, in workerd and in
// Fastly's local runtime.
import { after, before, describe, test } from 'node:test';
import { PLAYERS, entry, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';
import { assertContent, watch } from './support/watching.mjs';

/** `make soak` watches for longer. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 30);
const CHANNEL = 'demo';

describe('the live channel plays', () => {
  const stage = new Stage();
  let keys;
  let origin;
  let site;
  let browser;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL);
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  // Three players at once is what two cores decode beside an encoder without dropping frames.
  for (const kind of EDGES) {
    test(`through the edge ${kind}, in three players, for ${SECONDS} s`, async (t) => {
      const { url } = await startEdge(kind, stage, origin, keys);
      const token = keys.mint(`/live/${CHANNEL}/`);
      const shows = await Promise.all(
        PLAYERS.map(async (player) => ({
          name: `${kind}-${player}`,
          page: await openPlayer(browser, site, player, entry(player, url, CHANNEL, token)),
        })),
      );
      try {
        const figures = await watch(shows, SECONDS);
        for (const { name } of shows) t.diagnostic(`${name} ${JSON.stringify(figures[name])}`);
        for (const { name } of shows) assertContent(name, figures[name]);
      } finally {
        await Promise.all(shows.map(({ page }) => page.close()));
      }
    });
  }
});
