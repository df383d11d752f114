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

/** Every way in which a player can carry a token. */
export const CARRIERS = ['query', 'path', 'header', 'cookie'];

/** The document with which a player starts; a header or a cookie carries its token beside it. */
export function entry(player, edge, channel, token, carrier = 'query') {
  const document = `/live/${channel}/${player === 'hls' ? 'index.m3u8' : 'manifest.mpd'}`;
  if (carrier === 'query') return `${edge}${document}?CAT=${token}`;
  if (carrier === 'path') return `${edge}/t/${token}${document}`;
  return edge + document;
}

/**
 * Opens the test page with one player on one URL that carries its token.
 *
 * @param {'far' | 'low'} [distance] whether it plays behind the live edge by whole segments, or as close as it can
 */
export function openPlayer(browser, site, player, url, distance = 'far') {
  return openPage(browser, site, { player, src: url, distance });
}

/**
 * Opens the test page with one player that starts with a token in some carrier. Each page has cookies of its own.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} site where `servePlayers` serves
 * @param {{ player: string, edge: string, channel: string, token: string, carrier: string }} viewing
 * @param {(page: import('playwright-core').Page) => void} [prepare] before the page loads
 */
export function openCarrying(browser, site, viewing, prepare) {
  const { player, edge, channel, token, carrier } = viewing;
  const query = { player, src: entry(player, edge, channel, token, carrier), carrier };
  if (carrier === 'header') query.token = token;
  return openPage(browser, site, query, async (page) => {
    if (carrier === 'cookie') await giveCookie(page, edge, token);
    prepare?.(page);
  });
}

async function openPage(browser, site, query, prepare) {
  const page = await browser.newPage({ viewport: { width: 480, height: 340 } });
  await prepare?.(page);
  await page.goto(`${site}/tests/e2e/player.html?${new URLSearchParams(query)}`);
  return page;
}

const COOKIE = 'CTA-Common-Access-Token';

/** The cookie that a page's own server would set when its viewer logs in. */
function giveCookie(page, edge, token) {
  const cookie = { name: COOKIE, value: token, url: edge, httpOnly: true, sameSite: 'Lax' };
  return page.context().addCookies([cookie]);
}

/**
 * The token with which a request of a page goes to an edge, wherever it stands; null where there is none.
 *
 * @param {import('playwright-core').Request} request
 */
export async function tokenOf(request) {
  const { pathname, searchParams } = new URL(request.url());
  const inUrl = /^\/t\/([^/]+)\//.exec(pathname)?.[1] ?? searchParams.get('CAT');
  if (inUrl) return inUrl;
  const name = COOKIE.toLowerCase();
  // What the browser adds by itself, a cookie, is told a little later.
  const headers = await request.allHeaders();
  const cookies = headers.cookie?.split(/; */).map((pair) => pair.split('=')) ?? [];
  return headers[name] ?? cookies.find(([key]) => key.toLowerCase() === name)?.[1] ?? null;
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
