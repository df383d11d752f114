// What a playlist costs an edge: processor time of the runtime's process over many requests, less what an answer of
// five bytes costs the same runtime in the same run. Prints a table.
import { createServer } from 'node:http';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Keys, temporaryFolder } from '../../tests/e2e/support/keys.mjs';
import { EDGES, startEdge } from '../../tests/e2e/support/parts.mjs';
import * as paths from '../../tests/e2e/support/paths.mjs';
import { Stage, answers, freePort } from '../../tests/e2e/support/processes.mjs';
import { PLAYLISTS, documents } from './documents.mjs';

const [, , hello, requests = '2000'] = process.argv;
const REQUESTS = Number(requests);
const WARM_UP = 200;
const TICKS_A_SECOND = 100;

const stage = new Stage();
try {
  const origin = await serve();
  const keys = new Keys(temporaryFolder(stage), 'bench', { sessions: true });
  const rows = [];
  for (const kind of EDGES) {
    const site = { server_timing: false, breaks: { cohort: 'all' } };
    const edge =
      kind === 'workerd' ? await startWorker(origin, keys, site) : await startEdge(kind, stage, origin, keys, site);
    const bare = await startHello(kind, edge);
    for (const [name, what] of Object.entries(PLAYLISTS)) {
      const url = await viewing(edge.url, `bench-${name}`, keys.mint('/', '1h'));
      const text = await (await fetch(url)).text();
      const ads = text.split('/creatives/acme/v/0.m4s').length - 1;
      if (ads !== { plain: 0, short: 3, long: 36 }[name]) throw new Error(`${kind}: ${ads} ads in ${url}\n${text}`);
      const count = name === 'long' ? REQUESTS / 5 : REQUESTS;
      // In turns, so that both meet the machine as it is.
      const [own, least] = [[], []];
      for (let turn = 0; turn < 4; turn += 1) {
        least.push(await cost(bare, `${bare.url}/`, count / 4));
        own.push(await cost(edge, url, count / 4));
      }
      const mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length;
      rows.push([kind, what, mean(own), mean(least), mean(own) - mean(least)]);
    }
    if (bare.part !== edge.part) await bare.part.stop();
    await edge.part.stop();
  }
  console.log('| edge | playlist | ms of CPU a request | hello, ms | edge alone, ms |');
  console.log('| --- | --- | ---: | ---: | ---: |');
  for (const [kind, what, ...figures] of rows) {
    console.log(`| ${kind} | ${what} | ${figures.map((figure) => figure.toFixed(2)).join(' | ')} |`);
  }
} finally {
  await stage.close();
}

/** The benchmark's origin; its time is not counted. */
async function serve() {
  const find = documents();
  const server = createServer((request, response) => {
    const found = find(decodeURIComponent(request.url.split('?')[0]));
    if (!found) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': found.type, 'Cache-Control': 'public, max-age=600' });
    return response.end(found.body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => server.close(server.closeAllConnections()));
  return `http://127.0.0.1:${server.address().port}`;
}

/** The URL of the media playlist below the session token that the edge hands out. */
async function viewing(edge, channel, token) {
  const entry = new URL(`/live/${channel}/index.m3u8?CAT=${token}`, edge);
  const answer = await fetch(entry);
  const uri = (await answer.text()).split('\n').find((line) => line && !line.startsWith('#'));
  if (!uri?.includes('/t/')) throw new Error(`${edge}: ${answer.status}, no session in ${uri}`);
  return new URL(uri, answer.url).href;
}

/** A service that says hello, in the same runtime; natively the edge's own health. */
async function startHello(kind, edge) {
  if (kind === 'native') return { ...edge, url: `${edge.url}/healthz?` };
  const [port, folder] = [await freePort(), temporaryFolder(stage)];
  const url = `http://127.0.0.1:${port}`;
  if (kind === 'viceroy') {
    const config = join(folder, 'fastly.toml');
    writeFileSync(config, 'manifest_version = 3\nlanguage = "rust"\nname = "hello"\n');
    const args = ['serve', '-C', config, '--addr', `127.0.0.1:${port}`, hello];
    const part = await stage.start({ name: 'hello-viceroy', command: paths.viceroy(), args, ready: () => answers(url) });
    return { url, part };
  }
  const source = "export default { fetch: () => new Response('hello') };\n";
  return runWorkerd('hello', { 'index.js': source }, {});
}

/** The worker as it was built, in workerd itself: Wrangler would put a worker of its own before it. */
function startWorker(origin, keys, site) {
  const build = paths.cloudflareBuild();
  const modules = Object.fromEntries(['index.js', 'index_bg.wasm'].map((name) => [name, readFileSync(join(build, name))]));
  return runWorkerd('edge', modules, { ORIGIN: origin, CAT_KEYS: keys.json, SITE: JSON.stringify(site) });
}

async function runWorkerd(name, modules, variables) {
  const [port, folder] = [await freePort(), temporaryFolder(stage)];
  const url = `http://127.0.0.1:${port}`;
  for (const [file, content] of Object.entries(modules)) writeFileSync(join(folder, file), content);
  const date = /^compatibility_date = (".*")$/m.exec(readFileSync(join(paths.ROOT, 'wrangler.toml'), 'utf8'))[1];
  const kind = (file) => (file.endsWith('.wasm') ? 'wasm' : 'esModule');
  const module = (file) => `(name = "${file}", ${kind(file)} = embed "${file}")`;
  const binding = ([key, value]) => `(name = "${key}", text = ${JSON.stringify(value)})`;
  const config = join(folder, 'config.capnp');
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "net", network = (allow = ["private"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${Object.keys(modules).map(module)}],
  compatibilityDate = ${date},
  bindings = [${Object.entries(variables).map(binding)}],
  globalOutbound = "net",
);
`,
  );
  const part = await stage.start({
    name: `workerd-${name}`,
    command: paths.workerd(),
    args: ['serve', config],
    ready: () => answers(`${url}/healthz`),
  });
  return { url, part };
}

/** Milliseconds of the runtime's processor time a request. */
async function cost({ part }, url, count) {
  const ask = async () => {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status}`);
  };
  for (let i = 0; i < Math.min(WARM_UP, count); i += 1) await ask();
  const before = processorTime(part.pid);
  for (let i = 0; i < count; i += 1) await ask();
  return (processorTime(part.pid) - before) / count;
}

/** Of a runtime and all that it started, in ms. */
function processorTime(group) {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended between the listing and the look.
    }
  }
  return (ticks * 1_000) / TICKS_A_SECOND;
}
