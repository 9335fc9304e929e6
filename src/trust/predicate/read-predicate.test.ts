// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Json } from '../../wire/index.ts';
import { decodeStatement, encodeStatement } from '../bundle/statement.ts';
import { TrustError } from '../error.ts';
import { parsePredicateType } from './predicate-type.ts';
import { readPredicate } from './read-predicate.ts';

const NOW = new Date('2026-11-22T06:48:17.999Z');
const read = (type: string, content: string | Uint8Array): Json =>
  readPredicate(parsePredicateType(type), {
    bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content,
    what: 'the file',
    now: NOW,
  });

describe('parsePredicateType', () => {
  test('knows the names of cosign, and takes any URI', () => {
    assert.deepEqual(parsePredicateType('spdx'), { name: 'spdx', uri: 'https://spdx.dev/Document' });
    assert.equal(parsePredicateType('slsaprovenance').uri, 'https://slsa.dev/provenance/v0.2');
    assert.deepEqual(parsePredicateType('https://example.com/k/v1'), { uri: 'https://example.com/k/v1' });
    assert.deepEqual(parsePredicateType('urn:example:kind'), { uri: 'urn:example:kind' });
  });

  test('refuses what is neither', () => {
    for (const wrong of [
      '',
      'notatype',
      '__proto__',
      'toString',
      'https://exa mple.com',
      'x:\n',
      `u:${'a'.repeat(3000)}`,
    ])
      assert.throws(() => parsePredicateType(wrong), { code: 'predicate-type-unknown' }, wrong);
  });
});

describe('readPredicate', () => {
  test('keeps a custom one as a text with a time, and spdx as a text', () => {
    assert.deepEqual(read('custom', 'just text\n'), { Data: 'just text\n', Timestamp: '2026-11-22T06:48:17Z' });
    assert.equal(read('spdx', '{"a":1}\n'), '{"a":1}\n');
  });

  test('reads JSON as it is', () => {
    assert.deepEqual(read('spdxjson', '{ "b": 1, "a": [1.5, "9007199254740993"] }'), {
      b: 1,
      a: [1.5, '9007199254740993'],
    });
  });

  test('refuses what would not be kept, or is none', () => {
    const cases: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
      ['spdxjson', 'just text', /is not JSON/],
      ['spdxjson', '[]', /expected an object/],
      ['spdxjson', '', /it is empty/],
      ['custom', '', /it is empty/],
      ['openvex', '{"a":1,"a":2}', /the member 'a' twice/],
      ['vuln', '{"n":9007199254740993}', /the number 9007199254740993 has more digits/],
      ['custom', Uint8Array.of(0xff, 0xfe), /no text in UTF-8/],
      ['spdx', Uint8Array.of(0xc3), /no text in UTF-8/],
      ['cyclonedx', `${'['.repeat(100)}${']'.repeat(100)}`, /nests deeper/],
    ];
    for (const [type, content, message] of cases)
      assert.throws(() => read(type, content), { code: 'predicate-malformed', message });
  });

  test('has no other error than its own, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom('custom', 'spdx', 'link'), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        try {
          read(type, bytes);
        } catch (error) {
          assert.ok(error instanceof TrustError, String(error));
        }
      }),
    );
  });
});

describe('encodeStatement', () => {
  const digest = { algorithm: 'sha256', hex: '4ed3' };
  const predicateType = 'https://example.com/mytype/v1';

  test('writes what cosign 3 signs, byte for byte', () => {
    const bytes = encodeStatement({
      subjects: [{ name: 'localhost:5551/x', digest }],
      predicateType,
      predicate: { n: 1, foo: 'b<r' },
    });
    assert.equal(
      new TextDecoder().decode(bytes),
      '{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"localhost:5551/x","digest":{"sha256":"4ed3"}}],"predicateType":"https://example.com/mytype/v1","predicate":{"foo":"b<r","n":1}}',
    );
  });

  test('writes version 1 where it is asked for, and is read back as what was said', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.integer()), (predicate) => {
        const bytes = encodeStatement({ version: '1', subjects: [{ digest }], predicateType, predicate });
        const statement = decodeStatement(bytes);
        assert.equal(statement.type, 'https://in-toto.io/Statement/v1');
        assert.deepEqual(statement.predicate, { ...predicate });
        assert.deepEqual(statement.subjects, [{ digest: { sha256: '4ed3' } }]);
      }),
    );
  });
});
