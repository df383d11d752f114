// The page of ad operations, in a browser, before a real origin with a live channel; and the commands beside it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { startBrowser } from './support/browser.mjs';
import { temporaryFolder } from './support/keys.mjs';
import { startEncoder } from './support/parts.mjs';
import * as paths from './support/paths.mjs';
import { Stage, answers, artifacts, freePort, until } from './support/processes.mjs';

const TOKEN = 'correct-horse';
const CHANNEL = 'news';
const DESKTOP = { width: 1480, height: 980 };
const PHONE = { width: 390, height: 844 };

const RULES = {
  version: 1,
  channel: CHANNEL,
  fill: {
    pod: [
      { creative: 'acme-4', duration_ms: 3_840 },
      { creative: 'fish-4', duration_ms: 3_840 },
    ],
    slate: { creative: 'slate', duration_ms: 1_920 },
    rest: 'slate',
  },
};

describe('the page of ad operations', () => {
  const stage = new Stage();
  let [origin, browser, page] = [];
  const complaints = [];

  before(async () => {
    const folder = temporaryFolder(stage);
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    const config = join(folder, 'selvedge.toml');
    writeFileSync(config, `[origin]\nadmin_token = "${TOKEN}"\n`);
    const args = ['origin', '--config', config, '--listen', `127.0.0.1:${port}`];
    await stage.start({
      name: 'origin',
      command: paths.selvedge(),
      args: [...args, '--data', join(folder, 'data')],
      ready: () => answers(`${origin}/healthz`),
    });
    await startEncoder(stage, origin, CHANNEL);
    browser = await startBrowser(stage);
    page = await browser.newPage({ viewport: DESKTOP, colorScheme: 'dark', locale: 'en-GB' });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (line) => {
      if (/Content Security Policy/.test(line.text())) complaints.push(line.text());
    });
  });
  after(() => stage.close());

  const row = (name) => page.locator('#groups li', { has: page.locator(`strong:text-is("${name}")`) });
  const shot = async (name) => {
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(artifacts(), `${name}.png`) });
  };
  const inUtc = (ms) => new Date(ms).toISOString().slice(0, 19);

  /** What the origin says, asked as a program would. */
  async function told() {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${origin}/channels/${CHANNEL}/breaks`, { headers });
    return (await answer.json()).breaks;
  }

  async function schedule(name, ms, seconds) {
    await page.fill('#at', inUtc(ms));
    await page.fill('#duration', String(seconds));
    await page.fill('#name', name);
    await page.click('#schedule button[type=submit]');
  }

  async function breaks(...args) {
    const env = { PATH: process.env.PATH, SELVEDGE_ADMIN_TOKEN: TOKEN };
    const { stdout } = await promisify(execFile)(
      paths.selvedge(),
      ['breaks', ...args, '--origin', origin],
      { env },
    );
    return stdout;
  }

  test('asks for the token, and refuses a wrong one', async () => {
    await page.goto(`${origin}/ops`);
    await page.waitForSelector('#token-dialog[open]');
    await page.fill('#token', 'wrong');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#token-refusal').textContent.includes('not the token'));
    assert.equal(await page.locator('#groups li').count(), 0);
    await page.fill('#token', TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.group.coming .empty');
    assert.equal(await page.locator('#channels a[aria-current]').textContent(), CHANNEL);
    const html = await page.evaluate(() => document.documentElement.outerHTML);
    assert.ok(!html.includes(TOKEN), 'the token is nowhere in the page');
  });

  test('shows all faults of rules, and puts good ones in force', async () => {
    await page.click('#edit-rules');
    const bad = { ...RULES, fill: { pod: [{ creative: 'two words', duration_ms: 1 }] }, shedule: [] };
    await page.fill('#rules-text', JSON.stringify(bad));
    await page.click('#rules-form button[type=submit]');
    await page.waitForSelector('#rules-faults li');
    const faults = await page.locator('#rules-faults code').allTextContents();
    assert.deepEqual(faults.toSorted(), ['/fill/pod/0/creative', '/fill/pod/0/duration_ms', '/shedule']);
    await page.fill('#rules-text', JSON.stringify(RULES));
    await page.click('#rules-form button[type=submit]');
    await page.waitForSelector('#rules-dialog', { state: 'hidden' });
    await until('the rules are told', async () => /acme-4/.test(await page.textContent('#rules')));
  });

  let airs = 0;

  test('a break that is scheduled shows where it lies in time, and what is in it', async () => {
    airs = Date.now() + 25_000;
    await schedule('first', airs, 12);
    await row('first').waitFor();
    assert.equal(await row('first').getAttribute('data-phase'), 'coming');
    assert.match(await row('first').locator('.fill').textContent(), /acme-4.*fish-4.*slate/);
    const [one] = await told();
    assert.equal(one.event, 'name:first');
    assert.ok(Math.abs(one.out_us / 1_000 - airs) < 2_000, 'on the segment that is nearest');

    await page.check('#spans input[value="5m"]', { force: true });
    const box = await page.locator('.break').boundingBox();
    const [now, track] = [await page.locator('#now').boundingBox(), await page.locator('#track').boundingBox()];
    const seconds = ((box.x - now.x) / track.width) * 300;
    const left = one.out_us / 1_000_000 - Date.now() / 1_000;
    assert.ok(Math.abs(seconds - left) < 3, `drawn ${seconds} s from now, and is ${left} s away`);

    await schedule('onto it', airs, 10);
    await until('the name is refused', async () => /letters/.test(await page.textContent('#schedule-refusal')));
    await schedule('onto-it', airs, 10);
    await until('the refusal is told', async () => /overlap/.test(await page.textContent('#schedule-refusal')));
    assert.equal((await told()).length, 1);
  });

  test('a break is moved, and cancelled when asked twice', async () => {
    const at = Date.now() + 120_000;
    await schedule('second', at, 10);
    await row('second').waitFor();
    const before = await row('second').locator('time').getAttribute('datetime');
    await row('second').locator('[data-action=move]').click();
    await page.locator('#move-chips button', { hasText: '+1 min' }).click();
    await page.click('#move-form button[type=submit]');
    await page.waitForSelector('#move-dialog', { state: 'hidden' });
    const moved = await until('it has moved', async () => {
      const now = await row('second').locator('time').first().getAttribute('datetime');
      return now !== before && now;
    });
    assert.ok(Math.abs(Date.parse(moved) - Date.parse(before) - 60_000) < 2_000, `${before} to ${moved}`);
    await shot('dark');

    const cancel = row('second').locator('[data-action=cancel]').first();
    await cancel.click();
    assert.equal(await cancel.textContent(), 'Really cancel?');
    assert.equal((await told()).filter(({ state }) => state === 'announced').length, 2, 'not yet');
    await cancel.click();
    await until('it is cancelled', async () => {
      const states = await row('second').locator('.pill').allTextContents();
      return states.length > 0 && states.every((state) => state === 'Cancelled');
    });
  });

  test('a break goes on air, and is ended', async () => {
    await until('it is on air', async () => (await row('first').getAttribute('data-phase')) === 'live', 60_000);
    assert.equal(await page.textContent('#next-label'), 'On air');
    await page.emulateMedia({ colorScheme: 'light' });
    await shot('light');
    const end = row('first').locator('[data-action=end]');
    await end.click();
    await end.click();
    await until('it is over', async () => (await row('first').getAttribute('data-phase')) === 'aired', 20_000);
    const [one] = (await told()).filter(({ event }) => event === 'name:first');
    assert.equal(one.state, 'ended');
    assert.ok(one.in_us - one.out_us < one.planned_us, 'before its time');
  });

  test('the commands see and do the same', async () => {
    const listed = await breaks('list', '--channel', CHANNEL);
    assert.match(listed, /0 on air, 0 to come, 1 aired/);
    const asked = await breaks('schedule', '--channel', CHANNEL, '--at', '+90s', '--duration', '10s', '--name', 'third');
    const [id] = /news-\d+-name:third/.exec(asked);
    await row('third').waitFor();
    await breaks('move', id, '--channel', CHANNEL, '--at', '+150s');
    const third = (await told()).find(({ event, state }) => event === 'name:third' && state === 'announced');
    await breaks('cancel', third.id, '--channel', CHANNEL);
    await until('it is cancelled', async () => {
      const states = await row('third').locator('.pill').allTextContents();
      return states.length > 0 && states.every((state) => state === 'Cancelled');
    });

    const file = join(artifacts(), 'rules.json');
    const noon = { name: 'fourth', at: new Date(Date.now() + 240_000).toISOString(), duration_ms: 10_000 };
    writeFileSync(file, JSON.stringify({ ...RULES, schedule: [noon] }));
    const pushed = await breaks('push', file, '--to', 'origin');
    assert.match(pushed, /\+ fourth {2}is new: .*\nnews: in force at the origin/s);
    await row('fourth').waitFor();
    assert.match(await breaks('diff', file), /has the same rules/);
  });

  test('all of it is reached by keyboard, and nothing hangs over on a phone', async () => {
    await page.check('#spans input[value="30m"]', { force: true });
    await page.locator('.break').first().focus();
    await page.keyboard.press('ArrowRight');
    const label = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    assert.match(label, /^(first|second|third|fourth), /);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#groups li.selected');
    await page.setViewportSize(PHONE);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0);
    await page.screenshot({ path: join(artifacts(), 'phone.png'), fullPage: true });
    assert.deepEqual(complaints, []);
  });
});
