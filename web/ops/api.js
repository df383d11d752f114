// The origin's API for breaks, and what its refusals mean to people.

/** A refusal: nothing has changed at the origin. */
export class Refusal extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} message
   * @param {{ at: string, message: string }[]} [faults]
   */
  constructor(status, message, faults = []) {
    super(message);
    this.status = status;
    this.faults = faults;
  }

  /** Whether another token may help. */
  get isForToken() {
    return this.status === 401;
  }
}

/**
 * What an answer that is not the wanted one says.
 *
 * @param {number} status
 * @param {string} body
 */
export function refusalOf(status, body) {
  let told = {};
  try {
    told = JSON.parse(body) ?? {};
  } catch {
    // Not from the origin itself: the status has to do.
  }
  const faults = Array.isArray(told.faults) ? told.faults : [];
  const text = faults.length
    ? faults.map(({ at, message }) => `${at.replace(/^\//, '') || 'document'} ${message}`).join('; ')
    : (told.detail ?? told.title ?? `The origin answered ${status}.`);
  return new Refusal(status, sentence(String(text)), faults);
}

function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

const WITHIN_MS = 10_000;

/** The origin, as this page asks it. */
export class Api {
  #base;
  #token;
  #fetch;
  /** How far this machine's clock is behind the origin's, in ms; small differences are none. */
  skewMs = 0;

  /**
   * @param {{ base: string, token: () => string | null, fetch?: typeof globalThis.fetch }} options `base` is the URL
   *   that paths of the API are relative to
   */
  constructor({ base, token, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#base = base;
    this.#token = token;
    this.#fetch = fetch;
  }

  async channels() {
    const told = await this.#json('channels');
    return (told.channels ?? told).map((one) => ({
      name: one.channel ?? one.name,
      state: one.state ?? '',
    }));
  }

  breaks(channel) {
    return this.#json(`channels/${encodeURIComponent(channel)}/breaks`);
  }

  /** @returns {Promise<{ text: string, tag: string | null } | null>} null where the channel has no rules */
  async rules(channel) {
    try {
      const { text, headers } = await this.#send('GET', this.#rulesOf(channel));
      return { text, tag: headers.get('ETag') };
    } catch (refusal) {
      if (refusal.status === 404) return null;
      throw refusal;
    }
  }

  /** Puts rules in force, unless others have come since `tag`. */
  putRules(channel, text, tag) {
    return this.#send('PUT', this.#rulesOf(channel), text, tag ? { 'If-Match': tag } : {});
  }

  /** @param {{ at: string, duration_ms: number, name?: string }} wish */
  schedule(channel, wish) {
    const path = `channels/${encodeURIComponent(channel)}/breaks`;
    return this.#send('POST', path, JSON.stringify(wish));
  }

  /** @param {{ at?: string, duration_ms?: number }} wish */
  move(channel, id, wish) {
    return this.#send('PATCH', this.#breakOf(channel, id), JSON.stringify(wish));
  }

  /** Cancels a break that has not begun, or ends the one on air. */
  cancel(channel, id) {
    return this.#send('DELETE', this.#breakOf(channel, id));
  }

  #rulesOf(channel) {
    return `channels/${encodeURIComponent(channel)}/breaks/rules`;
  }

  #breakOf(channel, id) {
    return `channels/${encodeURIComponent(channel)}/breaks/${encodeURIComponent(id)}`;
  }

  async #json(path) {
    return JSON.parse((await this.#send('GET', path)).text);
  }

  async #send(method, path, body, more = {}) {
    const headers = { ...more };
    const token = this.#token();
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response;
    let text;
    try {
      response = await this.#fetch(new URL(path, this.#base), {
        method,
        headers,
        body,
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.timeout(WITHIN_MS),
      });
      text = await response.text();
    } catch {
      throw new Refusal(0, 'The origin does not answer.');
    }
    this.#takeClock(response.headers.get('Date'));
    if (!response.ok) throw refusalOf(response.status, text);
    return { text, headers: response.headers };
  }

  /** A `Date` field is cut to the second, and the way takes a while: less than two seconds say nothing. */
  #takeClock(date) {
    const told = Date.parse(date ?? '');
    if (Number.isNaN(told)) return;
    const skew = told + 500 - Date.now();
    this.skewMs = Math.abs(skew) > 2_000 ? skew : 0;
  }
}
