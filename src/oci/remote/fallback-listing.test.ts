// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { Descriptor } from '../descriptor.ts';
import { digestOf, type Digest } from '../digest.ts';
import { MediaType } from '../media-type.ts';
import { fallbackTag } from '../referrers-index.ts';
import type { RemoteOptions } from './options.ts';
import { startRegistry, type RegistryTraits, type TestRegistry } from './registry.fixture.ts';
import { openRemoteRepository, type RemoteRepository } from './remote-repository.ts';
import { bytesOf, describe, EMPTY_BLOB, imageNamed, jsonBytes, SkippingClock } from './sample.fixture.ts';

const IMAGE = imageNamed('image');
const SUBJECT = describe(IMAGE);
const TAG = fallbackTag(SUBJECT.digest);

function open(server: TestRegistry, options: RemoteOptions = {}): RemoteRepository {
  return openRemoteRepository(
    { registry: server.host, repository: 'team/app' },
    { credentials: 'anonymous', clock: new SkippingClock(), ...options },
  );
}

async function seal(
  repository: RemoteRepository,
  name: string,
): Promise<{ digest: Digest; raceSafe: boolean | undefined }> {
  const written = await repository.putManifest(imageNamed(name, { subject: SUBJECT }), MediaType.imageManifest);
  assert.equal(written.listed?.place, 'fallback-tag');
  return { digest: written.descriptor.digest, raceSafe: written.listed?.raceSafe };
}

/** What the index under the fallback tag lists. */
function listed(server: TestRegistry): string[] {
  const stored = server.repositories.get('team/app');
  const index = stored?.manifests.get(stored.tags.get(TAG) ?? '');
  return (JSON.parse(index?.bytes.toString() ?? '{"manifests":[]}') as { manifests: { digest: string }[] }).manifests
    .map(({ digest }) => digest)
    .toSorted();
}

const writesIndex = (request: IncomingMessage): boolean =>
  request.method === 'PUT' && request.url?.endsWith(TAG) === true;

test('20 writers at once lose nothing where the registry honours If-Match, and are told so', async () => {
  await using server = await startRegistry({ referrersApi: false });
  const seals = await Promise.all(Array.from({ length: 20 }, (_, n) => seal(open(server), `seal ${n}`)));
  assert.deepEqual(listed(server), seals.map(({ digest }) => digest).toSorted());
  assert.ok(seals.every(({ raceSafe }) => raceSafe === true));
});

test('where it honours nothing, an entry that another writer dropped is put back, and no safety is claimed', async () => {
  let dropped = 0;
  const other = jsonBytes({
    schemaVersion: 2,
    mediaType: MediaType.imageIndex,
    manifests: [describe(bytesOf('another seal'))],
  });
  const traits: RegistryTraits = {
    referrersApi: false,
    conditions: false,
    intercept(request) {
      // another writer, who read before us and writes after us, twice
      const reads = request.method === 'GET' && request.url?.endsWith(TAG) === true;
      const stored = server.repositories.get('team/app');
      if (!reads || dropped >= 2 || stored?.tags.has(TAG) !== true) return false;
      dropped++;
      stored.manifests.set(digestOf(other), { bytes: Buffer.from(other), type: MediaType.imageIndex });
      stored.tags.set(TAG, digestOf(other));
      return false;
    },
  };
  const server = await startRegistry(traits);
  await using _ = server;
  const clock = new SkippingClock();
  const { digest, raceSafe } = await seal(open(server, { clock, random: () => 0.5 }), 'seal');
  assert.equal(raceSafe, false);
  assert.equal(dropped, 2);
  assert.deepEqual(listed(server), [digest, digestOf(bytesOf('another seal'))].toSorted());
  assert.ok(clock.slept.includes(250)); // the pause before it is read back
});

test('a registry whose ETags promise nothing is not taken for one that honours them', async () => {
  await using server = await startRegistry({ referrersApi: false, conditions: false });
  const repository = open(server);
  assert.equal((await seal(repository, 'one')).raceSafe, false);
  assert.equal((await seal(repository, 'two')).raceSafe, false);
  assert.equal(listed(server).length, 2);
});

test('an index is written on the condition under which it was read', async () => {
  const conditions: (string | undefined)[][] = [];
  await using server = await startRegistry({
    referrersApi: false,
    intercept(request) {
      if (writesIndex(request)) conditions.push([request.headers['if-match'], request.headers['if-none-match']]);
      return false;
    },
  });
  const first = await seal(open(server), 'one');
  const index = server.repositories.get('team/app')?.tags.get(TAG);
  await seal(open(server), 'two');
  assert.deepEqual(conditions, [
    [undefined, '*'],
    [`"${index}"`, undefined],
  ]);
  assert.equal(first.raceSafe, true);
});

test('writers that never stop end in a conflict', async () => {
  let writes = 0;
  await using server = await startRegistry({
    referrersApi: false,
    intercept(request, response) {
      if (!writesIndex(request)) return false;
      writes++;
      response.writeHead(412).end();
      return true;
    },
  });
  await assert.rejects(seal(open(server, { limits: { fallbackAttempts: 7 } }), 'seal'), {
    name: 'RegistryError',
    code: 'conflict',
    message: /cannot keep sha256:.* among the referrers of .*: other writers kept changing/,
  });
  assert.equal(writes, 7);
});

test('something else under the fallback tag is said, and left as it is', async () => {
  await using server = await startRegistry({ referrersApi: false });
  const repository = open(server);
  const other = imageNamed('other');
  await repository.putManifest(other, MediaType.imageManifest, { tag: TAG });
  await assert.rejects(seal(repository, 'seal'), { code: 'manifest-malformed' });
  assert.equal(server.repositories.get('team/app')?.tags.get(TAG), digestOf(other));
});

test('the image itself under its fallback tag, as cosign copy leaves it, gives way to an index', async () => {
  await using server = await startRegistry({ referrersApi: false });
  const repository = open(server);
  await repository.putManifest(IMAGE, MediaType.imageManifest, { tag: TAG });
  const { digest } = await seal(repository, 'seal');
  assert.deepEqual(listed(server), [digest]);
});

test('an entry has the type and annotations that the referrer has', async () => {
  await using server = await startRegistry({ referrersApi: false });
  const repository = open(server);
  const bytes = jsonBytes({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    config: { mediaType: MediaType.empty, digest: digestOf(EMPTY_BLOB), size: 2 },
    layers: [],
    subject: SUBJECT,
    annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope' },
  });
  await repository.putManifest(bytes, MediaType.imageManifest);
  const [entry] = (await repository.referrers(SUBJECT.digest)).descriptors as [Descriptor];
  assert.deepEqual(entry, {
    ...describe(bytes),
    artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope' },
  });
});

test('a registry that lists referrers itself gets no fallback tag, whether it says so or not', async () => {
  for (const silent of [false, true]) {
    await using server = await startRegistry({
      intercept(request, response) {
        if (silent && request.method === 'PUT') response.setHeader = () => response;
        return false;
      },
    });
    const written = await open(server).putManifest(imageNamed('seal', { subject: SUBJECT }), MediaType.imageManifest);
    assert.deepEqual(written.listed, { place: 'referrers-api', raceSafe: true });
    assert.equal(server.repositories.get('team/app')?.tags.size, 0);
    assert.equal(server.requests.length, silent ? 2 : 1);
  }
});

test('a deleted referrer leaves the index, and one that cannot is said', async () => {
  await using server = await startRegistry({ referrersApi: false });
  const repository = open(server);
  const [gone, kept] = [await seal(repository, 'gone'), await seal(repository, 'kept')];
  assert.equal(await repository.deleteManifest(gone.digest), true);
  assert.deepEqual(listed(server), [kept.digest]);

  const warnings: string[] = [];
  let locked = false;
  await using strict = await startRegistry({
    referrersApi: false,
    intercept(request, response) {
      if (!locked || !writesIndex(request)) return false;
      response.writeHead(403).end();
      return true;
    },
  });
  const careful = open(strict, { onWarning: (warning) => warnings.push(warning) });
  const { digest } = await seal(careful, 'gone');
  locked = true;
  assert.equal(await careful.deleteManifest(digest), true);
  assert.match(warnings.join(), /cannot write .*answered 403/);
});

test('a tag that is written once more because its answer was lost is no conflict', async () => {
  let lost = false;
  await using server = await startRegistry({
    async intercept(request, _response, body) {
      if (request.method !== 'PUT' || lost) return false;
      lost = true;
      const stored = server.repositories.get('team/app');
      stored?.manifests.set(digestOf(body), { bytes: body, type: MediaType.imageManifest });
      stored?.tags.set('v1', digestOf(body));
      await Promise.resolve();
      request.socket.destroy();
      return true;
    },
  });
  const written = await open(server).putManifest(IMAGE, MediaType.imageManifest, { tag: 'v1', expect: 'absent' });
  assert.equal(written.descriptor.digest, digestOf(IMAGE));
});

test('a registry that deletes no tags says so', async () => {
  await using server = await startRegistry({
    intercept(request, response) {
      if (request.method !== 'DELETE') return false;
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"errors":[{"code":"DIGEST_INVALID"}]}');
      return true;
    },
  });
  await assert.rejects(open(server).deleteManifest('v1'), {
    code: 'unsupported',
    message: /cannot delete .*:v1: .* answered 400/,
  });
});
