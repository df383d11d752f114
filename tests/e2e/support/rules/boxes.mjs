// Reads the boxes of fragmented MP4 (ISO/IEC 14496-12) that tell times, samples and formats.

/**
 * @typedef {object} Box
 * @property {string} type
 * @property {number} start of the box in its buffer
 * @property {number} body where its payload starts
 * @property {number} end
 */

/**
 * The boxes between two places of a buffer.
 *
 * @param {Buffer} bytes
 * @param {number} [start]
 * @param {number} [end]
 * @param {boolean} [cut] whether the last box may go on behind the end
 * @returns {Box[]}
 * @throws where a box does not end where the bytes do
 */
export function boxes(bytes, start = 0, end = bytes.length, cut = false) {
  const found = [];
  let at = start;
  while (at < end) {
    if (end - at < 8) throw new Error(`${end - at} bytes are left at ${at}: no box`);
    let size = bytes.readUInt32BE(at);
    let body = at + 8;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (size === 1) {
      size = Number(bytes.readBigUInt64BE(at + 8));
      body += 8;
    } else if (size === 0) size = end - at;
    if (cut && at + size > end) size = end - at;
    if (size < body - at || at + size > end) throw new Error(`box ${type} at ${at} has ${size} bytes of ${end - at}`);
    found.push({ type, start: at, body, end: at + size });
    at += size;
  }
  return found;
}

/** The first box on a path such as `moov/trak/mdia`. */
function find(bytes, path, start = 0, end = bytes.length) {
  let range = { body: start, end };
  for (const type of path.split('/')) {
    range = boxes(bytes, range.body, range.end).find((box) => box.type === type);
    if (!range) return null;
  }
  return range;
}

/**
 * What an initialization segment says of its one track.
 *
 * @param {Buffer} bytes
 * @returns {{ timescale: number, handler: string, codec: string, width: number, height: number,
 *   defaults: { duration: number, flags: number }, mediaTime: number }}
 */
export function readInit(bytes) {
  const [, ...more] = boxes(bytes)
    .filter(({ type }) => type === 'moov')
    .flatMap((moov) => boxes(bytes, moov.body, moov.end).filter(({ type }) => type === 'trak'));
  if (more.length) throw new Error('more than one track');
  const mdhd = find(bytes, 'moov/trak/mdia/mdhd');
  const hdlr = find(bytes, 'moov/trak/mdia/hdlr');
  const stsd = find(bytes, 'moov/trak/mdia/minf/stbl/stsd');
  const tkhd = find(bytes, 'moov/trak/tkhd');
  const trex = find(bytes, 'moov/mvex/trex');
  if (!mdhd || !hdlr || !stsd || !tkhd || !trex) throw new Error('no track that can be read');
  const elst = find(bytes, 'moov/trak/edts/elst');
  return {
    timescale: bytes.readUInt32BE(mdhd.body + (bytes[mdhd.body] === 1 ? 20 : 12)),
    handler: bytes.toString('latin1', hdlr.body + 8, hdlr.body + 12),
    codec: codecOf(bytes, stsd),
    width: bytes.readUInt16BE(tkhd.end - 8),
    height: bytes.readUInt16BE(tkhd.end - 4),
    defaults: { duration: bytes.readUInt32BE(trex.body + 12), flags: bytes.readUInt32BE(trex.body + 20) },
    mediaTime: elst ? mediaTimeOf(bytes, elst) : 0,
  };
}

/** Where the presentation starts on the media's timeline: the last edit that is no empty one. */
function mediaTimeOf(bytes, elst) {
  const long = bytes[elst.body] === 1;
  const count = bytes.readUInt32BE(elst.body + 4);
  let time = 0;
  for (let i = 0; i < count; i += 1) {
    const at = elst.body + 8 + i * (long ? 20 : 12);
    const edit = long ? Number(bytes.readBigInt64BE(at + 8)) : bytes.readInt32BE(at + 4);
    if (edit >= 0) time = edit;
  }
  return time;
}

/** The format of the first sample entry as RFC 6381 writes it. */
function codecOf(bytes, stsd) {
  const [entry] = boxes(bytes, stsd.body + 8, stsd.end);
  const { type, body, end } = entry;
  if (type === 'avc1' || type === 'avc3') {
    const avcC = find(bytes, 'avcC', body + 78, end);
    return `${type}.${bytes.toString('hex', avcC.body + 1, avcC.body + 4)}`;
  }
  if (type === 'mp4a') {
    const esds = find(bytes, 'esds', body + 28, end);
    return esds ? `mp4a.${audioObject(bytes.subarray(esds.body + 4, esds.end))}` : 'mp4a';
  }
  return type;
}

/** `40.2` for AAC-LC: object type indication and audio object type of an elementary stream descriptor. */
function audioObject(descriptors) {
  let at = 0;
  const header = () => {
    const tag = descriptors[at++];
    let length = 0;
    let byte;
    do {
      byte = descriptors[at++];
      length = length * 128 + (byte & 0x7f);
    } while (byte & 0x80);
    return { tag, length };
  };
  if (header().tag !== 3) return '40';
  const flags = descriptors[at + 2];
  at += 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x20 ? 2 : 0);
  if (flags & 0x40) at += 1 + descriptors[at];
  header();
  const indication = descriptors[at].toString(16).padStart(2, '0');
  at += 13;
  if (header().tag !== 5) return indication;
  const first = descriptors[at] >> 3;
  return `${indication}.${first === 31 ? 32 + (((descriptors[at] & 7) << 3) | (descriptors[at + 1] >> 5)) : first}`;
}

/**
 * The fragments of a segment or of a part of one.
 *
 * @param {Buffer} bytes
 * @param {ReturnType<typeof readInit>} init
 * @param {boolean} [cut] whether the bytes may end in the middle of an mdat, behind its first sample
 * @returns {{ start: number, duration: number, samples: number, sync: boolean, syncInside: boolean, bytes: number }[]}
 *   start and duration in ticks; `sync` tells of the first sample, `syncInside` of the others
 */
export function readFragments(bytes, init, cut = false) {
  const fragments = [];
  const all = boxes(bytes, 0, bytes.length, cut);
  for (const [index, box] of all.entries()) {
    if (!KNOWN.has(box.type)) throw new Error(`box ${box.type} in a segment`);
    if (box.type !== 'moof') continue;
    if (all[index + 1]?.type !== 'mdat') throw new Error('a moof without its mdat');
    const trafs = boxes(bytes, box.body, box.end).filter(({ type }) => type === 'traf');
    if (trafs.length !== 1) throw new Error(`${trafs.length} tracks in a moof`);
    const fragment = readTraf(bytes, trafs[0], init);
    const mdat = all[index + 1];
    const needed = cut && index === all.length - 2 ? fragment.first : fragment.bytes;
    if (needed > mdat.end - mdat.body) throw new Error('samples are longer than their mdat');
    fragments.push(fragment);
  }
  return fragments;
}

const KNOWN = new Set(['styp', 'prft', 'emsg', 'sidx', 'moof', 'mdat', 'free', 'skip', 'mfra', 'uuid']);

function readTraf(bytes, traf, init) {
  const inside = boxes(bytes, traf.body, traf.end);
  const tfhd = inside.find(({ type }) => type === 'tfhd');
  const tfdt = inside.find(({ type }) => type === 'tfdt');
  if (!tfhd || !tfdt) throw new Error('a traf without tfhd or tfdt');
  const flags = bytes.readUInt32BE(tfhd.body) & 0xffffff;
  let at = tfhd.body + 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
  const optional = (bit, otherwise) => {
    if (!(flags & bit)) return otherwise;
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const duration = optional(0x8, init.defaults.duration);
  const size = optional(0x10, 0);
  const sampleFlags = optional(0x20, init.defaults.flags);
  const start =
    bytes[tfdt.body] === 1 ? Number(bytes.readBigUInt64BE(tfdt.body + 4)) : bytes.readUInt32BE(tfdt.body + 4);
  const fragment = { start, duration: 0, samples: 0, sync: false, syncInside: false, bytes: 0, first: 0 };
  for (const trun of inside.filter(({ type }) => type === 'trun')) {
    readTrun(bytes, trun, { duration, size, sampleFlags }, fragment);
  }
  return fragment;
}

function readTrun(bytes, trun, defaults, fragment) {
  const flags = bytes.readUInt32BE(trun.body) & 0xffffff;
  const count = bytes.readUInt32BE(trun.body + 4);
  let at = trun.body + 8 + (flags & 1 ? 4 : 0);
  const first = flags & 4 ? bytes.readUInt32BE(at) : null;
  if (flags & 4) at += 4;
  const field = (bit, otherwise) => {
    if (!(flags & bit)) return otherwise;
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  for (let i = 0; i < count; i += 1) {
    fragment.duration += field(0x100, defaults.duration);
    const size = field(0x200, defaults.size);
    if (fragment.samples === 0) fragment.first = size;
    fragment.bytes += size;
    let sample = field(0x400, defaults.sampleFlags);
    if (i === 0 && first !== null) sample = first;
    field(0x800, 0);
    const sync = (sample & 0x10000) === 0;
    if (fragment.samples === 0) fragment.sync = sync;
    else if (sync) fragment.syncInside = true;
    fragment.samples += 1;
  }
}
