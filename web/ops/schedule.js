// The form that asks for a break.
import { Refusal } from './api.js';
import { attempt } from './ask.js';
import { chips, unchoose } from './chips.js';
import { $, say } from './dom.js';
import { draw, showGhost } from './show.js';
import { api, nowUs, state } from './state.js';
import { fromField, lengthText, rfc3339, toField } from './time.js';

let asSoonAsPossible = false;

/** The moment in the form; now, where that was asked for. */
const begins = () => (asSoonAsPossible ? nowUs() : fromField($('at').value, state.zone));
const SOON = [
  { label: 'Now', at: () => null },
  { label: '+1 min', at: (now) => wholeSeconds(now + 60_000_000) },
  { label: '+5 min', at: (now) => wholeSeconds(now + 300_000_000) },
  { label: 'Next quarter', at: (now) => Math.ceil((now + 1) / 900_000_000) * 900_000_000 },
];
const LENGTHS = [15, 30, 60, 90, 120];
const wholeSeconds = (us) => Math.round(us / 1_000_000) * 1_000_000;

/** The break that the form would ask for. */
function ghost() {
  if (!$('schedule').matches(':focus-within')) return null;
  const [from, seconds] = [begins(), Number($('duration').value)];
  return from === null || !(seconds > 0) ? null : { from, to: from + seconds * 1_000_000 };
}

export function offerSchedule() {
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
    draw,
  );
  chips(
    $('duration-chips'),
    LENGTHS.map((seconds) => ({
      label: lengthText(seconds * 1_000_000),
      press: () => ($('duration').value = seconds),
    })),
    draw,
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
  $('at').value = toField(wholeSeconds(nowUs() + 300_000_000), state.zone);
  showGhost(ghost);
}
