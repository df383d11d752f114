import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Runs } from '../../tests/e2e/runs.js';

const seen = (...clocks) => {
  const runs = new Runs();
  clocks.forEach((clock, i) => runs.note(clock, i * 40));
  return runs.list.map(({ first, last, frames }) => [first, last, frames]);
};

test('a run ends where the clock jumps, goes back, or is gone', () => {
  assert.deepEqual(seen(1_000, 1_040, 5_000, 5_040), [[1_000, 1_040, 2], [5_000, 5_040, 2]]);
  assert.deepEqual(seen(1_000, 1_040, 960, 1_000), [[1_000, 1_040, 2], [960, 1_000, 2]]);
  const ad = Array.from({ length: 5 }, () => null);
  assert.deepEqual(seen(1_000, ...ad, 1_040), [[1_000, 1_000, 1], [null, null, 5], [1_040, 1_040, 1]]);
});

test('a frame that was misread ends nothing, and one that was skipped is told of', () => {
  assert.deepEqual(seen(1_000, null, null, 1_120), [[1_000, 1_120, 2]]);
  const runs = new Runs();
  for (const clock of [1_000, 1_040, 1_200]) runs.note(clock, clock);
  assert.equal(runs.list[0].widest, 160);
});
