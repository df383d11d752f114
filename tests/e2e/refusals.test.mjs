// Who may not watch is refused in the same words on every platform.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CLAIM, Tagged, below, inSeconds, signed } from './support/cwt.mjs';
import { Keys, forged, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';
import { sendRaw } from './support/raw.mjs';
import { startRecorder } from './support/recorder.mjs';

const PREFIX = '/live/demo/';
const PATH = `${PREFIX}index.m3u8`;
const NAME = 'CTA-Common-Access-Token';
/** An IPv4 prefix (RFC 9164), reserved for documentation: nobody is there. */
const NOWHERE = new Tagged(52, [24, Buffer.from([203, 0, 113])]);
const LOOPBACK = new Tagged(52, [8, Buffer.from([127])]);

describe('a request that may not pass is refused alike everywhere', () => {
  const stage = new Stage();
  const edges = {};
  const parts = {};
  let recorder;
  let keys;
  let strangers;
  let expired;

  before(async () => {
    const folder = temporaryFolder(stage);
    keys = new Keys(folder, 'e2e', { sessions: true });
    strangers = new Keys(folder, 'stranger');
    expired = keys.mint(PREFIX, '-1m');
    const origin = await startOrigin(stage);
    await startEncoder(stage, origin);
    recorder = await startRecorder(stage, origin);
    for (const kind of EDGES) {
      const edge = await startEdge(kind, stage, recorder.url, keys);
      [edges[kind], parts[kind]] = [edge.url, edge.part];
    }
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
    'first segment': (token) => [`/${token}${PATH}`],
    header: (token) => [PATH, { [NAME]: token }],
    cookie: (token) => [PATH, { Cookie: `${NAME}=${token}` }],
  };

  /** A token with claims of its own beside an end and the path. */
  function claiming(claims) {
    const common = [
      [CLAIM.exp, inSeconds(3_600)],
      [CLAIM.cti, randomBytes(16)],
      [CLAIM.catv, 1],
      [CLAIM.catu, below(PREFIX)],
    ];
    return signed(keys.privateKey, new Map([...common, ...claims]));
  }

  async function get(kind, path, headers = {}) {
    const response = await fetch(edges[kind] + path, { headers });
    return { status: response.status, body: await response.text() };
  }

  /** Every edge lets it pass. */
  async function assertAdmitted(path, headers) {
    for (const kind of EDGES) {
      const { status, body } = await get(kind, path, headers);
      assert.equal(status, 200, `${kind}: ${body}`);
      assert.match(body, /^#EXTM3U/);
    }
  }

  test('the good token passes, in each carrier', async () => {
    const token = keys.mint(PREFIX);
    for (const carry of Object.values(carriers)) await assertAdmitted(...carry(token));
  });

  test('without a token', async () => {
    assertRefusal(await ask(PATH), 401, 'token-missing');
  });

  for (const [name, carry] of Object.entries(carriers)) {
    test(`with an expired token, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(expired)), 401, 'token-expired');
    });
    test(`with a forged signature, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(forged(keys.mint(PREFIX)))), 401, 'token-invalid');
    });
    test(`with a token for another channel, in the ${name}`, async () => {
      assertRefusal(await ask(...carry(keys.mint('/live/other/'))), 403, 'token-scope');
    });
  }

  test('with a token that a stranger signed', async () => {
    const token = strangers.mint(PREFIX);
    assertRefusal(await ask(...carriers.query(token)), 401, 'token-invalid');
  });

  test('with something that is no token', async () => {
    for (const text of ['x', 'AAAA', 'eyJhbGciOiJub25lIn0.e30.']) {
      assertRefusal(await ask(...carriers.query(text)), 401, 'token-invalid');
    }
  });

  test('for an unknown path, with a token', async () => {
    const token = keys.mint(PREFIX);
    const answer = await ask(`/t/${token}/live/demo/nothing/here/at/all`);
    assert.equal(answer.status, 404, answer.body);
  });

  test('a good token passes beside others, wherever they stand', async () => {
    const [good, bad, other] = [keys.mint(PREFIX), forged(keys.mint(PREFIX)), strangers.mint(PREFIX)];
    const requests = {
      'the last of six in a header': [PATH, { [NAME]: [bad, expired, other, 'x', 'AAAA', good].join(', ') }],
      'behind bytes that are no text': [PATH, { [NAME]: `\xff\xfe, ${good}` }],
      'the second of a query': [`${PATH}?CAT=${expired}&CAT=${good}`],
      'the second cookie of the name': [PATH, { Cookie: `${NAME}=${bad}; a=b; ${NAME}=${good}` }],
      'below another in the path': [`/t/${expired}/t/${good}${PATH}`],
      'in the path, with an expired one in a cookie': [`/t/${good}${PATH}`, { Cookie: `${NAME}=${expired}` }],
      'in a cookie, with a forged one in a header': [PATH, { [NAME]: bad, Cookie: `${NAME}=${good}` }],
      'in the query, with others everywhere': [
        `/t/${other}${PATH}?CAT=${good}`,
        { [NAME]: bad, Cookie: `${NAME}=${expired}` },
      ],
    };
    for (const [what, [path, headers]] of Object.entries(requests)) {
      await assertAdmitted(path, headers).catch((error) => assert.fail(`${what}: ${error.message}`));
    }
  });

  test('of several bad tokens, the one that came closest is told', async () => {
    const [bad, elsewhere] = [forged(keys.mint(PREFIX)), keys.mint('/live/other/')];
    const header = (...tokens) => ask(PATH, { [NAME]: tokens.join(', ') });
    assertRefusal(await header(expired, bad), 401, 'token-expired');
    assertRefusal(await header(bad, expired), 401, 'token-expired');
    assertRefusal(await header(elsewhere, expired, bad), 403, 'token-scope');
  });

  test('with a token for viewers elsewhere', async () => {
    const claims = {
      address: [CLAIM.catnip, [NOWHERE]],
      network: [CLAIM.catnip, [64_496]],
      // Nobody watches from Bouvet Island.
      country: [CLAIM.catgeoiso3166, ['BV']],
    };
    for (const claim of Object.values(claims)) {
      const token = claiming([claim]);
      for (const carry of Object.values(carriers)) {
        assertRefusal(await ask(...carry(token)), 403, 'token-scope');
      }
    }
    await assertAdmitted(...carriers.header(claiming([[CLAIM.catnip, [NOWHERE, LOOPBACK]]])));
  });

  test('with a token for viewers elsewhere, by one who says to be there', async () => {
    const token = claiming([[CLAIM.catnip, [NOWHERE]]]);
    const said = ['X-Forwarded-For', 'X-Real-IP', 'True-Client-IP', 'Fastly-Client-IP'];
    const headers = Object.fromEntries(said.map((name) => [name, '203.0.113.7']));
    const [path, carried] = carriers.header(token);
    const all = { ...headers, Forwarded: 'for=203.0.113.7', ...carried };
    assertRefusal(await ask(path, all), 403, 'token-scope');
    // Cloudflare writes this one itself, and its local runtime leaves that to whoever asks.
    for (const kind of EDGES.filter((kind) => kind !== 'workerd')) {
      const { status } = await get(kind, path, { 'CF-Connecting-IP': '203.0.113.7', ...carried });
      assert.equal(status, 403, kind);
    }
  });

  test('with a token that may be used once, the second time', async () => {
    const once = () => claiming([[CLAIM.catreplay, 1]]);
    for (const [name, carry] of Object.entries(carriers)) {
      const refusals = [];
      for (const kind of EDGES) {
        const [path, headers] = carry(once());
        const first = await get(kind, path, headers);
        // Fastly has no store that is the same everywhere at once: nobody could say whether it was used.
        assert.equal(first.status, kind === 'viceroy' ? 403 : 200, `${kind}, ${name}: ${first.body}`);
        const second = await get(kind, path, headers);
        assert.equal(second.status, 403, `${kind}, ${name}: ${second.body}`);
        refusals.push(second.body);
      }
      assert.equal(new Set(refusals).size, 1, 'and in the same words');
    }
  });

  test('a token that may be used once begins a session, which goes on', async () => {
    for (const kind of EDGES.filter((kind) => kind !== 'viceroy')) {
      const token = claiming([[CLAIM.catreplay, 1]]);
      const { body } = await get(kind, `${PATH}?CAT=${token}`);
      const playlist = /^(?!#)\S+$/m.exec(body)[0];
      assert.ok(!playlist.includes(token), `${kind}: the session has a token of its own`);
      for (let time = 0; time < 3; time += 1) {
        assert.equal((await get(kind, playlist)).status, 200, `${kind}: ${body}`);
      }
    }
  });

  test('with line ends and other junk in the token', async () => {
    const good = keys.mint(PREFIX);
    for (const junk of ['%0d%0aX-Injected:%20yes', '%00', '%0a', '%20', '%ff']) {
      assertRefusal(await ask(`${PATH}?CAT=${good}${junk}`), 401, 'token-invalid');
      const { status, body } = await ask(`/t/${good}${junk}${PATH}`);
      assert.ok([400, 401].includes(status), body);
    }
    const heads = {
      'a folded line': [`${NAME}: ${good}`, ' X-Injected: yes'],
      'a bare CR': [`${NAME}: ${good}\rX-Injected: yes`],
      'a bare LF': [`${NAME}: ${good}\nX-Injected: yes`],
      'a NUL': [`${NAME}: ${good}\0X-Injected: yes`],
      'a name with a space': [`${NAME} X-Injected: ${good}`],
      'a cookie with line ends': [`Cookie: ${NAME}=${good}\r\n X-Injected: yes`],
    };
    for (const kind of EDGES) {
      for (const [what, lines] of Object.entries(heads)) {
        const asked = await recorder.during(async () => {
          const { status, text } = await sendRaw(edges[kind], [`GET ${PATH} HTTP/1.1`, ...lines]);
          // Servers differ in what they take for a header; none passes on what was smuggled into one.
          assert.ok([0, 200, 400, 401].includes(status), `${kind}, ${what}: ${text}`);
          assert.doesNotMatch(text, /injected/i, `${kind}, ${what}`);
        });
        assert.doesNotMatch(JSON.stringify(asked), /injected/i, `${kind}, ${what}`);
      }
    }
  });

  test('what is refused never reaches the origin', async () => {
    const asked = await recorder.during(async () => {
      for (const carry of Object.values(carriers)) await ask(...carry(expired));
      await ask(PATH);
    });
    assert.deepEqual(asked, []);
  });

  test('no token reaches the origin, or a log', async () => {
    const secrets = [expired];
    for (const kind of EDGES) {
      for (const [name, carry] of Object.entries(carriers)) {
        const token = keys.mint(PREFIX);
        secrets.push(token);
        const asked = await recorder.during(async () => {
          const [path, carried = {}] = carry(token);
          const referer = { Referer: `${edges[kind]}/t/${token}${PATH}`, ...carried };
          for (const document of [path, path.replace('index.m3u8', 'manifest.mpd')]) {
            const { status, body } = await get(kind, document, referer);
            assert.equal(status, 200, `${kind}, ${name}: ${body}`);
            secrets.push(...[...body.matchAll(/\/t\/([\w-]+)\//g)].map(([, session]) => session));
          }
          const [expiredPath, expiredHeaders] = carry(expired);
          await get(kind, expiredPath, expiredHeaders);
        });
        assert.equal(asked.length, 2, `${kind}, ${name}`);
        assertNone(secrets, JSON.stringify(asked), `${kind}, ${name}`);
        const names = asked.flatMap(({ headers }) => headers.filter((_, i) => i % 2 === 0));
        assert.doesNotMatch(names.join(), /cookie|referer|common-access-token|authorization|dpop/i, `${kind}, ${name}`);
      }
      assertNone(secrets, withoutWranglers(parts[kind].output), `the log of ${kind}`);
      assert.ok(parts[kind].output.includes(PATH), `${kind} logs what it was asked for`);
    }
    assert.ok(secrets.length > 20, 'sessions among them');
  });
});

/** None of the tokens stands in a text; the message must not tell one either. */
function assertNone(tokens, text, where) {
  const found = tokens.filter((token) => text.includes(token));
  assert.equal(found.length, 0, `${where}: ${found.length} tokens were found`);
}

/** What the worker wrote: `wrangler dev` itself notes each URL, which only a developer sees. */
function withoutWranglers(output) {
  return output
    .split('\n')
    .filter((line) => !line.startsWith('[wrangler:info]'))
    .join('\n');
}
