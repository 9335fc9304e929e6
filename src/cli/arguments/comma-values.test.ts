// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { splitCommaValues } from './comma-values.ts';

describe('splitCommaValues, as pflag StringSlice', () => {
  const cases: readonly [string, readonly string[] | undefined][] = [
    ['', []],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    [',', ['', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['c,"a,b"', ['c', 'a,b']],
    ['"say ""hi"""', ['say "hi"']],
    ['""', ['']],
    ['"a', undefined],
    ['"a"b', undefined],
    ['a"b', undefined],
    ['a,b"', undefined],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text || 'nothing'}`, () => {
      assert.deepEqual(splitCommaValues(text), expected);
    });
  }

  it('gives back any values that were quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (values) => {
        const quoted = values.map((value) => `"${value.replaceAll('"', '""')}"`).join(',');
        assert.deepEqual(splitCommaValues(quoted), values);
      }),
    );
  });
});
