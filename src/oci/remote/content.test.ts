// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../digest.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ContentCache } from './content-cache.ts';
import { bytesOf } from './sample.fixture.ts';

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text);
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test('a chunk reader gives pieces of the asked size, whatever size they come in', async () => {
  const reader = new ChunkReader(pieces('ab', '', 'cdefg', 'h', 'ij'));
  assert.equal(textOf(await reader.take(3)), 'abc');
  await reader.skip(2);
  assert.equal(textOf(await reader.take(4)), 'fghi');
  assert.equal(textOf(await reader.take(4)), 'j');
  assert.equal(textOf(await reader.take(4)), '');
  await reader.skip(5);
});

test('a chunk reader lets its source go', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield bytesOf('abc');
      yield bytesOf('def');
    } finally {
      closed = true;
    }
  }
  const reader = new ChunkReader(source());
  await reader.take(1);
  await reader.close();
  assert.equal(closed, true);
});

test('a cache keeps what was read, drops the oldest, and takes nothing that would fill it', async () => {
  const cache = new ContentCache<{ bytes: Uint8Array }>(40);
  const [a, b, c, d, e] = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc', 'dddddddddd', 'eeeeeeeeee'].map((text) =>
    bytesOf(text),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  for (const bytes of [a, b, c, d]) cache.add(digestOf(bytes), { bytes });
  assert.equal(cache.get(digestOf(a))?.bytes, a);
  cache.add(digestOf(e), { bytes: e });
  assert.equal(cache.get(digestOf(a)), undefined);
  assert.equal(cache.get(digestOf(e))?.bytes, e);
  const large = bytesOf('x'.repeat(11));
  cache.add(digestOf(large), { bytes: large });
  assert.equal(cache.get(digestOf(large)), undefined);
  cache.delete(digestOf(e));
  assert.equal(cache.get(digestOf(e)), undefined);
});

test('a cache asks once for all who ask at the same time, and again after a failure', async () => {
  const cache = new ContentCache<{ bytes: Uint8Array }>(1000);
  const bytes = bytesOf('x');
  const digest = digestOf(bytes);
  let asked = 0;
  const fail = (): Promise<never> => Promise.reject(new Error(`${++asked}`));
  await Promise.all(Array.from({ length: 2 }, () => assert.rejects(cache.once(digest, digest, fail), /1/)));
  const read = (): Promise<{ bytes: Uint8Array }> => Promise.resolve({ bytes: (asked++, bytes) });
  await Promise.all([cache.once(digest, digest, read), cache.once(digest, digest, read)]);
  await cache.once(digest, digest, read);
  assert.equal(asked, 2);
});
