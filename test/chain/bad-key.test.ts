// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encryptPrivateKey, generatePrivateKey } from '../../src/trust/index.ts';
import { runInProcess, type Ran } from '../golden/in-process.ts';
import { Machine } from './bulla.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { newKeys, type KeyPair } from './scene.ts';

// What is no key is refused with 1 before a registry is asked, and nothing secret of it is repeated.

const PASSWORD = 'correct horse battery staple';

let machine: Machine;
let front: RegistryFront;
let keys: KeyPair;
let image: string;
before(async () => {
  machine = new Machine();
  front = await openFront('http://127.0.0.1:9');
  image = `${front.host}/platform/demo-api@sha256:${'0'.repeat(64)}`;
  keys = await newKeys();
  const encrypted = await encryptPrivateKey(await generatePrivateKey('ecdsa-p256'), Buffer.from(PASSWORD));
  const files: Record<string, string | Uint8Array> = {
    'cosign.pub': keys.publicKey,
    'plain.key': keys.privateKey,
    'cosign.key': encrypted,
    'empty.pub': '',
    'garbage.pub': 'hunter2 is not a key\n',
    'binary.pub': Buffer.from([0x30, 0x82, 0xff, 0xff, 0, 1, 2]),
    'endless.pub': 'x'.repeat(65_537),
    'half.pub': keys.publicKey.slice(0, 100),
    'double.pub': keys.publicKey + keys.publicKey,
    'certificate.pem': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    'base64.pem': '-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n',
    'point.json': '{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}',
    'half.key': keys.privateKey.slice(0, 120),
    'flipped.key': flipped(encrypted),
    'hungry.key': hungry(),
    'secret.jwk': '{"kty":"oct","k":"aHVudGVyMg"}',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(machine.work, name), content);
  mkdirSync(join(machine.work, 'folder.pub'));
  symlinkSync('nowhere', join(machine.work, 'dangling.pub'));
});
after(async () => {
  await front[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

/** A key of cosign's with one character of its ciphertext changed. */
function flipped(key: string): string {
  const [begin = '', ...rest] = key.split('\n');
  const body = Buffer.from(
    rest.slice(0, rest.indexOf('-----END ENCRYPTED SIGSTORE PRIVATE KEY-----')).join(''),
    'base64',
  );
  const json = JSON.parse(body.toString()) as { ciphertext: string };
  json.ciphertext = (json.ciphertext.startsWith('A') ? 'B' : 'A') + json.ciphertext.slice(1);
  const end = '-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n';
  return `${begin}\n${Buffer.from(JSON.stringify(json)).toString('base64')}\n${end}`;
}

/** A key that asks scrypt for a terabyte. */
function hungry(): string {
  const kdf = { name: 'scrypt', params: { N: 2 ** 30, r: 8, p: 1 }, salt: 'AAAA' };
  const cipher = { name: 'nacl/secretbox', nonce: Buffer.alloc(24).toString('base64') };
  const body = Buffer.from(JSON.stringify({ kdf, cipher, ciphertext: 'AAAA' })).toString('base64');
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${body}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return await runInProcess([...args, image], { cwd: machine.work, env: { ...machine.environment(), ...env } });
}

async function refuses(args: readonly string[], says: RegExp, env: Record<string, string> = {}): Promise<void> {
  const files = machine.files();
  const plain = await run(args, env);
  assertRefused(plain, { code: 1, says });
  const json = await run([...args, '--json'], env);
  assertRefusedJson(json, { code: 1, says });
  for (const text of [plain.stderr, json.stdout, json.stderr]) {
    assert.doesNotMatch(text, /hunter2|aHVudGVyMg|battery/);
    assert.ok(text.length < 1000, text);
    for (const line of secretLines()) assert.ok(!text.includes(line), text);
  }
  assert.deepEqual(front.requests, []);
  assert.deepEqual(machine.files(), files);
}

/** What is secret in a key: the lines of its body. */
function secretLines(): readonly string[] {
  return keys.privateKey.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'));
}

describe('what is no key', () => {
  const cases: readonly (readonly [what: string, key: string, verify: RegExp | undefined, sign: RegExp | undefined])[] =
    [
      [
        'a file that is not there',
        'missing.pub',
        /open missing\.pub: no such file or directory$/,
        /open missing\.pub: no such/,
      ],
      [
        'a link that leads nowhere',
        'dangling.pub',
        /open dangling\.pub: no such file/,
        /open dangling\.pub: no such file/,
      ],
      ['an empty file', 'empty.pub', /empty\.pub holds nothing, expected a key$/, /empty\.pub holds nothing/],
      [
        'garbage',
        'garbage.pub',
        /garbage\.pub holds 21 bytes that are neither PEM, DER nor JWK/,
        /garbage\.pub holds 21 bytes/,
      ],
      [
        'bytes that are no DER',
        'binary.pub',
        /binary\.pub holds DER that is no key/,
        /binary\.pub holds DER that is no key/,
      ],
      [
        'more than any key has',
        'endless.pub',
        /endless\.pub is larger than 65536 bytes$/,
        /endless\.pub is larger than/,
      ],
      ['a folder', 'folder.pub', /open folder\.pub: is a directory$/, /open folder\.pub: is a directory$/],
      [
        'half a public key',
        'half.pub',
        /half\.pub is not PEM: its block 'PUBLIC KEY' does not end$/,
        /half\.pub is not PEM/,
      ],
      [
        'half a private key',
        'half.key',
        /half\.key is not PEM/,
        /half\.key is not PEM: its block 'PRIVATE KEY' does not end$/,
      ],
      ['two keys', 'double.pub', /double\.pub holds 2 keys .* expected one key a file$/, /double\.pub holds 2 keys/],
      [
        'a certificate',
        'certificate.pem',
        /certificate\.pem holds a PEM block 'CERTIFICATE'/,
        /certificate\.pem holds a PEM block/,
      ],
      [
        'no base64',
        'base64.pem',
        /base64\.pem, block 'PUBLIC KEY', is not base64/,
        /base64\.pem, block 'PUBLIC KEY', is not base64/,
      ],
      [
        'a point that is on no curve',
        'point.json',
        /point\.json is a JWK whose members make no public key$/,
        /point\.json holds a public key/,
      ],
      ['a symmetric key', 'secret.jwk', /secret\.jwk/, /secret\.jwk/],
      [
        'a private key for a public one',
        'plain.key',
        /plain\.key holds a private key, expected a public one/,
        undefined,
      ],
      [
        'an encrypted key for a public one',
        'cosign.key',
        /cosign\.key holds a private key, expected a public one/,
        undefined,
      ],
      [
        'a public key for a private one',
        'cosign.pub',
        undefined,
        /cosign\.pub holds a public key, expected a private one/,
      ],
      [
        'a key that asks for a terabyte',
        'hungry.key',
        /hungry\.key holds a private key/,
        /hungry\.key asks scrypt for N=1073741824/,
      ],
      [
        'a key with a flipped byte',
        'flipped.key',
        /flipped\.key holds a private key/,
        /flipped\.key does not open with the given password$/,
      ],
      [
        'a variable that is not set',
        'env://SEAL_KEY',
        /env var \$SEAL_KEY not found$/,
        /env var \$SEAL_KEY not found$/,
      ],
      [
        'a variable without a name',
        'env://',
        /what follows env:\/\/ is no name of a variable/,
        /what follows env:\/\//,
      ],
      [
        'a variable that holds no key',
        'env://GARBAGE',
        /env:\/\/GARBAGE holds 7 bytes that are neither/,
        /env:\/\/GARBAGE holds 7/,
      ],
      ['nothing', '', /the key reference is empty$/, /the key reference is empty$/],
      [
        'a key in a cloud',
        'awskms:///alias/x',
        /awskms keys are not supported by this version$/,
        /awskms keys are not supported/,
      ],
      [
        'a key of a device',
        'pkcs11:token=x?pin-value=hunter2',
        /pkcs11 keys are not supported/,
        /pkcs11 keys are not supported/,
      ],
      ['a key in a cluster', 'k8s://ns/name', /k8s keys are not supported/, /k8s keys are not supported/],
      [
        'a key in the network',
        'https://me:hunter2@keys.invalid/k',
        /keys are not fetched from the network$/,
        /not fetched/,
      ],
      [
        'an escape sequence',
        '\u001b[31mkey',
        /open \\u001b\[31mkey: no such file/,
        /open \\u001b\[31mkey: no such file/,
      ],
      ['5,000 characters', 'x'.repeat(5000), /looks like a key itself/, /looks like a key itself/],
    ];
  for (const [what, key, verify, sign] of cases) {
    test(`${what} is refused with 1, and nobody is asked`, async () => {
      const env = { GARBAGE: 'garbage', COSIGN_PASSWORD: PASSWORD };
      if (verify !== undefined) await refuses(['verify', '--key', key], verify, env);
      if (sign !== undefined) await refuses(['sign', '--key', key], sign, env);
    });
  }

  test('a key where its name should be is not repeated', async () => {
    const jwk = JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'hunter2' });
    for (const key of [
      keys.privateKey,
      `env://${keys.privateKey}`,
      jwk,
      `env://${jwk}`,
      keys.privateKey.replaceAll('\n', ''),
    ]) {
      for (const command of ['verify', 'sign', 'public-key']) {
        const args = command === 'public-key' ? [] : [image];
        const world = { cwd: machine.work, env: machine.environment() };
        const failed = await runInProcess([command, '--key', key, ...args], world);
        assertRefused(failed, {
          code: 1,
          says: /the key reference looks like a key itself, expected a file or env:\/\/NAME$/,
        });
        for (const line of secretLines()) assert.ok(!failed.stderr.includes(line));
        assert.doesNotMatch(failed.stderr, /hunter2/);
      }
    }
  });

  test('a key that may not be read is refused by name', { skip: process.getuid?.() === 0 }, async () => {
    writeFileSync(join(machine.work, 'closed.pub'), keys.publicKey);
    chmodSync(join(machine.work, 'closed.pub'), 0);
    await refuses(['verify', '--key', 'closed.pub'], /open closed\.pub: permission denied$/);
  });

  test('no key, and several to seal with, are wrong usage', async () => {
    await refuses(['verify'], /--key is required: whose seal is expected\?$/);
    await refuses(['sign'], /to seal with an identity services are needed: none were named, .*$/);
    await refuses(['sign', '--key', 'plain.key', '--key', 'plain.key'], /one --key is sealed with at a time$/);
    await refuses(['verify', '--key', 'cosign.pub', '--key', 'missing.pub'], /open missing\.pub: no such file/);
  });
});
