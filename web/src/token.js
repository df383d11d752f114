// Carries a Common Access Token (CTA-5007-B) with a player's requests where it does not ride in the URL: in a
// header or in a cookie. A token whose issuer allows it (`catr`) is renewed by the edge in the answers, long before
// it expires; a player that takes up the new one plays on for as long as its viewer likes.
//
// For a page of your own, take this file as it is:
//
//   const carrier = new TokenInHeader(token, ['https://edge.example']);
//   const hls = new Hls({ ...hlsCarrying(carrier) });     // hls.js
//   carryInDash(player, carrier);                         // dash.js 5, before `initialize`
//   carryInShaka(player, carrier);                        // Shaka Player 5, before `load`
//
// Neither is needed for a token in the query or in the path: the edge sends the player below a session's path, and
// the browser asks no edge for permission (a preflight) before it sends a request.

/** The registered name of the header and of the cookie; both are case-insensitive to an edge. */
export const TOKEN_NAME = 'cta-common-access-token';

/**
 * @typedef {object} Sending what goes with one request
 * @property {string | null} token for the header
 * @property {boolean} credentials whether the browser sends its cookies, and takes new ones
 * @property {(token: string | null | undefined) => void} answered takes the header of the answer
 */

/**
 * @typedef {object} Carrier
 * @property {(url: string) => Sending | null} send null where a request is none of an edge's
 */

/** The web origins of edges. A token is for nobody else, whatever a playlist links to. */
class Edges {
  #origins;

  /** @param {string[]} urls anything with the scheme, host and port of an edge */
  constructor(urls) {
    this.#origins = new Set(urls.map((url) => new URL(url).origin));
  }

  /** @param {string} url */
  include(url) {
    return this.#origins.has(new URL(url, globalThis.location?.href).origin);
  }
}

/**
 * The token in the header of each request, replaced by the one that an answer's header brings.
 *
 * @implements {Carrier}
 */
export class TokenInHeader {
  #edges;
  #token;
  #sent = 0;
  /** The request whose answer brought the token, counted from one. */
  #broughtBy = 0;

  /**
   * @param {string} token as it was handed out
   * @param {string[]} edges URLs of the edges that may have it
   */
  constructor(token, edges) {
    this.#token = token;
    this.#edges = new Edges(edges);
  }

  /** The token that the next request will carry. */
  get token() {
    return this.#token;
  }

  /**
   * @param {string} url
   * @returns {Sending | null}
   */
  send(url) {
    if (!this.#edges.include(url)) return null;
    const number = (this.#sent += 1);
    return {
      token: this.#token,
      credentials: false,
      answered: (token) => {
        // An answer that was long under way brings a token that is older than what later ones brought.
        if (!token || number < this.#broughtBy) return;
        this.#broughtBy = number;
        this.#token = token;
      },
    };
  }
}

/**
 * The token in a cookie, which the browser keeps and replaces by itself. The edge has to list the page's origin in
 * `cors_origins`: to a page that it lets in with `*`, browsers hand no answer that came of a cookie.
 *
 * @implements {Carrier}
 */
export class TokenInCookie {
  #edges;

  /** @param {string[]} edges URLs of the edges that may have cookies */
  constructor(edges) {
    this.#edges = new Edges(edges);
  }

  /**
   * @param {string} url
   * @returns {Sending | null}
   */
  send(url) {
    return this.#edges.include(url) ? { token: null, credentials: true, answered() {} } : null;
  }
}

/**
 * What to add to the configuration of hls.js. It loads with XMLHttpRequest unless `progressive` is set, which has to
 * stay off.
 *
 * @param {Carrier} carrier
 * @returns {{ xhrSetup: (xhr: XMLHttpRequest, url: string) => void }}
 */
export function hlsCarrying(carrier) {
  return {
    xhrSetup(xhr, url) {
      const sending = carrier.send(url);
      if (!sending) return;
      if (xhr.readyState === XMLHttpRequest.UNSENT) xhr.open('GET', url, true);
      xhr.withCredentials = sending.credentials;
      if (!sending.token) return;
      xhr.setRequestHeader(TOKEN_NAME, sending.token);
      xhr.addEventListener('readystatechange', () => {
        if (xhr.readyState !== XMLHttpRequest.HEADERS_RECEIVED) return;
        sending.answered(xhr.getResponseHeader(TOKEN_NAME));
      });
    },
  };
}

/**
 * Has dash.js 5 carry the token. (It knows a header by itself, `common-access-token`, which is not the registered
 * one, and it has no way to be given the first token.)
 *
 * @param {import('dashjs').MediaPlayerClass} player not initialised yet
 * @param {Carrier} carrier
 */
export function carryInDash(player, carrier) {
  /** @type {WeakMap<object, Sending>} by the request that dash.js hands to its loader */
  const sent = new WeakMap();
  player.addRequestInterceptor(async (request) => {
    const sending = carrier.send(request.url);
    if (!sending) return request;
    request.credentials = sending.credentials ? 'include' : 'omit';
    if (sending.token) request.headers = { ...request.headers, [TOKEN_NAME]: sending.token };
    sent.set(request, sending);
    return request;
  });
  player.addResponseInterceptor(async (response) => {
    sent.get(response.request)?.answered(response.headers?.[TOKEN_NAME]);
    return response;
  });
}

/**
 * Has Shaka Player 5 carry the token.
 *
 * @param {shaka.Player} player with nothing loaded yet
 * @param {Carrier} carrier
 */
export function carryInShaka(player, carrier) {
  /** @type {WeakMap<object, Sending>} by the request that was last sent */
  const sent = new WeakMap();
  const network = player.getNetworkingEngine();
  network.registerRequestFilter((_type, request) => {
    // It tries them in turn, with the same headers.
    const sendings = request.uris.map((uri) => carrier.send(uri));
    const sending = sendings.at(-1);
    if (sendings.includes(null)) return;
    request.allowCrossSiteCredentials = sending.credentials;
    // In lower case, as Shaka itself names it: in another, the browser would join the two.
    if (sending.token) request.headers[TOKEN_NAME] = sending.token;
    sent.set(request, sending);
  });
  network.registerResponseFilter((_type, response) => {
    sent.get(response.originalRequest)?.answered(response.headers[TOKEN_NAME]);
  });
}
