// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { lstat, open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isJsonObject, parseJson, WireError } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { quoted } from '../quoted.ts';
import { storageError, systemCode, unlessAbsent } from './storage-error.ts';

/** How long things may take, in milliseconds; tests make them short. */
export interface LockTimes {
  /** until a writer that waits gives up */
  readonly patience: number;
  /** until a lock is broken whose owner cannot be asked after. An owner needs some milliseconds. */
  readonly abandoned: number;
  /** until a lock file is broken that does not say whose it is: its owner died while it wrote it */
  readonly unwritten: number;
}

const TIMES: LockTimes = { patience: 30_000, abandoned: 10 * 60_000, unwritten: 10_000 };
const LOCK = '.bulla.lock';
const BREAKER = '.bulla.lock.break';
const MAX_OWNER_BYTES = 4096;

/** The lock while it is held. */
export interface HeldLock {
  /** Fails with `conflict` if someone broke the lock meanwhile (this process was stopped for very long). */
  assertHeld(): Promise<void>;
}

/** Who waits for whom in this process, so that its writers do not poll for each other. */
const queues = new Map<string, Promise<void>>();

/**
 * Runs `write` while no one else, in this process or another, does the same with this directory.
 *
 * The lock is a file made with O_EXCL that names its process. If that process is dead (or its number is another's by now) the lock is
 * broken, under a second file of the same kind, so that two who find the same dead lock cannot break each other's new ones.
 *
 * @throws RegistryError `conflict` where the lock was not to be had; `storage-failed`
 */
export async function withLayoutLock<T>(
  root: string,
  write: (lock: HeldLock) => Promise<T>,
  times: LockTimes = TIMES,
): Promise<T> {
  const turn = Promise.withResolvers<void>();
  const previous = queues.get(root);
  queues.set(root, turn.promise);
  try {
    await previous;
    return await locked(root, write, times);
  } finally {
    turn.resolve();
    if (queues.get(root) === turn.promise) queues.delete(root);
  }
}

async function locked<T>(root: string, write: (lock: HeldLock) => Promise<T>, times: LockTimes): Promise<T> {
  const path = join(root, LOCK);
  const owner = await thisProcess();
  await acquire(path, owner, times);
  try {
    return await write({
      async assertHeld() {
        if ((await textOf(path)) === owner) return;
        throw new RegistryError('conflict', `${quoted(path)} was taken by another process; nothing was written`);
      },
    });
  } finally {
    if ((await textOf(path)) === owner) await rm(path, { force: true });
  }
}

async function acquire(path: string, owner: string, times: LockTimes): Promise<void> {
  const start = performance.now();
  while (!(await create(path, owner))) {
    const found = await textOf(path);
    if (found !== undefined && (await isStale(path, found, times))) {
      await breakLock(path, found, times);
      continue;
    }
    if (performance.now() - start > times.patience) {
      const message = `${quoted(path)} is held by ${ownerShown(found)}; if nothing writes there, remove the file`;
      throw new RegistryError('conflict', message);
    }
    await pause(2 + Math.random() * 20);
  }
}

/** False where the file is there already. Links are not followed, as O_EXCL does not. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false;
    throw storageError(cause, `write ${quoted(path)}`);
  }
}

async function breakLock(path: string, stale: string, times: LockTimes): Promise<void> {
  const breaker = join(path, '..', BREAKER);
  if (!(await create(breaker, ''))) {
    if ((await ageOf(breaker)) > times.unwritten) await rm(breaker, { force: true });
    await pause(2 + Math.random() * 20);
    return;
  }
  try {
    // Another may have broken it, and a third have taken it, since it was read.
    if ((await textOf(path)) === stale) await rm(path, { force: true });
  } finally {
    await rm(breaker, { force: true });
  }
}

async function isStale(path: string, text: string, times: LockTimes): Promise<boolean> {
  const age = await ageOf(path);
  const owner = parseOwner(text);
  if (owner === undefined) return age > times.unwritten;
  if (age > times.abandoned) return true;
  if (owner.host !== hostname()) return false;
  if (!isAlive(owner.pid)) return true;
  const started = await startOf(owner.pid);
  return started !== undefined && owner.started !== undefined && started !== owner.started;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly started: string | undefined;
}

async function thisProcess(): Promise<string> {
  const started = await startOf(process.pid);
  return `${JSON.stringify({ pid: process.pid, host: hostname(), started, lock: randomUUID() })}\n`;
}

function parseOwner(text: string): Owner | undefined {
  try {
    const json = parseJson(new TextEncoder().encode(text), { what: LOCK, maxBytes: MAX_OWNER_BYTES, maxDepth: 2 });
    if (!isJsonObject(json)) return undefined;
    const { pid, host, started } = json;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof host !== 'string') return undefined;
    return { pid, host, started: typeof started === 'string' ? started : undefined };
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function ownerShown(text: string | undefined): string {
  const owner = text === undefined ? undefined : parseOwner(text);
  return owner === undefined ? 'another process' : `process ${owner.pid} on ${quoted(owner.host)}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // asks only
    return true;
  } catch (cause) {
    return systemCode(cause) !== 'ESRCH';
  }
}

/** When a process began, in the kernel's ticks: tells it from a later one of the same number. Linux only. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19]; // proc_pid_stat(5), field 22
  } catch {
    return undefined; // another system, or no such process: then its number alone must do
  }
}

/** What a lock file says; nothing where it is no ordinary file of ours. */
async function textOf(path: string): Promise<string | undefined> {
  const found = await unlessAbsent(lstat(path), `read ${quoted(path)}`);
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > MAX_OWNER_BYTES) return '';
  return unlessAbsent(readFile(path, 'utf8'), `read ${quoted(path)}`);
}

async function ageOf(path: string): Promise<number> {
  const found = await unlessAbsent(lstat(path), `read ${quoted(path)}`);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}
