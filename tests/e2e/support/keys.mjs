// Keys made for one run, and tokens minted with them by the `selvedge` command.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selvedge } from './paths.mjs';

/** A folder outside the checkout that goes when the stage comes down. */
export function temporaryFolder(stage) {
  const folder = mkdtempSync(join(tmpdir(), 'selvedge-e2e-'));
  stage.onClose(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const command = (...args) =>
  execFileSync(selvedge(), ['token', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** A key set for edges, and the private keys of those who mint for it. */
export class Keys {
  #folder;
  #minting;

  /**
   * One ES256 key, of which the set has the public half.
   *
   * @param {string} folder
   * @param {string} [kid]
   * @param {{ sessions?: boolean }} [options] `sessions` adds a secret of the edges' own, with which they exchange
   *   and renew tokens
   */
  constructor(folder, kid = 'e2e', { sessions = false } = {}) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { d, ...open } = privateKey.export({ format: 'jwk' });
    const jwk = { ...open, alg: 'ES256', kid };
    const keys = sessions ? [secret(`${kid}-sessions`), jwk] : [jwk];
    this.#folder = folder;
    this.path = join(folder, `${kid}-keys.json`);
    writeFileSync(this.path, JSON.stringify({ keys }), { mode: 0o600 });
    this.privateKey = { ...jwk, d };
    this.#minting = join(folder, `${kid}-private.json`);
    writeFileSync(this.#minting, JSON.stringify(this.privateKey), { mode: 0o600 });
  }

  /** The set as it is now, a JWK Set (RFC 7517) on one line. */
  get json() {
    return JSON.stringify(JSON.parse(readFileSync(this.path, 'utf8')));
  }

  /**
   * A token for everything below a path; a negative time to live has passed already.
   *
   * @param {string} pathPrefix
   * @param {string} [ttl]
   * @param {string[]} [more] arguments of `selvedge token mint`
   */
  mint(pathPrefix, ttl = '1h', more = []) {
    return command('mint', '--key', this.#minting, '--path-prefix', pathPrefix, `--ttl=${ttl}`, ...more);
  }

  /** A new key joins the set and mints from now on; those that were there go on to verify for a while. */
  rotate(kid) {
    this.#minting = join(this.#folder, `${kid}-private.json`);
    command('rotate', '--set', this.path, '--kid', kid, '--out', this.#minting);
  }

  /** A key leaves the set, and nothing that it signed is worth anything. */
  retire(kid) {
    command('rotate', '--set', this.path, '--retire', kid);
  }
}

/** A secret for HMAC 256/256 that signs as well as it verifies. */
function secret(kid) {
  const k = randomBytes(32).toString('base64url');
  return { kty: 'oct', alg: 'HS256', kid, k, key_ops: ['sign', 'verify'] };
}

/**
 * The token with another signature of the same form: one bit of its last bytes is turned.
 */
export function forged(token) {
  const bytes = Buffer.from(token, 'base64url');
  bytes[bytes.length - 5] ^= 1;
  return bytes.toString('base64url');
}
