// Common Access Tokens put together byte by byte (RFC 8949, RFC 9052), with whatever claims a test wants and none of
// the product's code: what the edges accept of these, they accept of any issuer.
import { createPrivateKey, sign } from 'node:crypto';

/** Labels of claims (IANA CWT registry; CTA-5007-B). */
export const CLAIM = {
  iss: 1,
  exp: 4,
  nbf: 5,
  iat: 6,
  cti: 7,
  catreplay: 308,
  catv: 310,
  catnip: 311,
  catu: 312,
  catm: 313,
  cath: 315,
  catgeoiso3166: 316,
  catr: 323,
};

/** A tagged value (RFC 8949 §3.4). */
export class Tagged {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG] = [0, 1, 2, 3, 4, 5, 6];

/** A major type and its argument, in the shortest form. */
function head(major, argument) {
  const top = major << 5;
  if (argument < 24) return Buffer.from([top | argument]);
  if (argument < 0x100) return Buffer.from([top | 24, argument]);
  if (argument < 0x1_0000) return Buffer.from([top | 25, argument >> 8, argument & 0xff]);
  const bytes = Buffer.alloc(5, top | 26);
  bytes.writeUInt32BE(argument, 1);
  return bytes;
}

/** Encodes whole numbers, texts, buffers, arrays, maps and tags. */
export function cbor(value) {
  if (Number.isInteger(value)) return value < 0 ? head(NEGATIVE, -1 - value) : head(UNSIGNED, value);
  if (typeof value === 'string') return Buffer.concat([head(TEXT, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(BYTES, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(ARRAY, value.length), ...value.map(cbor)]);
  if (value instanceof Map) {
    return Buffer.concat([head(MAP, value.size), ...[...value].flat().map(cbor)]);
  }
  if (value instanceof Tagged) return Buffer.concat([head(TAG, value.tag), cbor(value.value)]);
  throw new TypeError(`no CBOR for ${value}`);
}

const [ALG, KID, ES256] = [1, 4, -7];
const [CWT, SIGN1] = [61, 18];

/**
 * Signs claims with ES256, as a CWT in a COSE_Sign1.
 *
 * @param {object} jwk private
 * @param {Map<number | string, unknown>} claims by their labels
 * @returns {string} base64url
 */
export function signed(jwk, claims) {
  const [protectedHeader, payload] = [cbor(new Map([[ALG, ES256]])), cbor(claims)];
  const signature = sign(
    'sha256',
    cbor(['Signature1', protectedHeader, Buffer.alloc(0), payload]),
    { key: createPrivateKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
  );
  const unprotected = new Map([[KID, Buffer.from(jwk.kid)]]);
  const message = [protectedHeader, unprotected, payload, signature];
  return cbor(new Tagged(CWT, new Tagged(SIGN1, message))).toString('base64url');
}

/** Seconds since 1970. */
export const inSeconds = (seconds) => Math.floor(Date.now() / 1_000) + seconds;

/** `catu`: the path begins so (component 3, match type 1). */
export const below = (path) => new Map([[3, new Map([[1, path]])]]);
