// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encryptPrivateKey, generatePrivateKey } from '../../src/trust/index.ts';
import { BULLA } from './bulla.ts';
import { assertRefused, assertRefusedJson, rejections } from './refusal.ts';
import { newKeys, type KeyPair } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Keys that overlap while they rotate, keys out of variables, and a password by each of its ways, through the whole chain.

let setting: Setting;
let rotated: KeyPair;
before(async () => {
  setting = await openSetting();
  rotated = await newKeys();
  writeFileSync(join(setting.machine.work, 'new.pub'), rotated.publicKey);
});
after(() => setting[Symbol.asyncDispose]());

/** Who signed the seals that were accepted, by the hint of the key. */
function signers(stdout: string): readonly string[] {
  const { images } = JSON.parse(stdout) as { images: [{ seals: { signer: { hint: string } }[] }] };
  return images[0].seals.map(({ signer }) => signer.hint);
}

describe('--key given several times', () => {
  test('accepts what any of the keys signed, and says which it was', async () => {
    const { scene, keys, verify } = setting;
    const old = await scene.image('sealed with the old key');
    await scene.seal(old, keys.signer);
    const young = await scene.image('sealed with the new key');
    await scene.seal(young, rotated.signer, { formats: ['legacy'] });
    for (const [image, signer] of [
      [old, keys.signer],
      [young, rotated.signer],
    ] as const) {
      for (const order of [
        ['--key', 'new.pub'],
        ['--key', 'new.pub', '--key', 'new.pub'],
      ]) {
        const { code, stdout, stderr } = await verify(image, ...order, '--json');
        assert.equal(code, 0, stderr);
        assert.deepEqual(signers(stdout), [signer.publicKey.hint]);
      }
    }
    assertRefused(await verify(young), { code: 12, says: /one seal was found, and it is not accepted$/ });
  });

  test('refuses what none of them signed', async () => {
    const { scene, verify } = setting;
    const image = await scene.image('sealed by a stranger');
    await scene.seal(image, (await newKeys()).signer);
    const refused = assertRefusedJson(await verify(image, '--key', 'new.pub', '--json'), { code: 12, says: /./ });
    assert.deepEqual(rejections(refused), ['signature-invalid']);
  });
});

describe('env://NAME', () => {
  test('holds the key that seals, and the one that is expected', async () => {
    const { machine, scene, name, keys } = setting;
    const image = await scene.image('by variables');
    const env = { SEAL_KEY: keys.privateKey, SEAL_PUB: keys.publicKey };
    const sealed = await machine.bulla(['sign', '--key', 'env://SEAL_KEY', name(image)], { env });
    assert.equal(sealed.code, 0, sealed.stderr);
    assert.equal((await machine.bulla(['verify', '--key', 'env://SEAL_PUB', name(image)], { env })).code, 0);
    assert.equal(
      (await machine.bulla(['verify', '--key', 'new.pub', '--key', 'env://SEAL_PUB', name(image)], { env })).code,
      0,
    );
  });
});

describe('an encrypted key seals with the password', () => {
  const ways: readonly (readonly [what: string, script: string, env: Record<string, string>])[] = [
    ['of COSIGN_PASSWORD', '"$0" sign --key cosign.key "$1"', { COSIGN_PASSWORD: 'pw' }],
    ['of BULLA_PASSWORD', '"$0" sign --key cosign.key "$1"', { BULLA_PASSWORD: 'pw' }],
    ['that printf pipes in', 'printf pw | "$0" sign --key cosign.key "$1"', {}],
    ['that echo pipes in', 'echo pw | "$0" sign --key cosign.key "$1"', {}],
    ['of a file', '"$0" sign --key cosign.key "$1" <password', {}],
    ['of a variable, the key out of a process', '"$0" sign --key <(cat cosign.key) "$1"', { COSIGN_PASSWORD: 'pw' }],
  ];
  before(async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    writeFileSync(join(setting.machine.work, 'cosign.key'), await encryptPrivateKey(key, Buffer.from('pw')));
    writeFileSync(join(setting.machine.work, 'password'), 'pw\n');
  });
  for (const [what, script, env] of ways) {
    test(what, async () => {
      const { machine, scene, name } = setting;
      const image = await scene.image(what);
      const sealed = await machine.spawn('bash', ['-c', script, BULLA, name(image)], { env }).ended;
      assert.equal(sealed.code, 0, sealed.stderr);
      assert.equal(sealed.stdout, `${name(image)}\n`);
      const pub = await machine.bulla(['public-key', '--key', 'cosign.key'], { env: { COSIGN_PASSWORD: 'pw' } });
      writeFileSync(join(machine.work, 'sealed.pub'), pub.stdout);
      assert.equal((await setting.bulla(['verify', '--key', 'sealed.pub', name(image)])).code, 0);
    });
  }
});
