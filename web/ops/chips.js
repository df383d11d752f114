// Rows of buttons that fill in a field.
import { element } from './dom.js';

/**
 * @param {HTMLElement} host
 * @param {{ label: string, press: () => void }[]} entries
 * @param {() => void} pressed what is done after each
 */
export function chips(host, entries, pressed = () => {}) {
  host.append(
    ...entries.map(({ label, press }) => {
      const chip = element('button', { type: 'button', class: 'chip' }, label);
      chip.addEventListener('click', () => {
        press();
        for (const other of host.children) other.classList.toggle('chosen', other === chip);
        pressed();
      });
      return chip;
    }),
  );
}

export const unchoose = (host) => {
  for (const chip of host.children) chip.classList.remove('chosen');
};
