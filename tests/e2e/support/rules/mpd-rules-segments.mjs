// The rules for segment templates and timelines (ISO/IEC 23009-1 5.3.9).
import { childrenOf, pathOf } from './xml.mjs';

/** Holds the templates of all Representations to their rules. */
export function checkTemplates(presentation, findings) {
  const urls = new Map();
  for (const track of presentation.tracks) {
    const { template, where } = track;
    if (!template) {
      // Other forms of addressing have no place in a live MPD of the isoff-live profile.
      if (presentation.profiles.includes('urn:mpeg:dash:profile:isoff-live:2011')) {
        findings.must('template-missing', where, 'no SegmentTemplate here nor above');
      }
      continue;
    }
    checkAttributes(track, findings);
    checkIdentifiers(track, presentation, findings);
    if (track.timeline) checkTimeline(track, presentation, findings);
    checkLengths(track, presentation, findings);
    const media = track.urlOf('media', {});
    const owner = urls.get(`${track.period.where} ${media}`);
    if (media !== null && owner) findings.must('template-shared', where, `${media} is of ${owner} too`);
    urls.set(`${track.period.where} ${media}`, where);
  }
}

function checkAttributes(track, findings) {
  const { template, where } = track;
  const has = (name) => template.attributes.has(name);
  if (!has('media')) findings.must('template-media', where, 'no @media');
  if (!has('initialization') && track.mimeType?.endsWith('/mp4'))
    findings.must('template-initialization', where, 'no @initialization');
  if (has('duration') && track.timeline) findings.must('template-both', where, '@duration and SegmentTimeline');
  if (!has('duration') && !track.timeline)
    findings.must('template-neither', where, 'neither @duration nor SegmentTimeline');
  if (track.timescale === 0) findings.must('template-timescale', where, '@timescale is 0');
  const early = template.attributes.get('availabilityTimeOffset');
  if (early !== undefined && Number(early) < 0)
    findings.must('availability-offset', where, `@availabilityTimeOffset ${early}`);
  if (template.attributes.get('availabilityTimeComplete') === 'false') {
    const length = track.number('duration', 0) / track.timescale;
    if (track.availabilityTimeOffset === 0) {
      findings.must(
        'availability-incomplete',
        where,
        '@availabilityTimeComplete="false" without @availabilityTimeOffset',
      );
    } else if (length > 0 && track.availabilityTimeOffset >= length) {
      findings.must(
        'availability-offset',
        where,
        `${track.availabilityTimeOffset} s early, of segments of ${length} s that come in`,
      );
    }
  }
}

const IDENTIFIERS = new Set(['', 'RepresentationID', 'Number', 'Bandwidth', 'Time', 'SubNumber']);

function checkIdentifiers({ template, where, timeline, set, representation }, presentation, findings) {
  const named = (text) => [...text.matchAll(/\$(\w*)(%0\d+d)?\$/g)].map(([, name, format]) => ({ name, format }));
  const media = template.attributes.get('media') ?? '';
  for (const attribute of ['media', 'initialization']) {
    const text = template.attributes.get(attribute) ?? '';
    const rest = text.replace(/\$(\w*)(%0\d+d)?\$/g, '');
    if (rest.includes('$')) findings.must('template-identifier', where, `@${attribute} "${text}" has a lone $`);
    for (const { name, format } of named(text)) {
      if (!IDENTIFIERS.has(name))
        findings.must('template-identifier', where, `@${attribute}: $${name}$ is no identifier`);
      if (format && ['', 'RepresentationID'].includes(name))
        findings.must('template-format', where, `@${attribute}: $${name}${format}$`);
      if (attribute === 'initialization' && ['Number', 'Time', 'SubNumber'].includes(name)) {
        findings.must('template-identifier', where, `@initialization has $${name}$`);
      }
    }
  }
  const names = named(media).map(({ name }) => name);
  if (names.includes('Number') && names.includes('Time'))
    findings.must('template-number-time', where, '@media has $Number$ and $Time$');
  if (template.attributes.has('media') && !names.includes('Number') && !names.includes('Time')) {
    findings.must('template-number-time', where, '@media has neither $Number$ nor $Time$');
  }
  if (names.includes('Time') && !timeline) findings.must('template-time', where, '$Time$ without SegmentTimeline');
  const level = [set, representation].find((one) => childrenOf(one, 'SegmentTemplate').length) ?? null;
  if (presentation.type === 'dynamic' && level === null)
    findings.note('template-level', where, 'SegmentTemplate of the Period');
}

function checkTimeline(track, presentation, findings) {
  const { timeline, where } = track;
  const entries = childrenOf(timeline, 'S');
  let end = null;
  let number = null;
  for (const [index, entry] of entries.entries()) {
    const value = (name, otherwise) => Number(entry.attributes.get(name) ?? otherwise);
    const place = `${where} ${pathOf(entry)}`;
    const duration = value('d', 0);
    const repeat = value('r', 0);
    if (!(duration > 0)) findings.must('timeline-duration', place, '@d is 0');
    if (index === 0 && !entry.attributes.has('t')) findings.should('timeline-start', place, 'the first S has no @t');
    const start = value('t', end ?? 0);
    if (end !== null && start < end)
      findings.must('timeline-overlap', place, `@t ${start}, and the one before ends at ${end}`);
    if (repeat < -1) findings.must('timeline-repeat', place, `@r ${repeat}`);
    if (repeat === -1) {
      const next = entries[index + 1];
      if (next && !next.attributes.has('t')) findings.must('timeline-repeat', place, '@r -1 and the next S has no @t');
      if (!next && presentation.type === 'dynamic') findings.note('timeline-open', place, '@r -1: the list has no end');
    }
    if (number !== null && entry.attributes.has('n') && value('n', 0) < number) {
      findings.must('timeline-number', place, `@n ${value('n', 0)} is below ${number}`);
    }
    number = value('n', number ?? track.startNumber) + Math.max(repeat, 0) + 1;
    const next = entries[index + 1];
    end = repeat >= 0 ? start + duration * (repeat + 1) : Number(next?.attributes.get('t') ?? start + duration);
  }
  if (!entries.length) findings.note('timeline-empty', where, 'no segment is listed');
}

function checkLengths(track, presentation, findings) {
  const { maxSegmentS } = presentation;
  const lengths = track.timeline
    ? childrenOf(track.timeline, 'S').map((entry) => Number(entry.attributes.get('d')))
    : [track.number('duration', 0)];
  const longest = Math.max(0, ...lengths) / track.timescale;
  if (maxSegmentS !== null && longest > maxSegmentS + ROUNDING_S) {
    findings.must(
      'max-segment-short',
      track.where,
      `a segment of ${longest} s, @maxSegmentDuration is ${maxSegmentS} s`,
    );
  }
  if (!track.timeline) return;
  const [first] = track.segments(0);
  const { startMs, endMs } = track.period;
  // A segment may begin before its Period: it is shown from there on.
  if (first && first.startMs + (first.duration / track.timescale) * 1_000 < startMs - ROUNDING_S * 1_000) {
    findings.must('segment-before-period', track.where, `segment ${first.time} ends before its Period starts`);
  }
  const last = track.segments(0).at(-1);
  if (last && endMs !== null && last.startMs > endMs + ROUNDING_S * 1_000) {
    findings.must('segment-behind-period', track.where, `segment ${last.time} starts behind the end of its Period`);
  }
}

/** Durations in the MPD's own attributes are written with few digits. */
const ROUNDING_S = 0.001;
