// From pixels to a session: an encoder marks, the origin keeps both variants in step, an edge gives two viewers two
// mixtures, and what each player got is the pattern of its session.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { entry, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, until } from './support/processes.mjs';
import { CYCLE, bitsOf } from './support/tardos.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'marked';
const PREFIX = `/live/${CHANNEL}/`;
const VIEWERS = { anna: 'hls', bert: 'dash' };
/** So many of each player's segments are looked at. */
const SEGMENTS = 8;

describe('a recording of marked media', () => {
  const stage = new Stage();
  const secret = randomBytes(32);
  const watermark = {
    keys: { 1: secret.toString('base64url') },
    channels: [{ path: PREFIX, media: '^video-[^/]+/[^/]+[.]m4s$', service: CHANNEL, pace: ['header', 'sidecar'] }],
  };
  const shows = {};
  let folder;
  let origin;
  let edge;

  before(async () => {
    folder = temporaryFolder(stage);
    const key = join(folder, 'embedding.key');
    writeFileSync(key, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL, ['--watermark-key', key, '--preset', 'ultrafast']);
    const keys = new Keys(folder, 'watermark', { sessions: true });
    edge = await startEdge('native', stage, origin, keys, { watermark });
    const [site, browser] = [await servePlayers(stage), await startBrowser(stage)];
    for (const [name, player] of Object.entries(VIEWERS)) {
      const token = keys.mint(PREFIX, '1h', ['--mark-id', `session-of-${name}`, '--mark-key-version', '1']);
      const page = await openPlayer(browser, site, player, entry(player, edge.url, CHANNEL, token, 'path'));
      const show = { page, received: new Map() };
      page.on('response', (response) => note(show, response));
      shows[name] = show;
    }
  });
  after(() => stage.close());

  /** Keeps what a player gets of the marked rendition. */
  function note({ received }, response) {
    const { pathname } = new URL(response.url());
    const path = pathname.replace(/^\/t\/[^/]+/, '');
    if (!isVideo(path) || response.status() !== 200) return;
    received.set(path, response.body().catch(() => null));
  }

  const isVideo = (path) => path.startsWith(PREFIX) && /\/video-[^/]+\/[^/]+\.(m4s|mp4)$/.test(path);
  const isSegment = (path) => path.endsWith('.m4s');

  /** What a player got, in the order of its times: the init segment first. */
  async function tape({ received }) {
    const time = (path) => Number(/([0-9]+)\.m4s$/.exec(path)?.[1] ?? -1);
    const all = await Promise.all([...received].map(async ([path, body]) => ({ path, body: await body })));
    return all.filter(({ body }) => body?.length).sort((one, other) => time(one.path) - time(other.path));
  }

  const get = async (path) => Buffer.from(await (await fetch(origin + path)).arrayBuffer());

  /** What the origin has of a segment, as edges and detectors get it. */
  async function variants(path) {
    const place = (within) => path.replace(/[^/]+$/, (file) => within + file);
    const [a, b, pace] = await Promise.all([get(path), get(place('b/')), get(place('WMPaceInfo/'))]);
    return { a, b, pace };
  }

  test('is the pattern of its session', { timeout: 180_000 }, async (t) => {
    await Promise.all(Object.entries(shows).map(([name, { page }]) => untilPlaying(page, name)));
    const tapes = {};
    await until(
      `${SEGMENTS} segments with every viewer`,
      async () => {
        for (const [name, show] of Object.entries(shows)) tapes[name] = await tape(show);
        return Object.values(tapes).every((tape) => tape.filter(({ path }) => isSegment(path)).length >= SEGMENTS);
      },
      60_000,
    );

    for (const [name, tape] of Object.entries(tapes)) {
      const [bits, said] = [bitsOf(secret, CHANNEL, `session-of-${name}`), { due: '', got: '' }];
      for (const { path, body } of tape.filter(({ path }) => isSegment(path))) {
        const { a, b, pace } = await variants(path);
        assert.equal(a.length, b.length, 'both variants are as long');
        // The last item of the sidecar: a position, or −1 where the origin took the mark back.
        const position = positionOf(pace);
        assert.ok(position >= -1 && position < CYCLE, `${position}`);
        if (position < 0) continue;
        assert.ok(!a.equals(b), `${path} has two variants`);
        said.due += bits(position) ? 'B' : 'A';
        said.got += body.equals(a) ? 'A' : body.equals(b) ? 'B' : '?';
      }
      assert.equal(said.got, said.due, `${name} got what the code says`);
      // A machine that is busy may lose variant B for a while.
      assert.ok(said.got.length >= SEGMENTS / 2, `${said.got.length} segments of ${name}'s are marked`);
      t.diagnostic(`${name}: ${said.got}`);
    }
  });
});

/** The position in a sidecar of one segment (RFC 8949): `{1: 1, 2: [{6: position}]}`. */
function positionOf(sidecar) {
  const [head, ...rest] = sidecar.subarray(sidecar.indexOf(6, 4) + 1);
  if (head < 24) return head;
  if (head === 24) return rest[0];
  if (head === 25) return rest[0] * 256 + rest[1];
  return head === 0x20 ? -1 : NaN;
}
