// Debian's Chromium, driven headless, and the pages that it opens.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';
import * as paths from './paths.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };
const SERVED = ['/tests/e2e/', '/web/src/', '/node_modules/'];

/**
 * Starts a browser that closes with the stage.
 *
 * @param {import('./processes.mjs').Stage} stage
 * @param {'allowed' | 'refused'} [sound] whether a page may start to sound before it was touched
 */
export async function startBrowser(stage, sound = 'allowed') {
  const allowed = sound === 'allowed';
  const policy = allowed ? 'no-user-gesture-required' : 'user-gesture-required';
  const browser = await chromium.launch({
    executablePath: paths.chromium(),
    args: [...FLAGS, `--autoplay-policy=${policy}`],
    // A browser that is silent as a whole lets every page sound.
    ignoreDefaultArgs: allowed ? [] : ['--mute-audio'],
  });
  stage.onClose(() => browser.close());
  return browser;
}

/** Serves the test page and the players of node_modules. */
export async function servePlayers(stage) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    const file = join(paths.ROOT, path);
    if (!SERVED.some((prefix) => path.startsWith(prefix)) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

export const PLAYERS = ['hls', 'dash', 'shaka'];

/** The document with which a player starts. */
export function entry(player, edge, channel, token) {
  const document = player === 'hls' ? 'index.m3u8' : 'manifest.mpd';
  return `${edge}/live/${channel}/${document}?CAT=${token}`;
}

/** Opens the test page with one player on one URL. */
export async function openPlayer(browser, site, player, url) {
  const page = await browser.newPage({ viewport: { width: 480, height: 340 } });
  const query = new URLSearchParams({ player, src: url });
  await page.goto(`${site}/tests/e2e/player.html?${query}`);
  return page;
}

const ANSWER_WITHIN_MS = 10_000;

/** What the page counted until now. A page whose script spins never answers: that is an error. */
export function look(page) {
  let timer;
  const late = new Promise((_done, fail) => {
    timer = setTimeout(() => fail(new Error('the page does not answer')), ANSWER_WITHIN_MS);
  });
  return Promise.race([page.evaluate(() => window.probe.look()), late]).finally(() =>
    clearTimeout(timer),
  );
}
