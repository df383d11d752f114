// Makes small pieces of fragmented MP4 for the tests of the checkers: right in their boxes, empty in their pictures.

const box = (type, ...content) => {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
};

const u16 = (...values) => Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 0xff])));
const u32 = (...values) =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value >>> 0);
      return bytes;
    }),
  );
const u64 = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const zeros = (count) => Buffer.alloc(count);

/** An initialization segment of one H.264 track. */
export function initOf({ timescale = 25_000, width = 320, height = 180, mediaTime = 0, handler = 'vide' } = {}) {
  const avcC = box('avcC', Buffer.from([1, 0x64, 0x00, 0x1f, 0xff, 0xe0, 0]));
  const entry = box('avc1', zeros(6), u16(1), zeros(16), u16(width, height), zeros(50), avcC);
  const stsd = box('stsd', u32(0, 1), entry);
  const edts = mediaTime ? [box('edts', box('elst', u32(0, 1, 0, mediaTime, 0x10000)))] : [];
  return Buffer.concat([
    box('ftyp', Buffer.from('iso6'), u32(0), Buffer.from('cmfc')),
    box(
      'moov',
      box('mvhd', zeros(100)),
      box(
        'trak',
        box('tkhd', zeros(76), u32(width << 16, height << 16)),
        ...edts,
        box(
          'mdia',
          box('mdhd', u32(0, 0, 0, timescale, 0), u16(0x55c4, 0)),
          box('hdlr', u32(0, 0), Buffer.from(handler), zeros(13)),
          box('minf', box('stbl', stsd)),
        ),
      ),
      box('mvex', box('trex', u32(0, 1, 1, 0, 0, 0))),
    ),
  ]);
}

const SYNC = 0x02000000;
const NOT_SYNC = 0x01010000;

/** A fragment of samples that last 1,000 ticks each. */
export function fragmentOf({ start, samples = 8, sync = false, syncAt = -1, tick = 1_000 }) {
  const flags = Array.from({ length: samples }, (_, i) => ((i === 0 && sync) || i === syncAt ? SYNC : NOT_SYNC));
  const trun = box('trun', u32(0x000701, samples, 0), ...flags.map((one) => u32(tick, 4, one)));
  const traf = box('traf', box('tfhd', u32(0x020000, 1)), box('tfdt', u32(0x01000000), u64(start)), trun);
  return Buffer.concat([box('moof', box('mfhd', u32(0, 1)), traf), box('mdat', zeros(4 * samples))]);
}

/** A box of any type. */
export const boxOf = (type, ...content) => box(type, ...content);
