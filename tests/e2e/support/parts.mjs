// The parts of the system, each started the way its operator would start it.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as paths from './paths.mjs';
import { temporaryFolder } from './keys.mjs';
import { answers, freePort, until } from './processes.mjs';

/** The namespace with operators' documents, as wrangler.toml shows how to bind it. */
const DOCUMENTS = '\n[[kv_namespaces]]\nbinding = "DOCUMENTS"\nid = "documents"\n';

/** A small ladder: three browsers' worth of decoding and an encoder share two cores. */
export const SMALL_LADDER = '320x180@300k,192x108@120k';

/** Starts `selvedge origin` on a data folder of its own. */
export async function startOrigin(stage) {
  const { url } = await runOrigin(stage, await freePort(), temporaryFolder(stage));
  return url;
}

/** Starts `selvedge origin` on a given port and data folder. */
export async function runOrigin(stage, port, data) {
  const url = `http://127.0.0.1:${port}`;
  const part = await stage.start({
    name: 'origin',
    command: paths.selvedge(),
    args: ['origin', '--listen', `127.0.0.1:${port}`, '--data', data],
    ready: () => answers(`${url}/healthz`),
  });
  return { url, part };
}

/** Starts the encoder, with its test picture if not told otherwise, waits until the channel can be played, and gives its process. */
export async function startEncoder(stage, origin, channel = 'demo', args = [], input = 'test') {
  const ladder = args.includes('--ladder') ? [] : ['--ladder', SMALL_LADDER];
  const part = await stage.start({
    name: `encoder-${channel}`,
    command: paths.encoder(),
    args: [input, '--push', `${origin}/ingest/${channel}`, ...ladder, ...args],
    ready: () => answers(`${origin}/live/${channel}/index.m3u8`),
  });
  await untilDeep(origin, channel);
  return part;
}

/** Players start some segments behind the live edge: so many must exist. */
export async function untilDeep(origin, channel, segments = 4) {
  await until(`${segments} segments of ${channel}`, async () => {
    const channels = await (await fetch(`${origin}/channels`)).json();
    const one = (channels.channels ?? channels).find((c) => (c.channel ?? c.name) === channel);
    return one?.tracks.every((track) => track.kind === 'data' || track.segments >= segments);
  });
}

export const EDGES = ['native', 'workerd', 'viceroy'];

/**
 * @typedef {object} Edge one edge that runs
 * @property {string} url
 * @property {import('./processes.mjs').Running} part the process; a restart puts another in its place
 * @property {() => Promise<void>} takeUpKeys what an operator does when the key set has changed
 */

/**
 * Starts one edge by name.
 *
 * @param {'native' | 'workerd' | 'viceroy'} kind
 * @param {import('./processes.mjs').Stage} stage
 * @param {string} origin URL
 * @param {import('./keys.mjs').Keys} keys
 * @param {object} [site] fields of the site document
 * @param {Record<string, object>} [documents] what operators have put where the edge reads it, by key
 * @param {string | null} [token] what the origin asks edges for
 * @returns {Promise<Edge>}
 */
export function startEdge(kind, stage, origin, keys, site = {}, documents = {}, token = null) {
  const start = { native: startNative, workerd: startWorkerd, viceroy: startViceroy }[kind];
  return start(stage, origin, keys, { cors_origins: ['*'], server_timing: true, ...site }, documents, token);
}

async function startNative(stage, origin, keys, site, documents, token) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = temporaryFolder(stage);
  const config = join(folder, 'selvedge.toml');
  writeFileSync(config, `edge = ${toml({ origin, keys: keys.path, documents: folder, site })}\n`);
  for (const [key, document] of Object.entries(documents)) {
    const file = join(folder, `${key}.json`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(document));
  }
  const part = await stage.start({
    name: 'edge-native',
    command: paths.selvedge(),
    args: ['edge', '--listen', `127.0.0.1:${port}`, '--config', config],
    env: token === null ? {} : { SELVEDGE_ORIGIN_TOKEN: token },
    ready: () => answers(`${url}/healthz`),
  });
  // It watches its file.
  return { url, part, takeUpKeys: async () => {} };
}

/**
 * The worker as it was built, in workerd, under `wrangler dev`. The configuration is the one that
 * is deployed, less the step that would build it again.
 */
async function startWorkerd(stage, origin, keys, site, documents, token) {
  const [port, inspector] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const folder = temporaryFolder(stage);
  cpSync(paths.cloudflareBuild(), join(folder, 'edge/cloudflare/build'), { recursive: true });
  const config = join(folder, 'wrangler.toml');
  const deployed = readFileSync(join(paths.ROOT, 'wrangler.toml'), 'utf8');
  // A secret that is not named there is none in local runs.
  const named = token === null ? deployed : deployed.replaceAll('required = ["CAT_KEYS"]', 'required = ["CAT_KEYS", "ORIGIN_TOKEN"]');
  writeFileSync(config, withoutTable(named, 'build') + DOCUMENTS);
  const writeVariables = () => {
    const variables = { ORIGIN: origin, CAT_KEYS: keys.json, SITE: JSON.stringify(site) };
    if (token !== null) variables.ORIGIN_TOKEN = token;
    writeFileSync(
      join(folder, '.dev.vars'),
      Object.entries(variables)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(''),
      { mode: 0o600 },
    );
  };
  writeVariables();
  const env = {
    CI: '1',
    NO_COLOR: '1',
    WRANGLER_SEND_METRICS: 'false',
    // Without this, wrangler asks Cloudflare for the request metadata of this machine.
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  };
  for (const [key, document] of Object.entries(documents)) {
    const put = ['kv', 'key', 'put', '--local', '--binding', 'DOCUMENTS', key, JSON.stringify(document)];
    const options = { cwd: folder, env: { ...process.env, ...env } };
    await promisify(execFile)(paths.modernNode(), [paths.wrangler(), ...put], options);
  }
  const part = await stage.start({
    name: 'edge-workerd',
    command: paths.modernNode(),
    args: [
      ...[paths.wrangler(), 'dev', '--local', '--ip', '127.0.0.1', '--port', String(port)],
      ...['--inspector-port', String(inspector), '--show-interactive-dev-session=false'],
    ],
    cwd: folder,
    env,
    ready: () => answers(`${url}/healthz`),
  });
  return {
    url,
    part,
    // The worker starts anew, as it does on the platform when a secret is put.
    async takeUpKeys() {
      writeVariables();
      // Wrangler watches its configuration alone, and reads the variables along with it.
      utimesSync(config, new Date(), new Date());
    },
  };
}

/**
 * The Fastly service as it was built, in Fastly's local runtime. Viceroy reads its stores when it starts, and compiles
 * for some seconds then; on Fastly a new secret reaches a service that runs on. So with changed keys a second one is
 * started, and takes the first one's place behind the same port: viewers lose their connections and nothing else.
 */
async function startViceroy(stage, origin, keys, site, documents, token) {
  const port = await freePort();
  const folder = temporaryFolder(stage);
  let started = 0;
  const run = async (at) => {
    started += 1;
    let config = readFileSync(join(paths.ROOT, 'fastly.toml'), 'utf8');
    config = replaced(config, /(\[local_server\.backends\.origin\]\s+url = ).*/, origin);
    config = replaced(config, /(key = "CAT_KEYS"\s+data = ).*/, keys.json);
    config = replaced(
      config,
      /(\[local_server\.config_stores\.selvedge\.contents\]\s+SITE = ).*/,
      JSON.stringify(site),
    );
    const stored = Object.entries(documents).map(([key, document]) => ({ key, data: JSON.stringify(document) }));
    config = config.replace(/(\[local_server\.kv_stores\]\s+selvedge = ).*/, (_all, name) => name + toml(stored));
    if (token !== null) {
      const secret = `\n[[local_server.secret_stores.selvedge]]\nkey = "ORIGIN_TOKEN"\ndata = ${toml(token)}\n`;
      config = config.replace('\n[local_server.kv_stores]', (table) => secret + table);
    }
    const file = join(folder, `fastly-${started}.toml`);
    writeFileSync(file, config, { mode: 0o600 });
    return stage.start({
      name: started === 1 ? 'edge-viceroy' : `edge-viceroy-${started}`,
      command: paths.viceroy(),
      args: ['serve', '-C', file, '--addr', `127.0.0.1:${at}`, paths.fastlyModule()],
      ready: () => answers(`http://127.0.0.1:${at}/healthz`),
    });
  };
  let relay = null;
  const edge = {
    url: `http://127.0.0.1:${port}`,
    part: await run(port),
    async takeUpKeys() {
      const at = await freePort();
      const [before, after] = [edge.part, await run(at)];
      edge.part = after;
      if (relay) relay.to(at);
      await before.stop();
      relay ??= await startRelay(stage, port, at);
    },
  };
  return edge;
}

/** Passes the connections to one port on to another, which may change. */
async function startRelay(stage, port, first) {
  let target = first;
  const open = new Set();
  const server = createServer((viewer) => {
    const edge = connect(target, '127.0.0.1');
    for (const [from, to] of [[viewer, edge], [edge, viewer]]) {
      open.add(from);
      from.pipe(to);
      // Whichever side goes away takes the other along.
      from.on('error', () => to.destroy());
      from.on('close', () => (open.delete(from), to.destroy()));
    }
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  stage.onClose(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { to: (next) => (target = next) };
}

/** A value as TOML writes it in one line. */
function toml(value) {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${toml(inner)}`);
  return `{ ${pairs.join(', ')} }`;
}

/** A TOML document in which the value after a pattern's first group is another one. */
function replaced(document, pattern, value) {
  if (!pattern.test(document)) throw new Error(`no ${pattern} to replace`);
  return document.replace(pattern, (_all, key) => `${key}${JSON.stringify(value)}`);
}

/** A TOML document without one table. */
function withoutTable(document, name) {
  const lines = document.split('\n');
  const start = lines.findIndex((line) => line.trim() === `[${name}]`);
  if (start < 0) return document;
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('['));
  lines.splice(start, length < 0 ? lines.length - start : length + 1);
  return lines.join('\n');
}
