// The live edge by the letter: all that a channel serves for a while is held against checkers that were made from the
// documents alone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { checkAnnounced, checkMedia, checkPresentation } from './support/hls-rules.mjs';
import { HlsRecording, MpdRecording } from './support/live-recorder.mjs';
import { startEncoder, startOrigin } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';

const RECORDED_MS = 40_000;

describe('the live edge', () => {
  const stage = new Stage();
  let origin;

  before(async () => {
    origin = await startOrigin(stage);
    await startEncoder(stage, origin, 'edge');
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
