// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as der from '../der/der-writer.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { encodePem } from '../key/pem.ts';
import { newTestKey, type TestKey } from './authority.fixture.ts';
import { decodeCertificateRequest, verifyCertificateRequest } from './certificate-request.ts';
import { encodeName } from './distinguished-name.ts';
import { encodeSignatureAlgorithm } from './signature-algorithm.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const csr = readFileSync(join(golden, '_pki/leaf.csr'));

interface Parts {
  readonly version?: number;
  readonly attributes?: readonly Uint8Array[];
  readonly signedBy?: TestKey;
  readonly algorithm?: Uint8Array;
  readonly after?: readonly Uint8Array[];
}

async function request(key: TestKey, parts: Parts = {}): Promise<Uint8Array> {
  const { version = 0, attributes = [der.explicit(0, der.nullValue())], signedBy = key, after = [] } = parts;
  const info = der.sequence(der.integer(version), encodeName({}), key.private.publicKey.spki, ...attributes);
  const { signer } = signedBy;
  const algorithm = parts.algorithm ?? encodeSignatureAlgorithm(signer.algorithm);
  return der.sequence(info, algorithm, der.bitString(await signer.sign(info)), ...after);
}

test('reads what openssl wrote, with its key', () => {
  const decoded = decodeCertificateRequest(csr, 'leaf.csr');
  assert.equal(decoded.publicKey.algorithm, 'ecdsa-p256');
  assert.equal(decoded.signatureAlgorithm, 'ecdsa-sha256');
  assert.equal(decoded.subject.length, 2);
  assert.ok(verifyCertificateRequest(decoded));
});

describe('verifies the signature of the key that asks', () => {
  for (const algorithm of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048'] as const) {
    test(algorithm, async () => {
      const key = await newTestKey(algorithm);
      assert.ok(verifyCertificateRequest(decodeCertificateRequest(await request(key), 'it')));
    });
  }
  test('as PEM under either name, and without attributes', async () => {
    const bytes = await request(await newTestKey(), { attributes: [] });
    for (const label of ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])
      assert.ok(verifyCertificateRequest(decodeCertificateRequest(Buffer.from(encodePem(label, bytes)), 'it')));
  });
});

describe('does not verify', () => {
  test('the signature of another key', async () => {
    const bytes = await request(await newTestKey(), { signedBy: await newTestKey() });
    assert.equal(verifyCertificateRequest(decodeCertificateRequest(bytes, 'it')), false);
  });
  test('a signature under another algorithm', async () => {
    for (const oid of ['1.2.840.10045.4.3.3', '1.2.840.10045.4.1', '1.3.101.112']) {
      const bytes = await request(await newTestKey(), { algorithm: der.sequence(der.oid(oid)) });
      assert.equal(verifyCertificateRequest(decodeCertificateRequest(bytes, 'it')), false, oid);
    }
  });
});

describe('refuses', () => {
  const refused = (bytes: Uint8Array, code: TrustErrorCode, pattern: RegExp): void =>
    assert.throws(
      () => decodeCertificateRequest(bytes, 'it'),
      (error) => error instanceof TrustError && error.code === code && pattern.test(error.message),
    );
  test('another version', async () => {
    refused(await request(await newTestKey(), { version: 1 }), 'request-malformed', /version 2, expected 1/);
  });
  test('something behind it', async () => {
    const bytes = await request(await newTestKey(), { after: [der.nullValue()] });
    refused(bytes, 'der-malformed', /2 bytes too many/);
    refused(Buffer.concat([await request(await newTestKey()), Uint8Array.of(0)]), 'der-malformed', /1 bytes too many/);
  });
  test('something behind its attributes', async () => {
    const attributes = [der.explicit(0, der.nullValue()), der.nullValue()];
    refused(await request(await newTestKey(), { attributes }), 'der-malformed', /2 bytes too many/);
  });
  test('two', () => refused(Buffer.concat([csr, csr]), 'request-malformed', /2 PEM blocks/));
  test('a certificate', () => {
    refused(
      readFileSync(join(golden, '_pki/leaf.crt')),
      'request-malformed',
      /'CERTIFICATE', expected one CERTIFICATE REQUEST/,
    );
  });
  test('nothing', () => refused(new Uint8Array(), 'request-malformed', /0 PEM blocks/));
  test('more than 64 KiB', () => refused(new Uint8Array(65_537), 'request-malformed', /65537 bytes/));
  test('a key that is not used here', () => {
    const spki = der.sequence(der.sequence(der.oid('1.2.3')), der.bitString(Uint8Array.of(1)));
    const info = der.sequence(der.integer(0), encodeName({}), spki);
    const bytes = der.sequence(info, encodeSignatureAlgorithm('ed25519'), der.bitString(Uint8Array.of(1)));
    refused(bytes, 'key-unsupported', /1\.2\.3/);
  });
});
