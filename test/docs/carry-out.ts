// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findClient } from '../interop/clients.ts';
import type { Page, PageFile, Step } from './page.ts';
import { openScene, type Scene } from './scene.ts';

/** What a command of a page did. */
export interface Done {
  readonly step: Step;
  /** lines, as they stand in a page */
  readonly output: readonly string[];
  readonly status: number;
}

const MOST_MILLISECONDS = 120_000;

/** The parts of a page whose real clients are here; with `BULLA_INTEROP=required` all must be. */
function partsHere(page: Page): readonly (Step | PageFile)[] {
  if (process.env['BULLA_INTEROP'] === 'required') return page.parts;
  return page.parts.filter(
    (part) => part.kind === 'file' || part.needs.every((name) => findClient(name) !== undefined),
  );
}

/** Carries out a page from its first command to its last, in one shell, as a reader would. */
export async function carryOut(page: Page): Promise<readonly Done[]> {
  const parts = partsHere(page);
  const clients = parts.flatMap((part) => (part.kind === 'command' ? part.needs : []));
  await using scene = await openScene(page.scene, clients);
  await runShell(scene, scriptOf(parts, scene));
  return parts.flatMap((part, at) => (part.kind === 'command' ? [doneOf(part, at, scene)] : []));
}

// Each command is evaluated by the same shell, knows how the one before ended, and writes both its streams to one file.
function scriptOf(parts: readonly (Step | PageFile)[], { notes, toMachine }: Scene): string {
  const lines = ['__status=0'];
  for (const [at, part] of parts.entries()) {
    const place = join(notes, String(at));
    if (part.kind === 'file') {
      writeFileSync(place, toMachine(part.content));
      lines.push(`mkdir -p '${dirname(part.name)}' && cp ${place} '${part.name}'`);
      continue;
    }
    writeFileSync(`${place}.command`, toMachine(part.command));
    lines.push(
      `__command=$(<${place}.command)`,
      `{ (exit $__status); eval "$__command"; } >${place}.output 2>&1 </dev/null`,
      `__status=$?; echo $__status >${place}.status`,
    );
  }
  return `${lines.join('\n')}\n`;
}

async function runShell({ work, environment }: Scene, script: string): Promise<void> {
  const shell = spawn('bash', ['--noprofile', '--norc'], {
    cwd: work,
    env: environment,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // a group of its own: what the page starts in the background ends with it
  });
  const { pid } = shell;
  const end = (): void => {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // all have ended
    }
  };
  const deadline = setTimeout(end, MOST_MILLISECONDS);
  try {
    shell.stdin.on('error', () => undefined);
    shell.stdin.end(script);
    await once(shell, 'exit');
  } finally {
    clearTimeout(deadline);
    end();
  }
}

function doneOf(step: Step, at: number, { notes, toPage }: Scene): Done {
  const read = (name: string): string => {
    const path = join(notes, `${at}.${name}`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const text = toPage(read('output')).replace(/\n+$/, '');
  const output = text === '' ? [] : text.split('\n').map((line) => line.trimEnd());
  const status = read('status');
  return { step, output, status: status === '' ? -1 : Number(status) };
}
