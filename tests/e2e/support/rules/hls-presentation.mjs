// The rules that hold between the renditions of one presentation (rfc8216bis 6.2.4 and 4.4.5.4).
import { isBefore } from './hls-playlist.mjs';

/**
 * Checks the histories of all renditions against each other, those of I-frames among them.
 *
 * @param {import('./hls-history.mjs').RenditionHistory[]} histories
 * @param {import('./findings.mjs').Findings} findings
 * @param {object} [options]
 * @param {import('./hls-multivariant-rules.mjs').MultivariantPlaylist} [options.multivariant] that names them
 * @param {(uri: string, base: string) => string} [options.resolve] makes URIs of reports comparable with those of
 *   histories
 */
export function checkPresentation(histories, findings, { multivariant, resolve = resolveUri } = {}) {
  checkAlike(histories, findings);
  if (multivariant) checkSaidOnce(histories, multivariant, findings);
  checkTimelines(histories, findings);
  checkReports(histories, findings, resolve);
  checkDateRanges(histories, findings);
}

function checkAlike(histories, findings) {
  const [first, ...others] = histories.filter(({ last }) => last);
  for (const other of others) {
    const [a, b] = [first.last.playlist, other.last.playlist];
    if (a.targetDuration !== b.targetDuration) {
      findings.must(
        'target-durations-differ',
        other.uri,
        `${b.targetDuration} s, and ${a.targetDuration} s in ${first.uri}`,
      );
    }
    const control = ({ serverControl }) => JSON.stringify([...(serverControl ?? [])].sort());
    if (control(a) !== control(b)) {
      findings.must('server-controls-differ', other.uri, `${control(b)}, and ${control(a)} in ${first.uri}`);
    }
    const dated = ({ all }) => all.some(({ dateTime }) => dateTime !== null);
    if (dated(a) !== dated(b))
      findings.must('dates-in-some', other.uri, 'some renditions have dates and some have none');
  }
}

/** What the multivariant playlist says for all, a media playlist does not say again (4.4.2). */
function checkSaidOnce(histories, multivariant, findings) {
  for (const tag of ['EXT-X-INDEPENDENT-SEGMENTS', 'EXT-X-START']) {
    const lineIn = ({ lines }) => lines.find((line) => line.tag === tag);
    const above = lineIn(multivariant);
    for (const { uri, last } of histories) {
      const own = last && lineIn(last.playlist);
      if (!above || !own) continue;
      if (above.value !== own.value)
        findings.must('said-differently', uri, `${tag} is ${own.value}, and ${above.value} above`);
      else findings.should('said-twice', uri, `${tag} stands in the multivariant playlist already`);
    }
  }
}

/** At one moment of the programme every rendition has the same discontinuity sequence number. */
function checkTimelines(histories, findings) {
  const [first, ...others] = histories;
  for (const other of others) {
    const spans = [...other.segments.values()].filter(({ time }) => time !== null);
    for (const segment of first.segments.values()) {
      if (segment.time === null) continue;
      const middle = segment.time + segment.duration * 500;
      const match = spans.find(({ time, duration }) => time <= middle && middle < time + duration * 1_000);
      if (!match) continue;
      const inset = Math.min(middle - match.time, match.time + match.duration * 1_000 - middle);
      if (match.discontinuitySequence !== segment.discontinuitySequence && inset > BOUNDARY_MS) {
        findings.must(
          'discontinuities-differ',
          other.uri,
          `at ${new Date(middle).toISOString()} the discontinuity sequence is ${match.discontinuitySequence}, ` +
            `and ${segment.discontinuitySequence} in ${first.uri}`,
        );
      }
    }
  }
}

/** Audio segments do not end where video segments do. */
const BOUNDARY_MS = 500;

/**
 * Reports name every other rendition, and what they say was true when they were served: not behind what anybody had
 * seen before, and not ahead of what anybody saw afterwards.
 */
function checkReports(histories, findings, resolve) {
  const byUri = new Map(histories.map((history) => [history.uri, history]));
  for (const history of histories) {
    for (const [index, { playlist, asked, at }] of history.served.entries()) {
      if (playlist.ended || playlist.partTarget === null) continue;
      const reported = new Set();
      for (const { uri, lastSequence, lastPart } of playlist.reports) {
        const target = byUri.get(resolve(uri, history.uri));
        if (!target) {
          findings.must('report-unknown', history.uri, `${uri} is reported and is no rendition`);
          continue;
        }
        if (target === history) findings.should('report-own', history.uri, 'a rendition reports itself');
        reported.add(target);
        const report = { sequence: lastSequence ?? playlist.edge.sequence, part: lastPart ?? playlist.edge.part };
        const made = firstSeen(history, index);
        checkReport(target, report, { made, at, slack: playlist.partTarget * 1_000 }, history.uri, findings);
      }
      for (const other of histories) {
        // A rendition that nobody had seen yet cannot be missing.
        const known = other.served.some((one) => one.at <= asked);
        if (other !== history && known && !reported.has(other) && !other.last.playlist.iFramesOnly) {
          findings.must('report-missing', history.uri, `no report of ${other.uri}`);
        }
      }
    }
  }
}

/** When a playlist can have been made at the earliest: when its edge moved, which is after the answer before it. */
function firstSeen({ served }, index) {
  let first = index;
  while (first > 0 && !isBefore(served[first - 1].playlist.edge, served[index].playlist.edge)) first -= 1;
  return first > 0 ? served[first - 1].asked : served[0].asked;
}

function checkReport(target, report, { made, at, slack }, where, findings) {
  const seenBefore = target.served.findLast((one) => one.at <= made - slack);
  if (seenBefore && isBehind(report, seenBefore.playlist.edge)) {
    findings.must(
      'report-stale',
      where,
      `${target.uri}: ${text(report)}, and ${text(seenBefore.playlist.edge)} was seen before`,
    );
  }
  const seenAfter = target.served.find((one) => one.asked >= at);
  if (seenAfter && isBehind(seenAfter.playlist.edge, report)) {
    findings.must(
      'report-ahead',
      where,
      `${target.uri}: ${text(report)}, and later it was at ${text(seenAfter.playlist.edge)}`,
    );
  }
}

/** Whether one edge is truly behind another: a segment's last part and its end are one place. */
function isBehind(a, b) {
  return (
    a.sequence < b.sequence || (a.sequence === b.sequence && a.part !== null && b.part !== null && a.part < b.part)
  );
}

const text = ({ sequence, part }) => (part === null ? `${sequence}` : `${sequence}.${part}`);

const resolveUri = (uri, base) => {
  const root = 'http://presentation.invalid/';
  return new URL(uri, new URL(base, root)).href.replace(root, '').replace(/\?.*$/, '');
};

/** Renditions that carry date ranges carry the same ones, with the same attributes (6.2.4). */
function checkDateRanges(histories, findings) {
  const carriers = histories
    .map((history) => ({ history, ranges: rangesOf(history) }))
    .filter(({ ranges }) => ranges.size);
  const [first, ...others] = carriers;
  for (const { history, ranges } of others) {
    for (const [id, { attributes, at }] of first.ranges) {
      const same = ranges.get(id);
      if (!same && at < history.last.asked)
        findings.must('daterange-missing', history.uri, `${id} of ${first.history.uri}`);
      for (const [name, value] of same?.attributes ?? []) {
        if (attributes.has(name) && attributes.get(name) !== value) {
          findings.must(
            'dateranges-differ',
            history.uri,
            `${id}: ${name} is ${value}, and ${attributes.get(name)} in ${first.history.uri}`,
          );
        }
      }
    }
  }
}

/** Every date range that a rendition ever listed, and when it was first. */
function rangesOf({ served }) {
  const ranges = new Map();
  for (const { playlist, at } of served) {
    for (const { attributes } of playlist.dateRanges) {
      const known = ranges.get(attributes.get('ID')) ?? { attributes: new Map(), at };
      ranges.set(attributes.get('ID'), { attributes: new Map([...known.attributes, ...attributes]), at: known.at });
    }
  }
  return ranges;
}
