// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { entityTags } from './conditions.ts';
import { OciFault } from './oci-fault.ts';
import { parseContentRange, parseRange } from './range.ts';
import { parseRoute } from './route.ts';

describe('a Range header', () => {
  for (const [header, expected] of [
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=500-1499', { start: 500, end: 1499 }],
    ['bytes=500-', { start: 500, end: 2047 }],
    ['bytes=-500', { start: 1548, end: 2047 }],
    ['bytes=-5000', { start: 0, end: 2047 }],
    ['bytes=2000-5000', { start: 2000, end: 2047 }],
    ['bytes=2048-', 'unsatisfiable'],
    ['bytes=500-0', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5000-10000', 'unsatisfiable'],
    [undefined, undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['items=0-1', undefined],
    ['bytes=a-b', undefined],
    [`bytes=${'9'.repeat(400)}-`, undefined],
  ] as const) {
    test(`${String(header).slice(0, 30)} of 2048 bytes is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(parseRange(header, 2048), expected);
    });
  }

  test('gives a part of what is there, whatever it says', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
    );
    fc.assert(
      fc.property(header, fc.nat(), (text, size) => {
        const range = parseRange(text, size);
        if (range === undefined || range === 'unsatisfiable') return;
        assert.ok(range.start >= 0 && range.start <= range.end && range.end < size);
      }),
    );
  });
});

describe('a Content-Range header', () => {
  for (const [header, expected] of [
    ['0-511', { start: 0, end: 511 }],
    ['bytes 512-1023/*', { start: 512, end: 1023 }],
    ['bytes 0-0/1', { start: 0, end: 0 }],
    [undefined, undefined],
    ['5-4', 'malformed'],
    ['bytes=0-1', 'malformed'],
    ['0-', 'malformed'],
    ['', 'malformed'],
  ] as const) {
    test(`${header} is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(parseContentRange(header), expected);
    });
  }
});

describe('entity tags', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const [header, expected] of [
    [undefined, undefined],
    ['*', '*'],
    [`"${digest}"`, [digest]],
    [`W/"${digest}", "other" ,"${digest}"`, [digest, digest]],
    [digest, []],
    ['', []],
  ] as const) {
    test(`${header} gives ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(entityTags(header), expected);
    });
  }
});

describe('a path', () => {
  for (const [path, expected] of [
    ['/v2/', { kind: 'base' }],
    ['/v2', { kind: 'base' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/a/tags/list', { kind: 'tags', repository: 'a' }],
    ['/v2/a/b/manifests/v1', { kind: 'manifest', repository: 'a/b', target: 'v1' }],
    ['/v2/a/manifests/sha256%3Aab', { kind: 'manifest', repository: 'a', target: 'sha256:ab' }],
    ['/v2/manifests/manifests/manifests', { kind: 'manifest', repository: 'manifests', target: 'manifests' }],
    ['/v2/a/blobs/uploads/', { kind: 'uploads', repository: 'a' }],
    ['/v2/a/blobs/uploads', { kind: 'uploads', repository: 'a' }],
    ['/v2/a/blobs/uploads/x', { kind: 'upload', repository: 'a', id: 'x' }],
    ['/v2/a/blobs/sha256:x', { kind: 'blob', repository: 'a', digest: 'sha256:x' }],
    ['/v2/tags/list/tags/list', { kind: 'tags', repository: 'tags/list' }],
    ['/v2/a/referrers/sha256:x', { kind: 'referrers', repository: 'a', digest: 'sha256:x' }],
    ['/', undefined],
    ['/v2/a', undefined],
    ['/v1/a/tags/list', undefined],
    ['/v2/a/manifests/', undefined],
    ['/v2//manifests/x', undefined],
    ['http://other/v2/a/tags/list', undefined],
  ] as const) {
    test(`${path} is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(parseRoute(path), expected);
    });
  }

  for (const path of [
    '/v2/A/tags/list',
    '/v2/a//b/tags/list',
    '/v2/../a/tags/list',
    '/v2/a%2f..%2fb/tags/list',
    `/v2/${'a'.repeat(256)}/tags/list`,
    '/v2/a%zz/tags/list',
    '/v2/-a/tags/list',
  ]) {
    test(`${path.slice(0, 40)} names no repository`, () => {
      assert.throws(() => parseRoute(path), { code: 'NAME_INVALID' });
    });
  }

  test('is a route, or none, or a fault, whatever it holds', () => {
    const part = fc.constantFrom(
      '/v2/',
      'a',
      '/',
      'tags/list',
      'manifests/',
      'blobs/uploads',
      '%',
      '%2e',
      '..',
      'sha256:',
      '\0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        try {
          const route = parseRoute(parts.join(''));
          if (route !== undefined && 'repository' in route) assert.match(route.repository, /^[a-z0-9/._-]+$/);
        } catch (error) {
          assert.ok(error instanceof OciFault && error.status === 400);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
