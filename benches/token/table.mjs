// Runs the benchmark natively, in WebAssembly and for the peer on npm, in turns, and prints one table:
// node table.mjs <native program> <WebAssembly module>
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Each part runs as often; a slow minute of the machine strikes all of them. */
const TURNS = 3;
const [, , native, wasm] = process.argv;
const beside = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The lines of a part: what it measured, and the tokens that it measured with. */
function run(program, args) {
  const times = {};
  const tokens = {};
  for (const line of execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')) {
    const [kind, name, first, second] = line.split('\t');
    if (kind === 'token') tokens[name] = first;
    else times[name] = { median: Number(first), least: Number(second) };
  }
  return { times, tokens };
}

const measured = { native: {}, wasm: {}, eyevinn: {} };
let tokens;
for (let turn = 0; turn < TURNS; turn += 1) {
  const ours = run(native, []);
  tokens = ours.tokens;
  const parts = {
    native: ours.times,
    wasm: run(process.execPath, ['--no-warnings', beside('wasm.mjs'), wasm]).times,
    eyevinn: run(process.execPath, [beside('eyevinn.mjs'), tokens.hs256, tokens.es256]).times,
  };
  for (const [part, times] of Object.entries(parts)) {
    for (const [name, time] of Object.entries(times)) (measured[part][name] ??= []).push(time);
  }
}

/** Median of the turns' medians and least of all, in microseconds. */
function of(part, name) {
  const turns = measured[part][name];
  if (!turns) return undefined;
  const medians = turns.map((turn) => turn.median).sort((a, b) => a - b);
  return {
    median: medians[medians.length >> 1] / 1000,
    least: Math.min(...turns.map((turn) => turn.least)) / 1000,
  };
}

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
const cell = (time) => (time ? `${number(time.median)} (${number(time.least)})` : '–');
const row = (...cells) => `| ${cells.map((text, i) => (i ? text.padStart(19) : text.padEnd(36))).join(' | ')} |`;
const line = (columns) => row('-'.repeat(36), ...Array(columns).fill(`${'-'.repeat(18)}:`));

console.log(`
A token judged: text in, verdict out, µs; median and (least) of ${TURNS} turns.
${tokens.hs256.length} characters with HS256, ${tokens.es256.length} with ES256.
${cpus().length} × ${cpus()[0].model}, Node.js ${process.versions.node}, V8 ${process.versions.v8.split('-')[0]}
`);
console.log(row('case', 'native', 'WebAssembly', 'common-access-token', '@eyevinn/cat'));
console.log(line(4));
for (const [label, name, peer] of [
  ['HS256, not seen before', 'unseen HS256', 'HS256'],
  ['bare HMAC-SHA256 of as many bytes', 'bare HMAC-SHA256'],
  ['ES256, not seen before', 'unseen ES256', 'ES256'],
  ['bare p256 verification', 'bare p256'],
  ['ES256, seen before', 'seen ES256'],
]) {
  console.log(
    row(
      label,
      cell(of('native', name)),
      cell(of('wasm', name)),
      cell(peer && of('native', `common-access-token ${peer}`)),
      cell(peer && of('eyevinn', `@eyevinn/cat ${peer}`)),
    ),
  );
}

const times = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ×`;
const ratio = (part, dividend, divisor) => times(of(part, dividend).median / of(part, divisor).median);
const hs256 = of('native', 'unseen HS256').median;

console.log(`\n${row('ratio', 'native', 'WebAssembly', 'bar')}\n${line(3)}`);
console.log(
  row(
    'ES256 unseen / bare p256',
    ratio('native', 'unseen ES256', 'bare p256'),
    ratio('wasm', 'unseen ES256', 'bare p256'),
    'at most 1.25 ×',
  ),
);
console.log(
  row(
    'ES256 unseen / seen',
    ratio('native', 'unseen ES256', 'seen ES256'),
    ratio('wasm', 'unseen ES256', 'seen ES256'),
    'at least 100 ×',
  ),
);
console.log(row('HS256 unseen, µs', number(hs256), '–', 'at most 2'));
for (const [peer, time, algorithm] of [
  ['common-access-token', of('native', 'common-access-token HS256'), 'HS256'],
  ['@eyevinn/cat', of('eyevinn', '@eyevinn/cat HS256'), 'HS256'],
  ['@eyevinn/cat', of('eyevinn', '@eyevinn/cat ES256'), 'ES256'],
]) {
  // Of the least times: the peer runs in a process of its own, which a busy machine strikes at another moment.
  const against = (part) => times(time.least / of(part, `unseen ${algorithm}`).least);
  console.log(row(`${peer} / ours, ${algorithm}`, against('native'), against('wasm'), '–'));
}
