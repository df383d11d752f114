// The page of ad operations: a channel's breaks on a timeline and in a list, and what to do with them.
import { offerActions } from './actions.js';
import { poll } from './ask.js';
import { $ } from './dom.js';
import { offerLooks } from './look.js';
import { offerMoves } from './move.js';
import { offerRules } from './rules-dialog.js';
import { offerSchedule } from './schedule.js';
import { draw, showChannels, showListing } from './show.js';
import { choose, state } from './state.js';
import { guardByToken } from './token.js';

const DRAW_EVERY_MS = 100;

offerLooks();
offerSchedule();
offerMoves();
offerActions();
offerRules();
guardByToken({
  given: () => void poll(),
  forgotten() {
    state.listing = null;
    state.rulesKnown = false;
    showListing();
    void poll();
  },
});

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

setInterval(draw, matchMedia('(prefers-reduced-motion: reduce)').matches ? 1_000 : DRAW_EVERY_MS);
void poll();
