// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { WireError } from './wire-error.ts';

const malformed = (error: unknown): boolean => error instanceof WireError && error.code === 'base64-malformed';

describe('decodeBase64', () => {
  test('gives back what encodeBase64 was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.deepEqual([...decodeBase64(encodeBase64(bytes), 'x')], [...bytes]);
      }),
    );
  });

  test('encodes the view that it is given, not the buffer behind it', () => {
    const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    assert.equal(encodeBase64(view), 'AgM=');
  });

  for (const [text, why] of [
    ['AQ', 'padding that is missing'],
    ['AQ=', 'padding that is half missing'],
    ['AQ===', 'padding that is too long'],
    ['A', 'a single character'],
    ['AR==', 'stray bits in the last group'],
    ['AQ==\n', 'a line break at the end'],
    ['AQID AQID', 'white space inside'],
    ['-_-_', 'the URL alphabet'],
    ['AQ==AQ==', 'padding inside'],
    ['AQI\u0000', 'a NUL'],
    ['ＡＱＩＤ', 'letters of another script'],
  ] as const) {
    test(`refuses ${why}`, () => assert.throws(() => decodeBase64(text, 'x'), malformed));
  }

  test('names the value and not its content in the error', () => {
    assert.throws(() => decodeBase64('secret!', 'signatures[0].sig'), {
      message: 'signatures[0].sig is not base64 (standard alphabet, padded)',
    });
  });

  test('has one spelling for each value and no other error than its own', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('AQgw+/-_= \n\ud800')) }), (text) => {
        try {
          assert.equal(encodeBase64(decodeBase64(text, 'x')), text);
        } catch (error) {
          assert.ok(malformed(error), String(error));
        }
      }),
    );
  });

  test('decodes 16 MiB, as attachments may have', () => {
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(7);
    assert.equal(Buffer.compare(decodeBase64(encodeBase64(bytes), 'x'), bytes), 0);
  });
});
