// "Try it": requests that the edge must refuse, and what it says.
import { tampered, textWithoutTokens, withoutTokens } from './redact.js';

/**
 * @typedef {object} Attempt
 * @property {string} id
 * @property {string} label
 * @property {string} url
 */

/**
 * The requests that can be tried with what the demo hands out.
 *
 * @param {{ hls: string, channel: string, expired?: string }} demo
 * @returns {Attempt[]}
 */
export function attempts(demo) {
  const good = new URL(demo.hls);
  const token = good.searchParams.get('CAT') ?? '';
  const variant = (change) => {
    const url = new URL(good);
    change(url);
    return url.href;
  };
  const list = [
    { id: 'missing', label: 'No token', url: variant((url) => url.searchParams.delete('CAT')) },
    {
      id: 'tampered',
      label: 'Tampered signature',
      url: variant((url) => url.searchParams.set('CAT', tampered(token))),
    },
    {
      id: 'scope',
      label: 'Another channel',
      url: variant((url) => {
        url.pathname = url.pathname.replace(`/live/${demo.channel}/`, '/live/another-channel/');
      }),
    },
  ];
  if (demo.expired) list.splice(1, 0, { id: 'expired', label: 'Expired token', url: demo.expired });
  return list;
}

/**
 * Sends one attempt.
 *
 * @param {Attempt} attempt
 * @returns {Promise<{ request: string, status: number, type: string, body: string, ms: number }>}
 */
export async function send(attempt) {
  const started = performance.now();
  const response = await fetch(attempt.url, { cache: 'no-store' });
  const text = textWithoutTokens(await response.text());
  const ms = performance.now() - started;
  const type = response.headers.get('content-type') ?? '';
  return {
    request: `GET ${withoutTokens(attempt.url)}`,
    status: response.status,
    type,
    body: type.includes('json') ? pretty(text) : text.slice(0, 400),
    ms,
  };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
