// Requests that no HTTP client would send.
import { connect } from 'node:net';

const LATEST_MS = 10_000;

/**
 * Sends bytes to a server and reads until it hangs up.
 *
 * @param {string} server URL
 * @param {(string | Buffer)[]} lines of the request's head; each ends with CRLF, and an empty one with it all
 * @returns {Promise<{ status: number, text: string }>} status 0 where it hung up without a word
 */
export function sendRaw(server, lines) {
  const { hostname, port, host } = new URL(server);
  const [first, ...rest] = lines;
  const head = [first, `Host: ${host}`, 'Connection: close', ...rest, ''];
  const bytes = Buffer.concat(head.flatMap((line) => [Buffer.from(line), Buffer.from('\r\n')]));
  return new Promise((done, fail) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1');
    socket.setTimeout(LATEST_MS, () => socket.destroy(new Error('the server neither answers nor hangs up')));
    socket.on('data', (data) => (text += data));
    socket.on('error', (error) => (error.code === 'ECONNRESET' ? end() : fail(error)));
    socket.on('close', end);
    function end() {
      done({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    }
  });
}
