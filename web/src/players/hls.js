import Hls from 'hls.js';

/** @typedef {import('../player.js').Adapter} Adapter */

export const name = 'hls.js';
export const version = Hls.version;
export const dialect = 'hls';

/**
 * Plays an HLS multivariant playlist with hls.js.
 *
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @param {(error: { fatal: boolean, detail: string }) => void} onError
 * @returns {Adapter}
 */
export function open(video, url, onError) {
  const hls = new Hls({ backBufferLength: 30, liveDurationInfinity: true });
  hls.on(Hls.Events.ERROR, (_event, data) => {
    onError({ fatal: data.fatal, detail: data.details });
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR) hls.startLoad();
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  hls.attachMedia(video);
  hls.loadSource(url);

  return {
    ready: Promise.resolve(),
    levels: () =>
      hls.levels.map((level, id) => ({
        id: String(id),
        width: level.width,
        height: level.height,
        bitrate: level.bitrate,
      })),
    current: () => (hls.currentLevel < 0 ? null : String(hls.currentLevel)),
    select: (id) => {
      hls.nextLevel = id === null ? -1 : Number(id);
    },
    toLive: () => {
      if (Number.isFinite(hls.liveSyncPosition)) video.currentTime = hls.liveSyncPosition;
    },
    close: async () => hls.destroy(),
  };
}
