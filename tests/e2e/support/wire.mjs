// What a page sent to an edge, and what was refused: seen from outside the page.
import { tokenOf } from './browser.mjs';

const REFUSALS = [401, 403];

/** The tokens that a page's requests carried to one edge. */
export class Wire {
  #edge;
  /** @type {Promise<{ path: string, token: string | null }>[]} in the order in which they were sent */
  #requests = [];
  #refused = [];

  /** @param {string} edge URL */
  constructor(edge) {
    this.#edge = edge;
  }

  /** Begins to listen to a page. */
  watch(page) {
    page.on('request', (request) => {
      if (!this.#concerns(request)) return;
      const path = pathOf(request);
      const told = tokenOf(request)
        // A page that closes while it is asked takes its answer along.
        .catch(() => null)
        .then((token) => ({ path, token }));
      this.#requests.push(told);
    });
    page.on('response', (response) => {
      if (!this.#concerns(response.request()) || !REFUSALS.includes(response.status())) return;
      this.#refused.push(`${response.status()} ${pathOf(response.request())}`);
    });
  }

  /** Everything for which an edge wants a token, which is all but its clock. */
  #concerns(request) {
    const url = new URL(request.url());
    return url.origin === this.#edge && request.method() === 'GET' && !url.pathname.endsWith('/time');
  }

  /**
   * What was seen until now.
   *
   * @returns {Promise<{ tokens: string[], mediaTokens: string[], refused: string[] }>} each token once, in the order
   *   of its first use; those that segments were fetched with; and the requests that were refused
   */
  async read() {
    const requests = await Promise.all(this.#requests);
    const unique = (list) => [...new Set(list.map(({ token }) => token).filter(Boolean))];
    return {
      tokens: unique(requests),
      mediaTokens: unique(requests.filter(({ path }) => /\.(m4s|mp4)$/.test(path))),
      refused: [...this.#refused],
    };
  }
}

/** The path without its token: what may stand in a test's report. */
const pathOf = (request) => new URL(request.url()).pathname.replace(/^\/t\/[^/]+/, '/t/…');
