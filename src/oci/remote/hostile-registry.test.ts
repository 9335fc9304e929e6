// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { Descriptor } from '../descriptor.ts';
import { digestOf } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import type { RemoteOptions } from './options.ts';
import { startRegistry, type TestRegistry } from './registry.fixture.ts';
import { openRemoteRepository, type RemoteRepository } from './remote-repository.ts';
import { bytesOf, describe, gather, imageNamed, jsonBytes, SkippingClock, sourceOf } from './sample.fixture.ts';

// Real servers on loopback that do what no registry should. Each case ends in a coded error, or in the right content, after a bounded
// number of requests and bytes.

const IMAGE = imageNamed('image');
const DIGEST = digestOf(IMAGE);
const clock = new SkippingClock();

type Answer = (request: IncomingMessage, response: ServerResponse, times: number) => void;

/** A server that answers everything in one way. */
async function hostile(answer: Answer): Promise<TestRegistry> {
  let times = 0;
  return startRegistry({
    intercept(request, response) {
      answer(request, response, ++times);
      return true;
    },
  });
}

function open(server: TestRegistry, options: RemoteOptions = {}): RemoteRepository {
  return openRemoteRepository(
    { registry: server.host, repository: 'team/app' },
    { credentials: 'anonymous', clock, random: () => 0, ...options },
  );
}

async function refuses(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

const reads: readonly (readonly [string, (repository: RemoteRepository) => Promise<unknown>])[] = [
  ['manifest', (repository) => repository.manifest(DIGEST)],
  ['tagged manifest', (repository) => repository.manifest('v1')],
  ['blob', (repository) => repository.blob(DIGEST, 1000)],
  [
    'stream',
    async (repository) => {
      const stream = await repository.openBlob(DIGEST);
      return stream === undefined ? undefined : gather(stream.body);
    },
  ],
  ['referrers', (repository) => repository.referrers(DIGEST)],
  ['tags', (repository) => gather(repository.tags())],
];

test('content that is not what was asked for is refused, and not kept', async () => {
  await using server = await hostile((_request, response, times) => {
    const body = times > 3 ? IMAGE : imageNamed('other');
    response.writeHead(200, { 'content-type': MediaType.imageManifest, 'content-length': body.length }).end(body);
  });
  const repository = open(server);
  await refuses(
    repository.manifest(DIGEST),
    'digest-mismatch',
    /cannot read .*@sha256:.*: the \d+ bytes answered are sha256:/,
  );
  await refuses(repository.blob(DIGEST, 1000), 'digest-mismatch', /bytes answered are sha256:/);
  const stream = await repository.openBlob(DIGEST);
  await refuses(gather(stream?.body as AsyncIterable<Uint8Array>), 'digest-mismatch', /has content of sha256:/);
  assert.deepEqual((await repository.manifest(DIGEST))?.bytes, IMAGE);
  assert.deepEqual(await repository.blob(DIGEST, 1000), IMAGE);
});

test('a tag whose content is not what the registry says it names is refused', async () => {
  const lie = digestOf(bytesOf('other'));
  await using server = await hostile((_request, response) => {
    const headers = { 'content-type': MediaType.imageManifest, 'content-length': IMAGE.length };
    response.writeHead(200, { ...headers, 'docker-content-digest': lie }).end(IMAGE);
  });
  await refuses(
    open(server).manifest('v1'),
    'digest-mismatch',
    /the registry says sha256:.* its \d+ bytes are sha256:/,
  );
  await refuses(open(server).resolve(DIGEST), 'digest-mismatch', /was answered for it/);
  await using odd = await hostile((_request, response) => {
    response.writeHead(200, { 'content-type': MediaType.imageManifest, 'docker-content-digest': 'md5:1' }).end(IMAGE);
  });
  await refuses(open(odd).manifest('v1'), 'protocol-violation', /Docker-Content-Digest is 'md5:1'/);
});

test('a body without end is read up to its cap', async () => {
  let sent = 0;
  await using server = await hostile((request, response) => {
    response.writeHead(200, {
      'content-type': request.url?.includes('tags') === true ? 'application/json' : MediaType.imageIndex,
    });
    const more = (): void => {
      while (!response.destroyed && response.write('{'.padEnd(65_536, ' '))) sent += 65_536;
    };
    response.on('drain', more);
    more();
  });
  const limits = { manifestBytes: 100_000, pageBytes: 100_000 };
  await refuses(open(server, { limits }).manifest('v1'), 'too-large', /more than the 100000 bytes/);
  await refuses(open(server, { limits }).blob(DIGEST, 1000), 'too-large', /more than the 1000 bytes/);
  await refuses(gather(open(server, { limits }).tags()), 'too-large', /more than the 100000 bytes/);
  const listing = await open(server, { limits }).referrers(DIGEST);
  assert.deepEqual([listing.descriptors, listing.truncated], [[], true]);
  assert.ok(sent < 50_000_000, `${sent} bytes were sent`);
});

test('a body that announces too much is not read at all', async () => {
  await using server = await hostile((_request, response) => {
    response.writeHead(200, { 'content-type': MediaType.imageManifest, 'content-length': 5_000_000_000 });
    response.write('{');
  });
  await refuses(open(server).manifest('v1'), 'too-large', /5000000000 bytes, at most 4194304/);
  await refuses(open(server).blob(DIGEST, 1000), 'too-large', /5000000000 bytes, at most 1000/);
});

test('10,000 referrers are listed, and no more', async () => {
  const entries = (from: number, count: number): Descriptor[] =>
    Array.from({ length: count }, (_, at) => ({ ...describe(bytesOf(`${from + at}`)), artifactType: 'application/x' }));
  await using server = await hostile((request, response) => {
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page') ?? 0);
    response.writeHead(200, {
      'content-type': MediaType.imageIndex,
      link: `</v2/team/app/referrers/${DIGEST}?page=${page + 1}>; rel="next"`,
    });
    response.end(jsonBytes({ schemaVersion: 2, manifests: entries(page * 3000, 3000) }));
  });
  const listing = await open(server).referrers(DIGEST);
  assert.equal(listing.descriptors.length, 10_000);
  assert.equal(listing.truncated, true);
  assert.equal(server.requests.length, 4);
  const few = await open(server, { limits: { referrersPages: 2 } }).referrers(DIGEST);
  assert.deepEqual([few.descriptors.length, few.truncated], [6000, true]);
  const light = await open(server, { limits: { referrersBytes: 1000 } }).referrers(DIGEST);
  assert.deepEqual([light.descriptors.length, light.truncated], [3000, true]);
});

test('pages that go in a circle, or elsewhere, end', async () => {
  for (const [link, code, message] of [
    [`</v2/team/app/x>; rel="next"`, 'protocol-violation', /circle/],
    ['<https://evil.test/>; rel="next"', 'protocol-violation', /its next page is elsewhere \(https:\/\/evil\.test\)/],
  ] as const) {
    await using server = await hostile((_request, response) => {
      response
        .writeHead(200, { 'content-type': MediaType.imageIndex, link })
        .end('{"schemaVersion":2,"manifests":[],"tags":["a"]}');
    });
    await refuses(open(server).referrers(DIGEST), code, message);
    assert.ok(server.requests.length <= 3);
  }
  await using server = await hostile((_request, response) => {
    response.writeHead(200, { link: '</v2/team/app/tags/list>; rel="next"' }).end('{"tags":["a"]}');
  });
  await refuses(gather(open(server, { limits: { tagPages: 5 } }).tags()), 'too-large', /more than .* 5 pages/);
  assert.equal(server.requests.length, 5);
});

test('redirects in a circle end', async () => {
  await using server = await hostile((request, response) =>
    response.writeHead(307, { location: request.url ?? '/' }).end(),
  );
  for (const [, read] of reads) {
    server.requests.length = 0;
    await refuses(read(open(server)), 'redirect-refused', /redirects more than 5 times/);
    assert.equal(server.requests.length, 6);
  }
});

test('a page for people in the place of an answer is a violation, not an absence', async () => {
  await using server = await hostile((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
  });
  await refuses(open(server).manifest('v1'), 'protocol-violation', /answers 'text\/html' that is no JSON object/);
  await refuses(open(server).resolve('v1'), 'protocol-violation', /answers 'text\/html'/);
  await refuses(open(server).referrers(DIGEST), 'protocol-violation', /answers 'text\/html' that is no index/);
  await refuses(gather(open(server).tags()), 'protocol-violation', /not JSON/);
  await refuses(open(server).blob(DIGEST, 1000), 'digest-mismatch', /\(HTML\)/);
});

test('a manifest under a type of no meaning is told by what it says itself', async () => {
  await using server = await hostile((request, response) => {
    const body = request.url?.endsWith('v1') === true ? IMAGE : '{"any":"thing"}';
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(body);
  });
  assert.deepEqual((await open(server).manifest('v1'))?.descriptor, describe(IMAGE));
  assert.deepEqual(await open(server).resolve('v1'), describe(IMAGE)); // HEAD tells too little here
  await refuses(
    open(server).manifest('v2'),
    'manifest-malformed',
    /answers 'application\/json', expected a manifest: the manifest is neither/,
  );
});

test('a reset in the middle is read again, by range where it is a stream', async () => {
  const layer = new Uint8Array(300_000).map((_, at) => at % 253);
  for (const ranges of [true, false]) {
    const asked: (string | undefined)[] = [];
    await using server = await startRegistry({
      intercept(request, response) {
        if (request.method !== 'GET') return false;
        asked.push(request.headers.range);
        if (!ranges) delete request.headers.range;
        if (asked.length > 2) return false;
        const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
        const range = from === 0 ? {} : { 'content-range': `bytes ${from}-299999/300000` };
        response.writeHead(from === 0 ? 200 : 206, { 'content-length': layer.length - from, ...range });
        response.write(layer.subarray(from, from + 100_000), () => setTimeout(() => request.socket.destroy(), 30));
        return true;
      },
    });
    const source = sourceOf(layer);
    await open(server).putBlob(source);
    const whole = await open(server).blob(source.digest, 300_000);
    assert.deepEqual(whole, layer);
    asked.length = 0;
    const stream = await open(server).openBlob(source.digest);
    assert.equal(stream?.size, 300_000);
    assert.deepEqual(Buffer.concat(await gather(stream.body)), Buffer.from(layer));
    assert.equal(asked.length, 3);
    assert.match(asked[1] ?? '', /^bytes=\d+-$/);
  }
});

test('a connection that is reset each time ends in a failure of its own', async () => {
  await using server = await hostile((request, response) => {
    response.writeHead(200, { 'content-type': MediaType.imageManifest, 'content-length': 1000 });
    response.write('{', () => request.socket.destroy());
  });
  for (const [name, read] of reads) {
    server.requests.length = 0;
    await refuses(read(open(server)), 'unreachable', /127\.0\.0\.1:\d+: the connection was/);
    assert.ok(server.requests.length <= 7, `${name}: ${server.requests.length}`);
  }
});

test('a body shorter or longer than its Content-Length is never taken', async () => {
  for (const length of [IMAGE.length + 10, IMAGE.length - 10]) {
    await using server = await hostile((request) => {
      const head = `HTTP/1.1 200 OK\r\nContent-Type: ${MediaType.imageManifest}\r\nContent-Length: ${length}\r\n\r\n`;
      request.socket.end(Buffer.concat([Buffer.from(head), IMAGE]));
    });
    await assert.rejects(open(server).manifest(DIGEST), (error) => {
      assert.ok(
        error instanceof RegistryError && ['unreachable', 'digest-mismatch', 'protocol-violation'].includes(error.code),
        String(error),
      );
      return true;
    });
    await assert.rejects(open(server).blob(DIGEST, 10_000), RegistryError);
  }
});

test('429 for ever ends as throttled, after as many attempts and waits as it may', async () => {
  await using server = await hostile((_request, response) => response.writeHead(429, { 'retry-after': '7' }).end());
  for (const [, read] of reads) {
    server.requests.length = 0;
    const waiting = new SkippingClock();
    await refuses(
      read(open(server, { clock: waiting })),
      'throttled',
      /429 \(too many requests\) after 5 attempts; it asks to wait 7 s/,
    );
    assert.equal(server.requests.length, 5);
    assert.deepEqual(waiting.slept, [7000, 7000, 7000, 7000]);
  }
  server.requests.length = 0;
  await refuses(open(server, { limits: { deadlineMs: 5000 } }).manifest('v1'), 'throttled', /429/);
  assert.equal(server.requests.length, 1); // waiting 7 s is of no use then
});

test('a server error for ever ends as such; one that passes is not noticed', async () => {
  await using server = await hostile((_request, response) => response.writeHead(500).end('oops'));
  for (const [, read] of reads)
    await refuses(read(open(server)), 'server-error', /500 \(server error\) after 5 attempts/);
  await using passing = await hostile((_request, response, times) => {
    if (times < 4) response.writeHead(503).end();
    else response.writeHead(200, { 'content-type': MediaType.imageManifest }).end(IMAGE);
  });
  assert.ok(await open(passing).manifest(DIGEST));
});

test('a body that drips, or never comes, ends at the deadline', async () => {
  await using server = await hostile((request, response) => {
    if (request.url?.includes('mute') === true) return;
    response.writeHead(200, { 'content-type': MediaType.imageManifest, 'content-length': 1000 });
    const timer = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(timer));
  });
  const limits = { deadlineMs: 150 };
  for (const [, read] of reads) {
    await refuses(
      read(open(server, { limits, retry: { attempts: 1 } })),
      'timeout',
      /did not answer completely within the deadline \(\d+ ms\)/,
    );
  }
  await refuses(open(server, { limits }).manifest('mute'), 'timeout', /within the deadline/);
});

test('a listing or index of another shape is refused as a whole, strange entries are left out', async () => {
  const bodies: [string, string][] = [
    ['[]', 'protocol-violation'],
    ['{"manifests":{}}', 'manifest-malformed'],
    ['{"manifests":[]', 'manifest-malformed'],
    [`{"manifests":${'['.repeat(1000)}`, 'manifest-malformed'],
    ['{"config":{},"layers":[],"manifests":[]}', 'manifest-malformed'],
  ];
  for (const [body, code] of bodies) {
    await using server = await hostile((_request, response) =>
      response.writeHead(200, { 'content-type': MediaType.imageIndex }).end(body),
    );
    await refuses(open(server).referrers(DIGEST), code, /./);
  }
  const warnings: string[] = [];
  await using server = await hostile((_request, response) => {
    response
      .writeHead(200)
      .end(jsonBytes({ schemaVersion: 2, manifests: [7, { digest: 'x' }, describe(IMAGE), null] }));
  });
  const listing = await open(server, { onWarning: (warning) => warnings.push(warning) }).referrers(DIGEST);
  assert.deepEqual(listing.descriptors, [describe(IMAGE)]);
  assert.match(warnings.join(), /3 entries among the referrers .* are malformed/);
  for (const body of ['[]', '{"tags":{}}', '{}', 'null', '{"tags":"a"}']) {
    await using other = await hostile((_request, response) => response.writeHead(200).end(body));
    await refuses(gather(open(other).tags()), 'protocol-violation', /no list of tags/);
  }
  await using tags = await hostile((_request, response) =>
    response.writeHead(200).end('{"tags":["b",7,"../x","a","a\\u0007"]}'),
  );
  assert.deepEqual(await gather(open(tags).tags()), ['a', 'b']);
});

test('an upload that is told to go nowhere, or elsewhere, ends', async () => {
  for (const [location, code, message] of [
    [undefined, 'protocol-violation', /202 with no Location/],
    ['', 'protocol-violation', /202 with no Location/],
    ['http://[bad', 'protocol-violation', /202 with a Location that is no URL/],
    ['file:///etc/passwd', 'redirect-refused', /sends us to scheme 'file:'/],
    ['http://169.254.169.254/latest', 'redirect-refused', /link-local address/],
  ] as const) {
    await using server = await hostile((_request, response) => {
      response.writeHead(202, location === undefined ? {} : { location }).end();
    });
    await refuses(open(server).putBlob(sourceOf(bytesOf('blob'))), code, message);
    assert.equal(server.requests.length, 1);
  }
});

test('a registry that stores something else than it was given is not believed', async () => {
  const lie = digestOf(bytesOf('other'));
  await using server = await hostile((_request, response) =>
    response.writeHead(201, { 'docker-content-digest': lie }).end(),
  );
  await refuses(open(server).putBlob(sourceOf(bytesOf('blob'))), 'digest-mismatch', /says that it stored sha256:/);
  await refuses(
    open(server).putManifest(IMAGE, MediaType.imageManifest),
    'digest-mismatch',
    /says that it stored sha256:/,
  );
});
