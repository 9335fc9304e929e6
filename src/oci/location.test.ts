// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseDigest } from './digest.ts';
import { ReferenceFault } from './error.ts';
import { isRefName, parseLocation } from './location.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

describe('parseLocation reads', () => {
  for (const [text, expected] of [
    ['oci-layout:/tmp/image', { kind: 'layout', path: '/tmp/image' }],
    ['oci-layout:dir:v1', { kind: 'layout', path: 'dir', tag: 'v1' }],
    ['oci:./dir:v1', { kind: 'layout', path: './dir', tag: 'v1' }],
    [`oci:dir@${DIGEST}`, { kind: 'layout', path: 'dir', digest: DIGEST }],
    [`oci:dir:v1@${DIGEST}`, { kind: 'layout', path: 'dir', tag: 'v1', digest: DIGEST }],
    ['oci:dir:docker.io/library/alpine:3', { kind: 'layout', path: 'dir', tag: 'docker.io/library/alpine:3' }],
    ['oci:me@home/dir', { kind: 'layout', path: 'me@home/dir' }],
    ['oci:dir with spaces', { kind: 'layout', path: 'dir with spaces' }],
    [
      'alpine:3',
      { kind: 'registry', reference: { registry: 'index.docker.io', repository: 'library/alpine', tag: '3' } },
    ],
    ['oci', { kind: 'registry', reference: { registry: 'index.docker.io', repository: 'library/oci' } }],
  ] as const) {
    test(text, () => assert.deepEqual(parseLocation(text), expected));
  }
});

describe('parseLocation refuses', () => {
  for (const [text, code] of [
    ['oci:', 'reference-malformed'],
    ['oci::v1', 'reference-malformed'],
    ['oci:a\0b', 'reference-malformed'],
    ['oci:dir:', 'tag-malformed'],
    ['oci:dir:a b', 'tag-malformed'],
    ['oci:dir:../x', 'tag-malformed'],
    ['oci:dir@sha256:abc', 'digest-malformed'],
    ['oci:dir@sha512:abc', 'digest-malformed'],
    ['oci://ghcr.io/charts/app', 'reference-malformed'],
  ] as const) {
    test(text.replace('\0', '\\0'), () => assert.throws(() => parseLocation(text), { name: 'ReferenceFault', code }));
  }

  test('anything else with its own error only', () => {
    fc.assert(
      fc.property(fc.constantFrom('oci:', 'oci-layout:', ''), fc.string({ unit: 'binary' }), (scheme, rest) => {
        try {
          const location = parseLocation(scheme + rest);
          if (location.kind === 'layout') assert.notEqual(location.path, '');
        } catch (error) {
          assert.ok(error instanceof ReferenceFault, String(error));
        }
      }),
    );
  });
});

test('a digest is not a name in a layout, so that no entry can pose as one', () => {
  assert.equal(isRefName(DIGEST), false);
  assert.equal(isRefName('sha256-abc.sig'), true);
});
