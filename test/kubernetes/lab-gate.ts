// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';

/** A gate that runs beside the cluster. */
export interface LabGate {
  readonly port: number;
  readonly child: ChildProcess;
  /** the lines of its log so far */
  log(): readonly GateLine[];
  /** Waits for a line. */
  said(what: (line: GateLine) => boolean, seconds?: number): Promise<GateLine>;
  /** Ends it: SIGTERM, or SIGKILL for a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A line of the gate's log. */
export interface GateLine {
  readonly message: string;
  readonly level: string;
  readonly reason?: string;
  readonly code?: string;
  readonly webhook?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** A gate that was started, by what it says. */
export function labGate(child: ChildProcess, port: number): LabGate {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const log = (): readonly GateLine[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => (line.startsWith('{') ? (JSON.parse(line) as GateLine) : { message: line, level: 'text' }));
  return {
    port,
    child,
    log,
    async said(what, seconds = 20) {
      for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(50)) {
        const line = log().find(what);
        if (line !== undefined) return line;
      }
      assert.fail(`the gate did not say it within ${seconds} s:\n${text}`);
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}
