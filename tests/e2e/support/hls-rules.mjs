// A checker of HLS playlists and of the media behind them, made from rfc8216bis and from nothing of ours: it shares no
// line and no idea with the writer that it judges.
export { Findings } from './rules/findings.mjs';
export { checkMediaPlaylist } from './rules/hls-media-rules.mjs';
export { checkMultivariant } from './rules/hls-multivariant-rules.mjs';
export { RenditionHistory } from './rules/hls-history.mjs';
export { checkPresentation } from './rules/hls-presentation.mjs';
export { applyDelta, difference } from './rules/hls-delta.mjs';
export { checkAnnounced, checkMedia } from './rules/hls-media-check.mjs';
export { isBefore } from './rules/hls-playlist.mjs';
