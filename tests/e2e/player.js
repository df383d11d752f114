// Plays one URL with one player as it comes from npm, and counts what a viewer would notice.
import { Runs } from '/tests/e2e/runs.js';
import { ClockReader } from '/web/src/clock.js';
import {
  TokenInCookie,
  TokenInHeader,
  carryInDash,
  carryInShaka,
  hlsCarrying,
} from '/web/src/token.js';

const parameters = new URLSearchParams(location.search);
const which = parameters.get('player');
const url = parameters.get('src');
const video = document.getElementById('video');

/**
 * As close to live as the documents ask for, or as far behind as players of whole segments are: several browsers and an
 * encoder on two cores leave no player the time to live on a second of buffer.
 */
const lowLatency = parameters.get('distance') === 'low';

/** Null where the token rides in the URL. */
const carrier =
  {
    header: () => new TokenInHeader(parameters.get('token'), [url]),
    cookie: () => new TokenInCookie([url]),
  }[parameters.get('carrier')]?.() ?? null;

const probe = {
  version: '',
  fatal: [],
  warnings: [],
  /** How long each one lasted, in ms; null while it lasts. */
  stalls: [],
  clock: { reads: 0, misses: 0, first: null, last: null, latencyMs: null },
  runs: new Runs(),
  /** What the player says of breaks that it fills itself. */
  interstitials: [],
  /** The segments that hls.js says were on the screen, or that dash.js has loaded, by their URLs. */
  shown: [],
  ended: false,
  /** Forgets what happened while the player found its place. */
  reset() {
    this.stalls = [];
    this.clock = { reads: 0, misses: 0, first: null, last: null, latencyMs: null };
    this.runs = new Runs();
  },
  look() {
    const quality = video.getVideoPlaybackQuality();
    return {
      at: performance.now(),
      currentTime: video.currentTime,
      duration: Number.isFinite(video.duration) ? video.duration : null,
      paused: video.paused,
      ended: this.ended || video.ended,
      readyState: video.readyState,
      width: video.videoWidth,
      height: video.videoHeight,
      buffered: ahead(),
      frames: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      audioBytes: video.webkitAudioDecodedByteCount,
      videoBytes: video.webkitVideoDecodedByteCount,
      stalls: [...this.stalls],
      fatal: this.fatal,
      warnings: this.warnings,
      clock: { ...this.clock },
      version: this.version,
    };
  },
};
window.probe = probe;

function ahead() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}

let played = false;
let stalledAt = null;
video.addEventListener('playing', () => {
  played = true;
  if (stalledAt === null) return;
  probe.stalls[probe.stalls.length - 1] = Math.round(performance.now() - stalledAt);
  stalledAt = null;
});
video.addEventListener('waiting', () => {
  if (!played || video.seeking) return;
  stalledAt = performance.now();
  probe.stalls.push(null);
});
video.addEventListener('ended', () => {
  probe.ended = true;
});

/** Where a player that shows ads in a video of their own puts it, over the programme's. */
const ads = document.getElementById('ads');
const adOnScreen = () => {
  const shown = ads.querySelector('video');
  return shown?.style.display === 'none' ? null : shown;
};
new MutationObserver((changes) => {
  for (const shown of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
    const onFrame = () => {
      // No clock of the programme's is in it.
      if (adOnScreen()) probe.runs.note(null, performance.now());
      shown.requestVideoFrameCallback?.(onFrame);
    };
    onFrame();
  }
}).observe(ads, { childList: true });

const reader = new ClockReader();
const onFrame = () => {
  video.requestVideoFrameCallback(onFrame);
  if (adOnScreen()) return;
  const { ms } = reader.read(video);
  probe.runs.note(ms, performance.now());
  if (ms === null) {
    probe.clock.misses += 1;
  } else {
    probe.clock.reads += 1;
    probe.clock.first ??= ms;
    probe.clock.last = ms;
    probe.clock.latencyMs = Date.now() - ms;
  }
};
video.requestVideoFrameCallback(onFrame);

setInterval(() => {
  const now = probe.look();
  document.getElementById('facts').textContent =
    `${which} ${probe.version}  ${now.width}x${now.height}\n` +
    `t ${now.currentTime.toFixed(2)}  buffer ${now.buffered.toFixed(1)}  stalls ${now.stalls.length}  ` +
    `dropped ${now.dropped}/${now.frames}\n` +
    `latency ${now.clock.latencyMs ?? '-'} ms`;
}, 500);

function script(source) {
  return new Promise((done, fail) => {
    const element = document.createElement('script');
    element.src = source;
    element.onload = done;
    element.onerror = () => fail(new Error(`${source} did not load`));
    document.head.append(element);
  });
}

const INTERSTITIALS = [
  'ASSET_LIST_LOADED',
  'INTERSTITIAL_STARTED',
  'INTERSTITIAL_ASSET_STARTED',
  'INTERSTITIAL_ASSET_ERROR',
  'INTERSTITIAL_ENDED',
  'INTERSTITIALS_PRIMARY_RESUMED',
];

const SHAKA_ADS = ['ad-break-started', 'ad-started', 'ad-complete', 'ad-skipped', 'ad-error', 'ad-break-ended'];

const players = {
  async hls() {
    await script('/node_modules/hls.js/dist/hls.min.js');
    const { Hls } = window;
    probe.version = Hls.version;
    const hls = new Hls({ lowLatencyMode: lowLatency, ...(carrier && hlsCarrying(carrier)) });
    hls.on(Hls.Events.ERROR, (_event, { fatal, type, details }) => {
      (fatal ? probe.fatal : probe.warnings).push(`${type} ${details}`);
    });
    for (const name of INTERSTITIALS) {
      hls.on(Hls.Events[name], () => probe.interstitials.push({ name, at: Math.round(performance.now()) }));
    }
    hls.on(Hls.Events.FRAG_CHANGED, (_event, { frag }) => probe.shown.push(frag.url));
    hls.attachMedia(video);
    hls.loadSource(url);
    await video.play();
  },
  async dash() {
    await script('/node_modules/dashjs/dist/modern/umd/dash.all.min.js');
    const { MediaPlayer } = window.dashjs;
    const player = MediaPlayer().create();
    probe.version = player.getVersion();
    player.on('fragmentLoadingCompleted', ({ request }) => {
      if (request.mediaType === 'video' && request.type === 'MediaSegment') probe.shown.push(request.url);
    });
    player.on(MediaPlayer.events.ERROR, ({ error }) => {
      probe.fatal.push(String(error?.message ?? error));
    });
    if (!lowLatency) {
      player.updateSettings({
        streaming: { delay: { liveDelayFragmentCount: 3 }, liveCatchup: { enabled: false } },
      });
    }
    // No request may leave the machine, not even for the time.
    player.clearDefaultUTCTimingSources();
    if (carrier) carryInDash(player, carrier);
    player.initialize(video, url, true);
  },
  async shaka() {
    await script('/node_modules/shaka-player/dist/shaka-player.compiled.js');
    const { shaka } = window;
    shaka.polyfill.installAll();
    probe.version = shaka.Player.version;
    const player = new shaka.Player();
    if (!lowLatency) {
      player.configure({
        manifest: { defaultPresentationDelay: 6, dash: { ignoreSuggestedPresentationDelay: true } },
        streaming: {
          lowLatencyMode: false,
          liveSync: { enabled: true, targetLatency: 0, maxPlaybackRate: 1, minPlaybackRate: 1 },
        },
      });
    }
    await player.attach(video);
    player.addEventListener('error', ({ detail }) => {
      const critical = detail.severity === shaka.util.Error.Severity.CRITICAL;
      (critical ? probe.fatal : probe.warnings).push(`error ${detail.code} ${detail.data}`);
    });
    player.getAdManager().setContainers(ads, null);
    for (const name of SHAKA_ADS) {
      player.getAdManager().addEventListener(name, () => {
        probe.interstitials.push({ name, at: Math.round(performance.now()) });
      });
    }
    if (carrier) carryInShaka(player, carrier);
    await player.load(url);
    await video.play();
  },
};

try {
  await players[which]();
} catch (error) {
  probe.fatal.push(`${error.code ?? ''} ${error.message ?? error}`);
}
