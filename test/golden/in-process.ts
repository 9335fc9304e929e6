// SPDX-License-Identifier: Apache-2.0
import { runCommandLine, type Host } from '../../src/cli/index.ts';

/** What a command line did. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a command line is run. */
export interface World {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** now, unless told */
  readonly now?: Date;
}

/** Carries out a command line of bulla in this process: no terminal, nothing of this machine's environment. */
export async function runInProcess(argv: readonly string[], world: World): Promise<Ran> {
  const ran = { stdout: '', stderr: '' };
  const host: Host = {
    program: 'bulla',
    env: world.env,
    cwd: () => world.cwd,
    now: () => world.now ?? new Date(),
    writeOut(text) {
      ran.stdout += text;
    },
    writeErr(text) {
      ran.stderr += text;
    },
    isTerminal: () => false,
    canPrompt: () => false,
    readStdin: () => Promise.resolve(Buffer.from(world.stdin ?? '')),
    askHidden: () => Promise.reject(new Error('nobody is there to ask')),
    askYesNo: () => Promise.reject(new Error('nobody is there to ask')),
    onSignal: () => () => undefined,
    onHangUp: () => () => undefined,
    forbidNetwork: () => () => undefined,
  };
  return { code: await runCommandLine(argv, host), ...ran };
}
