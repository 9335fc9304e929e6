// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Descriptor } from './descriptor.ts';
import { digestOf, isDigest, parseDigest, type Digest } from './digest.ts';
import { ReferenceFault, RegistryError } from './error.ts';
import { ManifestLimit } from './manifest.ts';
import { MediaType } from './media-type.ts';
import type { BlobSource, Repository } from './repository.ts';

/** What an implementation may differ in. */
export interface RepositoryTraits {
  /** `expect` decides which of two writers wins a tag */
  readonly honoursExpect: boolean;
  /** no writer of a referrer can lose another's entry */
  readonly raceSafe: boolean;
  readonly deletesManifests: boolean;
  readonly deletesTags: boolean;
  /** blobs may be named by sha512; true unless told */
  readonly takesSha512?: boolean;
}

/** An empty repository for one test suite. */
export interface OpenedRepository {
  readonly repository: Repository;
  /** another repository of the same registry, where blobs can be mounted from it */
  readonly neighbour?: Repository;
  close(): Promise<void>;
}

const ABSENT = parseDigest(`sha256:${'0'.repeat(64)}`);
const EMPTY = new TextEncoder().encode('{}');
const EMPTY_DESCRIPTOR: Descriptor = { mediaType: MediaType.empty, digest: digestOf(EMPTY), size: 2 };

/** A blob of bytes in memory. `opened` counts how often it was read. */
export function bytesSource(bytes: Uint8Array, digest: Digest = digestOf(bytes)): BlobSource & { opened: number } {
  return {
    digest,
    size: bytes.byteLength,
    opened: 0,
    async *open() {
      this.opened++;
      yield bytes;
    },
  };
}

/**
 * What every repository promises, as tests. Each implementation of the port runs it.
 *
 * @param name of the implementation
 * @param open gives an empty repository; it is called for each group of tests
 */
export function repositoryContract(
  name: string,
  open: () => Promise<OpenedRepository>,
  traits: RepositoryTraits,
): void {
  describe(`${name} keeps the contract of a repository`, () => {
    group('blobs', open, (opened) => blobTests(opened, traits));
    group('manifests', open, (opened) => manifestTests(opened, traits));
    group('tags', open, (opened) => tagTests(opened, traits));
    group('referrers', open, (opened) => referrerTests(opened, traits));
  });
}

type Opened = () => OpenedRepository;

function group(name: string, open: () => Promise<OpenedRepository>, tests: (opened: Opened) => void): void {
  describe(name, () => {
    let opened: OpenedRepository | undefined;
    before(async () => {
      opened = await open();
    });
    after(async () => opened?.close());
    tests(() => {
      assert.ok(opened !== undefined);
      return opened;
    });
  });
}

function blobTests(opened: Opened, traits: RepositoryTraits): void {
  const repository = (): Repository => opened().repository;

  test('answers undefined and false for a blob that is not there', async () => {
    assert.equal(await repository().blob(ABSENT, 10), undefined);
    assert.equal(await repository().openBlob(ABSENT), undefined);
    assert.equal(await repository().hasBlob(ABSENT), false);
  });

  test('gives back the bytes of a blob, whole and as a stream', async () => {
    for (const bytes of [textBytes('a blob'), new Uint8Array(0), new Uint8Array(200_000).map((_, at) => at % 251)]) {
      const source = bytesSource(bytes);
      await repository().putBlob(source);
      assert.equal(await repository().hasBlob(source.digest), true);
      assertBytes(await repository().blob(source.digest, bytes.byteLength), bytes);
      const stream = await repository().openBlob(source.digest);
      assert.equal(stream?.size, bytes.byteLength);
      assertBytes(await collect(stream?.body), bytes);
    }
  });

  test('refuses a blob that is larger than the reader takes', async () => {
    const source = bytesSource(textBytes('ten bytes!'));
    await repository().putBlob(source);
    await assert.rejects(repository().blob(source.digest, 9), { name: 'RegistryError', code: 'too-large' });
    assert.equal((await repository().blob(source.digest, 10))?.byteLength, 10);
  });

  test('does not read a source whose blob is there already', async () => {
    const bytes = textBytes('once');
    await repository().putBlob(bytesSource(bytes));
    const again = bytesSource(bytes);
    await repository().putBlob(again);
    assert.equal(again.opened, 0);
  });

  test('takes the same blob from several writers at once', async () => {
    const bytes = textBytes('from many');
    await Promise.all(Array.from({ length: 5 }, () => repository().putBlob(bytesSource(bytes))));
    assertBytes(await repository().blob(digestOf(bytes), 100), bytes);
  });

  test('refuses content that is not what its digest says, and keeps nothing of it', async () => {
    const digest = digestOf(textBytes('promised'));
    await assert.rejects(repository().putBlob(bytesSource(textBytes('differen'), digest)), {
      name: 'RegistryError',
      code: 'digest-mismatch',
    });
    assert.equal(await repository().hasBlob(digest), false);
  });

  test('refuses content that is not as long as was said, and keeps nothing of it', async () => {
    for (const size of [3, 300]) {
      const source = { ...bytesSource(textBytes(`of another size than ${size}`)), size };
      await assert.rejects(repository().putBlob(source), (error) => {
        assert.ok(error instanceof RegistryError);
        return error.code === 'size-mismatch' || error.code === 'digest-mismatch';
      });
      assert.equal(await repository().hasBlob(source.digest), false);
    }
  });

  test('passes on what a source fails with, and keeps nothing of it', async () => {
    const bytes = textBytes('never sent to its end');
    const source: BlobSource = {
      ...bytesSource(bytes),
      async *open() {
        yield bytes.subarray(0, 5);
        throw new RegistryError('storage-failed', 'the disk is gone');
      },
    };
    await assert.rejects(repository().putBlob(source), { message: /the disk is gone/ });
    assert.equal(await repository().hasBlob(source.digest), false);
  });

  test('streams 32 MiB both ways in small chunks and says how far it is', async () => {
    const source = largeSource(32 * 1024 * 1024);
    const seen: number[] = [];
    await repository().putBlob(source, (transferred, total) => {
      assert.equal(total, source.size);
      seen.push(transferred);
    });
    assert.equal(seen.at(-1), source.size);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    const stream = await repository().openBlob(source.digest);
    const hash = createHash('sha256');
    for await (const chunk of stream?.body ?? []) {
      assert.ok(chunk.byteLength <= 4 * 1024 * 1024, 'a chunk is not the whole');
      hash.update(chunk);
    }
    assert.equal(`sha256:${hash.digest('hex')}`, source.digest);
  });

  test('can be read again after a reader stopped halfway', async () => {
    const bytes = new Uint8Array(300_000).fill(9);
    const { digest } = bytesSource(bytes);
    await repository().putBlob(bytesSource(bytes));
    for await (const chunk of (await repository().openBlob(digest))?.body ?? []) {
      assert.ok(chunk.byteLength > 0);
      break;
    }
    assertBytes(await collect((await repository().openBlob(digest))?.body), bytes);
  });

  if (traits.takesSha512 !== false) {
    test('takes a blob by its sha512', async () => {
      const bytes = textBytes('by a longer name');
      const digest = digestOf(bytes, 'sha512');
      await repository().putBlob(bytesSource(bytes, digest));
      assertBytes(await repository().blob(digest, 100), bytes);
    });
  }

  test('answers false to a mount from where the blob is not', async () => {
    assert.equal(await repository().mountBlob(ABSENT, 'elsewhere.invalid/nowhere'), false);
    assert.equal(await repository().hasBlob(ABSENT), false);
  });

  test('mounts a blob of a neighbour, where there is one', async () => {
    const { neighbour } = opened();
    if (neighbour === undefined) return;
    const source = bytesSource(textBytes('mounted'));
    await neighbour.putBlob(source);
    assert.equal(await repository().mountBlob(source.digest, neighbour.name), true);
    assertBytes(await repository().blob(source.digest, 100), textBytes('mounted'));
  });
}

function manifestTests(opened: Opened, traits: RepositoryTraits): void {
  const repository = (): Repository => opened().repository;

  test('answers undefined for a manifest that is not there', async () => {
    assert.equal(await repository().manifest('absent'), undefined);
    assert.equal(await repository().manifest(ABSENT), undefined);
    assert.equal(await repository().resolve('absent'), undefined);
    assert.equal(await repository().resolve(ABSENT), undefined);
  });

  test('never answers a target that is no tag', async () => {
    for (const target of ['../index', 'a/b', '', '.', 'sha256:abc', 'x?y=1', 'a%2fb']) {
      try {
        assert.equal(await repository().manifest(target), undefined, target);
      } catch (error) {
        assert.ok(error instanceof ReferenceFault, `${target}: ${String(error)}`);
      }
    }
  });

  test('keeps the exact bytes of a manifest, by tag and by digest', async () => {
    const compact = new TextDecoder().decode(await imageBytes(repository(), { 'a.b/é': '€ "x"' }));
    const bytes = textBytes(`\n${JSON.stringify(JSON.parse(compact), null, '\t')}  \r\n`);
    const written = await repository().putManifest(bytes, MediaType.imageManifest, { tag: 'exact' });
    const descriptor = { mediaType: MediaType.imageManifest, digest: digestOf(bytes), size: bytes.byteLength };
    assert.deepEqual(written, { descriptor });
    for (const target of ['exact', descriptor.digest]) {
      const stored = await repository().manifest(target);
      assert.deepEqual(stored?.descriptor, descriptor);
      assertBytes(stored?.bytes, bytes);
      assert.deepEqual(await repository().resolve(target), descriptor);
    }
  });

  test('takes a manifest without a tag', async () => {
    const bytes = await imageBytes(repository(), { n: 'untagged' });
    const { descriptor } = await repository().putManifest(bytes, MediaType.imageManifest);
    assertBytes((await repository().manifest(descriptor.digest))?.bytes, bytes);
  });

  test('takes the same manifest twice', async () => {
    const bytes = await imageBytes(repository(), { n: 'twice' });
    const first = await repository().putManifest(bytes, MediaType.imageManifest, { tag: 'twice' });
    assert.deepEqual(await repository().putManifest(bytes, MediaType.imageManifest, { tag: 'twice' }), first);
  });

  test('takes an index with its children, and Docker manifests', async () => {
    const child = await repository().putManifest(
      await imageBytes(repository(), { n: 'child' }),
      MediaType.imageManifest,
    );
    const index = jsonBytes({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [child.descriptor] });
    await repository().putManifest(index, MediaType.imageIndex, { tag: 'index' });
    assert.equal((await repository().resolve('index'))?.mediaType, MediaType.imageIndex);
    assert.equal((await repository().resolve(child.descriptor.digest))?.mediaType, MediaType.imageManifest);
    const image = JSON.parse(new TextDecoder().decode(await imageBytes(repository(), {}))) as object;
    const docker = jsonBytes({ ...image, mediaType: MediaType.dockerManifest, annotations: undefined });
    await repository().putManifest(docker, MediaType.dockerManifest, { tag: 'docker' });
    assert.equal((await repository().manifest('docker'))?.descriptor.mediaType, MediaType.dockerManifest);
  });

  test('does not take a blob for a manifest', async () => {
    await repository().putBlob(bytesSource(EMPTY));
    assert.equal(await repository().manifest(EMPTY_DESCRIPTOR.digest), undefined);
    assert.equal(await repository().resolve(EMPTY_DESCRIPTOR.digest), undefined);
  });

  test('refuses a manifest of more than 4 MiB and takes one of almost 4', async () => {
    const image = JSON.parse(new TextDecoder().decode(await imageBytes(repository(), {}))) as object;
    const padded = (size: number): Uint8Array => jsonBytes({ ...image, padding: 'x'.repeat(size) });
    await assert.rejects(
      repository().putManifest(padded(ManifestLimit.bytes), MediaType.imageManifest, { tag: 'fat' }),
      {
        name: 'RegistryError',
        code: 'too-large',
      },
    );
    assert.equal(await repository().resolve('fat'), undefined);
    const large = padded(ManifestLimit.bytes - 2000);
    await repository().putManifest(large, MediaType.imageManifest, { tag: 'large' });
    assert.equal((await repository().manifest('large'))?.bytes.byteLength, large.byteLength);
  });

  test('refuses what is no manifest', async () => {
    for (const text of ['', '<html>', '[]', '{"schemaVersion":2}']) {
      await assert.rejects(
        repository().putManifest(textBytes(text), MediaType.imageManifest, { tag: 'junk' }),
        RegistryError,
      );
    }
    assert.equal(await repository().resolve('junk'), undefined);
  });

  if (traits.deletesManifests) {
    test('deletes a manifest with its tags, and says whether it was there', async () => {
      const bytes = await imageBytes(repository(), { n: 'to be deleted' });
      const { descriptor } = await repository().putManifest(bytes, MediaType.imageManifest, { tag: 'doomed' });
      assert.equal(await repository().deleteManifest(descriptor.digest), true);
      assert.equal(await repository().resolve(descriptor.digest), undefined);
      assert.equal(await repository().resolve('doomed'), undefined);
      assert.equal(await repository().deleteManifest(descriptor.digest), false);
    });
  }
}

function tagTests(opened: Opened, traits: RepositoryTraits): void {
  const repository = (): Repository => opened().repository;
  const put = async (n: string, tag: string, expect?: Digest | 'absent'): Promise<Digest> => {
    const options = expect === undefined ? { tag } : { tag, expect };
    const bytes = await imageBytes(repository(), { n });
    return (await repository().putManifest(bytes, MediaType.imageManifest, options)).descriptor.digest;
  };

  test('lists no tags of an empty repository', async () => {
    assert.deepEqual(await gather(repository().tags()), []);
  });

  test('moves a tag, and keeps what it named before by digest', async () => {
    const first = await put('one', 'moving');
    const second = await put('two', 'moving');
    assert.equal((await repository().resolve('moving'))?.digest, second);
    assert.equal((await repository().manifest(first))?.descriptor.digest, first);
  });

  test('lists tags in lexical order, once each', async () => {
    for (const tag of ['b', 'a', '10', '2', 'A', '_x', 'a']) await put('listed', tag);
    assert.deepEqual(await gather(repository().tags()), ['10', '2', 'A', '_x', 'a', 'b', 'moving']);
  });

  test('refuses to write a tag that is none', async () => {
    for (const tag of ['', 'a/b', '../x', '-a', 'a b', 'x'.repeat(129)]) {
      await assert.rejects(put('badly named', tag), (error) => {
        return error instanceof ReferenceFault && error.code === 'tag-malformed';
      });
    }
  });

  if (traits.honoursExpect) {
    test('writes a tag only where it still is what was expected', async () => {
      const first = await put('first', 'guarded', 'absent');
      await assert.rejects(put('second', 'guarded', 'absent'), { name: 'RegistryError', code: 'conflict' });
      await assert.rejects(put('second', 'guarded', ABSENT), { name: 'RegistryError', code: 'conflict' });
      await assert.rejects(put('second', 'unwritten', first), { name: 'RegistryError', code: 'conflict' });
      assert.equal((await repository().resolve('guarded'))?.digest, first);
      assert.equal(await repository().resolve('unwritten'), undefined);
      const second = await put('second', 'guarded', first);
      assert.equal((await repository().resolve('guarded'))?.digest, second);
    });

    test('lets exactly one of many writers create a tag', async () => {
      const writers = Array.from({ length: 8 }, (_, n) => put(`writer ${n}`, 'contended', 'absent'));
      const settled = await Promise.allSettled(writers);
      const won = settled.filter((outcome) => outcome.status === 'fulfilled');
      assert.equal(won.length, 1);
      assert.equal((await repository().resolve('contended'))?.digest, won[0]?.value);
    });
  }

  if (traits.deletesTags) {
    test('deletes a tag, keeps its manifest, and says whether the tag was there', async () => {
      const digest = await put('kept', 'deleted');
      await put('kept', 'other');
      assert.equal(await repository().deleteManifest('deleted'), true);
      assert.equal(await repository().resolve('deleted'), undefined);
      assert.equal((await repository().resolve('other'))?.digest, digest);
      assert.equal((await repository().resolve(digest))?.digest, digest);
      assert.equal(await repository().deleteManifest('deleted'), false);
    });
  }
}

function referrerTests(opened: Opened, traits: RepositoryTraits): void {
  const repository = (): Repository => opened().repository;
  const list = async (subject: Descriptor): Promise<readonly Descriptor[]> => {
    const listing = await repository().referrers(subject.digest);
    assert.equal(listing.truncated, false);
    return listing.descriptors;
  };
  const subjectNamed = async (n: string): Promise<Descriptor> =>
    (await repository().putManifest(await imageBytes(repository(), { n }), MediaType.imageManifest)).descriptor;
  const refer = async (subject: Descriptor, n: string): Promise<Digest> => {
    const bytes = await imageBytes(repository(), { n }, { subject, artifactType: 'application/vnd.bulla.test' });
    const written = await repository().putManifest(bytes, MediaType.imageManifest);
    assert.notEqual(written.listed, undefined);
    return written.descriptor.digest;
  };

  test('lists nothing for what has no referrers, or is not there', async () => {
    assert.deepEqual((await repository().referrers(ABSENT)).descriptors, []);
    assert.deepEqual(await list(await subjectNamed('unreferred')), []);
  });

  test('lists a referrer with its type and annotations', async () => {
    const subject = await subjectNamed('referred');
    const digest = await refer(subject, 'its seal');
    const listing = await repository().referrers(subject.digest);
    assert.equal(listing.exists, true);
    const [{ size, ...listed }] = listing.descriptors as [Descriptor];
    assert.equal(size, (await repository().manifest(digest))?.bytes.byteLength);
    assert.deepEqual(listed, {
      mediaType: MediaType.imageManifest,
      digest,
      artifactType: 'application/vnd.bulla.test',
      annotations: { n: 'its seal' },
    });
  });

  test("lists an artifact without a type under its config's, and an index too", async () => {
    const subject = await subjectNamed('referred in other ways');
    const image = await imageBytes(repository(), { n: 'typed by its config' }, { subject });
    const index = jsonBytes({
      schemaVersion: 2,
      mediaType: MediaType.imageIndex,
      manifests: [],
      subject,
      artifactType: 'a/b',
    });
    await repository().putManifest(image, MediaType.imageManifest);
    await repository().putManifest(index, MediaType.imageIndex);
    const types = (await list(subject)).map(({ mediaType, artifactType }) => `${mediaType} ${artifactType}`);
    assert.deepEqual(types.toSorted(), [
      `${MediaType.imageIndex} a/b`,
      `${MediaType.imageManifest} ${MediaType.empty}`,
    ]);
  });

  test('takes a referrer before its subject', async () => {
    const bytes = await imageBytes(repository(), { n: 'comes later' });
    const subject = { mediaType: MediaType.imageManifest, digest: digestOf(bytes), size: bytes.byteLength };
    const digest = await refer(subject, 'came first');
    assert.deepEqual(
      (await list(subject)).map((entry) => entry.digest),
      [digest],
    );
  });

  test('lists a referrer once, however often it is written', async () => {
    const subject = await subjectNamed('referred twice');
    const digest = await refer(subject, 'again');
    assert.equal(await refer(subject, 'again'), digest);
    assert.deepEqual(
      (await list(subject)).map((entry) => entry.digest),
      [digest],
    );
  });

  test('keeps the referrers of two subjects apart', async () => {
    const [one, two] = [await subjectNamed('one'), await subjectNamed('two')];
    const [seal] = [await refer(one, 'of one'), await refer(two, 'of two')];
    assert.deepEqual(
      (await list(one)).map((entry) => entry.digest),
      [seal],
    );
  });

  test(`loses none of 20 referrers written ${traits.raceSafe ? 'at once' : 'one after another'}`, async () => {
    const subject = await subjectNamed('sealed by many');
    const written: Digest[] = [];
    const writers = Array.from({ length: 20 }, (_, n) => async () => written.push(await refer(subject, `seal ${n}`)));
    if (traits.raceSafe) await Promise.all(writers.map(async (write) => write()));
    else for (const write of writers) await write();
    assert.deepEqual((await list(subject)).map((entry) => entry.digest).toSorted(), written.toSorted());
  });

  if (traits.deletesManifests) {
    test('lists a deleted referrer no longer, or at least does not have it any more', async () => {
      const subject = await subjectNamed('once sealed');
      const [gone, kept] = [await refer(subject, 'gone'), await refer(subject, 'kept')];
      assert.equal(await repository().deleteManifest(gone), true);
      assert.equal(await repository().manifest(gone), undefined);
      const listing = await repository().referrers(subject.digest);
      const digests = listing.descriptors.map((entry) => entry.digest);
      assert.ok(digests.includes(kept));
      // Under a fallback tag, nobody but the writer of the index could take the entry out.
      if (listing.place !== 'fallback-tag') assert.deepEqual(digests, [kept]);
    });
  }
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function jsonBytes(json: unknown): Uint8Array {
  return textBytes(JSON.stringify(json));
}

/** An image without layers, made its own by annotations; its config is uploaded. */
async function imageBytes(
  repository: Repository,
  annotations: Readonly<Record<string, string>>,
  more: { readonly subject?: Descriptor; readonly artifactType?: string } = {},
): Promise<Uint8Array> {
  await repository.putBlob(bytesSource(EMPTY));
  return jsonBytes({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: EMPTY_DESCRIPTOR,
    layers: [EMPTY_DESCRIPTOR],
    annotations,
    ...more,
  });
}

/** All that an iterable gives. */
export async function gather<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array> {
  return Buffer.concat(body === undefined ? [] : await gather(body));
}

/** A Buffer is as good as any other view of the same bytes. */
function assertBytes(found: Uint8Array | undefined, expected: Uint8Array): void {
  assert.equal(found === undefined ? found : Buffer.from(found).toString('hex'), Buffer.from(expected).toString('hex'));
}

/** Bytes that are made as they are read. */
function largeSource(size: number): BlobSource {
  const CHUNK = 64 * 1024;
  const chunks = function* (): Iterable<Uint8Array> {
    for (let at = 0; at < size; at += CHUNK) yield new Uint8Array(CHUNK).fill((at / CHUNK) % 256);
  };
  const hash = createHash('sha256');
  for (const chunk of chunks()) hash.update(chunk);
  const digest = `sha256:${hash.digest('hex')}`;
  assert.ok(isDigest(digest));
  return {
    digest,
    size,
    async *open() {
      yield* chunks();
    },
  };
}
