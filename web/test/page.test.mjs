import assert from 'node:assert/strict';
import test from 'node:test';
import { Backoff } from '../src/backoff.js';
import { bestOffset } from '../src/edge-time.js';
import { Follower, isLive } from '../src/live.js';
import { tampered, textWithoutTokens, withoutTokens } from '../src/redact.js';
import { isHeld, isPart, toRow } from '../src/requests.js';
import { linePath, markPath } from '../src/sparkline.js';
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

test('live is near the target that the player has, near or far as that is', () => {
  assert.equal(isLive({ latency: 1.9, target: 0.96 }), true);
  assert.equal(isLive({ latency: 2.1, target: 0.96 }), false);
  assert.equal(isLive({ latency: 8.5, target: 6 }), true, 'a stall of a while is no matter six seconds behind');
  assert.equal(isLive({ latency: 9.5, target: 6 }), false);
  assert.equal(isLive({ latency: 2, target: 6 }), true, 'nearer than it means to be');
});

test('a player that stays behind jumps, less and less often', () => {
  const follower = new Follower();
  const jumps = [];
  for (let now = 0; now <= 60_000; now += 500) {
    if (follower.shouldJump({ latency: 12, target: 6 }, now)) jumps.push(now);
  }
  assert.deepEqual(jumps, [5_000, 15_500, 36_000, 56_500]);
  for (let now = 60_500; now <= 66_000; now += 500) follower.shouldJump({ latency: 6, target: 6 }, now);
  assert.equal(follower.shouldJump({ latency: 12, target: 6 }, 66_500), false);
  assert.equal(follower.shouldJump({ latency: 12, target: 6 }, 71_500), true, 'it had been live in between');
});

test('a player that comes back by itself does not jump, nor one that the viewer paused', () => {
  const follower = new Follower();
  for (let now = 0; now <= 40_000; now += 500) {
    const latency = now % 4_000 ? 12 : 6;
    assert.equal(follower.shouldJump({ latency, target: 6 }, now), false);
  }
  follower.leave();
  for (let now = 40_500; now <= 80_000; now += 500) {
    assert.equal(follower.shouldJump({ latency: 12, target: 6 }, now), false);
  }
  follower.begin();
  assert.equal(follower.shouldJump({ latency: 12, target: 6 }, 80_500), false);
  assert.equal(follower.shouldJump({ latency: 12, target: 6 }, 85_500), true);
});

test('parts and held playlists are told from whole segments and plain reloads', () => {
  const row = (path) => ({ path, status: 200 });
  assert.equal(isPart(row('/t/…/live/demo/video-720p/17-3456.2.m4s')), true);
  assert.equal(isPart(row('/t/…/live/demo/video-720p/17-3456.m4s')), false);
  assert.equal(isHeld(row('/live/demo/video-720p/index.m3u8?_HLS_msn=4&_HLS_part=1')), true);
  assert.equal(isHeld(row('/live/demo/video-720p/index.m3u8')), false);
  assert.equal(isHeld({ ...row('/live/demo/v/index.m3u8?_HLS_msn=4'), status: 503 }), false);
});

test('the mark and the line share one scale', () => {
  const scale = { capacity: 3, floor: 0, minSpan: 1 };
  assert.equal(markPath([2, 2, 2], scale, 2), 'M0 24.0L240 24.0');
  assert.equal(linePath([2, 2, 2], scale, 4), 'M0.0 45.0L120.0 45.0L240.0 45.0');
  assert.equal(markPath([2, 2, 2], scale, 4), 'M0 3.0L240 3.0');
  assert.equal(markPath([2, 2], scale, null), '');
});
