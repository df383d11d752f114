// What AWS Elemental MediaLive sends, byte for byte, is taken and plays to its end.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  PLAYERS,
  entry,
  look,
  openPlayer,
  servePlayers,
  startBrowser,
} from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { startEdge, startOrigin } from './support/parts.mjs';
import { Stage, artifacts, until } from './support/processes.mjs';
import { pushMediaLive } from './support/push-medialive.mjs';

const CHANNEL = 'medialive';
/** 37 frames of the first, cut segment and 48 of each of three more, at 25 a second. */
const LENGTH_SECONDS = (37 + 3 * 48) / 25;

/**
 * The recording's sound is 40 ms longer than its picture. On a busy machine dash.js 5.2.1 then steps back half a
 * second at the end and stands there: every picture was shown all the same.
 */
const isDone = (now) => now.frames >= LENGTH_SECONDS * 25 && now.duration - now.currentTime < 1;

const vectors = process.env.SELVEDGE_VECTORS;
const skip = vectors ? false : 'SELVEDGE_VECTORS is not set: the recorded vectors are not here';
if (skip) console.log(`skipped: ${skip}`);

describe('what MediaLive pushes plays to its end', { skip }, () => {
  const stage = new Stage();
  let folder;
  let keys;
  let origin;
  let edge;
  let site;
  let browser;

  before(async () => {
    folder = join(vectors, 'cmaf-ingest/medialive');
    assert.ok(existsSync(join(folder, 'video')), `SELVEDGE_VECTORS is set, but ${folder} is missing`);
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    edge = (await startEdge('native', stage, origin, keys)).url;
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
    await pushMediaLive(folder, `${origin}/ingest/${CHANNEL}`);
  });
  after(() => stage.close());

  for (const player of PLAYERS) {
    test(`in ${player}`, async (t) => {
      const token = keys.mint(`/live/${CHANNEL}/`);
      const page = await openPlayer(browser, site, player, entry(player, edge, CHANNEL, token));
      const name = join(artifacts(), `${player}.png`);
      await until(
        `${player} shows the picture`,
        async () => {
          const now = await look(page);
          if (now.fatal.length) throw new Error(now.fatal.join('; '));
          return now.frames > 25;
        },
        20_000,
      );
      await page.screenshot({ path: name });
      const end = await until(
        `${player} plays to the end`,
        async () => {
          const now = await look(page);
          return now.ended || isDone(now) ? now : null;
        },
        30_000,
      ).catch(async (error) => {
        throw new Error(`${error.message} ${JSON.stringify(await look(page))}`);
      });
      t.diagnostic(JSON.stringify(end));
      assert.deepEqual(end.fatal, []);
      assert.ok(end.frames >= LENGTH_SECONDS * 25 * 0.95, `${end.frames} frames decoded`);
      assert.ok(end.audioBytes > LENGTH_SECONDS * 1_000, `${end.audioBytes} bytes of sound`);
      await page.close();
    });
  }
});
