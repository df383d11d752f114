// What the page knows, and whom it asks.
import { Api } from './api.js';
import { SPANS } from './scale.js';
import { clockFor } from './time.js';

const TOKEN = 'selvedge-ops-token';

export const state = {
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
  polls: 0,
};

/** The token of this tab; `null` where nobody gave one. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => sessionStorage.setItem(TOKEN, text),
  forget: () => sessionStorage.removeItem(TOKEN),
};

export const api = new Api({ base: new URL('./', location.href).href, token: token.get });

export const nowUs = () => (Date.now() + api.skewMs) * 1_000;
export const breaks = () => state.listing?.breaks ?? [];
export const clock = () => clockFor(state.zone);
/** Microseconds east of Greenwich. */
export const shift = () => (state.zone === 'utc' ? 0 : -new Date().getTimezoneOffset() * 60_000_000);

export function choose(channel) {
  if (channel === state.channel) return;
  Object.assign(state, { channel, listing: null, rules: null, rulesKnown: false });
  Object.assign(state, { selected: null, armed: null, pan: 0 });
  document.title = channel === null ? 'Breaks · Selvedge' : `${channel} · Breaks · Selvedge`;
}
