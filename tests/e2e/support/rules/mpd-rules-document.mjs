// The rules that one MPD can be judged by alone, beyond its schema: ISO/IEC 23009-1 clause 5 and the DASH-IF guidelines
// for live and low-latency services.
import { Findings } from './findings.mjs';
import { Presentation, seconds } from './mpd-model.mjs';
import { checkEvents, checkLatency, checkProducerTimes, checkServiceDescriptions } from './mpd-rules-latency.mjs';
import { checkTemplates } from './mpd-rules-segments.mjs';
import { checkSchema } from './mpd-schema.mjs';
import { childrenOf, pathOf, readXml, textIn } from './xml.mjs';

/**
 * Checks one MPD.
 *
 * @param {string} text
 * @param {object} [options]
 * @param {boolean} [options.lowLatency] demand what DASH-IF's low-latency services have, named in the profile or not
 * @param {Findings} [options.findings] to report into
 * @returns {{ presentation: Presentation | null, findings: Findings }} null where it is no XML
 */
export function checkMpd(text, { lowLatency = false, findings = new Findings() } = {}) {
  let root;
  try {
    root = readXml(text);
  } catch (error) {
    findings.must('xml', 'the document', error.message);
    return { presentation: null, findings };
  }
  checkSchema(root, findings);
  const presentation = new Presentation(root);
  for (const check of [
    checkType,
    checkPeriods,
    checkIds,
    checkSets,
    checkTemplates,
    checkTiming,
    checkServiceDescriptions,
    checkProducerTimes,
    checkEvents,
    checkPatchLocation,
  ]) {
    check(presentation, findings);
  }
  if (lowLatency || presentation.profiles.some((profile) => LOW_LATENCY.test(profile)))
    checkLatency(presentation, findings);
  return { presentation, findings };
}

const LOW_LATENCY = /dashif\.org\/guidelines\/low-latency-live/;

function checkType({ root, type, periods, profiles, maxSegmentS, depthMs, updateS }, findings) {
  const has = (name) => root.attributes.has(name);
  const last = periods.at(-1);
  if (type === 'dynamic') {
    for (const name of ['availabilityStartTime', 'publishTime']) {
      if (!has(name)) findings.must('dynamic-required', 'MPD', `a dynamic MPD has no @${name}`);
    }
    if (!has('minimumUpdatePeriod') && !has('mediaPresentationDuration') && last?.durationS === null) {
      findings.must('dynamic-end', 'MPD', 'neither @minimumUpdatePeriod nor an end of the presentation');
    }
    const delay = seconds(root.attributes.get('suggestedPresentationDelay'));
    if (delay !== null && depthMs !== null && delay * 1_000 > depthMs) {
      findings.must(
        'delay-beyond-buffer',
        'MPD',
        `@suggestedPresentationDelay ${delay} s is beyond @timeShiftBufferDepth`,
      );
    }
  } else {
    if (!has('mediaPresentationDuration') && last?.durationS === null) {
      findings.must('static-required', 'MPD', 'a static MPD has no @mediaPresentationDuration');
    }
    for (const name of ['minimumUpdatePeriod', 'timeShiftBufferDepth', 'suggestedPresentationDelay']) {
      if (has(name)) findings.should('static-forbidden', 'MPD', `a static MPD has @${name}`);
    }
  }
  if (!profiles.some((profile) => profile.startsWith('urn:mpeg:dash:profile:'))) {
    findings.should('profile-unknown', 'MPD', `@profiles "${profiles}" names none of ISO/IEC 23009-1`);
  }
  if (maxSegmentS === null && type === 'dynamic')
    findings.should('max-segment-missing', 'MPD', 'no @maxSegmentDuration');
  if (updateS === 0) findings.note('update-always', 'MPD', '@minimumUpdatePeriod 0: only events tell of updates');
}

function checkPeriods({ root, type, periods }, findings) {
  const total = seconds(root.attributes.get('mediaPresentationDuration'));
  for (const [index, period] of periods.entries()) {
    const before = periods[index - 1];
    const { where, startS, durationS, element } = period;
    if (startS === null) findings.must('period-start', where, 'its start is not known');
    if (before && before.startS !== null && startS !== null) {
      if (startS < before.startS)
        findings.must('period-order', where, `it starts at ${startS} s, and the one before at ${before.startS} s`);
      const end = before.durationS === null ? null : before.startS + before.durationS;
      if (end !== null && end > startS + CALCULATION) {
        findings.must('period-overlap', where, `it starts at ${startS} s, and the one before ends at ${end} s`);
      }
    }
    if (type === 'dynamic' && !element.attributes.has('id'))
      findings.must('period-id', where, 'a Period of a dynamic MPD has no @id');
    if (durationS !== null && total !== null && startS + durationS > total + CALCULATION) {
      findings.must('period-beyond-end', where, `it ends behind @mediaPresentationDuration ${total} s`);
    }
  }
}

const CALCULATION = 1e-6;

function checkIds({ root, periods }, findings) {
  unique('period-id-twice', childrenOf(root, 'Period'), findings);
  unique('service-description-twice', childrenOf(root, 'ServiceDescription'), findings);
  for (const { sets, tracks } of periods) {
    unique('set-id-twice', sets, findings);
    unique(
      'representation-id-twice',
      tracks.map(({ representation }) => representation),
      findings,
    );
  }
}

function unique(rule, list, findings) {
  const seen = new Set();
  for (const element of list) {
    const id = element.attributes.get('id');
    if (id !== undefined && seen.has(id)) findings.must(rule, pathOf(element), `@id="${id}" is there already`);
    seen.add(id);
  }
}

function checkSets({ periods, type }, findings) {
  for (const { sets, where, tracks } of periods) {
    if (!sets.length) findings.should('period-empty', where, 'no AdaptationSet');
    for (const set of sets) {
      const own = tracks.filter((track) => track.set === set);
      const place = pathOf(set);
      if (!own.length) findings.must('set-empty', place, 'no Representation');
      if (type === 'dynamic' && own.length > 1 && !/^(true|\d+)$/.test(set.attributes.get('segmentAlignment') ?? '')) {
        findings.must('set-alignment', place, 'several Representations and no @segmentAlignment');
      }
      for (const attribute of ['contentType', 'lang']) {
        const kinds = new Set(own.map((track) => track[attribute] ?? set.attributes.get(attribute)));
        if (kinds.size > 1) findings.must('set-mixed', place, `several @${attribute}: ${[...kinds]}`);
      }
      for (const track of own) checkTrack(track, findings);
      checkBounds(set, own, findings);
    }
  }
}

function checkTrack({ where, mimeType, codecs, contentType, set, representation }, findings) {
  const has = (name) => representation.attributes.has(name) || set.attributes.has(name);
  if (mimeType === null) findings.must('mime-type', where, 'no @mimeType here nor above');
  else if (!/^(video|audio|text|image|application|font)\/[\w.+-]+$/.test(mimeType)) {
    findings.must('mime-type', where, `@mimeType "${mimeType}"`);
  }
  if (mimeType !== null && set.attributes.has('contentType') && !fits(contentType, mimeType)) {
    findings.must('mime-type', where, `@mimeType "${mimeType}" in a set of @contentType "${contentType}"`);
  }
  if (codecs === null) findings.should('codecs-missing', where, 'no @codecs here nor above');
  if (contentType === 'video') {
    for (const name of ['width', 'height', 'frameRate']) {
      if (!has(name)) findings.should('video-attributes', where, `video without @${name}`);
    }
  }
  if (contentType === 'audio') {
    if (!has('audioSamplingRate')) findings.should('audio-attributes', where, 'audio without @audioSamplingRate');
    if (![set, representation].some((one) => childrenOf(one, 'AudioChannelConfiguration').length)) {
      findings.should('audio-attributes', where, 'audio without AudioChannelConfiguration');
    }
  }
  if (representation.attributes.get('bandwidth') === '0') findings.must('bandwidth-zero', where, '@bandwidth is 0');
}

/** Subtitles in MP4 are `application/mp4` in a set of text. */
const fits = (contentType, mimeType) =>
  mimeType.startsWith(`${contentType}/`) || (contentType === 'text' && mimeType === 'application/mp4');

function checkBounds(set, own, findings) {
  for (const [name, least, most] of [
    ['width', 'minWidth', 'maxWidth'],
    ['height', 'minHeight', 'maxHeight'],
    ['bandwidth', 'minBandwidth', 'maxBandwidth'],
  ]) {
    const values = own.map(({ representation }) =>
      Number(representation.attributes.get(name) ?? set.attributes.get(name)),
    );
    const known = values.filter((value) => !Number.isNaN(value));
    if (known.some((value) => value < Number(set.attributes.get(least)) || value > Number(set.attributes.get(most)))) {
      findings.must('set-bounds', pathOf(set), `@${name} of ${known} is outside of @${least} and @${most}`);
    }
  }
}

/** Schemes by which a client can read the server's clock. */
const CLOCKS = /^urn:mpeg:dash:utc:(ntp|sntp|http-head|http-xsdate|http-iso|http-ntp|direct):2014$/;

function checkTiming({ root, type }, findings) {
  const clocks = childrenOf(root, 'UTCTiming');
  if (type === 'dynamic' && !clocks.length) findings.should('clock-missing', 'MPD', 'no UTCTiming');
  for (const clock of clocks) {
    const scheme = clock.attributes.get('schemeIdUri') ?? '';
    if (!CLOCKS.test(scheme)) findings.should('clock-scheme', pathOf(clock), `${scheme} is no scheme of the document`);
    if (!clock.attributes.get('value')) findings.must('clock-value', pathOf(clock), 'no @value');
  }
}

function checkPatchLocation({ root, patchLocation, id, publishTime }, findings) {
  if (!patchLocation) return;
  if (id === null) findings.must('patch-without-id', 'MPD', 'PatchLocation without MPD@id');
  if (publishTime === null) findings.must('patch-without-time', 'MPD', 'PatchLocation without MPD@publishTime');
  if (textIn(patchLocation) === '') findings.must('patch-location-empty', pathOf(patchLocation), 'no URL');
  const ttl = Number(patchLocation.attributes.get('ttl') ?? 1);
  if (!(ttl > 0)) findings.must('patch-ttl', pathOf(patchLocation), `@ttl ${ttl}`);
  if (!root.attributes.has('minimumUpdatePeriod'))
    findings.should('patch-without-updates', 'MPD', 'PatchLocation and no updates');
}
