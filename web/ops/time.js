// Moments, lengths and countdowns, as people read and write them. Moments are microseconds since 1970.

const MS = 1_000;

/**
 * How moments are shown: in UTC, or in the zone of whoever looks.
 *
 * @param {'utc' | 'local'} zone
 */
export function clockFor(zone) {
  const timeZone = zone === 'utc' ? 'UTC' : undefined;
  const of = (options) =>
    new Intl.DateTimeFormat('en-GB', { timeZone, hourCycle: 'h23', ...options });
  const time = of({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const minute = of({ hour: '2-digit', minute: '2-digit' });
  const day = of({ weekday: 'short', day: 'numeric', month: 'short' });
  return {
    time: (us) => time.format(us / MS),
    minute: (us) => minute.format(us / MS),
    day: (us) => day.format(us / MS),
  };
}

/** `30 s`, `1 min 30 s`, `2.5 s`, `1 h 5 min`. */
export function lengthText(us) {
  const ms = Math.round(us / MS);
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1_000;
  const parts = [];
  if (hours) parts.push(`${hours} h`);
  if (minutes) parts.push(`${minutes} min`);
  if (seconds || !parts.length) parts.push(`${+seconds.toFixed(3)} s`);
  return parts.join(' ');
}

const two = (number) => String(number).padStart(2, '0');

/** `1:02:03` or `02:03`: whole seconds that are left, so that nought is the moment itself. */
export function countdown(us) {
  const seconds = Math.max(0, Math.ceil(us / 1_000_000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** `in 4 min`, `20 s ago`: roughly. */
export function roughly(us) {
  const seconds = Math.round(Math.abs(us) / 1_000_000);
  if (seconds === 0) return 'now';
  const [value, unit] =
    seconds < 100
      ? [seconds, 's']
      : seconds < 6_000
        ? [Math.round(seconds / 60), 'min']
        : seconds < 172_800
          ? [Math.round(seconds / 3_600), 'h']
          : [Math.round(seconds / 86_400), 'days'];
  return us >= 0 ? `in ${value} ${unit}` : `${value} ${unit} ago`;
}

/**
 * The value of an `<input type="datetime-local">` for a moment.
 *
 * @param {number} us
 * @param {'utc' | 'local'} zone
 */
export function toField(us, zone) {
  const ms = Math.round(us / MS);
  const shift = zone === 'utc' ? 0 : new Date(ms).getTimezoneOffset() * 60_000;
  const text = new Date(ms - shift).toISOString().slice(0, -1);
  return text.endsWith('.000') ? text.slice(0, -4) : text;
}

/**
 * The moment in such an input; null where it is empty or no moment.
 *
 * @param {string} text
 * @param {'utc' | 'local'} zone
 */
export function fromField(text, zone) {
  const ms = Date.parse(zone === 'utc' ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms * MS;
}

/** The moment in RFC 3339, as the origin takes it. */
export const rfc3339 = (us) => new Date(us / MS).toISOString();
