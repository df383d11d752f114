// Pushes what AWS Elemental MediaLive sent: an init segment for each track, four segments in the
// pace at which they were made, and the empty `mfra` box that ends a track.
//
//   node push-medialive.mjs <folder of the vectors> <push URL of a channel>
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const SEGMENT_MS = 1_920;
const TRACKS = { video: 'cmfv', audio: 'cmfa', scte: 'cmfm' };
/** ISO/IEC 14496-12 8.8.9: eight bytes of box and nothing in it. */
const EMPTY_MFRA = Buffer.from([0, 0, 0, 8, 0x6d, 0x66, 0x72, 0x61]);

async function put(url, body) {
  const response = await fetch(url, {
    method: 'PUT',
    body,
    headers: { 'Content-Type': 'application/octet-stream', 'DASH-IF-Ingest': '1.1' },
  });
  if (!response.ok) throw new Error(`PUT ${url}: ${response.status} ${await response.text()}`);
}

/** Pushes the whole event; resolves when the origin has taken the last byte. */
export async function pushMediaLive(folder, pushUrl) {
  const tracks = Object.entries(TRACKS);
  const read = (track, name) => readFileSync(join(folder, track, name));
  for (const [track, extension] of tracks) {
    await put(`${pushUrl}/${track}/init.${extension}`, read(track, `init.${extension}`));
  }
  const numbers = readdirSync(join(folder, 'video'))
    .map((name) => /^(\d+)\.cmfv$/.exec(name)?.[1])
    .filter(Boolean)
    .sort();
  for (const number of numbers) {
    await sleep(SEGMENT_MS);
    await Promise.all(
      tracks.map(([track, extension]) =>
        put(`${pushUrl}/${track}/${number}.${extension}`, read(track, `${number}.${extension}`)),
      ),
    );
  }
  const last = Number(numbers.at(-1)) + 1;
  for (const [track, extension] of tracks) {
    await put(`${pushUrl}/${track}/${last}.${extension}`, EMPTY_MFRA);
  }
  return numbers.length;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , folder, pushUrl] = process.argv;
  console.log(`${await pushMediaLive(folder, pushUrl)} segments pushed`);
}
