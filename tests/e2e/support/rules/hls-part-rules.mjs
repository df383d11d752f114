// The rules for partial segments and for the hints of the next of them (rfc8216bis 4.4.4.9 and 4.4.5.3).
import { CALCULATION, lineOf, partsOf, roundingMs } from './hls-playlist.mjs';

/** EXT-X-PART and EXT-X-PART-INF. */
export function checkParts(playlist, findings) {
  const { partTarget, lines } = playlist;
  const first = lineOf(lines, 'EXT-X-PART');
  if (first !== Infinity && partTarget === null)
    findings.must('part-inf-missing', first, 'EXT-X-PART without EXT-X-PART-INF');
  if (first !== Infinity && playlist.iFramesOnly)
    findings.should('i-frame-parts', first, 'parts in an I-frame playlist');
  const seen = new Set();
  for (const segment of playlist.all) {
    const { parts } = segment;
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1;
      if (partTarget !== null && part.duration > partTarget + CALCULATION) {
        findings.must('part-too-long', part.line, `DURATION ${part.duration} is beyond PART-TARGET ${partTarget}`);
      }
      const short = partTarget !== null && part.duration < 0.85 * partTarget - CALCULATION;
      if (short && !last && !part.independent && !part.gap && !parts[index + 1].gap) {
        findings.must('part-too-short', part.line, `DURATION ${part.duration} is below 85 % of ${partTarget}`);
      }
      // The documents allow a short part that starts with a key frame; ours has no reason for one.
      if (short && !last && part.independent && !part.gap) {
        findings.should(
          'part-short-independent',
          part.line,
          `DURATION ${part.duration} is below 85 % of ${partTarget}`,
        );
      }
      if (part.byteRange !== null && !part.byteRange.includes('@') && parts[index - 1]?.uri !== part.uri) {
        findings.must(
          'part-byterange-start',
          part.line,
          `BYTERANGE ${part.byteRange} does not continue the part before it`,
        );
      }
      const resource = `${part.uri} ${part.byteRange}`;
      if (seen.has(resource) && part.byteRange?.includes('@') !== false) {
        findings.must('part-twice', part.line, `${part.uri} is listed twice`);
      }
      seen.add(resource);
    }
    if (segment.uri !== null && parts.length) checkSum(segment, lines, findings);
  }
  checkTagsBeforeParts(playlist, findings);
  const { targetDuration } = playlist;
  if (targetDuration !== null && !playlist.ended && !playlist.skip) {
    let behind = playlist.listed;
    for (const segment of playlist.segments) {
      behind -= segment.duration ?? 0;
      if (segment.parts.length && behind > (3 + KEPT_LONGER) * targetDuration) {
        findings.should(
          'parts-kept',
          segment.parts[0].line,
          `parts that end ${behind.toFixed(3)} s before the live edge`,
        );
      }
    }
  }
}

/** The parts of a segment last as long as it does; those at its front may have left the playlist (6.2.2). */
function checkSum(segment, lines, findings) {
  const { parts, line, duration, durationText } = segment;
  const off = (partsOf(segment) - duration) * 1_000;
  const rounding = roundingMs(durationText) + parts.reduce((sum, part) => sum + partRoundingMs(part, lines), 0) + 1e-6;
  const text = `the parts last ${partsOf(segment).toFixed(5)} s, EXTINF is ${durationText}`;
  if (off > rounding) findings.must('parts-beyond', line, text);
  if (off < -rounding) findings.should('parts-sum', line, text);
}

/** "Greater than three target durations": whole segments go, so some of them lie further back than that. */
const KEPT_LONGER = 1;

function partRoundingMs({ line }, lines) {
  return roundingMs(lines.find(({ number }) => number === line)?.attributes.get('DURATION'));
}

/** Tags that apply to a segment stand before its first part (4.4.4.9). */
function checkTagsBeforeParts(playlist, findings) {
  let inParts = false;
  for (const { tag, uri, number } of playlist.lines) {
    if (uri !== undefined) inParts = false;
    else if (tag === 'EXT-X-PART') inParts = true;
    else if (inParts && ['EXT-X-DISCONTINUITY', 'EXT-X-KEY', 'EXT-X-MAP', 'EXT-X-PROGRAM-DATE-TIME'].includes(tag)) {
      findings.must('tag-behind-part', number, `${tag} stands behind parts of its segment`);
    }
  }
}

/** EXT-X-PRELOAD-HINT. */
export function checkHints(playlist, findings) {
  const { hints, lines } = playlist;
  for (const type of ['PART', 'MAP']) {
    const [, second] = hints.filter((hint) => hint.type === type);
    if (second) findings.must('hint-twice', second.line, `more than one hint of TYPE=${type}`);
  }
  if (hints.length && playlist.ended) {
    findings.must('hint-after-end', hints[0].line, 'EXT-X-PRELOAD-HINT in a playlist that has ended');
  }
  const lastMedia = lines.findLast(({ uri, tag }) => uri !== undefined || tag === 'EXT-X-PART')?.number ?? 0;
  const listed = new Set(
    playlist.all.flatMap(({ parts }) => parts.map(({ uri, byteRange }) => `${uri} ${startOf(byteRange)}`)),
  );
  for (const hint of hints) {
    if (hint.line < lastMedia) findings.should('hint-place', hint.line, 'media is listed behind the hint');
    if (hint.type === 'PART' && listed.has(`${hint.uri} ${hint.start ?? 0}`)) {
      findings.must('hint-listed', hint.line, `${hint.uri} is hinted and listed`);
    }
  }
}

const startOf = (byteRange) => (byteRange?.includes('@') ? Number(byteRange.split('@')[1]) : 0);
