// The page of ad operations: a channel's breaks on a timeline and in a list, and what to do with them.
import { Api, Refusal } from './api.js';
import { creativesOf, distinct, endOf, fillOf, huesOf, lengthOf, nameOf, nextOf, phaseOf } from './breaks.js';
import { $, element, refill, say } from './dom.js';
import { listOf } from './list.js';
import { firstRules, rulesInWords } from './rules.js';
import { SPANS, Scale } from './scale.js';
import { Timeline } from './timeline.js';
import { clockFor, countdown, fromField, lengthText, rfc3339, roughly, toField } from './time.js';

const POLL_MS = 1_000;
const POLL_AFTER_FAILURE_MS = 3_000;
const RULES_EVERY_POLLS = 5;
const DRAW_EVERY_MS = 100;
/** How long a button asks once more before it forgets. */
const SURE_WITHIN_MS = 4_000;
const MESSAGE_MS = 8_000;
const MOST_MESSAGES = 3;
/** Media that ends so long ago comes from a channel that has stopped. */
const STALE_US = 30_000_000;
const TOKEN = 'selvedge-ops-token';
const REST_WORDS = { slate: 'slate', resume: 'programme', wait: 'nothing' };

const state = {
  channels: [],
  channel: null,
  listing: null,
  rules: null,
  /** Whether there is an answer that rules are none, or which. */
  rulesKnown: false,
  zone: localStorage.getItem('selvedge-ops-zone') === 'local' ? 'local' : 'utc',
  span: SPANS.find(({ id }) => id === localStorage.getItem('selvedge-ops-span')) ?? SPANS[1],
  pan: 0,
  selected: null,
  armed: null,
  moving: null,
  polls: 0,
};

const api = new Api({
  base: new URL('./', location.href).href,
  token: () => sessionStorage.getItem(TOKEN),
});

const nowUs = () => (Date.now() + api.skewMs) * 1_000;
const breaks = () => state.listing?.breaks ?? [];
const clock = () => clockFor(state.zone);
/** Microseconds east of Greenwich. */
const shift = () => (state.zone === 'utc' ? 0 : -new Date().getTimezoneOffset() * 60_000_000);

let hues = new Map();

/** The class of a creative's colour: slate, and what nobody chose, have none. */
function hue(creative) {
  if (creative === null) return rest() === 'slate' ? 'slate' : 'rest';
  return creative === state.rules?.fill?.slate?.creative ? 'slate' : `hue-${hues.get(creative) ?? 0}`;
}

/** What stands where no ad does, in a word. */
const rest = () => REST_WORDS[state.rules?.fill?.rest] ?? REST_WORDS.resume;

const timeline = new Timeline(
  {
    track: $('track'),
    ticks: $('ticks'),
    past: $('past'),
    edge: $('edge'),
    now: $('now'),
    nowLabel: $('now-label'),
    ghost: $('ghost'),
  },
  { select, hue },
);

// Asking

let timer = 0;

/** Asks now, and again and again. What comes late from another channel is nobody's. */
async function poll() {
  clearTimeout(timer);
  let wait = POLL_MS;
  try {
    await pollChannels();
    const { channel } = state;
    if (channel !== null) {
      const listing = await api.breaks(channel);
      if (channel === state.channel) {
        state.listing = { ...listing, breaks: distinct(listing.breaks) };
        if (!state.rulesKnown || state.polls % RULES_EVERY_POLLS === 0) await pollRules(channel);
      }
    }
    state.polls += 1;
    $('sign-out').hidden = !sessionStorage.getItem(TOKEN);
    banner(state.channel === null ? 'No channel is on air at this origin yet.' : '');
    showListing();
  } catch (error) {
    wait = POLL_AFTER_FAILURE_MS;
    if (!(error instanceof Refusal)) throw error;
    if (error.isForToken) return askForToken();
    if (error.status === 404) state.channels = [];
    banner(error.status === 0 ? 'The origin does not answer. What you see is what was known last.' : error.message);
  } finally {
    if (!$('token-dialog').open) timer = setTimeout(poll, wait);
  }
}

async function pollChannels() {
  if (state.channels.length && state.polls % RULES_EVERY_POLLS !== 0) return;
  state.channels = await api.channels();
  const names = state.channels.map(({ name }) => name);
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (names.includes(wanted)) choose(wanted);
  else if (state.channel === null || !names.includes(state.channel)) choose(names[0] ?? null);
  showChannels();
}

async function pollRules(channel) {
  const held = await api.rules(channel);
  if (channel !== state.channel) return;
  state.rules = held && JSON.parse(held.text);
  state.rulesKnown = true;
  showRules();
}

function choose(channel) {
  if (channel === state.channel) return;
  Object.assign(state, { channel, listing: null, rules: null, rulesKnown: false });
  Object.assign(state, { selected: null, armed: null, pan: 0 });
  document.title = channel === null ? 'Breaks · Selvedge' : `${channel} · Breaks · Selvedge`;
}

// Showing

function showChannels() {
  const links = state.channels.map(({ name, state: is }) =>
    element(
      'a',
      {
        href: `#${encodeURIComponent(name)}`,
        'data-key': name,
        'aria-current': name === state.channel ? 'page' : undefined,
      },
      element('span', { class: 'dot', 'data-state': is, title: is }),
      name,
    ),
  );
  refill($('channels'), ...links);
}

let listed = '';

function showListing() {
  const drawn = JSON.stringify([breaks(), state.selected, state.armed, state.zone, state.rules?.fill, state.channel]);
  if (drawn !== listed) {
    listed = drawn;
    hues = huesOf(creativesOf(breaks()));
    const seen = { clock: clock(), now: nowUs(), selected: state.selected, armed: state.armed, hue, rest: rest() };
    refill($('groups'), ...listOf(breaks(), seen));
    showLegend();
  }
  draw();
}

function showLegend() {
  const entries = creativesOf(breaks()).map((creative) =>
    element('li', {}, element('i', { class: hue(creative), 'aria-hidden': 'true' }), creative),
  );
  const hasRest = (one) => phaseOf(one) !== 'off' && fillOf(one).some(({ creative }) => creative === null);
  if (rest() !== 'slate' && breaks().some(hasRest)) {
    entries.push(element('li', {}, element('i', { class: 'rest', 'aria-hidden': 'true' }), rest()));
  }
  $('legend').replaceChildren(...entries);
}

function showRules() {
  const { rules } = state;
  const none = [['None', 'Write some first: without them there are no breaks on this channel.']];
  const words = rules === null ? none : rulesInWords(rules);
  $('rules').replaceChildren(
    ...words.map(([term, text]) => element('div', {}, element('dt', {}, term), element('dd', {}, text))),
  );
  say($('edit-rules'), rules === null ? 'Write' : 'Edit');
}

function banner(text) {
  $('banner').hidden = text === '';
  say($('banner'), text);
}

/** What moves by itself: the line of now, countdowns, the clock. */
function draw() {
  const now = nowUs();
  const { time } = clock();
  say($('clock'), time(now));
  const edge = state.listing?.edge_us ?? null;
  timeline.draw({
    breaks: breaks(),
    scale: scale(now),
    now,
    edge,
    clock: clock(),
    shift: shift(),
    selected: state.selected,
    ghost: ghost(),
  });
  $('to-now').disabled = state.pan === 0;
  for (const node of document.querySelectorAll('[data-relative]')) {
    const [, day] = node.textContent.split(', ');
    const text = roughly(Number(node.dataset.relative) - now);
    say(node, day ? `${text}, ${day}` : text);
  }
  const behind = edge === null ? null : now - edge;
  say(
    $('edge-note'),
    behind === null
      ? ''
      : behind > STALE_US
        ? `No media since ${time(edge)}`
        : `Published until ${lengthText(Math.max(0, Math.round(behind / 100_000) * 100_000))} ago`,
  );
  drawNext(now, time);
}

function scale(now) {
  return Scale.around(now, { span: state.span.us, width: timeline.width || 1, pan: state.pan });
}

function drawNext(now, time) {
  const card = document.querySelector('.next');
  const next = nextOf(breaks());
  card.dataset.phase = next ? phaseOf(next) : 'none';
  const isLive = card.dataset.phase === 'live';
  say($('next-label'), isLive ? 'On air' : 'Next break');
  say($('countdown'), next ? countdown((isLive ? endOf(next) : next.out_us) - now) : '–');
  const name = next && `${nameOf(next)}, ${lengthText(lengthOf(next))}`;
  const when = next && (isLive ? `ends at ${time(endOf(next))}` : `at ${time(next.out_us)}`);
  say($('next-name'), next ? `${name}, ${when}` : 'None is planned.');
  const done = isLive ? Math.min(1, Math.max(0, (now - next.out_us) / lengthOf(next))) : 0;
  card.style.setProperty('--done', `${(done * 100).toFixed(1)}%`);
}

/** The break that the form would ask for. */
function ghost() {
  if (!$('schedule').matches(':focus-within')) return null;
  const [from, seconds] = [begins(), Number($('duration').value)];
  return from === null || !(seconds > 0) ? null : { from, to: from + seconds * 1_000_000 };
}

function message(text, kind = 'good') {
  const node = element('p', { class: `message ${kind}` }, text);
  $('messages').append(node);
  if ($('messages').childElementCount > MOST_MESSAGES) $('messages').firstElementChild.remove();
  setTimeout(() => node.remove(), MESSAGE_MS);
}

// Doing

/**
 * Does something at the origin and tells what came of it.
 *
 * @param {() => Promise<unknown>} act
 * @param {{ done: string, refused: (refusal: Refusal) => void }} tell
 * @returns {Promise<boolean>} whether it was done
 */
async function attempt(act, { done, refused }) {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.isForToken) askForToken();
    else refused(error);
    return false;
  }
  message(done);
  await poll();
  return true;
}

const refusedAloud = (refusal) => message(refusal.message, 'bad');

function select(id) {
  state.selected = state.selected === id ? null : id;
  showListing();
  document.querySelector('#groups .selected')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
}

let disarm = 0;

$('groups').addEventListener('click', (event) => {
  const row = event.target.closest('li[data-id]');
  if (!row) return;
  const one = breaks().find(({ id }) => id === row.dataset.id);
  const action = event.target.closest('[data-action]')?.dataset.action;
  if (!one) return;
  if (!action) select(one.id);
  else if (action === 'move') openMove(one);
  else if (state.armed === one.id) void call(one, action);
  else arm(one.id);
});

/** A slip of the hand must not end a break: the button asks once more. */
function arm(id) {
  state.armed = id;
  showListing();
  clearTimeout(disarm);
  if (id !== null) disarm = setTimeout(() => arm(null), SURE_WITHIN_MS);
}

async function call(one, action) {
  arm(null);
  const done = action === 'end' ? `${nameOf(one)} ends.` : `${nameOf(one)} is cancelled.`;
  await attempt(() => api.cancel(state.channel, one.id), { done, refused: refusedAloud });
}

// The form

/** The moment in the form; now, where that was asked for. */
const begins = () => (asSoonAsPossible ? nowUs() : fromField($('at').value, state.zone));
let asSoonAsPossible = false;

const SOON = [
  { label: 'Now', at: () => null },
  { label: '+1 min', at: (now) => wholeSeconds(now + 60_000_000) },
  { label: '+5 min', at: (now) => wholeSeconds(now + 300_000_000) },
  { label: 'Next quarter', at: (now) => Math.ceil((now + 1) / 900_000_000) * 900_000_000 },
];
const LENGTHS = [15, 30, 60, 90, 120];
const wholeSeconds = (us) => Math.round(us / 1_000_000) * 1_000_000;

function chips(host, entries) {
  host.append(
    ...entries.map(({ label, press }) => {
      const chip = element('button', { type: 'button', class: 'chip' }, label);
      chip.addEventListener('click', () => {
        press();
        for (const other of host.children) other.classList.toggle('chosen', other === chip);
        draw();
      });
      return chip;
    }),
  );
}

const unchoose = (host) => {
  for (const chip of host.children) chip.classList.remove('chosen');
};

chips(
  $('at-chips'),
  SOON.map(({ label, at }) => ({
    label,
    press() {
      const moment = at(nowUs());
      asSoonAsPossible = moment === null;
      $('at').value = toField(moment ?? wholeSeconds(nowUs()), state.zone);
    },
  })),
);
chips(
  $('duration-chips'),
  LENGTHS.map((seconds) => ({
    label: lengthText(seconds * 1_000_000),
    press: () => ($('duration').value = seconds),
  })),
);
$('at').addEventListener('input', () => {
  asSoonAsPossible = false;
  unchoose($('at-chips'));
});
$('duration').addEventListener('input', () => unchoose($('duration-chips')));

$('schedule').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [at, seconds, name] = [begins(), Number($('duration').value), $('name').value.trim()];
  const refused = (refusal) => say($('schedule-refusal'), refusal.message);
  say($('schedule-refusal'), '');
  if (state.channel === null) return refused(new Refusal(0, 'There is no channel yet.'));
  if (at === null) return refused(new Refusal(0, 'Say when it begins.'));
  if (!(seconds > 0)) return refused(new Refusal(0, 'Say how long it is.'));
  if (!$('name').checkValidity()) {
    return refused(new Refusal(0, 'A name is letters, digits and . _ : - alone.'));
  }
  const wish = { at: asSoonAsPossible ? 'now' : rfc3339(at), duration_ms: Math.round(seconds * 1_000) };
  if (name) wish.name = name;
  const done = `${name || 'A break'} of ${lengthText(seconds * 1_000_000)} is scheduled.`;
  if (await attempt(() => api.schedule(state.channel, wish), { done, refused })) $('name').value = '';
});

// Moving

function openMove(one) {
  state.moving = one;
  say($('move-label'), `Move ${nameOf(one)}`);
  say($('move-refusal'), '');
  $('move-at').value = toField(one.out_us, state.zone);
  $('move-duration').value = +(lengthOf(one) / 1_000_000).toFixed(3);
  $('move-dialog').showModal();
}

chips(
  $('move-chips'),
  [-60, -10, 10, 60].map((seconds) => ({
    label: `${seconds > 0 ? '+' : '−'}${lengthText(Math.abs(seconds) * 1_000_000)}`,
    press() {
      const at = fromField($('move-at').value, state.zone);
      if (at !== null) $('move-at').value = toField(at + seconds * 1_000_000, state.zone);
      queueMicrotask(() => unchoose($('move-chips')));
    },
  })),
);
$('move-leave').addEventListener('click', () => $('move-dialog').close());
$('move-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { moving: one } = state;
  const [at, seconds] = [fromField($('move-at').value, state.zone), Number($('move-duration').value)];
  const refused = (refusal) => say($('move-refusal'), refusal.message);
  if (at === null || !(seconds > 0)) return refused(new Refusal(0, 'Say when it begins, and how long it is.'));
  const wish = { at: rfc3339(at), duration_ms: Math.round(seconds * 1_000) };
  const done = `${nameOf(one)} moves to ${clock().time(at)}.`;
  if (await attempt(() => api.move(state.channel, one.id, wish), { done, refused })) $('move-dialog').close();
});

// Rules

let tag = null;

$('edit-rules').addEventListener('click', async () => {
  const { channel } = state;
  if (channel === null) return;
  try {
    const held = await api.rules(channel);
    tag = held?.tag ?? null;
    $('rules-text').value = held?.text ?? firstRules(channel);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.isForToken ? askForToken() : refusedAloud(error);
  }
  say($('rules-dialog-label'), `Rules of ${channel}`);
  $('rules-faults').replaceChildren();
  $('rules-dialog').showModal();
  $('rules-text').setSelectionRange(0, 0);
  $('rules-text').scrollTop = 0;
});
$('rules-leave').addEventListener('click', () => $('rules-dialog').close());
$('rules-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const refused = ({ faults, message: text }) => {
    const told = faults.length ? faults : [{ at: '', message: text }];
    $('rules-faults').replaceChildren(
      ...told.map(({ at, message: what }) => element('li', {}, element('code', {}, at || 'document'), ` ${what}`)),
    );
  };
  state.rulesKnown = false;
  const act = () => api.putRules(state.channel, $('rules-text').value, tag);
  if (await attempt(act, { done: 'The rules are in force.', refused })) $('rules-dialog').close();
});

// The token

function askForToken() {
  clearTimeout(timer);
  if ($('token-dialog').open) return;
  const was = sessionStorage.getItem(TOKEN) !== null;
  sessionStorage.removeItem(TOKEN);
  say($('token-refusal'), was ? 'That is not the token of this origin.' : '');
  $('token').value = '';
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  $('token-dialog').showModal();
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = $('token').value.trim();
  // What no header can carry is no token.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return say($('token-refusal'), 'A token has letters, digits and signs, and no blanks.');
  }
  sessionStorage.setItem(TOKEN, token);
  $('token-dialog').close();
  void poll();
});
// Without a token there is nothing behind the dialog.
$('token-dialog').addEventListener('cancel', (event) => event.preventDefault());
$('sign-out').addEventListener('click', () => {
  sessionStorage.removeItem(TOKEN);
  state.listing = null;
  state.rulesKnown = false;
  showListing();
  void poll();
});

// How it is seen

function showZone() {
  say($('zone-name'), state.zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone);
  $('zone').setAttribute('aria-pressed', String(state.zone === 'local'));
}

$('zone').addEventListener('click', () => {
  const [at, moving] = [fromField($('at').value, state.zone), fromField($('move-at').value, state.zone)];
  state.zone = state.zone === 'utc' ? 'local' : 'utc';
  localStorage.setItem('selvedge-ops-zone', state.zone);
  if (at !== null) $('at').value = toField(at, state.zone);
  if (moving !== null) $('move-at').value = toField(moving, state.zone);
  showZone();
  showListing();
});

const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
};
const showTheme = () => say($('theme'), isDark() ? 'Light' : 'Dark');

$('theme').addEventListener('click', () => {
  const theme = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  localStorage.setItem('selvedge-ops-theme', theme);
  showTheme();
});

$('spans').append(
  ...SPANS.map(({ id, label }) =>
    element(
      'label',
      {},
      element('input', { type: 'radio', name: 'span', value: id, checked: id === state.span.id }),
      element('span', {}, label),
    ),
  ),
);
$('spans').addEventListener('change', ({ target }) => {
  state.span = SPANS.find(({ id }) => id === target.value);
  state.pan = 0;
  localStorage.setItem('selvedge-ops-span', state.span.id);
  draw();
});

function pan(by) {
  state.pan += by * state.span.us;
  draw();
}
$('back').addEventListener('click', () => pan(-0.5));
$('ahead').addEventListener('click', () => pan(0.5));
$('to-now').addEventListener('click', () => {
  state.pan = 0;
  draw();
});
$('track').addEventListener(
  'wheel',
  (event) => {
    const by = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
    if (!by) return;
    event.preventDefault();
    pan(by / Math.max(timeline.width, 1));
  },
  { passive: false },
);

document.querySelector('.skip').addEventListener('click', (event) => {
  // The fragment names a channel.
  event.preventDefault();
  $('breaks').focus();
});
addEventListener('hashchange', () => {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (!state.channels.some(({ name }) => name === wanted)) return;
  choose(wanted);
  showChannels();
  showListing();
  void poll();
});
addEventListener('resize', draw);

const theme = localStorage.getItem('selvedge-ops-theme');
if (theme) document.documentElement.dataset.theme = theme;
showTheme();
showZone();
$('at').value = toField(wholeSeconds(nowUs() + 300_000_000), state.zone);
setInterval(draw, matchMedia('(prefers-reduced-motion: reduce)').matches ? 1_000 : DRAW_EVERY_MS);
void poll();
