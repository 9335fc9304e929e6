// SPDX-License-Identifier: Apache-2.0
import { fstatSync } from 'node:fs';
import { basename } from 'node:path';
import type { EndingSignal, Host } from '../host.ts';
import { writeStderr, writeStdout } from './write-all.ts';

const STDIN = 0;
const STDERR = 2;

/** This process. Everything heavy in it loads when it is used. */
export function processHost(): Host {
  return {
    program: basename(process.argv[1] ?? '') === 'cosign' ? 'cosign' : 'bulla',
    env: process.env,
    cwd: () => process.cwd(),
    now: () => new Date(),
    writeOut: writeStdout,
    writeErr: writeStderr,
    isTerminal: () => isTerminal(STDERR),
    canPrompt: () => isTerminal(STDIN) && isTerminal(STDERR),
    readStdin: async (maxBytes) => (await import('./read-stdin.ts')).readStdin(maxBytes),
    askHidden: async (question) => (await import('./ask.ts')).askHidden(question),
    askYesNo: async (question) => (await import('./ask.ts')).askYesNo(question),
    onSignal,
    onHangUp,
    forbidNetwork,
  };
}

/** `node:tty` brings the network stack with it: it is asked only about what can be a terminal. */
function isTerminal(descriptor: number): boolean {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(descriptor);
}

function onSignal(listener: (signal: EndingSignal) => void): () => void {
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}

function onHangUp(listener: () => void): () => void {
  process.on('SIGHUP', listener);
  return () => process.off('SIGHUP', listener);
}

/** The second lock: commands refuse before they get here. */
function forbidNetwork(): () => void {
  const { Socket } = process.getBuiltinModule('node:net');
  const connect = Object.getOwnPropertyDescriptor(Socket.prototype, 'connect');
  const { fetch } = globalThis;
  const refuse = (): never => {
    throw new Error('a socket was about to be opened in spite of --no-network');
  };
  Socket.prototype.connect = refuse;
  globalThis.fetch = refuse;
  return () => {
    if (connect !== undefined) Object.defineProperty(Socket.prototype, 'connect', connect);
    globalThis.fetch = fetch;
  };
}
