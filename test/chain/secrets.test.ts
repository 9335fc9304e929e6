// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encryptPrivateKey, generatePrivateKey } from '../../src/trust/index.ts';
import { runInProcess, type Ran, type World } from '../golden/in-process.ts';
import { until } from './bulla.ts';
import { silence, status } from './hostile-registry.ts';
import { openFront, type Answer } from './registry-front.ts';
import { REPOSITORY, TAG } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Nothing secret comes out: not in what is printed, however loudly, not in JSON, not in the command lines that others can see, and not
// where a registry gives it back.

const PASSWORD = 'correct-horse-battery';
const USER_PASSWORD = 'hunter2-staple';
const TOKEN = 'eyJhbGciOiJub25lIn0.hunter3.token';

let setting: Setting;
let encrypted: string;
before(async () => {
  setting = await openSetting();
  await setting.scene.image('hello', TAG);
  encrypted = await encryptPrivateKey(await generatePrivateKey('ecdsa-p256'), Buffer.from(PASSWORD));
  writeFileSync(join(setting.machine.work, 'cosign.key'), encrypted);
});
after(() => setting[Symbol.asyncDispose]());

/** All that must not be seen, in each form in which it might be. */
function secrets(): readonly string[] {
  const basic = Buffer.from(`robot:${USER_PASSWORD}`).toString('base64');
  const bodies = [encrypted, setting.keys.privateKey].flatMap((pem) => pem.split('\n'));
  const lines = bodies.filter((line) => line.length > 20 && !line.startsWith('-----'));
  return [PASSWORD, USER_PASSWORD, TOKEN, 'hunter3', basic, ...lines];
}

function assertSilent({ stdout, stderr }: Ran): void {
  for (const secret of secrets()) {
    assert.ok(!stdout.includes(secret) && !stderr.includes(secret), `${secret} is in:\n${stdout}\n${stderr}`);
  }
}

/** Runs a command line as it is, and as loudly as it can be. */
async function runLoudly(args: readonly string[], world: Partial<World> = {}): Promise<readonly Ran[]> {
  const { machine } = setting;
  const env = { ...machine.environment(), ...world.env };
  const quiet = { cwd: machine.work, ...world, env };
  const loud = { ...quiet, env: { ...env, BULLA_DEBUG: '1' } };
  return [await runInProcess(args, quiet), await runInProcess(['--json', '--verbose', ...args], loud)];
}

describe('what a key or its password is', () => {
  test('does not come out of commands that use it, whether they succeed or fail', async () => {
    const name = `${setting.front.host}/${REPOSITORY}:${TAG}`;
    const right = { COSIGN_PASSWORD: PASSWORD, SEAL_KEY: encrypted };
    const runs: readonly (readonly [code: number, args: readonly string[], world: Partial<World>])[] = [
      [0, ['sign', '--key', 'cosign.key', name], { env: right }],
      [0, ['sign', '--key', 'env://SEAL_KEY', name], { env: right }],
      [0, ['sign', '--key', 'cosign.key', name], { stdin: `${PASSWORD}\n` }],
      [0, ['public-key', '--key', 'env://SEAL_KEY'], { env: right }],
      [1, ['sign', '--key', 'cosign.key', name], { env: { COSIGN_PASSWORD: `${PASSWORD}!` } }],
      [1, ['sign', '--key', encrypted, name], { env: right }],
      [1, ['verify', '--key', 'plain.key', name], {}],
      [1, ['verify', '--key', 'env://SEAL_KEY', name], { env: right }],
      [1, ['verify', '--key', 'env://COSIGN_PASSWORD', name], { env: right }],
      [1, ['sign', '--key', 'env://COSIGN_PASSWORD', name], { env: right }],
      [1, ['sign', '--key', 'cosign.key', name, PASSWORD, '--no-such-flag'], { env: right }],
    ];
    for (const [code, args, world] of runs) {
      for (const run of await runLoudly(args, world)) {
        assert.equal(run.code, code, run.stderr);
        if (!args.includes(PASSWORD)) assertSilent(run);
      }
    }
  });

  test('does not stand on the command line of a process, and neither does a password that was piped in', async () => {
    let waiting = false;
    const answer: Answer = (request, response, times) => {
      waiting = true;
      return silence(request, response, times);
    };
    await using front = await openFront(setting.scene.origin, { answer });
    const args = ['sign', '--key', 'cosign.key', `${front.host}/${REPOSITORY}:${TAG}`];
    for (const options of [
      { env: { COSIGN_PASSWORD: PASSWORD } },
      { env: { BULLA_PASSWORD: PASSWORD } },
      { stdin: PASSWORD },
    ]) {
      waiting = false;
      const { child, ended } = setting.machine.start(args, options);
      await until('the request', () => waiting);
      const line = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
      assert.match(line, /sign\0--key\0cosign\.key/);
      for (const secret of secrets()) assert.ok(!line.includes(secret));
      child.kill('SIGTERM');
      await ended;
    }
  });
});

describe('credentials of a registry', () => {
  /** A registry that wants credentials, and tells everybody what it was shown. */
  function indiscreet(challenge: string): Answer {
    return (request: IncomingMessage, response) => {
      const shown = request.headers.authorization;
      const message = `you sent ${shown ?? 'nothing'}, that is ${decoded(shown)}`;
      const headers = {
        'www-authenticate': challenge,
        warning: `299 - "${message}"`,
        'content-type': 'application/json',
      };
      response.writeHead(shown === undefined ? 401 : 403, headers);
      response.end(JSON.stringify({ errors: [{ code: 'DENIED', message }] }));
      return true;
    };
  }

  function decoded(authorization: string | undefined): string {
    return Buffer.from(authorization?.replace(/^Basic /, '') ?? '', 'base64')
      .toString('latin1')
      .replaceAll(/[^ -~]/g, '?');
  }

  test('do not come out of an error, even where the registry repeats them', async () => {
    const basic = ['--registry-username', 'robot', '--registry-password', USER_PASSWORD];
    for (const [challenge, flags] of [
      ['Basic realm="x"', basic],
      ['Bearer realm="http://127.0.0.1:9/token"', ['--registry-token', TOKEN]],
    ] as const) {
      await using front = await openFront(setting.scene.origin, { answer: indiscreet(challenge) });
      const name = `${front.host}/${REPOSITORY}:${TAG}`;
      for (const args of [
        ['verify', '--key', 'cosign.pub'],
        ['sign', '--key', 'plain.key'],
        ['tree'],
        ['image', 'pack', '.'],
      ]) {
        const runs = await runLoudly([...args, ...flags, args[0] === 'image' ? `${name}-packed` : name]);
        for (const run of runs) {
          assert.ok(run.code === 1 || run.code === 2, run.stderr);
          assertSilent(run);
        }
      }
      assert.ok(front.requests.length > 0);
    }
  });

  test("do not come out of docker's files, a token server or a helper, which sees no secret on its command line", async () => {
    const { machine, scene } = setting;
    const seen = join(machine.home, 'seen');
    const tools = join(machine.home, 'tools');
    mkdirSync(join(machine.home, '.docker'), { recursive: true });
    mkdirSync(tools, { recursive: true });
    const helper = join(tools, 'docker-credential-chain');
    const answer = JSON.stringify({ ServerURL: 'x', Username: 'robot', Secret: USER_PASSWORD });
    writeFileSync(
      helper,
      `#!/bin/sh\ntr '\\0' ' ' </proc/$$/cmdline >>'${seen}'\ncat >>'${seen}'\nprintf '%s' '${answer}'\n`,
    );
    chmodSync(helper, 0o755);
    await using tokens = await openFront(scene.origin, {
      answer(request, response) {
        const isRobot = decoded(request.headers.authorization) === `robot:${USER_PASSWORD}`;
        response.writeHead(isRobot ? 200 : 401, { 'content-type': 'application/json' });
        response.end(JSON.stringify(isRobot ? { token: TOKEN } : { details: 'who are you?' }));
        return true;
      },
    });
    await using front = await openFront(scene.origin, {
      answer(request, response) {
        if (request.headers.authorization === `Bearer ${TOKEN}`) return false;
        const realm = `Bearer realm="http://${tokens.host}/token",service="chain",scope="repository:${REPOSITORY}:pull"`;
        return status(401, { 'www-authenticate': realm })(request, response, 1);
      },
    });
    const name = `${front.host}/${REPOSITORY}:${TAG}`;
    const config = join(machine.home, '.docker', 'config.json');
    const files = [
      { auths: { [front.host]: { auth: Buffer.from(`robot:${USER_PASSWORD}`).toString('base64') } } },
      { credHelpers: { [front.host]: 'chain' } },
    ];
    const env = { PATH: `${tools}${delimiter}${machine.environment()['PATH'] ?? ''}`, COSIGN_PASSWORD: PASSWORD };
    for (const file of files) {
      writeFileSync(config, JSON.stringify(file));
      for (const run of await runLoudly(['sign', '--key', 'cosign.key', name], { env })) {
        assert.equal(run.code, 0, run.stderr);
        assertSilent(run);
      }
    }
    const helped = readFileSync(seen, 'utf8');
    assert.ok(helped.includes(`docker-credential-chain get ${front.host}`), helped);
    for (const secret of secrets()) assert.ok(!helped.includes(secret), helped);
    writeFileSync(
      config,
      JSON.stringify({
        auths: { [front.host]: { auth: Buffer.from(`robot:${USER_PASSWORD}-wrong`).toString('base64') } },
      }),
    );
    for (const run of await runLoudly(['verify', '--key', 'cosign.pub', name], { env })) {
      assert.equal(run.code, 2, run.stderr);
      assertSilent(run);
    }
  });

  test('do not come out of an address that a registry sends us to', async () => {
    const location = `/elsewhere?X-Amz-Signature=${USER_PASSWORD}`;
    await using front = await openFront(setting.scene.origin, { answer: status(307, { location }) });
    for (const run of await runLoudly(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}:${TAG}`])) {
      assert.equal(run.code, 2);
      assertSilent(run);
    }
  });
});
