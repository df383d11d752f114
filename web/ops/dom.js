// Elements, made and found.

/** @param {string} id */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element. Text is text: nothing that comes from elsewhere is ever read as markup.
 *
 * @param {string} tag
 * @param {Record<string, string | number | boolean | undefined>} [attributes] `undefined` and `false` are left out
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children);
  return made;
}

/** Replaces what is in an element, and gives the focus back to the child of the same `data-key`. */
export function refill(host, ...children) {
  const key = host.contains(document.activeElement)
    ? document.activeElement.dataset.key
    : undefined;
  host.replaceChildren(...children);
  if (key) host.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Sets a text only where it is another, so that readers of the screen are not told the same twice. */
export function say(host, text) {
  if (host.textContent !== text) host.textContent = text;
}
