// A small XML reader: enough of XML 1.0 with namespaces for MPDs and their patches, and strict about being well-formed.

/**
 * @typedef {object} Element
 * @property {string} name as it stands there
 * @property {string} local without its prefix
 * @property {string} namespace
 * @property {Map<string, string>} attributes without the namespace declarations
 * @property {(Element | string)[]} children
 * @property {Element | null} parent
 * @property {number} line
 */

/**
 * Reads a document.
 *
 * @param {string} text
 * @returns {Element} its root
 * @throws where it is not well-formed
 */
export function readXml(text) {
  const reader = new Reader(text.replace(/^\ufeff/, ''));
  return reader.document();
}

class Reader {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  document() {
    this.#skipProlog();
    const root = this.#element(null, new Map([['xml', 'http://www.w3.org/XML/1998/namespace']]));
    this.#skipProlog();
    if (this.#at < this.#text.length) this.#fail('something behind the root');
    return root;
  }

  #skipProlog() {
    for (;;) {
      const match = this.#take(/\s+|<\?[^]*?\?>|<!--[^]*?-->|<!DOCTYPE[^>[]*>/y);
      if (!match) return;
    }
  }

  #take(pattern) {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match) this.#at = pattern.lastIndex;
    return match;
  }

  #fail(what) {
    throw new Error(`line ${this.#line()}: ${what}`);
  }

  #line() {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  #element(parent, scope) {
    const line = this.#line();
    const open = this.#take(/<([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)/y);
    if (!open) this.#fail('an element should begin here');
    const [, name] = open;
    const names = new Map(scope);
    const attributes = new Map();
    for (;;) {
      const attribute = this.#take(/\s+([A-Za-z_][\w.:-]*)\s*=\s*("[^"<]*"|'[^'<]*')/y);
      if (!attribute) break;
      const [, key, quoted] = attribute;
      const value = unescape(quoted.slice(1, -1).replace(/[\t\n\r]/g, ' '));
      if (key === 'xmlns') names.set('', value);
      else if (key.startsWith('xmlns:')) names.set(key.slice(6), value);
      else if (attributes.has(key)) this.#fail(`attribute ${key} twice`);
      else attributes.set(key, value);
    }
    const [prefix, local] = name.includes(':') ? name.split(':') : ['', name];
    if (prefix && !names.has(prefix)) this.#fail(`prefix ${prefix} is not declared`);
    for (const key of attributes.keys()) {
      const [used, rest] = key.split(':');
      if (rest !== undefined && !names.has(used)) this.#fail(`prefix ${used} is not declared`);
    }
    const element = { name, local, namespace: names.get(prefix) ?? '', attributes, children: [], parent, line };
    const end = this.#take(/\s*(\/?)>/y);
    if (!end) this.#fail(`cannot read the tag <${name}`);
    if (end[1] === '') this.#content(element, names);
    return element;
  }

  #content(element, names) {
    for (;;) {
      const text = this.#take(/[^<]+/y);
      if (text) {
        element.children.push(unescape(text[0]));
        continue;
      }
      const data = this.#take(/<!\[CDATA\[([^]*?)\]\]>/y);
      if (data) {
        element.children.push(data[1]);
        continue;
      }
      if (this.#take(/<!--[^]*?-->|<\?[^]*?\?>/y)) continue;
      const close = this.#take(/<\/([\w.:-]+)\s*>/y);
      if (close) {
        if (close[1] !== element.name) this.#fail(`</${close[1]}> closes <${element.name}>`);
        return;
      }
      if (this.#at >= this.#text.length) this.#fail(`<${element.name}> is not closed`);
      element.children.push(this.#element(element, names));
    }
  }
}

function unescape(text) {
  return text.replace(/&(#x[0-9a-fA-F]+|#\d+|\w+);|&/g, (whole, name) => {
    if (name?.startsWith('#x')) return String.fromCodePoint(parseInt(name.slice(2), 16));
    if (name?.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    const known = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }[name];
    if (known === undefined) throw new Error(`${whole} is no entity`);
    return known;
  });
}

/** @returns {Element[]} */
export const elements = (element) => element.children.filter((child) => typeof child !== 'string');

/** @returns {Element[]} the children of a name */
export const childrenOf = (element, local) => elements(element).filter((child) => child.local === local);

/** @returns {Element | null} the first child of a name */
export const childOf = (element, local) => childrenOf(element, local)[0] ?? null;

/** The text right inside an element. */
export const textIn = (element) =>
  element.children
    .filter((child) => typeof child === 'string')
    .join('')
    .trim();

/** An element's place among its siblings, from the root on, such as `MPD/Period[2]/AdaptationSet[1]`. */
export function pathOf(element) {
  if (!element.parent) return element.local;
  const alike = childrenOf(element.parent, element.local);
  const index = alike.length > 1 ? `[${alike.indexOf(element) + 1}]` : '';
  return `${pathOf(element.parent)}/${element.local}${index}`;
}

/** One text for all ways to write the same: sorted attributes, no comments, no white space between elements. */
export function canonical(element) {
  const attributes = [...element.attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const head = attributes.map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join('');
  const inside = joined(element.children)
    .map((child) => (typeof child === 'string' ? JSON.stringify(child.trim()) : canonical(child)))
    .filter((text) => text !== '""');
  return `{${element.namespace}}${element.local}${head}[${inside.join('')}]`;
}

/** Text beside text is one text. */
function joined(children) {
  const list = [];
  for (const child of children) {
    if (typeof child === 'string' && typeof list.at(-1) === 'string') list.push(list.pop() + child);
    else list.push(child);
  }
  return list;
}

/** Where two documents first differ, for people; null where they do not. */
export function firstDifference(a, b) {
  if (canonical(a) === canonical(b)) return null;
  if (a.local !== b.local) return `${pathOf(a)} is ${a.local} and ${b.local}`;
  for (const name of new Set([...a.attributes.keys(), ...b.attributes.keys()])) {
    const [one, two] = [a.attributes.get(name), b.attributes.get(name)];
    if (one !== two) return `${pathOf(a)}/@${name} is ${one} and ${two}`;
  }
  const [left, right] = [elements(a), elements(b)];
  for (const [index, child] of left.entries()) {
    if (!right[index]) return `${pathOf(child)} is in one alone`;
    const off = firstDifference(child, right[index]);
    if (off) return off;
  }
  if (right.length > left.length) return `${pathOf(right[left.length])} is in the other alone`;
  return `${pathOf(a)} has the text ${textIn(a)} and ${textIn(b)}`;
}
