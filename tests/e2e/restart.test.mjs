// The origin restarts under a live encoder: the encoder goes on, and no number goes back.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from './support/keys.mjs';
import { runOrigin, startEncoder, untilDeep } from './support/parts.mjs';
import { Stage, freePort, until } from './support/processes.mjs';

const CHANNEL = 'restart';
/** Longer than two segments, so that some are lost for good. */
const AWAY_MS = 5_000;
const NEW_SEGMENTS = 3;

describe('a restart of the origin', () => {
  const stage = new Stage();
  after(() => stage.close());

  test('costs the segments of its absence and nothing else', async (t) => {
    const [port, data] = [await freePort(), temporaryFolder(stage)];
    const first = await runOrigin(stage, port, data);
    await startEncoder(stage, first.url, CHANNEL);
    const before = await playlists(first.url);
    const kept = [...before.values()][0].entries.findLast((entry) => !entry.gap);
    const keptUrl = `${first.url}/live/${CHANNEL}/${[...before.keys()][0]}/${kept.uri}`;
    const keptBytes = await bytes(keptUrl);

    const { code } = await first.part.stop();
    assert.equal(code, 0);
    await sleep(AWAY_MS);
    const { url } = await runOrigin(stage, port, data);
    assert.deepEqual(await bytes(keptUrl), keptBytes, 'a segment from before is still there');

    const edge = last([...before.values()][0]).number;
    let now;
    await until(`${NEW_SEGMENTS} segments after the restart`, async () => {
      now = await playlists(url);
      return [...now.values()].every(
        (list) => list.entries.filter((entry) => !entry.gap && entry.number > edge).length >= NEW_SEGMENTS,
      );
    });

    for (const [track, list] of now) {
      const earlier = before.get(track);
      assert.ok(list.first >= earlier.first, `${track}: the media sequence went back`);
      const numbers = new Map(list.entries.map((entry) => [entry.uri, entry.number]));
      for (const { uri, number, gap } of earlier.entries) {
        if (!gap && numbers.has(uri)) assert.equal(numbers.get(uri), number, `${track}: ${uri} was renumbered`);
      }
      assert.equal(list.discontinuities, 0, `${track}: the encoder's clock went on, so does the timeline`);
    }
    const gaps = [...now].map(([track, list]) => [track, list.entries.filter((e) => e.gap).map((e) => e.number)]);
    t.diagnostic(`missing: ${JSON.stringify(gaps[0][1])}`);
    for (const [track, missing] of gaps) {
      assert.ok(missing.length >= 1, `${track}: some segments were lost`);
      // What was under way when the origin stopped is kept as far as it came, so a track may lose one more or less.
      for (const end of [0, -1]) {
        const apart = Math.abs(missing.at(end) - gaps[0][1].at(end));
        assert.ok(apart <= 1, `${track} is out of step with ${gaps[0][0]}: ${missing}, and ${gaps[0][1]}`);
      }
    }
    await untilDeep(url, CHANNEL);
  });
});

/** The media playlist of every rendition, by its track. */
async function playlists(origin) {
  const multivariant = await text(`${origin}/live/${CHANNEL}/index.m3u8`);
  const uris = [...multivariant.matchAll(/^(?!#)(\S+)$|URI="([^"]+)"/gm)].map((m) => m[1] ?? m[2]);
  const lists = uris.map(async (uri) => [
    uri.split('/')[0],
    parse(await text(`${origin}/live/${CHANNEL}/${uri}`)),
  ]);
  return new Map(await Promise.all(lists));
}

function parse(playlist) {
  const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(playlist)[1]);
  const entries = [];
  let gap = false;
  for (const line of playlist.split('\n')) {
    if (line === '#EXT-X-GAP') gap = true;
    if (line === '' || line.startsWith('#')) continue;
    entries.push({ uri: line, number: first + entries.length, gap });
    gap = false;
  }
  return { first, entries, discontinuities: playlist.match(/#EXT-X-DISCONTINUITY\n/g)?.length ?? 0 };
}

const last = (list) => list.entries.at(-1);

async function text(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response.text();
}

async function bytes(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return Buffer.from(await response.arrayBuffer());
}
