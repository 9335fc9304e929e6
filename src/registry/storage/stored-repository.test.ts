// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { digestOf, MediaType, parseDigest, RegistryError, type Descriptor, type Digest } from '../../oci/index.ts';
import { bytesSource, repositoryContract } from '../../oci/repository.contract.ts';
import { imageJson, openFixture, pushBlob, pushImage, putManifest } from '../registry.fixture.ts';
import type { StoredRepository } from './stored-repository.ts';

repositoryContract(
  "our registry's storage",
  async () => {
    const fixture = await openFixture();
    return {
      repository: fixture.storage.repository('team/app'),
      neighbour: fixture.storage.repository('team/base'),
      close: () => fixture.close(),
    };
  },
  { honoursExpect: true, raceSafe: true, deletesManifests: true, deletesTags: true },
);

const EMPTY = Buffer.from('{}');

async function image(repository: StoredRepository, n: string, layers: readonly Descriptor[] = []): Promise<Buffer> {
  await repository.putBlob(bytesSource(EMPTY));
  const config = { mediaType: MediaType.imageConfig, digest: digestOf(EMPTY), size: 2 };
  return imageJson(config, layers, { annotations: { n } });
}

async function blob(repository: StoredRepository, text: string): Promise<Descriptor> {
  const source = bytesSource(Buffer.from(text));
  await repository.putBlob(source);
  return { mediaType: MediaType.imageLayer, digest: source.digest, size: source.size };
}

function deniedSaying(...patterns: readonly RegExp[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RegistryError && error.code === 'denied', String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  };
}

describe('a tag that is written once', () => {
  test('takes the same digest again and refuses another, naming tag, digest and rule', async () => {
    const fixture = await openFixture({ writeOnce: ['team/*:v*'] });
    const repository = fixture.storage.repository('team/app');
    const [one, two] = [await image(repository, '1'), await image(repository, '2')];
    for (let again = 0; again < 3; again++) await repository.putManifest(one, MediaType.imageManifest, { tag: 'v1' });
    await assert.rejects(
      repository.putManifest(two, MediaType.imageManifest, { tag: 'v1' }),
      deniedSaying(
        /^tag v1 of team\/app is written once/,
        new RegExp(`names ${digestOf(one)} `),
        new RegExp(`moved to ${digestOf(two)}`),
        /--write-once 'team\/\*:v\*'/,
      ),
    );
    assert.equal((await repository.resolve('v1'))?.digest, digestOf(one));
    assert.equal(await repository.resolve(digestOf(two)), undefined, 'a refused manifest was kept');
    await repository.putManifest(two, MediaType.imageManifest, { tag: 'latest' });
    await repository.putManifest(one, MediaType.imageManifest, { tag: 'latest' });
    await fixture.close();
  });

  test('is won by exactly one of 50 writers at once', async () => {
    const fixture = await openFixture({ writeOnce: ['**:*'] });
    const repository = fixture.storage.repository('team/app');
    const contents = await Promise.all(Array.from({ length: 50 }, (_, at) => image(repository, `${at}`)));
    const outcomes = await Promise.allSettled(
      contents.map((bytes) => repository.putManifest(bytes, MediaType.imageManifest, { tag: 'v1' })),
    );
    const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    assert.equal(winners.length, 1);
    assert.equal((await repository.resolve('v1'))?.digest, winners[0]?.value.descriptor.digest);
    for (const outcome of outcomes) if (outcome.status === 'rejected') deniedSaying(/written once/)(outcome.reason);
    await fixture.close();
  });

  test('is not moved with the right expectation either', async () => {
    const fixture = await openFixture({ writeOnce: ['**:*'] });
    const repository = fixture.storage.repository('team/app');
    const [one, two] = [await image(repository, '1'), await image(repository, '2')];
    const put = (bytes: Buffer, expect: Digest | 'absent') =>
      repository.putManifest(bytes, MediaType.imageManifest, { tag: 'v1', expect });
    await put(one, 'absent');
    await assert.rejects(put(two, digestOf(one)), deniedSaying(/written once/));
    await put(one, digestOf(one));
    await assert.rejects(put(two, digestOf(two)), { code: 'conflict' });
    await fixture.close();
  });

  test('cannot be deleted, nor the manifest that it names, nor what that one needs', async () => {
    const fixture = await openFixture({ writeOnce: ['**:v*'] });
    const repository = fixture.storage.repository('team/app');
    const layer = await blob(repository, 'layer');
    const child = await image(repository, 'child', [layer]);
    const { descriptor } = await repository.putManifest(child, MediaType.imageManifest, { tag: 'free' });
    const index = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [descriptor] }),
    );
    await repository.putManifest(index, MediaType.imageIndex, { tag: 'v1' });
    await assert.rejects(
      repository.deleteManifest('v1'),
      deniedSaying(/^tag v1 of team\/app cannot be deleted/, /'\*\*:v\*'/),
    );
    await assert.rejects(
      repository.deleteManifest(digestOf(index)),
      deniedSaying(/^tag v1 of team\/app cannot be deleted/),
    );
    await assert.rejects(repository.deleteManifest(digestOf(child)), deniedSaying(/is a part of index sha256:/));
    await assert.rejects(
      fixture.storage.blobs.delete('team/app', layer.digest),
      deniedSaying(/^blob sha256:\w+ is a part of manifest sha256:/),
    );
    assert.equal(await repository.deleteManifest('free'), true);
    assert.equal((await repository.resolve(digestOf(child)))?.digest, digestOf(child));
    await fixture.close();
  });

  test('is free where a mutable rule excepts it', async () => {
    const fixture = await openFixture({ writeOnce: ['**:*'], mutable: ['**:latest'] });
    const repository = fixture.storage.repository('team/app');
    for (const n of ['1', '2']) {
      await repository.putManifest(await image(repository, n), MediaType.imageManifest, { tag: 'latest' });
    }
    assert.equal(await repository.deleteManifest('latest'), true);
    await fixture.close();
  });
});

describe('a tag where seals lie', () => {
  const TAG = `sha256-${'ab'.repeat(32)}.sig`;
  const seal = (payload: Descriptor, signature: string): Descriptor => ({
    ...payload,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  });

  test('takes more layers and loses none', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const payload = await blob(repository, 'payload');
    const put = async (layers: readonly Descriptor[], n = 'x') =>
      repository.putManifest(await image(repository, n, layers), MediaType.imageManifest, { tag: TAG });
    const [first, second, third] = [seal(payload, 'first'), seal(payload, 'second'), seal(payload, 'third')];
    await put([first]);
    await put([first, second]);
    await put([second, third, first], 'another order');
    await assert.rejects(
      put([first, second]),
      deniedSaying(/is append-only/, new RegExp(`part ${payload.digest} is missing`), /tags where seals lie only grow/),
    );
    // The same payload under another signature is not the seal that was there.
    await assert.rejects(put([first, second, seal(payload, 'forged')]), deniedSaying(/append-only/));
    await assert.rejects(put([first, second, { ...third, annotations: {} }]), deniedSaying(/append-only/));
    await assert.rejects(put([]), deniedSaying(/append-only/));
    await assert.rejects(repository.deleteManifest(TAG), deniedSaying(/cannot be deleted/));
    const named = await repository.resolve(TAG);
    await assert.rejects(repository.deleteManifest(named?.digest ?? ''), deniedSaying(/cannot be deleted/));
    await fixture.close();
  });

  test('grows also with the right expectation, and only then', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const payload = await blob(repository, 'payload');
    const put = async (signatures: readonly string[], expect: Digest | 'absent') =>
      (
        await repository.putManifest(
          await image(
            repository,
            'x',
            signatures.map((signature) => seal(payload, signature)),
          ),
          MediaType.imageManifest,
          { tag: TAG, expect },
        )
      ).descriptor.digest;
    const one = await put(['a'], 'absent');
    await assert.rejects(put(['b'], one), deniedSaying(/append-only/));
    const two = await put(['a', 'b'], one);
    await assert.rejects(put(['a', 'b', 'c'], one), { code: 'conflict' });
    await put(['a', 'b', 'c'], two);
    await fixture.close();
  });

  test('keeps the seals of 20 writers who read, append and expect', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const payload = await blob(repository, 'payload');
    const append = async (signature: string): Promise<void> => {
      for (;;) {
        const before = await repository.manifest(TAG);
        const layers =
          before === undefined
            ? []
            : (JSON.parse(Buffer.from(before.bytes).toString()) as { layers: Descriptor[] }).layers;
        const bytes = await image(repository, 'x', [...layers, seal(payload, signature)]);
        const expect = before?.descriptor.digest ?? 'absent';
        try {
          await repository.putManifest(bytes, MediaType.imageManifest, { tag: TAG, expect });
          return;
        } catch (error) {
          assert.ok(error instanceof RegistryError && error.code === 'conflict', String(error));
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, at) => append(`signature ${at}`)));
    const { layers } = JSON.parse(Buffer.from((await repository.manifest(TAG))?.bytes ?? []).toString()) as {
      layers: unknown[];
    };
    assert.equal(layers.length, 20);
    await fixture.close();
  });

  test('takes more entries of an index and loses none, whatever their hints', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const tag = `sha256-${'cd'.repeat(32)}`;
    const entries = await Promise.all(
      ['1', '2', '3'].map(
        async (n) => (await repository.putManifest(await image(repository, n), MediaType.imageManifest)).descriptor,
      ),
    );
    const put = async (manifests: readonly Descriptor[]) =>
      repository.putManifest(
        Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests })),
        MediaType.imageIndex,
        { tag },
      );
    const [one, two, three] = entries as [Descriptor, Descriptor, Descriptor];
    await put([{ ...one, artifactType: 'a/b' }]);
    await put([two, one]);
    await put([three, two, one]);
    await assert.rejects(put([three, two]), deniedSaying(/append-only/, new RegExp(one.digest)));
    await assert.rejects(
      repository.putManifest(await image(repository, 'x'), MediaType.imageManifest, { tag }),
      deniedSaying(/append-only/),
    );
    await fixture.close();
  });

  test('is free where a mutable rule excepts it', async () => {
    const fixture = await openFixture({ mutable: ['team/*:sha256-*'] });
    const repository = fixture.storage.repository('team/app');
    const payload = await blob(repository, 'payload');
    for (const layers of [[payload], []]) {
      await repository.putManifest(await image(repository, 'x', layers), MediaType.imageManifest, { tag: TAG });
    }
    assert.equal(await repository.deleteManifest(TAG), true);
    await fixture.close();
  });
});

describe('a blob', () => {
  for (const [size, place] of [
    [100, 'row'],
    [16_384, 'row'],
    [16_385, 'object'],
    [300_000, 'object'],
  ] as const) {
    test(`of ${size} bytes is kept as ${place}, once for all repositories, and goes with the last of them`, async () => {
      const fixture = await openFixture();
      const [one, two] = [fixture.storage.repository('one'), fixture.storage.repository('two')];
      const source = bytesSource(Buffer.alloc(size, 7));
      await Promise.all([one.putBlob(source), two.putBlob(source)]);
      const rows = await fixture.database.all<{ place: string }>('SELECT place FROM blobs');
      assert.deepEqual(
        rows.map((row) => row.place),
        [place],
      );
      const left = async () =>
        (await fixture.database.all('SELECT digest FROM contents')).length + (await files(fixture.root)).length;
      assert.equal(await left(), 1);
      assert.equal(await fixture.storage.blobs.delete('one', source.digest), true);
      assert.equal(await one.hasBlob(source.digest), false);
      assert.equal((await two.blob(source.digest, size))?.byteLength, size);
      assert.equal(await fixture.storage.blobs.delete('two', source.digest), true);
      assert.equal(await fixture.storage.blobs.delete('two', source.digest), false);
      assert.equal(await left(), 0);
      await one.putBlob(source);
      assert.equal((await one.blob(source.digest, size))?.byteLength, size);
      await fixture.close();
    });
  }

  test('of the same bytes as a manifest does not take the manifest with it, nor the other way round', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const bytes = await image(repository, 'both');
    const { descriptor } = await repository.putManifest(bytes, MediaType.imageManifest);
    await repository.putBlob(bytesSource(bytes));
    assert.equal(await fixture.storage.blobs.delete('team/app', descriptor.digest), true);
    assert.deepEqual(Buffer.from((await repository.manifest(descriptor.digest))?.bytes ?? []), bytes);
    await repository.putBlob(bytesSource(bytes));
    assert.equal(await repository.deleteManifest(descriptor.digest), true);
    assert.deepEqual(Buffer.from((await repository.blob(descriptor.digest, 9999)) ?? []), bytes);
    await fixture.close();
  });

  test('that was damaged on the disk is not given out as what it was', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const source = bytesSource(Buffer.alloc(100_000, 7));
    await repository.putBlob(source);
    const [file = ''] = await files(fixture.root);
    await rm(file);
    await assert.rejects(repository.blob(source.digest, 100_000), { code: 'storage-failed' });
    await writeFile(file, Buffer.alloc(100_000, 8));
    await assert.rejects(repository.blob(source.digest, 100_000), { code: 'digest-mismatch' });
    await writeFile(file, Buffer.alloc(99_999, 7));
    await assert.rejects(repository.blob(source.digest, 100_000), { code: 'size-mismatch' });
    await fixture.close();
  });

  test('is never lost between a push and the deletion of its last link', async () => {
    const fixture = await openFixture();
    const [one, two] = [fixture.storage.repository('one'), fixture.storage.repository('two')];
    for (let round = 0; round < 20; round++) {
      const source = bytesSource(Buffer.alloc(20_000 + round, 7));
      await one.putBlob(source);
      await Promise.all([fixture.storage.blobs.delete('one', source.digest), two.putBlob(source)]);
      assert.equal((await two.blob(source.digest, source.size))?.byteLength, source.size);
    }
    await fixture.close();
  });
});

describe('referrers', () => {
  const SUBJECT: Descriptor = {
    mediaType: MediaType.imageManifest,
    digest: parseDigest(`sha256:${'12'.repeat(32)}`),
    size: 5,
  };

  test('are all listed, over many pages, and one with endless annotations without them', async () => {
    const fixture = await openFixture();
    const repository = fixture.storage.repository('team/app');
    const note = 'x'.repeat(100_000);
    const written: string[] = [];
    for (let at = 0; at < 60; at++) {
      const more = { subject: SUBJECT, annotations: { note: at === 0 ? note.repeat(5) : note, n: `${at}` } };
      written.push((await pushImage(fixture, 'team/app', '', 'layer', more)).digest);
    }
    const page = await fixture.storage.listings.referrers('team/app', SUBJECT.digest, { limit: 1000 });
    assert.ok(page.next !== undefined && page.entries.length < 30, 'a page is not bounded by its bytes');
    const { descriptors } = await repository.referrers(SUBJECT.digest);
    assert.deepEqual(
      descriptors.map((entry) => entry.digest),
      written.toSorted(),
    );
    assert.equal(descriptors.filter((entry) => entry.annotations === undefined).length, 1);
    await fixture.close();
  });

  test('are known by their own digest also where that is a sha512', async () => {
    const fixture = await openFixture();
    const config = await pushBlob(fixture, 'team/app', '{}');
    const bytes = imageJson(config, [], { subject: SUBJECT });
    const digest = digestOf(bytes, 'sha512');
    assert.equal((await putManifest(fixture, 'team/app', digest, bytes)).status, 201);
    const { descriptors } = await fixture.storage.repository('team/app').referrers(SUBJECT.digest);
    assert.deepEqual(
      descriptors.map((entry) => entry.digest),
      [digest],
    );
    await fixture.close();
  });
});

async function files(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'objects'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
