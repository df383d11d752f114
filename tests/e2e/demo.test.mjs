// `selvedge demo` shows a channel with sound, without a stall: the test picture for a minute, and real
// footage.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBrowser } from './support/browser.mjs';
import { SMALL_LADDER } from './support/parts.mjs';
import * as paths from './support/paths.mjs';
import { Stage, artifacts, freePort, until } from './support/processes.mjs';

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Where the picture is not what is tested, a light one leaves the machine to the page. */
const LIGHT = ['--ladder', SMALL_LADDER];

/** As far behind live as whole segments are; latency.test.mjs watches the page at low latency. */
const STEADY = '?distance=steady';

const clip = (name) => join(paths.CLIPS, name);
const inputs = [
  { name: 'test-picture', input: 'test', seconds: 60 },
  // Long enough to come to their ends and begin again.
  { name: 'big-buck-bunny', input: clip('bigbuckbunny.mp4'), seconds: 30 },
  { name: 'bikes', input: clip('bikes.mp4'), seconds: 30 },
];

const state = (page) =>
  page.evaluate(() => {
    const video = document.querySelector('video');
    return {
      ...window.selvedge,
      at: performance.now(),
      currentTime: video.currentTime,
      audioBytes: video.webkitAudioDecodedByteCount,
    };
  });

async function startDemo(stage, name, input, args = []) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const demo = await stage.start({
    name: `demo-${name}`,
    command: paths.selvedge(),
    args: ['demo', '--input', input, '--port', String(port), ...args],
    ready: (part) => part.output.includes(`Selvedge demo: ${url}/`),
  });
  return { demo, url };
}

const untilItPlays = (page) =>
  until('the page plays', async () => (await state(page)).clockReads > 10, 60_000);

describe('the demo plays', () => {
  const stage = new Stage();
  let browser;

  before(async () => {
    paths.page();
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  for (const { name, input, seconds } of inputs) {
    test(`with ${name} for ${seconds} s`, async (t) => {
      if (input !== 'test') assert.ok(existsSync(input), 'run scripts/fetch-clips.sh');
      const { demo, url } = await startDemo(stage, name, input);
      const page = await browser.newPage({ viewport: DESKTOP });
      const complaints = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      const handedOut = page.waitForResponse('**/demo.json');
      await page.goto(url + STEADY);
      try {
        const tokens = tokensOf(await (await handedOut).json());
        await untilItPlays(page);
        await sleep(3_000);

        const before = await state(page);
        await sleep(seconds * 1_000);
        const after = await state(page);
        await page.screenshot({ path: join(artifacts(), `${name}.png`) });

        const elapsed = (after.at - before.at) / 1_000;
        const advanced = after.currentTime - before.currentTime;
        t.diagnostic(
          `${name}: ${advanced.toFixed(2)} s in ${elapsed.toFixed(2)} s, stalls ${after.stalls}, ` +
            `dropped ${after.droppedFrames} of ${after.totalFrames}, latency ${after.latencyMs} ms, ` +
            `buffer ${after.bufferSeconds.toFixed(1)} s, ${after.level?.width}x${after.level?.height}, ` +
            `${after.requests} requests, clock misread ${after.clockMisses} of ` +
            `${after.clockReads + after.clockMisses}`,
        );
        assert.equal(after.stalls, 0, 'no stall since the first frame');
        assert.equal(after.muted, false, 'with sound');
        assert.ok(after.audioBytes - before.audioBytes > elapsed * 1_000, 'sound is decoded');
        assert.ok(Math.abs(advanced - elapsed) < elapsed * 0.05, `${advanced} s in ${elapsed} s`);
        assert.ok(after.clockReads - before.clockReads > elapsed * 2, 'the clock is read');
        assert.ok(after.latencyMs > 0 && after.latencyMs < 20_000, `latency ${after.latencyMs} ms`);
        assert.ok(after.droppedFrames < after.totalFrames * 0.05, 'few frames are dropped');
        assert.ok(after.levels.length >= 2, 'there is a ladder');
        assert.ok(after.requests > elapsed, 'the decisions of the edge are seen');
        assert.deepEqual(after.errors.filter(({ fatal }) => fatal), []);
        assert.deepEqual(complaints, []);

        await assertRefusalsAreShown(page);
        await assertNoTokenIsShown(page, tokens);
        await page.setViewportSize(PHONE);
        await sleep(500);
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.equal(overflow, 0, 'nothing hangs over on a phone');
        await page.screenshot({ path: join(artifacts(), `${name}-phone.png`), fullPage: true });
      } finally {
        await page.close();
        const exit = await demo.stop();
        assert.deepEqual(exit, { code: 0, signal: null }, 'SIGTERM ends the demo in order');
      }
    });
  }
});

describe('the viewer of the demo', () => {
  const stage = new Stage('viewer');
  after(() => stage.close());

  test('turns the sound on, changes the player and the carrier, and picks a rendition', async (t) => {
    const { url } = await startDemo(stage, 'viewer', 'test', LIGHT);
    const browser = await startBrowser(stage, 'refused');
    const page = await browser.newPage({ viewport: DESKTOP });
    await page.goto(url + STEADY);
    // What Playwright evaluates counts as a viewer's gesture, and would allow the sound.
    const devtools = await page.context().newCDPSession(page);
    const untouched = async (expression) =>
      (await devtools.send('Runtime.evaluate', { expression, returnByValue: true })).result.value;
    await until('the page plays', () => untouched('window.selvedge?.clockReads > 10'), 60_000);

    assert.equal(await untouched('window.selvedge.muted'), true, 'refused sound, yet a picture');
    await page.screenshot({ path: join(artifacts(), 'muted.png') });
    await page.click('#unmute');
    await until('the sound is on', async () => (await state(page)).muted === false);

    for (const player of ['dash', 'shaka', 'hls']) {
      await page.check(`input[name=player][value=${player}]`, { force: true });
      await until(`${player} plays`, async () => {
        const now = await state(page);
        return now.player === player && now.latencyMs !== null && now.totalFrames > 50 && now.live;
      });
      const now = await state(page);
      t.diagnostic(`${player}: latency ${now.latencyMs} ms, ${now.levels.length} renditions`);
      assert.deepEqual(now.errors.filter(({ fatal }) => fatal), []);
      assert.ok(now.levels.length >= 2);
    }

    await page.check('input[name=distance][value=low]', { force: true });
    await until('it is live at low latency', async () => {
      const now = await state(page);
      return now.player === 'hls' && now.latencyMs !== null && now.live;
    }, 60_000);

    await page.check('input[name=carrier][value=header]', { force: true });
    await until('it plays with the token in a header', async () => {
      const { carrier, latencyMs } = await state(page);
      const newest = await page.textContent('#rows tr:first-child .carrier');
      return carrier === 'header' && latencyMs !== null && newest === 'header';
    });

    const lowest = (await state(page)).levels.toSorted((a, b) => a.bitrate - b.bitrate)[0];
    await page.getByRole('radio', { name: `${lowest.width} × ${lowest.height}` }).check();
    await until('the picked rendition plays', async () => {
      const now = await state(page);
      return now.level?.id === lowest.id;
    });
  });
});

describe('the page of the demo', () => {
  const stage = new Stage('recovery');
  after(() => stage.close());

  test('comes back from an edge that is away, and from a token that is refused', async (t) => {
    const { url } = await startDemo(stage, 'recovery', 'test', LIGHT);
    const browser = await startBrowser(stage);
    const page = await browser.newPage({ viewport: DESKTOP });
    await page.goto(url + STEADY);
    await untilItPlays(page);
    const live = () => page.getAttribute('#live', 'data-live');
    const untilLive = () =>
      until('it is live', async () => {
        const { clockReads } = await state(page);
        await sleep(500);
        return (await live()) === 'true' && (await state(page)).clockReads > clockReads;
      }, 60_000);
    await untilLive();

    // A player that stalled plays on behind where it was. hls.js would stay there.
    await page.evaluate(() => {
      document.querySelector('video').currentTime -= 12;
    });
    await until('it is behind', async () => (await live()) === 'false');
    await untilLive();

    let asked = 0;
    await page.route('**/live/**', (route) => {
      asked += 1;
      return route.abort();
    });
    await until('nothing is left to play', async () => (await live()) === 'false', 60_000);
    const [askedBefore, standing] = [asked, await state(page)];
    await sleep(5_000);
    t.diagnostic(`asked ${askedBefore} times, then ${asked - askedBefore} times in 5 s`);
    assert.ok(asked - askedBefore < 20, 'an edge that is away is not stormed');
    await until(
      'a still picture falls behind',
      async () => (await state(page)).latencyMs - standing.latencyMs > 4_000,
    );
    assert.match(await page.textContent('#notice'), /does not answer|next segment/);
    await page.unroute('**/live/**');
    await untilLive();

    // The page may ask more than once: the first token that it gets may be refused as well.
    const tokens = [];
    let carried = false;
    page.on('response', async (response) => {
      if (response.url().endsWith('/demo.json')) tokens.push(...tokensOf(await response.json()));
    });
    page.on('request', (request) => {
      carried ||= tokens.some((token) => request.url().includes(token));
    });
    await page.route('**/live/**', (route) =>
      route.fulfill({ status: 401, headers: { 'Access-Control-Allow-Origin': '*' } }),
    );
    await until('the page asks for another token', () => tokens.length > 0, 60_000);
    await page.unroute('**/live/**');
    await until('the page plays with another token', () => carried, 60_000);
    await untilLive();
  });
});

const REFUSALS = {
  missing: { status: 401, slug: 'token-missing' },
  expired: { status: 401, slug: 'token-expired' },
  tampered: { status: 401, slug: 'token-invalid' },
  scope: { status: 403, slug: 'token-scope' },
};

async function assertRefusalsAreShown(page) {
  for (const [id, { status, slug }] of Object.entries(REFUSALS)) {
    await page.click(`#try-${id}`);
    await page.waitForFunction(
      (wanted) =>
        document.querySelector('#answer-status').textContent === wanted.status &&
        document.querySelector('#answer-body').textContent.includes(wanted.type),
      { status: String(status), type: `"urn:selvedge:error:${slug}"` },
    );
  }
}

/** The tokens in the URLs that the page was given. Every fetch of demo.json mints new ones. */
function tokensOf(demo) {
  const tokens = Object.values(demo)
    .filter((value) => URL.canParse(value))
    .map((value) => new URL(value).searchParams.get('CAT'))
    .filter(Boolean);
  assert.ok(tokens.length >= 3, 'for HLS, for DASH, and an expired one');
  return [...new Set(tokens)];
}

async function assertNoTokenIsShown(page, tokens) {
  const html = await page.evaluate(() => document.documentElement.outerHTML);
  for (const token of tokens) {
    assert.ok(token.length > 40);
    assert.ok(!html.includes(token), 'the token is nowhere in the page');
  }
}
