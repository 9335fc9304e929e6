// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf, MediaType, type Descriptor } from '../../oci/index.ts';
import { StoreError, type ObjectStore } from '../../store/index.ts';
import type { Access } from '../auth/access.ts';
import {
  imageJson,
  openFixture,
  pushBlob,
  pushImage,
  putManifest,
  type Answered,
  type Fixture,
  type FixtureOptions,
} from '../registry.fixture.ts';

const ABSENT = `sha256:${'0'.repeat(64)}`;

/** A test with a registry of its own. */
function registryTest(name: string, body: (fixture: Fixture) => Promise<void>, options: FixtureOptions = {}): void {
  test(name, async () => {
    const fixture = await openFixture(options);
    try {
      await body(fixture);
    } finally {
      await fixture.close();
    }
  });
}

function assertFault(answered: Answered, status: number, code: string, message?: RegExp): void {
  assert.equal(`${answered.status} ${answered.code}`, `${status} ${code}`, answered.text);
  assert.equal(answered.headers['content-type'], 'application/json');
  const { errors } = JSON.parse(answered.text) as { errors: { code: string; message: string }[] };
  assert.equal(errors.length, 1);
  assert.match(errors[0]?.message ?? '', message ?? /./);
}

describe('the base', () => {
  registryTest('answers 200', async ({ ask }) => {
    for (const path of ['/v2/', '/v2']) assert.equal((await ask('GET', path)).status, 200);
  });

  registryTest('answers 404 to what it does not have and 405 to what cannot be done', async ({ ask }) => {
    for (const path of ['/', '/v1/', '/v2/a', '/v2/a/b', '/healthz']) {
      assertFault(await ask('GET', path), 404, 'UNSUPPORTED');
    }
    for (const [method, path, allow] of [
      ['POST', '/v2/', 'GET, HEAD'],
      ['PATCH', '/v2/a/manifests/v1', 'GET, HEAD, PUT, DELETE'],
      ['PUT', `/v2/a/blobs/${ABSENT}`, 'GET, HEAD, DELETE'],
      ['GET', '/v2/a/blobs/uploads/', 'POST'],
      ['DELETE', '/v2/a/tags/list', 'GET, HEAD'],
      ['OPTIONS', '/v2/_catalog', 'GET, HEAD'],
    ] as const) {
      const answered = await ask(method, path);
      assertFault(answered, 405, 'UNSUPPORTED');
      assert.equal(answered.headers['allow'], allow);
    }
  });

  registryTest('lets no page in a browser write', async (fixture) => {
    await pushImage(fixture, 'a', 'v1', 'x');
    const headers = { origin: 'http://evil.example' };
    assertFault(await fixture.ask('POST', '/v2/a/blobs/uploads/', { headers }), 403, 'DENIED', /browser/);
    assertFault(await fixture.ask('DELETE', '/v2/a/manifests/v1', { headers }), 403, 'DENIED');
    assert.equal((await fixture.ask('GET', '/v2/a/manifests/v1', { headers })).status, 200);
  });
});

describe('a blob', () => {
  registryTest('is pushed in one request, read whole, in part, and by HEAD', async ({ ask }) => {
    for (const bytes of [Buffer.from('hello world'), Buffer.alloc(40_000, 'x')]) {
      const digest = digestOf(bytes);
      const pushed = await ask('POST', `/v2/a/b/blobs/uploads/?digest=${digest}`, { body: bytes });
      assert.equal(pushed.status, 201);
      assert.equal(pushed.headers['location'], `/v2/a/b/blobs/${digest}`);
      assert.equal(pushed.headers['docker-content-digest'], digest);
      const whole = await ask('GET', pushed.headers['location']);
      assert.deepEqual(whole.bytes, bytes);
      assert.equal(whole.headers['content-length'], `${bytes.byteLength}`);
      assert.equal(whole.headers['docker-content-digest'], digest);
      const part = await ask('GET', `/v2/a/b/blobs/${digest}`, { headers: { range: 'bytes=3-6' } });
      assert.equal(part.status, 206);
      assert.deepEqual(part.bytes, bytes.subarray(3, 7));
      assert.equal(part.headers['content-range'], `bytes 3-6/${bytes.byteLength}`);
      assert.equal(part.headers['content-length'], '4');
      const beyond = await ask('GET', `/v2/a/b/blobs/${digest}`, { headers: { range: 'bytes=99999-' } });
      assertFault(beyond, 416, 'RANGE_INVALID');
      assert.equal(beyond.headers['content-range'], `bytes */${bytes.byteLength}`);
      const head = await ask('HEAD', `/v2/a/b/blobs/${digest}`, { headers: { range: 'bytes=3-6' } });
      assert.equal(head.status, 200);
      assert.equal(head.bytes.byteLength, 0);
      assert.equal(head.headers['content-length'], `${bytes.byteLength}`);
      const known = await ask('GET', `/v2/a/b/blobs/${digest}`, { headers: { 'if-none-match': `"${digest}"` } });
      assert.equal(known.status, 304);
    }
  });

  registryTest('that is not there is unknown, and what is no digest is invalid', async ({ ask }) => {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      assertFault(await ask(method, `/v2/a/blobs/${ABSENT}`), 404, 'BLOB_UNKNOWN');
      assertFault(await ask(method, '/v2/a/blobs/sha256:abc'), 400, 'DIGEST_INVALID');
    }
    assertFault(await ask('POST', '/v2/a/blobs/uploads/?digest=sha256:abc'), 400, 'DIGEST_INVALID');
  });

  registryTest('is seen only where it was pushed or mounted', async (fixture) => {
    const { digest } = await pushBlob(fixture, 'secret/one', 'content');
    assertFault(await fixture.ask('GET', `/v2/other/blobs/${digest}`), 404, 'BLOB_UNKNOWN');
    const mount = `/v2/other/blobs/uploads/?mount=${digest}`;
    for (const from of ['', '&from=nowhere', '&from=other']) {
      const refused = await fixture.ask('POST', `${mount}${from}`);
      assert.equal(refused.status, 202, 'the client is to upload it');
      assert.match(refused.headers['location'] ?? '', /^\/v2\/other\/blobs\/uploads\/./);
    }
    const mounted = await fixture.ask('POST', `${mount}&from=secret/one`);
    assert.equal(mounted.status, 201);
    assert.equal(mounted.headers['location'], `/v2/other/blobs/${digest}`);
    assert.equal((await fixture.ask('GET', `/v2/other/blobs/${digest}`)).text, 'content');
  });

  registryTest('is deleted, but not while a manifest needs it', async (fixture) => {
    const image = await pushImage(fixture, 'a', 'v1', 'layer');
    const layer = digestOf(Buffer.from('layer'));
    assertFault(await fixture.ask('DELETE', `/v2/a/blobs/${layer}`), 403, 'DENIED', new RegExp(image.digest));
    assert.equal((await fixture.ask('DELETE', `/v2/a/manifests/${image.digest}`)).status, 202);
    assert.equal((await fixture.ask('DELETE', `/v2/a/blobs/${layer}`)).status, 202);
    assertFault(await fixture.ask('GET', `/v2/a/blobs/${layer}`), 404, 'BLOB_UNKNOWN');
    assertFault(await fixture.ask('DELETE', `/v2/a/blobs/${layer}`), 404, 'BLOB_UNKNOWN');
  });
});

describe('an upload', () => {
  const begin = async ({ ask }: Fixture, query = ''): Promise<string> => {
    const begun = await ask('POST', `/v2/a/b/blobs/uploads/${query}`);
    assert.equal(begun.status, 202);
    assert.equal(begun.headers['range'], '0-0');
    const location = begun.headers['location'] ?? '';
    assert.equal(location, `/v2/a/b/blobs/uploads/${begun.headers['docker-upload-uuid']}`);
    return location;
  };

  registryTest('is made whole by a PUT', async (fixture) => {
    const bytes = Buffer.from('in the PUT');
    const finished = await fixture.ask('PUT', `${await begin(fixture)}?digest=${digestOf(bytes)}`, { body: bytes });
    assert.equal(finished.status, 201);
    assert.equal((await fixture.ask('GET', finished.headers['location'] ?? '')).text, 'in the PUT');
  });

  registryTest('answers its end again to a client that did not hear it', async (fixture) => {
    const bytes = Buffer.from('once');
    const finish = `${await begin(fixture)}?digest=${digestOf(bytes)}`;
    const first = await fixture.ask('PUT', finish, { body: bytes });
    const again = await fixture.ask('PUT', finish, { body: bytes });
    assert.equal(again.status, 201);
    assert.deepEqual(again.headers, first.headers);
    const elsewhere = finish.replace('/a/b/', '/other/');
    assertFault(await fixture.ask('PUT', elsewhere, { body: bytes }), 404, 'BLOB_UPLOAD_UNKNOWN');
  });

  for (const last of ['PATCH', 'PUT'] as const) {
    registryTest(`takes chunks in order, the last by ${last}, and says how far it is`, async (fixture) => {
      const bytes = Buffer.from('0123456789');
      const location = await begin(fixture);
      const chunk = async (method: string, from: number, to: number, query = '') =>
        fixture.ask(method, `${location}${query}`, {
          headers: { 'content-range': `${from}-${to - 1}` },
          body: bytes.subarray(from, to),
        });
      const early = await chunk('PATCH', 4, 8);
      assertFault(early, 416, 'BLOB_UPLOAD_INVALID', /begins at 4, expected 0/);
      assert.equal(early.headers['range'], '0-0');
      assert.equal(early.headers['location'], location);
      assert.equal((await chunk('PATCH', 0, 4)).headers['range'], '0-3');
      assertFault(await chunk('PATCH', 0, 4), 416, 'BLOB_UPLOAD_INVALID');
      assertFault(await chunk('PUT', 6, 10, `?digest=${digestOf(bytes)}`), 416, 'BLOB_UPLOAD_INVALID');
      const status = await fixture.ask('GET', location);
      assert.equal(`${status.status} ${status.headers['range']}`, '204 0-3');
      if (last === 'PATCH') assert.equal((await chunk('PATCH', 4, 10)).status, 202);
      const finished =
        last === 'PUT'
          ? await chunk('PUT', 4, 10, `?digest=${digestOf(bytes)}`)
          : await fixture.ask('PUT', `${location}?digest=${digestOf(bytes)}`);
      assert.equal(finished.status, 201, finished.text);
      assert.equal((await fixture.ask('GET', `/v2/a/b/blobs/${digestOf(bytes)}`)).text, '0123456789');
      assertFault(await fixture.ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
    });
  }

  for (const query of ['', '?digest-algorithm=sha512']) {
    registryTest(`may be named by sha512 at its end ${query}`, async (fixture) => {
      for (const size of [5, 50_000, 700_000]) {
        const bytes = Buffer.alloc(size, 'y');
        const location = await begin(fixture, query);
        await fixture.ask('PATCH', location, { body: bytes });
        const digest = digestOf(bytes, 'sha512');
        const finished = await fixture.ask('PUT', `${location}?digest=${digest}`);
        assert.equal(finished.status, 201);
        assert.equal(finished.headers['docker-content-digest'], digest);
        assert.deepEqual((await fixture.ask('GET', `/v2/a/b/blobs/${digest}`)).bytes, bytes);
      }
    });
  }

  registryTest('of other content than its digest says is refused, ends, and leaves nothing', async (fixture) => {
    const digest = digestOf(Buffer.from('promised'));
    const location = await begin(fixture);
    assertFault(
      await fixture.ask('PUT', `${location}?digest=${digest}`, { body: 'something else' }),
      400,
      'DIGEST_INVALID',
      /the blob's content is sha256:\w+, expected sha256:/,
    );
    assertFault(await fixture.ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
    assertFault(
      await fixture.ask('POST', `/v2/a/b/blobs/uploads/?digest=${digest}`, { body: 'something else' }),
      400,
      'DIGEST_INVALID',
    );
    assertFault(await fixture.ask('GET', `/v2/a/b/blobs/${digest}`), 404, 'BLOB_UNKNOWN');
    assertFault(await fixture.ask('PUT', `${location}?digest=nonsense`), 400, 'DIGEST_INVALID');
    assertFault(await fixture.ask('PUT', location), 400, 'DIGEST_INVALID');
  });

  registryTest('is cancelled, and is known in its repository only', async (fixture) => {
    const location = await begin(fixture);
    assertFault(await fixture.ask('GET', location.replace('/a/b/', '/other/')), 404, 'BLOB_UPLOAD_UNKNOWN');
    assert.equal((await fixture.ask('DELETE', location)).status, 204);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      assertFault(await fixture.ask(method, location), 404, 'BLOB_UPLOAD_UNKNOWN');
    }
    assertFault(await fixture.ask('PUT', `${location}?digest=${ABSENT}`), 404, 'BLOB_UPLOAD_UNKNOWN');
  });

  registryTest('refuses a chunk that does not say truly how long it is', async (fixture) => {
    const location = await begin(fixture);
    for (const [range, status, code] of [
      ['0-9', 400, 'SIZE_INVALID'],
      ['x', 400, 'BLOB_UPLOAD_INVALID'],
      ['4-0', 400, 'BLOB_UPLOAD_INVALID'],
    ] as const) {
      const headers = { 'content-range': range };
      assertFault(await fixture.ask('PATCH', location, { headers, body: 'abc' }), status, code);
    }
    assert.equal((await fixture.ask('GET', location)).status, 204);
  });

  registryTest('has one writer at a time', async (fixture) => {
    const location = await begin(fixture);
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = fixture.ask('PATCH', location, {
      body: (async function* () {
        yield Buffer.from('one');
        await promise;
        yield Buffer.from('two');
      })(),
    });
    await new Promise((next) => setImmediate(next));
    assertFault(await fixture.ask('PATCH', location, { body: 'x' }), 409, 'BLOB_UPLOAD_INVALID');
    assertFault(await fixture.ask('PUT', `${location}?digest=${ABSENT}`), 409, 'BLOB_UPLOAD_INVALID');
    resolve();
    assert.equal((await slow).headers['range'], '0-5');
    const digest = digestOf(Buffer.from('onetwo'));
    assert.equal((await fixture.ask('PUT', `${location}?digest=${digest}`)).status, 201);
  });

  registryTest(
    'ends where its blob gets too large',
    async (fixture) => {
      const location = await begin(fixture);
      assert.equal((await fixture.ask('PATCH', location, { body: Buffer.alloc(90) })).status, 202);
      assertFault(await fixture.ask('PATCH', location, { body: Buffer.alloc(11) }), 413, 'SIZE_INVALID');
      assertFault(await fixture.ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
    },
    { limits: { bytes: 100 } },
  );

  registryTest(
    'is turned away where too many are open, until one ends',
    async (fixture) => {
      const location = await begin(fixture);
      await begin(fixture);
      const refused = await fixture.ask('POST', '/v2/a/b/blobs/uploads/');
      assertFault(refused, 429, 'TOOMANYREQUESTS');
      assert.equal(refused.headers['retry-after'], '1');
      await fixture.ask('DELETE', location);
      await begin(fixture);
    },
    { limits: { count: 2 } },
  );

  test('to which nothing happens for too long is given up', async () => {
    let now = 0;
    const fixture = await openFixture({ now: () => now, limits: { idleMs: 1000 } });
    const [idle, active] = [await begin(fixture), await begin(fixture)];
    now = 900;
    await fixture.ask('PATCH', active, { body: 'x' });
    now = 1500;
    await fixture.uploads.sweep();
    assertFault(await fixture.ask('GET', idle), 404, 'BLOB_UPLOAD_UNKNOWN');
    assert.equal((await fixture.ask('GET', active)).status, 204);
    now = 5000;
    await fixture.uploads.sweep();
    assertFault(await fixture.ask('GET', active), 404, 'BLOB_UPLOAD_UNKNOWN');
    await fixture.close();
  });
});

describe('a manifest', () => {
  registryTest('is kept byte for byte under its tag and digest', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    const bytes = Buffer.from(` ${imageJson(config, []).toString().replace('{', '{\n\t')}\n`);
    const digest = digestOf(bytes);
    const put = await putManifest(fixture, 'a', 'v1', bytes);
    assert.equal(put.status, 201);
    assert.equal(put.headers['location'], `/v2/a/manifests/${digest}`);
    assert.equal(put.headers['docker-content-digest'], digest);
    assert.equal(put.headers['oci-subject'], undefined);
    for (const target of ['v1', digest]) {
      const got = await fixture.ask('GET', `/v2/a/manifests/${target}`);
      assert.deepEqual(got.bytes, bytes);
      const head = await fixture.ask('HEAD', `/v2/a/manifests/${target}`);
      assert.equal(head.bytes.byteLength, 0);
      for (const { status, headers } of [got, head]) {
        assert.equal(status, 200);
        assert.equal(headers['content-type'], MediaType.imageManifest);
        assert.equal(headers['docker-content-digest'], digest);
        assert.equal(headers['content-length'], `${bytes.byteLength}`);
        assert.equal(headers['etag'], `"${digest}"`);
      }
    }
  });

  registryTest('is kept under the sha512 it is pushed by', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    const bytes = imageJson(config, []);
    const digest = digestOf(bytes, 'sha512');
    const put = await putManifest(fixture, 'a', digest, bytes);
    assert.equal(put.headers['docker-content-digest'], digest);
    assert.deepEqual((await fixture.ask('GET', `/v2/a/manifests/${digest}`)).bytes, bytes);
  });

  registryTest('is refused under a digest that it does not have', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    for (const target of [ABSENT, 'sha256:baddigeststring']) {
      assertFault(await putManifest(fixture, 'a', target, imageJson(config, [])), 400, 'DIGEST_INVALID');
      assert.match(`${(await fixture.ask('GET', `/v2/a/manifests/${target}`)).status}`, /^40[04]$/);
    }
    assertFault(await putManifest(fixture, 'a', '.bad', imageJson(config, [])), 400, 'TAG_INVALID');
  });

  registryTest('is refused while a part of it is missing, and names what', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    const elsewhere = await pushBlob(fixture, 'other', 'only there');
    const layers = [elsewhere, { ...elsewhere, digest: ABSENT } as Descriptor];
    const refused = await putManifest(fixture, 'a', 'v1', imageJson(config, layers));
    assertFault(refused, 400, 'MANIFEST_BLOB_UNKNOWN', new RegExp(`names ${elsewhere.digest} and 1 more, which a`));
    const { errors } = JSON.parse(refused.text) as { errors: { detail: unknown }[] };
    assert.deepEqual(errors[0]?.detail, [{ digest: elsewhere.digest }, { digest: ABSENT }]);
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [elsewhere] };
    assertFault(
      await fixture.ask('PUT', '/v2/a/manifests/i', { body: index, headers: { 'content-type': MediaType.imageIndex } }),
      400,
      'MANIFEST_BLOB_UNKNOWN',
    );
    assertFault(await fixture.ask('GET', '/v2/a/manifests/v1'), 404, 'MANIFEST_UNKNOWN');
  });

  registryTest('may lack layers that lie elsewhere by their type, and its subject', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    const layers = [
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ].map((mediaType) => ({ mediaType, digest: ABSENT, size: 5 }) as Descriptor);
    const subject = { mediaType: MediaType.imageManifest, digest: ABSENT, size: 5 };
    const put = await putManifest(fixture, 'a', 'v1', imageJson(config, layers, { subject }));
    assert.equal(put.status, 201);
    assert.equal(put.headers['oci-subject'], ABSENT);
  });

  registryTest('that is none is refused', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    for (const text of ['', 'x', '[]', '{}', '{"schemaVersion":2}', '{"schemaVersion":1,"config":{}}', '\xff']) {
      assertFault(await putManifest(fixture, 'a', 'v1', Buffer.from(text, 'latin1')), 400, 'MANIFEST_INVALID');
    }
    const ambiguous = imageJson(config, [], { manifests: [] });
    assertFault(await putManifest(fixture, 'a', 'v1', ambiguous), 400, 'MANIFEST_INVALID', /either/);
    const index = { 'content-type': MediaType.imageIndex };
    assertFault(await putManifest(fixture, 'a', 'v1', imageJson(config, []), index), 400, 'MANIFEST_INVALID');
  });

  registryTest('of more than 4 MiB is refused, announced or not, and one just below is taken', async (fixture) => {
    const config = await pushBlob(fixture, 'a', '{}');
    const padded = (size: number) => imageJson(config, [], { padding: 'x'.repeat(size) });
    assertFault(await putManifest(fixture, 'a', 'v1', padded(4 * 1024 * 1024)), 413, 'SIZE_INVALID');
    let read = 0;
    const endless = (async function* () {
      for (;;) {
        read += 1;
        yield Buffer.alloc(1024 * 1024);
      }
    })();
    assertFault(await fixture.ask('PUT', '/v2/a/manifests/v1', { body: endless }), 413, 'SIZE_INVALID');
    assert.equal(read, 5);
    assert.equal((await putManifest(fixture, 'a', 'v1', padded(4 * 1024 * 1024 - 1000))).status, 201);
  });

  registryTest('that is not there is unknown, as is a repository', async (fixture) => {
    assertFault(await fixture.ask('GET', '/v2/none/manifests/v1'), 404, 'NAME_UNKNOWN');
    await pushBlob(fixture, 'a', 'x');
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      assertFault(await fixture.ask(method, '/v2/a/manifests/v1'), 404, 'MANIFEST_UNKNOWN');
      assertFault(await fixture.ask(method, `/v2/a/manifests/${ABSENT}`), 404, 'MANIFEST_UNKNOWN');
    }
  });

  registryTest('is deleted by digest with its tags, a tag alone without it', async (fixture) => {
    const { digest } = await pushImage(fixture, 'a', 'one', 'x');
    await pushImage(fixture, 'a', 'two', 'x');
    assert.equal((await fixture.ask('DELETE', '/v2/a/manifests/one')).status, 202);
    assertFault(await fixture.ask('GET', '/v2/a/manifests/one'), 404, 'MANIFEST_UNKNOWN');
    assert.equal((await fixture.ask('GET', '/v2/a/manifests/two')).status, 200);
    assert.equal((await fixture.ask('DELETE', `/v2/a/manifests/${digest}`)).status, 202);
    assertFault(await fixture.ask('GET', '/v2/a/manifests/two'), 404, 'MANIFEST_UNKNOWN');
    assert.deepEqual(await fixture.database.all('SELECT * FROM manifest_parts'), []);
  });
});

describe('a conditional request', () => {
  registryTest('reads only what is new', async (fixture) => {
    const { digest } = await pushImage(fixture, 'a', 'v1', 'x');
    for (const [tags, status] of [
      [`"${digest}"`, 304],
      [`W/"${digest}"`, 304],
      [`"${ABSENT}", "${digest}"`, 304],
      ['*', 304],
      [`"${ABSENT}"`, 200],
      ['"x"', 200],
    ] as const) {
      const answered = await fixture.ask('GET', '/v2/a/manifests/v1', { headers: { 'if-none-match': tags } });
      assert.equal(answered.status, status, tags);
      assert.equal(answered.headers['etag'], `"${digest}"`);
    }
  });

  registryTest('writes a tag only where it is what was expected', async (fixture) => {
    const one = await pushImage(fixture, 'a', 'v1', 'one');
    const two = await pushImage(fixture, 'a', '', 'two');
    const { bytes } = await fixture.ask('GET', `/v2/a/manifests/${two.digest}`);
    const put = async (tag: string, headers: Record<string, string>) => putManifest(fixture, 'a', tag, bytes, headers);
    assertFault(await put('v1', { 'if-none-match': '*' }), 412, 'DENIED');
    assertFault(await put('v1', { 'if-match': `"${two.digest}"` }), 412, 'DENIED');
    assertFault(await put('v1', { 'if-match': '"x"' }), 412, 'DENIED');
    assertFault(await put('new', { 'if-match': '*' }), 412, 'DENIED');
    assertFault(await put('new', { 'if-match': `"${one.digest}"` }), 412, 'DENIED');
    assertFault(await put(two.digest, { 'if-none-match': '*' }), 412, 'DENIED');
    assert.equal((await put('new', { 'if-none-match': '*' })).status, 201);
    assert.equal((await put('v1', { 'if-match': `"${ABSENT}", "${one.digest}"` })).status, 201);
    assert.equal((await put('v1', { 'if-match': '*' })).status, 201);
  });

  registryTest('lets one of 20 writers of a tag win', async (fixture) => {
    const { digest: before } = await pushImage(fixture, 'a', 'v1', 'before');
    const images = await Promise.all(Array.from({ length: 20 }, (_, at) => pushImage(fixture, 'a', '', `image ${at}`)));
    const statuses = await Promise.all(
      images.map(async ({ digest }) => {
        const { bytes } = await fixture.ask('GET', `/v2/a/manifests/${digest}`);
        return (await putManifest(fixture, 'a', 'v1', bytes, { 'if-match': `"${before}"` })).status;
      }),
    );
    assert.equal(statuses.filter((status) => status === 201).length, 1);
    assert.equal(statuses.filter((status) => status === 412).length, 19);
  });

  registryTest('deletes a tag only where it is what was expected', async (fixture) => {
    const { digest } = await pushImage(fixture, 'a', 'v1', 'x');
    const remove = (headers: Record<string, string>) => fixture.ask('DELETE', '/v2/a/manifests/v1', { headers });
    assertFault(await remove({ 'if-match': `"${ABSENT}"` }), 412, 'DENIED');
    assertFault(await remove({ 'if-none-match': '*' }), 412, 'DENIED');
    assert.equal((await remove({ 'if-match': `"${digest}"` })).status, 202);
    assertFault(await remove({ 'if-none-match': '*' }), 412, 'DENIED');
  });
});

describe('a write-once tag', () => {
  registryTest(
    'answers 201 to the same and 403 to another, with the reason',
    async (fixture) => {
      const { digest } = await pushImage(fixture, 'team/app', 'v1', 'one');
      await pushImage(fixture, 'team/app', 'v1', 'one');
      const other = await pushImage(fixture, 'team/app', '', 'two');
      const { bytes } = await fixture.ask('GET', `/v2/team/app/manifests/${other.digest}`);
      const refused = await putManifest(fixture, 'team/app', 'v1', bytes);
      assertFault(refused, 403, 'DENIED', new RegExp(`tag v1 of team/app .*${digest}.*--write-once '\\*\\*:v\\*'`));
      assertFault(await fixture.ask('DELETE', '/v2/team/app/manifests/v1'), 403, 'DENIED');
      assertFault(await fixture.ask('DELETE', `/v2/team/app/manifests/${digest}`), 403, 'DENIED');
    },
    { writeOnce: ['**:v*'] },
  );
});

describe('a listing', () => {
  const walk = async ({ ask }: Fixture, first: string): Promise<{ pages: Answered[]; next: string[] }> => {
    const pages: Answered[] = [];
    const next: string[] = [];
    for (let target: string | undefined = first; target !== undefined;) {
      const page = await ask('GET', target);
      assert.equal(page.status, 200, page.text);
      pages.push(page);
      target = /^<([^>]+)>; rel="next"$/.exec(page.headers['link'] ?? '')?.[1];
      if (target !== undefined) next.push(target);
    }
    return { pages, next };
  };

  registryTest('of tags is sorted and paged', async (fixture) => {
    for (const tag of ['b', 'a', 'C', '1', '_z']) await pushImage(fixture, 'a/b', tag, 'x');
    const all = await fixture.ask('GET', '/v2/a/b/tags/list');
    assert.deepEqual(JSON.parse(all.text), { name: 'a/b', tags: ['1', 'C', '_z', 'a', 'b'] });
    assert.equal(all.headers['link'], undefined);
    const { pages, next } = await walk(fixture, '/v2/a/b/tags/list?n=2');
    assert.deepEqual(
      pages.map((page) => (JSON.parse(page.text) as { tags: string[] }).tags),
      [['1', 'C'], ['_z', 'a'], ['b']],
    );
    assert.equal(next[0], '/v2/a/b/tags/list?n=2&last=C');
    const after = await fixture.ask('GET', '/v2/a/b/tags/list?last=a');
    assert.deepEqual((JSON.parse(after.text) as { tags: string[] }).tags, ['b']);
    const none = await fixture.ask('GET', '/v2/a/b/tags/list?n=0');
    assert.deepEqual((JSON.parse(none.text) as { tags: string[] }).tags, []);
    assert.equal(none.headers['link'], undefined);
    for (const n of ['x', '-1', '', '1e3']) {
      assertFault(await fixture.ask('GET', `/v2/a/b/tags/list?n=${n}`), 400, 'PAGINATION_NUMBER_INVALID');
    }
    assertFault(await fixture.ask('GET', '/v2/none/tags/list'), 404, 'NAME_UNKNOWN');
  });

  registryTest('of repositories is sorted and paged, without those that have no manifest', async (fixture) => {
    for (const repository of ['b', 'a/c', 'a']) await pushImage(fixture, repository, 'v1', 'x');
    await pushBlob(fixture, 'only-blobs', 'x');
    const { pages } = await walk(fixture, '/v2/_catalog?n=2');
    assert.deepEqual(
      pages.map((page) => (JSON.parse(page.text) as { repositories: string[] }).repositories),
      [['a', 'a/c'], ['b']],
    );
  });

  registryTest('of referrers is an index, empty or not, never 404', async (fixture) => {
    const empty = await fixture.ask('GET', `/v2/none/referrers/${ABSENT}`);
    assert.equal(empty.status, 200);
    assert.equal(empty.headers['content-type'], MediaType.imageIndex);
    assert.deepEqual(JSON.parse(empty.text), { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [] });
    assertFault(await fixture.ask('GET', '/v2/none/referrers/sha256:x'), 400, 'DIGEST_INVALID');
  });

  registryTest('of referrers tells type and annotations, filters, and is paged', async (fixture) => {
    const subject = await pushImage(fixture, 'a', 'v1', 'image');
    const written: string[] = [];
    for (let at = 0; at < 5; at++) {
      const more = { subject, artifactType: at % 2 === 0 ? 'x/even' : 'x/odd+json', annotations: { at: `${at}` } };
      written.push((await pushImage(fixture, 'a', at === 0 ? 'tagged' : '', 'seal', more)).digest);
    }
    const untyped = await pushImage(fixture, 'a', '', 'seal', { subject });
    const path = `/v2/a/referrers/${subject.digest}`;
    const entries = (page: Answered) => (JSON.parse(page.text) as { manifests: Descriptor[] }).manifests;
    const all = entries(await fixture.ask('GET', path));
    assert.deepEqual(
      all.map((entry) => entry.digest),
      [...written, untyped.digest].toSorted(),
    );
    assert.deepEqual(
      all.find((entry) => entry.digest === written[1]),
      {
        mediaType: MediaType.imageManifest,
        digest: written[1],
        size: all.find((entry) => entry.digest === written[1])?.size,
        artifactType: 'x/odd+json',
        annotations: { at: '1' },
      },
    );
    assert.equal(all.find((entry) => entry.digest === untyped.digest)?.artifactType, MediaType.imageConfig);
    const odd = await fixture.ask('GET', `${path}?artifactType=${encodeURIComponent('x/odd+json')}`);
    assert.equal(odd.headers['oci-filters-applied'], 'artifactType');
    assert.deepEqual(
      entries(odd).map((entry) => entry.digest),
      written.filter((_, at) => at % 2 === 1).toSorted(),
    );
    const { pages, next } = await walk(fixture, `${path}?n=2&artifactType=x/even`);
    assert.deepEqual(
      pages.map((page) => entries(page).length),
      [2, 1],
    );
    assert.match(next[0] ?? '', /n=2&artifactType=x%2Feven&last=sha256%3A/);
    assert.deepEqual(entries(await fixture.ask('GET', `/v2/b/referrers/${subject.digest}`)), []);
  });

  registryTest(
    'of referrers has what an older client listed under the fallback tag, and no stranger',
    async (fixture) => {
      const subject = await pushImage(fixture, 'a', 'v1', 'image');
      const seal = await pushImage(fixture, 'a', '', 'seal', { subject });
      const stranger = await pushImage(fixture, 'a', '', 'no seal');
      const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [seal, stranger] };
      const put = await fixture.ask('PUT', `/v2/a/manifests/${subject.digest.replace(':', '-')}`, {
        headers: { 'content-type': MediaType.imageIndex },
        body: index,
      });
      assert.equal(put.status, 201);
      const listed = await fixture.ask('GET', `/v2/a/referrers/${subject.digest}`);
      const { manifests } = JSON.parse(listed.text) as { manifests: Descriptor[] };
      assert.deepEqual(
        manifests.map((entry) => entry.digest),
        [seal.digest],
      );
    },
  );
});

describe('access', () => {
  const access: Access = {
    challenge: 'Basic realm="test"',
    authenticate: async (authorization) =>
      authorization === 'busy' ? 'busy' : authorization === undefined ? undefined : { name: authorization },
    allows: ({ name }, action, repository) =>
      repository.startsWith(`${name}/`) || (action === 'pull' && repository.startsWith('public/')),
  };

  registryTest(
    'is asked for on every path, with a challenge',
    async ({ ask }) => {
      for (const path of ['/v2/', '/v2/alice/x/tags/list', '/v2/_catalog', '/nothing']) {
        const refused = await ask('GET', path);
        assertFault(refused, 401, 'UNAUTHORIZED');
        assert.equal(refused.headers['www-authenticate'], 'Basic realm="test"');
      }
      const busy = await ask('GET', '/v2/', { headers: { authorization: 'busy' } });
      assertFault(busy, 429, 'TOOMANYREQUESTS');
      assert.equal((await ask('GET', '/v2/', { headers: { authorization: 'alice' } })).status, 200);
    },
    { access },
  );

  registryTest(
    'is decided for each repository that a request touches, the source of a mount too',
    async (fixture) => {
      const as = (name: string): Pick<Fixture, 'ask'> => ({
        ask: (method, target, ask) =>
          fixture.ask(method, target, { ...ask, headers: { ...ask?.headers, authorization: name } }),
      });
      const { digest } = await pushBlob(as('alice'), 'alice/x', 'hers');
      assertFault(
        await as('bob').ask('GET', `/v2/alice/x/blobs/${digest}`),
        403,
        'DENIED',
        /bob may not pull alice\/x/,
      );
      assertFault(await as('bob').ask('POST', '/v2/public/x/blobs/uploads/'), 403, 'DENIED', /may not push/);
      assertFault(await as('bob').ask('DELETE', `/v2/public/x/blobs/${digest}`), 403, 'DENIED', /may not delete/);
      const mount = await as('bob').ask('POST', `/v2/bob/x/blobs/uploads/?mount=${digest}&from=alice/x`);
      assert.equal(mount.status, 202);
      assertFault(await as('bob').ask('GET', `/v2/bob/x/blobs/${digest}`), 404, 'BLOB_UNKNOWN');
      const own = await as('alice').ask('POST', `/v2/alice/y/blobs/uploads/?mount=${digest}&from=alice/x`);
      assert.equal(own.status, 201);
    },
    { access },
  );
});

describe('a store that fails', () => {
  const broken = (code: 'full' | 'io-failed'): ObjectStore => ({
    stage: () => ({
      size: 20_000,
      append: async () => {
        throw new StoreError(code, 'secret path');
      },
      async *read() {},
      commit: async () => {},
      discard: async () => {},
    }),
    size: async () => undefined,
    async *read() {},
    delete: async () => false,
    async *list() {},
    close: async () => {},
  });

  for (const [code, status, oci] of [
    ['full', 507, 'UNAVAILABLE'],
    ['io-failed', 500, 'UNKNOWN'],
  ] as const) {
    registryTest(
      `by ${code} answers ${status}, says nothing of the machine, and ends the upload`,
      async (fixture) => {
        const begun = await fixture.ask('POST', '/v2/a/blobs/uploads/');
        const location = begun.headers['location'] ?? '';
        const failed = await fixture.ask('PATCH', location, { body: 'x' });
        assertFault(failed, status, oci);
        assert.ok(!failed.text.includes('secret path'));
        assertFault(await fixture.ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
      },
      { objects: broken(code) },
    );
  }
});
