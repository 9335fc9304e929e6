// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PinError } from './pin-error.ts';
import { rewriteSpans, type Edit } from './rewrite-spans.ts';

const invalid = (error: unknown): boolean => error instanceof PinError && error.code === 'edit-invalid';

describe('rewriteSpans', () => {
  it('changes what it is told to and nothing else', () => {
    const text = '\uFEFFa: "x:1"\r\n# x:1\r\nb: \'x:1\' ';
    const edits = [
      { start: 5, end: 8, text: 'x:2' },
      { start: 22, end: 25, text: 'y' },
    ];
    assert.equal(rewriteSpans(text, edits), '\uFEFFa: "x:2"\r\n# x:1\r\nb: \'y\' ');
    assert.equal(rewriteSpans(text, edits.toReversed()), rewriteSpans(text, edits));
    assert.equal(rewriteSpans(text, []), text);
  });

  it('takes the same edit twice for one', () => {
    assert.equal(rewriteSpans('a', [edit(0, 1, 'b'), edit(0, 1, 'b')]), 'b');
  });

  const BAD: readonly (readonly [string, readonly Edit[]])[] = [
    ['that overlap', [edit(0, 3), edit(2, 4)]],
    ['of one span that differ', [edit(0, 3, 'x'), edit(0, 3, 'y')]],
    ['put in at one place', [edit(2, 2, 'x'), edit(2, 2, 'y')]],
    ['put in where another begins', [edit(2, 2, 'x'), edit(2, 3, 'y')]],
    ['behind the end', [edit(0, 9)]],
    ['before the beginning', [edit(-1, 1)]],
    ['backwards', [edit(3, 1)]],
    ['at no place', [edit(Number.NaN, 1)]],
  ];
  for (const [what, edits] of BAD)
    it(`refuses edits ${what}`, () => {
      assert.throws(() => rewriteSpans('abcdef', edits), invalid);
    });
  it('refuses to cut a character in two', () => {
    assert.throws(() => rewriteSpans('a😀b', [edit(0, 2)]), invalid);
  });

  it('leaves every character outside the spans as it is, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string()), { maxLength: 20 }), (parts) => {
        // kept and replaced text by turns; what is kept ends in a character that joins no other
        let text = '';
        const edits: Edit[] = [];
        for (const [kept, replacement] of parts) {
          text += `${kept}|`;
          edits.push({ start: text.length, end: text.length + kept.length, text: replacement });
          text += `${kept}|`;
        }
        const expected = parts.map(([kept, replacement]) => `${kept}|${replacement}|`).join('');
        assert.equal(rewriteSpans(text, edits), expected);
      }),
    );
  });
});

function edit(start: number, end: number, text = 'x'): Edit {
  return { start, end, text };
}
