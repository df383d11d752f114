// A checker of MPDs, of their updates and patches, and of when segments can be had, made from ISO/IEC 23009-1 and the
// DASH-IF guidelines and from nothing of ours: it shares no line and no idea with the writer that it judges.
export { Findings } from './rules/findings.mjs';
export { checkMpd } from './rules/mpd-rules-document.mjs';
export { MpdHistory, checkAvailability, patchUrl } from './rules/mpd-history.mjs';
export { applyPatch, readPatch, select } from './rules/mpd-patch.mjs';
export { Presentation, seconds } from './rules/mpd-model.mjs';
export { canonical, firstDifference, readXml } from './rules/xml.mjs';
