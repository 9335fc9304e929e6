// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from '../error.ts';
import { parseChallenges } from './challenge.ts';

function parsed(text: string): [string, Record<string, string>][] {
  return parseChallenges(text).map(({ scheme, parameters }) => [scheme, { ...parameters }]);
}

test('reads one challenge, quoted or not, in any case and spacing', () => {
  const expected = [
    ['bearer', { realm: 'https://auth.test/token', service: 'registry.test', scope: 'repository:a/b:pull,push' }],
  ];
  for (const text of [
    'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push"',
    'bearer  REALM = "https://auth.test/token" , Service=registry.test ,, scope="repository:a/b:pull,push" , ',
  ]) {
    assert.deepEqual(parsed(text), expected);
  }
});

test('reads several challenges in one field, with commas and escapes in their values', () => {
  assert.deepEqual(
    parsed('Basic realm="a, \\"b\\" Bearer realm=x", Bearer realm="https://t.test/?a=1,2",error="insufficient_scope"'),
    [
      ['basic', { realm: 'a, "b" Bearer realm=x' }],
      ['bearer', { realm: 'https://t.test/?a=1,2', error: 'insufficient_scope' }],
    ],
  );
  assert.deepEqual(parsed('Negotiate, NTLM TlRMTVNTUAAC==, Basic realm="x"'), [
    ['negotiate', {}],
    ['ntlm', {}],
    ['basic', { realm: 'x' }],
  ]);
  assert.deepEqual(parsed('Basic'), [['basic', {}]]);
  assert.deepEqual(parsed(''), []);
});

test('refuses what the grammar does not allow', () => {
  for (const text of [
    'Bearer realm="open',
    'Bearer realm="a" service="b"',
    'Bearer realm=a b',
    'Bearer realm="a",realm="b"',
    '"Bearer"',
    'Bearer realm="a\u0000b"',
    'Bearer\nrealm="a"',
    '=',
    `Bearer realm="${'a'.repeat(9000)}"`,
  ]) {
    assert.throws(
      () => parseChallenges(text),
      { name: 'RegistryError', code: 'protocol-violation' },
      text.slice(0, 40),
    );
  }
});

test('never fails otherwise, whatever it is given, and in linear time', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('Bearer ', 'Basic ', 'realm=', '"', '\\', ',', '=', ' ', 'a'));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 50 }), (pieces) => {
      try {
        for (const { scheme } of parseChallenges(pieces.join(''))) assert.match(scheme, /^[!-~]+$/);
      } catch (error) {
        assert.ok(error instanceof RegistryError && !error.message.includes('\n'));
      }
    }),
    { numRuns: 1000 },
  );
  for (const unit of ['a=', '", ', '\\"', 'a ', ', ,', 'a==,']) {
    try {
      parseChallenges(`Bearer ${unit.repeat(Math.floor(8000 / unit.length))}`);
    } catch (error) {
      assert.ok(error instanceof RegistryError);
    }
  }
});
