// How the page is seen: time zone, theme, and which part of the timeline.
import { $, element, say } from './dom.js';
import { SPANS } from './scale.js';
import { draw, showListing, timeline } from './show.js';
import { state } from './state.js';
import { fromField, toField } from './time.js';

function showZone() {
  say($('zone-name'), state.zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone);
  $('zone').setAttribute('aria-pressed', String(state.zone === 'local'));
}

const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
};
const showTheme = () => say($('theme'), isDark() ? 'Light' : 'Dark');

function pan(by) {
  state.pan += by * state.span.us;
  draw();
}

export function offerLooks() {
  $('zone').addEventListener('click', () => {
    const [at, moving] = [fromField($('at').value, state.zone), fromField($('move-at').value, state.zone)];
    state.zone = state.zone === 'utc' ? 'local' : 'utc';
    localStorage.setItem('selvedge-ops-zone', state.zone);
    if (at !== null) $('at').value = toField(at, state.zone);
    if (moving !== null) $('move-at').value = toField(moving, state.zone);
    showZone();
    showListing();
  });
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
  const theme = localStorage.getItem('selvedge-ops-theme');
  if (theme) document.documentElement.dataset.theme = theme;
  showTheme();
  showZone();
}
