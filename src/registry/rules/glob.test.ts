// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Glob } from './glob.ts';

const CASES: readonly [string, readonly string[], readonly string[]][] = [
  ['app', ['app'], ['ap', 'appp', 'xapp', '']],
  ['*', ['', 'a', 'a.b-c'], ['a/b', '/']],
  ['**', ['', 'a', 'a/b/c'], []],
  ['team/*', ['team/a', 'team/'], ['team', 'team/a/b', 'xteam/a']],
  ['team/**', ['team/a', 'team/a/b'], ['team', 'teams/a']],
  ['*/app', ['a/app', '/app'], ['app', 'a/b/app']],
  ['**/app', ['a/app', 'a/b/app', '/app'], ['app', 'a/app/x']],
  ['v*.*', ['v1.2', 'v.', 'v1.2.3'], ['v1', 'x1.2']],
  ['a**b*c', ['abc', 'a/x/bc', 'abbbc', 'a/b/bxc'], ['ab/c', 'a/b', 'abcd']],
  ['v1.2', ['v1.2'], ['v1x2']],
];

for (const [pattern, matching, others] of CASES) {
  test(`${pattern} matches what it says and nothing else`, () => {
    const glob = new Glob(pattern);
    for (const name of matching) assert.equal(glob.matches(name), true, name);
    for (const name of others) assert.equal(glob.matches(name), false, name);
  });
}

test('agrees with the regular expression that means the same', () => {
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '/', '*', '**', '.'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  const name = fc.array(fc.constantFrom('a', 'b', '/', '.'), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, name, (glob, text) => {
      const source = glob.replaceAll(/\*\*|\*|\.|\//g, (part) =>
        part === '**' ? '.*' : part === '*' ? '[^/]*' : `\\${part}`,
      );
      assert.equal(new Glob(glob).matches(text), new RegExp(`^(?:${source})$`).test(text));
    }),
    { numRuns: 3000 },
  );
});

test('ends on a pattern that makes backtracking matchers run for years', () => {
  assert.equal(new Glob(`${'*a'.repeat(60)}b`).matches('a'.repeat(250)), false);
});
