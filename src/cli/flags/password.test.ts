// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CliError } from '../cli-error.ts';
import { createContext } from '../create-context.ts';
import type { CommandContext } from '../context.ts';
import { parseFlags } from '../arguments/parse-flags.ts';
import { RecordingHost, type RecordingHostOptions } from '../recording-host.fixture.ts';
import { GLOBAL_FLAGS } from './global.ts';
import { passwordsToOpen, passwordToSet } from './password.ts';

function world(options: RecordingHostOptions): { context: CommandContext; host: RecordingHost } {
  const host = new RecordingHost(options);
  const parts = { signal: new AbortController().signal, stdout: () => undefined };
  return { host, context: createContext(host, parseFlags([], GLOBAL_FLAGS).flags, parts) };
}

const texts = (passwords: readonly Uint8Array[]): string[] => passwords.map((bytes) => Buffer.from(bytes).toString());
const code = (expected: string) => (error: unknown) => error instanceof CliError && error.code === expected;

describe('the password that opens a key', () => {
  const sources: readonly [string, RecordingHostOptions, readonly string[]][] = [
    ['COSIGN_PASSWORD', { env: { COSIGN_PASSWORD: 'a', BULLA_PASSWORD: 'b' }, answers: ['c'], stdin: 'd' }, ['a']],
    ['BULLA_PASSWORD', { env: { BULLA_PASSWORD: 'b' }, answers: ['c'], stdin: 'd' }, ['b']],
    ['an empty COSIGN_PASSWORD', { env: { COSIGN_PASSWORD: '', BULLA_PASSWORD: 'b' } }, ['']],
    ['an empty BULLA_PASSWORD', { env: { BULLA_PASSWORD: '' }, stdin: 'd' }, ['']],
    ['the terminal', { answers: ['c'], stdin: 'd' }, ['c']],
    ['standard input', { stdin: 'd' }, ['d']],
    ['standard input with a newline, first as given', { stdin: 'd\n' }, ['d\n', 'd']],
    ['standard input with a carriage return', { stdin: 'd\r\n' }, ['d\r\n', 'd']],
    ['standard input that is a newline', { stdin: '\n' }, ['\n', '']],
    ['standard input with two newlines, of which one is taken', { stdin: 'd\n\n' }, ['d\n\n', 'd\n']],
  ];
  for (const [source, options, expected] of sources) {
    it(`comes from ${source}`, async () => {
      assert.deepEqual(texts(await passwordsToOpen(world(options).context, 'private key')), expected);
    });
  }

  it('is asked for in cosign’s words', async () => {
    const { context, host } = world({ answers: ['x'] });
    await passwordsToOpen(context, 'private key');
    assert.deepEqual(host.questions, ['Enter password for private key:']);
  });

  it('keeps bytes that are no text', async () => {
    const [password] = await passwordsToOpen(world({ stdin: Uint8Array.of(0xff, 0x00) }).context, 'private key');
    assert.deepEqual([...(password ?? [])], [0xff, 0x00]);
  });

  it('is read from standard input once and serves several keys', async () => {
    let reads = 0;
    const { context } = world({ stdin: 'x' });
    const counted = { ...context, readStdin: (max: number) => (reads++, context.readStdin(max)) };
    assert.deepEqual(texts(await passwordsToOpen(counted, 'private key')), ['x']);
    assert.deepEqual(texts(await passwordsToOpen(counted, 'private key')), ['x']);
    assert.equal(reads, 1);
  });

  it('is missing where nobody can be asked', async () => {
    await assert.rejects(passwordsToOpen(world({}).context, 'private key'), code('no-terminal'));
  });
});

describe('the password of a new key', () => {
  it('is asked for twice', async () => {
    const { context, host } = world({ answers: ['x', 'x'] });
    assert.equal(Buffer.from(await passwordToSet(context)).toString(), 'x');
    assert.deepEqual(host.questions, ['Enter password for private key:', 'Enter password for private key again:']);
  });

  it('is refused where the two differ', async () => {
    await assert.rejects(passwordToSet(world({ answers: ['x', 'y'] }).context), code('password-mismatch'));
  });

  it('comes from standard input without its newline', async () => {
    assert.equal(Buffer.from(await passwordToSet(world({ stdin: 'x\n' }).context)).toString(), 'x');
  });

  it('may be empty where the environment says so, and nowhere else', async () => {
    assert.equal((await passwordToSet(world({ env: { COSIGN_PASSWORD: '' } }).context)).byteLength, 0);
    await assert.rejects(passwordToSet(world({ stdin: '' }).context), code('no-terminal'));
  });
});
