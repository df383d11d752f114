// Low latency through each edge: what the origin sends piece by piece reaches the viewer piece by piece, and what it
// holds back is held for the viewer. Nothing here is measured against a clock: each answer is compared with what the
// origin has and does not have yet.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, until } from './support/processes.mjs';

const CHANNEL = 'demo';
const ROUNDS = 5;

describe('low latency passes', () => {
  const stage = new Stage();
  let keys;
  let origin;
  let track;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL);
    const multivariant = await text(`${origin}/live/${CHANNEL}/index.m3u8`);
    track = /^(video[^/]*)\/index\.m3u8$/m.exec(multivariant)[1];
    await until('the playlist has parts', async () => parts(await playlist(origin)).length > 0);
  });
  after(() => stage.close());

  const folder = (base) => `${base}/live/${CHANNEL}/${track}`;
  const playlist = (base, query = '') => text(`${folder(base)}/index.m3u8${query}`);

  /** The name of a segment that has just begun. */
  async function freshSegment() {
    const before = openSegment(await playlist(origin));
    return until('another segment begins', async () => {
      const now = openSegment(await playlist(origin));
      return now !== before && now !== null && now;
    }, 30_000, 20);
  }

  for (const kind of EDGES) {
    test(`through the edge ${kind}`, async (t) => {
      const { url, part } = await startEdge(kind, stage, origin, keys);
      const edge = `${url}/t/${keys.mint(`/live/${CHANNEL}/`)}`;

      // A segment that is still being made comes as it is made. Where this test is slow, a segment may end meanwhile.
      let early = 0;
      for (let round = 0; round < ROUNDS && early === 0; round += 1) {
        const name = await freshSegment();
        const response = await fetch(`${folder(edge)}/${name}`);
        assert.equal(response.status, 200, name);
        const reader = response.body.getReader();
        const chunks = [(await reader.read()).value];
        const meanwhile = await playlist(origin);
        for (let more = await reader.read(); !more.done; more = await reader.read()) {
          chunks.push(more.value);
        }
        if (!closed(meanwhile, name)) early += 1;
        const whole = Buffer.from(await (await fetch(`${folder(origin)}/${name}`)).arrayBuffer());
        assert.deepEqual(Buffer.concat(chunks), whole, 'it is what the origin has in the end');
        t.diagnostic(`${kind}: ${name} in ${chunks.length} pieces`);
      }
      assert.equal(early, 1, 'a segment begins to arrive before it is complete');

      // A playlist that does not exist yet comes when it does, with what was waited for.
      const held = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const { msn, part: index } = next(await playlist(origin));
        const asked = performance.now();
        const answer = await fetch(`${folder(edge)}/index.m3u8?x=1&_HLS_part=${index}&_HLS_msn=${msn}`);
        held.push(performance.now() - asked);
        assert.equal(answer.status, 200);
        const got = next(await answer.text());
        assert.ok(got.msn > msn || (got.msn === msn && got.part > index), `${msn}/${index} is there`);
      }
      t.diagnostic(`${kind}: playlists held for ${held.map((ms) => Math.round(ms)).join(', ')} ms`);

      // So does the part that was hinted at.
      const hint = /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(await playlist(origin))[1];
      const hinted = await fetch(new URL(hint, `${folder(edge)}/`));
      assert.equal(hinted.status, 200);
      const bytes = Buffer.from(await hinted.arrayBuffer());
      const again = await fetch(new URL(hint, `${folder(origin)}/`));
      assert.deepEqual(bytes, Buffer.from(await again.arrayBuffer()));

      // What the origin says of it all is the viewer's to read.
      for (const path of [`index.m3u8?_HLS_msn=${next(await playlist(origin)).msn - 1}`, hint]) {
        const [ours, theirs] = await Promise.all(
          [edge, origin].map((base) => fetch(`${folder(base)}/${path}`)),
        );
        assert.ok(theirs.headers.get('cmsd-static'), 'the origin speaks CMSD');
        assert.ok(ours.headers.get('cmsd-static'), `${path}: and the edge passes it on`);
        assert.match(ours.headers.get('cache-control'), /^private/, path);
        await Promise.all([ours.arrayBuffer(), theirs.arrayBuffer()]);
      }

      // A delta is asked for by the directive alone, and a wrong directive is told from none.
      assert.match(await playlist(edge, '?_HLS_skip=YES'), /^#EXT-X-(SKIP|SERVER-CONTROL):/m);
      const wrong = await fetch(`${folder(edge)}/index.m3u8?_HLS_msn=now`);
      assert.equal(wrong.status, 400);
      assert.equal(wrong.headers.get('cache-control'), 'no-store');
      await part.stop();
    });
  }
});

async function text(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response.text();
}

const parts = (playlist) => [...playlist.matchAll(/^#EXT-X-PART:.*URI="([^"]+)"/gm)].map(([, uri]) => uri);

/** The segment that is being made, where it has a part already. */
function openSegment(playlist) {
  const [, stem, index] = /^#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(.+)\.(\d+)\.m4s"/m.exec(playlist);
  return index === '0' ? null : `${stem}.m4s`;
}

/** Whether a segment is listed as a whole. */
const closed = (playlist, name) => playlist.split('\n').includes(name);

/** The media sequence number and part index that come next. */
function next(playlist) {
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(playlist)[1]);
  const segments = playlist.match(/^#EXTINF:/gm)?.length ?? 0;
  const tail = playlist.slice(playlist.lastIndexOf('#EXTINF:'));
  return { msn: first + segments, part: parts(tail).length };
}
