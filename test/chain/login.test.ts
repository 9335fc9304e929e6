// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import bcrypt from 'bcryptjs';
import { runCommandLine, type Host } from '../../src/cli/index.ts';
import type { Ran } from '../golden/in-process.ts';
import { Browser } from './browser.ts';
import { Machine, until, type Ended, type Running } from './bulla.ts';
import { onMachine, startUp, stopWell, type ChainStack } from './stack.ts';

// Who one is, from the stack's own issuer: a person with a browser, one with another machine, and a program with a secret.

const PASSWORD = 'open-sesame-4711';
const SECRET = randomBytes(24).toString('base64url');
const ALICE = { username: 'alice', password: PASSWORD };

let machine: Machine;
let stack: ChainStack;
before(async () => {
  machine = new Machine();
  const accounts = {
    users: { alice: { email: 'alice@example.com', password: bcrypt.hashSync(PASSWORD, 4).replace(/^\$2[ab]/, '$2y') } },
    workloads: {
      nightly: {
        subject: 'https://ci.example/nightly',
        token: `sha256:${createHash('sha256').update(SECRET).digest('hex')}`,
      },
    },
  };
  writeFileSync(join(machine.work, 'accounts.yaml'), JSON.stringify(accounts));
  writeFileSync(join(machine.work, 'secret'), `${SECRET}\n`, { mode: 0o600 });
  writeFileSync(join(machine.work, 'blob.txt'), 'hello blob\n');
  stack = await startUp(machine, ['--accounts', 'accounts.yaml']);
});
after(async () => {
  await stopWell(stack);
  machine[Symbol.dispose]();
});

const kept = (): string => join(machine.home, '.config', 'bulla', 'login.json');
beforeEach(() => rmSync(kept(), { force: true }));

/** The token that a login has kept, which shows nowhere else. */
function keptToken(ran: Ended | Ran): string {
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(statSync(kept()).mode & 0o777, 0o600);
  const { token } = JSON.parse(readFileSync(kept(), 'utf8')) as { readonly token: string };
  for (const secret of [...token.split('.').slice(1), PASSWORD, SECRET])
    assert.ok(!`${ran.stdout}${ran.stderr}`.includes(secret), 'a secret shows');
  return token;
}

function login(...flags: readonly string[]): readonly string[] {
  return ['login', '--verbose', '--oidc-issuer', stack.endpoints.issuer, ...flags];
}

/** The address that a login asks a person to open. */
async function addressIn(running: Running): Promise<string> {
  await until('the address', () => /^http\S+$/m.test(running.stderr()) || running.child.exitCode !== null);
  return /^http\S+$/m.exec(running.stderr())?.[0] ?? assert.fail(running.stderr());
}

/** Seals a blob with the login that is kept, and demands whose seal it is. */
async function sealsAs(subject: string, ...flags: readonly string[]): Promise<void> {
  const { trustedRoot, signingConfig, issuer } = stack.endpoints;
  const trust = ['--trusted-root', trustedRoot];
  const sign = ['sign-blob', '--yes', '--signing-config', signingConfig, ...trust, ...flags, 'blob.txt'];
  const signed = await onMachine(machine, sign);
  assert.equal(signed.code, 0, signed.stderr);
  const who = ['--certificate-identity', subject, '--certificate-oidc-issuer', issuer];
  const verified = await onMachine(machine, ['--no-network', 'verify-blob', ...who, ...trust, 'blob.txt']);
  assert.equal(verified.code, 0, verified.stderr);
}

describe('bulla login', () => {
  test('by a code that a person confirms on another machine; sign then needs nothing more', async () => {
    const running = machine.start(login('--fulcio-auth-flow', 'device', '--json'));
    const address = await addressIn(running);
    const [, code = ''] = /confirm the code (\S+) \(valid for \d+ seconds\)/.exec(running.stderr()) ?? [];
    const browser = await new Browser().open(address);
    await browser.submit({ user_code: code, ...ALICE });
    await browser.submit({ decision: 'approve' });
    const ran = await running.ended;
    keptToken(ran);
    const { expiresAt, keptIn, ...document } = JSON.parse(ran.stdout) as Readonly<Record<string, string>>;
    assert.deepEqual(document, {
      subject: 'alice@example.com',
      email: 'alice@example.com',
      issuer: stack.endpoints.issuer,
      flow: 'device',
      warnings: [],
    });
    assert.equal(keptIn, kept());
    assert.ok(Date.parse(expiresAt ?? '') > Date.now());
    await sealsAs('alice@example.com');
  });

  test('by a code that a person does not approve ends, and keeps nothing', async () => {
    const running = machine.start(login('--fulcio-auth-flow', 'device'));
    const browser = await new Browser().open(await addressIn(running));
    const [, code = ''] = /confirm the code (\S+)/.exec(running.stderr()) ?? [];
    await browser.submit({ user_code: code, ...ALICE });
    await browser.submit({ decision: 'deny' });
    const { code: exit, stderr } = await running.ended;
    assert.equal(exit, 1, stderr);
    assert.match(stderr, /^Error: /m);
    assert.throws(() => statSync(kept()));
  });

  test('in a browser that the person opens, where there is none to be opened', async () => {
    const running = machine.start(login('--fulcio-auth-flow', 'normal'));
    const browser = await new Browser().open(await addressIn(running));
    await browser.submit({ ...ALICE, decision: 'allow' });
    const ran = await running.ended;
    keptToken(ran);
    assert.match(ran.stderr, /^Open this address in a browser on this machine:$/m);
    assert.match(ran.stderr, /^Logged in as alice@example\.com \(http:\/\/127\.0\.0\.1:\d+\) until 20/m);
    await sealsAs('alice@example.com');
  });

  test('in a browser that is opened, and is told no token', async () => {
    const tools = join(machine.home, 'tools');
    const opened = join(machine.home, 'opened');
    mkdirSync(tools, { recursive: true });
    // what the desktop would start: it notes its command line, as everybody can see it
    writeFileSync(
      join(tools, 'xdg-open'),
      `#!/bin/sh\ntr '\\0' '\\n' </proc/$$/cmdline >'${opened}.new'\nmv '${opened}.new' '${opened}'\n`,
    );
    chmodSync(join(tools, 'xdg-open'), 0o755);
    const env = {
      ...machine.environment(),
      DISPLAY: ':0',
      PATH: `${tools}${delimiter}${machine.environment()['PATH'] ?? ''}`,
    };
    const ran = atTerminal(login(), env);
    await until('the browser', () => {
      try {
        return readFileSync(opened, 'utf8') !== '';
      } catch {
        return false;
      }
    });
    const words = readFileSync(opened, 'utf8').split('\n');
    const address = words.find((word) => word.startsWith('http')) ?? assert.fail(words.join(' '));
    const browser = await new Browser().open(address);
    await browser.submit({ ...ALICE, decision: 'allow' });
    const token = keptToken(await ran);
    for (const part of token.split('.').slice(1)) assert.ok(!words.join(' ').includes(part));
    assert.match((await ran).stderr, /^Your browser opens this address; open it yourself if it does not:$/m);
  });

  test('of a program, by the secret of its client, which no file or line gives away', async () => {
    const flags = ['--oidc-client-id', 'nightly', '--oidc-client-secret-file', 'secret'];
    const ran = await machine.bulla(login('--fulcio-auth-flow', 'client_credentials', ...flags));
    keptToken(ran);
    assert.match(ran.stderr, /^Logged in as https:\/\/ci\.example\/nightly /m);
    await sealsAs('https://ci.example/nightly', '--oidc-client-id', 'nightly');
    assert.ok(!readFileSync(kept(), 'utf8').includes(SECRET));
  });

  test('with a wrong secret, another client or an issuer that is none keeps nothing', async () => {
    writeFileSync(join(machine.work, 'wrong'), 'wrong');
    const program = ['--fulcio-auth-flow', 'client_credentials', '--oidc-client-id', 'nightly'];
    for (const argv of [
      login(...program, '--oidc-client-secret-file', 'wrong'),
      login(...program),
      login(...program, '--oidc-client-secret-file', 'missing'),
      login(
        '--fulcio-auth-flow',
        'client_credentials',
        '--oidc-client-id',
        'nobody',
        '--oidc-client-secret-file',
        'secret',
      ),
      [
        'login',
        '--oidc-issuer',
        `${stack.endpoints.issuer}/nothing`,
        ...program,
        '--oidc-client-secret-file',
        'secret',
      ],
      ['login', '--oidc-issuer', 'http://192.0.2.1', ...program, '--oidc-client-secret-file', 'secret'],
      ['--no-network', ...login(...program, '--oidc-client-secret-file', 'secret')],
      ['login'],
    ]) {
      const ran = await machine.bulla(argv, { record: true });
      assert.equal(ran.code, 1, `${argv.join(' ')}: ${ran.stderr}`);
      assert.match(ran.stderr, /^Error: /m);
      assert.ok(!ran.stderr.includes(SECRET));
      for (const socket of ran.record?.sockets ?? []) assert.match(socket, /127\.0\.0\.1/);
      assert.throws(() => statSync(kept()));
    }
  });

  test('that Ctrl-C ends keeps nothing', async () => {
    const running = machine.start(login('--fulcio-auth-flow', 'device'));
    await addressIn(running);
    running.child.kill('SIGINT');
    assert.equal((await running.ended).code, 130);
    assert.throws(() => statSync(kept()));
  });
});

/** Carries out a command line in this process, as at a terminal with a screen beside it. */
async function atTerminal(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const ran = { stdout: '', stderr: '' };
  const host: Host = {
    program: 'bulla',
    env,
    cwd: () => machine.work,
    now: () => new Date(),
    writeOut: (text) => void (ran.stdout += text),
    writeErr: (text) => void (ran.stderr += text),
    isTerminal: () => true,
    canPrompt: () => true,
    readStdin: () => Promise.resolve(new Uint8Array()),
    askHidden: () => Promise.reject(new Error('nothing is to be asked')),
    askYesNo: () => Promise.reject(new Error('nothing is to be asked')),
    onSignal: () => () => undefined,
    onHangUp: () => () => undefined,
    forbidNetwork: () => () => undefined,
  };
  return { code: await runCommandLine([...argv, '--no-color'], host), ...ran };
}
