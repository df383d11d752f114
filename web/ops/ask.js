// Asking the origin, again and again, and telling it what to do.
import { Refusal } from './api.js';
import { distinct } from './breaks.js';
import { $ } from './dom.js';
import { banner, message, showChannels, showListing, showRules } from './show.js';
import { api, choose, state, token } from './state.js';
import { askForToken, isAskingForToken } from './token.js';

const POLL_MS = 1_000;
const POLL_AFTER_FAILURE_MS = 3_000;
const RULES_EVERY_POLLS = 5;

let timer = 0;

/** Asks now, and again and again. What comes late from another channel is nobody's. */
export async function poll() {
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
    $('sign-out').hidden = token.get() === null;
    banner(state.channel === null ? 'No channel is on air at this origin yet.' : '');
    showListing();
  } catch (error) {
    wait = POLL_AFTER_FAILURE_MS;
    if (!(error instanceof Refusal)) throw error;
    if (error.isForToken) return askForToken();
    if (error.status === 404) state.channels = [];
    banner(error.status === 0 ? 'The origin does not answer. What you see is what was known last.' : error.message);
  } finally {
    if (!isAskingForToken()) timer = setTimeout(poll, wait);
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

/**
 * Does something at the origin and tells what came of it.
 *
 * @param {() => Promise<unknown>} act
 * @param {{ done: string, refused: (refusal: Refusal) => void }} tell
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(act, { done, refused }) {
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

export const refusedAloud = (refusal) => message(refusal.message, 'bad');
