// Date ranges: what the tags with one ID say together, and the splice information that they carry.
import { readDate, unquoted } from './hls-syntax.mjs';

/** EXT-X-DATERANGE (4.4.5.1). */
export function checkDateRanges(playlist, findings) {
  const { dateRanges } = playlist;
  if (dateRanges.length && !playlist.all.some(({ dateTime }) => dateTime !== null)) {
    findings.must('daterange-without-date', dateRanges[0].line, 'EXT-X-DATERANGE without EXT-X-PROGRAM-DATE-TIME');
  }
  /** @type {Map<string, Map<string, string>>} */
  const merged = new Map();
  for (const { attributes, line } of dateRanges) {
    const id = attributes.get('ID');
    if (id === undefined) continue;
    const range = merged.get(id) ?? new Map();
    for (const [name, value] of attributes) {
      if (range.has(name) && range.get(name) !== value) {
        findings.must('daterange-conflict', line, `${id}: ${name} is ${range.get(name)} and ${value}`);
      }
      range.set(name, value);
    }
    // What a delta update has skipped may hold the first tag of this ID.
    if (!range.has('START-DATE') && !playlist.skip) {
      findings.must('daterange-start', line, `${id} has no START-DATE yet`);
    }
    merged.set(id, range);
    for (const name of ['START-DATE', 'END-DATE']) checkDate(name, attributes, line, findings);
    for (const name of ['SCTE35-CMD', 'SCTE35-OUT', 'SCTE35-IN']) {
      const fault = spliceFault(attributes.get(name));
      if (fault) findings.must('daterange-splice', line, `${id}: ${name} ${fault}`);
    }
    const cue = unquoted(attributes.get('CUE'))?.split(',') ?? [];
    if (cue.includes('PRE') && cue.includes('POST')) findings.must('daterange-cue', line, `${id}: CUE is PRE and POST`);
  }
  const lineOfId = (id) => dateRanges.find(({ attributes }) => attributes.get('ID') === id).line;
  for (const [id, range] of merged) checkRange(id, range, merged, lineOfId(id), findings);
}

function checkDate(name, attributes, line, findings) {
  const text = unquoted(attributes.get(name));
  if (text === undefined) return;
  const date = readDate(text);
  if (!date) findings.must('daterange-date', line, `${name} ${text} is no date`);
  else if (!date.zoned) findings.should('date-without-zone', line, `${name} ${text} names no time zone`);
}

function checkRange(id, range, all, line, findings) {
  const span = spanOf(range);
  if (span.end !== null && span.end < span.start)
    findings.must('daterange-backwards', line, `${id} ends before it starts`);
  const duration = range.get('DURATION');
  const end = range.has('END-DATE') ? readDate(unquoted(range.get('END-DATE')))?.ms : undefined;
  if (duration !== undefined && end !== undefined && span.start !== null) {
    const off = end - span.start - Number(duration) * 1_000;
    if (Math.abs(off) > 1)
      findings.must('daterange-end', line, `${id}: END-DATE is ${off} ms off START-DATE + DURATION`);
  }
  if (!range.has('END-ON-NEXT')) return;
  if (!range.has('CLASS')) findings.must('daterange-end-on-next', line, `${id}: END-ON-NEXT without CLASS`);
  if (range.has('DURATION') || range.has('END-DATE')) {
    findings.must('daterange-end-on-next', line, `${id}: END-ON-NEXT with DURATION or END-DATE`);
  }
  for (const [otherId, other] of all) {
    if (otherId === id || other.get('CLASS') !== range.get('CLASS')) continue;
    const { start, end: otherEnd } = spanOf(other);
    if (start < span.start && otherEnd !== null && otherEnd > span.start) {
      findings.must('daterange-overlap', line, `${otherId} overlaps ${id} of the same CLASS`);
    }
  }
}

/** Start and end of a merged range in ms; null where it is not known. */
export function spanOf(range) {
  const start = readDate(unquoted(range.get('START-DATE') ?? ''))?.ms ?? null;
  let end = readDate(unquoted(range.get('END-DATE') ?? ''))?.ms ?? null;
  if (end === null && start !== null && range.has('DURATION')) end = start + Number(range.get('DURATION')) * 1_000;
  return { start, end };
}

/**
 * What keeps a hexadecimal sequence from being one whole splice_info_section of SCTE 35.
 *
 * @param {string | undefined} text
 * @returns {string | null} null where nothing does
 */
function spliceFault(text) {
  if (text === undefined) return null;
  const digits = text.slice(2);
  if (digits.length % 2) return 'is half a byte';
  const bytes = Buffer.from(digits, 'hex');
  if (bytes.length < 15) return 'is too short for a splice';
  if (bytes[0] !== 0xfc) return 'does not start with the table id of a splice';
  const length = (bytes.readUInt16BE(1) & 0xfff) + 3;
  if (length !== bytes.length) return `says ${length} bytes and has ${bytes.length}`;
  return crc32(bytes) === 0 ? null : 'has a wrong CRC';
}

/** The CRC of MPEG-2 sections; over a section with its own CRC it is 0. */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
