// What is seen of a channel: its breaks on the timeline and in the list, the next one, its rules.
import { creativesOf, endOf, fillOf, huesOf, lengthOf, nameOf, nextOf, phaseOf } from './breaks.js';
import { $, element, refill, say } from './dom.js';
import { listOf } from './list.js';
import { rulesInWords } from './rules.js';
import { Scale } from './scale.js';
import { breaks, clock, nowUs, shift, state } from './state.js';
import { countdown, lengthText, roughly } from './time.js';
import { Timeline } from './timeline.js';

const MESSAGE_MS = 8_000;
const MOST_MESSAGES = 3;
/** Media that ends so long ago comes from a channel that has stopped. */
const STALE_US = 30_000_000;
const REST_WORDS = { slate: 'slate', resume: 'programme', wait: 'nothing' };

let hues = new Map();

/** The class of a creative's colour: slate, and what nobody chose, have none. */
function hue(creative) {
  if (creative === null) return rest() === 'slate' ? 'slate' : 'rest';
  return creative === state.rules?.fill?.slate?.creative ? 'slate' : `hue-${hues.get(creative) ?? 0}`;
}

/** What stands where no ad does, in a word. */
const rest = () => REST_WORDS[state.rules?.fill?.rest] ?? REST_WORDS.resume;

export const timeline = new Timeline(
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

export function select(id) {
  state.selected = state.selected === id ? null : id;
  showListing();
  document.querySelector('#groups .selected')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
}

/** The break that the form would ask for, where it is being filled in. */
let ghost = () => null;
export const showGhost = (of) => (ghost = of);

export function showChannels() {
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

export function showListing() {
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

export function showRules() {
  const { rules } = state;
  const none = [['None', 'Write some first: without them there are no breaks on this channel.']];
  const words = rules === null ? none : rulesInWords(rules);
  $('rules').replaceChildren(
    ...words.map(([term, text]) => element('div', {}, element('dt', {}, term), element('dd', {}, text))),
  );
  say($('edit-rules'), rules === null ? 'Write' : 'Edit');
}

export function banner(text) {
  $('banner').hidden = text === '';
  say($('banner'), text);
}

/** What moves by itself: the line of now, countdowns, the clock. */
export function draw() {
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

export function message(text, kind = 'good') {
  const node = element('p', { class: `message ${kind}` }, text);
  $('messages').append(node);
  if ($('messages').childElementCount > MOST_MESSAGES) $('messages').firstElementChild.remove();
  setTimeout(() => node.remove(), MESSAGE_MS);
}
