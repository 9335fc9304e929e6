// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../../wire/index.ts';
import { decodeAnyBase64 } from './any-base64.ts';

test('reads both alphabets, with and without padding', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const buffer = Buffer.from(bytes);
      const padded = buffer.toString('base64');
      const url = buffer.toString('base64url');
      const spellings = [padded, padded.replaceAll('=', ''), url, url + '='.repeat((4 - (url.length % 4)) % 4)];
      for (const text of spellings) assert.deepEqual(Buffer.from(decodeAnyBase64(text, 'it')), buffer);
    }),
  );
});

describe('refuses', () => {
  const malformed = {
    'white space': 'AAAA\nAAAA',
    'a mixture of the alphabets': '-+AA',
    'stray bits': 'AB==',
    'stray bits without padding': 'AB',
    'a single character': 'A',
    'too much padding': 'AA===',
    'padding in the middle': 'AA==AAAA',
    'other characters': 'AA*A',
  };
  for (const [name, text] of Object.entries(malformed)) {
    test(name, () => {
      assert.throws(
        () => decodeAnyBase64(text, 'bundle.payload'),
        (error) =>
          error instanceof WireError &&
          error.code === 'base64-malformed' &&
          error.message.startsWith('bundle.payload '),
      );
    });
  }
});
