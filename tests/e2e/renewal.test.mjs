// hls.js, dash.js and Shaka play the live channel through each edge (natively, in workerd and in Fastly's local
// runtime) with a token of eight seconds in each carrier, and go on past the ends of it and of those after it.
// Each edge meets each carrier and each player, and each player each carrier; `make soak` plays all three together.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CARRIERS, PLAYERS, entry, openCarrying, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge, startEncoder, startOrigin } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';
import { assertContent, watch } from './support/watching.mjs';
import { Wire } from './support/wire.mjs';

const CHANNEL = 'demo';
const TOKEN_SECONDS = 8;
const EXPIRIES = 3;
/**
 * How the edge is to renew, for carriers that bring each new token; those in a URL are exchanged for a session's at
 * once, and never again. Half way through a token's life, so that no request under way meets its end.
 */
const RENEWAL = { header: 'header', cookie: 'cookie' };
const [QUERY, PATH, HEADER, COOKIE] = CARRIERS;
/** For each edge, the carriers of hls.js, dash.js and Shaka, who play at once, and of those who play after them. */
const GROUPS = {
  native: [
    [QUERY, PATH, HEADER],
    [COOKIE, HEADER, QUERY],
  ],
  workerd: [
    [PATH, COOKIE, QUERY],
    [HEADER, QUERY, PATH],
  ],
  viceroy: [
    [HEADER, QUERY, COOKIE],
    [QUERY, PATH, PATH],
  ],
};
/** For how long each group is watched, beside some seconds in which its players settle. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? EXPIRIES * TOKEN_SECONDS + 1);

/** The groups of an edge: what is watched for long has each carrier in each player. */
function groupsOf(kind) {
  return process.env.SOAK_SECONDS ? CARRIERS.map((carrier) => PLAYERS.map(() => carrier)) : GROUPS[kind];
}

describe('the live channel plays past the ends of its tokens', () => {
  const stage = new Stage();
  let keys;
  let origin;
  let site;
  let browser;

  before(async () => {
    keys = new Keys(temporaryFolder(stage), 'e2e', { sessions: true });
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, CHANNEL);
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  function mint(carrier) {
    const type = RENEWAL[carrier];
    const renewal = type ? ['--renew', type] : ['--renew', 'automatic'];
    const times = ['--renew-add', `${TOKEN_SECONDS}s`, '--renew-before', `${TOKEN_SECONDS / 2}s`];
    return keys.mint(`/live/${CHANNEL}/`, `${TOKEN_SECONDS}s`, [...renewal, ...times]);
  }

  // Three players at once is what two cores decode beside an encoder without dropping frames.
  for (const kind of EDGES) {
    describe(`through the edge ${kind}`, () => {
      let edge;
      before(async () => {
        edge = await startEdge(kind, stage, origin, keys, { cors_origins: [site] });
      });
      after(() => edge?.part.stop());

      for (const carriers of groupsOf(kind)) {
        const plays = PLAYERS.map((player, i) => ({ player, carrier: carriers[i] }));
        const said = plays.map(({ player, carrier }) => `in the ${carrier} in ${player}`).join(', ');
        test(`with the token ${said}, for ${SECONDS} s`, async (t) => {
          const shows = await Promise.all(
            plays.map(async ({ player, carrier }) => {
              const [token, wire] = [mint(carrier), new Wire(edge.url)];
              const viewing = { player, edge: edge.url, channel: CHANNEL, token, carrier };
              const mintedAt = performance.now();
              const page = await openCarrying(browser, site, viewing, (page) => wire.watch(page));
              return { name: `${kind}-${carrier}-${player}`, carrier, page, token, wire, mintedAt };
            }),
          );
          try {
            const figures = await watch(shows, SECONDS);
            const wires = await Promise.all(shows.map(({ wire }) => wire.read()));
            for (const [i, { name }] of shows.entries()) {
              const tokens = wires[i].tokens.length;
              t.diagnostic(`${name} ${JSON.stringify({ ...figures[name], tokens })}`);
            }
            for (const [i, show] of shows.entries()) {
              const { name, carrier, mintedAt } = show;
              assertContent(name, figures[name]);
              assert.deepEqual(wires[i].refused, [], `${name}: no request is refused`);
              const age = (performance.now() - mintedAt) / 1_000;
              assert.ok(age > EXPIRIES * TOKEN_SECONDS, `${name}: ${age} s since its token began`);
              await assertPassed(edge.url, carrier, show, wires[i]);
            }
          } finally {
            await Promise.all(shows.map(({ page }) => page.close()));
          }
        });
      }

      test('by a redirect, where the issuer asks for one', async () => {
        // Due at once, and then not for a while: a redirect must not lead to another.
        const renewal = ['--renew', 'redirect', '--renew-add', '60s', '--renew-before', '40s'];
        for (const carrier of ['query', 'path']) {
          const token = keys.mint(`/live/${CHANNEL}/`, '30s', renewal);
          const url = entry('hls', edge.url, CHANNEL, token, carrier);
          const redirect = await fetch(url, { redirect: 'manual' });
          assert.ok([302, 307].includes(redirect.status), `${carrier}: ${redirect.status}`);
          const onward = new URL(redirect.headers.get('location'), url);
          assert.equal(onward.origin, edge.url);
          assert.ok(!onward.href.includes(token), `${carrier}: with another token`);
          const answer = await fetch(onward, { redirect: 'manual' });
          assert.equal(answer.status, 200, `${carrier}: ${await answer.text()}`);
        }
      });
    });
  }
});

/** What was on the wire shows that tokens ended under the player, and how it went on. */
async function assertPassed(edge, carrier, { name, token }, { tokens, mediaTokens }) {
  assert.equal(tokens[0], token, `${name}: it began with the token that it was given`);
  const ended = [];
  for (const one of tokens) if (await isExpired(edge, one)) ended.push(one);
  assert.ok(ended.includes(token), `${name}: the first token is refused by now`);
  if (RENEWAL[carrier]) {
    const said = `${name}: ${ended.length} of ${tokens.length} tokens have expired`;
    assert.ok(ended.length >= EXPIRIES, said);
    assert.ok(ended.length < tokens.length, said);
  } else {
    assert.equal(mediaTokens.length, 1, `${name}: one session from the first segment to the last`);
    assert.notEqual(mediaTokens[0], token, `${name}: with a token of its own`);
    assert.deepEqual(tokens, [token, ...mediaTokens], `${name}: and with no third`);
    assert.ok(!ended.includes(mediaTokens[0]), `${name}: that goes on`);
  }
}

async function isExpired(edge, token) {
  const url = `${edge}/live/${CHANNEL}/index.m3u8`;
  const response = await fetch(url, { headers: { 'CTA-Common-Access-Token': token } });
  const text = await response.text();
  if (response.status === 200) return false;
  assert.equal(response.status, 401, text);
  assert.equal(JSON.parse(text).type, 'urn:selvedge:error:token-expired');
  return true;
}
