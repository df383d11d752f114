// Bodies stream: an edge's memory stays flat while half a gigabyte passes through it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { digest, startEndlessOrigin } from './support/endless-origin.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { EDGES, startEdge } from './support/parts.mjs';
import { Stage } from './support/processes.mjs';

const MB = 1_000_000;
const BYTES = 500 * MB;
const WARM_UP_BYTES = 40 * MB;
/** What buffers, connections and a garbage collector's slack may add. */
const MAX_GROWTH = 64 * MB;
const SAMPLE_EVERY_MS = 100;

describe(`${BYTES / MB} MB pass and memory stays flat`, () => {
  const stage = new Stage();
  let keys;
  let origin;
  let expected;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startEndlessOrigin(stage);
    expected = digest(BYTES);
  });
  after(() => stage.close());

  async function download(edge, token, bytes) {
    const response = await fetch(`${edge}/t/${token}/live/big/video/0-${bytes}.m4s`);
    assert.equal(response.status, 200);
    const hash = createHash('sha256');
    let count = 0;
    for await (const chunk of response.body) {
      hash.update(chunk);
      count += chunk.length;
    }
    return { count, hash: hash.digest('hex') };
  }

  for (const kind of EDGES) {
    test(`through the edge ${kind}`, async (t) => {
      const { url, part } = await startEdge(kind, stage, origin, keys);
      const token = keys.mint('/live/big/');
      await download(url, token, WARM_UP_BYTES);

      const before = part.residentBytes();
      let peak = before;
      const sampling = setInterval(() => {
        peak = Math.max(peak, part.residentBytes());
      }, SAMPLE_EVERY_MS);
      const started = performance.now();
      const { count, hash } = await download(url, token, BYTES).finally(() =>
        clearInterval(sampling),
      );
      const seconds = (performance.now() - started) / 1_000;

      const growth = peak - before;
      t.diagnostic(
        `${kind}: ${(before / MB).toFixed(0)} MB before, ${(growth / MB).toFixed(1)} MB more at ` +
          `the peak, ${(BYTES / MB / seconds).toFixed(0)} MB/s`,
      );
      assert.equal(count, BYTES);
      assert.equal(hash, expected);
      assert.ok(growth < MAX_GROWTH, `grew by ${(growth / MB).toFixed(1)} MB`);
      await part.stop();
    });
  }
});
