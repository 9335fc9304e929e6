// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.ts';

describe('durations as Go writes them', () => {
  const good: readonly [string, number][] = [
    ['3m0s', 180_000],
    ['300ms', 300],
    ['1.5h', 5_400_000],
    ['2h45m', 9_900_000],
    ['-1.5s', -1500],
    ['+5s', 5000],
    ['.5s', 500],
    ['1.s', 1000],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['0', 0],
    ['-0', 0],
    ['1000000ns', 1],
  ];
  for (const [text, milliseconds] of good) {
    it(`reads ${text}`, () => {
      assert.equal(parseDuration(text), milliseconds);
    });
  }

  for (const text of [
    '',
    '5',
    '5 s',
    's',
    '1d',
    '1m-5s',
    '1e3s',
    '5sec',
    '.s',
    '∞s',
    '99999999999999h',
    '1'.repeat(100),
  ]) {
    it(`refuses '${text.slice(0, 20)}'`, () => {
      assert.equal(parseDuration(text), undefined);
    });
  }

  it('reads back what it writes, to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e11 }), (milliseconds) => {
        assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
      }),
    );
  });

  it('writes as Go does', () => {
    assert.deepEqual([0, 1, 1500, 180_000, 3_600_000, 3_661_000].map(formatDuration), [
      '0s',
      '1ms',
      '1.5s',
      '3m0s',
      '1h0m0s',
      '1h1m1s',
    ]);
  });

  it('answers for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 70 }), (text) => {
        const read = parseDuration(text);
        assert.ok(read === undefined || Number.isFinite(read));
      }),
    );
  });
});
