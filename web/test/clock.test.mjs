import assert from 'node:assert/strict';
import test from 'node:test';
import { BLOCKS, decodeClock } from '../src/clock.js';

/** The strip as the encoder draws it, in full-range luma. */
function strip(ms, black = 0, white = 255) {
  const bits = [1, 0];
  let ones = 0;
  for (let i = 43; i >= 0; i -= 1) {
    const bit = Math.floor(ms / 2 ** i) % 2;
    ones += bit;
    bits.push(bit);
  }
  bits.push(ones % 2, 1);
  return bits.map((bit) => (bit ? white : black));
}

test('every bit of 44 survives the strip', () => {
  for (const ms of [0, 1, 1_721_482_856_120, 1_795_262_400_000, 2 ** 44 - 1]) {
    assert.equal(decodeClock(strip(ms)), ms);
  }
});

test('a washed-out strip is read as long as black and white are apart', () => {
  assert.equal(decodeClock(strip(1_795_262_400_123, 60, 180)), 1_795_262_400_123);
  assert.equal(decodeClock(strip(1_795_262_400_123, 100, 150)), null);
});

test('one flipped bit anywhere is noticed', () => {
  for (let at = 0; at < BLOCKS; at += 1) {
    const luma = strip(1_795_262_400_123);
    luma[at] = 255 - luma[at];
    assert.equal(decodeClock(luma), null, `block ${at}`);
  }
});

test('a picture without a strip has no clock', () => {
  assert.equal(decodeClock(new Array(BLOCKS).fill(128)), null);
  assert.equal(decodeClock(new Array(BLOCKS).fill(255)), null);
  assert.equal(decodeClock([]), null);
});
