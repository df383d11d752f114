import assert from 'node:assert/strict';
import test from 'node:test';
import { CARRIERS } from '../src/player.js';
import {
  TOKEN_NAME,
  TokenInCookie,
  TokenInHeader,
  carryInDash,
  carryInShaka,
  hlsCarrying,
} from '../src/token.js';

const EDGE = 'https://edge.example:8443';
const DOCUMENT = `${EDGE}/live/news/index.m3u8`;
const SEGMENT = `${EDGE}/live/news/video/1.m4s`;
const ELSEWHERE = 'https://ads.example/spot.mp4';

test('each request carries the token that the answers before it brought', () => {
  const carrier = new TokenInHeader('first', [DOCUMENT]);
  const sending = carrier.send(SEGMENT);
  assert.equal(sending.token, 'first');
  sending.answered(null);
  assert.equal(carrier.send(SEGMENT).token, 'first');
  sending.answered('second');
  assert.equal(carrier.send(SEGMENT).token, 'second');
});

test('an answer that was long under way does not bring back an older token', () => {
  const carrier = new TokenInHeader('first', [EDGE]);
  const [slow, quick] = [carrier.send(SEGMENT), carrier.send(SEGMENT)];
  quick.answered('newer');
  slow.answered('older');
  assert.equal(carrier.token, 'newer');
});

test('nobody but the edge gets the token, or cookies', () => {
  for (const carrier of [new TokenInHeader('secret', [EDGE]), new TokenInCookie([EDGE])]) {
    assert.equal(carrier.send(ELSEWHERE), null);
    assert.equal(carrier.send('https://edge.example/live/news/index.m3u8'), null, 'another port');
    assert.notEqual(carrier.send(SEGMENT), null);
  }
});

test('of a URL that was handed out, the header takes the token and leaves the rest', () => {
  const { url, carrier } = CARRIERS.header(`${DOCUMENT}?a=1&CAT=secret`);
  assert.equal(url, `${DOCUMENT}?a=1`);
  assert.equal(carrier.send(url).token, 'secret');
  assert.deepEqual(CARRIERS.url(DOCUMENT), { url: DOCUMENT, carrier: null });
});

/** What of XMLHttpRequest a hook of hls.js touches. */
class Xhr extends EventTarget {
  static UNSENT = 0;
  static HEADERS_RECEIVED = 2;
  readyState = 0;
  withCredentials = false;
  sent = {};
  open(method, url) {
    this.opened = `${method} ${url}`;
    this.readyState = 1;
  }
  setRequestHeader(name, value) {
    this.sent[name] = value;
  }
  getResponseHeader(name) {
    return this.received[name] ?? null;
  }
  answer(headers) {
    this.received = headers;
    this.readyState = 2;
    this.dispatchEvent(new Event('readystatechange'));
  }
}

test('hls.js sends the token and takes up the new one', (t) => {
  globalThis.XMLHttpRequest = Xhr;
  t.after(() => delete globalThis.XMLHttpRequest);
  const carrier = new TokenInHeader('first', [EDGE]);
  const { xhrSetup } = hlsCarrying(carrier);
  const xhr = new Xhr();
  xhrSetup(xhr, SEGMENT);
  assert.deepEqual([xhr.opened, xhr.sent], [`GET ${SEGMENT}`, { [TOKEN_NAME]: 'first' }]);
  xhr.answer({ [TOKEN_NAME]: 'second' });
  assert.equal(carrier.token, 'second');

  const foreign = new Xhr();
  xhrSetup(foreign, ELSEWHERE);
  assert.deepEqual([foreign.opened, foreign.sent], [undefined, {}]);

  const cookie = new Xhr();
  hlsCarrying(new TokenInCookie([EDGE])).xhrSetup(cookie, SEGMENT);
  assert.deepEqual([cookie.withCredentials, cookie.sent], [true, {}]);
});

test('dash.js sends the token and takes up the new one', async () => {
  const carrier = new TokenInHeader('first', [EDGE]);
  let [ask, answer] = [];
  const player = {
    addRequestInterceptor: (one) => (ask = one),
    addResponseInterceptor: (one) => (answer = one),
  };
  carryInDash(player, carrier);
  const request = await ask({ url: SEGMENT, headers: { Range: 'bytes=0-1' }, credentials: 'omit' });
  assert.deepEqual(request.headers, { Range: 'bytes=0-1', [TOKEN_NAME]: 'first' });
  await answer({ request, headers: { [TOKEN_NAME]: 'second' } });
  assert.equal(carrier.token, 'second');
  await answer({ request, headers: null });

  const foreign = await ask({ url: ELSEWHERE, headers: {}, credentials: 'omit' });
  assert.deepEqual(foreign.headers, {});
  await answer({ request: foreign, headers: { [TOKEN_NAME]: 'stranger' } });
  assert.equal(carrier.token, 'second');

  carryInDash(player, new TokenInCookie([EDGE]));
  assert.equal((await ask({ url: SEGMENT, headers: {} })).credentials, 'include');
});

test('Shaka sends the token and takes up the new one', () => {
  const carrier = new TokenInHeader('first', [EDGE]);
  let [ask, answer] = [];
  const network = {
    registerRequestFilter: (one) => (ask = one),
    registerResponseFilter: (one) => (answer = one),
  };
  carryInShaka({ getNetworkingEngine: () => network }, carrier);
  const request = { uris: [SEGMENT], headers: {}, allowCrossSiteCredentials: true };
  ask(0, request);
  assert.deepEqual(request.headers, { [TOKEN_NAME]: 'first' });
  assert.equal(request.allowCrossSiteCredentials, false);
  answer(0, { originalRequest: request, headers: { [TOKEN_NAME]: 'second' } });
  assert.equal(carrier.token, 'second');

  const foreign = { uris: [SEGMENT, ELSEWHERE], headers: {} };
  ask(0, foreign);
  answer(0, { originalRequest: foreign, headers: { [TOKEN_NAME]: 'stranger' } });
  assert.deepEqual([foreign.headers, carrier.token], [{}, 'second']);

  carryInShaka({ getNetworkingEngine: () => network }, new TokenInCookie([EDGE]));
  ask(0, request);
  assert.equal(request.allowCrossSiteCredentials, true);
});
