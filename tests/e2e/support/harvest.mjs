// Watches a channel as players see it, from its first document on: keeps every segment that was ever listed, and holds
// each playlist and each MPD, alone and beside those before it, to the rules of the documents.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { framesOf, tracksOf } from './cmaf.mjs';
import { Findings, RenditionHistory, checkMediaPlaylist, checkMultivariant, checkPresentation } from './hls-rules.mjs';
import { MpdHistory, checkMpd } from './mpd-rules.mjs';

const EVERY_MS = 250;

/**
 * One rendition through time.
 */
export class Rendition {
  /** @type {Map<number, Buffer>} media by media sequence number */
  media = new Map();
  /** @type {Map<string, Buffer>} */
  inits = new Map();

  constructor(uri, findings) {
    this.name = uri;
    this.folder = uri.slice(0, uri.lastIndexOf('/') + 1);
    this.history = new RenditionHistory(uri, findings);
  }

  /**
   * Every segment that was ever listed, by number.
   *
   * @returns {(import('./rules/hls-playlist.mjs').Segment & { media?: Buffer })[]}
   */
  get list() {
    return [...this.history.segments.values()]
      .sort((a, b) => a.sequence - b.sequence)
      .map((segment) => ({ ...segment, media: this.media.get(segment.sequence) }));
  }

  /** The tracks that the init segment of a segment describes. */
  tracks(segment) {
    return tracksOf(this.inits.get(segment.map.uri));
  }

  /** Every frame of every segment, in the order of the playlist. */
  frames() {
    return this.list
      .filter(({ media }) => media)
      .flatMap((segment) => framesOf(segment.media, this.tracks(segment)).map((frame) => ({ ...frame, segment })));
  }
}

/** Watches a channel until `close`. */
export class Harvest {
  /** @type {Map<string, Rendition>} by URI */
  renditions = new Map();
  findings = new Findings();
  mpds = new MpdHistory(this.findings);
  #base;
  #presentation = null;
  #stopped = false;
  #failed = null;
  #watching;

  /**
   * @param {string} origin URL
   * @param {string} channel
   */
  constructor(origin, channel) {
    this.#base = `${origin}/live/${channel}/`;
    this.channel = channel;
    this.#watching = this.#watch();
  }

  async #watch() {
    while (!this.#stopped) {
      try {
        await this.#look();
      } catch (error) {
        if (error instanceof assert.AssertionError) {
          this.#failed = error;
          return;
        }
        // An origin that restarts answers nobody.
      }
      await sleep(EVERY_MS);
    }
  }

  async #look() {
    const multivariant = await this.#get('index.m3u8');
    if (!multivariant) return;
    const { playlist } = checkMultivariant(multivariant.toString(), { findings: this.findings });
    for (const uri of playlist.uris) {
      if (!this.renditions.has(uri)) this.renditions.set(uri, new Rendition(uri, this.findings));
    }
    await Promise.all([...[...this.renditions.values()].map((rendition) => this.#follow(rendition)), this.#followMpd()]);
  }

  async #follow(rendition) {
    const asked = performance.now();
    const text = await this.#get(rendition.name);
    if (!text) return;
    this.findings.context = rendition.name;
    const { playlist } = checkMediaPlaylist(text.toString(), { findings: this.findings });
    rendition.history.add({ playlist, asked, at: performance.now() });
    this.findings.context = '';
    for (const { sequence, uri, gap, map } of playlist.segments) {
      if (gap || rendition.media.has(sequence)) continue;
      if (!rendition.inits.has(map.uri)) rendition.inits.set(map.uri, await this.#must(rendition.folder + map.uri));
      rendition.media.set(sequence, await this.#must(rendition.folder + uri));
    }
  }

  async #followMpd() {
    const text = (await this.#get('manifest.mpd'))?.toString();
    if (!text) return;
    const { presentation } = checkMpd(text, { findings: this.findings });
    if (presentation) this.#presentation = presentation;
    // What has ended is a document of its own: nothing is updated any more.
    if (presentation?.type === 'dynamic') this.mpds.add(presentation, text, Date.now());
  }

  async #get(path) {
    const response = await fetch(this.#base + path, { signal: AbortSignal.timeout(10_000) });
    const body = Buffer.from(await response.arrayBuffer());
    if (response.status === 404 || response.status === 503) return null;
    assert.equal(response.status, 200, `GET ${path}`);
    return body;
  }

  async #must(path) {
    const body = await this.#get(path);
    assert.ok(body, `${this.channel}: ${path} is listed and cannot be had`);
    return body;
  }

  /** Looks once more and stops; throws what could not be had, and keeps what rules were broken. */
  async close() {
    this.#stopped = true;
    await this.#watching;
    if (this.#failed) throw this.#failed;
    await this.#look();
    const renditions = [...this.renditions.values()];
    if (renditions.length) checkPresentation(renditions.map(({ history }) => history), this.findings);
    return renditions;
  }

  /** Asserts that no playlist and no MPD broke a rule. */
  assertLawful() {
    const musts = this.findings.list.filter(({ strength }) => strength === 'must');
    assert.deepEqual(musts, [], `${this.channel}:\n${this.findings}`);
  }

  /** Asserts that the last MPD lists the same segments as the last playlists, at the same times. */
  assertDialectsAgree() {
    const presentation = this.#presentation;
    for (const rendition of this.renditions.values()) {
      const { name, folder, history } = rendition;
      const tracks = presentation.tracks.filter((track) => track.urlOf('initialization')?.startsWith(folder));
      const listed = tracks.flatMap((track) => track.segments(Date.now()));
      const dash = new Map(listed.map(({ url, startMs }) => [url, startMs]));
      const { segments } = history.last.playlist;
      for (const segment of segments.filter(({ gap }) => !gap)) {
        const { uri, time } = segment;
        const at = dash.get(folder + uri);
        assert.notEqual(at, undefined, `${name}: ${uri} is not in the MPD, which has ${[...dash.keys()].join(' ')}`);
        // An MPD counts on the media's own timeline, on which the encoder's priming has a place.
        const [{ mediaTime, timescale, handler }] = rendition.tracks(segment);
        const due = time + (handler === 'soun' ? (mediaTime / timescale) * 1_000 : 0);
        assert.ok(Math.abs(at - due) < 1.5, `${name}: ${uri} is at ${due} in HLS and at ${at} in DASH`);
      }
    }
  }
}
