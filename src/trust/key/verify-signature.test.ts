// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { constants, hash, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeBase64 } from '../../wire/index.ts';
import { decodePrivateKey, type PrivateKey } from './private-key.ts';
import { decodePublicKey, type PublicKey } from './public-key.ts';
import { keySigner } from './signer.ts';
import { verifySignature, verifySignatureOnce, type SignatureScheme } from './verify-signature.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const IMAGE = 'sha256-4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
/** of the group of Ed25519 */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const BLOB = readFileSync(join(golden, '_inputs/blob.txt'));

/** kind of key, what cosign 2.5.0 signs with it, what cosign 3.1.1 signs with it */
const KINDS: readonly (readonly [string, SignatureScheme, SignatureScheme])[] = [
  ['p256', 'ecdsa-p256-sha256', 'ecdsa-p256-sha256'],
  ['p384', 'ecdsa-p384-sha256', 'ecdsa-p384-sha384'],
  ['p521', 'ecdsa-p521-sha256', 'ecdsa-p521-sha512'],
  ['ed25519', 'ed25519', 'ed25519ph'],
  ['rsa2048', 'rsa-pkcs1-sha256', 'rsa-pkcs1-sha256'],
  ['rsa3072', 'rsa-pkcs1-sha256', 'rsa-pkcs1-sha256'],
  ['rsa4096', 'rsa-pkcs1-sha256', 'rsa-pkcs1-sha256'],
];

function publicKey(kind: string): PublicKey {
  return decodePublicKey(readFileSync(join(golden, `_keys/imp-${kind}.pub`)), kind);
}

async function privateKey(kind: string): Promise<PrivateKey> {
  return decodePrivateKey(readFileSync(join(golden, `_keys/${kind}.pem`)), { what: kind });
}

interface Recorded {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** What cosign 2.5.0 signed: a blob. */
function byCosign2(kind: string): Recorded {
  const text = readFileSync(join(golden, `keytype-${kind}/b2.sig`), 'utf8');
  return { message: BLOB, signature: decodeBase64(text.trim(), 'b2.sig') };
}

/** What cosign 3.1.1 signed: an image, in the legacy format. */
function byCosign3(kind: string): Recorded {
  const root = join(golden, `keytype-${kind}-legacy311`);
  const manifest = JSON.parse(readFileSync(join(root, `manifests/${IMAGE}.sig.json`), 'utf8'));
  const [{ digest, annotations }] = manifest.layers;
  return {
    message: readFileSync(join(root, 'layout/blobs', digest.replace(':', '/'))),
    signature: decodeBase64(annotations['dev.cosignproject.cosign/signature'], 'signature'),
  };
}

describe('verifies what cosign signed, and says how', () => {
  for (const [kind, cosign2, cosign3] of KINDS) {
    test(`${kind}, cosign 2.5.0`, async () => {
      const { message, signature } = byCosign2(kind);
      assert.equal(await verifySignature(publicKey(kind), message, signature), cosign2);
    });
    test(`${kind}, cosign 3.1.1`, async () => {
      const { message, signature } = byCosign3(kind);
      assert.equal(await verifySignature(publicKey(kind), message, signature), cosign3);
    });
  }
});

test('says the same by a key that is used once, of right signatures and of wrong ones', async () => {
  for (const [kind, cosign2, cosign3] of KINDS) {
    const key = publicKey(kind);
    const [older, newer] = [byCosign2(kind), byCosign3(kind)];
    assert.equal(await verifySignatureOnce(key, older.message, older.signature), cosign2, kind);
    assert.equal(await verifySignatureOnce(key, newer.message, newer.signature), cosign3, kind);
    for (const [message, signature] of [
      [Buffer.from('another'), older.signature],
      [older.message, new Uint8Array()],
      [older.message, older.signature.subarray(1)],
      [older.message, Buffer.concat([older.signature, Buffer.of(0)])],
      [older.message, byCosign2(kind === 'p256' ? 'p384' : 'p256').signature],
    ] as const)
      assert.equal(await verifySignatureOnce(key, message, signature), undefined, kind);
  }
});

describe('signs as cosign 2 does', () => {
  for (const [kind, cosign2] of KINDS) {
    test(kind, async () => {
      const signer = keySigner(await privateKey(kind));
      assert.equal(signer.publicKey.hint, publicKey(kind).hint);
      assert.equal(await verifySignature(publicKey(kind), BLOB, await signer.sign(BLOB)), cosign2);
    });
  }

  test('with RSA and Ed25519, the very bytes', async () => {
    for (const kind of ['rsa2048', 'ed25519']) {
      const signature = await keySigner(await privateKey(kind)).sign(BLOB);
      assert.deepEqual(Buffer.from(signature), Buffer.from(byCosign2(kind).signature));
    }
  });
});

describe('rejects', () => {
  for (const [kind] of KINDS) {
    test(`${kind}: a signature over another message`, async () => {
      for (const { signature } of [byCosign2(kind), byCosign3(kind)]) {
        assert.equal(await verifySignature(publicKey(kind), Buffer.from('another'), signature), undefined);
      }
    });
    test(`${kind}: a signature with a flipped bit`, async () => {
      for (const { message, signature } of [byCosign2(kind), byCosign3(kind)]) {
        const flipped = signature.slice();
        flipped[signature.length - 5] = (signature.at(-5) ?? 0) ^ 1;
        assert.equal(await verifySignature(publicKey(kind), message, flipped), undefined);
      }
    });
    test(`${kind}: a signature by another key`, async () => {
      for (const [other] of KINDS.filter(([name]) => name !== kind)) {
        for (const { message, signature } of [byCosign2(other), byCosign3(other)]) {
          assert.equal(await verifySignature(publicKey(kind), message, signature), undefined);
        }
      }
    });
    test(`${kind}: no signature, zeros, and one that is cut or longer`, async () => {
      const { signature } = byCosign2(kind);
      const others = [
        new Uint8Array(),
        new Uint8Array(signature.length),
        signature.subarray(0, -1),
        signature.subarray(1),
        Buffer.concat([signature, Buffer.of(0)]),
      ];
      for (const other of others) assert.equal(await verifySignature(publicKey(kind), BLOB, other), undefined);
    });
  }

  test('ECDSA with another digest than the curve and cosign know', async () => {
    const key = await privateKey('p256');
    for (const digest of ['sha384', 'sha512', 'sha1']) {
      assert.equal(await verifySignature(key.publicKey, BLOB, sign(digest, BLOB, key.object)), undefined, digest);
    }
  });

  test('RSA with PSS padding', async () => {
    const { object, publicKey: rsa } = await privateKey('rsa2048');
    const pss = sign('sha256', BLOB, { key: object, padding: constants.RSA_PKCS1_PSS_PADDING });
    assert.equal(await verifySignature(rsa, BLOB, pss), undefined);
  });

  test('RSA with another digest', async () => {
    const { object, publicKey: rsa } = await privateKey('rsa2048');
    assert.equal(await verifySignature(rsa, BLOB, sign('sha512', BLOB, object)), undefined);
  });

  test('Ed25519 with a scalar that has the group order added, in either form', async () => {
    for (const { message, signature: original } of [byCosign2('ed25519'), byCosign3('ed25519')]) {
      const signature = Buffer.from(original);
      const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`) + ORDER;
      signature.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed(), 32);
      assert.equal(await verifySignature(publicKey('ed25519'), message, signature), undefined);
    }
  });

  // The neutral point as R, spelled y = p+1. RFC 8032 section 5.1.3 forbids that; ZIP 215 verifiers accept it.
  test('Ed25519ph with a point that is spelled in a second way', async () => {
    const key = await privateKey('ed25519');
    const { d = '' } = key.object.export({ format: 'jwk' });
    const number = (bytes: Uint8Array): bigint =>
      BigInt(`0x${Buffer.from(Buffer.from(bytes).toReversed()).toString('hex')}`);
    const secret = hash('sha512', Buffer.from(d, 'base64url'), 'buffer').subarray(0, 32);
    secret[0] = (secret[0] ?? 0) & 0xf8;
    secret[31] = ((secret[31] ?? 0) & 0x7f) | 0x40;
    const sealWith = (r: string): Uint8Array => {
      const domain = Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions'), Buffer.of(1, 0)]);
      const point = Buffer.from(r, 'hex');
      const digest = hash('sha512', BLOB, 'buffer');
      const k = number(
        hash('sha512', Buffer.concat([domain, point, key.publicKey.spki.subarray(-32), digest]), 'buffer'),
      );
      const s = (k * number(secret)) % ORDER;
      return Buffer.concat([point, Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed()]);
    };
    assert.equal(await verifySignature(key.publicKey, BLOB, sealWith(`01${'00'.repeat(31)}`)), 'ed25519ph');
    assert.equal(await verifySignature(key.publicKey, BLOB, sealWith(`ee${'ff'.repeat(30)}7f`)), undefined);
  });

  // One signature has one spelling, or logs and caches that go by its bytes can be fooled.
  test('ECDSA in BER that is not DER', async () => {
    const key = publicKey('p256');
    const { signature: der } = byCosign2('p256');
    const [tag = 0, length = 0] = der;
    const rLength = der[3] ?? 0;
    const r = der.subarray(4, 4 + rLength);
    const rest = der.subarray(4 + rLength);
    const spellings = {
      'a length in the long form': Buffer.of(tag, 0x81, length, ...der.subarray(2)),
      'an indefinite length': Buffer.of(tag, 0x80, ...der.subarray(2), 0, 0),
      'a padded integer': Buffer.of(tag, length + 1, 2, rLength + 1, 0, ...r, ...rest),
      'a third integer': Buffer.of(tag, length + 3, ...der.subarray(2), 2, 1, 0),
    };
    assert.equal(await verifySignature(key, BLOB, der), 'ecdsa-p256-sha256');
    for (const [name, spelling] of Object.entries(spellings)) {
      assert.equal(await verifySignature(key, BLOB, spelling), undefined, name);
    }
  });

  test('ECDSA in the form of fixed length that JWTs use', async () => {
    const { object, publicKey: key } = await privateKey('p256');
    assert.equal(
      await verifySignature(key, BLOB, sign('sha256', BLOB, { key: object, dsaEncoding: 'ieee-p1363' })),
      undefined,
    );
  });
});
