// What the benchmark's origin has: playlists of one rendition, with breaks and without, and what fills the breaks.

const SEGMENT_US = 2_000_000;
const BREAK_SEGMENTS = 15;
const AD_SEGMENTS = 5;

const date = (us) => new Date(us / 1_000).toISOString();

/** A media playlist of so many segments of 2 s, and the breaks of 30 s that begin with the given ones. */
function playlist(channel, begin, segments, breaks) {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:6', '#EXT-X-TARGETDURATION:2', '#EXT-X-MEDIA-SEQUENCE:1'];
  if (breaks.length) {
    lines.push('#EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=0,DSN-SHIFT=0');
    for (const first of breaks) {
      const out = begin + first * SEGMENT_US;
      const back = out + BREAK_SEGMENTS * SEGMENT_US;
      lines.push(
        `#EXT-X-SELVEDGE-BREAK:ID="${channel}-${out / 1_000}-si:1",OUT=${out},PLANNED=${back - out},IN=${back},REVISION=1,` +
          `EFFECTIVE-FROM=${out},SLOTS="5x2000000,5x2000000,5x2000000",AFTER=WAIT,TOLERANCE=40000,` +
          `MSN-OUT=${first + 1},DSN-BEFORE=0,MSN-IN=${first + 1 + BREAK_SEGMENTS},DSN-IN=0`,
      );
    }
  }
  lines.push('#EXT-X-MAP:URI="init.mp4"');
  for (let number = 0; number < segments; number += 1) {
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${date(begin + number * SEGMENT_US)}`);
    lines.push('#EXTINF:2.000,', `0-${number * 180_000}.m4s`);
  }
  return `${lines.join('\n')}\n`;
}

function decision(path) {
  const [, id] = /^\/decisions\/bench-\w+\/([^/]+)\/all$/.exec(path) ?? [];
  if (!id) return null;
  const segments = Array.from({ length: AD_SEGMENTS }, (_, i) => [SEGMENT_US, `/creatives/acme/v/${i}.m4s`]);
  const ad = {
    creative: 'acme',
    duration_us: AD_SEGMENTS * SEGMENT_US,
    renditions: { v: { init: '/creatives/acme/v/init.mp4', segments } },
  };
  return { version: 1, break: id, cohort: 'all', ads: [ad, ad, ad] };
}

/** The playlists that are asked for: by their names, what they are. */
export const PLAYLISTS = {
  plain: '3 min, no break: passed through',
  short: '3 min, 1 break',
  long: '3 h (0.5 MB), 12 breaks',
};

/** All answers of the origin, by path. */
export function documents() {
  // Whole seconds, long over: nothing in it changes.
  const begin = (Math.floor(Date.now() / 1_000) - 4 * 3_600) * 1_000_000;
  const twelve = Array.from({ length: 12 }, (_, i) => i * 450 + 200);
  const media = {
    plain: playlist('bench-plain', begin, 90, []),
    short: playlist('bench-short', begin, 90, [40]),
    long: playlist('bench-long', begin, 5_400, twelve),
  };
  const multivariant = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\nv/index.m3u8\n';
  return (path) => {
    const [, name, rendition] = /^\/live\/bench-(\w+)\/(v\/)?index\.m3u8$/.exec(path) ?? [];
    if (name) return { type: 'application/vnd.apple.mpegurl', body: rendition ? media[name] : multivariant };
    const decided = decision(path);
    return decided && { type: 'application/json', body: JSON.stringify(decided) };
  };
}
