// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../digest.ts';
import { RegistryError } from '../error.ts';
import type { RemoteOptions } from './options.ts';
import { RecordingTransport } from './recording-transport.fixture.ts';
import { startRegistry, type RegistryTraits, type TestRegistry } from './registry.fixture.ts';
import { openRemoteRepository, RemoteRegistry, type RemoteRepository } from './remote-repository.ts';
import { bytesOf, EMPTY_BLOB, SkippingClock, sourceOf } from './sample.fixture.ts';

const LARGE = new Uint8Array(1_000_000).map((_, at) => at % 251);

function open(server: TestRegistry, options: RemoteOptions = {}): RemoteRepository {
  return openRemoteRepository(
    { registry: server.host, repository: 'team/app' },
    { credentials: 'anonymous', clock: new SkippingClock(), random: () => 0, ...options },
  );
}

/** What was stored under the digest of LARGE. */
function storedLarge(server: TestRegistry): Buffer | undefined {
  return server.repositories.get('team/app')?.blobs.get(digestOf(LARGE));
}

function methods(server: TestRegistry): string[] {
  return server.requests.map((line) => line.split(' ')[0] ?? '');
}

test('a small blob goes with one request, where the registry takes it so', async () => {
  await using server = await startRegistry();
  const repository = open(server);
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  assert.deepEqual(server.requests, [`POST /v2/team/app/blobs/uploads/?digest=${digestOf(EMPTY_BLOB)}`]);
});

test('else with two, and the first attempt is not made again', async () => {
  await using server = await startRegistry({ singlePost: false });
  const repository = open(server);
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  await repository.putBlob(sourceOf(bytesOf('another')));
  assert.deepEqual(server.requests, [
    `POST /v2/team/app/blobs/uploads/?digest=${digestOf(EMPTY_BLOB)}`,
    `PUT /v2/team/app/blobs/uploads/1?state=a%2Fb%3D&digest=${encodeURIComponent(digestOf(EMPTY_BLOB))}`,
    'POST /v2/team/app/blobs/uploads/',
    `PUT /v2/team/app/blobs/uploads/2?state=a%2Fb%3D&digest=${encodeURIComponent(digestOf(bytesOf('another')))}`,
  ]);
});

test('a registry that takes the short form for an error gets the long one', async () => {
  await using server = await startRegistry({
    intercept(request, response) {
      if (request.url?.includes('?digest=') !== true || request.method !== 'POST') return false;
      response.writeHead(400).end();
      return true;
    },
  });
  await open(server).putBlob(sourceOf(EMPTY_BLOB));
  assert.deepEqual(methods(server), ['POST', 'POST', 'PUT']);
});

test('a registry that says no means it', async () => {
  for (const [status, code] of [
    [403, 'denied'],
    [404, 'denied'],
    [429, 'throttled'],
    [507, 'server-error'],
  ] as const) {
    await using server = await startRegistry({
      intercept(_request, response) {
        response.writeHead(status).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
        return true;
      },
    });
    await assert.rejects(open(server).putBlob(sourceOf(EMPTY_BLOB)), { name: 'RegistryError', code });
    await assert.rejects(
      open(server, { limits: { smallBlobBytes: 0 }, retry: { attempts: 1 } }).putBlob(sourceOf(EMPTY_BLOB)),
      RegistryError,
    );
  }
});

test('a large blob is looked for first, and streamed in one piece', async () => {
  await using server = await startRegistry();
  const seen: number[] = [];
  const source = sourceOf(LARGE);
  await open(server).putBlob(source, (sent) => seen.push(sent));
  assert.deepEqual(methods(server), ['HEAD', 'POST', 'PUT']);
  assert.deepEqual(storedLarge(server), Buffer.from(LARGE));
  assert.equal(source.opened, 1);
  assert.equal(seen.at(-1), LARGE.length);
  assert.ok(seen.length > 50);
  assert.deepEqual(
    seen,
    [...new Set(seen)].toSorted((a, b) => a - b),
  );
});

test('in chunks where that is asked for', async () => {
  await using server = await startRegistry();
  await open(server, { upload: 'chunked', limits: { chunkBytes: 300_000 } }).putBlob(sourceOf(LARGE));
  assert.deepEqual(methods(server), ['HEAD', 'POST', 'PATCH', 'PATCH', 'PATCH', 'PATCH', 'PUT']);
  assert.deepEqual(storedLarge(server), Buffer.from(LARGE));
});

test('in chunks where one piece is too large, and in smaller ones where these are', async () => {
  await using server = await startRegistry({ maxBodyBytes: 200_000 });
  const seen: number[] = [];
  await open(server, { limits: { chunkBytes: 500_000 } }).putBlob(sourceOf(LARGE), (sent) => seen.push(sent));
  assert.deepEqual(storedLarge(server), Buffer.from(LARGE));
  assert.deepEqual(methods(server).filter((method) => method === 'PATCH').length, 2 + 8);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  await using tiny = await startRegistry({ maxBodyBytes: 1000 });
  await assert.rejects(open(tiny).putBlob(sourceOf(LARGE)), { code: 'too-large' });
});

test('chunks are not smaller than the registry wants them', async () => {
  await using server = await startRegistry({
    intercept(_request, response) {
      response.setHeader('oci-chunk-min-length', '600000');
      return false;
    },
  });
  await open(server, { upload: 'chunked', limits: { chunkBytes: 100_000 } }).putBlob(sourceOf(LARGE));
  assert.deepEqual(methods(server), ['HEAD', 'POST', 'PATCH', 'PATCH', 'PUT']);
});

test('an upload that was reset continues where the registry says it is', async () => {
  await using server = await startRegistry(resettingOnce('PATCH', 2));
  await open(server, { upload: 'chunked', limits: { chunkBytes: 400_000 } }).putBlob(sourceOf(LARGE));
  assert.deepEqual(methods(server), ['HEAD', 'POST', 'PATCH', 'PATCH', 'GET', 'PATCH', 'PATCH', 'PUT']);
  assert.deepEqual(storedLarge(server), Buffer.from(LARGE));
});

test('and starts over where it does not say', async () => {
  for (const method of ['PUT', 'POST']) {
    await using server = await startRegistry(resettingOnce(method, 1));
    const source = sourceOf(LARGE);
    await open(server).putBlob(source);
    assert.deepEqual(storedLarge(server), Buffer.from(LARGE));
    const again = method === 'PUT' ? ['HEAD', 'POST', 'PUT', 'GET', 'POST', 'PUT'] : ['HEAD', 'POST', 'POST', 'PUT'];
    assert.deepEqual(methods(server), again);
  }
});

test('an upload that never gets through ends', async () => {
  await using server = await startRegistry(resettingOnce('PUT', 1, Infinity));
  await assert.rejects(open(server).putBlob(sourceOf(LARGE)), { name: 'RegistryError', code: 'unreachable' });
  assert.equal(methods(server).filter((method) => method === 'PUT').length, 5);
});

test('a throttled upload waits as long as it is told', async () => {
  let refused = 0;
  await using server = await startRegistry({
    intercept(request, response) {
      if (request.method !== 'PUT' || refused++ > 0) return false;
      response.writeHead(429, { 'retry-after': '9' }).end();
      return true;
    },
  });
  const clock = new SkippingClock();
  await open(server, { clock }).putBlob(sourceOf(LARGE));
  assert.deepEqual(clock.slept, [9000]);
});

test('what is sent is what was said to be sent', async () => {
  await using server = await startRegistry();
  const repository = open(server);
  const other = sourceOf(bytesOf('something'), digestOf(bytesOf('else')));
  await assert.rejects(repository.putBlob(other), {
    code: 'digest-mismatch',
    message: /the 9 bytes given are sha256:/,
  });
  for (const size of [LARGE.length - 1, LARGE.length + 1]) {
    for (const upload of ['monolithic', 'chunked'] as const) {
      const source = { ...sourceOf(LARGE), size };
      await assert.rejects(open(server, { upload }).putBlob(source), (error) => {
        return error instanceof RegistryError && ['size-mismatch', 'digest-mismatch'].includes(error.code);
      });
    }
  }
  assert.equal(storedLarge(server), undefined);
});

test('a Location on another host gets the blob, and no credentials; one of this host with http gets https', async () => {
  const transport = new RecordingTransport(({ url, method, headers }) => {
    if (url.host === 'registry.test' && headers['authorization'] === undefined) {
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    }
    if (method === 'HEAD') return { status: 404 };
    if (method === 'PUT') return { status: 201 };
    const location = url.pathname.includes('elsewhere') ? 'https://uploads.test/1' : 'http://registry.test/v2/u/1?s=1';
    return { status: 202, headers: { location } };
  });
  const credentials = (): Promise<{ kind: 'basic'; username: string; password: string; source: string }> =>
    Promise.resolve({ kind: 'basic', username: 'me', password: 'secret', source: 'a test' });
  const registry = new RemoteRegistry('registry.test', { transport, credentials });
  await registry.repository('elsewhere').putBlob(sourceOf(LARGE));
  await registry.repository('here').putBlob(sourceOf(LARGE));
  const puts = transport.asked.filter(({ method }) => method === 'PUT');
  const digest = encodeURIComponent(digestOf(LARGE));
  assert.deepEqual(
    puts.map(({ url, headers }) => [url.href, headers['authorization'] !== undefined]),
    [
      [`https://uploads.test/1?digest=${digest}`, false],
      [`https://registry.test/v2/u/1?s=1&digest=${digest}`, true],
    ],
  );
});

test('a mount that the registry turns into an upload is cancelled', async () => {
  await using server = await startRegistry();
  const registry = new RemoteRegistry(server.host, { credentials: 'anonymous' });
  const from = registry.repository('team/other');
  assert.equal(await registry.repository('team/app').mountBlob(digestOf(EMPTY_BLOB), from.name), false);
  assert.deepEqual(methods(server), ['POST', 'DELETE']);
  assert.equal(server.repositories.get('team/app')?.uploads.size, 0);
  await from.putBlob(sourceOf(EMPTY_BLOB));
  assert.equal(await registry.repository('team/app').mountBlob(digestOf(EMPTY_BLOB), from.name), true);
  assert.equal(
    await registry.repository('team/app').mountBlob(digestOf(EMPTY_BLOB), 'registry.test/team/other'),
    false,
  );
});

/** Resets the n-th request of a method, and as many after it as told. */
function resettingOnce(method: string, nth: number, times: number = 1): RegistryTraits {
  let seen = 0;
  return {
    intercept(request) {
      if (request.method !== method) return false;
      seen++;
      if (seen < nth || seen >= nth + times) return false;
      request.socket.destroy();
      return true;
    },
  };
}
