// An origin whose media objects are as long as their name says, made as they are sent.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const BLOCK = 64 * 1024;

/** The bytes of a block: no two blocks of an object are alike, so a lost or doubled one shows. */
function block(index, length) {
  const bytes = Buffer.alloc(BLOCK, index & 0xff);
  bytes.writeUInt32BE(index, 0);
  return bytes.subarray(0, length);
}

function* blocks(total) {
  for (let at = 0, index = 0; at < total; at += BLOCK, index += 1) {
    yield block(index, Math.min(BLOCK, total - at));
  }
}

/** The digest of the object of so many bytes. */
export function digest(total) {
  const hash = createHash('sha256');
  for (const bytes of blocks(total)) hash.update(bytes);
  return hash.digest('hex');
}

/** Serves `/live/<channel>/<track>/0-<bytes>.m4s`. */
export async function startEndlessOrigin(stage) {
  const server = createServer(async (request, response) => {
    const total = Number(/\/0-(\d+)\.m4s$/.exec(request.url.split('?')[0])?.[1]);
    if (!Number.isSafeInteger(total)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': 'video/mp4',
      'Content-Length': total,
      'Cache-Control': 'public, max-age=31536000, immutable',
    });
    // The reader goes away when a test fails: nothing to report then.
    await pipeline(Readable.from(blocks(total)), response).catch(() => {});
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
