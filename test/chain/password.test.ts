// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encryptPrivateKey, generatePrivateKey } from '../../src/trust/index.ts';
import { runInProcess, type Ran } from '../golden/in-process.ts';
import { BULLA, Machine } from './bulla.ts';
import { assertRefused } from './refusal.ts';
import { openFront, type RegistryFront } from './registry-front.ts';

// Where a password comes from, in which order, and what happens where it is the wrong one.

const PASSWORD = 'correct horse battery staple';
const WRONG = 'hunter2-is-wrong';

let machine: Machine;
let front: RegistryFront;
let image: string;
before(async () => {
  machine = new Machine();
  front = await openFront('http://127.0.0.1:9');
  image = `${front.host}/platform/demo-api@sha256:${'0'.repeat(64)}`;
  const encrypted = await encryptPrivateKey(await generatePrivateKey('ecdsa-p256'), Buffer.from(PASSWORD));
  writeFileSync(join(machine.work, 'cosign.key'), encrypted);
});
after(async () => {
  await front[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

async function run(args: readonly string[], env: Record<string, string>, stdin: string | undefined): Promise<Ran> {
  const world = { cwd: machine.work, env: { ...machine.environment(), ...env } };
  return await runInProcess(args, stdin === undefined ? world : { ...world, stdin });
}

type Case = readonly [what: string, env: Record<string, string>, stdin: string | undefined];

describe('a password that does not open the key', () => {
  const cases: readonly (readonly [...Case, says: RegExp])[] = [
    ['of cosign', { COSIGN_PASSWORD: WRONG }, undefined, /^Error: cosign\.key does not open with the given password$/],
    ['of ours', { BULLA_PASSWORD: WRONG }, undefined, /cosign\.key does not open with the given password$/],
    ['of cosign, before ours', { COSIGN_PASSWORD: WRONG, BULLA_PASSWORD: PASSWORD }, undefined, /does not open/],
    ['that is set and empty, before what is piped in', { COSIGN_PASSWORD: '' }, PASSWORD, /does not open/],
    ['piped in', {}, WRONG, /cosign\.key does not open/],
    ['piped in with two newlines', {}, `${PASSWORD}\n\n`, /cosign\.key does not open/],
    ['of no bytes', {}, '', /the private key needs a password: there is no terminal to ask on/],
  ];
  for (const [what, env, stdin, says] of cases) {
    test(`${what} is refused with 1, not repeated, and nobody is asked`, async () => {
      const plain = await run(['sign', '--key', 'cosign.key', image], env, stdin);
      assertRefused(plain, { code: 1, says });
      const loud = { ...env, BULLA_DEBUG: '1' };
      const json = await run(['sign', '--key', 'cosign.key', '--json', '--verbose', image], loud, stdin);
      assert.equal(json.code, 1);
      assert.doesNotMatch(plain.stderr + json.stdout + json.stderr, /hunter2|battery/);
      assert.deepEqual(front.requests, []);
    });
  }

  test('is not read beyond 64 KiB', async () => {
    const files = machine.files();
    const endless = await machine.bulla(['sign', '--key', 'cosign.key', image], { stdin: 'x'.repeat(65_537) });
    assertRefused(endless, { code: 1, says: /^Error: standard input has more than 65536 bytes$/ });
    assert.deepEqual(machine.files(), files);
    assert.deepEqual(front.requests, []);
  });
});

describe('a password that opens the key', () => {
  const cases: readonly Case[] = [
    ['of cosign', { COSIGN_PASSWORD: PASSWORD }, undefined],
    ['of ours', { BULLA_PASSWORD: PASSWORD }, undefined],
    ['of cosign, before ours and what is piped in', { COSIGN_PASSWORD: PASSWORD, BULLA_PASSWORD: WRONG }, WRONG],
    ['piped in', {}, PASSWORD],
    ['piped in by echo, which adds a newline', {}, `${PASSWORD}\n`],
    ['piped in from elsewhere, with both characters of a line break', {}, `${PASSWORD}\r\n`],
  ];
  for (const [what, env, stdin] of cases) {
    test(`${what} is taken`, async () => {
      const { code, stderr } = await run(['public-key', '--key', 'cosign.key'], env, stdin);
      assert.equal(code, 0, stderr);
    });
  }
});

describe('a password of a new key', () => {
  test('is what printf and echo pipe in, by the shell, for either program', async () => {
    const script =
      'printf pw | "$0" generate-key-pair --output-key-prefix one && echo pw | "$0" generate-key-pair --output-key-prefix two';
    const made = await machine.spawn('bash', ['-c', script, BULLA]).ended;
    assert.equal(made.code, 0, made.stderr);
    for (const name of ['one', 'two']) {
      assert.equal((await run(['public-key', '--key', `${name}.key`], { COSIGN_PASSWORD: 'pw' }, undefined)).code, 0);
      const wrong = await run(['public-key', '--key', `${name}.key`], { COSIGN_PASSWORD: 'pw\n' }, undefined);
      assertRefused(wrong, { code: 1, says: /does not open/ });
    }
    assert.doesNotMatch(readFileSync(join(machine.work, 'one.key'), 'utf8'), /BEGIN (?:EC )?PRIVATE/);
  });

  test('is not nothing: without one that is given, no key is made', async () => {
    const files = readdirSync(machine.work);
    const refused = await run(['generate-key-pair', '--output-key-prefix', 'three'], {}, '');
    assertRefused(refused, { code: 1, says: /the new private key needs a password/ });
    assert.deepEqual(readdirSync(machine.work), files);
    assert.equal(
      (await run(['generate-key-pair', '--output-key-prefix', 'four'], { COSIGN_PASSWORD: '' }, undefined)).code,
      0,
    );
    assert.equal((await run(['public-key', '--key', 'four.key'], { BULLA_PASSWORD: '' }, undefined)).code, 0);
  });
});
