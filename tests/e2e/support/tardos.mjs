// The code of a session's variants, written from its description (docs/watermark.md, watermark/src/code.rs) and with none
// of the product's code: what the edges serve is held against it.
import { createHmac } from 'node:crypto';

/** After how many slots positions begin again. */
export const CYCLE = 32_760;

/** The biases of a code against four colluders: the draws below which each row is taken, and its bias. */
const ROWS = [
  [32_768, 13_849],
  [65_536, 51_687],
];

const mac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts.map(Buffer.from))).digest();

function u16(number) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(number);
  return bytes;
}

function u64(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

const text = (words) => Buffer.concat([u16(Buffer.byteLength(words)), Buffer.from(words)]);

/**
 * The bits of a session: true for variant B.
 *
 * @param {Buffer} secret 32 bytes
 * @param {string} service
 * @param {string} id of the session
 * @returns {(position: number) => boolean}
 */
export function bitsOf(secret, service, id, { epoch = 0, operator = 0 } = {}) {
  const [biases, codes] = ['bias', 'code'].map((purpose) => mac(secret, `selvedge-wm-key-${purpose}`));
  return (position) => {
    const event = [text(service), u64(epoch), u16(position >> 4)];
    const word = (bytes) => bytes.readUInt16BE(2 * (position & 15));
    const draw = word(mac(biases, 'selvedge-wm-bias-1\0', ...event));
    const [, bias] = ROWS.find(([end]) => draw < end);
    return word(mac(codes, 'selvedge-wm-code-1\0', u64(operator), text(id), ...event)) < bias;
  };
}
