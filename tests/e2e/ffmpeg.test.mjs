// The `ffmpeg` command pushes a channel of its own, with its own DASH muxer as it is, and the
// channel plays.
import { after, before, describe, test } from 'node:test';
import { PLAYERS, entry, openPlayer, servePlayers, startBrowser } from './support/browser.mjs';
import { Keys, temporaryFolder } from './support/keys.mjs';
import { startEdge, startOrigin, untilDeep } from './support/parts.mjs';
import { Stage, answers } from './support/processes.mjs';
import { assertContent, watch } from './support/watching.mjs';

const SECONDS = 20;
const CHANNEL = 'ffmpeg';

const PICTURE = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
const TONE = ['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
const CODECS = [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
  ...['-g', '50', '-keyint_min', '50', '-sc_threshold', '0', '-b:v', '300k'],
  ...['-c:a', 'aac', '-b:a', '64k'],
];
const MUXER = [
  ...['-f', 'dash', '-method', 'PUT', '-streaming', '1', '-ldash', '1', '-seg_duration', '2'],
  ...['-frag_type', 'duration', '-frag_duration', '0.4', '-use_timeline', '0'],
  ...['-target_latency', '3', '-window_size', '4', '-extra_window_size', '2', '-write_prft', '1'],
];

describe('a channel that the ffmpeg command pushes plays', () => {
  const stage = new Stage();
  let keys;
  let origin;
  let site;
  let browser;

  before(async () => {
    keys = new Keys(temporaryFolder(stage));
    origin = await startOrigin(stage);
    await stage.start({
      name: 'ffmpeg',
      command: 'ffmpeg',
      args: [
        ...['-hide_banner', '-loglevel', 'warning', ...PICTURE, ...TONE, ...CODECS, ...MUXER],
        ...['-utc_timing_url', `${origin}/time`, `${origin}/ingest/${CHANNEL}/manifest.mpd`],
      ],
      ready: () => answers(`${origin}/live/${CHANNEL}/index.m3u8`),
    });
    await untilDeep(origin, CHANNEL);
    site = await servePlayers(stage);
    browser = await startBrowser(stage);
  });
  after(() => stage.close());

  test(`in three players, for ${SECONDS} s`, async (t) => {
    const { url } = await startEdge('native', stage, origin, keys);
    const token = keys.mint(`/live/${CHANNEL}/`);
    const shows = await Promise.all(
      PLAYERS.map(async (player) => ({
        name: player,
        page: await openPlayer(browser, site, player, entry(player, url, CHANNEL, token)),
      })),
    );
    const figures = await watch(shows, SECONDS);
    for (const { name } of shows) t.diagnostic(`${name} ${JSON.stringify(figures[name])}`);
    for (const { name } of shows) assertContent(name, figures[name], { burnedClock: false });
  });
});
