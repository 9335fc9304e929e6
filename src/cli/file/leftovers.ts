// SPDX-License-Identifier: Apache-2.0
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What `temporaryName` makes, and nothing that anybody else would. */
const LEFTOVER = /\.(\d{1,10})-[a-z0-9]{1,6}\.bulla-(?:new|old)$/;

/** Replacing files takes no longer; in a folder that several machines share, a process of another one looks as if it were gone. */
const REST_MS = 60_000;

/** A name beside a file, for what it becomes (`new`) or was (`old`). */
export function temporaryName(path: string, what: 'new' | 'old'): string {
  return `${path}.${process.pid}-${Math.random().toString(36).slice(2, 8)}.bulla-${what}`;
}

/**
 * Removes what processes that were killed while they replaced files have left in a folder. What cannot be removed stays.
 *
 * @param now milliseconds since 1970
 */
export function sweepLeftovers(folder: string, now: number = Date.now()): void {
  for (const name of listed(folder)) {
    const pid = Number(LEFTOVER.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isRunning(pid)) continue;
    const path = join(folder, name);
    try {
      // a second name of what was there has the time of that in `mtime`, and its own in `ctime`
      const found = lstatSync(path);
      if (found.isFile() && now - found.ctimeMs > REST_MS) rmSync(path);
    } catch {
      // somebody else was quicker, or it is not for us to remove
    }
  }
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // a process of somebody else may not be signalled, and is there
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
