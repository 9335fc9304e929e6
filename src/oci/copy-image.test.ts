// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { copyImage } from './copy-image.ts';
import type { Descriptor } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';
import { openLayout } from './layout/open-layout.ts';
import { MediaType } from './media-type.ts';
import { MemoryRepository } from './memory/memory-repository.ts';
import { packImage } from './pack/pack-image.ts';
import { pushImage } from './push-image.ts';
import { bytesSource } from './repository.contract.ts';
import type { Repository } from './repository.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bulla-copy-'));
after(async () => rm(scratch, { recursive: true, force: true }));

const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const strict = (name = 'memory.example/to', neighbours: MemoryRepository[] = []): MemoryRepository =>
  new MemoryRepository(name, { requiresContent: true, neighbours });

async function putBlob(repository: Repository, text: string, mediaType: string): Promise<Descriptor> {
  const source = bytesSource(new TextEncoder().encode(text));
  await repository.putBlob(source);
  return { mediaType, digest: source.digest, size: source.size };
}

async function putImage(repository: Repository, name: string, tag?: string): Promise<Descriptor> {
  const config = await putBlob(repository, `{"config of":"${name}"}`, MediaType.imageConfig);
  const layers = [
    await putBlob(repository, 'shared layer', MediaType.imageLayer),
    await putBlob(repository, `layer of ${name}`, MediaType.imageLayer),
  ];
  const bytes = bytesOf({ schemaVersion: 2, mediaType: MediaType.imageManifest, config, layers });
  return (await repository.putManifest(bytes, MediaType.imageManifest, tag === undefined ? {} : { tag })).descriptor;
}

async function putIndex(repository: Repository, manifests: readonly Descriptor[], tag?: string): Promise<Descriptor> {
  const bytes = bytesOf({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests });
  return (await repository.putManifest(bytes, MediaType.imageIndex, tag === undefined ? {} : { tag })).descriptor;
}

describe('copyImage', () => {
  test('copies an image, its blobs before its manifest, and tags it', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), strict()];
    const image = await putImage(from, 'app', 'v1');
    assert.deepEqual(await copyImage(from, to, 'v1', { tag: 'copied' }), image);
    assert.deepEqual(await to.manifest('copied'), await from.manifest(image.digest));
    assert.equal(to.calls.at(-2)?.method, 'putManifest');
  });

  test('copies an index with children of children, each part once', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), strict()];
    const [amd64, arm64] = [await putImage(from, 'amd64'), await putImage(from, 'arm64')];
    const inner = await putIndex(from, [amd64, arm64]);
    const outer = await putIndex(from, [inner, arm64], 'v1');
    assert.deepEqual(await copyImage(from, to, outer.digest), outer);
    assert.deepEqual([from.count('manifest'), from.count('resolve'), from.count('openBlob')], [4, 0, 5]);
    assert.deepEqual([to.count('putManifest'), to.count('putBlob')], [4, 5]);
    for (const { digest } of [amd64, arm64, inner, outer]) {
      assert.deepEqual(await to.manifest(digest), await from.manifest(digest));
    }
  });

  test('copies an image into a layout and back without changing a byte', async () => {
    const [from, back] = [new MemoryRepository('memory.example/from'), strict()];
    const index = await putIndex(from, [await putImage(from, 'amd64'), await putImage(from, 'arm64')], 'v1');
    const layout = await openLayout(join(scratch, 'there-and-back'), { create: true });
    await copyImage(from, layout, 'v1', { tag: 'v1' });
    assert.deepEqual(await layout.soleImage(), index);
    await copyImage(layout, back, 'v1', { tag: 'v1' });
    assert.deepEqual(await back.manifest('v1'), await from.manifest('v1'));
  });

  test('answers undefined where the source does not have it, and writes nothing', async () => {
    const to = strict();
    assert.equal(await copyImage(new MemoryRepository(), to, 'absent', { tag: 'v1' }), undefined);
    assert.equal(to.count(), 0);
  });

  test('mounts the blobs of a neighbour instead of sending them', async () => {
    const from = new MemoryRepository('memory.example/from');
    const to = strict('memory.example/to', [from]);
    await putImage(from, 'app', 'v1');
    await copyImage(from, to, 'v1', { tag: 'v1' });
    assert.deepEqual([to.count('mountBlob'), to.count('putBlob'), from.count('openBlob')], [3, 0, 0]);
  });

  test('says how far it is, over all blobs together', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), strict()];
    await putIndex(from, [await putImage(from, 'amd64'), await putImage(from, 'arm64')], 'v1');
    const seen: (readonly [number, number])[] = [];
    await copyImage(from, to, 'v1', { progress: (transferred, total) => seen.push([transferred, total]) });
    const total = seen[0]?.[1] ?? 0;
    assert.ok(total > 0 && seen.every(([, all]) => all === total));
    assert.deepEqual(seen.at(-1), [total, total]);
    const transferred = seen.map(([bytes]) => bytes);
    assert.deepEqual(
      transferred,
      transferred.toSorted((a, b) => a - b),
    );
  });

  test('leaves no manifest and no tag where a blob is missing, and names it', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), new MemoryRepository('memory.example/to')];
    const missing = digestOf(new TextEncoder().encode('gone'));
    const config = await putBlob(from, '{}', MediaType.imageConfig);
    const layers = [{ mediaType: MediaType.imageLayer, digest: missing, size: 4 }];
    await from.putManifest(bytesOf({ schemaVersion: 2, config, layers }), MediaType.imageManifest, { tag: 'v1' });
    await assert.rejects(copyImage(from, to, 'v1', { tag: 'v1' }), {
      code: 'content-missing',
      message: new RegExp(`memory.example/from has no ${missing}, which sha256:`),
    });
    assert.equal(to.count('putManifest'), 0);
  });

  test('leaves nothing where a child is missing', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), strict()];
    const child = await putImage(from, 'child');
    await putIndex(from, [child], 'v1');
    await from.deleteManifest(child.digest);
    await assert.rejects(copyImage(from, to, 'v1'), { code: 'content-missing' });
    assert.equal(to.count(), 0);
  });

  test('leaves layers out that need not be there, and takes them where they are', async () => {
    const from = new MemoryRepository('memory.example/from');
    const to = new MemoryRepository('memory.example/to');
    const config = await putBlob(from, '{}', MediaType.imageConfig);
    const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    const here = await putBlob(from, 'here', foreign);
    const elsewhere = { mediaType: foreign, digest: digestOf(new TextEncoder().encode('elsewhere')), size: 9 };
    const bytes = bytesOf({ schemaVersion: 2, config, layers: [here, elsewhere] });
    await from.putManifest(bytes, MediaType.imageManifest, { tag: 'v1' });
    await copyImage(from, to, 'v1');
    assert.deepEqual([await to.hasBlob(here.digest), await to.hasBlob(elsewhere.digest)], [true, false]);
  });

  test('copies what an index names besides manifests', async () => {
    const from = new MemoryRepository('memory.example/from');
    const to = new MemoryRepository('memory.example/to');
    const note = await putBlob(from, 'a note', 'text/plain');
    await putIndex(from, [note], 'v1');
    await copyImage(from, to, 'v1');
    assert.equal(await to.hasBlob(note.digest), true);
  });

  test('refuses content that is not what the manifest says', async () => {
    const [from, to] = [new MemoryRepository('memory.example/from'), strict()];
    await putImage(from, 'app', 'v1');
    from.corrupt(digestOf(new TextEncoder().encode('shared layer')), new TextEncoder().encode('shared LAYER'));
    await assert.rejects(copyImage(from, to, 'v1', { tag: 'v1' }), { code: 'digest-mismatch' });
    assert.equal(await to.resolve('v1'), undefined);
  });

  test('refuses indexes that nest without need', async () => {
    const from = new MemoryRepository('memory.example/from');
    let child = await putImage(from, 'innermost');
    for (let depth = 0; depth < 5; depth++) child = await putIndex(from, [child], 'v1');
    await assert.rejects(copyImage(from, strict(), 'v1'), { code: 'too-large', message: /nested deeper than 4/ });
    await copyImage(from, strict(), (await childOf(from, child)).digest);
  });

  test('ends at the first failure of the target, and passes it on', async () => {
    const from = new MemoryRepository('memory.example/from');
    const layers = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => putBlob(from, `layer ${n}`, MediaType.imageLayer)),
    );
    const config = await putBlob(from, '{}', MediaType.imageConfig);
    await from.putManifest(bytesOf({ schemaVersion: 2, config, layers }), MediaType.imageManifest, { tag: 'v1' });
    const to = new MemoryRepository('memory.example/to', {
      before: ({ method }) => {
        if (method === 'putBlob') throw new RegistryError('denied', 'read only');
      },
    });
    await assert.rejects(copyImage(from, to, 'v1'), { code: 'denied' });
    assert.ok(to.count('putBlob') <= 4);
  });
});

describe('pushImage', () => {
  test('pushes a packed directory so that a strict registry takes it, and says how far it is', async () => {
    const directory = join(scratch, 'service');
    await mkdir(directory);
    await writeFile(join(directory, 'index.html'), 'hello');
    const packed = await packImage(directory);
    const to = strict();
    let last: readonly number[] = [];
    const written = await pushImage(to, packed, { tag: 'v1', progress: (...far) => (last = far) });
    assert.deepEqual(written, { descriptor: packed.descriptor });
    assert.deepEqual((await to.manifest('v1'))?.descriptor, packed.descriptor);
    const total = packed.blobs[0].size + packed.blobs[1].size;
    assert.deepEqual(last, [total, total]);
    await pushImage(to, packed);
    assert.equal(to.calls.at(-1)?.target, packed.descriptor.digest);
    await packed.close();
  });
});

async function childOf(repository: Repository, parent: { readonly digest: Digest }): Promise<Descriptor> {
  const stored = await repository.manifest(parent.digest);
  assert.ok(stored !== undefined);
  return (JSON.parse(new TextDecoder().decode(stored.bytes)) as { manifests: [Descriptor] }).manifests[0];
}
