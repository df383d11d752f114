// The live edge by the letter: all that a channel serves for a while is held against checkers that were made from the
// documents alone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkAnnounced, checkMedia, checkPresentation } from './support/hls-rules.mjs';
import { HlsRecording, MpdRecording } from './support/live-recorder.mjs';
import { SMALL_LADDER, startOrigin, untilDeep } from './support/parts.mjs';
import * as paths from './support/paths.mjs';
import { Stage, answers } from './support/processes.mjs';

const RECORDED_MS = 40_000;
const RESTART_MS = 32_000;
/** Longer than a segment, so that one is missing for sure. */
const AWAY_MS = 4_000;
/** Starts our encoder on a channel; it is stopped, or killed, by its process. */
function encode(stage, origin, channel) {
  return stage.start({
    name: `encoder-${channel}`,
    command: paths.encoder(),
    args: ['test', '--push', `${origin}/ingest/${channel}`, '--ladder', SMALL_LADDER],
    ready: () => answers(`${origin}/live/${channel}/index.m3u8`),
  });
}

describe('the live edge', () => {
  const stage = new Stage();
  let origin;

  before(async () => {
    origin = await startOrigin(stage);
    await encode(stage, origin, 'edge');
    await untilDeep(origin, 'edge');
  });
  after(() => stage.close());

  test('breaks no rule of HLS or DASH, in any document or any byte', async (t) => {
    const hls = new HlsRecording(`${origin}/live/edge/index.m3u8`);
    const dash = new MpdRecording(`${origin}/live/edge/manifest.mpd`);
    await Promise.all([hls.follow(RECORDED_MS), dash.follow(RECORDED_MS)]);
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

    assert.deepEqual(findings.broken, [], String(findings));
    assert.deepEqual(dash.findings.broken, [], String(dash.findings));
    for (const { uri } of inTime) {
      const { segments } = figures.get(uri);
      assert.ok(segments >= 15, `${uri}: ${segments} segments were checked`);
    }
    assert.ok(dash.counts.there > 50 && dash.counts.early > 10, 'the availability of segments was tried');
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
    // A part that was hinted when the encoder died never comes.
    const broken = findings.broken.filter(({ rule }) => rule !== 'hint-missed');
    assert.deepEqual(broken, [], String(findings));
    assert.deepEqual(dash.findings.broken, [], String(dash.findings));
  });
});
