import { MediaPlayer } from 'dashjs';
import { carryInDash } from '../token.js';

/** @typedef {import('../player.js').Adapter} Adapter */
/** @typedef {import('../player.js').Failure} Failure */

export const name = 'dash.js';
export const version = MediaPlayer().create().getVersion();
export const dialect = 'dash';

/** As far behind live as players of whole segments are, whatever `ServiceDescription` asks for. */
const STEADY = {
  streaming: { delay: { liveDelayFragmentCount: 3 }, liveCatchup: { enabled: false } },
};

/**
 * Plays a DASH MPD with dash.js.
 *
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @param {(error: Failure) => void} onError
 * @param {import('../token.js').Carrier | null} carrier of the token, where the URL is none
 * @param {boolean} lowLatency whether a channel of parts is played as close to live as it asks for
 * @returns {Adapter}
 */
export function open(video, url, onError, carrier, lowLatency) {
  const player = MediaPlayer().create();
  player.updateSettings({ streaming: { buffer: { bufferToKeep: 30 } } });
  if (!lowLatency) player.updateSettings(STEADY);
  const events = MediaPlayer.events;
  player.on(events.ERROR, ({ error }) => {
    onError({
      fatal: true,
      detail: String(error?.message ?? error?.code ?? 'unknown error'),
      status: error?.data?.response?.status,
    });
  });
  // Without this, a failing edge would send the viewer's browser to a third party for the time.
  player.clearDefaultUTCTimingSources();
  // dash.js misses a `play` that comes before it listens, and then never reloads the MPD.
  const ready = new Promise((done) => player.on(events.PLAYBACK_METADATA_LOADED, done));
  if (carrier) carryInDash(player, carrier);
  player.initialize(video, url, false);

  const representations = () => {
    const list = player.getRepresentationsByType?.('video') ?? [];
    return [...list].sort((a, b) => a.bandwidth - b.bandwidth);
  };
  return {
    ready,
    levels: () =>
      representations().map((one) => ({
        id: one.id,
        width: one.width,
        height: one.height,
        bitrate: one.bandwidth ?? one.bitrateInKbit * 1000,
      })),
    current: () => player.getCurrentRepresentationForType?.('video')?.id ?? null,
    select: (id) => {
      player.updateSettings({
        streaming: { abr: { autoSwitchBitrate: { video: id === null } } },
      });
      if (id !== null) player.setRepresentationForTypeById('video', id);
    },
    pace: () => {
      const [latency, target] = [player.getCurrentLiveLatency(), player.getTargetLiveDelay()];
      return Number.isFinite(latency) && target > 0 ? { latency, target } : null;
    },
    toLive: () => player.seekToOriginalLive(),
    close: async () => player.destroy(),
  };
}
