// What the edge decided, as the browser saw it: one row for each request to the edge, from the
// `Server-Timing` that each answer carries.
import { withoutTokens } from './redact.js';

/**
 * @typedef {object} Row
 * @property {number} at when the request started, ms since 1970
 * @property {string} path path and query, tokens shortened
 * @property {string} route the way that the edge took
 * @property {string} carrier where the token was found
 * @property {string} kid the key that signed the token
 * @property {string} origin what the origin answered
 * @property {number} status what the edge answered; 0 where the browser does not say
 * @property {number} duration ms
 * @property {number} bytes of the body as transferred
 */

/**
 * @param {PerformanceResourceTiming} entry
 * @param {number} timeOrigin
 * @returns {Row}
 */
export function toRow(entry, timeOrigin) {
  const said = Object.fromEntries((entry.serverTiming ?? []).map((t) => [t.name, t.description]));
  return {
    at: timeOrigin + entry.startTime,
    path: withoutTokens(entry.name),
    route: said.route ?? '',
    carrier: said.token ?? '',
    kid: said.kid ?? '',
    origin: said.origin ?? '',
    status: entry.responseStatus ?? 0,
    duration: entry.duration,
    bytes: entry.encodedBodySize,
  };
}

/** A part of a segment: its name ends in its index, `<epoch>-<start>.<index>.m4s`. */
const PART = /-\d+\.\d+\.m4s$/;

/**
 * Whether a request brought a part of a segment (RFC 8216bis §4.4.4.9), and not a whole one.
 *
 * @param {Row} row
 */
export function isPart({ path, status }) {
  return status === 200 && PART.test(path);
}

/**
 * Whether a request was for a playlist that did not exist yet, so that the origin held it until it did (RFC 8216bis
 * §6.2.5.2).
 *
 * @param {Row} row
 */
export function isHeld({ path, status }) {
  return status === 200 && path.includes('_HLS_msn=');
}

/**
 * Reports each finished request to one origin, in the order in which they started.
 *
 * @param {() => string} origin scheme, host and port of the edge as it is now
 * @param {(rows: Row[]) => void} report
 */
export function watchRequests(origin, report) {
  const observer = new PerformanceObserver((list) => {
    const rows = list
      .getEntries()
      .filter((entry) => new URL(entry.name).origin === origin())
      .filter((entry) => new URL(entry.name).pathname !== '/time')
      .map((entry) => toRow(entry, performance.timeOrigin));
    // A live channel never ends; the browser's own buffer of entries must not fill up.
    performance.clearResourceTimings();
    if (rows.length) report(rows.sort((a, b) => a.at - b.at));
  });
  observer.observe({ type: 'resource', buffered: true });
  return observer;
}
