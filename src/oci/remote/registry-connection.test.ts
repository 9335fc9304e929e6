// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireError, type TransportRequest } from '../../wire/index.ts';
import { digestOf } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import type { RemoteOptions } from './options.ts';
import { RecordingTransport, type ScriptedAnswer } from './recording-transport.fixture.ts';
import { openRemoteRepository, RemoteRegistry, type RemoteRepository } from './remote-repository.ts';
import { bytesOf, imageNamed, SkippingClock } from './sample.fixture.ts';

const IMAGE = imageNamed('image');
const MANIFEST: ScriptedAnswer = { body: IMAGE, headers: { 'content-type': MediaType.imageManifest } };

function open(
  registry: string,
  answer: (request: TransportRequest) => ScriptedAnswer,
  options: RemoteOptions = {},
): { repository: RemoteRepository; transport: RecordingTransport } {
  const transport = new RecordingTransport(answer);
  const repository = openRemoteRepository(
    { registry, repository: 'team/app' },
    { transport, clock: new SkippingClock(), random: () => 0, credentials: 'anonymous', ...options },
  );
  return { repository, transport };
}

/** A server that speaks one scheme; to the other it answers as servers do. */
function speaking(
  scheme: 'http:' | 'https:',
  otherwise: ScriptedAnswer | Error,
): (request: TransportRequest) => ScriptedAnswer {
  return ({ url }) => {
    if (url.protocol === scheme) return MANIFEST;
    if (otherwise instanceof Error) throw otherwise;
    return otherwise;
  };
}

const reset = new WireError('connection-reset', 'reset');
const notTls = new WireError('tls-failed', 'no TLS', { cause: { code: 'ERR_SSL_WRONG_VERSION_NUMBER' } });
const badCertificate = new WireError('tls-failed', 'not trusted', { cause: { code: 'SELF_SIGNED_CERT_IN_CHAIN' } });

test('a registry elsewhere is asked over https only', async () => {
  for (const plainHttp of [undefined, 'never', 'localhost'] as const) {
    const options = plainHttp === undefined ? {} : { plainHttp };
    const { repository, transport } = open('registry.test:5000', speaking('http:', notTls), options);
    await assert.rejects(repository.manifest('v1'), { code: 'tls-failed' });
    assert.deepEqual(transport.lines, ['GET https://registry.test:5000/v2/team/app/manifests/v1']);
  }
});

test('a registry on this machine is asked over http first, and over https where it speaks TLS', async () => {
  const told: ScriptedAnswer = {
    status: 400,
    headers: { 'content-type': 'text/plain' },
    body: 'Client sent an HTTP request to an HTTPS server.\n',
  };
  const nginx: ScriptedAnswer = {
    status: 400,
    headers: { 'content-type': 'text/html' },
    body: '<h1>The plain HTTP request was sent to HTTPS port</h1>',
  };
  for (const host of ['localhost:5000', '127.0.0.1', '127.1.2.3:99', '[::1]:5000', 'registry.localhost']) {
    const plain = open(host, speaking('http:', notTls));
    await plain.repository.manifest('v1');
    assert.deepEqual(plain.transport.lines, [`GET http://${host}/v2/team/app/manifests/v1`]);
    for (const answer of [reset, new WireError('protocol-violation', 'not HTTP'), told, nginx]) {
      const secure = open(host, speaking('https:', answer));
      await secure.repository.manifest('v1');
      await secure.repository.manifest('v2');
      assert.deepEqual(secure.transport.lines, [
        `GET http://${host}/v2/team/app/manifests/v1`,
        `GET https://${host}/v2/team/app/manifests/v1`,
        `GET https://${host}/v2/team/app/manifests/v2`,
      ]);
    }
  }
});

test('finds that out also where the first request is a HEAD, which shows no reason', async () => {
  const secure = open('localhost:5000', ({ url, method }) => {
    if (url.protocol === 'http:') return { status: 400 };
    return method === 'HEAD' ? { status: 404 } : MANIFEST;
  });
  assert.equal(await secure.repository.resolve('v1'), undefined);
  assert.deepEqual(
    secure.transport.lines.map((line) => line.split('/')[0]),
    ['HEAD http:', 'HEAD https:'],
  );
  const plain = open('localhost:5000', speaking('http:', notTls));
  const answer = open('localhost:5000', ({ url }) => {
    if (url.protocol === 'https:') throw notTls;
    return { status: 400 };
  });
  assert.equal(await plain.repository.hasBlob(digestOf(IMAGE)), true);
  await assert.rejects(answer.repository.resolve('v1'), { code: 'protocol-violation', message: /answered 400/ });
});

test('a certificate that is not trusted is said, not walked around', async () => {
  const here = open('localhost:5000', ({ url }) => {
    throw url.protocol === 'https:' ? badCertificate : reset;
  });
  await assert.rejects(here.repository.manifest('v1'), { code: 'tls-failed', message: /not trusted/ });
  assert.equal(here.transport.lines.length, 2);
  const elsewhere = open('registry.test', speaking('http:', badCertificate), { plainHttp: 'always' });
  await assert.rejects(elsewhere.repository.manifest('v1'), { code: 'tls-failed', message: /not trusted/ });
  assert.equal(elsewhere.transport.lines.length, 1);
});

test('where plain http is allowed, a registry elsewhere is still asked over https first', async () => {
  const plain = open('registry.test', speaking('http:', notTls), { plainHttp: 'always' });
  await plain.repository.manifest('v1');
  await plain.repository.manifest('v2');
  assert.deepEqual(
    plain.transport.lines.map((line) => line.split('/')[0]),
    ['GET https:', 'GET http:', 'GET http:'],
  );
  const secure = open('registry.test', speaking('https:', reset), { plainHttp: 'always' });
  await secure.repository.manifest('v1');
  assert.equal(secure.transport.lines.length, 1);
});

test('a registry here that resets the first request of all is tried again as any other', async () => {
  let resets = 3;
  const { repository, transport } = open('localhost:5000', ({ url }) => {
    if (url.protocol === 'https:') throw notTls;
    if (resets-- > 0) throw reset;
    return MANIFEST;
  });
  assert.ok(await repository.manifest('v1'));
  assert.deepEqual(
    transport.lines.map((line) => line.split('/')[0]),
    ['GET http:', 'GET https:', 'GET http:', 'GET http:', 'GET http:'],
  );
});

test('an answer 400 that has nothing to do with TLS stays what it is', async () => {
  const body = '{"errors":[{"code":"NAME_INVALID","message":"not over HTTPS port"}]}';
  const { repository, transport } = open('localhost:5000', () => ({
    status: 400,
    headers: { 'content-type': 'application/json' },
    body,
  }));
  await assert.rejects(repository.manifest('v1'), {
    code: 'protocol-violation',
    message: /answered 400: NAME_INVALID 'not over HTTPS port'/,
  });
  assert.equal(transport.lines.length, 1);
});

test('Docker Hub is asked where its API is', async () => {
  const { repository, transport } = open('index.docker.io', () => MANIFEST);
  await repository.manifest('v1');
  assert.equal(repository.name, 'index.docker.io/team/app');
  assert.equal(transport.asked[0]?.url.host, 'registry-1.docker.io');
});

test('a blob is followed to where the registry keeps it, without credentials', async () => {
  const bytes = bytesOf('layer');
  const { repository, transport } = open(
    'registry.test',
    ({ url, headers }) => {
      if (url.host === 'cdn.test') return { body: bytes };
      if (headers['authorization'] === undefined)
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
      return { status: 307, headers: { location: 'https://cdn.test/blob?signature=1' } };
    },
    { credentials: () => Promise.resolve({ kind: 'basic', username: 'me', password: 'secret', source: 'a test' }) },
  );
  assert.deepEqual(await repository.blob(digestOf(bytes), 100), bytes);
  assert.deepEqual(
    transport.asked.map(({ url, headers }) => [url.host, headers['authorization'] === undefined]),
    [
      ['registry.test', true],
      ['registry.test', false],
      ['cdn.test', true],
    ],
  );
  assert.equal(transport.asked[2]?.reach, 'public');
});

test('a storage host that asks for credentials gets none', async () => {
  const { repository, transport } = open(
    'registry.test',
    ({ url }) =>
      url.host === 'evil.test'
        ? { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }
        : { status: 307, headers: { location: 'https://evil.test/' } },
    { credentials: () => Promise.resolve({ kind: 'basic', username: 'me', password: 'secret', source: 'a test' }) },
  );
  await assert.rejects(repository.blob(digestOf(bytesOf('x')), 100), {
    code: 'unauthorized',
    message: /evil\.test answered 401/,
  });
  assert.ok(transport.asked.every(({ headers }) => headers['authorization'] === undefined));
});

test('an https registry cannot send us to http, to this machine or to its networks', async () => {
  for (const location of [
    'http://cdn.test/',
    'https://127.0.0.1/',
    'https://10.0.0.1/',
    'https://169.254.169.254/',
    'https://[::ffff:127.0.0.1]/',
    'https://localhost/',
  ]) {
    const { repository, transport } = open('registry.test', () => ({ status: 302, headers: { location } }));
    await assert.rejects(repository.blob(digestOf(bytesOf('x')), 100), { code: 'redirect-refused' }, location);
    assert.equal(transport.lines.length, 1, location);
  }
});

test('what the registry warns of is told once, fit for a terminal', async () => {
  const warnings: string[] = [];
  const headers = { ...MANIFEST.headers, warning: '299 - "old \\"thing\\"", 299 - "second\u0007"' };
  const { repository } = open('registry.test', () => ({ ...MANIFEST, headers }), {
    onWarning: (warning) => warnings.push(warning),
  });
  await repository.manifest('v1');
  await repository.manifest('v2');
  assert.deepEqual(warnings, [`registry.test warns: 'old "thing"'`, "registry.test warns: 'second\\u{7}'"]);
});

test('why a tag is not resolved is told where HEAD is denied without a word', async () => {
  const denied = '{"errors":[{"code":"DENIED","message":"the project is archived"}]}';
  const { repository } = open('registry.test', ({ method }) => {
    return { status: 403, ...(method === 'HEAD' ? {} : { body: denied }) };
  });
  await assert.rejects(repository.resolve('v1'), { code: 'denied', message: /DENIED 'the project is archived'$/ });
});

const errors = (code: string): string => JSON.stringify({ errors: [{ code }] });

test('each failure keeps its meaning, and none means that something is not there', async () => {
  const cases: [ScriptedAnswer | Error, string, RegExp][] = [
    [
      { status: 403, body: '{"errors":[{"code":"DENIED","message":"no\\nway"}]}' },
      'denied',
      /answered 403 \(denied\): DENIED 'no\\u\{a\}way'$/,
    ],
    [
      { status: 429, headers: { 'retry-after': '3600' } },
      'throttled',
      /429 \(too many requests\); it asks to wait 3600 s/,
    ],
    // A status alone may say that it is not there; a code that says why it was not told is heard first.
    [{ status: 404, body: errors('TOOMANYREQUESTS') }, 'throttled', /answered 404 \(not found\): TOOMANYREQUESTS$/],
    [{ status: 404, body: errors('DENIED') }, 'denied', /answered 404 \(not found\): DENIED$/],
    [{ status: 404, body: errors('UNAUTHORIZED') }, 'unauthorized', /answered 404 \(not found\): UNAUTHORIZED$/],
    [{ status: 500 }, 'server-error', /500 \(server error\) after 5 attempts/],
    [{ status: 502, body: '<html>' }, 'server-error', /502/],
    [{ status: 503 }, 'server-error', /503/],
    [{ status: 504 }, 'server-error', /504/],
    [{ status: 408 }, 'timeout', /408/],
    [{ status: 418 }, 'protocol-violation', /418/],
    [reset, 'unreachable', /reset \(tried 5 times\)/],
    [new WireError('unreachable', 'refused'), 'unreachable', /refused/],
    [new WireError('timeout', 'too late'), 'timeout', /too late/],
    [new WireError('tls-failed', 'no'), 'tls-failed', /no/],
  ];
  for (const [answer, code, message] of cases) {
    const { repository } = open('registry.test', () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const digest = digestOf(IMAGE);
    const reads = [
      () => repository.manifest('v1'),
      () => repository.blob(digest, 10),
      () => repository.openBlob(digest),
      () => repository.referrers(digest),
    ];
    for (const read of reads) {
      await assert.rejects(read, (error) => {
        assert.ok(error instanceof RegistryError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.match(error.message, /^cannot (read|list) /);
        assert.ok(error.url?.startsWith('https://registry.test/v2/team/app/'));
        return true;
      });
    }
    for (const read of [
      () => repository.resolve('v1'),
      () => repository.hasBlob(digest),
      async () => repository.tags()[Symbol.asyncIterator]().next(),
    ]) {
      await assert.rejects(read, { name: 'RegistryError', code });
    }
  }
});

test('what is not there is undefined, by status or by code', async () => {
  for (const answer of [
    { status: 404 },
    { status: 404, body: errors('MANIFEST_UNKNOWN') },
    { status: 404, body: errors('UNSUPPORTED') },
    { status: 400, body: errors('NAME_UNKNOWN') },
  ]) {
    const { repository } = open('registry.test', () => answer);
    assert.equal(await repository.resolve('v1'), undefined);
    assert.equal(await repository.manifest('v1'), undefined);
    assert.equal(await repository.blob(digestOf(IMAGE), 10), undefined);
    assert.equal(await repository.openBlob(digestOf(IMAGE)), undefined);
    assert.equal((await repository.tags()[Symbol.asyncIterator]().next()).done, true);
  }
});

test('a signal ends what is under way, as a timeout that was wanted', async () => {
  const transport = new RecordingTransport(() => MANIFEST);
  transport.request = ({ signal }) => Promise.reject(signal.reason as Error);
  const signal = AbortSignal.abort(new Error('Ctrl-C'));
  const { repository } = open('registry.test', () => MANIFEST, { transport, signal });
  await assert.rejects(repository.manifest('v1'), {
    name: 'RegistryError',
    code: 'timeout',
    message: /ended from outside/,
  });
});

test('a registry or repository that cannot be one is refused before anything is asked', () => {
  for (const registry of ['', 'a b', 'a/b', 'a@b', 'a?b', 'http://a', 'a:99999', '[bad']) {
    assert.throws(() => new RemoteRegistry(registry), { code: 'reference-malformed' }, registry);
  }
  for (const repository of ['', '../x', 'A', 'a//b', 'a b', 'a?b=c', 'a#b']) {
    assert.throws(
      () => new RemoteRegistry('registry.test').repository(repository),
      { code: 'reference-malformed' },
      repository,
    );
  }
});
