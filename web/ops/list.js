// The list of breaks: on air, coming, over; with what is in each, and what can be done with it.
import {
  actionsOf,
  fillOf,
  groupsOf,
  lengthOf,
  nameOf,
  phaseOf,
  sourceOf,
  stateOf,
} from './breaks.js';
import { element } from './dom.js';
import { lengthText, roughly } from './time.js';

const TITLES = { live: 'On air', coming: 'Coming', over: 'Aired and cancelled' };
const EMPTY = { coming: 'Nothing is planned. Breaks that are signalled in the feed show here when they are heard.' };

/** So many of those that are over: what was before is in the log. */
const MOST_OVER = 40;

const ACTIONS = {
  move: { label: 'Move', sure: '' },
  cancel: { label: 'Cancel', sure: 'Really cancel?' },
  end: { label: 'End now', sure: 'Really end it?' },
};

/**
 * The whole list as elements.
 *
 * @param {import('./breaks.js').Break[]} breaks
 * @param {object} seen
 * @param {ReturnType<typeof import('./time.js').clockFor>} seen.clock
 * @param {number} seen.now
 * @param {string | null} seen.selected
 * @param {string | null} seen.armed the break whose button asks once more
 * @param {(creative: string | null) => string} seen.hue
 * @param {string} seen.rest what stands where no ad does
 */
export function listOf(breaks, seen) {
  return Object.entries(groupsOf(breaks))
    .filter(([group, members]) => members.length || EMPTY[group])
    .map(([group, members]) => {
      const shown = group === 'over' ? members.slice(0, MOST_OVER) : members;
      const section = element(
        'section',
        { class: `group ${group}`, 'aria-labelledby': `group-${group}` },
        element(
          'h3',
          { id: `group-${group}` },
          TITLES[group],
          element('span', { class: 'count' }, ` ${members.length}`),
        ),
      );
      if (!shown.length) section.append(element('p', { class: 'empty' }, EMPTY[group]));
      else section.append(element('ul', {}, ...shown.map((one) => row(one, seen))));
      return section;
    });
}

function row(one, { clock, now, selected, armed, hue, rest }) {
  const day = clock.day(one.out_us);
  const buttons = actionsOf(one).map((action) => {
    const { label, sure } = ACTIONS[action];
    const isArmed = armed === one.id && sure !== '';
    return element(
      'button',
      {
        type: 'button',
        class: isArmed ? 'danger' : 'quiet',
        'data-action': action,
        'data-key': `${action} ${one.id}`,
        'aria-label': `${isArmed ? sure : label} ${nameOf(one)}`,
      },
      isArmed ? sure : label,
    );
  });
  const fill = fillOf(one);
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
  for (const { creative, us } of fill) {
    const slot = element('i', { class: hue(creative) });
    slot.style.flexGrow = us;
    bar.append(slot);
  }
  const isAired = phaseOf(one) !== 'off';
  const filled = isAired ? [bar, element('p', { class: 'aside' }, fillText(fill, rest))] : [reason(one)];
  const content = [
    element(
      'p',
      { class: 'when' },
      element('time', { datetime: new Date(one.out_us / 1_000).toISOString() }, clock.time(one.out_us)),
      element(
        'span',
        { class: 'aside', 'data-relative': one.out_us },
        roughly(one.out_us - now) + (day === clock.day(now) ? '' : `, ${day}`),
      ),
    ),
    element(
      'p',
      { class: 'what' },
      element('strong', {}, nameOf(one)),
      element('span', { class: 'aside' }, sourceOf(one)),
    ),
    element('p', { class: 'length' }, lengthText(lengthOf(one))),
    element('div', { class: 'fill' }, ...filled),
    element('p', { class: 'state' }, element('span', { class: 'pill' }, stateOf(one)), decided(one)),
    element('p', { class: 'actions' }, ...buttons),
  ];
  return element(
    'li',
    { 'data-id': one.id, 'data-phase': phaseOf(one), class: one.id === selected ? 'selected' : undefined },
    ...content,
  );
}

const reason = (one) => element('p', { class: 'aside' }, one.reason ?? '');

function decided(one) {
  const cohorts = one.decisions?.length ?? 0;
  if (!cohorts || phaseOf(one) === 'off') return '';
  const text = cohorts === 1 ? 'decided' : `decided for ${cohorts}`;
  return element('span', { class: 'aside', title: one.decisions.join(', ') }, text);
}

/**
 * The fill in a line: `acme-30 30 s, 2 × fish-15 30 s, slate 24 s`.
 *
 * @param {ReturnType<typeof fillOf>} fill
 * @param {string} rest what stands where no ad does
 */
export function fillText(fill, rest) {
  if (fill.length === 1 && fill[0].creative === null) return `No ads: ${rest}`;
  return fill
    .map(({ creative, us, count }) => {
      if (creative === null) return `${rest} ${lengthText(us)}`;
      return `${count > 1 ? `${count} × ` : ''}${creative} ${lengthText(us)}`;
    })
    .join(', ');
}
