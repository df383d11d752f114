// What a checker found wrong. A rule has a name, so that a test can say which one a document breaks.

/**
 * @typedef {object} Finding
 * @property {string} rule names the rule
 * @property {'must' | 'should' | 'note'} strength of the document's own words; a note breaks nothing
 * @property {string} where the place in the document: a line, a path, a URL
 * @property {string} text says what is there and what should be
 */

/** Collects findings, each kind of them counted and only the first few of it kept. */
export class Findings {
  /** @type {Finding[]} */
  list = [];
  /** @type {Map<string, number>} how often each rule was broken */
  counts = new Map();
  /** What a place is told apart by, when several documents report into one list. */
  context = '';

  must(rule, where, text) {
    this.#add('must', rule, where, text);
  }

  should(rule, where, text) {
    this.#add('should', rule, where, text);
  }

  note(rule, where, text) {
    this.#add('note', rule, where, text);
  }

  #add(strength, rule, where, text) {
    const count = (this.counts.get(rule) ?? 0) + 1;
    this.counts.set(rule, count);
    if (count <= KEPT_OF_A_KIND) {
      const place = typeof where === 'number' ? `line ${where}` : String(where);
      this.list.push({ rule, strength, where: [this.context, place].filter(Boolean).join(' '), text });
    }
  }

  /** Findings that break a rule: all but the notes. */
  get broken() {
    return this.list.filter(({ strength }) => strength !== 'note');
  }

  /** The names of the broken rules, sorted, each once. */
  get rules() {
    return [...new Set(this.broken.map(({ rule }) => rule))].sort();
  }

  /** The names of the rules that a document must keep and does not. */
  get musts() {
    return [...new Set(this.list.filter(({ strength }) => strength === 'must').map(({ rule }) => rule))].sort();
  }

  /** One line a finding, for people. */
  toString() {
    return this.list
      .map(({ strength, rule, where, text }) => {
        const times = this.counts.get(rule) > 1 ? ` (${this.counts.get(rule)} times)` : '';
        return `${strength} ${rule}${times}: ${where}: ${text}`;
      })
      .join('\n');
  }
}

/** A rule that every playlist breaks must not bury the others. */
const KEPT_OF_A_KIND = 5;
