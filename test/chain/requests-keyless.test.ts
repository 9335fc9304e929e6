// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Descriptor } from '../../src/oci/index.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { openSetting, type Setting } from './setting.ts';
import { startUp, stopWell, tokenOf, type ChainStack } from './stack.ts';

// What sealing with an identity asks of the services, each time and in this order; and that verifying asks none of them.

const SUBJECT = 'dev@example.com';

let setting: Setting;
let stack: ChainStack;
let services: RegistryFront;
before(async () => {
  setting = await openSetting();
  const { machine } = setting;
  stack = await startUp(machine);
  services = await openFront(stack.endpoints.registry);
  // the same services, as they are reached through the front
  const config = readFileSync(stack.endpoints.signingConfig, 'utf8');
  const counted = config.replaceAll(stack.endpoints.registry, `http://${services.host}`);
  writeFileSync(join(machine.work, 'services.json'), counted);
  writeFileSync(join(machine.work, 'token.jwt'), await tokenOf(machine, stack.data, SUBJECT));
  writeFileSync(join(machine.work, 'blob.txt'), 'hello blob\n');
});
after(async () => {
  await services[Symbol.asyncDispose]();
  await stopWell(stack);
  await setting[Symbol.asyncDispose]();
});

const trust = (): readonly string[] => ['--trusted-root', stack.endpoints.trustedRoot];
const who = (): readonly string[] => [
  '--certificate-identity',
  SUBJECT,
  '--certificate-oidc-issuer',
  stack.endpoints.issuer,
];

function sign(command: 'sign' | 'sign-blob', ...rest: readonly string[]): readonly string[] {
  const given = ['--signing-config', 'services.json', ...trust(), '--identity-token', 'token.jwt'];
  return [command, '--yes', ...given, ...rest];
}

/** What a front was asked: `METHOD /path` of services, `METHOD kind` of a registry. */
function asked(front: RegistryFront): readonly string[] {
  const kinds = /^\/v2\/.+?\/(manifests|referrers|blobs\/uploads|blobs)\//;
  return front.requests.map(({ method, path }) => `${method} ${kinds.exec(path)?.[1] ?? path}`);
}

async function sealed(content: string): Promise<Descriptor> {
  const image = await setting.scene.image(content);
  const run = await setting.bulla(sign('sign', setting.name(image)));
  assert.equal(run.code, 0, run.stderr);
  return image;
}

describe('sealing with an identity', () => {
  test('asks for a certificate, a timestamp and an entry, once each; and of the registry what a key does', async () => {
    const image = await setting.scene.image('keyless');
    services.forget();
    setting.front.forget();
    const run = await setting.bulla(sign('sign', setting.name(image)));
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(asked(services), [
      'POST /api/v2/signingCert',
      'POST /api/v1/timestamp',
      'POST /api/v2/log/entries',
    ]);
    assert.deepEqual(asked(setting.front).toSorted(), [
      'GET referrers',
      'HEAD manifests',
      'POST blobs/uploads',
      'POST blobs/uploads',
      'PUT manifests',
    ]);
  });

  test('writes no manifest of what the trusted root does not bear out: the blobs of a bundle are no seal', async () => {
    const image = await setting.scene.image('not borne out');
    const root = JSON.parse(readFileSync(stack.endpoints.trustedRoot, 'utf8')) as object;
    writeFileSync(join(setting.machine.work, 'no-logs.json'), JSON.stringify({ ...root, tlogs: [] }));
    setting.front.forget();
    const given = [
      '--signing-config',
      'services.json',
      '--trusted-root',
      'no-logs.json',
      '--identity-token',
      'token.jwt',
    ];
    const run = await setting.bulla(['sign', '--yes', ...given, setting.name(image)]);
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /does not verify and was not attached \(log-unknown/);
    assert.deepEqual(
      asked(setting.front).filter((request) => !['HEAD manifests', 'POST blobs/uploads'].includes(request)),
      [],
    );
  });

  test('asks for one certificate, whatever the number of images, and for the rest once an image', async () => {
    const images = [await setting.scene.image('one of two'), await setting.scene.image('two of two')];
    services.forget();
    const run = await setting.bulla(sign('sign', ...images.map((image) => setting.name(image))));
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(asked(services).toSorted(), [
      'POST /api/v1/timestamp',
      'POST /api/v1/timestamp',
      'POST /api/v2/log/entries',
      'POST /api/v2/log/entries',
      'POST /api/v2/signingCert',
    ]);
  });

  test('asks nothing but these of a file, and reaches nobody else', async () => {
    services.forget();
    const run = await setting.machine.bulla(sign('sign-blob', 'blob.txt'), { record: true });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(services.requests.length, 3);
    const reached = new Set((run.record?.sockets ?? []).filter((socket) => socket !== `connect ${services.host}`));
    assert.deepEqual([...reached], []);
  });
});

describe('verifying whose identity it was, with a trusted root', () => {
  test('asks the registry alone, and no more of it than for a key', async () => {
    const image = await sealed('to be verified');
    services.forget();
    setting.front.forget();
    const argv = ['verify', ...who(), ...trust(), '--use-signed-timestamps', setting.name(image)];
    const run = await setting.machine.bulla(argv, { record: true });
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(asked(setting.front), ['GET referrers', 'GET manifests', 'GET blobs']);
    assert.deepEqual(asked(services), []);
    const sockets = run.record?.sockets ?? [];
    assert.ok(sockets.length > 0);
    assert.deepEqual([...new Set(sockets)], [`connect ${setting.front.host}`]);
  });

  test('asks the registry alone where it refuses', async () => {
    const image = await sealed('to be refused');
    const other = ['--certificate-identity', 'other@example.com', '--certificate-oidc-issuer', stack.endpoints.issuer];
    services.forget();
    const run = await setting.machine.bulla(['verify', ...other, ...trust(), setting.name(image)], { record: true });
    assert.equal(run.code, 12, run.stderr);
    assert.deepEqual(asked(services), []);
    assert.deepEqual([...new Set(run.record?.sockets)], [`connect ${setting.front.host}`]);
  });

  test('opens no socket for a file, whether it is accepted or refused', async () => {
    const made = await setting.bulla(sign('sign-blob', 'blob.txt'));
    assert.equal(made.code, 0, made.stderr);
    for (const [argv, code] of [
      [['blob.txt'], 0],
      [['--use-signed-timestamps', 'blob.txt'], 0],
      [['--bundle', 'blob.txt.sigstore.json', 'cosign.pub'], 12],
    ] as const) {
      const run = await setting.machine.bulla(['verify-blob', ...who(), ...trust(), ...argv], { record: true });
      assert.equal(run.code, code, run.stderr);
      assert.deepEqual(run.record?.sockets, []);
    }
  });
});
