// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from './digest.ts';
import { gather } from './repository.contract.ts';
import { verifiedStream } from './verified-stream.ts';

async function* streamOf(...chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* chunks;
}
const bytes = new TextEncoder().encode('content');
const expected = { digest: digestOf(bytes), size: bytes.byteLength };

describe('a verified stream', () => {
  test('passes on what is as it was said to be, however it is cut, by either algorithm', async () => {
    const cuts = fc.array(fc.uint8Array({ maxLength: 20 }));
    await fc.assert(
      fc.asyncProperty(cuts, fc.constantFrom('sha256' as const, 'sha512' as const), async (chunks, algorithm) => {
        const whole = Buffer.concat(chunks);
        const wanted = { digest: digestOf(whole, algorithm), size: whole.byteLength };
        assert.deepEqual(await gather(verifiedStream(streamOf(...chunks), wanted, 'it')), chunks);
      }),
    );
  });

  test('fails at the end of other content', async () => {
    const other = new TextEncoder().encode('CONTENT');
    await assert.rejects(gather(verifiedStream(streamOf(other), expected, 'the layer')), {
      code: 'digest-mismatch',
      message: `the layer has content of ${digestOf(other)}, expected ${expected.digest}`,
    });
  });

  test('fails at the end of content that is too short', async () => {
    await assert.rejects(gather(verifiedStream(streamOf(bytes.subarray(1)), expected, 'the layer')), {
      code: 'size-mismatch',
      message: 'the layer has 6 bytes, expected 7',
    });
  });

  test('stops reading an endless body as soon as it is too long', async () => {
    let read = 0;
    async function* endless(): AsyncIterable<Uint8Array> {
      for (;;) {
        read++;
        yield new Uint8Array(5);
      }
    }
    await assert.rejects(gather(verifiedStream(endless(), expected, 'it')), {
      code: 'size-mismatch',
      message: 'it has more than 7 bytes, expected 7',
    });
    assert.equal(read, 2);
  });
});
