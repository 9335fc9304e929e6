// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nearest } from './nearest.ts';

const NAMES = ['key', 'yes', 'annotations', 'allow-http-registry', 'registry-cacert', 'sign', 'verify'];

describe('nearest', () => {
  const cases: readonly [string, string | undefined][] = [
    ['kye', 'key'],
    ['KEY', 'key'],
    ['anotations', 'annotations'],
    ['allow-htpp-registry', 'allow-http-registry'],
    ['registry-ca', 'registry-cacert'],
    ['verfiy', 'verify'],
    ['sing', 'sign'],
    ['frobnicate', undefined],
    ['', undefined],
    ['x'.repeat(1000), undefined],
  ];
  for (const [word, expected] of cases) {
    it(`takes '${word.slice(0, 20)}' for ${expected ?? 'nothing'}`, () => {
      assert.equal(nearest(word, NAMES), expected);
    });
  }

  it('finds the word itself among any others', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 12 }),
        fc.array(fc.string({ maxLength: 12 })),
        (word, others) => {
          const lower = word.toLowerCase();
          const strangers = others.filter((other) => other.toLowerCase() !== lower);
          assert.equal(nearest(word, [...strangers, word]), word);
        },
      ),
    );
  });

  it('finds a word by any one slip of the hand', () => {
    const slips = fc.record({
      word: fc.stringMatching(/^[a-z]{4,12}$/),
      at: fc.nat(10),
      letter: fc.constantFrom('x', '7', '-'),
    });
    fc.assert(
      fc.property(slips, ({ word, at, letter }) => {
        const [head, tail] = [word.slice(0, at), word.slice(at)];
        const dropped = head + tail.slice(1);
        const added = head + letter + tail;
        const replaced = head + letter + tail.slice(1);
        const swapped = head + tail.slice(0, 2).split('').toReversed().join('') + tail.slice(2);
        for (const slip of [dropped, added, replaced, swapped])
          assert.equal(nearest(slip, ['0123456789012345', word]), word);
      }),
    );
  });
});
