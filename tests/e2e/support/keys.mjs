// Keys made for one run, and tokens minted with them by the `selvedge` command.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selvedge } from './paths.mjs';

/** A folder outside the checkout that goes when the stage comes down. */
export function temporaryFolder(stage) {
  const folder = mkdtempSync(join(tmpdir(), 'selvedge-e2e-'));
  stage.onClose(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An ES256 key pair, as files and as JSON. */
export class Keys {
  constructor(folder, kid = 'e2e') {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { d, ...open } = privateKey.export({ format: 'jwk' });
    const jwk = { ...open, alg: 'ES256', kid };
    this.publicJson = JSON.stringify({ keys: [jwk] });
    this.publicPath = join(folder, `${kid}-keys.json`);
    this.privatePath = join(folder, `${kid}-private.json`);
    writeFileSync(this.publicPath, this.publicJson);
    writeFileSync(this.privatePath, JSON.stringify({ ...jwk, d }), { mode: 0o600 });
  }

  /** A token for everything below a path; a negative time to live has passed already. */
  mint(pathPrefix, ttl = '1h') {
    const args = ['--key', this.privatePath, '--path-prefix', pathPrefix, `--ttl=${ttl}`];
    return execFileSync(selvedge(), ['token', 'mint', ...args], { encoding: 'utf8' }).trim();
  }
}

/**
 * The token with another signature of the same form: one bit of its last bytes is turned.
 */
export function forged(token) {
  const bytes = Buffer.from(token, 'base64url');
  bytes[bytes.length - 5] ^= 1;
  return bytes.toString('base64url');
}
