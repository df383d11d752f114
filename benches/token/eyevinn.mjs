// The package `@eyevinn/cat`, told to read COSE as the standard has it; run beside the other parts of the table.
//
// node eyevinn.mjs <HS256 token> <ES256 token>: prints lines like those of the program beside it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { CAT } = require('@eyevinn/cat');
// Its ES256 is not in what it exports; the way there is the one its own tests take.
const { CommonAccessTokenFactory } = require('@eyevinn/cat/lib/cat.js');
const { createPublicKey, createPrivateKey } = require('node:crypto');

const [, , hs256, es256] = process.argv;

const SECRET = Buffer.alloc(32, 9);
const OPTIONS = { issuer: 'a.example', url: new URL('https://cdn.example/live/news/index.m3u8') };

/** The public half of the key whose private scalar is 32 bytes of 7, as cose-js wants it. */
function publicPoint() {
  const sec1 = Buffer.concat([
    Buffer.from('30310201010420', 'hex'),
    Buffer.alloc(32, 7),
    Buffer.from('a00a06082a8648ce3d030107', 'hex'),
  ]);
  const { x, y } = createPublicKey(createPrivateKey({ key: sec1, format: 'der', type: 'sec1' })).export({
    format: 'jwk',
  });
  return { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') };
}

const mac = new CAT({ keys: { 'edge-1': SECRET }, expectCwtTag: true });
const point = publicPoint();
// What it verifies with cose-js begins with the COSE tag: the CWT tag before it is two bytes.
const signed = Buffer.from(es256, 'base64url').subarray(2).toString('base64url');

const cases = {
  '@eyevinn/cat HS256': async () => {
    const { cat, error } = await mac.validate(hs256, 'mac', { ...OPTIONS, kid: 'edge-1' });
    assert.ok(cat && !error, error);
  },
  '@eyevinn/cat ES256': async () => {
    const cat = await CommonAccessTokenFactory.fromSignedToken(signed, point);
    assert.ok(await cat.isAcceptable(OPTIONS));
  },
};

const TURN_MS = 4;
const ROUNDS = 40;

async function time(work, count) {
  const started = process.hrtime.bigint();
  for (let i = 0; i < count; i += 1) await work();
  return Number(process.hrtime.bigint() - started) / count;
}

const batches = {};
for (const [name, work] of Object.entries(cases)) {
  await time(work, 200);
  batches[name] = Math.max(1, Math.round((TURN_MS * 1e6) / (await time(work, 50))));
}
const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, work] of Object.entries(cases)) times[name].push(await time(work, batches[name]));
}
for (const [name, all] of Object.entries(times)) {
  all.sort((a, b) => a - b);
  console.log(`time\t${name}\t${all[all.length >> 1].toFixed(1)}\t${all[0].toFixed(1)}`);
}
