// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseDigest, type Descriptor } from '../../src/oci/index.ts';
import { onlyTo, silence, status } from './hostile-registry.ts';
import { assertTidy, type FailureDocument } from './refusal.ts';
import { newKeys } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Of several images each gets its answer, whatever became of the others; the exit code is the first refusal's, else "undecided".

let setting: Setting;
let names: Readonly<Record<'trusted' | 'unsigned' | 'missing' | 'foreign' | 'undecided', string>>;
before(async () => {
  setting = await openSetting();
  const { scene, keys, front, name } = setting;
  const images = {
    trusted: await scene.image('trusted'),
    unsigned: await scene.image('unsigned'),
    foreign: await scene.image('foreign'),
    undecided: await scene.image('undecided', 'moody'),
  };
  await scene.seal(images.trusted, keys.signer);
  await scene.seal(images.foreign, (await newKeys()).signer);
  const missing: Descriptor = { ...images.trusted, digest: parseDigest(`sha256:${'0'.repeat(64)}`) };
  names = {
    trusted: name(images.trusted),
    unsigned: name(images.unsigned),
    foreign: name(images.foreign),
    missing: name(missing),
    undecided: name(images.undecided),
  };
  const hex = images.undecided.digest.slice('sha256:'.length);
  front.answer = onlyTo((request) => request.url?.includes(hex) === true, status(403));
});
after(() => setting[Symbol.asyncDispose]());

type Name = keyof typeof names;

describe('of several images verify', () => {
  const cases: readonly (readonly [code: number, ...images: Name[]])[] = [
    [0, 'trusted', 'trusted'],
    [10, 'trusted', 'unsigned', 'trusted'],
    [11, 'trusted', 'missing', 'unsigned'],
    [12, 'foreign', 'unsigned', 'trusted'],
    [2, 'trusted', 'undecided', 'trusted'],
    [10, 'undecided', 'trusted', 'unsigned'],
    [11, 'unsigned', 'undecided', 'missing'],
    [12, 'undecided', 'foreign'],
  ];
  for (const [code, ...images] of cases) {
    const expected = code === 11 && images[0] === 'unsigned' ? 10 : code;
    test(`${images.join(', ')}: runs all, and ends with ${expected}`, async () => {
      const args = ['verify', '--key', 'cosign.pub', ...images.map((image) => names[image])];
      const plain = await setting.bulla(args);
      assert.equal(plain.code, expected, plain.stderr);
      assertTidy(plain.stderr);
      const bad = images.filter((image) => image !== 'trusted');
      assert.equal(plain.stderr.match(/^Error: /gm)?.length ?? 0, bad.length, 'one line for each that was not trusted');
      for (const image of bad) assert.match(plain.stderr, new RegExp(`^Error: .*${names[image]}`, 'm'));
      assert.equal(plain.stdout.match(/^\[/gm)?.length ?? 0, images.length - bad.length, 'one array for each that was');
      const json = await setting.bulla([...args, '--json']);
      assert.equal(json.code, expected);
      const document = JSON.parse(json.stdout) as FailureDocument;
      assert.equal(document.exitCode, expected);
      const codes = { trusted: 0, unsigned: 10, missing: 11, foreign: 12, undecided: 2 };
      assert.deepEqual(
        document.images?.map(({ image, exitCode }) => [image, exitCode]),
        images.map((image) => [names[image], codes[image]]),
      );
    });
  }

  test('answers for those that are left when the time is up, too', async () => {
    setting.front.answer = silence;
    const slow = `${names.trusted.replace(/@.*$/, '')}:moody`;
    const args = ['verify', '--key', 'cosign.pub', '--timeout', '1s', '--json', slow, slow];
    const { code, stdout } = await setting.bulla(args);
    assert.equal(code, 2);
    const document = JSON.parse(stdout) as FailureDocument;
    assert.deepEqual(
      document.images?.map(({ exitCode, cause }) => [exitCode, cause?.code]),
      [
        [2, 'timeout'],
        [2, 'timeout'],
      ],
    );
    setting.front.answer = () => false;
  });
});

describe('of several images sign', () => {
  test('seals those that it can, says which it could not, and ends with the first that says no', async () => {
    const { scene, name, bulla } = setting;
    const [one, two] = [await scene.image('to be sealed, one'), await scene.image('to be sealed, two')];
    const args = ['sign', '--key', 'plain.key', name(one), names.missing, name(two)];
    const plain = await bulla(args);
    assert.equal(plain.code, 11, plain.stderr);
    assertTidy(plain.stderr);
    assert.deepEqual(plain.stdout, `${name(one)}\n${name(two)}\n`);
    assert.equal(plain.stderr.match(/^Error: .* has no manifest sha256:0{64}$/gm)?.length, 1);
    for (const image of [one, two]) assert.equal((await setting.verify(image)).code, 0);
    const json = await bulla([...args, '--json']);
    assert.equal(json.code, 11);
    const document = JSON.parse(json.stdout) as FailureDocument;
    assert.equal(document.exitCode, 11);
    assert.deepEqual(
      document.images?.map(({ seals, error }) => [seals?.length, error?.code]),
      [
        [1, undefined],
        [undefined, 'image-missing'],
        [1, undefined],
      ],
    );
  });

  test('ends with 2 where nothing said no', async () => {
    const hex = names.undecided.slice(-64);
    setting.front.answer = onlyTo(
      (request) => request.url?.includes(hex) === true,
      status(429, { 'retry-after': '999' }),
    );
    const { code, stdout, stderr } = await setting.bulla([
      'sign',
      '--key',
      'plain.key',
      names.undecided,
      names.trusted,
    ]);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, `${names.trusted}\n`);
    setting.front.answer = () => false;
  });
});
