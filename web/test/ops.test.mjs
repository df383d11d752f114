import assert from 'node:assert/strict';
import test from 'node:test';
import { Api, Refusal, refusalOf } from '../ops/api.js';
import {
  actionsOf,
  creativesOf,
  distinct,
  endOf,
  fillOf,
  groupsOf,
  huesOf,
  nameOf,
  nextOf,
  phaseOf,
} from '../ops/breaks.js';
import { fillText } from '../ops/list.js';
import { firstRules, rulesInWords } from '../ops/rules.js';
import { NOW_AT, Scale } from '../ops/scale.js';
import { clockFor, countdown, fromField, lengthText, rfc3339, roughly, toField } from '../ops/time.js';

const SECOND = 1_000_000;
const NOON = Date.UTC(2026, 10, 21, 12) * 1_000;

const one = (more = {}) => ({
  id: 'news-1-name:noon',
  event: 'name:noon',
  source: 'schedule',
  state: 'announced',
  out_us: NOON,
  planned_us: 60 * SECOND,
  in_us: null,
  slots: [],
  decisions: [],
  reason: null,
  ...more,
});

test('a break is known by its name, or by what signalled it', () => {
  const name = (event) => nameOf(one({ event }));
  assert.equal(name('name:half:time'), 'half:time');
  assert.equal(name('name:at-1767297616000'), 'Unnamed');
  assert.equal(name('si:1001'), 'Splice 1001');
  assert.equal(name('seg:77:0x34'), 'Segmentation 77');
  assert.equal(name('cue'), 'Cue');
});

test('what can be done with a break depends on where it comes from and where it is', () => {
  assert.deepEqual(actionsOf(one()), ['move', 'cancel']);
  assert.deepEqual(actionsOf(one({ source: 'api' })), ['move', 'cancel']);
  assert.deepEqual(actionsOf(one({ source: 'scte35' })), ['cancel'], 'the feed would move it back');
  assert.deepEqual(actionsOf(one({ state: 'open', source: 'scte35' })), ['end']);
  for (const state of ['ended', 'void', 'cancelled']) assert.deepEqual(actionsOf(one({ state })), []);
});

test('a break ends where it did, where it is planned to, or somewhere that can be drawn', () => {
  assert.equal(endOf(one({ in_us: NOON + 45 * SECOND })), NOON + 45 * SECOND);
  assert.equal(endOf(one()), NOON + 60 * SECOND);
  assert.equal(endOf(one({ planned_us: null })), NOON + 30 * SECOND);
});

test('the list has what is on air first, then what comes, then the latest that is over', () => {
  const breaks = [
    one({ id: 'a', state: 'ended', out_us: NOON - 900 * SECOND }),
    one({ id: 'b', state: 'void', out_us: NOON - 600 * SECOND }),
    one({ id: 'c', state: 'open', out_us: NOON - 10 * SECOND }),
    one({ id: 'e', out_us: NOON + 600 * SECOND }),
    one({ id: 'd', out_us: NOON + 300 * SECOND }),
    one({ id: 'f', state: 'something new', out_us: NOON }),
  ];
  const ids = Object.fromEntries(
    Object.entries(groupsOf(breaks)).map(([group, members]) => [group, members.map(({ id }) => id)]),
  );
  assert.deepEqual(ids, { live: ['c'], coming: ['d', 'e'], over: ['f', 'b', 'a'] });
  assert.equal(nextOf(breaks).id, 'c');
  assert.equal(nextOf(breaks.filter(({ id }) => id !== 'c')).id, 'd');
  assert.equal(nextOf([]), null);
  assert.equal(phaseOf(breaks[5]), 'off');
});

test('of several breaks of one id the one that counts is shown', () => {
  const [off, on] = [one({ state: 'cancelled' }), one()];
  assert.deepEqual(distinct([off, on, off]), [on]);
  assert.deepEqual(distinct([off, off]), [off]);
});

test('the fill is as long as the break, whatever its slots say', () => {
  const slots = [
    { creative: 'acme-30', duration_us: 30 * SECOND },
    { creative: 'slate', duration_us: 2 * SECOND },
    { creative: 'slate', duration_us: 2 * SECOND },
  ];
  const fill = fillOf(one({ slots }));
  assert.deepEqual(fill, [
    { creative: 'acme-30', us: 30 * SECOND, count: 1 },
    { creative: 'slate', us: 4 * SECOND, count: 2 },
    { creative: null, us: 26 * SECOND, count: 1 },
  ]);
  assert.equal(fillText(fill, 'slate'), 'acme-30 30 s, 2 × slate 4 s, slate 26 s');
  assert.equal(fillText(fillOf(one()), 'programme'), 'No ads: programme');
  const early = fillOf(one({ slots, in_us: NOON + 20 * SECOND }));
  assert.deepEqual(early, [{ creative: 'acme-30', us: 20 * SECOND, count: 1 }]);
  const nearly = fillOf(one({ slots: [{ creative: 'a', duration_us: 59_980_000 }] }));
  assert.equal(nearly.length, 1, 'less than a frame is nothing that anybody sees');
});

test('creatives have colours of their own, the same wherever they turn up', () => {
  const names = ['acme-30', 'harbour-15', 'fish-15', 'lumen-20', 'a', 'b', 'c', 'd', 'e', 'f'];
  const hues = huesOf(names);
  assert.equal(new Set(hues.values()).size, 10);
  assert.deepEqual([...huesOf(names.toReversed())], [...hues]);
  assert.equal(huesOf([...names, 'g']).size, 11, 'more than there are colours share some');
  const slots = [{ creative: 'b', duration_us: 1 }, { creative: null, duration_us: 1 }, { creative: 'a', duration_us: 1 }];
  assert.deepEqual(creativesOf([one({ slots }), one({ slots })]), ['b', 'a']);
});

test('lengths, countdowns and distances are said as people say them', () => {
  assert.equal(lengthText(90 * SECOND), '1 min 30 s');
  assert.equal(lengthText(2_500_000), '2.5 s');
  assert.equal(lengthText(3_600 * SECOND), '1 h');
  assert.equal(lengthText(0), '0 s');
  assert.equal(countdown(61_200_000), '01:02');
  assert.equal(countdown(3_661 * SECOND), '1:01:01');
  assert.equal(countdown(-5 * SECOND), '00:00');
  assert.equal(roughly(240 * SECOND), 'in 4 min');
  assert.equal(roughly(-200_000), 'now');
  assert.equal(roughly(-20 * SECOND), '20 s ago');
  assert.equal(roughly(-7_200 * SECOND), '2 h ago');
});

test('a moment goes into a field and out of it, in UTC and where people are', () => {
  for (const zone of ['utc', 'local']) {
    for (const us of [NOON, NOON + 250_000]) assert.equal(fromField(toField(us, zone), zone), us, zone);
  }
  assert.equal(toField(NOON, 'utc'), '2026-11-21T12:00:00');
  assert.equal(fromField('', 'utc'), null);
  assert.equal(rfc3339(NOON + 250_000), '2026-11-21T12:00:00.250Z');
  assert.equal(clockFor('utc').time(NOON), '12:00:00');
  assert.equal(clockFor('utc').day(NOON), 'Sat 21 Nov');
});

test('the timeline is drawn to scale, with now where it belongs', () => {
  const scale = Scale.around(NOON, { span: 1_000 * SECOND, width: 1_000 });
  assert.equal(scale.x(NOON), 1_000 * NOW_AT);
  assert.deepEqual(scale.box(NOON, NOON + 60 * SECOND), { left: 300, width: 60 });
  assert.equal(scale.box(NOON, NOON + SECOND).width, 6, 'what is short can still be seen and touched');
  assert.equal(scale.box(NOON - 400 * SECOND, NOON - 301 * SECOND), null);
  assert.equal(scale.box(NOON + 701 * SECOND, NOON + 800 * SECOND), null);
  assert.equal(Scale.around(NOON, { span: 1_000 * SECOND, width: 1_000, pan: 100 * SECOND }).x(NOON), 200);
});

test('ticks are at round times of the zone, and far enough apart to be read', () => {
  for (const width of [300, 700, 1_400]) {
    for (const span of [300, 1_800, 7_200, 43_200]) {
      const scale = Scale.around(NOON + 12_345_678, { span: span * SECOND, width });
      const { step, ticks } = scale.ticks();
      assert.ok((step / (span * SECOND)) * width >= 88, `${span} s on ${width} px`);
      assert.ok(ticks.length >= 1 && ticks.every((us) => us % step === 0 && us >= scale.from && us <= scale.to));
    }
  }
  const india = 5.5 * 3_600 * SECOND;
  const { step, ticks } = Scale.around(NOON, { span: 43_200 * SECOND, width: 900 }).ticks(india);
  assert.ok(ticks.every((us) => (us + india) % step === 0));
});

test('a refusal says what the origin said, as a sentence', () => {
  const refused = refusalOf(409, '{"title": "x", "detail": "it would overlap noon"}');
  assert.deepEqual([refused.message, refused.status, refused.isForToken], ['It would overlap noon.', 409, false]);
  const faults = refusalOf(422, '{"faults": [{"at": "/fill/pod/0", "message": "is no object"}, {"at": "", "message": "is odd"}]}');
  assert.equal(faults.message, 'Fill/pod/0 is no object; document is odd.');
  assert.equal(faults.faults.length, 2);
  assert.equal(refusalOf(502, '<html>').message, 'The origin answered 502.');
  assert.equal(refusalOf(502, 'null').message, 'The origin answered 502.');
  assert.equal(refusalOf(401, '').isForToken, true);
});

test('requests carry the token in a header, and names of any kind in the path', async () => {
  const sent = [];
  const answers = [new Response('{}', { status: 201 }), new Response('', { status: 404 })];
  const fetch = async (url, { method, headers, body }) => {
    sent.push({ url: String(url), method, headers, body });
    return answers.shift() ?? Promise.reject(new TypeError('away'));
  };
  const api = new Api({ base: 'http://origin:9090/', token: () => 'secret', fetch });
  await api.schedule('news', { at: 'now', duration_ms: 30_000 });
  assert.deepEqual(sent[0], {
    url: 'http://origin:9090/channels/news/breaks',
    method: 'POST',
    headers: { Authorization: 'Bearer secret', 'Content-Type': 'application/json' },
    body: '{"at":"now","duration_ms":30000}',
  });
  assert.equal(await api.rules('a b/c'), null, 'a channel may have no rules');
  assert.equal(sent[1].url, 'http://origin:9090/channels/a%20b%2Fc/breaks/rules');
  await assert.rejects(api.cancel('news', 'news-1-name:noon'), (error) => error instanceof Refusal && error.status === 0);
  assert.equal(sent[2].url, 'http://origin:9090/channels/news/breaks/news-1-name%3Anoon');
});

test('a clock that is off by more than a moment is put right by the answers', async () => {
  let off = 0;
  const fetch = async () =>
    new Response('{}', { headers: { Date: new Date(Date.now() + off).toUTCString() } });
  const api = new Api({ base: 'http://origin/', token: () => null, fetch });
  await api.breaks('news');
  assert.equal(api.skewMs, 0);
  off = 90_000;
  await api.breaks('news');
  assert.ok(Math.abs(api.skewMs - 90_000) <= 1_000, `${api.skewMs}`);
});

test('rules are told in words, and the first ones have what a document must have', () => {
  const words = rulesInWords({
    fill: {
      pod: [{ creative: 'acme-30', duration_ms: 30_000 }],
      slate: { creative: 'slate', duration_ms: 1_920 },
      rest: 'slate',
    },
    lengths: { min_ms: 5_000, max_ms: 300_000 },
    returns: { early: false },
    openers: ['splice_insert', 'provider_po'],
    exempt: ['premium'],
  });
  assert.deepEqual(words, [
    ['Pod', 'acme-30 (30 s)'],
    ['Slate', 'slate (1.92 s)'],
    ['Behind the last ad', 'slate'],
    ['Opened by', 'splice insert, provider po'],
    ['Length', 'at least 5 s, at most 5 min'],
    ['Early end', 'not possible'],
    ['Without breaks', 'premium'],
  ]);
  assert.deepEqual(rulesInWords({})[0], ['Pod', 'no ads: the programme stays on air']);
  assert.equal(JSON.parse(firstRules('news')).channel, 'news');
});
