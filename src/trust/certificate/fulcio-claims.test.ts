// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DerReader } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { encodeExtension } from './build-certificate.ts';
import { readExtensions, type Extension } from './extension.ts';
import { encodeFulcioClaims, FULCIO_CLAIMS, readFulcioClaims, type FulcioClaims } from './fulcio-claims.ts';

const ARC = '1.3.6.1.4.1.57264.1';

/** Extensions as a certificate has them. */
function extensionsOf(...encoded: readonly Uint8Array[]): { readonly extensions: ReadonlyMap<string, Extension> } {
  if (encoded.length === 0) return { extensions: new Map() };
  return { extensions: readExtensions(new DerReader(der.sequence(...encoded), 'it'), 'it') };
}

/** What a test wrote by hand under a number of Fulcio's. */
function written(number: number, value: Uint8Array | string): Uint8Array {
  return encodeExtension(`${ARC}.${number}`, typeof value === 'string' ? Buffer.from(value) : value);
}

const EVERY: FulcioClaims = {
  issuer: 'https://token.actions.githubusercontent.com',
  githubWorkflowTrigger: 'push',
  githubWorkflowSha: '0123456789012345678901234567890123456789',
  githubWorkflowName: 'Release ✓',
  githubWorkflowRepository: 'org/app',
  githubWorkflowRef: 'refs/heads/main',
  buildSignerUri: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main',
  buildSignerDigest: '1',
  runnerEnvironment: 'github-hosted',
  sourceRepositoryUri: 'https://github.com/org/app',
  sourceRepositoryDigest: '2',
  sourceRepositoryRef: 'refs/heads/main',
  sourceRepositoryIdentifier: '3',
  sourceRepositoryOwnerUri: 'https://github.com/org',
  sourceRepositoryOwnerIdentifier: '4',
  buildConfigUri: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main',
  buildConfigDigest: '5',
  buildTrigger: 'push',
  runInvocationUri: 'https://github.com/org/app/actions/runs/6/attempts/1',
  sourceRepositoryVisibilityAtSigning: 'public',
  deploymentEnvironment: 'production',
  tokenSubject: 'repo:org/app:ref:refs/heads/main',
};

test('names every extension of Fulcio but the username, which is a name', () => {
  const numbers = [...FULCIO_CLAIMS.values()].map((oid) => Number(oid.slice(ARC.length + 1)));
  assert.deepEqual(numbers, [2, 3, 4, 5, 6, 8, ...Array.from({ length: 16 }, (_, n) => n + 9)]);
});

test('reads each number under its name', () => {
  const extensions = [
    ...[2, 3, 4, 5, 6].map((number) => written(number, `value ${number}`)),
    ...Array.from({ length: 17 }, (_, n) => written(n + 8, der.utf8String(`value ${n + 8}`))),
  ];
  assert.deepEqual(readFulcioClaims(extensionsOf(...extensions)), {
    githubWorkflowTrigger: 'value 2',
    githubWorkflowSha: 'value 3',
    githubWorkflowName: 'value 4',
    githubWorkflowRepository: 'value 5',
    githubWorkflowRef: 'value 6',
    issuer: 'value 8',
    buildSignerUri: 'value 9',
    buildSignerDigest: 'value 10',
    runnerEnvironment: 'value 11',
    sourceRepositoryUri: 'value 12',
    sourceRepositoryDigest: 'value 13',
    sourceRepositoryRef: 'value 14',
    sourceRepositoryIdentifier: 'value 15',
    sourceRepositoryOwnerUri: 'value 16',
    sourceRepositoryOwnerIdentifier: 'value 17',
    buildConfigUri: 'value 18',
    buildConfigDigest: 'value 19',
    buildTrigger: 'value 20',
    runInvocationUri: 'value 21',
    sourceRepositoryVisibilityAtSigning: 'value 22',
    deploymentEnvironment: 'value 23',
    tokenSubject: 'value 24',
  });
});

test('writes in Fulcio’s order, the issuer in both forms, the first six raw and the others as UTF8String', () => {
  const { extensions } = extensionsOf(...encodeFulcioClaims(EVERY));
  const found = [...extensions].map(([oid, { value, critical }]) => {
    assert.equal(critical, false);
    const number = Number(oid.slice(ARC.length + 1));
    assert.equal(value[0] === 0x0c && value[1] === value.length - 2, number > 6, oid);
    return number;
  });
  assert.deepEqual(found, [1, 2, 3, 4, 5, 6, 8, ...Array.from({ length: 16 }, (_, n) => n + 9)]);
  assert.equal(Buffer.from(extensions.get(`${ARC}.1`)?.value ?? []).toString(), EVERY.issuer);
});

test('reads what it wrote', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 });
  const claims = fc.record(
    Object.fromEntries([...FULCIO_CLAIMS.keys()].map((name) => [name, text])) as Record<
      keyof FulcioClaims,
      typeof text
    >,
    { requiredKeys: ['issuer'] },
  );
  fc.assert(
    fc.property(claims, (some) => {
      assert.deepEqual({ ...readFulcioClaims(extensionsOf(...encodeFulcioClaims(some))) }, { ...some });
    }),
  );
});

test('leaves out what is empty', () => {
  const { extensions } = extensionsOf(...encodeFulcioClaims({ issuer: 'i', buildTrigger: '', githubWorkflowRef: '' }));
  assert.deepEqual([...extensions.keys()], [`${ARC}.1`, `${ARC}.8`]);
});

test('takes the issuer from its old form where there is no new one', () => {
  assert.deepEqual(readFulcioClaims(extensionsOf(written(1, 'old'))), { issuer: 'old' });
});

test('has no claims of what is not Fulcio’s, and of numbers that nobody has assigned', () => {
  assert.deepEqual(readFulcioClaims(extensionsOf()), {});
  const others = [encodeExtension('1.2.3', der.nullValue()), written(25, 'new'), written(7, der.nullValue())];
  assert.deepEqual(readFulcioClaims(extensionsOf(...others)), {});
});

describe('refuses', () => {
  const cases: Readonly<Record<string, readonly [readonly Uint8Array[], RegExp]>> = {
    'two issuers': [[written(1, 'a'), written(8, der.utf8String('b'))], /two issuers, 'a' and 'b'/],
    'a raw claim that is not UTF-8': [[written(2, Uint8Array.of(0xff))], /57264\.1\.2 .*expected UTF-8/],
    'raw text where DER is expected': [[written(9, 'https://example.com')], /57264\.1\.9 .*expected a DER UTF8String/],
    'another string type': [[written(9, der.ia5String('x'))], /57264\.1\.9/],
    'something behind the string': [[written(9, Buffer.concat([der.utf8String('x'), der.nullValue()]))], /57264\.1\.9/],
    'half a string': [[written(24, Uint8Array.of(0x0c, 5, 0x61))], /57264\.1\.24/],
    'nothing where a string is expected': [[written(24, new Uint8Array())], /57264\.1\.24/],
  };
  for (const [name, [extensions, pattern]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(
        () => readFulcioClaims(extensionsOf(...extensions)),
        (error) => error instanceof TrustError && error.code === 'claims-malformed' && pattern.test(error.message),
      ),
    );
  }

  test('to write claims without an issuer', () => {
    for (const claims of [{}, { issuer: '' }, { buildTrigger: 'push' }])
      assert.throws(
        () => encodeFulcioClaims(claims),
        (error) => error instanceof TrustError && error.code === 'certificate-unissuable',
      );
  });
});
