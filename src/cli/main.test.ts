// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const BULLA = join(import.meta.dirname, '../../bin/bulla');

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'bulla-main-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const environment = (): Record<string, string> => ({ PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home });

function shell(
  script: string,
  env: Record<string, string> = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', BULLA], {
    cwd: home,
    env: { ...environment(), ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, stdout, stderr };
}

function started(...args: string[]): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; stderr: string; stdout: string }>;
} {
  const child = spawn(BULLA, args, { cwd: home, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ code: number | null; stderr: string; stdout: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 1500, 'it did not happen');
    await sleep(20);
  }
}

/** Opens a pipe for writing if somebody has it open for reading. */
function openWhereRead(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

describe('the program', () => {
  it('runs from any folder, also by a link that is named cosign', () => {
    symlinkSync(BULLA, join(home, 'cosign'));
    const { code, stdout } = shell('./cosign version --json');
    assert.equal(code, 0);
    assert.match((JSON.parse(stdout) as { gitVersion: string }).gitVersion, /^v\d/);
  });

  it('says what is wrong in one line on stderr, and ends with 1', () => {
    const { code, stdout, stderr } = shell('"$1" nonsense');
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.equal(stderr, `Error: unknown command "nonsense" for "bulla"\nhint: run 'bulla help' for the list\n`);
  });

  it('is silent where the reader of its output is gone', () => {
    const { stdout, stderr } = shell('"$1" completion bash | true; echo "${PIPESTATUS[0]}"');
    assert.equal(stdout, '141\n');
    assert.equal(stderr, '');
  });

  it('fails where its output cannot be written', () => {
    const { code, stderr } = shell('"$1" version > /dev/full');
    assert.equal(code, 1);
    assert.equal(stderr, 'Error: cannot write to standard output: no space left on device\n');
  });

  it('runs without a standard error', () => {
    assert.equal(shell('"$1" generate-key-pair 2>&-', { COSIGN_PASSWORD: 'pw' }).code, 0);
  });

  it('writes all of a long output into a slow pipe', () => {
    const { stdout } = shell('"$1" completion bash | (sleep 0.3; tail -n 1)');
    assert.equal(stdout, 'complete -F _bulla bulla\n');
  });

  it('takes no colour into a pipe', () => {
    const { stderr } = shell('"$1" nonsense', { TERM: 'xterm-256color' });
    assert.doesNotMatch(stderr, /\u001b/);
  });

  it('shows a stack with BULLA_DEBUG=1', () => {
    assert.match(shell('"$1" nonsense', { BULLA_DEBUG: '1' }).stderr, /\n {4}at /);
  });
});

describe('keys by the program', () => {
  it('are made, and opened with what was piped in', () => {
    const { code, stdout, stderr } = shell(
      'printf pw | "$1" generate-key-pair && echo pw | "$1" public-key --key cosign.key | diff - cosign.pub && stat -c %a cosign.key',
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '600\n');
  });

  it('are read from a process substitution', () => {
    const { code, stdout } = shell(
      '"$1" generate-key-pair 2>/dev/null; "$1" public-key --key <(cat cosign.pub) | diff - cosign.pub && echo same',
      {
        COSIGN_PASSWORD: 'pw',
      },
    );
    assert.equal(code, 0);
    assert.equal(stdout, 'same\n');
  });

  it('are not replaced where nobody answers', () => {
    writeFileSync(join(home, 'cosign.key'), 'precious');
    const { code, stderr } = shell('"$1" generate-key-pair < /dev/null', { COSIGN_PASSWORD: 'pw' });
    assert.equal(code, 1);
    assert.match(stderr, /Error: user declined the prompt/);
    assert.equal(readFileSync(join(home, 'cosign.key'), 'utf8'), 'precious');
    assert.deepEqual(
      readdirSync(home).filter((name) => name.startsWith('cosign')),
      ['cosign.key'],
    );
  });

  it('may wait for a pipe, and Ctrl-C ends the wait with one line and 130', async () => {
    assert.equal(spawnSync('mkfifo', [join(home, 'pipe')]).status, 0);
    const { child, ended } = started('public-key', '--key', 'pipe');
    let writer: number | undefined;
    await until(() => (writer = openWhereRead(join(home, 'pipe'))) !== undefined);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    if (writer !== undefined) closeSync(writer);
    assert.equal(stdout, '');
    assert.equal(stderr, 'Error: interrupted\n');
    assert.equal(code, 130);
  });
});

describe('a service of the program', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`says where it serves by a file, and ends cleanly on ${signal}`, async () => {
      const ready = join(home, 'ready.json');
      writeFileSync(ready, 'of an earlier run');
      const { child, ended } = started(
        'registry',
        'serve',
        '--data',
        'data',
        '--address',
        '127.0.0.1:0',
        '--ready-file',
        'ready.json',
        '--json',
      );
      await until(() => existsSync(ready) && readFileSync(ready, 'utf8').startsWith('{'));
      const { registry } = JSON.parse(readFileSync(ready, 'utf8')) as { registry: string };
      assert.match(registry, /^http:\/\/127\.0\.0\.1:\d+$/);
      assert.equal((await fetch(`${registry}/v2/`)).status, 200);
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      assert.equal(code, 0);
      assert.deepEqual(JSON.parse(stdout), { registry, warnings: [] });
      assert.doesNotMatch(stderr, /Error/);
      assert.ok(!existsSync(ready), 'the file does not outlive what it tells of');
    });
  }

  for (const [what, args, text] of [
    ['without a folder', [], /^Error: --data is required/],
    [
      'on an address of the world without TLS and users',
      ['--data', 'data', '--address', '0.0.0.0:0'],
      /^Error: refusing to listen on 0\.0\.0\.0 without TLS/,
    ],
    ['on every address', ['--data', 'data', '--address', ':0'], /^Error: refusing to listen on :: without TLS/],
    ['on what is no address', ['--data', 'data', '--address', 'localhost'], /expected HOST:PORT/],
    ['on a port that cannot be', ['--data', 'data', '--address', 'localhost:70000'], /expected HOST:PORT/],
    ['with half a certificate', ['--data', 'data', '--tls-cert', 'x'], /belong together/],
    ['with a rule that is none', ['--data', 'data', '--write-once', 'x'], /^Error: /],
    ['without network', ['--data', 'data', '--no-network'], /^Error: --no-network/],
  ] as const) {
    it(`does not start ${what}`, async () => {
      const { code, stdout, stderr } = await started('registry', 'serve', '--ready-file', 'ready.json', ...args).ended;
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, text);
      assert.ok(!existsSync(join(home, 'ready.json')));
    });
  }
});
