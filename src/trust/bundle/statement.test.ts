// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CodedError } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { decodeStatement, encodeSignStatement, SIGN_PREDICATE_TYPE, type Statement } from './statement.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const HEX = '4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';

function signedByCosign(path: string): string {
  const bundle = JSON.parse(readFileSync(join(golden, path), 'utf8'));
  return Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString();
}

function encode(annotations: Record<string, string>): string {
  return Buffer.from(encodeSignStatement({ algorithm: 'sha256', hex: HEX }, annotations)).toString();
}

describe('writes what cosign 3.1.1 signed, byte for byte', () => {
  const blobs = 'layout/blobs/sha256';
  const plain = `sign-key-3.1.1-bundle-referrers/${blobs}/e7841346ec912ee7592c5e202f3057870be0fa83e127ae92b9e5ecd6755034ee`;
  const annotated = `sign-annotations-3.1.1-bundle/${blobs}/4e0eeed2e15ccbc5a878b77a6bac1ddc7adaf04d00548697a80dfc8715ee6c63`;

  test('without annotations', () => assert.equal(encode({}), signedByCosign(plain)));

  test('with annotations, sorted and not escaped for HTML', () => {
    assert.equal(encode({ env: 'prod', build: '42', x: 'é<&>' }), signedByCosign(annotated));
  });

  test('with control characters, separators, and names beyond the basic plane in the order of their UTF-8', () => {
    const annotations = {
      '😀': 'emoji',
      '＠': 'fullwidth',
      ctl: '\u0001\u0002\b\f',
      sep: '\u2028|\u2029|\u0085',
      '': 'empty',
      Z: '1',
      'a.b': '2',
      '<k>': '&',
    };
    assert.equal(encode(annotations), signedByCosign('sign-annotation-escapes/bundle.sigstore.json'));
  });

  test('with names that are numbers, which JavaScript would put first', () => {
    assert.match(encode({ b: '', 9: '', 10: '', 'a"': '' }), /"annotations":\{"10":"","9":"","a\\"":"","b":""\}/);
  });

  test('with a name that JavaScript has a meaning for', () => {
    assert.match(encode(JSON.parse('{"__proto__":"x"}')), /"annotations":\{"__proto__":"x"\}/);
  });
});

test('does not sign half a character', () => {
  for (const annotations of [{ a: '\ud800' }, { '\udc00': 'a' }]) {
    assert.throws(
      () => encode(annotations),
      (error) => error instanceof TrustError && error.code === 'payload-malformed',
    );
  }
});

test('reads what it writes', () => {
  const statement = decodeStatement(Buffer.from(encode({ env: 'prod' })));
  assert.deepEqual(statement, {
    type: 'https://in-toto.io/Statement/v1',
    subjects: [{ digest: { sha256: HEX }, annotations: { env: 'prod' } }],
    predicateType: SIGN_PREDICATE_TYPE,
    predicate: {},
  });
});

test('reads a statement v0.1 with a name, unknown members and digests in capitals', () => {
  const statement = decodeStatement(
    Buffer.from(
      `{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"p","more":1,
        "subject":[{"name":"n","digest":{"sha256":"${HEX.toUpperCase()}","goModuleH1":"h1:Ab"},"uri":"u","annotations":null}]}`,
    ),
  );
  assert.deepEqual(statement.subjects, [{ name: 'n', digest: { sha256: HEX, goModuleH1: 'h1:Ab' } }]);
  assert.equal(statement.predicate, undefined);
});

describe('refuses', () => {
  const good = { _type: 'https://in-toto.io/Statement/v1', predicateType: 'p', subject: [{ digest: { sha256: HEX } }] };
  const decode = (value: unknown): Statement => decodeStatement(Buffer.from(JSON.stringify(value)));
  test('nothing of a good one', () => assert.equal(decode(good).subjects.length, 1));

  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, 'x']));
  const malformed: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    'a text': ['statement', /expected an object/],
    'no type': [{ ...good, _type: undefined }, /the _type nothing/],
    'another type': [
      { ...good, _type: 'https://in-toto.io/Link\u001b' },
      /the _type 'https:\/\/in-toto\.io\/Link\\u\{1b\}'/,
    ],
    'no predicate type': [{ ...good, predicateType: 1 }, /no text 'predicateType'/],
    'no subject': [{ ...good, subject: [] }, /no list 'subject'/],
    'a subject that is no object': [{ ...good, subject: [[]] }, /subject 0 that is no object/],
    'a subject without digests': [{ ...good, subject: [{ name: 'n' }] }, /subject 0 without an object 'digest'/],
    'a subject with no digest in it': [{ ...good, subject: [{ digest: {} }] }, /subject 0 with 0 digests/],
    'a digest that is no text': [{ ...good, subject: [{ digest: { sha256: 1 } }] }, /digest 'sha256' is no text/],
    'a name that is no text': [{ ...good, subject: [{ name: 1, digest: { a: 'b' } }] }, /'name' is no text/],
    'annotations that are no object': [
      { ...good, subject: [{ annotations: [], digest: { a: 'b' } }] },
      /'annotations' are no object/,
    ],
    'more than 1024 subjects': [
      { ...good, subject: Array.from({ length: 1025 }, () => ({ digest: { a: 'b' } })) },
      /1025 subjects, at most 1024/,
    ],
    'more than 32 digests of a subject': [{ ...good, subject: [{ digest: many(33) }] }, /subject 0 with 33 digests/],
  };
  for (const [name, [value, pattern]] of Object.entries(malformed)) {
    test(name, () => {
      assert.throws(
        () => decode(value),
        (error) => {
          assert.ok(error instanceof TrustError && error.code === 'statement-malformed', String(error));
          assert.match(error.message, pattern);
          return true;
        },
      );
    });
  }

  test('two subjects lists, of which readers might take either', () => {
    const text = JSON.stringify(good).replace('{', '{"subject":[{"digest":{"sha256":"00"}}],');
    assert.throws(
      () => decodeStatement(Buffer.from(text)),
      (error) => error instanceof TrustError && /'subject' twice/.test(error.message),
    );
  });

  test('what is no JSON, or not UTF-8', () => {
    for (const bytes of [Buffer.from('no'), Buffer.of(0x22, 0xff, 0x22)]) {
      assert.throws(
        () => decodeStatement(bytes),
        (error) => error instanceof CodedError && error.code === 'json-malformed',
      );
    }
  });
});
