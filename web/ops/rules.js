// Rules in words.
import { lengthText } from './time.js';

const ms = (value) => lengthText(value * 1_000);
const item = ({ creative, duration_ms: length }) => `${creative} (${ms(length)})`;

const RESTS = { resume: 'the programme again', slate: 'slate', wait: 'nothing' };

/**
 * What rules say, a pair of a word and a text for each thing that is worth a line.
 *
 * @param {object} rules a document of rules that the origin has taken
 * @returns {[string, string][]}
 */
export function rulesInWords(rules) {
  const { fill = {}, lengths = {}, returns = {}, exempt = [], openers } = rules;
  const pod = fill.pod ?? [];
  const words = [['Pod', pod.length ? pod.map(item).join(', ') : 'no ads: the programme stays on air']];
  if (fill.slate) words.push(['Slate', item(fill.slate)]);
  words.push(['Behind the last ad', RESTS[fill.rest] ?? RESTS.resume]);
  if (openers) {
    const named = openers.map((name) => name.replaceAll('_', ' ')).join(', ');
    words.push(['Opened by', named || 'nothing in the feed']);
  }
  const limits = [];
  if (lengths.min_ms) limits.push(`at least ${ms(lengths.min_ms)}`);
  if (lengths.max_ms) limits.push(`at most ${ms(lengths.max_ms)}`);
  if (lengths.default_ms) limits.push(`${ms(lengths.default_ms)} where nobody says`);
  if (limits.length) words.push(['Length', limits.join(', ')]);
  if (returns.early === false) words.push(['Early end', 'not possible']);
  if (exempt.length) words.push(['Without breaks', exempt.join(', ')]);
  return words;
}

/** A document to begin with, for a channel that has none. */
export function firstRules(channel) {
  const rules = {
    version: 1,
    channel,
    fill: {
      pod: [],
      slate: { creative: 'slate', duration_ms: 1_920 },
      rest: 'slate',
    },
  };
  return `${JSON.stringify(rules, null, 2)}\n`;
}
