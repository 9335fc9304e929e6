// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { DigestStream, digestAlgorithm, digestHex, digestOf, isDigest, parseDigest } from './digest.ts';
import { ReferenceFault } from './error.ts';

const EMPTY_OBJECT = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';

test('the digest of {} is the one that the image specification prints', () => {
  assert.equal(digestOf(new TextEncoder().encode('{}')), EMPTY_OBJECT);
});

test('a digest comes apart into algorithm and hex', () => {
  const long = digestOf(new Uint8Array(3), 'sha512');
  assert.deepEqual([digestAlgorithm(long), digestHex(long).length], ['sha512', 128]);
  assert.deepEqual(
    [digestAlgorithm(parseDigest(EMPTY_OBJECT)), digestHex(parseDigest(EMPTY_OBJECT))],
    ['sha256', EMPTY_OBJECT.slice(7)],
  );
});

test('a stream has the digest of its chunks put together', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array()),
      fc.constantFrom('sha256' as const, 'sha512' as const),
      (chunks, algorithm) => {
        const stream = new DigestStream(algorithm);
        for (const chunk of chunks) stream.update(chunk);
        assert.equal(stream.digest(), digestOf(Buffer.concat(chunks), algorithm));
      },
    ),
  );
});

describe('parseDigest', () => {
  for (const [text, why] of [
    ['', 'nothing'],
    [EMPTY_OBJECT.slice(7), 'hex without an algorithm'],
    [EMPTY_OBJECT.toUpperCase(), 'upper case'],
    [EMPTY_OBJECT.slice(0, -1), 'a digit too few'],
    [`${EMPTY_OBJECT}0`, 'a digit too many'],
    [`${EMPTY_OBJECT}\n`, 'a line break at the end'],
    [EMPTY_OBJECT.replace('sha256', 'sha512'), 'a hash of another length'],
    [EMPTY_OBJECT.replace('sha256', 'md5'), 'another algorithm'],
    ['sha256:../../../../../../../../../../../../../../../../../../../../etc/a', 'a path'],
  ] as const) {
    test(`refuses ${why}`, () => {
      assert.equal(isDigest(text), false);
      assert.throws(() => parseDigest(text), { name: 'ReferenceFault', code: 'digest-malformed' });
    });
  }

  test('has one line of message and no other error, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.throws(
          () => parseDigest(text),
          (error) => error instanceof ReferenceFault && !/\p{Cc}/u.test(error.message),
        );
      }),
    );
  });
});
