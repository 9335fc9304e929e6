// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaType, type Descriptor } from '../../oci/index.ts';
import { bytesSource } from '../../oci/repository.contract.ts';
import { DirectoryObjectStore } from '../../store/index.ts';
import { LossyFileSystem, type Mischief } from '../../store/lossy-file-system.fixture.ts';
import { imageJson, openFixture } from '../registry.fixture.ts';
import { TagRules } from '../rules/tag-rules.ts';
import { RegistryStorage } from './registry-storage.ts';

const CONTENTS = [20_000, 700_000, 300].map((size, at) => Buffer.alloc(size, at + 1));

/** Numbers in [0, 1) from a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/**
 * Pushes an image of three blobs until the power is gone after so many operations on files, then looks at what the next start has.
 * The database keeps what it committed: its own flushes are traced in `serve.test.ts`.
 */
async function cut(mischief: Mischief, seed: number): Promise<{ faults: string[]; done: boolean }> {
  const files = new LossyFileSystem('/', mischief);
  const fixture = await openFixture({ objects: await DirectoryObjectStore.open('/', files) });
  const repository = fixture.storage.repository('a');
  const sources = CONTENTS.map((bytes) => bytesSource(bytes));
  const layers: Descriptor[] = sources.map(({ digest, size }) => ({ mediaType: MediaType.imageLayer, digest, size }));
  const [config] = layers as [Descriptor];
  const pushed = await Promise.allSettled(sources.map((source) => repository.putBlob(source)));
  const manifest = repository.putManifest(imageJson(config, layers), MediaType.imageManifest, { tag: 'v1' });
  const done = await manifest.then(
    () => true,
    () => false,
  );
  const objects = await DirectoryObjectStore.open('/', files.crash(seeded(seed)));
  const storage = await RegistryStorage.open(fixture.database, objects, new TagRules(), () => 'registry.test');
  const after = storage.repository('a');
  const faults: string[] = [];
  for (const [at, { digest, size }] of sources.entries()) {
    const shows = await after.hasBlob(digest);
    if (pushed[at]?.status === 'fulfilled' && !shows) faults.push(`blob ${at} was acknowledged and is gone`);
    const read = shows ? await after.blob(digest, size).catch(() => undefined) : CONTENTS[at];
    if (read === undefined || !Buffer.from(read).equals(CONTENTS[at] ?? Buffer.alloc(0))) {
      faults.push(`blob ${at} shows and is not whole`);
    }
  }
  if (done !== ((await after.resolve('v1')) !== undefined)) faults.push('the tag is not as it was answered');
  await fixture.close();
  return { faults, done };
}

test('a power cut at any operation loses no acknowledged blob and shows none that is not whole', async () => {
  let completed = 0;
  for (let haltAfter = 4; haltAfter <= 40; haltAfter++) {
    const { faults, done } = await cut({ haltAfter }, haltAfter);
    assert.deepEqual(faults, [], `after ${haltAfter} operations`);
    if (done) completed += 1;
  }
  assert.ok(completed > 0 && completed < 36, `${completed} of the pushes were done before the cut`);
});

test('this is noticed where content, or names, are not flushed', async () => {
  for (const mischief of [{ ignoreFlush: true }, { ignoreDirectoryFlush: true }]) {
    const faults: string[] = [];
    for (let seed = 1; seed <= 10; seed++) faults.push(...(await cut(mischief, seed)).faults);
    assert.ok(faults.some((fault) => fault.includes('not whole')));
  }
});
