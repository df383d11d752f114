import shaka from 'shaka-player';
import { carryInShaka } from '../token.js';

/** @typedef {import('../player.js').Adapter} Adapter */
/** @typedef {import('../player.js').Failure} Failure */

export const name = 'Shaka Player';
export const version = String(shaka.Player.version).replace(/^v/, '');
export const dialect = 'dash';

/** As far behind live as players of whole segments are, whatever `ServiceDescription` asks for. */
const STEADY = {
  manifest: { defaultPresentationDelay: 6, dash: { ignoreSuggestedPresentationDelay: true } },
  streaming: {
    lowLatencyMode: false,
    liveSync: { enabled: true, targetLatency: 0, maxPlaybackRate: 1, minPlaybackRate: 1 },
  },
};

/** How far, in seconds, Shaka may be off before it plays faster or slower. */
const SLACK = 0.1;

/**
 * Plays a DASH MPD with Shaka Player.
 *
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @param {(error: Failure) => void} onError
 * @param {import('../token.js').Carrier | null} carrier of the token, where the URL is none
 * @param {boolean} lowLatency whether a channel of parts is played as close to live as it asks for
 * @returns {Adapter}
 */
export function open(video, url, onError, carrier, lowLatency) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.configure({ streaming: { bufferBehind: 30 } });
  if (!lowLatency) player.configure(STEADY);
  player.addEventListener('error', ({ detail }) => {
    onError({
      fatal: detail.severity === shaka.util.Error.Severity.CRITICAL,
      detail: `error ${detail.code}`,
      status: statusOf(detail),
    });
  });
  const load = async () => {
    await player.attach(video);
    if (carrier) carryInShaka(player, carrier);
    await player.load(url);
    if (lowLatency) steer(player);
  };
  const ready = load().catch((error) => {
    onError({ fatal: true, detail: `error ${error.code ?? error}`, status: statusOf(error) });
  });

  const tracks = () => player.getVariantTracks();
  return {
    ready,
    levels: () =>
      tracks()
        .map((track) => ({
          id: String(track.id),
          width: track.width,
          height: track.height,
          bitrate: track.videoBandwidth ?? track.bandwidth,
        }))
        .sort((a, b) => a.bitrate - b.bitrate),
    current: () => {
      const active = tracks().find((track) => track.active);
      return active ? String(active.id) : null;
    },
    select: (id) => {
      player.configure({ abr: { enabled: id === null } });
      const track = tracks().find((one) => String(one.id) === id);
      if (track) player.selectVariantTrack(track, false);
    },
    pace: () => {
      const shown = player.isDynamic() ? player.getPlayheadTimeAsDate() : null;
      if (shown === null) return null;
      const latency = (Date.now() - shown.getTime()) / 1000;
      // What can be sought to ends where the player means to play.
      return { latency, target: latency - (player.seekRange().end - video.currentTime) };
    },
    toLive: () => player.goToLive(),
    close: async () => player.destroy(),
  };
}

/**
 * In a channel of parts, what can be sought to ends where the MPD asks players to be. Shaka would stay as far behind
 * that as `Latency@target` says, and so twice as far behind live.
 */
function steer(player) {
  const { isLowLatency, serviceDescription } = player.getManifest() ?? {};
  if (!isLowLatency || !serviceDescription) return;
  const { maxPlaybackRate, minPlaybackRate } = serviceDescription;
  player.configure({
    streaming: {
      liveSync: {
        enabled: true,
        targetLatency: SLACK,
        targetLatencyTolerance: SLACK,
        maxPlaybackRate: maxPlaybackRate ?? 1,
        minPlaybackRate: minPlaybackRate ?? 1,
      },
    },
  });
}

/** The HTTP status that a Shaka error carries, if any. */
function statusOf({ code, data }) {
  return code === shaka.util.Error.Code.BAD_HTTP_STATUS ? data[1] : undefined;
}
