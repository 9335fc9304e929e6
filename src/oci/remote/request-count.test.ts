// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, type Digest } from '../digest.ts';
import { fallbackTag } from '../referrers-index.ts';
import { MediaType } from '../media-type.ts';
import type { RemoteOptions } from './options.ts';
import { startRegistry, type RegistryTraits, type TestRegistry } from './registry.fixture.ts';
import { openRemoteRepository, type RemoteRepository } from './remote-repository.ts';
import { describe, EMPTY_BLOB, imageNamed, SkippingClock, sourceOf } from './sample.fixture.ts';

// Each request costs a user 30 to 150 ms. What is counted here is what a verify and a sign ask for, as the room `image` does it.

const clock = new SkippingClock();
const bundle = new Uint8Array(9000).fill(1);

function open(server: TestRegistry, options: RemoteOptions = {}): RemoteRepository {
  return openRemoteRepository(
    { registry: server.host, repository: 'team/app' },
    { credentials: 'anonymous', clock, ...options },
  );
}

async function sealed(traits: RegistryTraits): Promise<{ server: TestRegistry; image: Digest }> {
  const server = await startRegistry(traits);
  const repository = open(server);
  const image = imageNamed('image');
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  await repository.putManifest(image, MediaType.imageManifest, { tag: 'v1' });
  await attach(repository, image);
  server.requests.length = 0;
  return { server, image: digestOf(image) };
}

async function attach(repository: RemoteRepository, image: Uint8Array): Promise<void> {
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  await repository.putBlob(sourceOf(bundle));
  const layer = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    digest: digestOf(bundle),
    size: bundle.byteLength,
  };
  await repository.putManifest(
    imageNamed('seal', { subject: describe(image), layers: [layer] }),
    MediaType.imageManifest,
  );
}

/** Reads all evidence of an image, as a verify that has to. */
async function readEvidence(repository: RemoteRepository, image: Digest): Promise<void> {
  const { descriptors } = await repository.referrers(image);
  assert.equal(descriptors.length, 1);
  for (const { digest } of descriptors) {
    assert.ok((await repository.manifest(digest)) !== undefined);
    assert.ok((await repository.blob(digestOf(bundle), 100_000)) !== undefined);
  }
}

test('a verify by digest takes 3 requests, by tag 4, and over one connection', async () => {
  const { server, image } = await sealed({});
  await using _ = server;
  const before = server.connections();
  await readEvidence(open(server), image);
  assert.deepEqual(
    server.requests.map((line) => line.replace(/ .*\/(\w+)\/.*/, ' $1')),
    ['GET referrers', 'GET manifests', 'GET blobs'],
  );
  assert.ok(server.connections() <= before + 1);
  server.requests.length = 0;
  const byTag = open(server);
  await readEvidence(byTag, (await byTag.resolve('v1'))?.digest as Digest);
  assert.equal(server.requests.length, 4);
  assert.equal(server.requests[0], 'HEAD /v2/team/app/manifests/v1');
});

test('a verify without a referrers API takes one request more, and asks for that API once', async () => {
  const { server, image } = await sealed({ referrersApi: false });
  await using _ = server;
  const repository = open(server);
  await readEvidence(repository, image);
  assert.equal(server.requests.length, 4);
  await readEvidence(repository, image);
  assert.deepEqual(server.requests.slice(4), [`GET /v2/team/app/manifests/${fallbackTag(image)}`]);
});

test('nothing is fetched twice, not even by those who ask at the same time', async () => {
  const { server, image } = await sealed({});
  await using _ = server;
  const repository = open(server);
  const seal = (await repository.referrers(image)).descriptors[0]?.digest as Digest;
  await Promise.all(Array.from({ length: 5 }, () => repository.manifest(seal)));
  await Promise.all(Array.from({ length: 5 }, () => repository.blob(digestOf(bundle), 100_000)));
  await repository.resolve(seal);
  await repository.hasBlob(digestOf(bundle));
  assert.equal(server.requests.length, 3);
});

test('a seal is written with 4 requests at best, 6 at worst, where the registry lists referrers', async () => {
  for (const [singlePost, most] of [
    [true, 3],
    [false, 5],
  ] as const) {
    await using server = await startRegistry({ singlePost });
    const repository = open(server);
    const image = imageNamed('image');
    await repository.putManifest(image, MediaType.imageManifest, { tag: 'v1' });
    server.requests.length = 0;
    const signer = open(server, { access: 'write' });
    const resolved = await signer.resolve('v1');
    assert.equal(resolved?.digest, digestOf(image));
    await attach(signer, image);
    assert.equal(server.requests.length, 1 + most);
    assert.equal((await signer.referrers(digestOf(image))).descriptors.length, 1); // read back
    assert.ok(server.requests.length <= 7);
  }
});

test('what is known to be there is neither sent nor looked for again', async () => {
  await using server = await startRegistry({});
  const repository = open(server);
  const large = sourceOf(new Uint8Array(200_000));
  await repository.putBlob(large);
  assert.deepEqual(
    server.requests.map((line) => line.split(' ')[0]),
    ['HEAD', 'POST', 'PUT'],
  );
  await repository.putBlob(large);
  assert.equal(await repository.hasBlob(large.digest), true);
  assert.equal(server.requests.length, 3);
  assert.equal(large.opened, 1);
  const other = open(server);
  await other.putBlob(large);
  assert.deepEqual(
    server.requests.slice(3).map((line) => line.split(' ')[0]),
    ['HEAD'],
  );
});
