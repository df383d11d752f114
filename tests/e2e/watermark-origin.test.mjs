// A watermarked channel from our encoder: the origin has both variants of every segment and part, tells edges alone, and
// an edge gives each session its own sequence of them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage, until } from './support/processes.mjs';

const CHANNEL = 'marked';
/** Four sessions all get the same variants of so many segments once in a thousand million runs. */
const SEGMENTS = 10;
const SESSIONS = ['one', 'two', 'three', 'four'];

describe('a watermarked channel', () => {
  const stage = new Stage();
  let origin;
  let edge;
  let keys;
  let track;

  before(async () => {
    const folder = temporaryFolder(stage);
    const key = join(folder, 'watermark.key');
    writeFileSync(key, randomBytes(32).toString('hex'), { mode: 0o600 });
    keys = new Keys(folder);
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL, ['--watermark-key', key]);
    track = (await state()).name;
    const watermark = {
      keys: { 1: randomBytes(32).toString('base64url') },
      channels: [
        { path: `/live/${CHANNEL}/`, media: `^${track}/[^/]+[.]m4s$`, service: CHANNEL, epoch: 1, colluders: 2 },
      ],
    };
    edge = (await startEdge('native', stage, origin, keys, { watermark })).url;
  });
  after(() => stage.close());

  /** What operators are told of the marked track. */
  async function state() {
    const channel = await (await fetch(`${origin}/channels/${CHANNEL}`)).json();
    return channel.tracks.find(({ watermark }) => watermark);
  }

  const playlist = async () => (await fetch(`${origin}/live/${CHANNEL}/${track}/index.m3u8`)).text();
  const media = (text, kind) => [...text.matchAll(kind)].map(([, uri]) => uri);
  const SEGMENT = /^([^#\s]\S*)$/gm;
  const PART = /#EXT-X-PART:[^\n]*URI="([^"]+)"/g;

  async function get(url) {
    const answer = await fetch(url);
    assert.equal(answer.status, 200, url);
    return { headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
  }

  test('has two variants of each segment and part, of one length and one position', async (t) => {
    const text = await playlist();
    const names = [...media(text, SEGMENT).slice(1), ...media(text, PART)];
    assert.ok(names.length > 8, text);
    for (const name of names) {
      const [a, b] = await Promise.all(
        ['', 'b/'].map((folder) => get(`${origin}/live/${CHANNEL}/${track}/${folder}${name}`)),
      );
      assert.equal(a.bytes.length, b.bytes.length, name);
      assert.ok(!a.bytes.equals(b.bytes), `${name}: the variants are the same`);
      const told = a.headers.get('wmpaceinfoegress');
      assert.match(told, /^ogEBAoGhBh/, name);
      assert.notEqual(told, 'ogEBAoGhBiA', `${name} is not marked`);
      assert.equal(b.headers.get('wmpaceinfoegress'), told);
      const sidecar = await get(`${origin}/live/${CHANNEL}/${track}/WMPaceInfo/${name}`);
      assert.equal(sidecar.bytes.toString('base64url'), told);
    }
    const { watermark } = await state();
    t.diagnostic(`${names.length} names; ${JSON.stringify(watermark)}`);
    assert.equal(watermark.in_step, true);
    assert.ok(watermark.marked >= 3);
    assert.deepEqual(
      Object.entries(watermark.unmarked).filter(([reason, count]) => reason !== 'missing' && count > 0),
      [],
    );
  });

  test('names no variant in any document', async () => {
    for (const document of ['index.m3u8', `${track}/index.m3u8`, 'manifest.mpd']) {
      const { bytes } = await get(`${origin}/live/${CHANNEL}/${document}`);
      assert.doesNotMatch(bytes.toString(), /["\n/]b\/|WMPaceInfo/, document);
    }
  });

  test('gives each session its own variants, and names none to it', async () => {
    await until('enough segments', async () => media(await playlist(), SEGMENT).length >= SEGMENTS + 1);
    const names = media(await playlist(), SEGMENT).slice(1);
    const tokens = SESSIONS.map((session) =>
      keys.mint(`/live/${CHANNEL}/`, '1h', ['--mark-id', session, '--mark-key-version', '1']),
    );
    const chosen = [];
    for (const token of tokens) {
      let bits = '';
      for (const name of names) {
        const { headers, bytes } = await get(`${edge}/t/${token}/live/${CHANNEL}/${track}/${name}`);
        assert.equal(headers.get('wmpaceinfoegress'), null);
        assert.doesNotMatch([...headers.values()].join(' '), /b\/0-/);
        const b = await get(`${origin}/live/${CHANNEL}/${track}/b/${name}`);
        bits += bytes.equals(b.bytes) ? 1 : 0;
      }
      chosen.push(bits);
    }
    assert.match(chosen.join(''), /0.*1|1.*0/, 'both variants are used');
    assert.ok(new Set(chosen).size > 1, chosen.join(' '));
    const refused = await fetch(`${edge}/t/${tokens[0]}/live/${CHANNEL}/${track}/b/${names[0]}`);
    assert.equal(refused.status, 403);
  });
});
