// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import { fallbackTag } from '../referrers-index.ts';
import { bytesSource, gather, repositoryContract } from '../repository.contract.ts';
import { MemoryRepository, type MemoryOptions } from './memory-repository.ts';

const everything = { honoursExpect: true, raceSafe: true, deletesManifests: true, deletesTags: true };

for (const [name, options] of [
  ['a repository in memory', {}],
  ['a repository in memory that has no referrers API', { referrersApi: false }],
  ['a strict repository in memory', { requiresContent: true }],
] as const satisfies readonly (readonly [string, MemoryOptions])[]) {
  repositoryContract(
    name,
    async () => {
      const neighbour = new MemoryRepository('memory.example/neighbour');
      const repository = new MemoryRepository('memory.example/test', { ...options, neighbours: [neighbour] });
      return { repository, neighbour, close: async () => {} };
    },
    everything,
  );
}

describe('a repository in memory', () => {
  const blob = bytesSource(new TextEncoder().encode('x'));
  const image = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      config: { mediaType: 'a/b', ...blob },
      layers: [],
    }),
  );

  test('counts its calls', async () => {
    const repository = new MemoryRepository();
    await repository.resolve('a');
    await repository.resolve('b');
    await repository.hasBlob(blob.digest);
    assert.deepEqual([repository.count('resolve'), repository.count('manifest'), repository.count()], [2, 0, 3]);
    assert.deepEqual(repository.calls[1], { method: 'resolve', target: 'b' });
  });

  test('fails with what the hook throws', async () => {
    const repository = new MemoryRepository('memory.example/test', {
      before: ({ method }) => {
        if (method === 'referrers') throw new RegistryError('throttled', 'later');
      },
    });
    await assert.rejects(repository.referrers(blob.digest), { code: 'throttled' });
    assert.equal(await repository.resolve('a'), undefined);
  });

  test('notices content that is no longer what it was stored as', async () => {
    const repository = new MemoryRepository();
    await repository.putBlob(blob);
    await repository.putManifest(image, MediaType.imageManifest, { tag: 'a' });
    const other = new TextEncoder().encode('y');
    repository.corrupt(blob.digest, other);
    repository.corrupt(digestOf(image), other);
    await assert.rejects(repository.blob(blob.digest, 10), { code: 'digest-mismatch' });
    const stream = await repository.openBlob(blob.digest);
    assert.ok(stream !== undefined);
    await assert.rejects(gather(stream.body), { code: 'digest-mismatch' });
    await assert.rejects(repository.manifest('a'), { code: 'digest-mismatch' });
  });

  test('refuses a manifest before its parts, where it is told to be strict', async () => {
    const repository = new MemoryRepository('memory.example/test', { requiresContent: true });
    await assert.rejects(repository.putManifest(image, MediaType.imageManifest), { code: 'content-missing' });
    await repository.putBlob(blob);
    await repository.putManifest(image, MediaType.imageManifest);
  });

  test('keeps referrers under the fallback tag, where it has no API for them', async () => {
    const repository = new MemoryRepository('memory.example/test', { referrersApi: false });
    const subject = { mediaType: MediaType.imageManifest, digest: digestOf(image), size: image.byteLength };
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [], subject };
    const written = await repository.putManifest(new TextEncoder().encode(JSON.stringify(index)), MediaType.imageIndex);
    assert.deepEqual(written.listed, { place: 'fallback-tag', raceSafe: true });
    assert.deepEqual(await gather(repository.tags()), [fallbackTag(subject.digest)]);
    assert.equal((await repository.referrers(subject.digest)).place, 'fallback-tag');
  });
});
