// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runInProcess } from '../golden/in-process.ts';
import { Machine } from './bulla.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { newKeys, openScene, REPOSITORY, TAG, type Scene } from './scene.ts';

// A flag that cannot be meant is refused with 1 before anything is asked or written.

let machine: Machine;
let scene: Scene;
let front: RegistryFront;
let image: string;
before(async () => {
  machine = new Machine();
  scene = await openScene();
  front = await openFront(scene.origin);
  await scene.image('hello', TAG);
  image = `${front.host}/${REPOSITORY}:${TAG}`;
  const { publicKey, privateKey } = await newKeys();
  writeFileSync(join(machine.work, 'cosign.pub'), publicKey);
  writeFileSync(join(machine.work, 'plain.key'), privateKey);
  mkdirSync(join(machine.work, 'folder'));
});
after(async () => {
  await front[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

const VERIFY = ['verify', '--key', 'cosign.pub'];
const SIGN = ['sign', '--key', 'plain.key'];

async function refuses(args: readonly string[], says: RegExp, env: Record<string, string> = {}): Promise<void> {
  front.forget();
  const files = machine.files();
  const world = { cwd: machine.work, env: { ...machine.environment(), ...env } };
  const plain = await runInProcess(args, world);
  assertRefused(plain, { code: 1, says });
  const json = await runInProcess([...args, '--json'], world);
  assertRefusedJson(json, { code: 1, says });
  assert.doesNotMatch(plain.stderr + json.stdout + json.stderr, /hunter2/);
  assert.deepEqual(front.requests, []);
  assert.deepEqual(machine.files(), files);
}

describe('a flag that cannot be meant is refused before anything is asked or written', () => {
  const cases: readonly (readonly [what: string, args: readonly string[], says: RegExp])[] = [
    ['an annotation without a value', ['-a', 'key'], /--annotations 'key' is not KEY=VALUE$/],
    ['an annotation without a key', ['-a', '=value'], /--annotations '=value' is not KEY=VALUE$/],
    ['an annotation of two lines', ['-a', 'a\nError: fake'], /--annotations 'a\\nError: fake' is not KEY=VALUE$/],
    ['an annotation with an open quote', ['-a', '"a=b'], /invalid argument ""a=b" for "-a, --annotations" flag/],
    ['a duration that is none', ['--timeout', 'soon'], /invalid argument "soon" for "-?-?t?,? ?--timeout" flag/],
    ['a duration into the past', ['--timeout=-1s'], /invalid argument "-1s" for .*--timeout" flag/],
    [
      'a misspelt flag with a secret',
      ['--registry-pasword=hunter2'],
      /unknown flag: --registry-pasword \(did you mean --registry-password\?\)$/,
    ],
    [
      'half of credentials',
      ['--registry-password', 'hunter2'],
      /--registry-username and --registry-password belong together/,
    ],
    [
      'credentials of two kinds',
      ['--registry-token', 'hunter2', '--registry-username', 'x'],
      /--registry-token stands alone/,
    ],
    [
      'a prefix that no tag begins with',
      ['--attachment-tag-prefix', 'a b/'],
      /invalid argument "a b\/" for "--attachment-tag-prefix"/,
    ],
    ['a prefix that leaves no room', ['--attachment-tag-prefix', 'x'.repeat(60)], /for "--attachment-tag-prefix" flag/],
    [
      'a tag where a digest is required',
      ['--require-digest'],
      /:2026\.04\.09 is named by a tag, and --require-digest asks/,
    ],
    ['a boolean that is none', ['--require-digest=maybe'], /expected true or false$/],
  ];
  for (const [what, args, says] of cases) {
    test(what, async () => {
      await refuses([...VERIFY, ...args, image], says);
      await refuses([...SIGN, ...args, image], says);
    });
  }

  test('no image', async () => {
    for (const command of [VERIFY, SIGN, ['tree'], ['triangulate']]) {
      await refuses(command, /requires at least 1 arg\(s\), only received 0: image is missing$/);
    }
  });

  test('only of verify', async () => {
    await refuses([...VERIFY, '--max-workers', '0', image], /expected a whole number from 1 to/);
    await refuses([...VERIFY, '--certificate-identity', 'x', image], /exactly one of: key reference/);
    await refuses(['verify', '--certificate-identity', 'x', image], /--certificate-oidc-issuer or/);
    await refuses(['triangulate', '--type', 'x', image], /expected one of signature, attestation, sbom, digest$/);
  });

  test('only of sign: a file that cannot be written is known before the seal is in the registry', async () => {
    await refuses([...SIGN, '--format', 'x', image], /expected one of bundle, legacy, both$/);
    await refuses([...SIGN, image], /SOURCE_DATE_EPOCH is 'yesterday'/, { SOURCE_DATE_EPOCH: 'yesterday' });
    await refuses([...SIGN, '--format', 'legacy', '--bundle', 'b.json', image], /--bundle asks for a bundle/);
    await refuses([...SIGN, '--bundle', 'b.json', image, image], /--bundle names one file, and 2 images/);
    for (const flag of ['--bundle', '--output-signature', '--output-payload']) {
      await refuses([...SIGN, flag, 'nowhere/x', image], /cannot write nowhere\/x: no such file or directory$/);
      await refuses([...SIGN, flag, 'folder', image], /cannot write folder: is a directory$/);
    }
    assert.deepEqual((await scene.repository().referrers((await scene.image('hello')).digest)).descriptors, []);
  });
});
