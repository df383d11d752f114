import Hls from 'hls.js';
import { Backoff } from '../backoff.js';
import { hlsCarrying } from '../token.js';

/** @typedef {import('../player.js').Adapter} Adapter */
/** @typedef {import('../player.js').Failure} Failure */

/** Without a word in the playlist, hls.js plays this many target durations behind the live edge. */
const START_DEPTH = 3;

/** How much of what was shown stays in the buffer of a channel of whole segments, in seconds. */
const KEPT_BEHIND = 30;

/**
 * How fast hls.js may play a channel of parts to come back to its target. Near it, that is a tenth faster and hardly
 * heard; only after a stall it is more.
 */
const CATCH_UP_RATE = 1.5;

/** How much further behind hls.js goes after a stall, in parts; by itself it would be a second. */
const PARTS_AFTER_STALL = 1;

/** After so long without a stall, in ms, hls.js is sent back to where the playlist asks it to be: it never goes itself. */
const FORGIVEN_AFTER_MS = 15_000;

export const name = 'hls.js';
export const version = Hls.version;
export const dialect = 'hls';

/**
 * Plays an HLS multivariant playlist with hls.js.
 *
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @param {(error: Failure) => void} onError
 * @param {import('../token.js').Carrier | null} carrier of the token, where the URL is none
 * @param {boolean} lowLatency whether a channel of parts is played as close to live as it asks for
 * @returns {Adapter}
 */
export function open(video, url, onError, carrier, lowLatency) {
  const hls = new Hls({
    // Where hls.js 1.7.4 takes old media out of the buffer while a part is on its way in, it forgets the parts of that
    // segment and loads none for three segments. The browser makes room by itself, when it has to.
    backBufferLength: lowLatency ? Infinity : KEPT_BEHIND,
    liveDurationInfinity: true,
    lowLatencyMode: lowLatency,
    ...(carrier && hlsCarrying(carrier)),
  });
  const backoff = new Backoff();
  let retry = null;
  // After a fatal error hls.js loads nothing until it is told to; at once, it would fail again at once.
  const loadAgain = () => {
    if (hls.levels.length > 0) hls.startLoad();
    else hls.loadSource(url);
  };
  hls.on(Hls.Events.ERROR, (_event, data) => {
    const error = { fatal: data.fatal, detail: data.details, status: data.response?.code };
    if (data.fatal && data.type === Hls.ErrorTypes.NETWORK_ERROR) {
      error.retryInMs = backoff.next();
      clearTimeout(retry);
      retry = setTimeout(loadAgain, error.retryInMs);
    }
    onError(error);
    if (data.fatal && data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  hls.on(Hls.Events.FRAG_LOADED, () => backoff.reset());
  // A channel that has just begun is shorter than what hls.js keeps between it and the live edge, and playing at once
  // would leave no buffer for as long as the page is open.
  const ready = new Promise((done) => {
    hls.on(Hls.Events.LEVEL_UPDATED, (_event, { details }) => {
      const { live, totalduration, targetduration } = details;
      if (!live || totalduration >= START_DEPTH * targetduration) done();
    });
  });
  let forgiven = null;
  if (lowLatency) {
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => steer(hls.config, details));
    hls.on(Hls.Events.ERROR, (_event, { details }) => {
      if (details !== Hls.ErrorDetails.BUFFER_STALLED_ERROR) return;
      clearTimeout(forgiven);
      forgiven = setTimeout(() => {
        const holdBack = hls.latestLevelDetails?.partHoldBack;
        if (holdBack) hls.targetLatency = holdBack;
      }, FORGIVEN_AFTER_MS);
    });
  }
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
    pace: () =>
      hls.targetLatency === null ? null : { latency: hls.latency, target: hls.targetLatency },
    toLive: () => {
      if (Number.isFinite(hls.liveSyncPosition)) video.currentTime = hls.liveSyncPosition;
    },
    close: async () => {
      clearTimeout(retry);
      clearTimeout(forgiven);
      hls.destroy();
    },
  };
}

/** A channel of whole segments is played as ever; one of parts is kept at the distance that its playlist asks for. */
function steer(config, { live, partTarget }) {
  if (!live || !partTarget) return;
  config.maxLiveSyncPlaybackRate = CATCH_UP_RATE;
  config.liveSyncOnStallIncrease = PARTS_AFTER_STALL * partTarget;
}
