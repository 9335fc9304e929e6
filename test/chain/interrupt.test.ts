// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestOf, type Descriptor } from '../../src/oci/index.ts';
import { until, type Ended, type Running } from './bulla.ts';
import { silence } from './hostile-registry.ts';
import type { FailureDocument } from './refusal.ts';
import { openFront, type Answer } from './registry-front.ts';
import { REPOSITORY } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Ctrl-C halfway: one line, 130, and nothing half-done is left; services end well.

const MIB = 1024 * 1024;

let setting: Setting;
let image: Descriptor;
before(async () => {
  setting = await openSetting();
  image = await setting.scene.image('hello', 'v1');
  mkdirSync(join(setting.machine.work, 'service'));
  writeFileSync(join(setting.machine.work, 'service', 'random'), randomBytes(3_000_000));
});
after(() => setting[Symbol.asyncDispose]());

/** Runs a command line until a request arrives that is not answered, then sends a signal. */
async function interrupted(args: readonly string[], fits: RegExp, signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
  let waiting = false;
  const answer: Answer = (incoming, outgoing, times) => {
    if (!fits.test(`${incoming.method} ${incoming.url}`)) return false;
    waiting = true;
    return silence(incoming, outgoing, times);
  };
  await using front = await openFront(setting.scene.origin, { answer });
  const running = setting.machine.start(args.map((word) => word.replace('HOST', front.host)));
  await until('the request that is not answered', () => waiting);
  running.child.kill(signal);
  return await running.ended;
}

describe('Ctrl-C in the middle of', () => {
  const digest = (): string => `HOST/${REPOSITORY}@${image.digest}`;
  const cases: readonly (readonly [what: string, args: () => readonly string[], fits: RegExp])[] = [
    ['a verify', () => ['verify', '--key', 'cosign.pub', digest()], /referrers/],
    ['a verify of several images', () => ['verify', '--key', 'cosign.pub', digest(), digest()], /\.sig$/],
    ['a sign, before anything is written', () => ['sign', '--key', 'plain.key', digest()], /^HEAD/],
    ['a sign, while a blob is sent', () => ['sign', '--key', 'plain.key', digest()], /^POST/],
    ['a sign, while the seal is written', () => ['sign', '--key', 'plain.key', '--format', 'both', digest()], /^PUT/],
    ['a pack', () => ['image', 'pack', 'service', `HOST/${REPOSITORY}:packed`], /^(?:PATCH|PUT)/],
    ['a tree', () => ['tree', digest()], /referrers/],
  ];
  for (const [what, args, fits] of cases) {
    test(`${what}: one line, 130, and nothing is left`, async () => {
      const { machine, scene } = setting;
      const files = machine.files();
      const plain = await interrupted(args(), fits);
      assert.deepEqual([plain.code, plain.stdout], [130, '']);
      assert.match(plain.stderr, /^(?:Pushing signature to: \S+\n)?Error: interrupted\n$/);
      const json = await interrupted(['--json', ...args()], fits);
      assert.equal(json.code, 130);
      assert.deepEqual((JSON.parse(json.stdout) as FailureDocument).error?.code, 'interrupted');
      const ended = await interrupted(args(), fits, 'SIGTERM');
      assert.equal(ended.code, 143);
      assert.match(ended.stderr, /^(?:Pushing signature to: \S+\n)?Error: terminated\n$/);
      assert.deepEqual(machine.files(), files);
      assert.deepEqual((await scene.repository().referrers(image.digest)).descriptors, []);
      assert.equal(await scene.repository().resolve('packed'), undefined);
    });
  }

  test('the wait for a password: one line, 130, and no key', async () => {
    const { machine } = setting;
    const files = readdirSync(machine.work);
    const running = machine.start(['generate-key-pair', '--output-key-prefix', 'new'], { stdin: { open: true } });
    await untilItWaits(running);
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    assert.deepEqual([code, stdout, stderr], [130, '', 'Error: interrupted\n']);
    assert.deepEqual(readdirSync(machine.work), files);
  });
});

describe('a service that is interrupted', () => {
  test('finishes what is under way, answers it, and ends with 0', async () => {
    const { machine } = setting;
    const ready = join(machine.work, 'ready.json');
    const running = machine.start([
      'registry',
      'serve',
      '--address',
      '127.0.0.1:0',
      '--data',
      'data',
      '--ready-file',
      'ready.json',
    ]);
    await until('the ready file', () => readdirSync(machine.work).includes('ready.json'));
    const { registry } = JSON.parse(readFileSync(ready, 'utf8')) as { registry: string };
    const content = randomBytes(8 * MIB);
    const url = new URL(`/v2/a/b/blobs/uploads/?digest=${digestOf(content)}`, registry);
    const headers = { 'content-length': content.length, 'content-type': 'application/octet-stream' };
    const push = request(url, { method: 'POST', headers });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      push.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
    await new Promise((resolve) => push.write(content.subarray(0, 4 * MIB), resolve));
    await until('the half upload', () => machine.files().some((line) => /^work\/data\/.* \d{7}$/.test(line)));
    running.child.kill('SIGINT');
    await until('the notice', () => running.stderr().includes('stopping'));
    push.end(content.subarray(4 * MIB));
    assert.equal(await answered, 201);
    const { code, stderr } = await running.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^serving \S+ from \S+\nstopping: requests under way are finished\n$/);
    assert.ok(!readdirSync(machine.work).includes('ready.json'));
  });

  test('leaves nothing of the quickstart, neither while it plays nor while it serves', async () => {
    const { machine } = setting;
    for (const [when, playing] of [
      [/start a registry/, true],
      [/Try it by hand/, false],
    ] as const) {
      const running = machine.start(['quickstart']);
      let stdout = '';
      running.child.stdout?.on('data', (text: string) => (stdout += text));
      await until(`${when}`, () => when.test(stdout));
      running.child.kill('SIGINT');
      const { code, stderr } = await running.ended;
      assert.deepEqual([code, stderr], playing ? [130, 'Error: interrupted\n'] : [0, stderr]);
      assert.match(stderr, playing ? /interrupted/ : /^\nserving on \S+ until Ctrl-C\n$/);
      assert.deepEqual(readdirSync(machine.temporary), []);
    }
  });
});

/** Waits until a process sleeps for a while: then it has read all that there is, and waits for more. */
async function untilItWaits(running: Running): Promise<void> {
  let asleep = 0;
  let last = '';
  await until('the wait for input', () => {
    // one that only waits for its turn is not asleep; user and system time, in ticks, stand still while it is
    const [, , state = '', ...numbers] = readFileSync(`/proc/${running.child.pid}/stat`, 'utf8').split(' ');
    const used = numbers.slice(10, 12).join(' ');
    asleep = state === 'S' && used === last && !used.startsWith('0 ') ? asleep + 1 : 0;
    last = used;
    return asleep > 30;
  });
}
