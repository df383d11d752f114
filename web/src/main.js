// The page of `selvedge demo`: plays the channel and shows what the edge made of it.
import { Backoff } from './backoff.js';
import { ClockReader, STRIP_SHARE } from './clock.js';
import { measureOffset, now } from './edge-time.js';
import { Follower, isLive } from './live.js';
import { CARRIERS, ChannelPlayer, PLAYERS } from './player.js';
import { isHeld, isPart, watchRequests } from './requests.js';
import { Sparkline } from './sparkline.js';
import { attempts, send } from './tries.js';

const MINUTE_OF_SAMPLES = 120;
const SAMPLE_EVERY_MS = 500;
const READ_CLOCK_EVERY_MS = 180;
const SYNC_CLOCK_EVERY_MS = 30_000;
/** A picture that was read so often in vain carries no clock. */
const NO_CLOCK_AFTER_MISSES = 10;
const ROWS_SHOWN = 40;
/** Share of the picture below the strip into which the codec smears it. */
const STRIP_BLUR_SHARE = 0.008;
/** A picture that no other has followed for so long stands still. */
const STANDS_STILL_MS = 1_000;

const $ = (id) => document.getElementById(id);
const video = $('video');
const stage = $('stage');
const bar = document.querySelector('.bar');
const player = new ChannelPlayer(video, recover);

/** What tests, and the curious, read from the console. */
const state = {
  latencyMs: null,
  targetMs: null,
  rate: 1,
  live: false,
  parts: 0,
  held: 0,
  clockReads: 0,
  clockMisses: 0,
  clockOffsetMs: 0,
  stalls: 0,
  droppedFrames: 0,
  totalFrames: 0,
  bufferSeconds: 0,
  player: '',
  carrier: '',
  levels: [],
  level: null,
  errors: [],
  requests: 0,
  muted: false,
};
window.selvedge = state;

start().catch((error) => {
  state.errors.push({ fatal: true, detail: String(error) });
  notice('The demo does not answer. Is `selvedge demo` still running?');
});

/** What the demo handed out last: the URLs to play, with their tokens. */
let demo = null;

async function start() {
  adopt(await handedOut());
  showRequests();
  keepClockInStep();
  readClock();
  wireControls();
  setInterval(sample, SAMPLE_EVERY_MS);

  const parameters = new URLSearchParams(location.search);
  const wanted = parameters.get('player');
  const first = Object.hasOwn(PLAYERS, wanted) ? wanted : 'hls';
  document.querySelector(`input[name=player][value=${first}]`).checked = true;
  const carried = parameters.get('carrier');
  const carrier = Object.hasOwn(CARRIERS, carried) ? carried : 'url';
  document.querySelector(`input[name=carrier][value=${carrier}]`).checked = true;
  const distance = parameters.get('distance') === 'steady' ? 'steady' : 'low';
  document.querySelector(`input[name=distance][value=${distance}]`).checked = true;
  await play(first);
}

async function handedOut() {
  const response = await fetch('demo.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`demo.json answered ${response.status}`);
  return response.json();
}

function adopt(fresh) {
  demo = fresh;
  $('channel').textContent = demo.channel;
  document.title = `${demo.channel} live · Selvedge`;
  $('facts').textContent = [
    `edge ${new URL(demo.hls).host}`,
    demo.input && `input ${demo.input}`,
    demo.encoder && `encoder ${demo.encoder}`,
  ]
    .filter(Boolean)
    .join('  ·  ');
  showAttempts();
}

/** @param {'player' | 'carrier' | 'distance'} name */
function chosen(name) {
  return document.querySelector(`input[name=${name}]:checked`).value;
}

function edge() {
  return new URL(demo.hls).origin;
}

// Playing

const latencyLine = new Sparkline($('latency-spark'), {
  capacity: MINUTE_OF_SAMPLES,
  floor: 0,
  minSpan: 1,
});
const bufferLine = new Sparkline($('buffer-spark'), {
  capacity: MINUTE_OF_SAMPLES,
  floor: 0,
  minSpan: 4,
});

/**
 * Opens a player on what the demo handed out last.
 *
 * @param {keyof typeof PLAYERS} which
 * @param {{ hold?: boolean }} [options] `hold` leaves it to the viewer to press play
 */
async function play(which, { hold = false } = {}) {
  stage.dataset.state = 'starting';
  notice('Waiting for the picture');
  latencyLine.clear();
  bufferLine.clear();
  forgetParts();
  recentLatency.length = 0;
  follower.begin();
  frameShownAt = null;
  latencyWhenRead = null;
  state.latencyMs = null;
  state.live = false;
  const carrier = chosen('carrier');
  await player.open(which, demo, CARRIERS[carrier], chosen('distance') === 'low');
  state.player = which;
  state.carrier = carrier;
  $('playing-with').textContent = `with ${player.name}`;
  if (hold) notice('Press play to go on');
  else await playWithSound();
}

/** Browsers may refuse sound before the viewer has touched the page: then it starts muted. */
async function playWithSound() {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return;
    video.muted = true;
    await video.play().catch(() => notice('Press play to start'));
  }
}

function notice(text) {
  $('notice').textContent = text;
}

video.addEventListener('playing', () => {
  stage.dataset.state = 'playing';
  refusals.reset();
});
video.addEventListener('waiting', () => {
  stage.dataset.state = 'waiting';
  const known = performance.now() < trouble.until;
  notice(known ? trouble.text : 'Waiting for the next segment');
});
// The renditions of a channel differ by a line or two in their shape: the first one stands for all,
// so that the page does not move when the player switches.
video.addEventListener('resize', () => {
  const { videoWidth, videoHeight } = video;
  if (!videoWidth || stage.style.getPropertyValue('--picture')) return;
  stage.style.setProperty('--picture', `${videoWidth} / ${videoHeight}`);
  stage.style.setProperty(
    '--picture-below-strip',
    `${videoWidth} / ${videoHeight * (1 - STRIP_SHARE - STRIP_BLUR_SHARE)}`,
  );
});

// Recovering

const refusals = new Backoff();
let recovering = false;
/** Why the picture may soon stand still, and until when (ms of `performance.now()`) that is news. */
let trouble = { text: '', until: 0 };

/**
 * A token that has expired, or an edge that is gone because the demo was started anew, comes back
 * by itself as soon as the demo hands out what there is to play now.
 *
 * @param {import('./player.js').Failure} error
 */
async function recover({ status, retryInMs }) {
  const refused = status === 401;
  if (!refused && retryInMs === undefined) return;
  if (recovering) return;
  recovering = true;
  const wait = refused ? refusals.next() : retryInMs;
  const seconds = Math.round(wait / 1000);
  const text = refused
    ? `The edge refuses the token. Asking for another in ${seconds} s`
    : `The edge does not answer. Trying again in ${seconds} s`;
  trouble = { text, until: performance.now() + wait + STANDS_STILL_MS };
  notice(text);

  await new Promise((done) => setTimeout(done, wait));
  const fresh = await handedOut().catch(() => null);
  recovering = false;
  if (fresh === null) {
    // A player that was refused may not try again by itself, and nobody would come back here.
    if (refused) recover({ status });
  } else if (refused || new URL(fresh.hls).origin !== edge()) {
    const hold = video.paused && stage.dataset.state !== 'starting';
    adopt(fresh);
    play(chosen('player'), { hold });
  }
}

// Latency

const recentLatency = [];
/** When a picture was last shown, ms of `performance.now()`. */
let frameShownAt = null;
/** The latency that the clock of a picture told, ms. */
let latencyWhenRead = null;
const follower = new Follower();
let offset = { offset: 0, uncertainty: Infinity };

function keepClockInStep() {
  const measure = async () => {
    const measured = await measureOffset(`${edge()}/time`).catch(() => null);
    if (!measured) return;
    offset = measured;
    state.clockOffsetMs = measured.offset;
    const within = Math.max(1, Math.round(measured.uncertainty));
    if (stage.dataset.clock !== 'burned') return;
    $('latency-how').textContent =
      `Read from the clock woven into each picture, on the edge’s time, to ±${within} ms.`;
  };
  measure();
  setInterval(measure, SYNC_CLOCK_EVERY_MS);
}

function readClock() {
  const reader = new ClockReader();
  const strip = $('strip').getContext('2d');
  let readAt = 0;

  const onFrame = (_now, frame) => {
    const at = performance.now();
    if (!video.paused) frameShownAt = at;
    // A frame that is shown while nothing plays yet says nothing about latency.
    if (!video.paused && at - readAt >= READ_CLOCK_EVERY_MS) {
      readAt = at;
      const { ms, luma } = reader.read(video);
      if (ms === null) {
        state.clockMisses += 1;
        if (state.clockReads === 0 && state.clockMisses === NO_CLOCK_AFTER_MISSES) withoutClock();
      } else {
        state.clockReads += 1;
        stage.dataset.clock = 'burned';
        // The frame reaches the screen at its expected display time, a little after this call.
        const shownAt = frame ? performance.timeOrigin + frame.expectedDisplayTime : now();
        recordLatency(shownAt + offset.offset - ms);
        drawStrip(strip, luma);
        $('strip-time').textContent = new Date(ms).toISOString().slice(11, 23);
      }
    }
    next();
  };
  const next = () => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
    else setTimeout(onFrame, READ_CLOCK_EVERY_MS);
  };
  next();
}

function withoutClock() {
  stage.dataset.clock = 'none';
  $('latency-how').textContent = 'This picture carries no clock to read the latency from.';
}

function recordLatency(ms) {
  recentLatency.push(ms);
  if (recentLatency.length > 5) recentLatency.shift();
  const median = [...recentLatency].sort((a, b) => a - b)[recentLatency.length >> 1];
  latencyWhenRead = Math.round(median);
  state.latencyMs = latencyWhenRead;
}

function drawStrip(context, luma) {
  const image = context.createImageData(luma.length, 1);
  luma.forEach((value, i) => {
    const [r, g, b] = value > 127 ? [241, 237, 228] : [25, 29, 41];
    image.data.set([r, g, b, 255], i * 4);
  });
  context.putImageData(image, 0, 0);
}

/** For how long, in ms, the picture has stood still that should be moving; a hidden page shows none. */
function standsStillFor() {
  if (frameShownAt === null || video.paused || document.hidden) return 0;
  const since = performance.now() - frameShownAt;
  return since > STANDS_STILL_MS ? Math.round(since) : 0;
}

// Readings

function sample() {
  const { total, dropped } = player.frames();
  state.stalls = player.stalls;
  state.droppedFrames = dropped;
  state.totalFrames = total;
  state.bufferSeconds = player.bufferAhead();
  state.errors = [...player.errors];
  state.muted = video.muted;
  if (stage.dataset.state !== 'starting') {
    bufferLine.push(state.bufferSeconds);
    $('buffer').textContent = state.bufferSeconds.toFixed(1);
  }
  followLive();
  if (latencyWhenRead !== null) {
    const still = standsStillFor();
    state.latencyMs = latencyWhenRead + still;
    const seconds = state.latencyMs / 1000;
    latencyLine.push(seconds, state.targetMs === null ? null : state.targetMs / 1000);
    $('latency').textContent = seconds.toFixed(2);
  } else {
    $('latency').textContent = '–';
  }
  $('stalls').textContent = String(state.stalls);
  $('dropped').textContent = String(dropped);
  $('frames').textContent = `of ${total.toLocaleString('en')}`;
  showLadder();
}

function followLive() {
  const pace = player.adapter?.pace() ?? null;
  const plays = frameShownAt !== null && !video.paused && standsStillFor() === 0;
  state.live = plays && pace !== null && isLive(pace);
  state.targetMs = pace && Math.round(pace.target * 1000);
  state.rate = video.playbackRate;
  $('live').dataset.live = String(state.live);
  $('aim').hidden = pace === null;
  if (pace === null) return;
  $('target').textContent = pace.target.toFixed(2);
  $('rate').textContent = video.playbackRate.toFixed(2);
  if (plays && follower.shouldJump(pace, performance.now())) toLive();
}

function toLive() {
  player.forgiveNextWait();
  player.adapter?.toLive();
}

let ladderShown = '';

function showLadder() {
  const { adapter } = player;
  if (!adapter) return;
  const levels = adapter.levels();
  const current = adapter.current();
  state.levels = levels;
  state.level = levels.find(({ id }) => id === current) ?? null;
  const key = `${state.player} ${levels.map(({ id, bitrate }) => `${id}@${bitrate}`).join()}`;
  if (key !== ladderShown) {
    ladderShown = key;
    const rungs = [...levels].reverse().map((level) => rung(level.id, size(level), rate(level)));
    $('ladder').replaceChildren(rung('', 'Automatic', ''), ...rungs);
  }
  for (const label of $('ladder').children) {
    label.dataset.current = String(current !== null && label.dataset.id === current);
  }
}

function rung(id, text, aside) {
  const label = document.createElement('label');
  label.dataset.id = id;
  const input = document.createElement('input');
  input.type = 'radio';
  input.name = 'rendition';
  input.checked = id === '';
  input.addEventListener('change', () => {
    player.forgiveNextWait();
    player.adapter?.select(id || null);
  });
  label.append(input, span('size', text), span('rate', aside));
  return label;
}

function size({ width, height }) {
  return width && height ? `${width} × ${height}` : 'sound only';
}

function rate({ bitrate }) {
  if (!bitrate) return '';
  return bitrate >= 1e6 ? `${(bitrate / 1e6).toFixed(1)} Mb/s` : `${Math.round(bitrate / 1e3)} kb/s`;
}

function span(className, text) {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = text;
  return element;
}

// What the edge decided

function showRequests() {
  const body = $('rows');
  const hold = $('hold');
  /** Not shown yet, newest first. */
  let waiting = [];
  const render = () => {
    if (waiting.length === 0 || hold.getAttribute('aria-pressed') === 'true') return;
    body.prepend(...waiting.map(tableRow));
    while (body.rows.length > ROWS_SHOWN) body.lastElementChild.remove();
    waiting = [];
  };
  watchRequests(edge, (fresh) => {
    state.requests += fresh.length;
    countParts(fresh);
    waiting = [...fresh.reverse(), ...waiting].slice(0, ROWS_SHOWN);
  });
  // At low latency there are ten requests a second: the page is not to spend its time on a table.
  setInterval(() => {
    $('request-count').textContent = state.requests.toLocaleString('en');
    showParts();
    render();
  }, SAMPLE_EVERY_MS);
  hold.addEventListener('click', () => {
    const held = hold.getAttribute('aria-pressed') !== 'true';
    hold.setAttribute('aria-pressed', String(held));
    hold.textContent = held ? 'Go on' : 'Hold';
    render();
  });
}

/** For how long the last held requests were held, ms. */
let heldFor = [];

/** What a low-latency playlist brings beyond whole segments; a channel without parts shows none of it. */
function countParts(rows) {
  const held = rows.filter(isHeld);
  state.parts += rows.filter(isPart).length;
  state.held += held.length;
  heldFor = [...heldFor, ...held.map(({ duration }) => duration)].slice(-MINUTE_OF_SAMPLES);
}

function forgetParts() {
  state.parts = 0;
  state.held = 0;
  heldFor = [];
  showParts();
}

function showParts() {
  const none = state.parts + state.held === 0;
  for (const element of document.querySelectorAll('.of-parts')) element.hidden = none;
  $('parts').textContent = state.parts.toLocaleString('en');
  $('held').textContent = state.held.toLocaleString('en');
  const mean = heldFor.reduce((sum, ms) => sum + ms, 0) / (heldFor.length || 1);
  $('held-for').textContent = `for ${Math.round(mean)} ms`;
}

function tableRow(row) {
  const tr = document.createElement('tr');
  if (row.status >= 400) tr.className = 'refused';
  tr.append(
    cell('time', new Date(row.at).toISOString().slice(11, 23)),
    cell('route', row.route.replaceAll('-', ' ') || '–'),
    cell('path', row.path),
    cell('carrier', row.carrier || '–'),
    cell('key', row.kid || '–'),
    cell('origin number', row.origin || '–'),
    cell('status number', row.status ? String(row.status) : '–'),
    cell('number', row.duration.toFixed(row.duration < 10 ? 1 : 0)),
    cell('number', bytes(row.bytes)),
  );
  tr.querySelector('.path').title = row.path;
  return tr;
}

function cell(className, text) {
  const td = document.createElement('td');
  td.className = className;
  td.textContent = text;
  return td;
}

function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(2)} MB`;
}

// Try it

function showAttempts() {
  const buttons = attempts(demo).map((attempt) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.id = `try-${attempt.id}`;
    button.textContent = attempt.label;
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', async () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      try {
        showAnswer(await send(attempt));
      } catch (error) {
        showAnswer({ request: '', status: 0, type: '', body: String(error), ms: 0 });
      }
    });
    return button;
  });
  $('attempts').replaceChildren(...buttons);
}

function showAnswer({ request, status, type, body, ms }) {
  const refused = status >= 400;
  $('answer').hidden = false;
  $('answer').dataset.refused = String(refused);
  $('answer-request').textContent = request;
  $('answer-status').textContent = status ? String(status) : 'No answer';
  $('answer-title').textContent = refused
    ? `refused in ${ms.toFixed(ms < 10 ? 1 : 0)} ms`
    : status
      ? 'let in'
      : '';
  $('answer-body').textContent = body;
  $('answer-body').title = type;
}

// Controls

function wireControls() {
  for (const group of ['players', 'carriers', 'distances']) {
    $(group).addEventListener('change', ({ target }) => {
      const url = new URL(location.href);
      url.searchParams.set(target.name, target.value);
      history.replaceState(null, '', url);
      play(chosen('player'));
    });
  }
  $('play').addEventListener('click', togglePlay);
  $('mute').addEventListener('click', toggleMute);
  $('unmute').addEventListener('click', () => {
    video.muted = false;
    if (video.volume === 0) video.volume = 1;
    $('mute').focus();
  });
  $('volume').addEventListener('input', ({ target }) => {
    video.volume = Number(target.value);
    video.muted = video.volume === 0;
  });
  $('live').addEventListener('click', () => {
    follower.begin();
    toLive();
    video.play();
  });
  $('fullscreen').addEventListener('click', toggleFullscreen);
  for (const event of ['play', 'pause', 'volumechange']) {
    video.addEventListener(event, reflectControls);
  }
  reflectControls();

  document.addEventListener('keydown', (event) => {
    const free = !event.target.closest?.('input, button, a, [tabindex="0"]');
    if (!free || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { ' ': togglePlay, k: togglePlay, m: toggleMute, f: toggleFullscreen }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function togglePlay() {
  player.forgiveNextWait();
  if (video.paused) {
    video.play();
  } else {
    follower.leave();
    video.pause();
  }
}

function toggleMute() {
  video.muted = !video.muted;
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else stage.requestFullscreen?.();
}

function reflectControls() {
  const { paused, muted, volume } = video;
  bar.dataset.paused = String(paused);
  bar.dataset.muted = String(muted);
  $('play').setAttribute('aria-label', paused ? 'Play' : 'Pause');
  $('mute').setAttribute('aria-label', muted ? 'Turn the sound on' : 'Mute');
  $('volume').value = String(muted ? 0 : volume);
  $('unmute').hidden = !muted || paused;
}
