// Moving a break.
import { Refusal } from './api.js';
import { attempt } from './ask.js';
import { lengthOf, nameOf } from './breaks.js';
import { chips, unchoose } from './chips.js';
import { $, say } from './dom.js';
import { api, clock, state } from './state.js';
import { fromField, lengthText, rfc3339, toField } from './time.js';

let moving = null;

export function openMove(one) {
  moving = one;
  say($('move-label'), `Move ${nameOf(one)}`);
  say($('move-refusal'), '');
  $('move-at').value = toField(one.out_us, state.zone);
  $('move-duration').value = +(lengthOf(one) / 1_000_000).toFixed(3);
  $('move-dialog').showModal();
}

export function offerMoves() {
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
    const one = moving;
    const [at, seconds] = [fromField($('move-at').value, state.zone), Number($('move-duration').value)];
    const refused = (refusal) => say($('move-refusal'), refusal.message);
    if (at === null || !(seconds > 0)) return refused(new Refusal(0, 'Say when it begins, and how long it is.'));
    const wish = { at: rfc3339(at), duration_ms: Math.round(seconds * 1_000) };
    const done = `${nameOf(one)} moves to ${clock().time(at)}.`;
    if (await attempt(() => api.move(state.channel, one.id, wish), { done, refused })) $('move-dialog').close();
  });
}
