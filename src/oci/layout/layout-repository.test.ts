// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import type { Descriptor } from '../descriptor.ts';
import { digestHex, digestOf, parseDigest, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest } from '../manifest.ts';
import { MediaType } from '../media-type.ts';
import { fallbackTag } from '../referrers-index.ts';
import { bytesSource, gather, repositoryContract } from '../repository.contract.ts';
import type { LayoutRepository } from './layout-repository.ts';
import { openLayout } from './open-layout.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bulla-layout-'));
after(async () => rm(scratch, { recursive: true, force: true }));
let made = 0;
const freshPath = (): string => join(scratch, `${made++}`);
const fresh = async (): Promise<LayoutRepository> => openLayout(freshPath(), { create: true });

const golden = new URL('../../../test/golden/', import.meta.url);
const goldenPath = (name: string): string => new URL(name, golden).pathname;

const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const EMPTY = { mediaType: MediaType.empty, digest: digestOf(bytesOf({})), size: 2 };
const imageBytes = (n: string, more: object = {}): Uint8Array =>
  bytesOf({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: EMPTY,
    layers: [],
    annotations: { n },
    ...more,
  });
const indexOf = async (
  path: string,
): Promise<{ manifests: { digest: string; annotations?: Record<string, string> }[] }> =>
  JSON.parse(await readFile(join(path, 'index.json'), 'utf8'));

repositoryContract('an OCI layout', async () => ({ repository: await fresh(), close: async () => {} }), {
  honoursExpect: true,
  raceSafe: true,
  deletesManifests: true,
  deletesTags: true,
});

describe('a layout that cosign saved', () => {
  const IMAGE = parseDigest('sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6');
  const SIGNATURE = parseDigest('sha256:e08b05eabef57af9820796972fa05fd1fbed243aa441e9fcf18120ef7de084e2');
  const ATTESTATION = parseDigest('sha256:e556e67c0fca39ee2f9b7054096acf62b67525a4674168f11a32906b7c721cd6');

  test('gives the bundles that stand only in blobs/ as referrers of the image', async () => {
    const layout = await openLayout(goldenPath('save-load-3.1.1-bundle/saved'));
    assert.equal((await layout.soleImage()).digest, IMAGE);
    const { place, descriptors, truncated } = await layout.referrers(IMAGE);
    assert.deepEqual([place, truncated], ['layout', false]);
    assert.deepEqual(
      descriptors.map(({ digest, artifactType }) => [digest.slice(7, 15), artifactType]),
      [
        ['d1453fe4', 'application/vnd.dev.sigstore.bundle.v0.3+json'],
        ['fc7cd145', 'application/vnd.dev.sigstore.bundle.v0.3+json'],
      ],
    );
    for (const { digest } of descriptors) {
      const stored = await layout.manifest(digest);
      assert.ok(stored !== undefined);
      const [layer] = decodeManifest(stored.bytes, stored.descriptor.mediaType).layers;
      assert.ok(layer !== undefined);
      assert.equal((await layout.blob(layer.digest, 10_000))?.byteLength, layer.size);
    }
  });

  test('gives signatures and attestations that are marked by kind under the tags that they had', async () => {
    const layout = await openLayout(goldenPath('save-load-3.1.1-legacy/saved'));
    const hex = digestHex(IMAGE);
    assert.equal((await layout.soleImage()).digest, IMAGE);
    assert.equal((await layout.resolve(`sha256-${hex}.sig`))?.digest, SIGNATURE);
    assert.equal((await layout.manifest(`sha256-${hex}.att`))?.descriptor.digest, ATTESTATION);
    assert.equal(await layout.resolve(`sha256-${hex}.sbom`), undefined);
    assert.deepEqual(await gather(layout.tags()), [`sha256-${hex}.att`, `sha256-${hex}.sig`]);
  });

  test('gives them for no other image', async () => {
    const layout = await openLayout(goldenPath('save-load-3.1.1-legacy/saved'));
    assert.equal(await layout.resolve(`sha256-${'0'.repeat(64)}.sig`), undefined);
  });

  test('may hold an index with its children', async () => {
    const layout = await openLayout(goldenPath('save-multi/saved3'));
    const image = await layout.soleImage();
    assert.equal(image.mediaType, MediaType.imageIndex);
    const stored = await layout.manifest(image.digest);
    assert.ok(stored !== undefined);
    for (const child of decodeManifest(stored.bytes).manifests) {
      assert.equal((await layout.resolve(child.digest))?.mediaType, MediaType.imageManifest);
    }
    assert.notEqual(await layout.resolve(`${image.digest.replace(':', '-')}.sig`), undefined);
  });

  test('replaces a marked signature where its tag is written, so that cosign finds the new one', async () => {
    const path = freshPath();
    await cp(goldenPath('save-load-3.1.1-legacy/saved'), path, { recursive: true });
    const layout = await openLayout(path);
    const tag = `sha256-${digestHex(IMAGE)}.sig`;
    const { descriptor } = await layout.putManifest(imageBytes('signed again'), MediaType.imageManifest, {
      tag,
      expect: SIGNATURE,
    });
    assert.equal((await layout.resolve(tag))?.digest, descriptor.digest);
    const { manifests } = await indexOf(path);
    const marked = manifests.filter(({ annotations }) => annotations?.['kind'] === 'dev.cosignproject.cosign/sigs');
    assert.deepEqual(
      marked.map(({ digest }) => digest),
      [descriptor.digest],
    );
    assert.equal(manifests.length, 3);
  });

  test('finds a referrer by the fallback tag too, and lists it once, with its true type', async () => {
    const layout = await openLayout(goldenPath('sign-key-3.1.1-bundle-fallback/layout'));
    const { descriptors } = await layout.referrers(IMAGE);
    assert.deepEqual(
      descriptors.map(({ artifactType }) => artifactType),
      ['application/vnd.dev.sigstore.bundle.v0.3+json'],
    );
    assert.equal((await layout.soleImage()).digest, IMAGE);
  });
});

describe('a layout finds referrers', () => {
  const subjectOf = async (layout: LayoutRepository): Promise<Descriptor> =>
    (await layout.putManifest(imageBytes('subject'), MediaType.imageManifest, { tag: 'v1' })).descriptor;

  test('that another program wrote after the first search', async () => {
    const path = freshPath();
    const [layout, other] = [await openLayout(path, { create: true }), await openLayout(path)];
    const subject = await subjectOf(layout);
    assert.deepEqual((await layout.referrers(subject.digest)).descriptors, []);
    const { descriptor } = await other.putManifest(imageBytes('seal', { subject }), MediaType.imageManifest);
    assert.deepEqual(
      (await layout.referrers(subject.digest)).descriptors.map(({ digest }) => digest),
      [descriptor.digest],
    );
  });

  test('in the order of index.json, then those that it does not list', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const subject = await subjectOf(layout);
    const written: Digest[] = [];
    for (const n of ['a', 'b', 'c', 'd', 'e']) {
      written.push((await layout.putManifest(imageBytes(n, { subject }), MediaType.imageManifest)).descriptor.digest);
    }
    const unlisted = imageBytes('unlisted', { subject });
    await layout.putBlob(bytesSource(unlisted));
    const { descriptors } = await layout.referrers(subject.digest);
    assert.deepEqual(
      descriptors.map(({ digest }) => digest),
      [...written, digestOf(unlisted)],
    );
  });

  test('whose member name is spelt with an escape, as any JSON reader does', async () => {
    const layout = await fresh();
    const subject = await subjectOf(layout);
    const text = new TextDecoder()
      .decode(imageBytes('escaped', { subject }))
      .replace('"subject"', String.raw`"\u0073ubject"`);
    const bytes = new TextEncoder().encode(`\n ${text}`);
    await layout.putBlob(bytesSource(bytes));
    assert.deepEqual(
      (await layout.referrers(subject.digest)).descriptors.map(({ digest }) => digest),
      [digestOf(bytes)],
    );
  });

  test('that only a fallback tag names, and does not stumble over such a tag that is no index', async () => {
    const layout = await fresh();
    const subject = await subjectOf(layout);
    const stray = (await layout.putManifest(imageBytes('names no subject'), MediaType.imageManifest)).descriptor;
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [stray] };
    await layout.putManifest(bytesOf(index), MediaType.imageIndex, { tag: fallbackTag(subject.digest) });
    assert.deepEqual(
      (await layout.referrers(subject.digest)).descriptors.map(({ digest }) => digest),
      [stray.digest],
    );
    await layout.putManifest(imageBytes('no index'), MediaType.imageManifest, { tag: fallbackTag(subject.digest) });
    assert.deepEqual((await layout.referrers(subject.digest)).descriptors, []);
  });

  test('beside files in blobs/ that are none', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const subject = await subjectOf(layout);
    const { descriptor } = await layout.putManifest(imageBytes('seal', { subject }), MediaType.imageManifest);
    const blobs = join(path, 'blobs', 'sha256');
    await writeFile(join(blobs, 'README'), 'hello');
    for (const content of ['{"subject":', '{"schemaVersion":2,"config":{},"layers":[],"subject":5}']) {
      await writeFile(join(blobs, digestHex(digestOf(new TextEncoder().encode(content)))), content);
    }
    await mkdir(join(blobs, '3'.repeat(64)));
    await symlink('/etc/hostname', join(blobs, '4'.repeat(64)));
    await symlink('nowhere', join(blobs, '5'.repeat(64)));
    assert.deepEqual(
      (await layout.referrers(subject.digest)).descriptors.map(({ digest }) => digest),
      [descriptor.digest],
    );
  });

  test('even where one was altered, so that whoever fetches it is told', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const subject = await subjectOf(layout);
    const { descriptor } = await layout.putManifest(imageBytes('seal', { subject }), MediaType.imageManifest);
    await writeFile(join(path, 'blobs', 'sha256', digestHex(descriptor.digest)), imageBytes('SEAL', { subject }));
    assert.deepEqual(
      (await layout.referrers(subject.digest)).descriptors.map(({ digest }) => digest),
      [descriptor.digest],
    );
    await assert.rejects(layout.manifest(descriptor.digest), { code: 'digest-mismatch' });
  });
});

describe('the sole image of a layout', () => {
  test('is not a seal, a child, nor what a fallback tag names', async () => {
    const layout = await fresh();
    const child = (await layout.putManifest(imageBytes('child'), MediaType.imageManifest, { tag: 'arm64' })).descriptor;
    const index = bytesOf({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [child] });
    const { descriptor } = await layout.putManifest(index, MediaType.imageIndex, { tag: 'v1' });
    await layout.putManifest(imageBytes('seal', { subject: descriptor }), MediaType.imageManifest);
    await layout.putManifest(imageBytes('old seal'), MediaType.imageManifest, {
      tag: `${fallbackTag(descriptor.digest)}.sig`,
    });
    assert.deepEqual(await layout.soleImage(), descriptor);
  });

  test('is an error where there is none, or a choice, which it names', async () => {
    const layout = await fresh();
    await assert.rejects(layout.soleImage(), { code: 'layout-malformed', message: /holds no image/ });
    await layout.putManifest(imageBytes('one'), MediaType.imageManifest, { tag: 'one' });
    await layout.putManifest(imageBytes('two'), MediaType.imageManifest, { tag: 'two' });
    await assert.rejects(layout.soleImage(), {
      code: 'layout-malformed',
      message: /holds 2 images, name one of 'one', 'two'$/,
    });
  });
});

describe('index.json', () => {
  test('keeps what it does not understand when a tag is written', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const strange = [
      { digest: 'md5:1', 'x-unknown': [1] },
      7,
      { ...EMPTY, mediaType: 'text/plain', platform: { os: 'plan9' } },
    ];
    await writeFile(
      join(path, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: strange, annotations: { a: 'b' } }),
    );
    await layout.putManifest(imageBytes('new'), MediaType.imageManifest, { tag: 'v1' });
    const index = await indexOf(path);
    assert.deepEqual(index.manifests.slice(0, 3), strange);
    assert.deepEqual('annotations' in index && index.annotations, { a: 'b' });
    assert.deepEqual(await gather(layout.tags()), ['v1']);
  });

  test('lists an index without its children, and a manifest under each of its tags', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const child = (await layout.putManifest(imageBytes('child'), MediaType.imageManifest)).descriptor;
    const index = bytesOf({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [child] });
    await layout.putManifest(index, MediaType.imageIndex);
    await layout.putManifest(index, MediaType.imageIndex, { tag: 'v1' });
    await layout.putManifest(index, MediaType.imageIndex, { tag: 'v2' });
    await layout.putManifest(index, MediaType.imageIndex, { tag: 'v2' });
    const { manifests } = await indexOf(path);
    const shown = manifests.map(({ digest, annotations }) => [
      digest,
      annotations?.['org.opencontainers.image.ref.name'],
    ]);
    assert.deepEqual(shown, [
      [digestOf(index), 'v1'],
      [digestOf(index), 'v2'],
    ]);
  });

  test('knows an image by the names that docker and containerd write, and refuses a name that says two things', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const one = (await layout.putManifest(imageBytes('one'), MediaType.imageManifest)).descriptor;
    const two = (await layout.putManifest(imageBytes('two'), MediaType.imageManifest)).descriptor;
    const named = (descriptor: Descriptor, full: string): object => ({
      ...descriptor,
      annotations: { 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': 'latest' },
    });
    const manifests = [named(one, 'docker.io/library/one:latest'), named(two, 'docker.io/library/two:latest')];
    await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    assert.equal((await layout.resolve('docker.io/library/two:latest'))?.digest, two.digest);
    await assert.rejects(layout.resolve('latest'), { code: 'layout-malformed', message: /'latest' names 2 manifests/ });
    const ambiguous = { code: 'layout-malformed', message: /'latest' names 2 manifests/ };
    await assert.rejects(
      layout.putManifest(imageBytes('three'), MediaType.imageManifest, { tag: 'latest' }),
      ambiguous,
    );
    assert.equal((await indexOf(path)).manifests.length, 2);
  });

  test('keeps the kind of an entry whose tag is deleted', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const { digest, size, mediaType } = (await layout.putManifest(imageBytes('one'), MediaType.imageManifest))
      .descriptor;
    const kind = 'dev.cosignproject.cosign/image';
    const entry = { mediaType, size, digest, annotations: { kind, 'org.opencontainers.image.ref.name': 'v1' } };
    await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    assert.equal(await layout.deleteManifest('v1'), true);
    assert.deepEqual((await indexOf(path)).manifests, [{ mediaType, size, digest, annotations: { kind } }]);
  });
});

describe('openLayout', () => {
  const broken = async (files: Record<string, string | undefined>): Promise<string> => {
    const path = freshPath();
    await openLayout(path, { create: true });
    for (const [name, text] of Object.entries(files)) {
      if (text === undefined) await unlink(join(path, name));
      else await writeFile(join(path, name), text);
    }
    return path;
  };

  for (const [why, files, message] of [
    ['without oci-layout', { 'oci-layout': undefined }, /no oci-layout file/],
    ['without index.json', { 'index.json': undefined }, /no index\.json/],
    ['of another version', { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }, /says '2\.0\.0' for imageLayoutVersion/],
    ['of no version', { 'oci-layout': '{}' }, /says nothing for imageLayoutVersion/],
    ['with an oci-layout that is no JSON', { 'oci-layout': 'x' }, /oci-layout is not JSON/],
    ['with an index.json that is no JSON', { 'index.json': '<html>' }, /index\.json is malformed: .* is not JSON/],
    ['with an index.json that is no index', { 'index.json': '{"layers":[]}' }, /is not an index/],
    [
      'with an index.json that is too deep',
      { 'index.json': `{"manifests":${'['.repeat(99)}${']'.repeat(99)}}` },
      /32 levels/,
    ],
  ] as const) {
    test(`refuses a directory ${why}`, async () => {
      await assert.rejects(openLayout(await broken(files)), { code: 'layout-malformed', message });
    });
  }

  test('refuses an index.json that is too large, before it reads it, or has too many entries', async () => {
    const large = await broken({ 'index.json': ' '.repeat(4 * 1024 * 1024 + 1) });
    await assert.rejects(openLayout(large), { code: 'too-large', message: /index\.json' has 4194305 bytes/ });
    const many = await broken({ 'index.json': `{"manifests":[${'1,'.repeat(10_000)}1]}` });
    await assert.rejects(openLayout(many), { code: 'too-large', message: /10001 entries/ });
  });

  test('refuses what is no directory, and makes nothing unless it is told to', async () => {
    const path = freshPath();
    await assert.rejects(openLayout(path), { code: 'layout-malformed', message: /there is no such directory/ });
    await assert.rejects(access(path));
    await writeFile(path, '');
    await assert.rejects(openLayout(path), { code: 'layout-malformed', message: /it is no directory/ });
    await assert.rejects(openLayout(path, { create: true }), { code: 'storage-failed' });
  });

  test('makes a layout in an empty or a new directory, and in no other', async () => {
    const path = freshPath();
    const layout = await openLayout(join(path, 'deep', 'new'), { create: true });
    assert.deepEqual((await readdir(join(path, 'deep', 'new'))).toSorted(), ['index.json', 'oci-layout']);
    assert.equal(layout.name, join(path, 'deep', 'new'));
    const full = freshPath();
    await mkdir(full);
    await writeFile(join(full, 'diary.txt'), '');
    await assert.rejects(openLayout(full, { create: true }), { message: /it has other files and no oci-layout/ });
    assert.deepEqual(await readdir(full), ['diary.txt']);
  });

  test('finishes what a maker left who was killed halfway', async () => {
    const path = freshPath();
    await openLayout(path, { create: true });
    await unlink(join(path, 'oci-layout'));
    await openLayout(path, { create: true });
    await access(join(path, 'oci-layout'));
  });

  test('opens a layout that is there already with all that is in it', async () => {
    const path = freshPath();
    const first = await openLayout(path, { create: true });
    await first.putManifest(imageBytes('kept'), MediaType.imageManifest, { tag: 'v1' });
    const again = await openLayout(path, { create: true, name: 'registry.example/app' });
    assert.deepEqual([again.name, await gather(again.tags())], ['registry.example/app', ['v1']]);
  });

  test('has no other error than its own, whatever index.json holds', async () => {
    const path = await broken({});
    const members = fc.constantFrom('mediaType', 'digest', 'size', 'annotations', 'manifests');
    const entry = fc.dictionary(
      members,
      fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(EMPTY.digest, 2, MediaType.imageManifest)),
    );
    const index = fc.oneof(fc.jsonValue(), fc.record({ manifests: fc.array(fc.oneof(entry, fc.jsonValue())) }));
    await fc.assert(
      fc.asyncProperty(index, async (json) => {
        await writeFile(join(path, 'index.json'), JSON.stringify(json));
        try {
          const layout = await openLayout(path);
          await gather(layout.tags());
          await layout.referrers(EMPTY.digest);
          await layout.soleImage();
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a hostile layout', () => {
  const stocked = async (): Promise<{ path: string; layout: LayoutRepository; image: Descriptor }> => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const image = (await layout.putManifest(imageBytes('image'), MediaType.imageManifest, { tag: 'v1' })).descriptor;
    return { path, layout, image };
  };
  const blobPath = (path: string, digest: Digest): string => join(path, 'blobs', 'sha256', digestHex(digest));

  test('does not read a blob through a link that leads out, not even one with the right content', async () => {
    const { path, layout, image } = await stocked();
    const outside = freshPath();
    await writeFile(outside, imageBytes('image'));
    await unlink(blobPath(path, image.digest));
    await symlink(outside, blobPath(path, image.digest));
    for (const read of [
      async () => layout.manifest('v1'),
      async () => layout.resolve('v1'),
      async () => layout.blob(image.digest, 10_000),
      async () => layout.hasBlob(image.digest),
      async () => layout.openBlob(image.digest),
    ]) {
      await assert.rejects(read, { code: 'layout-malformed', message: /leads out of the layout/ });
    }
  });

  test('does not read index.json, nor write blobs, through links that lead out', async () => {
    const { path, layout } = await stocked();
    const outside = freshPath();
    await cp(path, outside, { recursive: true });
    await rm(join(path, 'blobs'), { recursive: true });
    await symlink(join(outside, 'blobs'), join(path, 'blobs'));
    const source = bytesSource(new TextEncoder().encode('smuggled'));
    await assert.rejects(layout.putBlob(source), { code: 'layout-malformed' });
    await assert.rejects(access(blobPath(outside, source.digest)));
    await assert.rejects(layout.referrers(source.digest), { code: 'layout-malformed' });
    await unlink(join(path, 'index.json'));
    await symlink(join(outside, 'index.json'), join(path, 'index.json'));
    await assert.rejects(layout.resolve('v1'), { code: 'layout-malformed', message: /'index\.json' leads out/ });
  });

  test('reads through a link that stays inside', async () => {
    const { path, layout, image } = await stocked();
    await cp(blobPath(path, image.digest), join(path, 'elsewhere'));
    await unlink(blobPath(path, image.digest));
    await symlink('../../elsewhere', blobPath(path, image.digest));
    assert.equal((await layout.manifest('v1'))?.descriptor.digest, image.digest);
  });

  test('does not wait for a pipe, nor read a directory', async () => {
    const { path, layout, image } = await stocked();
    await unlink(blobPath(path, image.digest));
    await promisify(execFile)('mkfifo', [blobPath(path, image.digest)]);
    await assert.rejects(layout.manifest('v1'), { code: 'layout-malformed', message: /is no regular file/ });
    await unlink(blobPath(path, image.digest));
    await mkdir(blobPath(path, image.digest));
    await assert.rejects(layout.manifest('v1'), { code: 'layout-malformed', message: /is no regular file/ });
  });

  test('does not pass other content for a digest, whole or streamed', async () => {
    const { path, layout, image } = await stocked();
    await writeFile(blobPath(path, image.digest), imageBytes('IMAGE'));
    await assert.rejects(layout.manifest('v1'), { code: 'digest-mismatch' });
    await assert.rejects(layout.manifest(image.digest), { code: 'digest-mismatch' });
    await assert.rejects(layout.blob(image.digest, 10_000), { code: 'digest-mismatch' });
    const stream = await layout.openBlob(image.digest);
    assert.ok(stream !== undefined);
    await assert.rejects(gather(stream.body), { code: 'digest-mismatch' });
  });

  test('says where a size is not what index.json says', async () => {
    const { path, layout, image } = await stocked();
    const entry = { ...image, size: 5, annotations: { 'org.opencontainers.image.ref.name': 'v1' } };
    await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    await assert.rejects(layout.resolve('v1'), { code: 'size-mismatch', message: /index\.json says 5/ });
    await assert.rejects(layout.manifest('v1'), { code: 'size-mismatch' });
  });

  test('has not what its index.json names and blobs/ lacks', async () => {
    const { path, layout, image } = await stocked();
    await unlink(blobPath(path, image.digest));
    assert.equal(await layout.resolve('v1'), undefined);
    assert.equal(await layout.manifest('v1'), undefined);
    assert.equal(await layout.manifest(image.digest), undefined);
  });

  test('does not go anywhere else for a digest or name that is a path', async () => {
    const { path, layout, image } = await stocked();
    const named = (name: string): object => ({ annotations: { 'org.opencontainers.image.ref.name': name } });
    const manifests = [
      { ...image, ...named('v1'), digest: 'sha256:../../../../etc/passwd' },
      { ...image, ...named('../../../etc/passwd') },
      { ...image, ...named('') },
      { ...image, ...named('a\nb') },
    ];
    await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    assert.deepEqual(await gather(layout.tags()), []);
    for (const target of ['v1', '../../../etc/passwd', '', 'a\nb'])
      assert.equal(await layout.manifest(target), undefined);
  });
});

describe('writing to a layout', () => {
  test('leaves nothing behind but what belongs there', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    const wrong = bytesSource(new TextEncoder().encode('x'), parseDigest(`sha256:${'0'.repeat(64)}`));
    await assert.rejects(layout.putBlob(wrong));
    await layout.putManifest(imageBytes('right'), MediaType.imageManifest, { tag: 'v1' });
    assert.deepEqual((await readdir(path)).toSorted(), ['blobs', 'index.json', 'oci-layout']);
    assert.equal((await readdir(join(path, 'blobs', 'sha256'))).length, 1);
  });

  test('reports a directory that cannot be written as such', async () => {
    const path = freshPath();
    const layout = await openLayout(path, { create: true });
    await rm(path, { recursive: true });
    await assert.rejects(layout.putManifest(imageBytes('lost'), MediaType.imageManifest), { code: 'storage-failed' });
  });

  const writer = new URL('./concurrent-writer.fixture.ts', import.meta.url).pathname;
  const stocked = async (path: string): Promise<{ layout: LayoutRepository; subject: Descriptor }> => {
    const layout = await openLayout(path, { create: true });
    const written = await layout.putManifest(imageBytes('subject'), MediaType.imageManifest, { tag: 'v1' });
    return { layout, subject: written.descriptor };
  };

  test('loses nothing of two processes that write at once', async () => {
    const path = freshPath();
    const { layout, subject } = await stocked(path);
    const children = ['one', 'two'].map((name) =>
      spawn(process.execPath, [writer, path, subject.digest, `${subject.size}`, name, '10'], { stdio: 'ignore' }),
    );
    const exits = await Promise.all(children.map(async (child) => once(child, 'exit')));
    assert.deepEqual(
      exits.map(([code]: unknown[]) => code),
      [0, 0],
    );
    assert.equal((await layout.referrers(subject.digest)).descriptors.length, 20);
    assert.equal((await indexOf(path)).manifests.length, 21);
    assert.equal((await gather(layout.tags())).length, 1);
  });

  test('loses nothing that a killed process had finished, and goes on at once', async () => {
    const path = freshPath();
    const { layout, subject } = await stocked(path);
    const command = [writer, path, subject.digest, `${subject.size}`, 'killed', '500'];
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      printed += String(chunk);
      if (printed.split('\n').length > 5) child.kill('SIGKILL');
    }
    const finished = printed.split('\n').slice(0, -1);
    assert.ok(finished.length >= 5 && finished.length < 500);
    const { descriptor } = await layout.putManifest(imageBytes('next', { subject }), MediaType.imageManifest);
    const listed = (await indexOf(path)).manifests.map(({ digest }) => digest);
    for (const digest of [...finished, descriptor.digest]) assert.ok(listed.includes(digest), digest);
    for (const digest of listed) assert.notEqual(await layout.manifest(digest), undefined);
  });
});
