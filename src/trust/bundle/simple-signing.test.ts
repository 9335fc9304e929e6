// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TrustError } from '../error.ts';
import { decodeSimpleSigning, encodeSimpleSigning, type SimpleSigning } from './simple-signing.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const DIGEST = 'sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const TYPE = 'cosign container image signature';

function payloadOf(name: string): string {
  const blobs = join(golden, name, 'layout/blobs/sha256');
  const texts = readdirSync(blobs).map((blob) => readFileSync(join(blobs, blob), 'utf8'));
  return texts.find((text) => text.startsWith('{"critical"')) ?? '';
}

function encode(dockerReference: string, optional: SimpleSigning['optional']): string {
  return Buffer.from(encodeSimpleSigning({ dockerReference, manifestDigest: DIGEST, type: TYPE, optional })).toString();
}

describe('writes what cosign signed, byte for byte', () => {
  for (const name of ['sign-key-2.5.0-legacy', 'sign-key-3.1.1-legacy']) {
    test(name, () => assert.equal(encode(`localhost:5551/golden/${name}`, null), payloadOf(name)));
  }
  for (const name of ['sign-annotations-2.5.0', 'sign-annotations-3.1.1-legacy']) {
    test(`${name}: sorted, escaped for HTML`, () => {
      const annotations = { x: 'é<&>', env: 'prod', build: '42' };
      assert.equal(encode(`localhost:5551/golden/${name}`, annotations), payloadOf(name));
    });
  }
  test('sign-annotation-escapes: control characters, separators, names beyond the basic plane', () => {
    const annotations = {
      '😀': 'emoji',
      '＠': 'fullwidth',
      ctl: '\u0001\u0002\b\f',
      sep: '\u2028|\u2029|\u0085',
      Z: '1',
      'a.b': '2',
      '<k>': '&',
    };
    const theirs = readFileSync(join(golden, 'sign-annotation-escapes/payload.json'), 'utf8');
    assert.equal(encode('localhost:5551/golden/annl', annotations), theirs);
  });
  test('what else annotations may hold', () => {
    assert.match(
      encode('r', { b: [1, true, null], a: { d: 1.5, c: '>' } }),
      /"optional":\{"a":\{"c":"\\u003e","d":1\.5\},"b":\[1,true,null\]\}\}$/,
    );
  });
});

test('does not sign half a character', () => {
  assert.throws(
    () => encode('\ud800', null),
    (error) => error instanceof TrustError && error.code === 'payload-malformed',
  );
});

test('reads what it writes', () => {
  const payload = { dockerReference: 'r', manifestDigest: DIGEST, type: TYPE, optional: { a: 'b' } };
  assert.deepEqual(decodeSimpleSigning(encodeSimpleSigning(payload)), payload);
});

test("reads another tool's payload, and skips what it does not know", () => {
  const text = `{"x":1,"critical":{"type":"atomic container signature","y":2,
    "image":{"docker-manifest-digest":"d"},"identity":{"docker-reference":""}}}`;
  const expected = { dockerReference: '', manifestDigest: 'd', type: 'atomic container signature', optional: null };
  assert.deepEqual(decodeSimpleSigning(Buffer.from(text)), expected);
});

describe('refuses', () => {
  const critical = { identity: { 'docker-reference': 'r' }, image: { 'docker-manifest-digest': DIGEST }, type: TYPE };
  const malformed: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    'a list': [[], /expected an object/],
    'nothing critical': [{ optional: null }, /no object 'critical'/],
    'no identity': [{ critical: { ...critical, identity: null } }, /no object 'identity'/],
    'no image': [{ critical: { ...critical, image: [] } }, /no object 'image'/],
    'no digest': [{ critical: { ...critical, image: {} } }, /no text 'docker-manifest-digest'/],
    'a reference that is no text': [
      { critical: { ...critical, identity: { 'docker-reference': 1 } } },
      /no text 'docker-reference'/,
    ],
    'no type': [{ critical: { ...critical, type: undefined } }, /no text 'type'/],
    'annotations that are a list': [{ critical, optional: [] }, /'optional' that is neither/],
  };
  for (const [name, [value, pattern]] of Object.entries(malformed)) {
    test(name, () => {
      assert.throws(
        () => decodeSimpleSigning(Buffer.from(JSON.stringify(value))),
        (error) => {
          assert.ok(error instanceof TrustError && error.code === 'payload-malformed', String(error));
          assert.match(error.message, pattern);
          return true;
        },
      );
    });
  }
  test('two digests, of which readers might take either', () => {
    const text = encode('r', null).replace(
      '{"docker-manifest-digest"',
      '{"docker-manifest-digest":"sha256:00","docker-manifest-digest"',
    );
    assert.throws(
      () => decodeSimpleSigning(Buffer.from(text)),
      (error) => error instanceof TrustError && /twice/.test(error.message),
    );
  });
});
