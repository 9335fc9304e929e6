// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { signImage } from '../../src/image/index.ts';
import { openLayout, type Descriptor } from '../../src/oci/index.ts';
import { BULLA } from './bulla.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { REPOSITORY, TAG, writeImage } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Offline is a promise: which sockets are opened is recorded inside the process, and where strace is at hand outside of it too.

let setting: Setting;
let image: Descriptor;
before(async () => {
  setting = await openSetting();
  const { machine, scene, keys } = setting;
  image = await scene.image('hello', TAG);
  await scene.seal(image, keys.signer);
  const layout = await openLayout(join(machine.work, 'saved'), { create: true });
  const saved = await writeImage(layout, 'hello', 'v1');
  await signImage(layout, saved.digest, { signer: keys.signer, now: new Date(), formats: ['bundle', 'legacy'] });
  const single = await openLayout(join(machine.work, 'single'), { create: true });
  await signImage(single, (await writeImage(single, 'hello')).digest, { signer: keys.signer, now: new Date() });
  mkdirSync(join(machine.work, 'service'));
  writeFileSync(join(machine.work, 'service', 'index.html'), 'hello');
});
after(() => setting[Symbol.asyncDispose]());

const VERIFY = ['verify', '--key', 'cosign.pub'];
const SIGN = ['sign', '--key', 'plain.key'];

describe('--no-network', () => {
  test('refuses what is in a registry with one line, and opens no socket', async () => {
    const { machine, front, bulla } = setting;
    const name = `${front.host}/${REPOSITORY}:${TAG}`;
    front.forget();
    const cases: readonly (readonly string[])[] = [
      [...VERIFY, name],
      [...VERIFY, '--offline', setting.name(image)],
      [...SIGN, name],
      ['tree', name],
      ['triangulate', name],
      ['image', 'pack', 'service', name],
    ];
    for (const args of cases) {
      const says = new RegExp(`^Error: --no-network: ${front.host}/${REPOSITORY}\\S* is in a registry$`);
      const run = await machine.bulla(['--no-network', ...args], { record: true });
      assertRefused(run, { code: 1, says });
      assert.deepEqual(run.record?.sockets, []);
      const { error } = assertRefusedJson(await bulla(['--no-network', '--json', ...args]), { code: 1, says });
      assert.equal(error?.code, 'network-forbidden');
    }
    assert.deepEqual(front.requests, []);
  });

  test('refuses to serve', async () => {
    for (const args of [
      ['registry', 'serve', '--data', 'data'],
      ['quickstart', '--exit'],
    ]) {
      const run = await setting.machine.bulla(['--no-network', ...args], { record: true });
      assertRefused(run, { code: 1, says: /^Error: --no-network: / });
      assert.deepEqual(run.record?.sockets, []);
    }
  });

  test('refuses seals that lie in a registry, also where the image is in a layout', async () => {
    const env = { COSIGN_REPOSITORY: `${setting.front.host}/seals` };
    for (const command of [VERIFY, SIGN]) {
      const run = await setting.bulla([...command, '--no-network', 'oci-layout:saved:v1'], env);
      assertRefused(run, { code: 1, says: /^Error: --no-network: .*\/seals is in a registry$/ });
    }
  });

  test('lets a layout be packed, sealed and verified', async () => {
    const run = async (...args: string[]): Promise<void> => {
      const { code, stderr, record } = await setting.machine.bulla(['--no-network', ...args], { record: true });
      assert.equal(code, 0, stderr);
      assert.deepEqual(record?.sockets, []);
    };
    await run('image', 'pack', 'service', 'oci-layout:packed:v1');
    await run(...SIGN, 'oci-layout:packed:v1');
    await run(...VERIFY, 'oci-layout:packed:v1');
    await run('tree', 'oci-layout:packed:v1');
    await run(...VERIFY, '--local-image', 'single');
  });
});

describe('without --no-network, too,', () => {
  const local: readonly (readonly string[])[] = [
    [...VERIFY, 'oci-layout:saved:v1'],
    [...VERIFY, '--all', 'oci-layout:saved:v1'],
    [...VERIFY, '--local-image', 'single'],
    [...SIGN, '--upload=false', 'oci-layout:saved:v1'],
    ['tree', 'oci-layout:saved:v1'],
    ['triangulate', 'oci-layout:saved:v1'],
    ['public-key', '--key', 'plain.key'],
    ['version'],
    ['help'],
    ['completion', 'bash'],
  ];
  for (const args of local) {
    test(`no socket is opened by: ${args.join(' ')}`, async () => {
      const { code, stderr, record } = await setting.machine.bulla(args, { record: true });
      assert.equal(code, 0, stderr);
      assert.deepEqual(record?.sockets, []);
    });
  }

  test('a verify and a sign by key connect to the registry and to nobody else', async () => {
    const [host, port] = setting.front.host.split(':');
    for (const args of [VERIFY, [...VERIFY, '--offline'], [...VERIFY, '--all'], SIGN, [...SIGN, '--format', 'both']]) {
      const { code, stderr, record } = await setting.machine.bulla([...args, setting.name(image)], { record: true });
      assert.equal(code, 0, stderr);
      const sockets = record?.sockets ?? [];
      assert.ok(sockets.length > 0);
      for (const socket of sockets) assert.equal(socket, `connect ${host}:${port}`);
    }
  });

  const strace = spawnSync('strace', ['-V']).status === 0;
  test(
    'the kernel sees no socket of a verify of a layout',
    { skip: strace ? false : 'strace is not here' },
    async () => {
      const { machine } = setting;
      const trace = join(machine.temporary, 'trace');
      const options = ['-f', '-qq', '-e', 'trace=%network', '-o', trace];
      const traced = async (...args: string[]): Promise<string> => {
        const { code, stderr } = await machine.spawn('strace', [...options, BULLA, ...args]).ended;
        assert.equal(code, 0, stderr);
        return readFileSync(trace, 'utf8');
      };
      for (const args of [['oci-layout:saved:v1'], ['--no-network', '--local-image', 'single']]) {
        assert.doesNotMatch(await traced(...VERIFY, ...args), /AF_INET|connect\(|sendto\(/);
      }
      assert.match(await traced(...VERIFY, setting.name(image)), /connect\(.*AF_INET/, 'it would have seen one');
    },
  );
});
