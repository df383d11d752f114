// What is done to a break in the list.
import { attempt, refusedAloud } from './ask.js';
import { nameOf } from './breaks.js';
import { $ } from './dom.js';
import { openMove } from './move.js';
import { select, showListing } from './show.js';
import { api, breaks, state } from './state.js';

/** How long a button asks once more before it forgets. */
const SURE_WITHIN_MS = 4_000;

let disarm = 0;

export function offerActions() {
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
}

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
