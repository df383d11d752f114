// The live edge by the letter: all that a channel serves for a while is held against checkers that were made from the
// documents alone, and each rule of blocking requests is tried.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkAnnounced, checkMedia, checkMediaPlaylist, checkPresentation } from './support/hls-rules.mjs';
import { HlsRecording, MpdRecording, get, nextOf, textOf } from './support/live-recorder.mjs';
import { checkMpd, patchUrl } from './support/mpd-rules.mjs';
import { SMALL_LADDER, startOrigin, untilDeep } from './support/parts.mjs';
import * as paths from './support/paths.mjs';
import { Stage, answers, until } from './support/processes.mjs';

const RECORDED_MS = 40_000;
const RESTART_MS = 32_000;
/** Longer than a segment, so that one is missing for sure. */
const AWAY_MS = 4_000;
/** What is answered at once is answered within this, on a busy machine. */
const AT_ONCE_MS = 1_000;

/** What a document would rather have otherwise, and what it is here. */
const TOLERATED = new Set([
  // Whoever plays a media playlist without the multivariant one has to know it as well.
  'said-twice',
  // An encoder that shares two cores with everything else skips time, and so does the end of one that is killed.
  'absence-unsaid',
  'media-absent',
  'hint-missed',
]);

/** The broken rules that nothing excuses. */
const inexcusable = ({ broken }, ...more) => broken.filter(({ rule }) => !TOLERATED.has(rule) && !more.includes(rule));

/** Starts our encoder on a channel; it is stopped, or killed, by its process. */
function encode(stage, origin, channel) {
  return stage.start({
    name: `encoder-${channel}`,
    command: paths.encoder(),
    args: ['test', '--push', `${origin}/ingest/${channel}`, '--ladder', SMALL_LADDER],
    ready: () => answers(`${origin}/live/${channel}/index.m3u8`),
  });
}

/** One rendition's playlist, asked for with directives or without. */
class Playlist {
  constructor(url) {
    this.url = url;
  }

  async ask(query = '', headers = {}) {
    const answer = await get(query ? `${this.url}?${query}` : this.url, { headers });
    const text = answer.status === 200 ? textOf(answer) : '';
    const { playlist, findings } = checkMediaPlaylist(text || '#EXTM3U\n');
    if (text) assert.deepEqual(inexcusable(findings), [], `${this.url}?${query}\n${findings}\n${text}`);
    return { ...answer, text, playlist, ms: answer.at - answer.asked };
  }

  /** The playlist just when its edge has moved, so that there is time until it moves again. */
  async fresh() {
    const { playlist } = await this.ask();
    return this.ask(nextOf(playlist));
  }

  resolve(uri) {
    return new URL(uri, this.url).href;
  }
}

const firstVideo = (origin, channel) => async () => {
  const multivariant = textOf(await get(`${origin}/live/${channel}/index.m3u8`));
  const uri = multivariant.split('\n').find((line) => line !== '' && !line.startsWith('#'));
  return new Playlist(`${origin}/live/${channel}/${uri}`);
};

describe('the live edge', () => {
  const stage = new Stage();
  let origin;
  let encoder;
  /** @type {Playlist} */
  let video;
  let mpdUrl;

  before(async () => {
    origin = await startOrigin(stage);
    encoder = await encode(stage, origin, 'edge');
    await untilDeep(origin, 'edge');
    video = await firstVideo(origin, 'edge')();
    mpdUrl = `${origin}/live/edge/manifest.mpd`;
  });
  after(() => stage.close());

  test('breaks no rule of HLS or DASH, in any document or any byte', async (t) => {
    const hls = new HlsRecording(`${origin}/live/edge/index.m3u8`);
    const dash = new MpdRecording(mpdUrl);
    await Promise.all([hls.follow(RECORDED_MS, { lowLatency: true }), dash.follow(RECORDED_MS, { lowLatency: true })]);
    const { findings, histories } = hls;
    const inTime = [...histories.values()].filter(({ uri }) => hls.multivariant.uris.includes(uri));
    await hls.checkOwed();
    checkPresentation([...histories.values()], findings, { multivariant: hls.multivariant });
    const figures = new Map();
    for (const [uri, history] of histories) {
      const fetch = (one) => hls.fetch(one, hls.urlOf(uri));
      const independent = hls.multivariant.independentSegments;
      figures.set(uri, await checkMedia(history, { fetch, findings, independent }));
      const { segments, parts } = figures.get(uri);
      t.diagnostic(`${uri}: ${segments} segments, ${parts} parts, edge ${JSON.stringify(history.cadence())}`);
    }
    checkAnnounced(hls.multivariant, figures, findings);
    t.diagnostic(`HLS ${JSON.stringify(hls.counts)}, DASH ${JSON.stringify(dash.counts)}`);

    assert.deepEqual(inexcusable(findings), [], String(findings));
    assert.deepEqual(inexcusable(dash.findings, 'segment-cut'), [], String(dash.findings));
    for (const { uri } of inTime) {
      const { segments, parts } = figures.get(uri);
      assert.ok(segments >= 15 && parts >= 40, `${uri}: ${segments} segments and ${parts} parts were checked`);
    }
    assert.equal(hls.counts.unavailable, 0);
    assert.ok(hls.counts.owed > 0, 'what had left the playlists was fetched');
    assert.ok(hls.counts.compared > 0, 'delta updates were compared with full playlists');
    assert.ok(dash.counts.compared > 0, 'patches were compared with whole MPDs');
    assert.ok(dash.counts.there > 50 && dash.counts.early > 10, 'the availability of segments was tried');
  });

  describe('answers a blocking request', () => {
    test('with 400 where it makes no sense', async () => {
      const wrong = ['_HLS_part=0', '_HLS_msn=x', '_HLS_msn=-1', '_HLS_msn=1.5', '_HLS_msn=', '_HLS_msn=1&_HLS_part=x'];
      for (const query of wrong) {
        const { status, headers, ms } = await video.ask(query);
        assert.equal(status, 400, query);
        assert.ok(ms < AT_ONCE_MS, `${query}: after ${ms} ms`);
        assert.match(headers['cache-control'] ?? '', /no-store/, query);
      }
    });

    test('with 400 at once where it is too far ahead', async () => {
      const { playlist } = await video.fresh();
      const { nextSequence, edge, partTarget } = playlist;
      const limit = Math.ceil(3 / partTarget);
      for (const query of [
        `_HLS_msn=${nextSequence + 3}`,
        `_HLS_msn=${nextSequence + 3}&_HLS_part=0`,
        `_HLS_msn=${nextSequence}&_HLS_part=${(edge.part ?? 0) + limit + 2}`,
      ]) {
        const { status, ms } = await video.ask(query);
        assert.equal(status, 400, query);
        assert.ok(ms < AT_ONCE_MS, `${query}: after ${ms} ms`);
      }
    });

    test('with the current playlist where it is older than the window', async () => {
      const before = await video.fresh();
      for (const query of ['_HLS_msn=0', '_HLS_msn=0&_HLS_part=3', `_HLS_msn=${before.playlist.mediaSequence - 1}`]) {
        const { status, ms, playlist } = await video.ask(query);
        assert.equal(status, 200, query);
        assert.ok(ms < AT_ONCE_MS, `${query}: after ${ms} ms`);
        assert.ok(playlist.nextSequence >= before.playlist.nextSequence, query);
      }
    });

    test('for what is there already at once', async () => {
      const { playlist } = await video.fresh();
      const last = playlist.segments.at(-1);
      for (const query of [`_HLS_msn=${last.sequence}`, `_HLS_msn=${last.sequence}&_HLS_part=0`]) {
        const { status, ms } = await video.ask(query);
        assert.equal(status, 200, query);
        assert.ok(ms < AT_ONCE_MS, `${query}: after ${ms} ms`);
      }
    });

    test('for the next part when it is there, and with it in the playlist', async () => {
      for (let turn = 0; turn < 8; turn += 1) {
        const { playlist } = await video.fresh();
        const hinted = playlist.partHint.uri;
        const { status, playlist: next } = await video.ask(nextOf(playlist));
        assert.equal(status, 200);
        const listed = next.all.flatMap(({ parts }) => parts.map(({ uri }) => uri));
        assert.ok(listed.includes(hinted), `${hinted} was hinted; ${listed.slice(-3)}`);
      }
    });

    test('for a part behind the last of a segment with the first of the next', async () => {
      const { playlist } = await until('an open segment', async () => {
        const answer = await video.fresh();
        return answer.playlist.open?.parts.length ? answer : null;
      });
      const count = Math.max(...playlist.segments.map(({ parts }) => parts.length));
      const { sequence } = playlist.open;
      const closed = await video.ask(`_HLS_msn=${sequence - 1}&_HLS_part=${count}`);
      assert.equal(closed.status, 200);
      assert.ok(closed.ms < AT_ONCE_MS, `after ${closed.ms} ms`);
      const { status, playlist: next } = await video.ask(`_HLS_msn=${sequence}&_HLS_part=${count}`);
      assert.equal(status, 200);
      assert.ok(next.nextSequence > sequence, 'the segment is complete');
      const following = next.all.find((segment) => segment.sequence === sequence + 1);
      assert.ok(following?.parts.length, `the first part of segment ${sequence + 1} is there`);
    });

    test('for a number alone when the segment is complete', async () => {
      const { playlist } = await video.fresh();
      const { status, playlist: next } = await video.ask(`_HLS_msn=${playlist.nextSequence}`);
      assert.equal(status, 200);
      assert.equal(next.segments.at(-1).sequence, playlist.nextSequence, 'it is the last that is complete');
    });

    test('of many with the same bytes', async () => {
      const { playlist } = await video.fresh();
      const all = await Promise.all(Array.from({ length: 40 }, () => video.ask(nextOf(playlist))));
      const edges = new Set(all.map(({ playlist: { edge, nextSequence } }) => JSON.stringify([edge, nextSequence])));
      // On a slow machine some ask when there is one part more.
      assert.equal(new Set(all.map(({ text }) => text)).size, edges.size, 'one playlist for all who see the same edge');
    });

    test('cacheably, and errors not', async () => {
      const { playlist, headers } = await video.fresh();
      assert.match(headers['cache-control'], /max-age=[1-9]/);
      assert.doesNotMatch(headers['cache-control'], /no-store/);
      const early = await get(video.resolve('not-there-yet.m4s'));
      assert.equal(early.status, 404);
      assert.match(early.headers['cache-control'] ?? '', /no-store/);
      const part = await get(video.resolve(playlist.segments.at(-1).parts[0].uri));
      assert.match(part.headers['cache-control'], /max-age=\d{4,}/);
    });
  });

  test('a delta update leaves out what lies behind the skip boundary, and nothing else', async () => {
    const { playlist } = await video.fresh();
    const boundary = playlist.controlSeconds('CAN-SKIP-UNTIL');
    for (const [kind, version] of [
      ['YES', 9],
      ['v2', playlist.control('CAN-SKIP-DATERANGES') ? 10 : 9],
    ]) {
      const { status, playlist: delta } = await video.ask(`_HLS_skip=${kind}`);
      assert.equal(status, 200);
      assert.ok(delta.skip, `_HLS_skip=${kind}`);
      assert.equal(delta.version, version);
      assert.ok(delta.listed >= boundary, `${delta.listed} s are left of ${boundary} s`);
      assert.ok(delta.listed < boundary + 3 * delta.targetDuration, `${delta.listed} s are left of ${boundary} s`);
    }
  });

  test('playlists and MPDs are packed for who can unpack them', async () => {
    for (const url of [video.url, mpdUrl, `${origin}/live/edge/index.m3u8`]) {
      const plain = await get(url);
      const packed = await get(url, { headers: { 'accept-encoding': 'gzip' } });
      assert.equal(plain.headers['content-encoding'], undefined, url);
      assert.equal(packed.headers['content-encoding'], 'gzip', url);
      assert.match(packed.headers.vary ?? '', /accept-encoding/i, url);
      assert.ok(packed.body.length < textOf(packed).length, url);
    }
  });

  test('a hinted part is sent to who has asked for it before, and is the part that is listed then', async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      const { playlist } = await video.fresh();
      const uri = playlist.partHint.uri;
      const hinted = await get(video.resolve(uri));
      assert.equal(hinted.status, 200);
      assert.equal(hinted.complete, true);
      const { playlist: next } = await video.ask(nextOf(playlist));
      assert.ok(next.all.some(({ parts }) => parts.some((part) => part.uri === uri)));
      assert.deepEqual((await get(video.resolve(uri))).body, hinted.body);
    }
  });

  test('a segment that is still coming is sent as it comes', async (t) => {
    const { presentation } = checkMpd(textOf(await get(mpdUrl)));
    assert.ok(patchUrl(presentation.root, mpdUrl));
    const track = presentation.tracks.find(({ contentType }) => contentType === 'video');
    // An encoder that is late on a slow machine has not begun what the MPD expects of it: the next one will do.
    const { open, answer } = await until('a segment that is not complete is sent', async () => {
      const { presentation: now } = checkMpd(textOf(await get(mpdUrl)));
      const same = now.tracks.find(({ id }) => id === track.id);
      // The one after it may be listed as well, before it can be had.
      const last = same.segments(Date.now()).findLast(({ availableMs }) => availableMs <= Date.now());
      const endMs = last.startMs + (last.duration / same.timescale) * 1_000;
      if (endMs - Date.now() < 800) return null;
      const sent = await get(new URL(last.url, mpdUrl).href);
      return sent.status === 200 && sent.complete ? { open: last, answer: sent } : null;
    });
    assert.equal(answer.headers['content-length'], undefined);
    assert.equal(answer.headers['transfer-encoding'], 'chunked');
    const spread = answer.pieces.at(-1).at - answer.pieces[0].at;
    t.diagnostic(`${answer.pieces.length} pieces over ${spread.toFixed(0)} ms`);
    assert.ok(spread > 300, `its bytes came over ${spread} ms`);
    const again = await get(new URL(open.url, mpdUrl).href);
    assert.deepEqual(again.body, answer.body, 'later it is the same');
  });

  test('a request that nothing can satisfy ends with 503', async () => {
    const killed = await encode(stage, origin, 'killed');
    await untilDeep(origin, 'killed');
    const list = await firstVideo(origin, 'killed')();
    process.kill(-killed.pid, 'SIGKILL');
    await killed.exited;
    await sleep(1_000);
    const { playlist } = await list.ask();
    const { status, headers, ms } = await list.ask(nextOf(playlist));
    assert.equal(status, 503);
    assert.match(headers['cache-control'] ?? '', /no-store/);
    const due = 3 * playlist.targetDuration * 1_000;
    assert.ok(ms > due - 200 && ms < due + 3_000, `after ${ms} ms, ${due} ms are due`);
  });

  test('a channel that has ended waits for nothing', async () => {
    const before = await video.fresh();
    await encoder.stop();
    const ended = await until('the end of the channel', async () => {
      const answer = await video.ask();
      return answer.playlist.ended ? answer : null;
    });
    assert.equal(ended.playlist.control('CAN-BLOCK-RELOAD'), null);
    assert.ok(ended.playlist.nextSequence >= before.playlist.nextSequence);
    for (const query of ['_HLS_msn=999999999999', '_HLS_msn=999999999999&_HLS_part=1', '_HLS_skip=YES']) {
      const { status, ms, text } = await video.ask(query);
      assert.equal(status, 200, query);
      assert.ok(ms < AT_ONCE_MS, query);
      assert.equal(text, ended.text, query);
    }
    const { findings, presentation } = checkMpd(textOf(await get(mpdUrl)));
    assert.deepEqual(findings.broken, [], String(findings));
    assert.equal(presentation.type, 'static');
  });
});

describe('an encoder that dies and comes back', () => {
  const stage = new Stage('restart');
  after(() => stage.close());

  test('breaks no rule in any rendition', async (t) => {
    const origin = await startOrigin(stage);
    const killed = await encode(stage, origin, 'again');
    await untilDeep(origin, 'again');
    const hls = new HlsRecording(`${origin}/live/again/index.m3u8`);
    const dash = new MpdRecording(`${origin}/live/again/manifest.mpd`);
    const recording = Promise.all([hls.follow(RESTART_MS), dash.follow(RESTART_MS)]);
    await sleep(RESTART_MS / 4);
    process.kill(-killed.pid, 'SIGKILL');
    await killed.exited;
    await sleep(AWAY_MS);
    await encode(stage, origin, 'again');
    await recording;

    const { findings, histories } = hls;
    checkPresentation([...histories.values()], findings, { multivariant: hls.multivariant });
    for (const [uri, history] of histories) {
      const fetch = (one) => hls.fetch(one, hls.urlOf(uri));
      await checkMedia(history, { fetch, findings, independent: hls.multivariant.independentSegments });
      const all = [...history.segments.values()];
      const gaps = all.filter(({ gap }) => gap).length;
      const timelines = new Set(all.map(({ discontinuitySequence }) => discontinuitySequence)).size;
      t.diagnostic(`${uri}: ${all.length} segments, ${gaps} gaps, ${timelines} timelines`);
      assert.ok(gaps > 0 || timelines > 1, `${uri}: the absence shows`);
    }
    t.diagnostic(`HLS ${JSON.stringify(hls.counts)}, DASH ${JSON.stringify(dash.counts)}`);
    assert.deepEqual(inexcusable(findings), [], String(findings));
    // An MPD's timeline promises the segment on air and the next, and their length: a death breaks that.
    const promised = ['segment-cut', 'segment-withdrawn', 'edge-fell', 'available-missing'];
    assert.deepEqual(inexcusable(dash.findings, ...promised), [], String(dash.findings));
  });
});
