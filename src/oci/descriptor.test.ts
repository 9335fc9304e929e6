// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Json } from '../wire/index.ts';
import { decodeDescriptor, descriptorJson } from './descriptor.ts';
import { RegistryError } from './error.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const plain = { mediaType: 'a/b', digest: DIGEST, size: 3 };

describe('decodeDescriptor', () => {
  test('reads all members that are of use and leaves others out', () => {
    const json = {
      ...plain,
      artifactType: 'c/d',
      annotations: { k: 'v' },
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' },
      urls: ['https://elsewhere.example/'],
      data: 'e30=',
    };
    assert.deepEqual(decodeDescriptor(json, 'config'), {
      ...plain,
      artifactType: 'c/d',
      annotations: { k: 'v' },
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    });
  });

  test('takes null, and an empty artifactType, for what is not there', () => {
    const json = { ...plain, artifactType: '', annotations: null, platform: null };
    assert.deepEqual(decodeDescriptor(json, 'config'), plain);
  });

  for (const [json, message] of [
    [undefined, 'layers[3] is missing, expected a descriptor'],
    [null, 'layers[3] is null, expected a descriptor'],
    [[], 'layers[3] is an array, expected a descriptor'],
    [{}, 'layers[3].digest is missing, expected sha256:<64 hex> or sha512:<128 hex>'],
    [
      { ...plain, digest: 'sha256:../../etc/passwd' },
      "layers[3].digest is 'sha256:../../etc/passwd', expected sha256:<64 hex> or sha512:<128 hex>",
    ],
    [{ ...plain, size: -1 }, 'layers[3].size is -1, expected a number of bytes'],
    [{ ...plain, size: 1.5 }, 'layers[3].size is 1.5, expected a number of bytes'],
    [{ ...plain, size: 2 ** 53 }, 'layers[3].size is 9007199254740992, expected a number of bytes'],
    [{ ...plain, size: '3' }, "layers[3].size is '3', expected a number of bytes"],
    [{ ...plain, mediaType: undefined }, 'layers[3].mediaType is missing'],
    [{ ...plain, mediaType: 7 }, 'layers[3].mediaType is 7, expected a string of at most 1024 characters'],
    [{ ...plain, annotations: [] }, 'layers[3].annotations is an array, expected an object'],
    [
      { ...plain, annotations: { 'a\n': 1 } },
      String.raw`layers[3].annotations has 'a\u{a}' as a number, expected a string`,
    ],
    [{ ...plain, annotations: { a: 'x'.repeat(1024 * 1024) } }, 'layers[3].annotations hold more than 1048576 bytes'],
  ] as const) {
    test(`refuses one where ${message.slice(0, 80)}`, () => {
      assert.throws(() => decodeDescriptor(json as Json, 'layers[3]'), { code: 'manifest-malformed', message });
    });
  }

  test('reads back what descriptorJson wrote', () => {
    const full = {
      ...plain,
      artifactType: 'c/d',
      annotations: { k: 'v' },
      platform: { os: 'linux', architecture: 'arm64' },
    };
    for (const json of [plain, full]) {
      const descriptor = decodeDescriptor(json, 'it');
      assert.deepEqual(decodeDescriptor(descriptorJson(descriptor), 'it'), descriptor);
    }
  });

  test('has no other error than its own, whatever the JSON', () => {
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(plain)), fc.constant(DIGEST));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(plain), 'annotations', 'platform'), values), (json) => {
        try {
          decodeDescriptor(json as Json, 'it');
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      }),
    );
  });
});
