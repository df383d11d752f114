import assert from 'node:assert/strict';
import test from 'node:test';
import { Backoff } from '../src/backoff.js';
import { bestOffset } from '../src/edge-time.js';
import { tampered, textWithoutTokens, withoutTokens } from '../src/redact.js';
import { toRow } from '../src/requests.js';
import { linePath } from '../src/sparkline.js';
import { attempts } from '../src/tries.js';

const TOKEN = '0oRDoQEmoQRCazFYPqUEGmkAAABqc2lnbmF0dXJlLi4u';
const HLS = `http://127.0.0.1:8081/live/demo/index.m3u8?CAT=${TOKEN}`;

test('no carrier lets a token reach the page', () => {
  const urls = [
    HLS,
    `http://edge/live/demo/index.m3u8?x=1&cat=${TOKEN}`,
    `http://edge/t/${TOKEN}/live/demo/video-720p/index.m3u8`,
    `http://edge/t/${TOKEN}/live/demo/index.m3u8?CAT=${TOKEN}`,
  ];
  for (const url of urls) {
    assert.doesNotMatch(withoutTokens(url), new RegExp(TOKEN));
    assert.doesNotMatch(textWithoutTokens(`#EXTM3U\n${url}\n`), new RegExp(TOKEN));
  }
  assert.equal(withoutTokens(urls[2]), '/t/…/live/demo/video-720p/index.m3u8');
  assert.equal(withoutTokens(urls[1]), '/live/demo/index.m3u8?x=1&cat=…');
});

test('a tampered token differs in one character and keeps its length', () => {
  const changed = tampered(TOKEN);
  assert.equal(changed.length, TOKEN.length);
  assert.equal([...changed].filter((c, i) => c !== TOKEN[i]).length, 1);
});

test('a row says what the Server-Timing header said', () => {
  const row = toRow(
    {
      name: `http://edge/t/${TOKEN}/live/demo/audio/index.m3u8`,
      startTime: 12,
      duration: 3.5,
      encodedBodySize: 900,
      responseStatus: 200,
      serverTiming: [
        { name: 'route', description: 'media-playlist' },
        { name: 'token', description: 'path' },
        { name: 'kid', description: 'demo' },
        { name: 'origin', description: '200' },
      ],
    },
    1_000,
  );
  assert.deepEqual(row, {
    at: 1_012,
    path: '/t/…/live/demo/audio/index.m3u8',
    route: 'media-playlist',
    carrier: 'path',
    kid: 'demo',
    origin: '200',
    status: 200,
    duration: 3.5,
    bytes: 900,
  });
});

test('the fastest answer decides the offset', () => {
  const best = bestOffset([
    { sent: 0, received: 100, edge: 550, step: 0 },
    { sent: 200, received: 204, edge: 702, step: 0 },
  ]);
  assert.deepEqual(best, { offset: 500, uncertainty: 2 });
  assert.equal(bestOffset([]), null);
});

test('each attempt differs from the good request in one thing', () => {
  const list = attempts({ hls: HLS, channel: 'demo' });
  assert.deepEqual(
    list.map(({ id }) => id),
    ['missing', 'tampered', 'scope'],
  );
  assert.equal(new URL(list[0].url).search, '');
  assert.equal(new URL(list[2].url).pathname, '/live/another-channel/index.m3u8');
  assert.equal(new URL(list[2].url).searchParams.get('CAT'), TOKEN);
  const expired = attempts({ hls: HLS, channel: 'demo', expired: 'http://edge/x?CAT=y' });
  assert.equal(expired[1].id, 'expired');
});

test('a flat line is drawn in the middle, not at an edge', () => {
  const path = linePath([4, 4, 4], { capacity: 3, floor: 0, minSpan: 1 });
  assert.equal(path, 'M0.0 24.0L120.0 24.0L240.0 24.0');
  assert.equal(linePath([4], { capacity: 3, floor: 0, minSpan: 1 }), '');
});

test('waits double up to half a minute, and begin anew after a success', () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 7 }, () => backoff.next());
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.reset();
  assert.equal(backoff.next(), 1_000);
});
