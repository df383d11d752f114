// Marked media on every platform: each session its own variants, two copies for all of them together, and nothing for
// whoever asks in any other way.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CLAIM, below, inSeconds, signed } from './support/cwt.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { ORIGIN_TOKEN, startMarkedOrigin, startShield } from './support/marked-origin.mjs';
import { EDGES, startEdge } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';
import { CYCLE, bitsOf } from './support/tardos.mjs';

const PREFIX = '/live/marked/';
const NAME = 'CTA-Common-Access-Token';
const [SESSIONS, TOGETHER, SEGMENTS] = [50, 10, 4];
/** The claims of a watermark (ETSI TS 104 002 §6.2). */
const [WMVER, WMVND, WMPATLEN, WMPATTERN, WMID, WMOPID, WMKEYVER] = [300, 301, 302, 304, 305, 306, 307];
const BITS = 16;
/** What patterns are derived by, where a token does not carry one. */
const SECRET = randomBytes(32);

const segment = (number) => `${PREFIX}v1/${number}.m4s`;

describe('marked media', () => {
  const stage = new Stage();
  const edges = {};
  let keys;

  before(async () => {
    keys = new Keys(temporaryFolder(stage), 'marks');
    for (const kind of EDGES) {
      // A cache and an origin of its own, so that each is counted by itself.
      const origin = await startMarkedOrigin(stage);
      const shield = await startShield(stage, origin.url);
      const channel = { path: PREFIX, media: '^v[0-9]+/[0-9]+[.]m4s$', service: 'marked' };
      const site = { watermark: { keys: { 1: SECRET.toString('base64url') }, channels: [channel] } };
      const edge = await startEdge(kind, stage, shield.url, keys, site, {}, ORIGIN_TOKEN);
      edges[kind] = { ...edge, origin, shield };
    }
  });
  after(() => stage.close());

  /** A token with these claims of a watermark. */
  function token(claims) {
    const before = [
      [CLAIM.exp, inSeconds(3_600)],
      [CLAIM.iat, inSeconds(0)],
      [CLAIM.cti, randomBytes(16)],
      [WMVER, 1],
      [WMVND, 254],
    ];
    const behind = [
      [CLAIM.catv, 1],
      [CLAIM.catu, below(PREFIX)],
    ];
    return signed(keys.privateKey, new Map([...before, ...claims, ...behind]));
  }

  /** A token of the direct mode with these bits, the first the most significant. */
  function marked(pattern) {
    const bytes = Buffer.alloc(BITS / 8);
    bytes.writeUInt16BE(pattern);
    return token([[WMPATLEN, BITS], [WMPATTERN, bytes]]);
  }

  /** A session with a token, and what its bits are: every second one carries them, those of the others are derived. */
  function session(number) {
    if (number % 2 === 0) {
      const pattern = randomBytes(2).readUInt16BE();
      return { token: marked(pattern), bit: (position) => (pattern >> (BITS - 1 - (position % BITS))) & 1 };
    }
    const id = `session-${number}`;
    const claims = [[WMPATLEN, CYCLE], [WMID, id], [WMOPID, 7], [WMKEYVER, 1]];
    return { token: token(claims), bit: bitsOf(SECRET, 'marked', id, { operator: 7 }) };
  }

  for (const kind of EDGES) {
    test(`is two copies for ${SESSIONS} sessions of the edge ${kind}`, async (t) => {
      const { url, origin, shield, part } = edges[kind];
      const before = origin.asked.length;
      const watch = async (viewer) => {
        const { token, bit } = session(viewer);
        for (let number = 0; number < SEGMENTS; number += 1) {
          const response = await fetch(`${url}/t/${token}${segment(number)}?session=${viewer}`);
          assert.equal(await response.text(), `${bit(number) ? 'B' : 'A'}${number}`);
          for (const name of ['wmpaceinfoegress', 'last-modified', 'x-cache-key', 'authorization']) {
            assert.equal(response.headers.get(name), null, name);
          }
          assert.equal(response.headers.get('etag'), `"${number}"`, 'which both variants have');
        }
      };
      for (let first = 0; first < SESSIONS; first += TOGETHER) {
        await Promise.all(Array.from({ length: TOGETHER }, (_none, more) => watch(first + more)));
      }
      const init = await fetch(`${url}/t/${marked(0)}${PREFIX}v1/init.mp4`);
      assert.equal(await init.text(), 'init');

      const asked = origin.asked.slice(before);
      const media = asked.filter(({ url }) => url.endsWith('.m4s'));
      const urls = new Set(media.map(({ url }) => url));
      assert.equal(shield.kept.size, 2 * SEGMENTS);
      assert.deepEqual([...urls].sort(), [...shield.kept.keys()].sort());
      for (const { url, authorization } of asked) {
        const due = url.endsWith('.m4s') ? `Bearer ${ORIGIN_TOKEN}` : null;
        assert.equal(authorization, due, `the origin sees who asks for ${url}`);
      }
      assert.ok(!part.output.includes(ORIGIN_TOKEN), 'the log does not say it');
      t.diagnostic(
        `${kind}: ${SESSIONS} sessions, ${SEGMENTS} segments: ${urls.size} objects at the origin, asked for ${media.length} times`,
      );
    });
  }

  /** Asks every edge, which answer alike, and none of which asks its origin. */
  async function refused(path, headers, slug) {
    for (const kind of EDGES) {
      const { url, origin } = edges[kind];
      const before = origin.asked.length;
      const response = await fetch(url + path, { headers });
      const body = await response.text();
      assert.equal(response.status, 403, `${kind}: ${body}`);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(JSON.parse(body).type, `urn:selvedge:error:${slug}`);
      assert.equal(origin.asked.length, before, `${kind} asked its origin`);
    }
  }

  test('is not there for who asks for a variant by its name', async () => {
    const token = marked(0xffff);
    for (const path of ['v1/b/1.m4s', 'v1/B/1.m4s', 'v1/%62/1.m4s', 'v1/x/../b/1.m4s', 'b/v1/1.m4s', 'v1/WMPaceInfo/1.m4s']) {
      await refused(`/t/${token}${PREFIX}${path}`, {}, 'variant-named');
      await refused(`${PREFIX}${path}`, { [NAME]: token }, 'variant-named');
      await refused(PREFIX + path, {}, 'variant-named');
    }
  });

  test('is not there without a token, or with one that has no mark', async () => {
    await refused(segment(1), {}, 'mark-missing');
    const unmarked = keys.mint(PREFIX);
    await refused(`/t/${unmarked}${segment(1)}`, {}, 'mark-missing');
    await refused(`${segment(1)}?CAT=${unmarked}`, {}, 'mark-missing');
    await refused(segment(1), { Cookie: `${NAME}=${unmarked}` }, 'mark-missing');
  });

  test('is not there for who comes with two marks to choose from', async () => {
    const [one, other] = [marked(0x0000), marked(0xffff)];
    for (const [first, second] of [[one, other], [other, one]]) {
      await refused(`/t/${first}${segment(1)}`, { [NAME]: second }, 'marks-mixed');
      await refused(`${segment(1)}?CAT=${first}`, { [NAME]: second }, 'marks-mixed');
      await refused(segment(1), { [NAME]: first, Cookie: `${NAME}=${second}` }, 'marks-mixed');
    }
  });
});
