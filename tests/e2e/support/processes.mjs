// Starts the parts of the system as processes of their own, waits until they answer, and takes
// them down again, whatever happens to the test.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ARTIFACTS } from './paths.mjs';

/** Longer than the demo itself allows: 8 s for its encoder, then 10 s for its servers. */
const STOP_GRACE_MS = 25_000;
const READY_WITHIN_MS = 60_000;

/** Process groups that this test file started and that still run. */
const running = new Set();

// A leader's death does not take its group along, and an uncaught error must not leak one.
process.on('exit', () => {
  for (const group of running) signal(group, 'SIGKILL');
});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1));

function signal(group, name) {
  try {
    process.kill(-group, name);
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** The folder in which the running test file keeps logs and screenshots. */
export function artifacts() {
  const folder = join(ARTIFACTS, basename(process.argv[1]).replace(/\.test\.mjs$/, ''));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** One started process with everything below it. */
export class Running {
  /** @type {{ code: number | null, signal: string | null } | null} */
  exit = null;
  #tail = '';

  constructor(name, child, logPath) {
    this.name = name;
    this.pid = child.pid;
    this.logPath = logPath;
    const log = createWriteStream(logPath);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        log.write(data);
        this.#tail = (this.#tail + data).slice(-200_000);
      });
    }
    this.exited = new Promise((done) => {
      child.on('close', (code, signalName) => {
        this.exit = { code, signal: signalName };
        log.end();
        done(this.exit);
      });
    });
  }

  /** What the process wrote last, both streams together. */
  get output() {
    return this.#tail;
  }

  /** Resident memory of the whole process group, in bytes. */
  residentBytes() {
    let kilobytes = 0;
    for (const pid of groupMembers(this.pid)) {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        kilobytes += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      } catch {
        // It ended between the listing and the look.
      }
    }
    return kilobytes * 1024;
  }

  /** Ends the group as a power cut would. */
  async kill() {
    signal(this.pid, 'SIGKILL');
    await this.exited;
    running.delete(this.pid);
  }

  /** Asks the group to stop, and ends it where it does not. */
  async stop(name = 'SIGTERM') {
    if (this.exit === null) {
      signal(this.pid, name);
      await Promise.race([this.exited, sleep(STOP_GRACE_MS, null, { ref: false })]);
    }
    signal(this.pid, 'SIGKILL');
    await this.exited;
    running.delete(this.pid);
    return this.exit;
  }
}

function groupMembers(group) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        // The name may hold spaces and brackets; the fields after the last bracket are fixed.
        const [, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group;
      } catch {
        return false;
      }
    });
}

/**
 * Everything that one test file runs. Logs are kept under tests/artifacts/ until the next run.
 */
export class Stage {
  /** What takes each thing down that was put up, in the order in which they were. */
  #closers = [];
  #logs;

  /** @param {string} [name] tells the stages of one file apart */
  constructor(name = '') {
    this.#logs = join(artifacts(), 'logs', name);
    mkdirSync(this.#logs, { recursive: true });
  }

  /**
   * Starts a process and waits until it is ready.
   *
   * @param {object} spec
   * @param {string} spec.name names its log
   * @param {string} spec.command
   * @param {string[]} spec.args
   * @param {Record<string, string>} [spec.env] on top of the test's own
   * @param {string} [spec.cwd]
   * @param {(part: Running) => Promise<boolean> | boolean} [spec.ready] polled until true
   * @param {number} [spec.withinMs]
   * @returns {Promise<Running>}
   */
  async start({ name, command, args, env = {}, cwd, ready, withinMs = READY_WITHIN_MS }) {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    await new Promise((done, fail) => {
      child.once('spawn', done);
      child.once('error', fail);
    });
    running.add(child.pid);
    const part = new Running(name, child, join(this.#logs, `${name}.log`));
    this.onClose(() => part.stop());
    if (ready) await this.#untilReady(part, ready, withinMs);
    return part;
  }

  async #untilReady(part, ready, withinMs) {
    const deadline = Date.now() + withinMs;
    for (;;) {
      if (part.exit !== null) {
        throw new Error(`${part.name} ended with ${JSON.stringify(part.exit)}:\n${part.output}`);
      }
      if (await Promise.resolve(ready(part)).catch(() => false)) return;
      if (Date.now() > deadline) {
        throw new Error(`${part.name} was not ready in ${withinMs} ms:\n${part.output}`);
      }
      await sleep(100);
    }
  }

  /** Runs `close` when the stage comes down. */
  onClose(close) {
    this.#closers.push(close);
  }

  /** Takes everything down, the last started first. */
  async close() {
    const failures = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        // What cannot be taken down must not leave up what came before it.
        failures.push(error);
      }
    }
    if (failures.length) throw new AggregateError(failures, 'not everything came down');
  }
}

/** True when a GET answers with the status. */
export async function answers(url, status = 200) {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.status === status;
}

/** Polls until `check` is truthy and returns what it returned. */
export async function until(what, check, withinMs = 30_000, everyMs = 200) {
  const deadline = Date.now() + withinMs;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms (${last})`);
    await sleep(everyMs);
  }
}
