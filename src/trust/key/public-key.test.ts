// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { CodedError } from '../../wire/index.ts';
import type { TrustErrorCode } from '../error.ts';
import { decodePublicKey, encodePublicKey, KEY_ALGORITHMS } from './public-key.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const KEYS: Readonly<Record<string, string>> = {
  'cosign.pub': 'ecdsa-p256',
  'imp-p384.pub': 'ecdsa-p384',
  'imp-p521.pub': 'ecdsa-p521',
  'imp-ed25519.pub': 'ed25519',
  'imp-rsa2048.pub': 'rsa-2048',
  'imp-rsa3072.pub': 'rsa-3072',
  'imp-rsa4096.pub': 'rsa-4096',
};

function file(path: string): Buffer {
  return readFileSync(join(golden, path));
}

function refused(bytes: Uint8Array | string, code: TrustErrorCode, pattern: RegExp): void {
  assert.throws(
    () => decodePublicKey(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, 'the.pub'),
    (error) => {
      assert.ok(error instanceof CodedError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, pattern);
      assert.ok(error.message.startsWith('the.pub ') && !error.message.includes('\n'), error.message);
      return true;
    },
  );
}

describe('reads what cosign wrote, and writes it back byte for byte', () => {
  for (const [name, algorithm] of Object.entries(KEYS)) {
    test(name, () => {
      const key = decodePublicKey(file(`_keys/${name}`), name);
      assert.equal(key.algorithm, algorithm);
      assert.equal(encodePublicKey(key), file(`_keys/${name}`).toString());
      assert.equal(key.hint, createHash('sha256').update(key.spki).digest('base64'));
    });
  }

  test('all kinds that can be generated are among them', () => {
    assert.deepEqual(Object.values(KEYS), KEY_ALGORITHMS);
  });
});

test('a key is named by what OpenSSL writes of it, in whichever form it came', () => {
  for (const name of [
    '_keys/cosign.pub',
    '_keys/imp-p384.pub',
    'openssl-keys/p256.pub',
    'openssl-keys/compressed.pub',
  ]) {
    const key = decodePublicKey(file(name), name);
    const { object } = decodePublicKey(Buffer.from(JSON.stringify(key.object.export({ format: 'jwk' }))), name);
    assert.deepEqual(key.spki, new Uint8Array(object.export({ type: 'spki', format: 'der' })), name);
  }
});

test('gives the hint that cosign writes into bundles', () => {
  assert.equal(decodePublicKey(file('_keys/cosign.pub'), 'it').hint, 'wuImj6xlg6g6lWyEgx1O2OeID1jpiKcG+vwoiDXluH8=');
});

describe('reads one key in every form', () => {
  const expected = file('openssl-keys/p256.pub').toString();
  const object = createPublicKey(expected);
  const forms = {
    PEM: expected,
    DER: file('openssl-keys/p256.pub.der'),
    JWK: JSON.stringify(object.export({ format: 'jwk' })),
    'JWK with members that say what it is for': JSON.stringify({
      ...object.export({ format: 'jwk' }),
      use: 'sig',
      kid: '1',
    }),
    'PEM after a comment and with CR LF': `key of the release team\r\n${expected.replaceAll('\n', '\r\n')}`,
    'PEM with a compressed point': file('openssl-keys/compressed.pub'),
    'PEM before a certificate': `${expected}${file('openssl-keys/certificate.pem').toString()}`,
  };
  for (const [name, form] of Object.entries(forms)) {
    test(name, () => assert.equal(encodePublicKey(decodePublicKey(Buffer.from(form), 'it')), expected));
  }

  test('RSA PUBLIC KEY (PKCS #1), of a size between the usual ones', () => {
    const key = decodePublicKey(file('openssl-keys/rsa2560.pkcs1.pub'), 'it');
    assert.equal(key.algorithm, 'rsa-2560');
    assert.equal(
      encodePublicKey(key),
      createPublicKey(file('openssl-keys/rsa2560.pem')).export({ type: 'spki', format: 'pem' }),
    );
  });

  for (const name of ['imp-p384.pub', 'imp-p521.pub', 'imp-ed25519.pub', 'imp-rsa2048.pub']) {
    test(`JWK of ${name}`, () => {
      const jwk = createPublicKey(file(`_keys/${name}`)).export({ format: 'jwk' });
      const key = decodePublicKey(Buffer.from(JSON.stringify(jwk)), 'it');
      assert.equal(encodePublicKey(key), file(`_keys/${name}`).toString());
    });
  }
});

describe('says that it was given a private key', () => {
  const asks = /holds a private key, expected a public one\. Are you passing the correct public key\?$/;
  for (const name of [
    '_keys/cosign.key',
    '_keys/p256.pem',
    '_keys/p384.pem',
    '_keys/rsa2048.pem',
    '_keys/encp8.pem',
    '_keys/ed25519.pem',
    'openssl-keys/pkcs8.der',
    'openssl-keys/pbes2.der',
  ]) {
    test(name, () => refused(file(name), 'key-is-private', asks));
  }
  test('as JWK', () => refused('{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}', 'key-is-private', asks));
});

describe('names the kind of key that it does not take', () => {
  const unsupported = {
    'secp256k1.pub': /of type secp256k1, expected ECDSA on P-256/,
    'p224.pub': /of type P-224/,
    'ed448.pub': /of type Ed448/,
    'rsa-pss.pub': /of type RSA-PSS/,
    'rsa-e3.pub': /of type RSA with the exponent 3/,
    'rsa5120.pub': /of type RSA with 5120 bits/,
    'explicit-parameters.pub': /of type EC with explicit parameters/,
    'certificate.pem': /is a certificate, expected a key/,
  };
  for (const [name, pattern] of Object.entries(unsupported)) {
    test(name, () => refused(file(`openssl-keys/${name}`), 'key-unsupported', pattern));
  }
  const jwks = {
    '{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}': /JWK of type EC secp256k1/,
    '{"kty":"oct","k":"AA"}': /JWK of type oct/,
    '{"kty":"OKP","crv":"X25519","x":"AA"}': /JWK of type OKP X25519/,
    '{"keys":[{"kty":"RSA"}]}': /a set of JWKs/,
    '{}': /JWK of type nothing/,
  };
  for (const [jwk, pattern] of Object.entries(jwks)) test(jwk, () => refused(jwk, 'key-unsupported', pattern));

  test('Ed25519 with a point of small order, under which anything would verify', () => {
    // Curve arithmetic as a second opinion: from a generator of the points of order 8 to all of them.
    const generator = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    const points = Array.from({ length: 8 }, (_, n) =>
      n === 0 ? ed25519.Point.ZERO : generator.multiplyUnsafe(BigInt(n)),
    );
    const spellings = [...points.map((point) => point.toHex()), `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}ff`];
    assert.equal(new Set(spellings).size, 10);
    for (const point of spellings) {
      const der = Buffer.from(`302a300506032b6570032100${point}`, 'hex');
      refused(der, 'key-unsupported', /of type Ed25519 with a point of small order/);
    }
  });

  test('RSA with 1024 bits', () => {
    const pem = createPublicKey(file('_keys/rsa1024.pem')).export({ type: 'spki', format: 'pem' });
    refused(pem, 'key-unsupported', /of type RSA with 1024 bits/);
  });
});

describe('refuses as no key', () => {
  const pem = file('_keys/cosign.pub').toString();
  const offCurve = Buffer.from(file('openssl-keys/p256.pub.der'));
  offCurve[90] = (offCurve[90] ?? 0) ^ 1;
  const malformed: Readonly<Record<string, readonly [Uint8Array | string, RegExp]>> = {
    nothing: ['', /holds nothing/],
    'some text': ['hello', /5 bytes that are neither PEM, DER nor JWK/],
    'an OpenSSH public key': [file('openssl-keys/openssh.pub'), /neither PEM, DER nor JWK/],
    'two keys, of which either may be meant': [pem + pem, /2 keys \(PUBLIC KEY, PUBLIC KEY\), expected one key a file/],
    'PEM with something else in it': [
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
      /'PUBLIC KEY' that holds no key/,
    ],
    'parameters without their key': [
      '-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----',
      /PEM without a key/,
    ],
    'DER that is no key': [Buffer.from('3003020105', 'hex'), /DER that is no key/],
    'DER with a byte too many': [
      Buffer.concat([file('openssl-keys/p256.pub.der'), Buffer.of(0)]),
      /DER that is no key/,
    ],
    'a point that is not on the curve': [offCurve, /a broken P-256 key/],
    'JSON that does not end': ['{"kty":"EC"', /begins like a JWK and is not JSON/],
    'a JWK without a coordinate': ['{"kty":"EC","crv":"P-256","x":"AA"}', /member 'y' is missing/],
    'a JWK with a coordinate in another alphabet': [
      '{"kty":"OKP","crv":"Ed25519","x":"A+/="}',
      /member 'x' is missing or not base64url/,
    ],
    'a JWK with a number for a coordinate': ['{"kty":"OKP","crv":"Ed25519","x":1}', /member 'x' is missing/],
    'a JWK with a point that is not on the curve': [
      '{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}',
      /make no public key/,
    ],
    'a file that is too large': [Buffer.alloc(65537, 0x30), /65537 bytes, a key has at most 65536/],
  };
  for (const [name, [bytes, pattern]] of Object.entries(malformed)) {
    test(name, () => refused(bytes, 'key-malformed', pattern));
  }
  test('PEM that does not end', () => refused(pem.slice(0, 100), 'pem-malformed', /does not end/));
});
