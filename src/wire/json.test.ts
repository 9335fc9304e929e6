// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { canonicalJson, caselessNames, goJson, isJsonObject, misspeltMember, parseJson, type Json } from './json.ts';
import { WireError } from './wire-error.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const parse = (text: string): Json => parseJson(bytesOf(text), { what: 'it' });

describe('parseJson', () => {
  test('reads what JSON.stringify wrote', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        assert.deepEqual(parse(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('refuses more bytes than it was allowed, before reading them', () => {
    assert.throws(() => parseJson(bytesOf('"1234"'), { what: 'the bundle', maxBytes: 5 }), {
      code: 'too-large',
      message: 'the bundle has 6 bytes, at most 5 are read',
    });
    assert.equal(parseJson(bytesOf('"123"'), { what: 'the bundle', maxBytes: 5 }), '123');
  });

  test('refuses nesting that is deeper than allowed, in arrays and objects', () => {
    assert.throws(() => parse(nested(65)), { code: 'json-too-deep' });
    assert.doesNotThrow(() => parse(nested(64)));
    assert.throws(() => parse('{"a":'.repeat(65) + '1' + '}'.repeat(65)), { code: 'json-too-deep' });
    assert.throws(() => parseJson(bytesOf('[[1]]'), { what: 'it', maxDepth: 1 }), { code: 'json-too-deep' });
  });

  test('does not run out of stack on a million brackets', () => {
    assert.throws(() => parse('['.repeat(1_000_000)), { code: 'json-too-deep' });
  });

  test('does not count brackets in strings, escaped quotes included', () => {
    assert.deepEqual(parseJson(bytesOf('["\\"[[[[[["]'), { what: 'it', maxDepth: 1 }), ['"[[[[[[']);
    assert.deepEqual(parseJson(bytesOf('["\\\\",[]]'), { what: 'it', maxDepth: 2 }), ['\\', []]);
  });

  test('refuses more values than it was allowed, before making them', () => {
    const many = (count: number): Uint8Array => bytesOf(`[${Array.from({ length: count }, () => '{}').join(',')}]`);
    const limits = { what: 'the bundle', maxValues: 10 };
    assert.throws(() => parseJson(many(6), limits), {
      code: 'too-large',
      message: 'the bundle holds more than the 10 values that are read',
    });
    assert.throws(() => parseJson(many(125_001), { what: 'it' }), { code: 'too-large' });
    assert.doesNotThrow(() => parseJson(many(4), limits));
    assert.doesNotThrow(() => parseJson(bytesOf('",,,,,,,,,,,,[[[["'), limits));
  });

  test('refuses bytes that are no UTF-8', () => {
    assert.throws(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]), { what: 'it' }), { code: 'json-malformed' });
  });

  test('says how a page begins that is not JSON, in one line', () => {
    assert.throws(() => parse('<!doctype html>\n<html>'), {
      message: String.raw`it is not JSON (it begins "<!doctype html>\n<html>")`,
    });
    assert.throws(() => parse(''), { message: 'it is not JSON (it is empty)' });
    assert.throws(() => parse('hunter2'), { message: 'it is not JSON (7 bytes)' }, 'a secret, named by mistake');
  });

  test('has no other error than its own, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          parseJson(bytes, { what: 'it' });
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }),
    );
  });

  test('keeps a member named __proto__ as an ordinary one', () => {
    const value = parse('{"__proto__":{"admin":true}}');
    assert.ok(isJsonObject(value));
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.deepEqual(Object.keys(value), ['__proto__']);
  });
});

test('isJsonObject knows an object from an array, null and scalars', () => {
  assert.deepEqual([{}, [], null, 'x', 1, true, undefined].map(isJsonObject), [
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

describe('misspeltMember', () => {
  const names = caselessNames(['mediaType', 'digest', 'desk']);

  test('finds what Go would read as one of the names', () => {
    for (const member of ['MediaType', 'DIGEST', 'dige\u017ft', 'des\u212a'])
      assert.equal(misspeltMember({ digest: 'a', [member]: 'b' }, names), member);
  });

  test('leaves alone what is spelt as it should be, and other members', () => {
    assert.equal(misspeltMember({ mediaType: 'a', digest: 'b', Other: 1, ['__proto__']: 2 }, names), undefined);
  });
});

describe('canonicalJson', () => {
  test('writes the example of RFC 8785, section 3.2.4', () => {
    const value = JSON.parse(
      String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
    ) as Json;
    // interpolated, as bun's String.raw escapes what is not ASCII
    const expected = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"${'€'}$\u000f\nA'B\"\\\\\"/"}`;
    assert.equal(canonicalJson(value), expected);
  });

  test('sorts members by UTF-16 code units, as section 3.2.3 does', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    const keys = Object.keys(JSON.parse(canonicalJson(value)) as object);
    assert.deepEqual(
      keys.filter((key) => key !== '1'),
      ['\r', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'],
    );
    assert.ok(canonicalJson(value).startsWith(String.raw`{"\r":2,"1":4,`));
  });

  test('does not depend on the order of members and loses nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        assert.equal(canonicalJson(value), canonicalJson(reversed));
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('goJson', () => {
  test('escapes what Go escapes for HTML, and nothing else', () => {
    const value = { 'a<b>': ['&', '\u2028\u2029', 'é"\n'] };
    assert.equal(goJson(value), String.raw`{"a\u003cb\u003e":["\u0026","\u2028\u2029","${'é'}\"\n"]}`);
  });

  test('means the same as before', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.deepEqual(JSON.parse(goJson(value as Json)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
