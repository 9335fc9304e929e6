// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { quoted } from './quoted.ts';

test('escapes what a terminal would obey', () => {
  assert.equal(quoted('a\nb\u001b[31m\u202ec\u2028'), String.raw`'a\u{a}b\u{1b}[31m\u{202e}c\u{2028}'`);
});

test('cuts what is long', () => {
  assert.equal(quoted('abcdef', 3), "'abc…'");
});

test('is always one line of printable text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(quoted(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});
