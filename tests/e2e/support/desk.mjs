// What ad operations do: creatives, rules and breaks of a channel, through the origin's door for operators.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as paths from './paths.mjs';
import { SMALL_LADDER } from './parts.mjs';

/** Segments of the test encoder's channel begin at multiples of this, in ms since 1970. */
export const GRID_MS = 1_920;

/** Makes a card of so many segments for the test encoder's channel, by the command that operators use. */
export function conditioned(origin, name, segments) {
  const seconds = (segments * GRID_MS) / 1_000;
  execFileSync(
    paths.selvedge(),
    ['creative', 'slate', '--name', name, '--seconds', String(seconds), '--ladder', SMALL_LADDER, '--origin', origin],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

/** The breaks of one channel. */
export class Desk {
  #breaks;

  constructor(origin, channel) {
    this.#breaks = `${origin}/channels/${channel}/breaks`;
  }

  /** Puts rules in force. */
  async put(rules) {
    const response = await fetch(`${this.#breaks}/rules`, { method: 'PUT', body: JSON.stringify(rules) });
    assert.ok(response.ok, `${response.status}: ${await response.text()}`);
  }

  /** Schedules a break, at a moment in ms since 1970. */
  async schedule(at, duration) {
    const wanted = { at: new Date(at).toISOString(), duration_ms: duration };
    const response = await fetch(this.#breaks, { method: 'POST', body: JSON.stringify(wanted) });
    const text = await response.text();
    assert.equal(response.status, 201, text);
    return JSON.parse(text);
  }

  /** Ends a break that is on air, or cancels one that is not yet. */
  async end(id) {
    const response = await fetch(`${this.#breaks}/${id}`, { method: 'DELETE' });
    assert.ok(response.ok, `${response.status}: ${await response.text()}`);
  }

  /** All breaks that the origin knows. */
  async list() {
    const response = await fetch(this.#breaks);
    assert.equal(response.status, 200);
    return (await response.json()).breaks;
  }
}
