// The timeline: breaks drawn to scale, past and to come, and a line for now.
import { endOf, fillOf, lengthOf, nameOf, phaseOf, stateOf } from './breaks.js';
import { element, say } from './dom.js';
import { lengthText } from './time.js';

/** A name is written where at least so many pixels are free for it. */
const TAG_PX = 36;

export class Timeline {
  #track;
  #ticks;
  #parts;
  #hue;
  /** The button of each break, by its id: kept, so that it keeps the focus. */
  #nodes = new Map();
  #ticked = '';

  /**
   * @param {{ track: HTMLElement, ticks: HTMLElement, past: HTMLElement, edge: HTMLElement, now: HTMLElement,
   *   nowLabel: HTMLElement, ghost: HTMLElement }} parts
   * @param {{ select: (id: string) => void, hue: (creative: string | null) => string }} does
   */
  constructor(parts, { select, hue }) {
    this.#track = parts.track;
    this.#ticks = parts.ticks;
    this.#parts = parts;
    this.#hue = hue;
    this.#track.addEventListener('click', (event) => {
      const node = event.target.closest('.break');
      if (node) select(node.dataset.id);
    });
    this.#track.addEventListener('keydown', (event) => this.#walk(event));
  }

  get width() {
    return this.#track.clientWidth;
  }

  /**
   * @param {object} seen
   * @param {import('./breaks.js').Break[]} seen.breaks
   * @param {import('./scale.js').Scale} seen.scale
   * @param {number} seen.now
   * @param {number | null} seen.edge up to where media is published
   * @param {ReturnType<typeof import('./time.js').clockFor>} seen.clock
   * @param {number} seen.shift of the zone, in microseconds
   * @param {string | null} seen.selected
   * @param {{ from: number, to: number } | null} seen.ghost a break that somebody is about to ask for
   */
  draw({ breaks, scale, now, edge, clock, shift, selected, ghost }) {
    this.#drawTicks(scale, clock, shift);
    const { past, edge: edgeLine, now: nowLine, nowLabel } = this.#parts;
    const nowX = scale.x(now);
    past.style.width = `${Math.min(Math.max(nowX, 0), scale.width)}px`;
    nowLine.hidden = nowX < 0 || nowX > scale.width;
    nowLine.style.transform = `translateX(${nowX}px)`;
    say(nowLabel, clock.time(now));
    edgeLine.hidden = edge === null || scale.box(edge, edge) === null;
    if (edge !== null) edgeLine.style.transform = `translateX(${scale.x(edge)}px)`;
    place(this.#parts.ghost, ghost && scale.box(ghost.from, ghost.to));

    const shown = breaks.filter((one) => scale.box(one.out_us, endOf(one)));
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, node] of this.#nodes) {
      if (ids.has(id)) continue;
      node.remove();
      this.#nodes.delete(id);
    }
    shown.forEach((one, index) => {
      const box = scale.box(one.out_us, endOf(one));
      const node = this.#node(one, clock);
      place(node, box);
      node.dataset.phase = phaseOf(one);
      node.setAttribute('aria-pressed', String(one.id === selected));
      // The name may go on above what is free until the next break.
      const next = shown[index + 1];
      const room = (next ? scale.x(next.out_us) : scale.width) - Math.max(box.left, 0) - 6;
      const tag = node.firstElementChild;
      tag.hidden = room < TAG_PX;
      tag.style.maxWidth = `${Math.max(room, 0)}px`;
      tag.style.left = `${Math.max(-box.left, 0)}px`;
      // In the document as on the line, for whoever walks by keyboard.
      if (this.#track.children[index] !== node) this.#track.insertBefore(node, this.#track.children[index] ?? null);
    });
  }

  #node(one, clock) {
    const known = this.#nodes.get(one.id);
    const { time } = clock;
    const label = `${nameOf(one)}, ${stateOf(one).toLowerCase()}, ${time(one.out_us)}, ${lengthText(lengthOf(one))}`;
    const fill = fillOf(one);
    const drawn = JSON.stringify([label, fill, fill.map(({ creative }) => this.#hue(creative))]);
    if (known?.dataset.drawn === drawn) return known;
    const node = known ?? element('button', { type: 'button', class: 'break', 'data-id': one.id });
    node.dataset.drawn = drawn;
    node.setAttribute('aria-label', label);
    node.title = label;
    const bar = element('span', { class: 'bar' });
    for (const { creative, us } of fill) {
      const slot = element('i', { class: this.#hue(creative) });
      slot.style.flexGrow = us;
      bar.append(slot);
    }
    node.replaceChildren(element('span', { class: 'tag' }, nameOf(one)), bar);
    this.#nodes.set(one.id, node);
    return node;
  }

  #drawTicks(scale, clock, shift) {
    const { step, ticks } = scale.ticks(shift);
    const text = step < 60_000_000 ? clock.time : clock.minute;
    const key = `${ticks.join()} ${text(0)} ${scale.width}`;
    if (key !== this.#ticked) {
      this.#ticked = key;
      this.#ticks.replaceChildren(...ticks.map((us) => element('li', {}, text(us))));
    }
    ticks.forEach((us, index) => {
      this.#ticks.children[index].style.transform = `translateX(${scale.x(us)}px)`;
    });
  }

  #walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const nodes = [...this.#track.querySelectorAll('.break')];
    const at = nodes.indexOf(document.activeElement);
    const next = nodes[at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

function place(node, box) {
  node.hidden = !box;
  if (!box) return;
  node.style.transform = `translateX(${box.left}px)`;
  node.style.width = `${box.width}px`;
}
