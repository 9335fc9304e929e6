// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { constants, hash, privateEncrypt, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64 } from '../../wire/index.ts';
import { decodePrivateKey, generatePrivateKey } from './private-key.ts';
import { decodePublicKey } from './public-key.ts';
import { digestScheme, verifyDigest } from './verify-digest.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const BLOB = readFileSync(join(golden, '_inputs/blob.txt'));
const digestOf = (algorithm: 'sha256' | 'sha384' | 'sha512', bytes: Uint8Array = BLOB) =>
  ({ algorithm, bytes: hash(algorithm, bytes, 'buffer') }) as const;

describe('verifies over a digest what was signed over bytes', () => {
  for (const kind of ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096']) {
    test(`by cosign 2.5.0, with a key of ${kind}`, async () => {
      const key = decodePublicKey(readFileSync(join(golden, `_keys/imp-${kind}.pub`)), kind);
      const signature = decodeBase64(readFileSync(join(golden, `keytype-${kind}/b2.sig`), 'utf8').trim(), 'b2.sig');
      assert.equal(await verifyDigest(key, digestOf('sha256'), signature), digestScheme(key, 'sha256'));
      assert.ok(digestScheme(key, 'sha256') !== undefined);
      assert.equal(await verifyDigest(key, digestOf('sha256', Buffer.from('other')), signature), undefined);
    });
  }

  for (const [algorithm, digest] of [
    ['ecdsa-p384', 'sha384'],
    ['ecdsa-p521', 'sha512'],
  ] as const) {
    test(`with the own digest of ${algorithm}`, async () => {
      const { publicKey, object } = await generatePrivateKey(algorithm);
      const signature = sign(digest, BLOB, object);
      assert.equal(await verifyDigest(publicKey, digestOf(digest), signature), `${algorithm}-${digest}`);
      assert.equal(await verifyDigest(publicKey, digestOf('sha256'), signature), undefined);
    });
  }

  test('with the prehashed form of Ed25519, by SHA-512', async () => {
    const { ed25519ph } = await import('@noble/curves/ed25519.js');
    const { publicKey, object } = await generatePrivateKey('ed25519');
    const secret = object.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
    const signature = ed25519ph.sign(BLOB, secret);
    assert.equal(await verifyDigest(publicKey, digestOf('sha512'), signature), 'ed25519ph');
    assert.equal(await verifyDigest(publicKey, digestOf('sha512', Buffer.from('other')), signature), undefined);
    assert.equal(await verifyDigest(publicKey, digestOf('sha256'), signature), undefined);
    assert.equal(
      await verifyDigest(publicKey, digestOf('sha512'), signature.with(0, (signature[0] ?? 0) ^ 1)),
      undefined,
    );
  });

  test('whichever half of the curve the signature is in', async () => {
    const { publicKey, object } = await generatePrivateKey('ecdsa-p256');
    for (let round = 0; round < 8; round++)
      assert.equal(
        await verifyDigest(publicKey, digestOf('sha256'), sign('sha256', BLOB, object)),
        'ecdsa-p256-sha256',
      );
  });
});

describe('does not verify', () => {
  test('with a digest under which such a key does not sign', async () => {
    const { publicKey, object } = await generatePrivateKey('ecdsa-p256');
    assert.equal(await verifyDigest(publicKey, digestOf('sha512'), sign('sha512', BLOB, object)), undefined);
    const ed = await generatePrivateKey('ed25519');
    assert.equal(digestScheme(ed.publicKey, 'sha512'), undefined);
    assert.equal(await verifyDigest(ed.publicKey, digestOf('sha512'), sign(null, BLOB, ed.object)), undefined);
  });

  test('a signature by another key, changed, or that is none', async () => {
    const { publicKey } = await generatePrivateKey('ecdsa-p256');
    const other = await generatePrivateKey('ecdsa-p256');
    const signature = sign('sha256', BLOB, other.object);
    assert.equal(await verifyDigest(publicKey, digestOf('sha256'), signature), undefined);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        assert.equal(await verifyDigest(publicKey, digestOf('sha256'), bytes), undefined);
      }),
      { numRuns: 50 },
    );
  });

  test('a signature of RSA whose encoding is not the one right one', async () => {
    const key = await decodePrivateKey(readFileSync(join(golden, '_keys/rsa2048.pem')), { what: 'rsa2048' });
    const info = Buffer.concat([
      Buffer.from('3031300d060960864801650304020105000420', 'hex'),
      hash('sha256', BLOB, 'buffer'),
    ]);
    const encode = (padding: number, rest: Uint8Array): Uint8Array =>
      privateEncrypt(
        { key: key.object, padding: constants.RSA_NO_PADDING },
        Buffer.concat([Buffer.of(0, 1), Buffer.alloc(padding, 0xff), Buffer.of(0), info, rest]),
      );
    const whole = 256 - 3 - info.byteLength;
    assert.equal(await verifyDigest(key.publicKey, digestOf('sha256'), encode(whole, Buffer.of())), 'rsa-pkcs1-sha256');
    // Bleichenbacher 2006: short padding, and what the forger needs behind the digest
    assert.equal(await verifyDigest(key.publicKey, digestOf('sha256'), encode(8, Buffer.alloc(whole - 8))), undefined);
    assert.equal(await verifyDigest(key.publicKey, digestOf('sha256'), new Uint8Array(10)), undefined);
  });
});
