// Reads CMAF (ISO/IEC 14496-12) down to single frames, by the standard's own layout: what goes into an origin and what
// comes out are read by the same eyes, and these are not the origin's.
import { createHash } from 'node:crypto';

/**
 * @typedef {object} Box
 * @property {string} type
 * @property {number} start offset of its first byte
 * @property {number} body offset of its content
 * @property {number} end offset behind it; beyond the bytes where it was cut off
 */

/** The boxes in a range of bytes; the last may be cut off. */
export function boxes(bytes, from = 0, to = bytes.length) {
  const found = [];
  for (let at = from; at + 8 <= to; ) {
    let size = bytes.readUInt32BE(at);
    let head = 8;
    if (size === 1) {
      if (at + 16 > to) break;
      size = Number(bytes.readBigUInt64BE(at + 8));
      head = 16;
    }
    if (size < head) throw new Error(`a box of ${size} bytes at ${at}`);
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), start: at, body: at + head, end: at + size });
    at += size;
  }
  return found;
}

const child = (bytes, parent, type) => boxes(bytes, parent.body, parent.end).find((box) => box.type === type);
const down = (bytes, parent, ...path) => path.reduce((box, type) => box && child(bytes, box, type), parent);

/**
 * @typedef {object} Track
 * @property {number} id
 * @property {'vide' | 'soun' | string} handler
 * @property {number} timescale ticks a second
 * @property {number} mediaTime `media_time` of the edit list's first entry that is not empty, in ticks
 * @property {{ duration: number, size: number, flags: number }} defaults from `trex`
 */

/** The tracks that an init segment describes. */
export function tracksOf(bytes) {
  const moov = boxes(bytes).find((box) => box.type === 'moov');
  if (!moov || moov.end > bytes.length) return [];
  const traks = boxes(bytes, moov.body, moov.end).filter((box) => box.type === 'trak');
  const extends_ = boxes(bytes, moov.body, moov.end)
    .filter((box) => box.type === 'mvex')
    .flatMap((mvex) => boxes(bytes, mvex.body, mvex.end))
    .filter((box) => box.type === 'trex');
  return traks.map((trak) => {
    const version = (box) => bytes[box.body];
    const tkhd = child(bytes, trak, 'tkhd');
    const id = bytes.readUInt32BE(tkhd.body + (version(tkhd) ? 20 : 12));
    const mdhd = down(bytes, trak, 'mdia', 'mdhd');
    const hdlr = down(bytes, trak, 'mdia', 'hdlr');
    const trex = extends_.find((box) => bytes.readUInt32BE(box.body + 4) === id);
    const word = (at) => (trex ? bytes.readUInt32BE(trex.body + at) : 0);
    return {
      id,
      handler: bytes.toString('latin1', hdlr.body + 8, hdlr.body + 12),
      timescale: bytes.readUInt32BE(mdhd.body + (version(mdhd) ? 20 : 12)),
      mediaTime: mediaTimeOf(bytes, down(bytes, trak, 'edts', 'elst')),
      defaults: { duration: word(12), size: word(16), flags: word(20) },
    };
  });
}

function mediaTimeOf(bytes, elst) {
  if (!elst) return 0;
  const wide = bytes[elst.body] === 1;
  const count = bytes.readUInt32BE(elst.body + 4);
  for (let i = 0; i < count; i += 1) {
    const at = elst.body + 8 + i * (wide ? 20 : 12);
    const time = wide ? Number(bytes.readBigInt64BE(at + 8)) : bytes.readInt32BE(at + 4);
    if (time >= 0) return time;
  }
  return 0;
}

/**
 * @typedef {object} Frame one sample
 * @property {number} track
 * @property {bigint} time decode time in ticks of its track
 * @property {number} duration in ticks
 * @property {boolean} sync
 * @property {string} hash of its bytes
 */

/**
 * The frames of all fragments that are there with their last byte.
 *
 * @param {Buffer} bytes of media, with or without its init segment
 * @param {Track[]} [tracks] where the init segment came apart
 * @returns {Frame[]} in the order in which they stand
 */
export function framesOf(bytes, tracks = tracksOf(bytes)) {
  const frames = [];
  let moof = null;
  for (const box of boxes(bytes)) {
    if (box.type === 'moof') moof = box;
    if (box.type !== 'mdat' || !moof) continue;
    if (box.end > bytes.length) break;
    for (const traf of boxes(bytes, moof.body, moof.end).filter(({ type }) => type === 'traf')) {
      frames.push(...framesOfRun(bytes, moof, box, traf, tracks));
    }
    moof = null;
  }
  return frames;
}

function framesOfRun(bytes, moof, mdat, traf, tracks) {
  const tfhd = child(bytes, traf, 'tfhd');
  const tfdt = child(bytes, traf, 'tfdt');
  const id = bytes.readUInt32BE(tfhd.body + 4);
  const { defaults } = tracks.find((track) => track.id === id) ?? tracks[0] ?? { defaults: {} };
  const given = optional(bytes, tfhd.body + 8, flagsOf(bytes, tfhd), [
    [0x1, 8, 'base'],
    [0x2, 4, 'description'],
    [0x8, 4, 'duration'],
    [0x10, 4, 'size'],
    [0x20, 4, 'flags'],
  ]);
  let time = bytes[tfdt.body] ? bytes.readBigUInt64BE(tfdt.body + 4) : BigInt(bytes.readUInt32BE(tfdt.body + 4));
  let at = mdat.body;
  const frames = [];
  for (const trun of boxes(bytes, traf.body, traf.end).filter(({ type }) => type === 'trun')) {
    const flags = flagsOf(bytes, trun);
    const count = bytes.readUInt32BE(trun.body + 4);
    let cursor = trun.body + 8;
    if (flags & 0x1) {
      at = moof.start + bytes.readInt32BE(cursor);
      cursor += 4;
    }
    let first = null;
    if (flags & 0x4) {
      first = bytes.readUInt32BE(cursor);
      cursor += 4;
    }
    for (let i = 0; i < count; i += 1) {
      const sample = optional(bytes, cursor, flags, [
        [0x100, 4, 'duration'],
        [0x200, 4, 'size'],
        [0x400, 4, 'flags'],
        [0x800, 4, 'offset'],
      ]);
      cursor += sample.read;
      const duration = sample.duration ?? given.duration ?? defaults.duration;
      const size = sample.size ?? given.size ?? defaults.size;
      const kind = sample.flags ?? (i === 0 && first !== null ? first : (given.flags ?? defaults.flags ?? 0));
      frames.push({ track: id, time, duration, sync: !(kind & 0x10000), hash: digest(bytes.subarray(at, at + size)) });
      time += BigInt(duration);
      at += size;
    }
  }
  return frames;
}

const flagsOf = (bytes, box) => bytes.readUInt32BE(box.body) & 0xffffff;
const digest = (bytes) => createHash('sha1').update(bytes).digest('hex').slice(0, 12);

/** Reads the fields that a box's flags say are there. */
function optional(bytes, at, flags, fields) {
  const found = { read: 0 };
  for (const [flag, size, name] of fields) {
    if (!(flags & flag)) continue;
    if (size === 4) found[name] = bytes.readUInt32BE(at + found.read);
    found.read += size;
  }
  return found;
}
