// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CodedError } from '../../wire/index.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { decodeCosignBundle, decodeSignerMaterial } from './decode-cosign-bundle.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const read = (name: string): Uint8Array => readFileSync(join(golden, name));

describe('reads what cosign 2 wrote', () => {
  test('by a key: the key is a hint', () => {
    const { material, content, logEntries } = decodeCosignBundle(read('blob-3.1.1/old.bundle'), 'it');
    const { hint } = decodePublicKey(read('_keys/cosign.pub'), 'key');
    assert.deepEqual(material, { kind: 'public-key', hint });
    assert.ok(content.kind === 'message' && content.signature.byteLength > 60);
    assert.deepEqual(logEntries, []);
  });

  test('by an identity: certificate and the promise of the log', () => {
    const bundle = decodeCosignBundle(read('keyless-2.5.0-env/old.bundle'), 'it');
    assert.ok(bundle.material.kind === 'certificate');
    assert.equal(bundle.logEntries.length, 1);
    assert.deepEqual(decodeSignerMaterial(read('keyless-2.5.0-env/s.crt'), 's.crt'), bundle.material);
  });
});

describe('refuses', () => {
  const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  for (const [what, value, code] of [
    ['one without a signature', { cert: '' }, 'bundle-malformed'],
    ['a signature that is no base64', { base64Signature: '!' }, 'base64-malformed'],
    ['an unknown member', { base64Signature: 'AA==', more: 1 }, 'bundle-malformed'],
    ['a certificate that is none', { base64Signature: 'AA==', cert: 'AAAA' }, 'certificate-malformed'],
    ['a promise that is none', { base64Signature: 'AA==', rekorBundle: 1 }, 'log-entry-malformed'],
    ['what is no object', [], 'bundle-malformed'],
  ] as const)
    test(what, () =>
      assert.throws(
        () => decodeCosignBundle(encode(value), 'it'),
        (error) => error instanceof CodedError && error.code === code,
      ),
    );

  test('garbage, with a code', () => {
    const whole = read('keyless-2.5.0-env/old.bundle');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, bytes) => {
        const changed = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + bytes.length)]);
        try {
          decodeCosignBundle(changed, 'it');
        } catch (error) {
          assert.ok(error instanceof CodedError, String(error));
        }
      }),
      { numRuns: 200 },
    );
  });
});
