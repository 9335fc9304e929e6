// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { delimiter, dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { until, type Ended } from './bulla.ts';
import { silence } from './hostile-registry.ts';
import { openFront, type Answer, type RegistryFront } from './registry-front.ts';
import { REPOSITORY, TAG } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';
import { startUp, stopWell, tokenOf, type ChainStack } from './stack.ts';

// An identity token is a password until it expires. It comes out nowhere: not in what is printed, however loudly, not on the command lines of
// processes that are started, not in files, not where a service gives it back, and not in what the services themselves keep.

let setting: Setting;
let stack: ChainStack;
let front: RegistryFront;
let token: string;
before(async () => {
  setting = await openSetting();
  const { machine, scene } = setting;
  await scene.image('hello', TAG);
  stack = await startUp(machine, ['--verbose']);
  front = await openFront(stack.endpoints.registry);
  const config = readFileSync(stack.endpoints.signingConfig, 'utf8');
  writeFileSync(
    join(machine.work, 'services.json'),
    config.replaceAll(stack.endpoints.registry, `http://${front.host}`),
  );
  token = await tokenOf(machine, stack.data, 'dev@example.com');
  writeFileSync(join(machine.work, 'token.jwt'), `${token}\n`, { mode: 0o600 });
  writeFileSync(join(machine.work, 'blob.txt'), 'hello blob\n');
});
after(async () => {
  await front[Symbol.asyncDispose]();
  await stopWell(stack);
  await setting[Symbol.asyncDispose]();
});
beforeEach(() => {
  front.answer = () => false;
});

/** What must not be seen: the token, its claims and its signature; in base64 as well, as it might stand in a request. */
function secrets(): readonly string[] {
  const [, claims = '', signature = ''] = token.split('.');
  return [token, claims, signature, Buffer.from(token).toString('base64').slice(0, 60)];
}

function assertSilent(...texts: readonly string[]): void {
  for (const text of texts) for (const secret of secrets()) assert.ok(!text.includes(secret), text.slice(0, 2000));
}

/** Every file of the machine and of the stack on it, but the one in which the token was given. */
function assertUnwritten(): void {
  const root = dirname(setting.machine.work);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  let read = 0;
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === 'token.jwt') continue;
    const bytes = readFileSync(path);
    for (const secret of secrets()) assert.ok(!bytes.includes(secret), `the token is in ${path}`);
    read++;
  }
  assert.ok(read > 20, `${read} files`);
}

const FROM_FILE = ['--identity-token', 'token.jwt'];

function words(command: 'sign' | 'sign-blob', ...more: readonly string[]): readonly string[] {
  const trust = ['--signing-config', 'services.json', '--trusted-root', stack.endpoints.trustedRoot];
  const what = command === 'sign' ? `${setting.front.host}/${REPOSITORY}:${TAG}` : 'blob.txt';
  return [command, '--yes', ...trust, ...more, what];
}

/** Runs a command line as it is, and as loudly as it can be. */
async function runLoudly(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly Ended[]> {
  const quiet = await setting.machine.bulla(args, { env });
  return [quiet, await setting.machine.bulla(['--json', '--verbose', ...args], { env: { ...env, BULLA_DEBUG: '1' } })];
}

describe('the identity token', () => {
  for (const [what, flags, env] of [
    ['in a file', () => FROM_FILE, () => ({})],
    ['in a variable', () => [], () => ({ SIGSTORE_ID_TOKEN: token })],
    ['on the command line', () => ['--identity-token', token], () => ({})],
  ] as const)
    test(`that was given ${what} shows in no output, and is written nowhere`, async () => {
      for (const command of ['sign', 'sign-blob'] as const)
        for (const run of await runLoudly(words(command, ...flags()), env())) {
          assert.equal(run.code, 0, run.stderr);
          assertSilent(run.stdout, run.stderr);
        }
      assertUnwritten();
    });

  test('shows in no error, whatever is wrong with it', async () => {
    const [head = '', claims = '', signature = ''] = token.split('.');
    for (const bad of [
      `${head}.${claims}`,
      `${head}.${claims}.`,
      `${head}.${claims}.${signature}.${signature}`,
      ` ${token} x`,
    ]) {
      writeFileSync(join(setting.machine.work, 'bad.jwt'), bad);
      for (const run of [
        ...(await runLoudly(words('sign-blob'), { SIGSTORE_ID_TOKEN: bad })),
        ...(await runLoudly(words('sign-blob', '--identity-token', 'bad.jwt'))),
        ...(await runLoudly(words('sign-blob', '--identity-token', bad))),
      ]) {
        assert.equal(run.code, 1, run.stderr);
        assertSilent(run.stdout, run.stderr);
      }
    }
    rmSync(join(setting.machine.work, 'bad.jwt'));
    for (const run of await runLoudly(['sign', '--identity-token', token, '--no-such-flag', 'x']))
      assertSilent(run.stdout, run.stderr);
    for (const run of await runLoudly(['env'], { SIGSTORE_ID_TOKEN: token })) {
      assert.equal(run.code, 0);
      assertSilent(run.stdout, run.stderr);
    }
  });

  test('shows in no error of a service that repeats what it was sent', async () => {
    for (const status of [400, 401, 403, 500]) {
      let repeated = 0;
      front.answer = indiscreet(status, () => repeated++);
      for (const command of ['sign', 'sign-blob'] as const)
        for (const run of await runLoudly(words(command, ...FROM_FILE))) {
          assert.ok(run.code === 1 || run.code === 2, run.stderr);
          assert.match(run.stderr, /^Error: /m);
          assertSilent(run.stdout, run.stderr);
        }
      assert.ok(repeated > 0, 'the service was asked');
    }
    assertUnwritten();
  });

  test('is sent nowhere else, where a service sends us away', async () => {
    let elsewhere = '';
    await using other = await openFront(stack.endpoints.registry, {
      answer(request, response) {
        elsewhere += JSON.stringify(request.headers);
        request.on('data', (chunk: Buffer) => (elsewhere += chunk.toString()));
        response.writeHead(404).end();
        return true;
      },
    });
    for (const status of [302, 307, 308]) {
      front.answer = (_request, response) => {
        response.writeHead(status, { location: `http://${other.host}/?${token}` }).end();
        return true;
      };
      for (const run of await runLoudly(words('sign-blob', ...FROM_FILE))) {
        assert.ok(run.code === 1 || run.code === 2, run.stderr);
        assertSilent(run.stdout, run.stderr);
      }
    }
    assertSilent(elsewhere);
  });

  test('stands on no command line while it is used: neither on ours nor on that of a helper', async () => {
    const { machine } = setting;
    const tools = join(machine.home, 'tools');
    const seen = join(machine.home, 'seen');
    mkdirSync(tools, { recursive: true });
    mkdirSync(join(machine.home, '.docker'), { recursive: true });
    writeFileSync(
      join(tools, 'docker-credential-chain'),
      `#!/bin/sh\ntr '\\0' ' ' </proc/$$/cmdline >>'${seen}'\ncat >>'${seen}'\nprintf '%s' '{"Username":"robot","Secret":"x"}'\n`,
    );
    chmodSync(join(tools, 'docker-credential-chain'), 0o755);
    const credHelpers = { [setting.front.host]: 'chain' };
    writeFileSync(join(machine.home, '.docker', 'config.json'), JSON.stringify({ credHelpers }));
    const env = { SIGSTORE_ID_TOKEN: token, PATH: `${tools}${delimiter}${machine.environment()['PATH'] ?? ''}` };
    let waiting = false;
    front.answer = (request, response, times) => {
      waiting = true;
      return silence(request, response, times);
    };
    for (const flags of [[], FROM_FILE]) {
      waiting = false;
      const { child, ended } = machine.start(words('sign', ...flags), { env });
      await until('the request', () => waiting);
      const lines = descendants(child.pid ?? 0).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      assert.ok(lines.some((line) => line.includes('--signing-config')));
      assertSilent(...lines);
      child.kill('SIGTERM');
      await ended;
    }
    front.answer = () => false;
    setting.front.answer = (request: IncomingMessage, response) => {
      if (request.headers.authorization !== undefined) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    const signed = await machine.bulla(words('sign'), { env });
    setting.front.answer = () => false;
    assert.equal(signed.code, 0, signed.stderr);
    const helped = readFileSync(seen, 'utf8');
    assert.match(helped, /docker-credential-chain get/);
    assertSilent(helped, signed.stdout, signed.stderr);
    rmSync(join(machine.home, '.docker'), { recursive: true });
  });

  test('is in nothing that the stack prints of each request, and in no file of it', async () => {
    assert.match(stack.running.stderr(), /signingCert/);
    assertSilent(stack.running.stderr());
    assertUnwritten();
  });
});

/** A service that tells everybody what it was sent, in every place where it may say something. */
function indiscreet(status: number, asked: () => void): Answer {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked();
      const sent = Buffer.concat(chunks).toString();
      const message = `you sent ${request.headers.authorization ?? 'nothing'} and ${sent}; the token ${token} is bad`;
      const body = JSON.stringify({
        code: 3,
        message,
        error: message,
        detail: [token],
        errors: [{ code: 'DENIED', message }],
      });
      response.writeHead(status, { 'content-type': 'application/json', warning: `299 - "${token}"` }).end(body);
    });
    return true;
  };
}

/** A process and those that it has started, and so on. */
function descendants(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [, parent] = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
      parents.set(Number(name), Number(parent));
    } catch {
      // it has ended meanwhile
    }
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}
