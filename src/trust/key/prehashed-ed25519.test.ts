// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { test } from 'node:test';
import { ed25519ph } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { verifyPrehashedEd25519 } from './prehashed-ed25519.ts';
import { generatePrivateKey } from './private-key.ts';

const MESSAGE = Buffer.from('message');
const DIGEST = hash('sha512', MESSAGE, 'buffer');

async function newKey() {
  const key = await generatePrivateKey('ed25519');
  const seed = key.object.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  return { ...key, signature: ed25519ph.sign(MESSAGE, seed) };
}

test('a prehashed signature holds over the digest that was signed, by the key that signed it', async () => {
  const { publicKey, signature } = await newKey();
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, signature), true);
  assert.equal(await verifyPrehashedEd25519(publicKey, hash('sha512', 'other', 'buffer'), signature), false);
  assert.equal(await verifyPrehashedEd25519((await newKey()).publicKey, DIGEST, signature), false);
});

test('a pure signature over the digest is none in the prehashed form', async () => {
  const { publicKey, object } = await newKey();
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, sign(null, DIGEST, object)), false);
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, sign(null, MESSAGE, object)), false);
});

test('any change is noticed, and nothing is thrown', async () => {
  const { publicKey, signature } = await newKey();
  await fc.assert(
    fc.asyncProperty(fc.nat(63), fc.integer({ min: 1, max: 255 }), async (at, difference) => {
      const changed = Uint8Array.from(signature);
      changed[at] = (changed[at] ?? 0) ^ difference;
      assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, changed), false);
    }),
    { numRuns: 30 },
  );
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, signature.subarray(0, 63)), false);
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST.subarray(0, 32), signature), false);
});

test('a signature whose number is written larger than the order is refused, as RFC 8032 demands', async () => {
  const { publicKey, signature } = await newKey();
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`) + order;
  const larger = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
  const changed = Buffer.concat([signature.subarray(0, 32), larger]);
  assert.equal(await verifyPrehashedEd25519(publicKey, DIGEST, changed), false);
});
