// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { verifyPrehashedEcdsa } from './prehashed-ecdsa.ts';
import { generatePrivateKey, type PrivateKey } from './private-key.ts';

const KINDS = [
  { algorithm: 'ecdsa-p256', digest: 'sha256', curve: p256 },
  { algorithm: 'ecdsa-p384', digest: 'sha384', curve: p384 },
  { algorithm: 'ecdsa-p521', digest: 'sha512', curve: p521 },
  // a digest that is shorter than the order, and one that is longer
  { algorithm: 'ecdsa-p384', digest: 'sha256', curve: p384 },
  { algorithm: 'ecdsa-p256', digest: 'sha512', curve: p256 },
] as const;

/** What the library says that takes a digest itself. */
function opinion(curve: typeof p256, key: PrivateKey, digest: Uint8Array, signature: Uint8Array): boolean {
  const { x = '', y = '' } = key.object.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  try {
    return curve.verify(signature, digest, point, { prehash: false, lowS: false, format: 'der' });
  } catch {
    return false;
  }
}

for (const { algorithm, digest, curve } of KINDS) {
  describe(`a signature by ${algorithm} over ${digest}`, () => {
    test('holds over the digest that was signed, and over no other', async () => {
      const key = await generatePrivateKey(algorithm);
      for (let round = 0; round < 20; round++) {
        const message = Buffer.from(`message ${round}`);
        const signature = sign(digest, message, key.object);
        const signed = hash(digest, message, 'buffer');
        assert.equal(verifyPrehashedEcdsa(algorithm, key.publicKey, signed, signature), true);
        const other = hash(digest, `other ${round}`, 'buffer');
        assert.equal(verifyPrehashedEcdsa(algorithm, key.publicKey, other, signature), false);
      }
    });

    test('is judged as the library judges it, whatever was changed', async () => {
      const key = await generatePrivateKey(algorithm);
      const signed = hash(digest, 'message', 'buffer');
      const signature = sign(digest, Buffer.from('message'), key.object);
      await fc.assert(
        fc.asyncProperty(fc.nat(signature.length - 1), fc.nat(255), fc.nat(2), async (at, octet, where) => {
          const changed = Buffer.from(where === 0 ? signed : signature);
          changed[at % changed.length] = octet;
          const [over, by] = where === 0 ? [changed, signature] : [signed, changed];
          const mine = verifyPrehashedEcdsa(algorithm, key.publicKey, over, by);
          assert.equal(mine, opinion(curve, key, over, by));
        }),
        { numRuns: 25 },
      );
    });

    test('does not hold by another key, nor by the mirrored one', async () => {
      const key = await generatePrivateKey(algorithm);
      const other = await generatePrivateKey(algorithm);
      const signed = hash(digest, 'message', 'buffer');
      const signature = sign(digest, Buffer.from('message'), key.object);
      assert.equal(verifyPrehashedEcdsa(algorithm, other.publicKey, signed, signature), false);
      const spki = Buffer.from(key.publicKey.spki);
      const { octets } = { octets: { 'ecdsa-p256': 32, 'ecdsa-p384': 48, 'ecdsa-p521': 66 }[algorithm] };
      const y = BigInt(`0x${spki.subarray(-octets).toString('hex')}`);
      const mirrored = (curve.Point.Fp.ORDER - y).toString(16).padStart(2 * octets, '0');
      const mirror = Buffer.concat([spki.subarray(0, -octets), Buffer.from(mirrored, 'hex')]);
      assert.equal(verifyPrehashedEcdsa(algorithm, { spki: mirror }, signed, signature), false);
    });
  });
}

describe('where the key cannot be moved, it is moved by another message', () => {
  test('as over the digest of the message itself that takes the place of what was signed', async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    for (const message of [Buffer.alloc(0), Buffer.alloc(1)]) {
      const signature = sign('sha256', message, key.object);
      const digest = hash('sha256', message, 'buffer');
      assert.equal(verifyPrehashedEcdsa('ecdsa-p256', key.publicKey, digest, signature), true);
      assert.equal(opinion(p256, key, digest, signature), true);
    }
  });

  test('as with a signature that was made so that the key would be moved by itself', async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    const { d = '' } = key.object.export({ format: 'jwk' });
    const { Fn, BASE } = p256.Point;
    const secret = BigInt(`0x${Buffer.from(d, 'base64url').toString('hex')}`);
    const empty = BigInt(`0x${hash('sha256', '', 'hex')}`);
    const nonce = 123_456_789n;
    const r = Fn.create(BASE.multiply(nonce).toAffine().x);
    for (const times of [secret, Fn.neg(secret)]) {
      const e = Fn.add(Fn.mul(times, r), Fn.create(empty));
      const s = Fn.mul(Fn.inv(nonce), Fn.add(e, Fn.mul(r, secret)));
      if (s === 0n) continue; // no signature at all
      const digest = Buffer.from(e.toString(16).padStart(64, '0'), 'hex');
      const signature = new p256.Signature(r, s).toBytes('der');
      assert.equal(opinion(p256, key, digest, signature), true);
      assert.equal(verifyPrehashedEcdsa('ecdsa-p256', key.publicKey, digest, signature), true);
      const other = hash('sha256', digest, 'buffer');
      assert.equal(verifyPrehashedEcdsa('ecdsa-p256', key.publicKey, other, signature), false);
    }
  });
});

test('what is no signature holds over nothing, and throws nothing', async () => {
  const key = await generatePrivateKey('ecdsa-p256');
  const digest = hash('sha256', 'message', 'buffer');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (octets) => {
      assert.equal(verifyPrehashedEcdsa('ecdsa-p256', key.publicKey, digest, octets), false);
    }),
  );
  for (const text of ['3006020100020101', '30060201ff020101', '300602010102', '3081060201010201', ''])
    assert.equal(verifyPrehashedEcdsa('ecdsa-p256', key.publicKey, digest, Buffer.from(text, 'hex')), false);
});
