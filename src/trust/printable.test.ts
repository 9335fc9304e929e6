// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';

test('leaves text as it is', () => {
  assert.equal(printable('application/vnd.in-toto+json é 😀'), 'application/vnd.in-toto+json é 😀');
});

test('shows what a terminal would obey, and what breaks the line or turns the reading direction', () => {
  assert.equal(
    printable('a\u001b[31mb\nc\u009bd\u202ee\u2028f\u0000'),
    'a\\u{1b}[31mb\\u{a}c\\u{9b}d\\u{202e}e\\u{2028}f\\u{0}',
  );
});

test('cuts what is long', () => {
  assert.equal(printable('x'.repeat(100), 10), `${'x'.repeat(10)}…`);
});
