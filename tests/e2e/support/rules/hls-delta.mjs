// Playlist delta updates (rfc8216bis 6.2.5.1): what a client makes of one, and whether it is the whole truth.

/**
 * Puts what a delta update has skipped back in its place.
 *
 * @param {import('./hls-playlist.mjs').MediaPlaylist} before a full playlist, or one made whole before
 * @param {import('./hls-playlist.mjs').MediaPlaylist} delta
 * @param {import('./findings.mjs').Findings} findings
 * @returns {import('./hls-playlist.mjs').MediaPlaylist | null} the full playlist; null where none can be made
 */
export function applyDelta(before, delta, findings) {
  const { skip } = delta;
  if (!skip) return delta;
  const known = new Map(before.segments.map((segment) => [segment.sequence, segment]));
  const skipped = [];
  for (let sequence = delta.mediaSequence; sequence < delta.mediaSequence + skip.segments; sequence += 1) {
    const segment = known.get(sequence);
    if (!segment) {
      findings.must('delta-unknown', skip.line, `segment ${sequence} is skipped and was not in the playlist before`);
      return null;
    }
    skipped.push(segment);
  }
  const last = skipped.at(-1);
  // Discontinuities among what was skipped count for what follows; the header's number does not change.
  const jumped = last ? last.discontinuitySequence - delta.discontinuitySequence : 0;
  let map = last?.map ?? null;
  let keys = last?.keys ?? [];
  let time = last && last.time !== null && last.duration !== null ? last.time + last.duration * 1_000 : null;
  const follow = (segment) => {
    map = segment.map ?? map;
    if (segment.keys.length || delta.lines.some((line) => line.tag === 'EXT-X-KEY' && line.number < segment.line))
      keys = segment.keys;
    time = segment.dateTime ?? (segment.discontinuity ? segment.time : (time ?? segment.time));
    const whole = {
      ...segment,
      map,
      keys,
      time,
      discontinuitySequence: segment.discontinuitySequence + jumped,
    };
    time = time !== null && segment.duration !== null ? time + segment.duration * 1_000 : null;
    return whole;
  };
  const whole = Object.create(Object.getPrototypeOf(delta), Object.getOwnPropertyDescriptors(delta));
  whole.skip = null;
  whole.segments = [...skipped, ...delta.segments.map(follow)];
  whole.open = delta.open && follow(delta.open);
  if (skip.removedDateRanges) {
    const removed = new Set(skip.removedDateRanges.map((id) => `"${id}"`));
    const given = new Set(delta.dateRanges.map(({ attributes }) => attributes.get('ID')));
    const kept = before.dateRanges.filter(
      ({ attributes }) => !removed.has(attributes.get('ID')) && !given.has(attributes.get('ID')),
    );
    whole.dateRanges = [...kept, ...delta.dateRanges];
  }
  return whole;
}

/**
 * Compares a playlist that was made whole with the full one.
 *
 * @returns {string | null} the first difference
 */
export function difference(made, full) {
  const fields = [
    'targetDuration',
    'partTarget',
    'mediaSequence',
    'discontinuitySequence',
    'playlistType',
    'ended',
    'independentSegments',
  ];
  for (const field of fields) {
    if (made[field] !== full[field]) return `${field} is ${made[field]} and should be ${full[field]}`;
  }
  if (plain(made.serverControl) !== plain(full.serverControl)) return 'EXT-X-SERVER-CONTROL differs';
  const [a, b] = [made.all, full.all];
  if (a.length !== b.length) return `${a.length} segments instead of ${b.length}`;
  for (const [index, segment] of a.entries()) {
    const [mine, theirs] = [faceOf(segment), faceOf(b[index])];
    if (mine !== theirs) return `segment ${segment.sequence} is ${mine} and should be ${theirs}`;
  }
  for (const list of ['hints', 'reports']) {
    const bare = (entries) => JSON.stringify(entries.map(({ line, ...entry }) => entry));
    if (bare(made[list]) !== bare(full[list])) return `the ${list} differ`;
  }
  const ranges = ({ dateRanges }) =>
    dateRanges
      .map(({ attributes }) => plain(attributes))
      .sort()
      .join('\n');
  return ranges(made) === ranges(full) ? null : 'the date ranges differ';
}

const plain = (map) => JSON.stringify(map === null ? null : [...map]);

/** A segment's date may be written or follow from the one before: its time is compared. */
function faceOf({ line, time, dateTime, parts, ...segment }) {
  const bare = parts.map(({ line: _line, ...part }) => part);
  return JSON.stringify({ ...segment, time: time === null ? null : Math.round(time), parts: bare });
}
