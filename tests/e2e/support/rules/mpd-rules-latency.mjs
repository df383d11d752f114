// The rules for events, for the times of a producer, and for services of low latency (ISO/IEC 23009-1 5.10, 5.12 and
// annex K; DASH-IF's low-latency modes).
import { childOf, childrenOf, pathOf, textIn } from './xml.mjs';
import { instant } from './mpd-model.mjs';

const number = (element, name) => (element?.attributes.has(name) ? Number(element.attributes.get(name)) : null);

/** ServiceDescription: latency and playback rate. */
export function checkServiceDescriptions({ root, periods }, findings) {
  const places = [root, ...periods.map(({ element }) => element)];
  for (const description of places.flatMap((place) => childrenOf(place, 'ServiceDescription'))) {
    for (const latency of childrenOf(description, 'Latency')) {
      const [least, target, most] = ['min', 'target', 'max'].map((name) => number(latency, name));
      const given = [least, target, most].filter((value) => value !== null);
      if (given.some((value, index) => index > 0 && value < given[index - 1])) {
        findings.must('latency-order', pathOf(latency), `@min ${least}, @target ${target}, @max ${most}`);
      }
      const reference = latency.attributes.get('referenceId');
      if (reference === undefined) continue;
      for (const { where, sets } of periods) {
        const ids = sets
          .flatMap((set) => [set, ...childrenOf(set, 'Representation')])
          .flatMap((one) => childrenOf(one, 'ProducerReferenceTime'));
        if (!ids.some((time) => time.attributes.get('id') === reference)) {
          findings.must(
            'latency-reference',
            where,
            `no ProducerReferenceTime with @id ${reference} that Latency refers to`,
          );
        }
      }
    }
    const rate = childOf(description, 'PlaybackRate');
    const [slow, fast] = [number(rate, 'min') ?? 1, number(rate, 'max') ?? 1];
    if (!(slow > 0 && slow <= 1 && fast >= 1)) {
      findings.must('playback-rate', pathOf(rate), `@min ${slow} and @max ${fast}`);
    }
  }
}

/** ProducerReferenceTime and Resync. */
export function checkProducerTimes({ periods }, findings) {
  for (const { sets, startMs, tracks } of periods) {
    for (const set of sets) {
      for (const holder of [set, ...childrenOf(set, 'Representation')]) {
        const seen = new Set();
        for (const time of childrenOf(holder, 'ProducerReferenceTime')) {
          const where = pathOf(time);
          const id = time.attributes.get('id');
          if (seen.has(id)) findings.must('producer-time-twice', where, `@id ${id} twice`);
          seen.add(id);
          const wall = time.attributes.get('wallClockTime') ?? '';
          const at = instant(wall);
          if (!/^\d{4}-\d\d-\d\dT/.test(wall) || Number.isNaN(at)) {
            findings.must('producer-time-wall', where, `@wallClockTime "${wall}" is no date`);
            continue;
          }
          if (!childOf(time, 'UTCTiming'))
            findings.should('producer-time-clock', where, 'no UTCTiming says by which clock');
          const track = tracks.find((one) => one.set === set);
          if (!track?.template) continue;
          const shown = startMs + ((number(time, 'presentationTime') - track.offset) / track.timescale) * 1_000;
          if (Math.abs(shown - at) > FAR_OFF_MS) {
            findings.should(
              'producer-time-off',
              where,
              `${wall}, and its @presentationTime is ${new Date(shown).toISOString()}`,
            );
          }
        }
        for (const resync of childrenOf(holder, 'Resync')) {
          const [least, most] = [number(resync, 'dImin') ?? 0, number(resync, 'dImax')];
          if (most !== null && most < least)
            findings.must('resync-order', pathOf(resync), `@dImax ${most} is below @dImin`);
          if (number(resync, 'dT') === 0) findings.must('resync-interval', pathOf(resync), '@dT is 0');
        }
      }
    }
  }
}

/** A live encoder's media is not hours away from its own clock. */
const FAR_OFF_MS = 60_000;

/** EventStream and InbandEventStream. */
export function checkEvents({ periods }, findings) {
  for (const { element, sets } of periods) {
    checkStreams(childrenOf(element, 'EventStream'), findings);
    for (const set of sets) {
      for (const holder of [set, ...childrenOf(set, 'Representation')]) {
        const streams = childrenOf(holder, 'InbandEventStream');
        checkTwice(streams, findings);
        for (const stream of streams) {
          if (childrenOf(stream, 'Event').length)
            findings.must('inband-events', pathOf(stream), 'events in an InbandEventStream');
        }
      }
    }
    const streams = childrenOf(element, 'EventStream');
    checkTwice(streams, findings);
  }
}

function checkTwice(streams, findings) {
  const seen = new Set();
  for (const stream of streams) {
    const key = `${stream.attributes.get('schemeIdUri')} ${stream.attributes.get('value') ?? ''}`;
    if (seen.has(key)) findings.must('event-stream-twice', pathOf(stream), `${key} twice`);
    seen.add(key);
  }
}

function checkStreams(streams, findings) {
  for (const stream of streams) {
    const ids = new Set();
    let before = -1;
    if (stream.attributes.get('timescale') === '0') findings.must('event-timescale', pathOf(stream), '@timescale is 0');
    for (const event of childrenOf(stream, 'Event')) {
      const time = number(event, 'presentationTime') ?? 0;
      if (time < before) findings.must('event-order', pathOf(event), `@presentationTime ${time} behind ${before}`);
      before = time;
      const id = event.attributes.get('id');
      if (id !== undefined && ids.has(id)) findings.must('event-twice', pathOf(event), `@id ${id} twice`);
      ids.add(id);
      const fault = messageFault(stream, event);
      if (fault) findings.must('event-message', pathOf(event), fault);
    }
  }
}

/** What keeps an event of SCTE 35 from carrying a whole splice_info_section in one of the two ways of SCTE 214-1. */
function messageFault(stream, event) {
  const scheme = stream.attributes.get('schemeIdUri');
  let text = null;
  if (scheme === 'urn:scte:scte35:2014:xml+bin') {
    const signal = childOf(event, 'Signal');
    if (!signal) return 'no Signal';
    text = childOf(signal, 'Binary') && textIn(childOf(signal, 'Binary'));
    if (text === null) return 'no Binary in Signal';
  } else if (scheme === 'urn:scte:scte35:2013:bin') {
    text = event.attributes.get('messageData') ?? textIn(event);
    if (!event.attributes.has('messageData') && event.attributes.get('contentEncoding') !== 'base64')
      return 'no @contentEncoding';
  }
  if (text === null) return null;
  if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(text)) return 'the message is not base64';
  const bytes = Buffer.from(text, 'base64');
  if (bytes[0] !== 0xfc) return 'the message is no splice_info_section';
  const length = bytes.length > 2 ? (bytes.readUInt16BE(1) & 0xfff) + 3 : 0;
  return length === bytes.length ? null : `the message says ${length} bytes and has ${bytes.length}`;
}

/** What a service of low latency has (DASH-IF low-latency modes, 9.X). */
export function checkLatency(presentation, findings) {
  if (presentation.type !== 'dynamic') return;
  const descriptions = [presentation.root, ...presentation.periods.map(({ element }) => element)].flatMap((one) =>
    childrenOf(one, 'ServiceDescription'),
  );
  const latency = descriptions.flatMap((one) => childrenOf(one, 'Latency'));
  if (!latency.some((one) => one.attributes.has('target')))
    findings.must('low-latency-target', 'MPD', 'no Latency@target');
  if (!childrenOf(presentation.root, 'UTCTiming').length) findings.must('low-latency-clock', 'MPD', 'no UTCTiming');
  for (const track of presentation.tracks) {
    if (!['video', 'audio'].includes(track.contentType)) continue;
    if (track.availabilityTimeOffset === 0)
      findings.must('low-latency-offset', track.where, 'no @availabilityTimeOffset');
    else if (track.template?.attributes.get('availabilityTimeComplete') !== 'false') {
      findings.should(
        'low-latency-complete',
        track.where,
        'segments that come in, and no @availabilityTimeComplete="false"',
      );
    }
    const has = (name) => [track.set, track.representation].some((one) => childrenOf(one, name).length);
    if (!has('ProducerReferenceTime'))
      findings.must('low-latency-producer-time', track.where, 'no ProducerReferenceTime');
    if (!has('Resync')) findings.should('low-latency-resync', track.where, 'no Resync');
  }
}
