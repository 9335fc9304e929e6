// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ObjectStore } from './object-store.ts';
import { StoreError } from './store-error.ts';

/** A driver under test. `reopen` ends the process that holds it, as far as a test can, and starts the next one. */
export interface ObjectStoreSubject {
  readonly store: ObjectStore;
  reopen(): Promise<ObjectStoreSubject>;
  end(): Promise<void>;
}

/** The suite that every driver of the object port passes. */
export function objectStoreContract(driver: string, make: () => Promise<ObjectStoreSubject>): void {
  const withSubject = (use: (subject: ObjectStoreSubject) => Promise<void>) => async () => {
    const subject = await make();
    try {
      await use(subject);
    } finally {
      await subject.end();
    }
  };

  describe(`${driver} is an object store`, () => {
    for (const size of [0, 1, 5000, 700_000, 3_000_001]) {
      test(
        `gives back ${size} bytes as they were put`,
        withSubject(async ({ store }) => {
          const bytes = pattern(size);
          await put(store, 'a/b', bytes);
          assert.equal(await store.size('a/b'), size);
          assert.deepEqual(await gather(store.read('a/b')), bytes);
        }),
      );
    }
    test(
      'reads any part of an object',
      withSubject(async ({ store }) => {
        const bytes = pattern(1_500_000);
        await put(store, 'k', bytes);
        for (const [start, end] of [
          [0, 0],
          [0, 1_499_999],
          [1_499_999, 1_499_999],
          [524_287, 524_288],
          [100, 1_200_000],
        ] as const) {
          assert.deepEqual(await gather(store.read('k', { start, end })), bytes.subarray(start, end + 1));
        }
      }),
    );
    test(
      'refuses a part that lies beyond the end',
      withSubject(async ({ store }) => {
        await put(store, 'k', pattern(10));
        await assert.rejects(gather(store.read('k', { start: 5, end: 10 })), coded('corrupt'));
      }),
    );
    test(
      'tells what is not there from what failed',
      withSubject(async ({ store }) => {
        assert.equal(await store.size('none'), undefined);
        assert.equal(await store.delete('none'), false);
        await assert.rejects(gather(store.read('none')), coded('not-found'));
      }),
    );
    test(
      'shows nothing of an object before it is committed',
      withSubject(async ({ store }) => {
        const staged = store.stage();
        await staged.append(pattern(2_000_000));
        assert.deepEqual(await keys(store), []);
        assert.equal(await store.size('k'), undefined);
        await staged.commit('k');
        assert.deepEqual(await keys(store), ['k']);
      }),
    );
    for (const size of [10, 2_000_000]) {
      test(
        `reads ${size} staged bytes back and takes more after that`,
        withSubject(async ({ store }) => {
          const staged = store.stage();
          await staged.append(pattern(size));
          assert.deepEqual(await gather(staged.read()), pattern(size));
          await staged.append(Buffer.from('end'));
          assert.equal(staged.size, size + 3);
          await staged.commit('k');
          assert.deepEqual(await gather(store.read('k')), Buffer.concat([pattern(size), Buffer.from('end')]));
        }),
      );
    }
    test(
      'forgets what is discarded, at any time and twice',
      withSubject(async ({ store }) => {
        for (const size of [0, 10, 2_000_000]) {
          const staged = store.stage();
          await staged.append(pattern(size));
          await staged.discard();
          await staged.discard();
          await assert.rejects(staged.commit('k'), coded('closed'));
          await assert.rejects(staged.append(pattern(1)), coded('closed'));
        }
        const committed = store.stage();
        await committed.commit('k');
        await committed.discard();
        assert.equal(await store.size('k'), 0);
      }),
    );
    test(
      'takes the same key from many writers at once',
      withSubject(async ({ store }) => {
        const bytes = pattern(100_000);
        await Promise.all(Array.from({ length: 20 }, () => put(store, 'deep/er/k', bytes)));
        assert.deepEqual(await gather(store.read('deep/er/k')), bytes);
        assert.deepEqual(await keys(store), ['deep/er/k']);
      }),
    );
    test(
      'lists keys below a prefix, by whole segments',
      withSubject(async ({ store }) => {
        for (const key of ['a/1', 'a/2/x', 'ab/3', 'b']) await put(store, key, pattern(1));
        assert.deepEqual(await keys(store, 'a'), ['a/1', 'a/2/x']);
        assert.deepEqual(await keys(store), ['a/1', 'a/2/x', 'ab/3', 'b']);
        assert.deepEqual(await keys(store, 'none'), []);
      }),
    );
    test(
      'deletes, and a reader that has begun goes on to the end',
      withSubject(async ({ store }) => {
        const bytes = pattern(2_000_000);
        await put(store, 'k', bytes);
        const parts: Uint8Array[] = [];
        for await (const part of store.read('k')) {
          if (parts.length === 0) assert.equal(await store.delete('k'), true);
          parts.push(part);
        }
        assert.deepEqual(Buffer.concat(parts), bytes);
        assert.equal(await store.size('k'), undefined);
      }),
    );
    test(
      'lets a reader stop early',
      withSubject(async ({ store }) => {
        await put(store, 'k', pattern(2_000_000));
        for (let at = 0; at < 300; at++) {
          for await (const part of store.read('k')) {
            assert.ok(part.byteLength > 0);
            break;
          }
        }
      }),
    );
    for (const key of ['', '/', 'a//b', '../a', 'a/..', '.a', 'A', 'a b', 'a\0', 'x'.repeat(513), '/a', 'a/']) {
      test(
        `refuses the key ${JSON.stringify(key.slice(0, 20))}`,
        withSubject(async ({ store }) => {
          await assert.rejects(store.stage().commit(key), coded('key-malformed'));
          await assert.rejects(gather(store.read(key)), coded('key-malformed'));
          await assert.rejects(store.size(key), coded('key-malformed'));
          await assert.rejects(store.delete(key), coded('key-malformed'));
        }),
      );
    }
    test(
      'discards what is staged when it closes',
      withSubject(async ({ store }) => {
        const staged = store.stage();
        await staged.append(pattern(2_000_000));
        await store.close();
        await assert.rejects(staged.commit('k'), coded('closed'));
      }),
    );
    test(
      'keeps objects and sweeps what was on its way when it opens again',
      withSubject(async (subject) => {
        await put(subject.store, 'kept', pattern(100));
        await subject.store.stage().append(pattern(2_000_000));
        const next = await subject.reopen();
        try {
          assert.deepEqual(await keys(next.store), ['kept']);
          assert.deepEqual(await gather(next.store.read('kept')), pattern(100));
          await put(next.store, 'more', pattern(10));
        } finally {
          await next.end();
        }
      }),
    );
  });
}

/** Puts bytes in pieces as they come from a socket. */
export async function put(store: ObjectStore, key: string, bytes: Uint8Array): Promise<void> {
  const staged = store.stage();
  for (let at = 0; at < bytes.byteLength; at += 65_536) await staged.append(bytes.subarray(at, at + 65_536));
  await staged.commit(key);
}

/** All that a stream gives. */
export async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Bytes that differ from place to place. */
export function pattern(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff;
  return bytes;
}

async function keys(store: ObjectStore, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const key of store.list(prefix)) found.push(key);
  return found.toSorted();
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}
