// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileExpression, matchesEverything } from './expression.ts';

const matches = async (source: string, text: string): Promise<boolean> =>
  (await compileExpression(source, 'it')).matches(text);

describe('an expression', () => {
  test('matches somewhere in the text, and all of it only if it says so', async () => {
    assert.equal(await matches('example', 'https://example.com'), true);
    assert.equal(await matches('^example', 'https://example.com'), false);
    assert.equal(await matches('^https://example\\.com$', 'https://example.com'), true);
    assert.equal(await matches('^https://example\\.com$', 'https://example.com.evil'), false);
  });

  test("is in Go's syntax", async () => {
    assert.equal(await matches('(?i)EXAMPLE', 'example'), true);
    assert.equal(await matches('^\\pL+$', 'büro'), true);
    assert.equal(await matches('(?P<owner>[a-z]+)/', 'example/app'), true);
  });

  test('keeps how it was written', async () => assert.equal((await compileExpression('a|b', 'it')).source, 'a|b'));

  for (const source of ['(', 'a(?=b)', '(a)\\1', '(((x{100}){100}){100})', 'a{1001}', '[z-a]'])
    test(`is refused if it is none of RE2's, or too large: ${source}`, async () =>
      assert.rejects(compileExpression(source, '--flag'), {
        code: 'expression-malformed',
        message: /^--flag is no regular expression/,
      }));

  test('is refused if it is longer than any that somebody would write', async () =>
    assert.rejects(compileExpression('a'.repeat(4097), 'it'), { code: 'expression-malformed' }));

  test('that would take others for ever is answered', async () =>
    assert.equal(await matches('(a*)*(a*)*(a*)*b$', 'a'.repeat(50_000)), false));
});

describe('an expression matches everything', () => {
  for (const source of [
    '',
    '.*',
    '.+',
    '.',
    '^.*$',
    '(?s).*',
    '^.{1,63}$',
    '.{10,}',
    '^',
    'a*',
    '[^\\n]',
    '.|x',
    '\\w*',
    '[\\s\\S]+',
    '\\S+',
    '^\\S+$',
    '[^ ]',
    '^[ -~]+$',
    '[[:graph:]]',
    '^[[:ascii:]]*$',
    '^[A-Za-z0-9@:/._-]+$',
  ])
    test(`'${source}'`, async () => assert.equal(matchesEverything(await compileExpression(source, 'it')), true));
  for (const source of ['^https://', '@example\\.com$', '^[^@]+$', '@', '^$', '\\w', '^[a-z0-9]+$'])
    test(`and '${source}' does not`, async () =>
      assert.equal(matchesEverything(await compileExpression(source, 'it')), false));
});
