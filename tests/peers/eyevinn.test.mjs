// Tokens of ours in `@eyevinn/cat`, and its tokens here: one verdict, whoever minted and whoever judges.
//
// What the two share is COSE with a CWT tag (`expectCwtTag`), HMAC 256/256, and the claims below. What the package
// does otherwise than the standard is kept out of the shared part:
// - without `expectCwtTag`, and with ES256 always, its payload is hexadecimal text and no claims set: refused here, as
//   the last test shows. ES256 is exchanged through the COSE library beneath it, whose verification wants the COSE tag
//   first, without the CWT tag;
// - prefixes in `catnip` are padded there, and short ones (RFC 9164) cannot be read; an ASN is demanded beside an
//   address, not instead of it;
// - digests in `catu` are hexadecimal text there, and one match type for each component is all that is read;
// - `catpor`, `cath`, `catalpn`, the geographic claims and `cattpk` pass unjudged there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { selvedge } from '../e2e/support/paths.mjs';

const require = createRequire(import.meta.url);
const { CAT, HttpValidator, MemoryCTIStore } = require('@eyevinn/cat');
const { CommonAccessToken, CommonAccessTokenFactory } = require('@eyevinn/cat/lib/cat.js');
// The libraries that it stands on, as it finds them itself.
const beneath = createRequire(require.resolve('@eyevinn/cat'));
const cose = beneath('cose-js');
const cbor = beneath('cbor-x');

const ISSUER = 'issuer';
const AUDIENCE = 'cdn';
const HOST = 'cdn.example';
const PATH = '/live/news/index.m3u8';
const IP = '203.0.113.7';
const NOW = Math.floor(Date.now() / 1000);

/** Its names for what `catu` and `catr` have numbers for. */
const COMPONENTS = ['scheme', 'host', 'port', 'path', 'query', 'parent-path', 'filename', 'stem', 'extension'];
const MATCHES = ['exact-match', 'prefix-match', 'suffix-match', 'contains-match', 'regex-match'];
const RENEWAL = ['type', 'expadd', 'deadline', 'cookie-name', 'header-name'];
const RENEWAL_TYPES = ['automatic', 'cookie', 'header', 'redirect'];

const numbered = (names, object, value = (item) => item) =>
  Object.fromEntries(Object.entries(object).map(([name, item]) => [names.indexOf(name), value(item, name)]));

const hex = (address) =>
  address.includes(':')
    ? address.split(':').map((group) => group.padStart(4, '0')).join('')
    : Buffer.from(address.split('.').map(Number)).toString('hex');

/** Claims in its notation, in that of `selvedge token mint --claims`. */
function ours(claims) {
  const forms = {
    cti: (id) => ({ h: id }),
    catnip: (entries) =>
      entries.map((address) => ({ tag: address.includes(':') ? 54 : 52, value: { h: hex(address) } })),
    catu: (rules) => numbered(COMPONENTS, rules, (rule) => numbered(MATCHES, rule)),
    catr: (renewal) =>
      numbered(RENEWAL, renewal, (item, name) => (name === 'type' ? RENEWAL_TYPES.indexOf(item) : item)),
  };
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, forms[name] ? forms[name](value) : value]),
  );
}

const uri = (component, match, demanded) => ({ catu: { [component]: { [match]: demanded } } });

/** Name, claims beside `iss` and `exp`, and whether a GET of PATH from IP is admitted. */
const CASES = [
  ['who and until when', {}, true],
  ['another issuer', { iss: 'another' }, false],
  ['a subject', { sub: 'viewer' }, true],
  ['this audience', { aud: AUDIENCE }, true],
  ['this audience among others', { aud: ['another', AUDIENCE] }, true],
  ['another audience', { aud: 'another' }, false],
  ['expired', { exp: NOW - 60 }, false],
  ['valid already', { nbf: NOW - 60, iat: NOW - 60 }, true],
  ['not yet valid', { nbf: NOW + 600 }, false],
  ['an identity', { cti: '0b71' }, true],
  ['this method', { catm: ['GET', 'HEAD'] }, true],
  ['another method', { catm: ['PUT'] }, false],
  ['a method in another case', { catm: ['get'] }, false],
  ['the scheme', uri('scheme', 'exact-match', 'https'), true],
  ['the host', uri('host', 'exact-match', HOST), true],
  ['another host', uri('host', 'suffix-match', '.elsewhere'), false],
  ['the default port, empty', uri('port', 'exact-match', ''), true],
  ['the path', uri('path', 'exact-match', PATH), true],
  ['its beginning', uri('path', 'prefix-match', '/live/news/'), true],
  ['another beginning', uri('path', 'prefix-match', '/live/sport/'), false],
  ['a part of it', uri('path', 'contains-match', '/news/'), true],
  ['an expression', uri('path', 'regex-match', ['^/live/[a-z]+/index[.](m3u8|mpd)$']), true],
  ['another expression', uri('path', 'regex-match', ['^/vod/|[.]mp4$']), false],
  ['the parent', uri('parent-path', 'suffix-match', '/news'), true],
  ['the filename', uri('filename', 'prefix-match', 'index.'), true],
  ['the stem', uri('stem', 'exact-match', 'index'), true],
  ['the extension', uri('extension', 'exact-match', '.m3u8'), true],
  ['another extension', uri('extension', 'exact-match', '.mpd'), false],
  ['the address', { catnip: [IP] }, true],
  ['the address among others', { catnip: ['2001:db8:0:0:0:0:0:7', IP] }, true],
  ['another address', { catnip: ['192.0.2.1'] }, false],
  ['renewal', { catr: { type: 'header', expadd: 300, deadline: 30 } }, true],
  ['replay allowed', { catreplay: 0 }, true],
].map(([name, claims, admits]) => ({ name, claims: { iss: ISSUER, exp: NOW + 3600, ...claims }, admits }));

describe('one verdict here and in @eyevinn/cat', () => {
  let folder;
  const secret = {};
  const signing = {};

  const command = (args, input) => execFileSync(selvedge(), ['token', ...args], { encoding: 'utf8', input });

  /** Makes a key, and a file with it as a private JWK. */
  function keygen(alg) {
    const [out, set] = [join(folder, `${alg}.json`), join(folder, `${alg}-set.json`)];
    command(['keygen', '--alg', alg, '--kid', alg, '--out', out, '--set', set]);
    return { path: out, jwk: JSON.parse(readFileSync(out, 'utf8')), set: JSON.parse(readFileSync(set, 'utf8')) };
  }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'selvedge-peers-'));
    Object.assign(secret, keygen('hs256'));
    Object.assign(signing, keygen('es256'));
    secret.bytes = Buffer.from(secret.jwk.k, 'base64url');
    signing.point = { x: Buffer.from(signing.jwk.x, 'base64url'), y: Buffer.from(signing.jwk.y, 'base64url') };
    const keys = { keys: [...secret.set.keys, ...signing.set.keys] };
    writeFileSync(join(folder, 'keys.json'), JSON.stringify(keys));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function mintedHere(claims, key) {
    const file = join(folder, 'claims.json');
    writeFileSync(file, JSON.stringify(ours(claims)));
    return command(['mint', '--quiet', '--key', key.path, '--claims', file]).trim();
  }

  const theirs = () => new CAT({ keys: { hs256: secret.bytes }, expectCwtTag: true });

  const mintedThere = (claims) =>
    theirs().generateFromJson({ ...claims }, { type: 'mac', alg: 'HS256', kid: 'hs256' });

  /** Judges all of the tokens by one run of the command: `accept` or `reject` of each, in their order. */
  function judgedHere(tokens) {
    const line = (token) =>
      JSON.stringify({
        token,
        request: { now: NOW, url: `https://${HOST}${PATH}`, method: 'GET', ip: IP },
        policy: { issuers: [ISSUER], audiences: [AUDIENCE] },
      });
    const args = ['check', '--jsonl', '--keys', join(folder, 'keys.json')];
    const said = command(args, tokens.map(line).join('\n')).trim().split('\n');
    return said.map((verdict) => JSON.parse(verdict).verdict);
  }

  /** The way of its own server, and where an address is asked for, which that does not pass on, the way below it. */
  async function judgedThere(token, claims) {
    const options = { issuer: ISSUER, audience: [AUDIENCE] };
    if (claims.catnip) {
      const url = new URL(`https://${HOST}${PATH}`);
      return !(await theirs().validate(token, 'mac', { ...options, url, ip: IP })).error;
    }
    const keys = [{ kid: 'hs256', key: secret.bytes }];
    const validator = new HttpValidator({ keys, autoRenewEnabled: false, ...options });
    const headers = { host: HOST, 'cta-common-access-token': token };
    return (await validator.validateHttpRequest({ method: 'GET', url: PATH, headers })).status === 200;
  }

  test('HMAC 256/256', async () => {
    const tokens = await Promise.all(
      CASES.map(async ({ claims }) => [mintedHere(claims, secret), await mintedThere(claims)]),
    );
    const here = judgedHere(tokens.flat());
    for (const [at, { name, claims, admits }] of CASES.entries()) {
      for (const [mint, token] of tokens[at].entries()) {
        const minted = `${name}, minted ${mint === 0 ? 'here' : 'there'}`;
        assert.equal(here[at * 2 + mint], admits ? 'accept' : 'reject', `${minted}, judged here`);
        assert.equal(await judgedThere(token, claims), admits, `${minted}, judged there`);
      }
    }
  });

  /** Its claims set, signed by its COSE library. */
  async function signedThere(claims) {
    const encoder = new cbor.Encoder({ mapsAsObjects: false, useRecords: false });
    const { payload } = CommonAccessTokenFactory.fromDict({ ...claims });
    const headers = { p: { alg: 'ES256' }, u: { kid: 'es256' } };
    const key = { d: Buffer.from(signing.jwk.d, 'base64url') };
    return Buffer.from(await cose.sign.create(headers, encoder.encode(payload), { key })).toString('base64url');
  }

  test('ES256', async () => {
    // Methods are judged by its server, which knows HMAC alone.
    const cases = CASES.filter(({ claims }) => !claims.catm);
    const there = await Promise.all(cases.map(({ claims }) => signedThere(claims)));
    const here = cases.map(({ claims }) => mintedHere(claims, signing));
    const verdicts = judgedHere([...here, ...there]);
    for (const [at, { name, admits }] of cases.entries()) {
      const expected = admits ? 'accept' : 'reject';
      assert.equal(verdicts[at], expected, `${name}, minted here, judged here`);
      assert.equal(verdicts[cases.length + at], expected, `${name}, minted there, judged here`);

      const untagged = Buffer.from(here[at], 'base64url').subarray(2);
      for (const token of [untagged.toString('base64url'), there[at]]) {
        const read = await CommonAccessTokenFactory.fromSignedToken(token, signing.point);
        const url = new URL(`https://${HOST}${PATH}`);
        const judged = read.isAcceptable({ issuer: ISSUER, audience: [AUDIENCE], url, ip: IP });
        assert.equal(await judged.catch(() => false), admits, `${name}, judged there`);
      }
    }
  });

  test('a signature of either half of the curve is accepted', async () => {
    // Its signer draws s from both halves: of so many, one of each is all but certain.
    const tokens = await Promise.all(
      Array.from({ length: 32 }, (_, at) => signedThere({ iss: ISSUER, exp: NOW + 3600 + at })),
    );
    const highest = tokens.map((token) => Buffer.from(token, 'base64url').at(-32));
    assert.ok(Math.max(...highest) >= 0x80 && Math.min(...highest) < 0x80, 'both halves are drawn');
    assert.deepEqual(new Set(judgedHere(tokens)), new Set(['accept']));
  });

  test('a token for one use is used once', async () => {
    const claims = { iss: ISSUER, exp: NOW + 3600, cti: '5eed', catreplay: 1 };
    const store = new MemoryCTIStore();
    const keys = [{ kid: 'hs256', key: secret.bytes }];
    const validator = new HttpValidator({ keys, issuer: ISSUER, store, autoRenewEnabled: false });
    for (const token of [mintedHere(claims, secret), await mintedThere({ ...claims, cti: '5eee' })]) {
      const request = { method: 'GET', url: PATH, headers: { host: HOST, 'cta-common-access-token': token } };
      assert.equal((await validator.validateHttpRequest(request)).status, 200);
      assert.equal((await validator.validateHttpRequest(request)).status, 401);
      assert.deepEqual(judgedHere([token, token]), ['accept', 'reject']);
    }
  });

  test('a flipped bit refuses on both sides', async () => {
    const claims = { iss: ISSUER, exp: NOW + 3600 };
    for (const token of [mintedHere(claims, secret), await mintedThere(claims)]) {
      const bytes = Buffer.from(token, 'base64url');
      bytes[bytes.length - 40] ^= 1;
      const forged = bytes.toString('base64url');
      assert.deepEqual(judgedHere([forged]), ['reject']);
      await assert.rejects(theirs().validate(forged, 'mac', { issuer: ISSUER }));
    }
  });

  test('a payload of hexadecimal text is no claims set', async () => {
    const claims = { iss: ISSUER, exp: NOW + 3600 };
    const plain = new CAT({ keys: { hs256: secret.bytes } });
    const mac = await plain.generateFromJson({ ...claims }, { type: 'mac', alg: 'HS256', kid: 'hs256' });
    const signed = new CommonAccessToken({ ...claims });
    await signed.sign({ d: Buffer.from(signing.jwk.d, 'base64url'), kid: 'es256' }, 'ES256');
    assert.deepEqual(judgedHere([mac, Buffer.from(signed.raw).toString('base64url')]), ['reject', 'reject']);
  });
});
