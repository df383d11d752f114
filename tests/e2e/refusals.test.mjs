// Who may not watch is refused in the same words on every platform.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Keys, forged, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';

const PATH = '/live/demo/index.m3u8';

describe('a request that may not pass is refused alike everywhere', () => {
  const stage = new Stage();
  const edges = {};
  let keys;
  let strangers;
  let expired;

  before(async () => {
    const folder = temporaryFolder(stage);
    keys = new Keys(folder);
    strangers = new Keys(folder, 'stranger');
    expired = keys.mint('/live/demo/', '-1m');
    const origin = await startOrigin(stage);
    await startEncoder(stage, origin);
    for (const kind of EDGES) edges[kind] = (await startEdge(kind, stage, origin, keys)).url;
  });
  after(() => stage.close());

  /** Asks every edge, and returns the one answer that all of them gave. */
  async function ask(path, headers = {}) {
    const answers = await Promise.all(
      EDGES.map(async (kind) => {
        const response = await fetch(edges[kind] + path, { headers });
        return {
          status: response.status,
          type: response.headers.get('content-type'),
          cacheControl: response.headers.get('cache-control'),
          cors: response.headers.get('access-control-allow-origin'),
          body: await response.text(),
        };
      }),
    );
    for (const [i, answer] of answers.entries()) {
      assert.deepEqual(answer, answers[0], `${EDGES[i]} answers ${path} as ${EDGES[0]} does`);
    }
    return answers[0];
  }

  function assertRefusal(answer, status, slug) {
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.type, 'application/problem+json');
    assert.equal(answer.cacheControl, 'no-store');
    const problem = JSON.parse(answer.body);
    assert.equal(problem.type, `urn:selvedge:error:${slug}`);
    assert.equal(problem.status, status);
    assert.ok(problem.title);
  }

  const carriers = {
    query: (token) => [`${PATH}?CAT=${token}`],
    path: (token) => [`/t/${token}${PATH}`],
    header: (token) => [PATH, { 'CTA-Common-Access-Token': token }],
    cookie: (token) => [PATH, { Cookie: `CTA-Common-Access-Token=${token}` }],
  };

  test('the good token passes, in each carrier', async () => {
    const token = keys.mint('/live/demo/');
    for (const [name, carry] of Object.entries(carriers)) {
      for (const kind of EDGES) {
        const [path, headers] = carry(token);
        const response = await fetch(edges[kind] + path, { headers });
        const body = await response.text();
        assert.equal(response.status, 200, `${kind}, ${name}: ${body}`);
        assert.match(body, /^#EXTM3U/);
      }
    }
  });

  test('without a token', async () => {
    assertRefusal(await ask(PATH), 401, 'token-missing');
  });

  for (const [name, carry] of Object.entries(carriers)) {
    test(`with an expired token, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(expired)), 401, 'token-expired');
    });
    test(`with a forged signature, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(forged(keys.mint('/live/demo/')))), 401, 'token-invalid');
    });
    test(`with a token for another channel, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(keys.mint('/live/other/'))), 403, 'token-scope');
    });
  }

  test('with a token that a stranger signed', async () => {
    const token = strangers.mint('/live/demo/');
    assertRefusal(await ask(...carriers.query(token)), 401, 'token-invalid');
  });

  test('with something that is no token', async () => {
    for (const text of ['x', 'AAAA', 'eyJhbGciOiJub25lIn0.e30.']) {
      assertRefusal(await ask(...carriers.query(text)), 401, 'token-invalid');
    }
  });

  test('for an unknown path, with a token', async () => {
    const token = keys.mint('/live/demo/');
    const answer = await ask(`/t/${token}/live/demo/nothing/here/at/all`);
    assert.equal(answer.status, 404, answer.body);
  });
});
