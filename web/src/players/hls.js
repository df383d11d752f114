import Hls from 'hls.js';

/** @typedef {import('../player.js').Adapter} Adapter */

/**
 * hls.js plays this many target durations behind the live edge. A channel that has just begun is
 * shorter than that, and playing at once would leave no buffer for as long as the page is open.
 */
const START_DEPTH = 3;

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
  const ready = new Promise((done) => {
    hls.on(Hls.Events.LEVEL_UPDATED, (_event, { details }) => {
      const { live, totalduration, targetduration } = details;
      if (!live || totalduration >= START_DEPTH * targetduration) done();
    });
  });
  hls.attachMedia(video);
  hls.loadSource(url);

  return {
    ready,
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
