// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CodedError } from '../../wire/index.ts';
import { decodeEnvelope, encodeEnvelope, preAuthEncoding, type Envelope } from './envelope.ts';

const ENVELOPE: Envelope = {
  payloadType: 'text/plain',
  payload: Buffer.from('hello'),
  signatures: [{ sig: Buffer.from('seal') }],
};
const TEXT = '{"payloadType":"text/plain","payload":"aGVsbG8=","signatures":[{"keyid":"","sig":"c2VhbA=="}]}';

function decode(text: string): Envelope {
  return decodeEnvelope(Buffer.from(text), 'layer 3');
}

describe('pre-authentication encoding', () => {
  test('is that of the specification', () => {
    const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
    assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });
  test('counts bytes, not characters', () => {
    assert.equal(Buffer.from(preAuthEncoding('é', Buffer.from('ü'))).toString(), 'DSSEv1 2 é 2 ü');
  });
  test('of other types and payloads is another, wherever their border lies', () => {
    assert.notDeepEqual(preAuthEncoding('a', Buffer.from('b c')), preAuthEncoding('a b', Buffer.from('c')));
  });
});

test('writes members in the order of cosign, keyid always', () => {
  assert.equal(Buffer.from(encodeEnvelope(ENVELOPE)).toString(), TEXT);
});

test('reads what it writes', () => {
  assert.deepEqual(decode(TEXT), decodeEnvelope(encodeEnvelope(ENVELOPE), 'it'));
  assert.deepEqual(Buffer.from(decode(TEXT).signatures[0]?.sig ?? []).toString(), 'seal');
});

test('reads either alphabet of base64, a key id, and skips what it does not know, as DSSE asks', () => {
  const envelope = decode(
    '{"payload":"-_8","payloadType":"t","signatures":[{"sig":"-_8=","keyid":"k","cert":1}],"x":{}}',
  );
  assert.deepEqual(Buffer.from(envelope.payload).toString('hex'), 'fbff');
  assert.deepEqual(
    envelope.signatures.map(({ keyid }) => keyid),
    ['k'],
  );
});

test('reads an envelope without signatures: that is for verification to reject', () => {
  assert.deepEqual(decode('{"payload":"","payloadType":"","signatures":[]}').signatures, []);
});

describe('refuses', () => {
  const sig = '{"sig":"AA=="}';
  const malformed: Readonly<Record<string, readonly [string, string, RegExp]>> = {
    'a list': ['[]', 'envelope-malformed', /expected an object/],
    'no payload': ['{"payloadType":"t","signatures":[]}', 'envelope-malformed', /no text 'payload'/],
    'no payload type': ['{"payload":"","signatures":[]}', 'envelope-malformed', /no text 'payloadType'/],
    'no signatures': ['{"payload":"","payloadType":"t"}', 'envelope-malformed', /no list 'signatures'/],
    'signatures that are no list': [
      '{"payload":"","payloadType":"t","signatures":{}}',
      'envelope-malformed',
      /no list/,
    ],
    'a signature that is no object': [
      '{"payload":"","payloadType":"t","signatures":["x"]}',
      'envelope-malformed',
      /signature 0 that is no object/,
    ],
    'a signature without its bytes': [
      '{"payload":"","payloadType":"t","signatures":[{}]}',
      'envelope-malformed',
      /no text 'signatures\[0\]\.sig'/,
    ],
    'a key id that is no text': [
      '{"payload":"","payloadType":"t","signatures":[{"sig":"","keyid":1}]}',
      'envelope-malformed',
      /'keyid' is no text/,
    ],
    'more than 32 signatures': [
      `{"payload":"","payloadType":"t","signatures":[${Array(33).fill(sig).join()}]}`,
      'envelope-malformed',
      /33 signatures, at most 32/,
    ],
    'two payloads': [
      '{"payload":"","payload":"AA==","payloadType":"t","signatures":[]}',
      'envelope-malformed',
      /'payload' twice/,
    ],
    'a payload that is not base64': [
      '{"payload":"*","payloadType":"t","signatures":[]}',
      'base64-malformed',
      /layer 3, 'payload',/,
    ],
    'no JSON': ['<html>', 'json-malformed', /layer 3/],
    'endless nesting': ['['.repeat(100), 'json-too-deep', /layer 3/],
  };
  for (const [name, [text, code, pattern]] of Object.entries(malformed)) {
    test(name, () => {
      assert.throws(
        () => decode(text),
        (error) => error instanceof CodedError && error.code === code && pattern.test(error.message),
      );
    });
  }
  test('more than 4 MiB, unless the caller allows it', () => {
    const payload = Buffer.alloc(4 * 1024 * 1024);
    const bytes = encodeEnvelope({ ...ENVELOPE, payload });
    assert.throws(
      () => decodeEnvelope(bytes, 'it'),
      (error) => error instanceof CodedError && error.code === 'too-large',
    );
    assert.equal(decodeEnvelope(bytes, 'it', { maxBytes: 8 * 1024 * 1024 }).payload.byteLength, payload.byteLength);
  });
});
