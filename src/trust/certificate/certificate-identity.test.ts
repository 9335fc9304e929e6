// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as der from '../der/der-writer.ts';
import { newTestKeys, newTestStack, type TestKeys } from './authority.fixture.ts';
import { encodeExtension, encodeSubjectAltName } from './build-certificate.ts';
import { certificateIdentity, type IdentityCheck } from './certificate-identity.ts';
import { encodeName } from './distinguished-name.ts';
import { FULCIO_ARC, ExtensionOid } from './object-identifier.ts';

let keys: TestKeys;
before(async () => {
  keys = await newTestKeys();
});

async function identityWith(extensions: Readonly<Record<string, Uint8Array | undefined>>): Promise<IdentityCheck> {
  const { leaf } = await newTestStack(keys, { leaf: { extensions, subject: encodeName({ commonName: 'admin' }) } });
  return certificateIdentity(leaf);
}

function names(...encoded: readonly Uint8Array[]): Uint8Array {
  return encodeExtension(ExtensionOid.subjectAltName, der.sequence(...encoded), true);
}

describe('says whose a certificate is', () => {
  const forms = [
    { kind: 'email', value: 'dev@example.com' },
    { kind: 'uri', value: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main' },
    { kind: 'username', value: 'jane!example.com' },
    { kind: 'dns', value: 'example.com' },
  ] as const;
  for (const name of forms) {
    test(`by ${name.kind}`, async () => {
      assert.deepEqual(await identityWith({ name: encodeSubjectAltName(name) }), {
        kind: 'accepted',
        identity: { subject: name.value, kind: name.kind, claims: { issuer: 'https://issuer.example' } },
      });
    });
  }
});

describe('rejects', () => {
  const email = (text: string): Uint8Array => der.implicit(1, der.ascii(text));
  const cases: Readonly<Record<string, readonly [Readonly<Record<string, Uint8Array | undefined>>, string, RegExp]>> = {
    'a certificate with two names': [
      { name: names(email('dev@example.com'), email('admin@example.com')) },
      'identity-ambiguous',
      /^2 names: email 'dev@example\.com', email 'admin@example\.com'$/,
    ],
    'a certificate with a name of another form beside the one': [
      { name: names(email('dev@example.com'), der.implicit(7, Uint8Array.of(127, 0, 0, 1))) },
      'identity-ambiguous',
      /a name of another form/,
    ],
    'the same name twice': [
      { name: names(email('dev@example.com'), email('dev@example.com')) },
      'identity-ambiguous',
      /2 names/,
    ],
    'a certificate that has only a common name': [
      { name: undefined },
      'identity-missing',
      /no subject alternative name/,
    ],
    'a name of a form that nobody signs under': [
      { name: names(der.implicit(7, Uint8Array.of(127, 0, 0, 1))) },
      'identity-missing',
      /another form/,
    ],
    'two issuers': [
      { claim1: encodeExtension(`${FULCIO_ARC}.8`, der.utf8String('https://evil.example')) },
      'claims-malformed',
      /two issuers/,
    ],
  };
  for (const [name, [extensions, code, found]] of Object.entries(cases)) {
    test(name, async () => {
      const check = await identityWith(extensions);
      assert.ok(check.kind === 'rejected');
      assert.equal(check.rejection.code, code);
      assert.match(check.rejection.found, found);
    });
  }
});
