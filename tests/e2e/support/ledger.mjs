// What went in beside what came out.
import assert from 'node:assert/strict';
import { framesOf, tracksOf } from './cmaf.mjs';

/** What a name says of its track, in the ways of the senders under test. */
const TRACK = [
  /Streams\(([^).]+)/,
  /(?:init|chunk)-(stream\d+)/,
  /(?:init|seg)_(\d)(?:\.|_\d{5}\.)/,
  /^([^/]+)\/(?:init|\d+)\.\w+$/,
];

/** The track to which a pushed object belongs; objects of muxed tracks share a name. */
function nameOf(path) {
  const object = path.replace(/^\/ingest\/[^/]+\//, '');
  return TRACK.map((pattern) => pattern.exec(object)?.[1]).find(Boolean) ?? 'main';
}

const isMedia = ({ body }) => body.length > 0 && body[0] !== 0x3c && body[0] !== 0x23;

/**
 * @typedef {object} Lane the frames that one sender pushed of one track, in order
 * @property {string} name
 * @property {import('./cmaf.mjs').Track} track
 * @property {import('./cmaf.mjs').Frame[]} frames
 */

/**
 * What some requests brought: every frame of every fragment whose last byte was sent.
 *
 * @param {import('./tap.mjs').Pushed[]} pushed
 * @returns {Map<string, Lane>} by name
 */
export function lanesOf(pushed) {
  const lanes = new Map();
  const inits = new Map();
  for (const { path, body } of joined(pushed.filter(isMedia))) {
    const name = nameOf(path);
    const described = tracksOf(body);
    if (described.length) inits.set(name, described);
    const tracks = inits.get(name) ?? [];
    for (const track of tracks) {
      const key = tracks.length > 1 ? `${name}/${track.handler}` : name;
      if (!lanes.has(key)) lanes.set(key, { name: key, track, frames: [] });
    }
    for (const frame of framesOf(body, tracks)) {
      const track = tracks.find(({ id }) => id === frame.track) ?? tracks[0];
      lanes.get(tracks.length > 1 ? `${name}/${track.handler}` : name).frames.push(frame);
    }
  }
  return lanes;
}

/** Requests whose bodies are one object each: ranges of an object are put together (RFC 9110 §14.4). */
function joined(pushed) {
  const objects = [];
  const begun = new Map();
  for (const { path, headers, body } of pushed) {
    const continued = headers['content-range'] && begun.get(path);
    if (continued) {
      continued.body = Buffer.concat([continued.body, body]);
    } else {
      const object = { path, body };
      objects.push(object);
      begun.set(path, object);
    }
  }
  return objects;
}

/** A frame in a word: where it stands on its timeline, and which bytes it is. */
const word = ({ time, duration, hash }) => `${time}+${duration} ${hash}`;

/** The lane from which a rendition comes: the one that has the rendition's first frame. */
export function laneOf(rendition, lanes) {
  const handler = rendition.tracks(rendition.list.find(({ media }) => media))[0].handler;
  const [first] = rendition.frames();
  const lane = [...lanes.values()].find(
    ({ track, frames }) => track.handler === handler && frames.some(({ hash }) => hash === first.hash),
  );
  assert.ok(lane, `${rendition.name}: nobody pushed its first frame, ${word(first)}`);
  return lane;
}

/**
 * Asserts that a rendition has the frames of some runs of its sender: each exactly once, in order, with its own time,
 * bytes and duration.
 *
 * @param {object} rendition of a `Harvest`
 * @param {Map<string, Lane>[]} runs what each run of the sender pushed
 * @returns {number} how many frames there are
 */
export function assertComplete(rendition, runs) {
  const { name } = laneOf(rendition, runs[0]);
  const went = runs.flatMap((lanes, run) => (lanes.get(name)?.frames ?? []).map((frame) => `${run}: ${word(frame)}`));
  const came = [];
  let run = 0;
  let at = 0;
  // A frame of a later run may be the same bytes at the same time as one of an earlier: the order tells them apart.
  for (const frame of rendition.frames()) {
    const text = word(frame);
    const said = `${run}: ${text}`;
    if (went[at] !== said) {
      const later = went.findIndex((other, index) => index >= at && other.endsWith(`: ${text}`));
      if (later >= 0) run = Number(went[later].split(':')[0]);
    }
    came.push(`${run}: ${text}`);
    at += 1;
  }
  const differs = came.findIndex((text, index) => text !== went[index]);
  const where = differs < 0 ? Math.min(came.length, went.length) : differs;
  const near = (list) => list.slice(Math.max(0, where - 2), where + 3).join(', ');
  assert.ok(
    differs < 0 && came.length === went.length,
    `${rendition.name}: ${went.length} frames went in, ${came.length} came out; they part at ${where}: ` +
      `in [${near(went)}], out [${near(came)}]; ${outline(rendition)}`,
  );
  return came.length;
}

/** A rendition in a line, for reports. */
export const outline = (rendition) =>
  rendition.list
    .map(({ sequence, discontinuitySequence, gap, uri, durationText }) =>
      [`${sequence}/${discontinuitySequence}`, gap ? 'gap' : uri, durationText].join(' '),
    )
    .join(' | ');

/** The numbers at which a rendition's timeline begins anew. */
export const breaksOf = ({ list }) =>
  list.filter((segment, i) => i > 0 && segment.discontinuitySequence !== list[i - 1].discontinuitySequence).map(numberOf);

/** The numbers without media. */
export const gapsOf = ({ list }) => list.filter(({ gap }) => gap).map(numberOf);

const numberOf = ({ sequence }) => sequence;

/** Asserts that numbers have no hole, and that renditions agree where each slot of a given kind stands. */
export function assertAligned(renditions) {
  for (const rendition of renditions) {
    const numbers = rendition.list.map(numberOf);
    assert.ok(
      numbers.every((number, i) => i === 0 || number === numbers[i - 1] + 1),
      `${rendition.name}: numbers are missing; ${outline(rendition)}`,
    );
  }
  const [first, ...others] = renditions;
  for (const other of others) {
    const said = `\n${first.name}: ${outline(first)}\n${other.name}: ${outline(other)}`;
    assert.deepEqual(breaksOf(other), breaksOf(first), `discontinuities are not aligned;${said}`);
  }
}

/**
 * Where the wall clock stood at media time zero, by each segment's date: in ms since 1970, of the time at which a frame
 * is shown. Renditions that share a timeline must agree on it.
 *
 * @returns {Map<number, number[]>} by discontinuity sequence number, one for each segment
 */
export function zerosOf(rendition) {
  const zeros = new Map();
  for (const segment of rendition.list.filter(({ media }) => media)) {
    const [track] = rendition.tracks(segment);
    const [frame] = framesOf(segment.media, [track]);
    const zero = segment.time - (Number(frame.time - BigInt(track.mediaTime)) / track.timescale) * 1_000;
    const epoch = segment.discontinuitySequence;
    zeros.set(epoch, [...(zeros.get(epoch) ?? []), zero]);
  }
  return zeros;
}

/**
 * Asserts that every frame of a rendition is one that some sender pushed, at that time and of those bytes.
 *
 * @param {object} rendition of a `Harvest`
 * @param {Map<string, Lane>[]} senders what each pushed
 * @returns {number} how many frames there are
 */
export function assertSent(rendition, senders) {
  const all = senders.flatMap((lanes, sender) => [...lanes.values()].map((lane) => [`${sender} ${lane.name}`, lane]));
  const { name } = laneOf(rendition, new Map(all));
  const sent = new Set(senders.flatMap((lanes) => lanes.get(name)?.frames ?? []).map(word));
  const frames = rendition.frames();
  const foreign = frames.find((frame) => !sent.has(word(frame)));
  assert.equal(foreign, undefined, `${rendition.name}: nobody pushed ${foreign && word(foreign)}`);
  return frames.length;
}

/** Asserts that on each of a rendition's timelines frame follows frame, without hole or overlap. */
export function assertContiguous(rendition) {
  let before = null;
  for (const frame of rendition.frames()) {
    if (before?.segment.discontinuitySequence === frame.segment.discontinuitySequence) {
      const end = before.time + BigInt(before.duration);
      const where = `${rendition.name}: ${before.segment.uri} and ${frame.segment.uri}`;
      assert.equal(frame.time, end, `${where}; ${outline(rendition)}`);
    }
    before = frame;
  }
}

/** Between the timelines of a rendition: how much time is missing at each change, in ms; below zero what is twice. */
export function seamsOf(rendition) {
  const { list } = rendition;
  return list.flatMap((segment, i) => {
    const before = list[i - 1];
    if (!before || before.discontinuitySequence === segment.discontinuitySequence) return [];
    return [segment.time - (before.time + before.duration * 1_000)];
  });
}
