// Stands between encoders and an origin as a plain TCP relay, and keeps what each request brought, byte by byte: what
// went in is known whatever a sender says of itself.
import { connect, createServer } from 'node:net';
import { until } from './processes.mjs';

/** Longer pieces than this do not leave a relay that splits. */
const LONGEST_PIECE = 1_400;

/**
 * @typedef {object} Pushed one request as it passed
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} headers names in lower case
 * @property {Buffer} body what has come of it, without chunked framing
 * @property {boolean} whole the sender ended the body, rather than the connection
 * @property {number} at when its head had passed, in ms since 1970
 * @property {number | null} status the answer's, if one came
 * @property {number} connection tells connections apart
 */

/**
 * Starts a relay before an origin.
 *
 * @param {import('./processes.mjs').Stage} stage
 * @param {string} origin URL
 * @param {object} [how]
 * @param {boolean} [how.split] passes bytes on in pieces of random length
 * @param {string} [how.from] the address from which the origin sees them come
 * @returns {Promise<{ url: string, pushed: Pushed[], quiet: () => Promise<void> }>} `quiet` waits until all that was
 *   begun has passed
 */
export async function startTap(stage, origin, { split = false, from } = {}) {
  const { hostname, port } = new URL(origin);
  const pushed = [];
  const open = new Set();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (sender) => {
    const to = { host: hostname, port: Number(port), localAddress: from };
    const onward = connect({ ...to, allowHalfOpen: true, noDelay: true });
    const connection = (connections += 1);
    const waiting = [];
    const requests = new RequestReader((request) => {
      Object.assign(request, { connection, status: null, at: Date.now() });
      waiting.push(request);
      pushed.push(request);
    });
    const answers = new AnswerReader((status) => {
      const request = waiting.shift();
      if (request) request.status = status;
    });
    open.add(sender).add(onward);
    sender.on('data', (bytes) => {
      requests.read(bytes);
      for (const piece of split ? pieces(bytes) : [bytes]) onward.write(piece);
      if (onward.writableNeedDrain) {
        sender.pause();
        onward.once('drain', () => sender.resume());
      }
    });
    onward.on('data', (bytes) => {
      answers.read(bytes);
      // A sender that has hung up does not want the answer.
      if (sender.writable) sender.write(bytes);
    });
    sender.on('end', () => onward.end());
    onward.on('end', () => sender.end());
    // A connection that breaks on one side breaks on the other.
    sender.on('error', () => onward.resetAndDestroy());
    onward.on('error', () => sender.resetAndDestroy());
    for (const socket of [sender, onward]) socket.on('close', () => open.delete(socket));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    pushed,
    quiet: () => until('the relay has passed everything on', () => open.size === 0),
  };
}

function* pieces(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + Math.floor(Math.random() * LONGEST_PIECE));
    yield bytes.subarray(at, end);
    at = end;
  }
}

/** Reads lines and counted bytes from a stream in any split. */
class Reader {
  held = Buffer.alloc(0);

  add(bytes) {
    this.held = this.held.length ? Buffer.concat([this.held, bytes]) : bytes;
  }

  /** Takes as many bytes as are wanted or there. */
  take(count) {
    const taken = this.held.subarray(0, count);
    this.held = this.held.subarray(taken.length);
    return taken;
  }

  /** Takes up to an end mark, which it drops; null while the mark has not come. */
  until(mark) {
    const at = this.held.indexOf(mark);
    if (at < 0) return null;
    const text = this.held.toString('latin1', 0, at);
    this.held = this.held.subarray(at + mark.length);
    return text;
  }
}

function headersOf(lines) {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

/** Reads requests off a connection (RFC 9112); a request is told as soon as its head is there, and grows. */
class RequestReader extends Reader {
  #begin;
  #request = null;
  /** Bytes of the body, or of its chunk, that are still to come; null where a chunk's size is next. */
  #left = 0;
  #chunked = false;
  #parts = [];

  constructor(begin) {
    super();
    this.#begin = begin;
  }

  read(bytes) {
    this.add(bytes);
    while (this.#step());
  }

  #step() {
    if (this.#request === null) {
      const head = this.until('\r\n\r\n');
      if (head === null) return false;
      const [line, ...rest] = head.replace(/^(\r\n)+/, '').split('\r\n');
      const [method, path] = line.split(' ');
      const headers = headersOf(rest);
      this.#chunked = /chunked/i.test(headers['transfer-encoding'] ?? '');
      this.#left = this.#chunked ? null : Number(headers['content-length'] ?? 0);
      const parts = (this.#parts = []);
      this.#request = { method, path, headers, whole: false };
      Object.defineProperty(this.#request, 'body', { get: () => Buffer.concat(parts) });
      this.#begin(this.#request);
      return true;
    }
    if (this.#left === null) {
      const size = this.until('\r\n');
      if (size === null) return false;
      // The line end behind a chunk's bytes is an empty line before the next size.
      if (size !== '') this.#left = Number.parseInt(size, 16);
      if (this.#left === 0) this.#left = -1;
      return true;
    }
    if (this.#left < 0) {
      const trailer = this.until('\r\n');
      if (trailer === '') this.#end();
      return trailer !== null;
    }
    if (this.#left > 0) {
      const taken = this.take(this.#left);
      if (taken.length === 0) return false;
      this.#parts.push(Buffer.from(taken));
      this.#left -= taken.length;
    }
    if (this.#left > 0) return false;
    if (this.#chunked) this.#left = null;
    else this.#end();
    return true;
  }

  #end() {
    this.#request.whole = true;
    this.#request = null;
    this.#left = 0;
  }
}

/** Reads the status of each final answer off a connection; bodies are passed over. */
class AnswerReader extends Reader {
  #tell;
  #left = 0;

  constructor(tell) {
    super();
    this.#tell = tell;
  }

  read(bytes) {
    this.add(bytes);
    for (;;) {
      this.#left -= this.take(this.#left).length;
      if (this.#left > 0) return;
      const head = this.until('\r\n\r\n');
      if (head === null) return;
      const [line, ...rest] = head.split('\r\n');
      const status = Number(line.split(' ')[1]);
      if (status < 200) continue;
      this.#left = Number(headersOf(rest)['content-length'] ?? 0);
      this.#tell(status);
    }
  }
}
