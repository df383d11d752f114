// From pixels to a name: an encoder marks, the origin keeps both variants in step, an edge gives two viewers two mixtures,
// one of them records what the player got, and the detector says from the recording who it was.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { entry, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import * as paths from './support/paths.mjs';
import { Stage, until } from './support/processes.mjs';
import { CYCLE, bitsOf } from './support/tardos.mjs';
import { untilPlaying } from './support/watching.mjs';

const CHANNEL = 'marked';
const PREFIX = `/live/${CHANNEL}/`;
const VIEWERS = { anna: 'hls', bert: 'dash' };
/** One rendition, so that a player's segments are one recording. */
const LADDER = '640x360@800k';
const LEAKER = 'anna';
/** Segments of about a second, to have more bits in less time. */
const CADENCE = 'segment_frames = 24\nchunk_frames = 8\n';
/** So many of each player's segments are looked at: a dozen tell two sessions apart at the odds below, as a rule. */
const SEGMENTS = 24;
const FALSE_ACCUSATION = '0.02';

/** A picture that never comes again: a game of life, out of focus. A recording is found in it by what moves. */
const SCENE =
  'life=size=40x22:rate=3:seed=7:ratio=0.35:mold=6:death_color=0x303030:life_color=0xc0c0c0:mold_color=0x707070,' +
  'scale=640:360:flags=bicubic,gblur=sigma=6,fps=25,tmix=frames=6,format=yuv420p';
/** More than an origin's window. */
const SCENE_S = 80;

const run = promisify(execFile);

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
    const scene = join(folder, 'scene.mp4');
    const drawn = ['-f', 'lavfi', '-i', SCENE, '-t', SCENE_S, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '14'];
    await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...drawn.map(String), scene]);
    origin = await startOrigin(stage);
    const cadence = join(folder, 'encoder.toml');
    writeFileSync(cadence, CADENCE);
    const marking = ['--config', cadence, '--ladder', LADDER, '--watermark-key', key, '--preset', 'ultrafast'];
    await startEncoder(stage, origin, CHANNEL, marking, scene);
    const keys = new Keys(folder, 'watermark', { sessions: true });
    edge = await startEdge('native', stage, origin, keys, { watermark });
    const [site, browser] = [await servePlayers(stage), await startBrowser(stage)];
    for (const [name, player] of Object.entries(VIEWERS)) {
      const token = keys.mint(PREFIX, '1h', ['--mark-id', `session-of-${name}`, '--mark-key-version', '1']);
      const page = await openPlayer(browser, site, player, entry(player, edge.url, CHANNEL, token, 'path'));
      const show = { page, received: new Map(), answers: {} };
      page.on('response', (response) => note(show, response));
      shows[name] = show;
    }
  });
  after(() => stage.close());

  /** Keeps what a player gets of the marked rendition. */
  function note({ received, answers }, response) {
    const { pathname } = new URL(response.url());
    const path = pathname.replace(/^\/t\/[^/]+/, '');
    if (!isVideo(path)) return;
    answers[response.status()] = (answers[response.status()] ?? 0) + 1;
    if (response.status() !== 200) return;
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

  test('is the pattern of its session, and names it', { timeout: 180_000 }, async (t) => {
    await Promise.all(Object.entries(shows).map(([name, { page }]) => untilPlaying(page, name)));
    const tapes = {};
    await until(
      `${SEGMENTS} segments with every viewer`,
      async () => {
        for (const [name, show] of Object.entries(shows)) tapes[name] = await tape(show);
        return Object.values(tapes).every((tape) => tape.filter(({ path }) => isSegment(path)).length >= SEGMENTS);
      },
      90_000,
    ).catch(async (error) => {
      const seen = ([name, { page, answers }]) => page.evaluate(() => window.probe.look()).then((look) => ({ name, answers, look }));
      throw new Error(`${error.message}: ${JSON.stringify(await Promise.all(Object.entries(shows).map(seen)))}`);
    });

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

    // As it might turn up somewhere: smaller, and coded anew.
    const [recording, leak] = [join(folder, 'recording.mp4'), join(folder, 'leak.mp4')];
    writeFileSync(recording, Buffer.concat(tapes[LEAKER].map(({ body }) => body)));
    await run('ffmpeg', [
      ...['-hide_banner', '-loglevel', 'error', '-i', recording, '-vf', 'scale=480:-2', '-an'],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '28', leak],
    ]);
    const [site, sessions] = [join(folder, 'site.json'), join(folder, 'sessions.txt')];
    writeFileSync(site, JSON.stringify({ watermark }), { mode: 0o600 });
    writeFileSync(sessions, Object.keys(VIEWERS).map((name) => `session-of-${name}\n`).join(''));
    const evidence = join(folder, 'evidence.json');
    const { stdout } = await run(paths.selvedge(), [
      ...['watermark', 'detect', leak, '--archive', origin, '--channel', CHANNEL, '--keys', site],
      ...['--sessions', sessions, '--false-accusation', FALSE_ACCUSATION, '--evidence', evidence],
    ]);
    t.diagnostic(stdout.trim());
    const accused = [...stdout.matchAll(/^accused: (\S+)/gm)].map(([, id]) => id);
    assert.deepEqual(accused, [`session-of-${LEAKER}`]);
    const verified = ['watermark', 'verify', evidence, '--keys', site, '--capture', leak];
    t.diagnostic((await run(paths.selvedge(), verified)).stdout.trim());
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
