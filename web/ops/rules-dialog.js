// Writing the rules of a channel.
import { Refusal } from './api.js';
import { attempt, refusedAloud } from './ask.js';
import { $, element, say } from './dom.js';
import { firstRules } from './rules.js';
import { api, state } from './state.js';
import { askForToken } from './token.js';

let tag = null;

export function offerRules() {
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
}
