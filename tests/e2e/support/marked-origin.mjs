// An origin of marked media, and a shield before it: what it is asked for, and how much of it, is noted.
import { createServer, request } from 'node:http';
import { cbor } from './cwt.mjs';

/** What edges have to show before they get variants, or what says positions. */
export const ORIGIN_TOKEN = 'e2e-token-of-the-origin';

/** A rendition of variants: `/live/marked/v1/<n>.m4s` and `b/<n>.m4s`; the body says which it is. */
export async function startMarkedOrigin(stage) {
  const asked = [];
  const server = createServer((incoming, answer) => {
    const { method, url, headers } = incoming;
    asked.push({ method, url, authorization: headers.authorization ?? null });
    const found = /^\/live\/marked\/v1\/(b\/|WMPaceInfo\/)?([0-9]+)\.m4s$/.exec(url);
    if (!found) {
      const isInit = url === '/live/marked/v1/init.mp4';
      return answer.writeHead(isInit ? 200 : 404, { 'Content-Type': 'video/mp4' }).end(isInit ? 'init' : '');
    }
    const [, folder, number] = found;
    if (headers.authorization !== `Bearer ${ORIGIN_TOKEN}`) return answer.writeHead(403).end();
    const caching = { 'Cache-Control': 'public, max-age=31536000, immutable', ETag: `"${number}"` };
    const pace = cbor(new Map([[1, 1], [2, [new Map([[6, Number(number)]])]]]));
    if (folder === 'WMPaceInfo/') {
      return answer.writeHead(200, { ...caching, 'Content-Type': 'application/cbor' }).end(pace);
    }
    const variant = folder === 'b/' ? 'B' : 'A';
    answer.writeHead(200, {
      ...caching,
      'Content-Type': 'video/mp4',
      WMPaceInfoEgress: pace.toString('base64url'),
      'Last-Modified': new Date(variant === 'A' ? 1e12 : 2e12).toUTCString(),
      'X-Cache-Key': url,
    });
    return answer.end(`${variant}${number}`);
  });
  return { url: await listen(stage, server), asked };
}

/**
 * A shared cache (RFC 9111) that keys on the URL alone, as those of content delivery networks do. An answer to a request
 * with `Authorization` is kept only where it says `public` (§3.5).
 */
export async function startShield(stage, origin) {
  const kept = new Map();
  const server = createServer((incoming, answer) => {
    const { method, url, headers } = incoming;
    const found = method === 'GET' ? kept.get(url) : undefined;
    if (found) return answer.writeHead(200, found.headers).end(found.body);
    const { host: _shield, ...others } = headers;
    const onward = request(origin + url, { method, headers: others }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const isPublic = /\bpublic\b/.test(response.headers['cache-control'] ?? '');
      if (response.statusCode === 200 && isPublic) kept.set(url, { headers: response.rawHeaders, body });
      answer.writeHead(response.statusCode, response.rawHeaders).end(body);
    });
    onward.on('error', () => answer.destroy());
    onward.end();
  });
  return { url: await listen(stage, server), kept };
}

async function listen(stage, server) {
  // On a machine that is busy elsewhere, a connection would be closed just as it is used again.
  server.keepAliveTimeout = 0;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
