// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { keySigner } from '../key/signer.ts';
import type { Certificate } from './certificate.ts';
import { newTestKey } from './authority.fixture.ts';
import {
  decodeAddChainResponse,
  decodeSct,
  encodeAddChainResponse,
  encodeSct,
  logIdOf,
  precertificateEntry,
  sctSignedData,
  signSct,
  type SignedCertificateTimestamp,
} from './sct.ts';

const SCT: SignedCertificateTimestamp = {
  logId: Buffer.alloc(32, 7),
  timestamp: 0x0102030405,
  extensions: Uint8Array.of(9),
  hashAlgorithm: 4,
  signatureAlgorithm: 3,
  signature: Uint8Array.of(1, 2),
};

test('is written field by field as RFC 6962 has it', () => {
  const expected = `00${'07'.repeat(32)}0000000102030405000109040300020102`;
  assert.equal(Buffer.from(encodeSct(SCT)).toString('hex'), expected);
});

test('what the log signs names the certificate, its issuer and the time', () => {
  const tbs = Uint8Array.of(0xaa, 0xbb);
  const data = sctSignedData(SCT, { kind: 'precertificate', issuerKeyHash: Buffer.alloc(32, 8), tbs });
  assert.equal(Buffer.from(data).toString('hex'), `000000000001020304050001${'08'.repeat(32)}000002aabb000109`);
  const finished = sctSignedData(SCT, { kind: 'certificate', der: tbs });
  assert.equal(Buffer.from(finished).toString('hex'), '000000000001020304050000000002aabb000109');
});

const sctArbitrary = fc.record({
  logId: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  timestamp: fc.maxSafeNat(),
  extensions: fc.uint8Array({ maxLength: 40 }),
  hashAlgorithm: fc.nat(255),
  signatureAlgorithm: fc.nat(255),
  signature: fc.uint8Array({ maxLength: 80 }),
});

function plain(sct: SignedCertificateTimestamp): unknown {
  return {
    ...sct,
    ...Object.fromEntries((['logId', 'extensions', 'signature'] as const).map((name) => [name, [...sct[name]]])),
  };
}

test('is read as it was written, in octets and in JSON', () => {
  fc.assert(
    fc.property(sctArbitrary, (sct) => {
      assert.deepEqual(plain(decodeSct(encodeSct(sct))), plain(sct));
      assert.deepEqual(plain(decodeAddChainResponse(Buffer.from(encodeAddChainResponse(sct)))), plain(sct));
    }),
  );
});

test('of a certificate that has nothing but timestamps leaves no extensions', () => {
  const certificate = { fields: Uint8Array.of(5, 0), extensions: new Map() } as unknown as Certificate;
  const entry = precertificateEntry(certificate, { spki: Uint8Array.of(1) });
  assert.ok(entry.kind === 'precertificate');
  assert.equal(Buffer.from(entry.tbs).toString('hex'), '30020500');
});

test('is made by a log under the hash of its key', async () => {
  const key = await newTestKey();
  const entry = { kind: 'certificate', der: Uint8Array.of(1) } as const;
  const sct = await signSct(keySigner(key.private), entry, 5);
  assert.deepEqual([...sct.logId], [...hash('sha256', key.private.publicKey.spki, 'buffer')]);
  assert.deepEqual(sct.logId, logIdOf(key.private.publicKey));
  assert.ok(verify('sha256', sctSignedData(sct, entry), key.private.publicKey.object, sct.signature));
});

test('is not made with a key that logs do not have', async () => {
  for (const algorithm of ['ecdsa-p384', 'ed25519'] as const) {
    const signer = keySigner((await newTestKey(algorithm)).private);
    await assert.rejects(
      signSct(signer, { kind: 'certificate', der: Uint8Array.of(1) }, 5),
      (error) => error instanceof TrustError && error.code === 'key-unsupported',
    );
  }
});

test('is not written with what it cannot hold', () => {
  for (const broken of [
    { timestamp: -1 },
    { timestamp: 0.5 },
    { extensions: new Uint8Array(65_536) },
    { hashAlgorithm: 256 },
  ])
    assert.throws(
      () => encodeSct({ ...SCT, ...broken }),
      (error) => error instanceof TrustError && error.code === 'sct-malformed',
    );
});

describe('as JSON of a log, refuses', () => {
  const response = JSON.parse(encodeAddChainResponse(SCT)) as Record<string, unknown>;
  const cases: Readonly<Record<string, readonly [unknown, string]>> = {
    'another version': [{ ...response, sct_version: 1 }, 'sct-malformed'],
    'no version': [{ ...response, sct_version: undefined }, 'sct-malformed'],
    'a time as text': [{ ...response, timestamp: '5' }, 'sct-malformed'],
    'a time before 1970': [{ ...response, timestamp: -1 }, 'sct-malformed'],
    'a time that is not exact': [{ ...response, timestamp: 2 ** 60 }, 'sct-malformed'],
    'a short log id': [{ ...response, id: 'AAAA' }, 'sct-malformed'],
    'no signature': [{ ...response, signature: undefined }, 'sct-malformed'],
    'a signature with something behind': [{ ...response, signature: 'BAMAAgECAA==' }, 'sct-malformed'],
    'a signature in the alphabet of URLs': [{ ...response, signature: 'BAMAAgEC_-' }, 'base64-malformed'],
    'no object': [[], 'sct-malformed'],
    'too much of it': [{ ...response, more: 'x'.repeat(70_000) }, 'too-large'],
  };
  for (const [name, [value, code]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(
        () => decodeAddChainResponse(Buffer.from(JSON.stringify(value))),
        (error) => (error instanceof TrustError || error instanceof WireError) && error.code === code,
      ),
    );
  }
});

test('says what is wrong with it', () => {
  const good = encodeSct(SCT);
  const wrong: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'cut off': [good.subarray(0, -1), /an end within a field$/],
    longer: [Buffer.concat([good, Uint8Array.of(0)]), /1 bytes too many$/],
    'of version 2': [Buffer.concat([Uint8Array.of(1), good.subarray(1)]), /version 2, expected 1$/],
  };
  for (const [name, [bytes, pattern]] of Object.entries(wrong))
    assert.throws(
      () => decodeSct(bytes),
      (error) => error instanceof TrustError && error.code === 'sct-malformed' && pattern.test(error.message),
      name,
    );
  assert.throws(() => decodeAddChainResponse(Buffer.from('[]')), /JSON that is no object$/);
});

test('of whatever octets throws nothing but sct-malformed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        decodeSct(bytes);
      } catch (error) {
        assert.ok(error instanceof TrustError && error.code === 'sct-malformed', String(error));
      }
    }),
  );
});
