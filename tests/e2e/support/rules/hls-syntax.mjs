// The syntax of HLS playlists: lines, tags and attribute lists (rfc8216bis 4.1, 4.2 and the tables of 4.4).

/**
 * @typedef {object} Line
 * @property {number} number counted from 1
 * @property {string} [tag] without its `#`
 * @property {string} [value] what follows the tag's colon
 * @property {Map<string, string>} [attributes] with their quotes
 * @property {string} [uri] where the line is no tag
 */

/** How each type of attribute value is written. */
const TYPES = {
  integer: /^\d{1,20}$/,
  hex: /^0[xX][0-9A-F]+$/,
  float: /^\d+(\.\d+)?$/,
  signed: /^-?\d+(\.\d+)?$/,
  quoted: /^"[^"\r\n]*"$/,
  enumerated: /^[^",\s]+$/,
  resolution: /^\d+x\d+$/,
};

const required = true;
const yes = { type: 'enumerated', values: ['YES'] };
const yesNo = { type: 'enumerated', values: ['YES', 'NO'] };
const quoted = { type: 'quoted' };
const integer = { type: 'integer' };
const float = { type: 'float' };
const hex = { type: 'hex' };
const date = { type: 'quoted', form: 'date' };

const KEY = {
  METHOD: {
    type: 'enumerated',
    values: ['NONE', 'AES-128', 'AES-256-GCM', 'SAMPLE-AES', 'SAMPLE-AES-CTR'],
    required,
  },
  URI: quoted,
  IV: hex,
  KEYFORMAT: quoted,
  KEYFORMATVERSIONS: quoted,
};

const VARIANT = {
  BANDWIDTH: { type: 'integer', required },
  'AVERAGE-BANDWIDTH': integer,
  SCORE: float,
  CODECS: quoted,
  'SUPPLEMENTAL-CODECS': quoted,
  RESOLUTION: { type: 'resolution' },
  'HDCP-LEVEL': { type: 'enumerated', values: ['TYPE-0', 'TYPE-1', 'NONE'] },
  'ALLOWED-CPC': quoted,
  'VIDEO-RANGE': { type: 'enumerated', values: ['SDR', 'HLG', 'PQ'] },
  'REQ-VIDEO-LAYOUT': quoted,
  'STABLE-VARIANT-ID': quoted,
  VIDEO: quoted,
  'PATHWAY-ID': quoted,
};

/**
 * Every tag: in which playlist it stands (`any`, `media`: describes the playlist, `segment`, `metadata`, `multivariant`),
 * how its value is written, and whether a playlist may have it more than once.
 */
export const TAGS = {
  EXTM3U: { in: 'any', once: true },
  'EXT-X-VERSION': { in: 'any', value: TYPES.integer, once: true },
  'EXT-X-INDEPENDENT-SEGMENTS': { in: 'any', once: true },
  'EXT-X-START': {
    in: 'any',
    once: true,
    attributes: { 'TIME-OFFSET': { type: 'signed', required }, PRECISE: yesNo },
  },
  'EXT-X-DEFINE': { in: 'any', attributes: { NAME: quoted, VALUE: quoted, IMPORT: quoted, QUERYPARAM: quoted } },

  'EXT-X-TARGETDURATION': { in: 'media', value: TYPES.integer, once: true },
  'EXT-X-MEDIA-SEQUENCE': { in: 'media', value: TYPES.integer, once: true },
  'EXT-X-DISCONTINUITY-SEQUENCE': { in: 'media', value: TYPES.integer, once: true },
  'EXT-X-ENDLIST': { in: 'media', once: true },
  'EXT-X-PLAYLIST-TYPE': { in: 'media', value: /^(EVENT|VOD)$/, once: true },
  'EXT-X-I-FRAMES-ONLY': { in: 'media', once: true },
  'EXT-X-PART-INF': { in: 'media', once: true, attributes: { 'PART-TARGET': { type: 'float', required } } },
  'EXT-X-SERVER-CONTROL': {
    in: 'media',
    once: true,
    attributes: {
      'CAN-SKIP-UNTIL': float,
      'CAN-SKIP-DATERANGES': yes,
      'HOLD-BACK': float,
      'PART-HOLD-BACK': float,
      'CAN-BLOCK-RELOAD': yes,
    },
  },

  EXTINF: { in: 'segment', value: /^\d+(\.\d+)?,[^\r\n]*$/ },
  'EXT-X-BYTERANGE': { in: 'segment', value: /^\d+(@\d+)?$/ },
  'EXT-X-DISCONTINUITY': { in: 'segment' },
  'EXT-X-KEY': { in: 'segment', attributes: KEY },
  'EXT-X-MAP': {
    in: 'segment',
    attributes: { URI: { type: 'quoted', required }, BYTERANGE: { type: 'quoted', form: 'offset-range' } },
  },
  'EXT-X-PROGRAM-DATE-TIME': { in: 'segment', value: /^\S+$/ },
  'EXT-X-GAP': { in: 'segment' },
  'EXT-X-BITRATE': { in: 'segment', value: TYPES.integer },
  'EXT-X-PART': {
    in: 'segment',
    attributes: {
      URI: { type: 'quoted', required },
      DURATION: { type: 'float', required },
      INDEPENDENT: yes,
      BYTERANGE: { type: 'quoted', form: 'range' },
      GAP: yes,
    },
  },

  'EXT-X-DATERANGE': {
    in: 'metadata',
    attributes: {
      ID: { type: 'quoted', required },
      CLASS: quoted,
      'START-DATE': date,
      CUE: { type: 'quoted', form: 'cue' },
      'END-DATE': date,
      DURATION: float,
      'PLANNED-DURATION': float,
      'SCTE35-CMD': hex,
      'SCTE35-OUT': hex,
      'SCTE35-IN': hex,
      'END-ON-NEXT': yes,
    },
    open: true,
  },
  'EXT-X-SKIP': {
    in: 'metadata',
    once: true,
    attributes: { 'SKIPPED-SEGMENTS': { type: 'integer', required }, 'RECENTLY-REMOVED-DATERANGES': quoted },
  },
  'EXT-X-PRELOAD-HINT': {
    in: 'metadata',
    attributes: {
      TYPE: { type: 'enumerated', values: ['PART', 'MAP'], required },
      URI: { type: 'quoted', required },
      'BYTERANGE-START': integer,
      'BYTERANGE-LENGTH': integer,
    },
  },
  'EXT-X-RENDITION-REPORT': {
    in: 'metadata',
    // A server may leave out what its own playlist has in common with the report; see the rule on reports.
    attributes: { URI: { type: 'quoted', required }, 'LAST-MSN': integer, 'LAST-PART': integer },
  },

  'EXT-X-MEDIA': {
    in: 'multivariant',
    attributes: {
      TYPE: { type: 'enumerated', values: ['AUDIO', 'VIDEO', 'SUBTITLES', 'CLOSED-CAPTIONS'], required },
      URI: quoted,
      'GROUP-ID': { type: 'quoted', required },
      LANGUAGE: quoted,
      'ASSOC-LANGUAGE': quoted,
      NAME: { type: 'quoted', required },
      'STABLE-RENDITION-ID': quoted,
      DEFAULT: yesNo,
      AUTOSELECT: yesNo,
      FORCED: yesNo,
      'INSTREAM-ID': quoted,
      'BIT-DEPTH': integer,
      'SAMPLE-RATE': integer,
      CHARACTERISTICS: quoted,
      CHANNELS: quoted,
    },
  },
  'EXT-X-STREAM-INF': {
    in: 'multivariant',
    attributes: {
      ...VARIANT,
      'FRAME-RATE': float,
      AUDIO: quoted,
      SUBTITLES: quoted,
      'CLOSED-CAPTIONS': { type: ['quoted', 'enumerated'], values: ['NONE'] },
    },
  },
  'EXT-X-I-FRAME-STREAM-INF': {
    in: 'multivariant',
    attributes: { ...VARIANT, URI: { type: 'quoted', required } },
  },
  'EXT-X-SESSION-DATA': {
    in: 'multivariant',
    attributes: {
      'DATA-ID': { type: 'quoted', required },
      VALUE: quoted,
      URI: quoted,
      FORMAT: { type: 'enumerated', values: ['JSON', 'RAW'] },
      LANGUAGE: quoted,
    },
  },
  'EXT-X-SESSION-KEY': { in: 'multivariant', attributes: KEY },
  'EXT-X-CONTENT-STEERING': {
    in: 'multivariant',
    once: true,
    attributes: { 'SERVER-URI': { type: 'quoted', required }, 'PATHWAY-ID': quoted },
  },
};

/**
 * Reads a playlist's lines and says what is wrong with how they are written.
 *
 * @param {string} text
 * @param {import('./findings.mjs').Findings} findings
 * @returns {Line[]} tags and URIs; comments and blank lines are left out
 */
export function readLines(text, findings) {
  if (text.startsWith('\ufeff')) findings.must('byte-order-mark', 1, 'a playlist has no byte order mark');
  // eslint-disable-next-line no-control-regex -- these are the characters that may not be there
  const control = /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
  const lines = [];
  const seen = new Map();
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const number = index + 1;
    // A tab may stand between the names of removed date ranges, and nowhere else.
    if (control.test(raw.startsWith('#EXT-X-SKIP:') ? raw.replaceAll('\t', '') : raw)) {
      findings.must('control-character', number, `${JSON.stringify(raw)} has a control character`);
    }
    const line = raw.trim();
    if (index === 0 && line !== '#EXTM3U') findings.must('first-line', number, 'the first line is not #EXTM3U');
    if (line === '') continue;
    if (line !== raw) findings.must('white-space', number, `white space around ${JSON.stringify(line)}`);
    if (!line.startsWith('#')) {
      if (/\s/.test(line)) findings.must('white-space', number, `white space in the URI ${JSON.stringify(line)}`);
      lines.push({ number, uri: line });
    } else if (line.startsWith('#EXT')) {
      const parsed = readTag(line, number, findings);
      const first = seen.get(parsed.tag);
      if (first && TAGS[parsed.tag]?.once) {
        findings.must('tag-twice', number, `${parsed.tag} stands on line ${first} already`);
      }
      seen.set(parsed.tag, first ?? number);
      lines.push(parsed);
    }
  }
  return lines;
}

/** @returns {Line} */
function readTag(line, number, findings) {
  const colon = line.indexOf(':');
  const tag = colon === -1 ? line.slice(1) : line.slice(1, colon);
  const value = colon === -1 ? undefined : line.slice(colon + 1);
  const form = Object.hasOwn(TAGS, tag) ? TAGS[tag] : undefined;
  if (!form) {
    findings.note('unknown-tag', number, `${tag} is no tag of the document`);
  } else if (form.attributes) {
    return { number, tag, value, attributes: readAttributes(tag, value ?? '', number, findings) };
  } else if (form.value) {
    if (value === undefined || !form.value.test(value)) {
      findings.must('tag-value', number, `${tag} cannot have the value ${JSON.stringify(value ?? '')}`);
    }
  } else if (value !== undefined) {
    findings.must('tag-value', number, `${tag} has no value`);
  }
  return { number, tag, value };
}

/**
 * @param {string} tag
 * @param {string} text an attribute list
 * @param {number} number of its line
 * @param {import('./findings.mjs').Findings} findings
 * @returns {Map<string, string>} values with their quotes
 */
function readAttributes(tag, text, number, findings) {
  const { attributes: known, open } = TAGS[tag];
  const attributes = new Map();
  const pattern = /\s*([^=,\s]+)\s*=\s*("[^"]*"|[^,]*)\s*(?:,|$)/y;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) {
      findings.must('attribute-list', number, `${tag}: cannot read ${JSON.stringify(text.slice(at))}`);
      break;
    }
    const [whole, name, value] = match;
    if (/^\s|\s,?$|=\s|\s=/.test(whole.replace(/"[^"]*"/, '""'))) {
      findings.must('attribute-white-space', number, `${tag}: white space around ${name}`);
    }
    if (whole.endsWith(',') && pattern.lastIndex === text.length) {
      findings.must('attribute-list', number, `${tag}: a comma after the last attribute`);
    }
    at = pattern.lastIndex;
    if (!/^[A-Z0-9-]+$/.test(name)) {
      findings.must('attribute-name', number, `${tag}: ${name} is no attribute name`);
    }
    if (attributes.has(name)) findings.must('attribute-twice', number, `${tag}: ${name} stands there twice`);
    attributes.set(name, value);
    const form = Object.hasOwn(known, name) ? known[name] : undefined;
    if (form) checkValue(tag, name, value, form, number, findings);
    else if (open && name.startsWith('X-')) checkExtension(tag, name, value, number, findings);
    else findings.note('unknown-attribute', number, `${tag} has no attribute ${name}`);
  }
  for (const [name, form] of Object.entries(known)) {
    if (form.required && !attributes.has(name)) {
      findings.must('attribute-missing', number, `${tag} has no ${name}`);
    }
  }
  return attributes;
}

function checkValue(tag, name, value, { type, values, form }, number, findings) {
  const types = [type].flat();
  const fits = types.find((one) => TYPES[one].test(value));
  if (!fits) {
    findings.must('attribute-type', number, `${tag}: ${name}=${value} is no ${types.join(' or ')}`);
  } else if (fits === 'enumerated' && values && !values.includes(value)) {
    findings.must('attribute-value', number, `${tag}: ${name} is ${value}, not one of ${values.join(', ')}`);
  } else if (form && !FORMS[form].test(value.slice(1, -1))) {
    findings.must('attribute-value', number, `${tag}: ${name}=${value} is no ${form}`);
  }
}

function checkExtension(tag, name, value, number, findings) {
  if (['quoted', 'hex', 'signed'].every((type) => !TYPES[type].test(value))) {
    findings.must('attribute-type', number, `${tag}: ${name}=${value} is no quoted string, hexadecimal or number`);
  }
}

/** What may stand between the quotes of some attributes. */
const FORMS = {
  range: /^\d+(@\d+)?$/,
  'offset-range': /^\d+@\d+$/,
  date: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/,
  cue: /^(PRE|POST|ONCE)(,(PRE|POST|ONCE))*$/,
};

/** A value without its quotes. */
export const unquoted = (value) => value?.replace(/^"(.*)"$/, '$1');

/**
 * Milliseconds since 1970 of a date as playlists and MPDs write it, with fractions.
 *
 * @param {string} text
 * @returns {{ ms: number, zoned: boolean, digits: number } | null} null where it is no date
 */
export function readDate(text) {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  if (!match) return null;
  const [, seconds, fraction = '', zone] = match;
  const whole = Date.parse(seconds + (zone ?? 'Z').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2'));
  if (Number.isNaN(whole)) return null;
  return { ms: whole + Number(`0.${fraction || 0}`) * 1_000, zoned: zone !== undefined, digits: fraction.length };
}
