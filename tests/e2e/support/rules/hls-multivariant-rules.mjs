// The rules for multivariant playlists (rfc8216bis 4.4.6).
import { Findings } from './findings.mjs';
import { checkDefinitions, checkKey } from './hls-media-rules.mjs';
import { TAGS, readLines, unquoted } from './hls-syntax.mjs';

/** What a multivariant playlist names. */
export class MultivariantPlaylist {
  version = 1;
  /** @type {{ attributes: Map<string, string>, uri: string | null, line: number }[]} */
  variants = [];
  /** @type {{ attributes: Map<string, string>, uri: string | null, line: number }[]} */
  iFrameVariants = [];
  /** @type {{ attributes: Map<string, string>, uri: string | null, line: number }[]} */
  renditions = [];
  independentSegments = false;

  constructor(lines) {
    this.lines = lines;
    for (const [index, { tag, value, attributes, number }] of lines.entries()) {
      const uri = unquoted(attributes?.get('URI')) ?? null;
      if (tag === 'EXT-X-VERSION') this.version = Number(value);
      if (tag === 'EXT-X-INDEPENDENT-SEGMENTS') this.independentSegments = true;
      if (tag === 'EXT-X-STREAM-INF')
        this.variants.push({ attributes, uri: lines[index + 1]?.uri ?? null, line: number });
      if (tag === 'EXT-X-I-FRAME-STREAM-INF') this.iFrameVariants.push({ attributes, uri, line: number });
      if (tag === 'EXT-X-MEDIA') this.renditions.push({ attributes, uri, line: number });
    }
  }

  /** The URIs of all media playlists of segments that play in time, each once. */
  get uris() {
    return [...new Set([...this.variants, ...this.renditions].map(({ uri }) => uri).filter(Boolean))];
  }

  /** The URIs of the playlists of I-frames. */
  get iFrameUris() {
    return [...new Set(this.iFrameVariants.map(({ uri }) => uri).filter(Boolean))];
  }

  /** The renditions of a group. */
  group(type, id) {
    return this.renditions.filter(
      ({ attributes }) => attributes.get('TYPE') === type && unquoted(attributes.get('GROUP-ID')) === id,
    );
  }
}

/**
 * Checks one multivariant playlist.
 *
 * @param {string} text
 * @param {object} [options]
 * @param {Findings} [options.findings] to report into
 * @returns {{ playlist: MultivariantPlaylist, findings: Findings }}
 */
export function checkMultivariant(text, { findings = new Findings() } = {}) {
  const lines = readLines(text, findings);
  for (const { number, tag } of lines) {
    if (['media', 'segment', 'metadata'].includes(TAGS[tag]?.in)) {
      findings.must('mixed-playlist', number, `${tag} in a multivariant playlist`);
    }
  }
  const playlist = new MultivariantPlaylist(lines);
  for (const check of [
    checkUriLines,
    checkVersion,
    checkVariants,
    checkIFrameVariants,
    checkGroups,
    checkRenditions,
    checkClosedCaptions,
    checkSession,
    checkSteering,
    checkDefinitions,
  ]) {
    check(playlist, findings);
  }
  return { playlist, findings };
}

function checkUriLines({ lines, variants }, findings) {
  for (const { uri, line } of variants) {
    if (uri === null) findings.must('variant-without-uri', line, 'no URI behind EXT-X-STREAM-INF');
  }
  for (const [index, { uri, number }] of lines.entries()) {
    if (uri !== undefined && lines[index - 1]?.tag !== 'EXT-X-STREAM-INF') {
      findings.must('uri-without-variant', number, `${uri} follows no EXT-X-STREAM-INF`);
    }
  }
  if (!variants.length) findings.should('no-variants', 1, 'no variant is named');
}

function checkVersion({ version, lines, renditions }, findings) {
  const inStream = (test) => renditions.some(({ attributes }) => attributes.has('INSTREAM-ID') && test(attributes));
  const captions = (attributes) => attributes.get('TYPE') === 'CLOSED-CAPTIONS';
  const needs = [
    [7, 'a SERVICE', inStream((one) => captions(one) && one.get('INSTREAM-ID').startsWith('"SERVICE'))],
    [8, 'EXT-X-DEFINE', lines.some(({ tag }) => tag === 'EXT-X-DEFINE')],
    [11, 'QUERYPARAM', lines.some(({ tag, attributes }) => tag === 'EXT-X-DEFINE' && attributes.has('QUERYPARAM'))],
    [
      12,
      'REQ-',
      lines.some(({ attributes }) => [...(attributes?.keys() ?? [])].some((name) => name.startsWith('REQ-'))),
    ],
    [13, 'INSTREAM-ID of no captions', inStream((one) => !captions(one))],
  ];
  for (const [need, what, used] of needs) {
    if (used && version < need)
      findings.must('version-too-low', 1, `${what} needs version ${need}, and this is ${version}`);
  }
}

function checkVariants(playlist, findings) {
  const { variants } = playlist;
  for (const { attributes, line } of variants) {
    checkBandwidth(attributes, line, findings);
    const codecs = codecsOf(attributes);
    if (!codecs.length) findings.should('codecs-missing', line, 'no CODECS');
    const video = codecs.some((codec) => VIDEO.test(codec)) || attributes.has('VIDEO');
    for (const name of ['RESOLUTION', 'FRAME-RATE']) {
      if (video && !attributes.has(name)) findings.should('video-attributes', line, `video without ${name}`);
    }
    const rate = attributes.get('FRAME-RATE');
    if (rate !== undefined && !/^\d+(\.\d{1,3})?$/.test(rate)) {
      findings.must('frame-rate', line, `FRAME-RATE ${rate} is not rounded to three digits`);
    }
    for (const [name, type] of [
      ['AUDIO', 'AUDIO'],
      ['VIDEO', 'VIDEO'],
      ['SUBTITLES', 'SUBTITLES'],
      ['CLOSED-CAPTIONS', 'CLOSED-CAPTIONS'],
    ]) {
      const id = attributes.get(name);
      if (id === undefined || id === 'NONE') continue;
      if (!playlist.group(type, unquoted(id)).length)
        findings.must('group-missing', line, `${name}=${id}: there is no such group`);
    }
    if (attributes.has('AUDIO') && codecs.length && !codecs.some((codec) => AUDIO.test(codec))) {
      findings.must('codecs-cover', line, `CODECS ${codecs} names no format of the audio group`);
    }
  }
  const scored = variants.filter(({ attributes }) => attributes.has('SCORE'));
  if (scored.length && scored.length < variants.length)
    findings.should('score-some', scored[0].line, 'not every variant has a SCORE');
  const ranked = variants.map(
    ({ attributes, uri }) =>
      `${uri} ${attributes.get('AUDIO')} ${attributes.get('SUBTITLES')} ${attributes.get('PATHWAY-ID')}`,
  );
  for (const [index, key] of ranked.entries()) {
    if (ranked.indexOf(key) < index)
      findings.should('variant-twice', variants[index].line, 'the same variant is named twice');
  }
}

function checkBandwidth(attributes, line, findings) {
  const peak = Number(attributes.get('BANDWIDTH'));
  const average = attributes.get('AVERAGE-BANDWIDTH');
  if (peak === 0) findings.must('bandwidth-zero', line, 'BANDWIDTH is 0');
  if (average !== undefined && Number(average) > peak) {
    findings.must('bandwidth-average', line, `AVERAGE-BANDWIDTH ${average} is beyond BANDWIDTH ${peak}`);
  }
}

function checkIFrameVariants({ iFrameVariants }, findings) {
  for (const { attributes, line } of iFrameVariants) {
    checkBandwidth(attributes, line, findings);
    for (const name of ['FRAME-RATE', 'AUDIO', 'SUBTITLES', 'CLOSED-CAPTIONS']) {
      if (attributes.has(name)) findings.must('i-frame-attribute', line, `EXT-X-I-FRAME-STREAM-INF has no ${name}`);
    }
    const codecs = codecsOf(attributes);
    if (!codecs.length) findings.should('codecs-missing', line, 'no CODECS');
    if (codecs.some((codec) => AUDIO.test(codec)))
      findings.should('i-frame-audio', line, `CODECS ${codecs}: I-frames have no sound`);
  }
}

/** @returns {string[]} */
export const codecsOf = (attributes) =>
  (unquoted(attributes.get('CODECS')) ?? '')
    .split(',')
    .map((codec) => codec.trim())
    .filter(Boolean);

export const VIDEO = /^(avc[13]|hvc1|hev1|dvh1|dvhe|dav1|av01|vp0[89]|vvc1|mp4v)/;
export const AUDIO = /^(mp4a|ac-3|ec-3|ac-4|opus|Opus|fLaC|flac|alac|mhm1|iamf|apac|dts)/;

function checkGroups({ renditions }, findings) {
  const groups = new Map();
  for (const rendition of renditions) {
    const key = `${rendition.attributes.get('TYPE')} ${rendition.attributes.get('GROUP-ID')}`;
    groups.set(key, [...(groups.get(key) ?? []), rendition]);
  }
  for (const [key, members] of groups) {
    const names = new Map();
    const kinds = new Map();
    for (const { attributes, line } of members) {
      const name = attributes.get('NAME');
      if (names.has(name))
        findings.must('name-twice', line, `${key}: NAME=${name} stands on line ${names.get(name)} already`);
      names.set(name, line);
      if (attributes.get('AUTOSELECT') !== 'YES') continue;
      const kind = ['LANGUAGE', 'ASSOC-LANGUAGE', 'FORCED', 'CHARACTERISTICS']
        .map((one) => attributes.get(one))
        .join(' ');
      if (kinds.has(kind))
        findings.should('autoselect-alike', line, `${key}: nothing tells it from line ${kinds.get(kind)}`);
      kinds.set(kind, line);
    }
    const [, second] = members.filter(({ attributes }) => attributes.get('DEFAULT') === 'YES');
    if (second) findings.must('default-twice', second.line, `${key}: two renditions with DEFAULT=YES`);
  }
  checkGroupsAlike(groups, findings);
}

/** Groups of one type have the same members (4.4.6.1.1). */
function checkGroupsAlike(groups, findings) {
  const free = new Set([
    'URI',
    'CHANNELS',
    'BIT-DEPTH',
    'STABLE-RENDITION-ID',
    'INSTREAM-ID',
    'SAMPLE-RATE',
    'GROUP-ID',
  ]);
  const face = ({ attributes }) =>
    [...attributes]
      .filter(([name]) => !free.has(name))
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join();
  const firstOf = new Map();
  for (const [key, members] of groups) {
    const [type] = key.split(' ');
    const faces = members.map(face).sort().join('\n');
    const first = firstOf.get(type);
    if (first === undefined) firstOf.set(type, { key, faces });
    else if (first.faces !== faces)
      findings.must('groups-differ', members[0].line, `${key} and ${first.key} have different members`);
  }
}

function checkRenditions({ renditions }, findings) {
  for (const { attributes, uri, line } of renditions) {
    const type = attributes.get('TYPE');
    if (type === 'SUBTITLES' && uri === null) findings.must('media-uri', line, 'subtitles without URI');
    if (type === 'CLOSED-CAPTIONS' && uri !== null) findings.must('media-uri', line, 'closed captions with URI');
    if (
      type === 'CLOSED-CAPTIONS' &&
      !/^"(CC[1-4]|SERVICE([1-9]|[1-5]\d|6[0-3]))"$/.test(attributes.get('INSTREAM-ID') ?? '')
    ) {
      findings.must('media-instream', line, `INSTREAM-ID ${attributes.get('INSTREAM-ID')} of closed captions`);
    }
    if (attributes.get('DEFAULT') === 'YES' && attributes.get('AUTOSELECT') === 'NO') {
      findings.must('media-autoselect', line, 'DEFAULT=YES with AUTOSELECT=NO');
    }
    if (attributes.has('FORCED') && type !== 'SUBTITLES') findings.must('media-attribute', line, `FORCED in ${type}`);
    for (const name of ['BIT-DEPTH', 'SAMPLE-RATE', 'CHANNELS']) {
      if (attributes.has(name) && type !== 'AUDIO') findings.must('media-attribute', line, `${name} in ${type}`);
    }
    if (type === 'AUDIO' && !attributes.has('CHANNELS'))
      findings.should('media-channels', line, 'audio without CHANNELS');
    const channels = unquoted(attributes.get('CHANNELS'));
    if (channels !== undefined && !/^\d+(\/[A-Z0-9,-]*)*$/.test(channels)) {
      findings.must('media-channels', line, `CHANNELS="${channels}"`);
    }
    for (const name of ['LANGUAGE', 'ASSOC-LANGUAGE']) {
      const language = unquoted(attributes.get(name));
      if (language !== undefined && !/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(language)) {
        findings.must('media-language', line, `${name}="${language}" is no language tag`);
      }
    }
  }
}

function checkClosedCaptions({ variants }, findings) {
  const none = variants.filter(({ attributes }) => attributes.get('CLOSED-CAPTIONS') === 'NONE');
  if (none.length && none.length < variants.length) {
    findings.must('captions-none', none[0].line, 'CLOSED-CAPTIONS=NONE in some variants and not in all');
  }
  if (variants.length && variants.every(({ attributes }) => !attributes.has('CLOSED-CAPTIONS'))) {
    findings.note(
      'captions-unsaid',
      variants[0].line,
      'players look for captions where CLOSED-CAPTIONS=NONE is not said',
    );
  }
}

function checkSession({ lines }, findings) {
  const seen = new Set();
  for (const { tag, attributes, value, number } of lines) {
    if (tag === 'EXT-X-SESSION-DATA') {
      if (attributes.has('VALUE') === attributes.has('URI')) {
        findings.must('session-data', number, 'EXT-X-SESSION-DATA has either VALUE or URI');
      }
      const key = `${attributes.get('DATA-ID')} ${attributes.get('LANGUAGE')}`;
      if (seen.has(key)) findings.must('session-data-twice', number, `${key} twice`);
      seen.add(key);
    }
    if (tag === 'EXT-X-SESSION-KEY') {
      if (attributes.get('METHOD') === 'NONE')
        findings.must('session-key-none', number, 'EXT-X-SESSION-KEY with METHOD=NONE');
      else checkKey(attributes, number, findings);
      if (seen.has(value)) findings.must('session-key-twice', number, 'the same EXT-X-SESSION-KEY twice');
      seen.add(value);
    }
  }
}

function checkSteering({ lines, variants }, findings) {
  const steering = lines.find(({ tag }) => tag === 'EXT-X-CONTENT-STEERING');
  const pathway = steering && unquoted(steering.attributes.get('PATHWAY-ID'));
  if (pathway === undefined || pathway === null) return;
  if (!variants.some(({ attributes }) => (unquoted(attributes.get('PATHWAY-ID')) ?? '.') === pathway)) {
    findings.must('steering-pathway', steering.number, `no variant is on the pathway ${pathway}`);
  }
}
