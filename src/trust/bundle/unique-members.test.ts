// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { repeatedMember } from './unique-members.ts';

describe('finds a member that an object has twice', () => {
  const twice = {
    'side by side': ['{"a":1,"a":2}', 'a'],
    'with others between': ['{"a":{"x":[1,{"y":2}]},"b":"}","a":2}', 'a'],
    'in an inner object': ['{"a":[{"b":1},{"c":{"d":1,"e":2,"d":3}}]}', 'd'],
    'spelled with escapes': ['{"sub\\u006aect":1,"subject":2}', 'subject'],
    'with a quote in its name': ['{"a\\"b":1, "a\\"b":2}', 'a"b'],
    'with a backslash at its end': ['{"a\\\\":1,"a\\\\":2}', 'a\\'],
    'called __proto__': ['{"__proto__":1,"__proto__":2}', '__proto__'],
    'across white space': ['{ "a" : 1 ,\n\t"a" : 2 }', 'a'],
    empty: ['{"":1,"":2}', ''],
  } as const;
  for (const [name, [json, member]] of Object.entries(twice)) {
    test(name, () => assert.equal(repeatedMember(json), member));
  }
});

describe('finds none', () => {
  const once = {
    'in objects beside each other': '[{"a":1},{"a":2}]',
    'in objects within each other': '{"a":{"a":{"a":1}}}',
    'where values look like names': '{"a":"b","b":"a","c":["a","a","a:"]}',
    'where a text holds JSON': '{"a":"{\\"x\\":1,\\"x\\":2}","b":"\\\\"}',
    'where an array comes after an object': '[{"a":1},"a","a",{"a":1}]',
    'in scalars': '"a"',
  };
  for (const [name, json] of Object.entries(once)) {
    test(name, () => assert.equal(repeatedMember(json), undefined));
  }

  test('in anything that JSON.stringify wrote', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(repeatedMember(JSON.stringify(value)), undefined)));
  });
});
