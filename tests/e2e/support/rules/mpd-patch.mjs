// MPD patches (ISO/IEC 23009-1 5.15; operations of RFC 5261): their schema, and what they make of an MPD.
import { TYPES } from './mpd-schema.mjs';
import { elements, pathOf, readXml } from './xml.mjs';

const PATCH_NAMESPACE = 'urn:mpeg:dash:schema:mpd-patch:2020';

/**
 * Reads a patch and checks its form.
 *
 * @param {string} text
 * @param {import('./findings.mjs').Findings} findings
 * @returns {import('./xml.mjs').Element | null}
 */
export function readPatch(text, findings) {
  let root;
  try {
    root = readXml(text);
  } catch (error) {
    findings.must('patch-xml', 'the patch', error.message);
    return null;
  }
  if (root.local !== 'Patch' || root.namespace !== PATCH_NAMESPACE) {
    findings.must('patch-root', pathOf(root), `the root is ${root.local} of ${root.namespace}`);
    return null;
  }
  for (const [name, type] of [
    ['mpdId', 'string'],
    ['publishTime', 'dateTime'],
    ['originalPublishTime', 'dateTime'],
  ]) {
    const value = root.attributes.get(name);
    if (value === undefined) findings.must('patch-attribute', 'Patch', `@${name} is missing`);
    else if (!TYPES[type](value)) findings.must('patch-attribute', 'Patch', `@${name}="${value}" is no ${type}`);
  }
  if (!elements(root).length) findings.must('patch-empty', 'Patch', 'no operation');
  for (const operation of elements(root)) {
    if (!['add', 'remove', 'replace'].includes(operation.local)) {
      findings.must('patch-operation', pathOf(operation), `${operation.local} is no operation`);
    }
  }
  return root;
}

/**
 * Applies a patch to an MPD, which it changes.
 *
 * @param {import('./xml.mjs').Element} mpd of its own: nothing else may hold it
 * @param {import('./xml.mjs').Element} patch
 * @param {import('./findings.mjs').Findings} findings
 * @returns {boolean} false where an operation could not be carried out
 */
export function applyPatch(mpd, patch, findings) {
  const id = mpd.attributes.get('id');
  if (patch.attributes.get('mpdId') !== id) {
    findings.must('patch-of-another', 'Patch', `@mpdId ${patch.attributes.get('mpdId')} of an MPD with @id ${id}`);
  }
  const from = patch.attributes.get('originalPublishTime');
  if (Date.parse(from) !== Date.parse(mpd.attributes.get('publishTime'))) {
    findings.must(
      'patch-of-another',
      'Patch',
      `@originalPublishTime ${from}, the MPD has ${mpd.attributes.get('publishTime')}`,
    );
    return false;
  }
  for (const operation of elements(patch)) {
    try {
      carryOut(mpd, operation);
    } catch (error) {
      findings.must('patch-fails', pathOf(operation), `${operation.attributes.get('sel')}: ${error.message}`);
      return false;
    }
  }
  const to = patch.attributes.get('publishTime');
  if (mpd.attributes.get('publishTime') !== to) {
    findings.must(
      'patch-time',
      'Patch',
      `@publishTime ${to}, and the MPD that it makes has ${mpd.attributes.get('publishTime')}`,
    );
  }
  return true;
}

function carryOut(mpd, operation) {
  const target = select(mpd, operation.attributes.get('sel') ?? '');
  const content = operation.children.filter((child) => typeof child !== 'string');
  const text = operation.children.filter((child) => typeof child === 'string').join('');
  if (operation.local === 'remove') remove(target);
  else if (operation.local === 'replace') replace(target, content, text);
  else add(target, operation, content, text);
}

function remove({ element, attribute, text }) {
  if (attribute !== undefined) element.attributes.delete(attribute);
  else if (text) element.children = element.children.filter((child) => typeof child !== 'string');
  else if (!element.parent) throw new Error('the root cannot be removed');
  else element.parent.children = element.parent.children.filter((child) => child !== element);
}

function replace({ element, attribute, text: isText }, content, text) {
  if (attribute !== undefined) element.attributes.set(attribute, text);
  else if (isText) element.children = [text, ...element.children.filter((child) => typeof child !== 'string')];
  else {
    if (content.length !== 1) throw new Error(`an element is replaced by one, not by ${content.length}`);
    const [made] = adopted(content, element.parent);
    if (!element.parent) throw new Error('the root cannot be replaced');
    element.parent.children = element.parent.children.map((child) => (child === element ? made : child));
  }
}

function add({ element, attribute }, operation, content, text) {
  if (attribute !== undefined) throw new Error('nothing is added to an attribute');
  const kind = operation.attributes.get('type');
  if (kind !== undefined) {
    if (!kind.startsWith('@')) throw new Error(`@type ${kind} is not supported`);
    if (element.attributes.has(kind.slice(1))) throw new Error(`${kind} is there already`);
    element.attributes.set(kind.slice(1), text);
    return;
  }
  const place = operation.attributes.get('pos');
  const holder = place === 'before' || place === 'after' ? element.parent : element;
  const added = content.length ? adopted(content, holder) : [text];
  if (place === undefined) element.children.push(...added);
  else if (place === 'prepend') element.children.unshift(...added);
  else {
    if (!['before', 'after'].includes(place) || !holder) throw new Error(`@pos ${place}`);
    const at = holder.children.indexOf(element) + (place === 'after' ? 1 : 0);
    holder.children.splice(at, 0, ...added);
  }
}

/** Elements of a patch as they are in the MPD: with their new parent, and in its namespace where they had the patch's. */
function adopted(list, parent) {
  return list.map((element) => {
    const namespace = element.namespace === PATCH_NAMESPACE ? parent.namespace : element.namespace;
    const made = { ...element, namespace, attributes: new Map(element.attributes), parent };
    made.children = element.children.map((child) => (typeof child === 'string' ? child : adopted([child], made)[0]));
    return made;
  });
}

/**
 * What a selector names: one element, attribute or text. RFC 5261 has it that it is exactly one.
 *
 * @param {import('./xml.mjs').Element} root
 * @param {string} path such as `/MPD/Period[@id='1']/AdaptationSet[2]/@lang`
 */
export function select(root, path) {
  const steps = path.match(/\/(?:[^/[\]'"]|\[(?:[^\]'"]|'[^']*'|"[^"]*")*\])+/g);
  if (!steps || steps.join('') !== path) throw new Error('the selector cannot be read');
  let found = [{ children: [root], attributes: new Map(), local: '' }];
  for (const [index, step] of steps.entries()) {
    const last = index === steps.length - 1;
    const name = step.slice(1);
    if (last && name.startsWith('@'))
      return one(
        found.filter(({ attributes }) => attributes.has(name.slice(1))),
        { attribute: name.slice(1) },
      );
    if (last && name === 'text()') return one(found, { text: true });
    found = found.flatMap((element) => matching(element, name));
  }
  return one(found, {});
}

function one(found, more) {
  if (found.length !== 1) throw new Error(`it selects ${found.length} nodes`);
  return { element: found[0], ...more };
}

function matching(element, step) {
  const [, name, predicates] = /^((?:[\w.-]+:)?[\w.-]+|\*)((?:\[.*\])?)$/.exec(step) ?? [];
  if (name === undefined) throw new Error(`the step ${step} cannot be read`);
  const local = name.split(':').at(-1);
  let found = elements(element).filter((child) => local === '*' || child.local === local);
  for (const [, predicate] of predicates.matchAll(/\[((?:[^\]'"]|'[^']*'|"[^"]*")*)\]/g)) {
    found = found.filter((child, index) => holds(predicate.trim(), child, index + 1, found.length));
  }
  return found;
}

function holds(predicate, child, position, count) {
  if (/^\d+$/.test(predicate)) return position === Number(predicate);
  if (predicate === 'last()') return position === count;
  return predicate.split(/\s+and\s+/).every((part) => {
    const match = /^@([\w:.-]+)(?:\s*=\s*(?:'([^']*)'|"([^"]*)"))?$/.exec(part);
    if (!match) throw new Error(`the predicate [${predicate}] cannot be read`);
    const [, name, single, double] = match;
    const wanted = single ?? double;
    return wanted === undefined ? child.attributes.has(name) : child.attributes.get(name) === wanted;
  });
}
