// A token opens the door, so no token is ever written on the page.

const ELLIPSIS = '…';
const QUERY_CARRIERS = /^(cat|CAT)$/;

/**
 * The path and query of a URL, with every token shortened to an ellipsis.
 *
 * @param {string} url
 */
export function withoutTokens(url) {
  const { pathname, search } = new URL(url, globalThis.location?.href);
  const path = pathname.replace(/\/t\/[^/]+/g, `/t/${ELLIPSIS}`);
  const query = search
    .slice(1)
    .split('&')
    .filter(Boolean)
    .map((pair) => {
      const [name] = pair.split('=');
      return QUERY_CARRIERS.test(decodeURIComponent(name)) ? `${name}=${ELLIPSIS}` : pair;
    })
    .join('&');
  return query ? `${path}?${query}` : path;
}

/**
 * Any text, with every token that a path or a query carries in it shortened to an ellipsis.
 *
 * @param {string} text
 */
export function textWithoutTokens(text) {
  return text
    .replace(/\/t\/[^/\s"']+/g, `/t/${ELLIPSIS}`)
    .replace(/([?&;]cat=)[^&\s"'<]+/gi, `$1${ELLIPSIS}`);
}

/**
 * Changes one character in the middle of the signature, the tail of a token.
 *
 * @param {string} token base64url
 */
export function tampered(token) {
  const at = token.length - Math.min(20, Math.ceil(token.length / 2));
  const other = token[at] === 'A' ? 'B' : 'A';
  return token.slice(0, at) + other + token.slice(at + 1);
}
