// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireError, type TransportRequest } from '../../wire/index.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import type { RemoteOptions } from './options.ts';
import { RecordingTransport, type ScriptedAnswer } from './recording-transport.fixture.ts';
import { RemoteRegistry, type RemoteRepository } from './remote-repository.ts';
import { EMPTY_BLOB, imageNamed, SkippingClock, sourceOf } from './sample.fixture.ts';

const BASIC: Credentials = { kind: 'basic', username: 'me', password: 'p:ss wörd', source: 'a test' };
const AUTHORIZATION = `Basic ${Buffer.from('me:p:ss wörd').toString('base64')}`;
const IMAGE = imageNamed('image');

interface Scene {
  readonly challenge: string;
  /** what the token server answers */
  readonly token?: (request: TransportRequest) => ScriptedAnswer;
  readonly credentials?: Credentials;
  readonly host?: string;
  readonly options?: RemoteOptions;
  /** the registry does not speak TLS */
  readonly plain?: boolean;
  /** `authorization` that the registry takes; a token unless told */
  readonly takes?: (authorization: string | undefined, request: TransportRequest) => boolean;
}

interface Play {
  readonly transport: RecordingTransport;
  readonly registry: RemoteRegistry;
  readonly repository: RemoteRepository;
  readonly warnings: string[];
  readonly clock: SkippingClock;
  /** requests to the token server */
  tokens(): TransportRequest[];
}

/** A registry that wants to know who asks, and its token server. */
function play(scene: Scene): Play {
  const host = scene.host ?? 'registry.test';
  let issued = 0;
  const takes = scene.takes ?? ((authorization) => authorization === `Bearer token-${issued}`);
  const transport = new RecordingTransport((request) => {
    if (request.url.host !== host || request.url.pathname === '/token') {
      return scene.token?.(request) ?? { body: JSON.stringify({ token: `token-${++issued}`, expires_in: 100 }) };
    }
    if (scene.plain === true && request.url.protocol === 'https:') throw new WireError('unreachable', 'refused');
    if (!takes(request.headers['authorization'], request)) {
      return {
        status: 401,
        headers: { 'www-authenticate': scene.challenge },
        body: '{"errors":[{"code":"UNAUTHORIZED"}]}',
      };
    }
    if (request.method === 'GET') return { body: IMAGE, headers: { 'content-type': MediaType.imageManifest } };
    return { status: 201 };
  });
  const warnings: string[] = [];
  const clock = new SkippingClock();
  const registry = new RemoteRegistry(host, {
    transport,
    clock,
    credentials: () => Promise.resolve(scene.credentials),
    onWarning: (warning) => warnings.push(warning),
    ...scene.options,
  });
  const tokens = (): TransportRequest[] =>
    transport.asked.filter(({ url }) => url.host !== host || url.pathname === '/token');
  return { transport, registry, repository: registry.repository('team/app'), warnings, clock, tokens };
}

const CHALLENGE = 'Bearer realm="https://auth.test/token?a=b",service="registry.test",scope="repository:team/app:pull"';

async function refuses(read: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(read, (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(!/p:ss|wörd|secret|token-\d|bWU6/.test(`${error.message} ${String(error.cause)}`), error.message);
    return true;
  });
}

test('the first request goes without a ping and without credentials; a challenge is answered with a token', async () => {
  const { transport, repository, tokens } = play({ challenge: CHALLENGE });
  assert.ok(await repository.manifest('v1'));
  const manifest = 'GET https://registry.test/v2/team/app/manifests/v1';
  assert.deepEqual(transport.lines, [manifest, 'GET https://auth.test/token', manifest]);
  assert.equal(transport.asked[0]?.headers['authorization'], undefined);
  const [token] = tokens();
  assert.deepEqual(
    [...(token?.url.searchParams ?? [])],
    [
      ['a', 'b'],
      ['service', 'registry.test'],
      ['scope', 'repository:team/app:pull'],
    ],
  );
  assert.equal(token?.headers['authorization'], undefined);
});

test('a token serves all requests that it covers, and a wider one is asked for at once, without being refused first', async () => {
  const { transport, repository, registry, tokens } = play({
    challenge: CHALLENGE,
    credentials: BASIC,
    takes: (sent) => sent?.startsWith('Bearer token-') === true,
  });
  await repository.manifest('v1');
  await repository.manifest('v2');
  assert.equal(tokens().length, 1);
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  await repository.manifest('v3');
  assert.deepEqual(
    tokens().map(({ url }) => url.searchParams.getAll('scope')),
    [['repository:team/app:pull'], ['repository:team/app:pull,push']],
  );
  assert.deepEqual(
    tokens().map(({ headers }) => headers['authorization']),
    [AUTHORIZATION, AUTHORIZATION],
  );
  await registry.repository('team/other').manifest('v1');
  assert.deepEqual(tokens()[2]?.url.searchParams.getAll('scope'), ['repository:team/other:pull']);
  assert.equal(transport.asked.length, 6 + 3); // refused was only the very first
});

test('who means to write says so, and gets one token for all', async () => {
  const { repository, tokens } = play({ challenge: CHALLENGE, options: { access: 'write' } });
  await repository.manifest('v1');
  await repository.putBlob(sourceOf(EMPTY_BLOB));
  assert.deepEqual(
    tokens().map(({ url }) => url.searchParams.getAll('scope')),
    [['repository:team/app:pull,push']],
  );
});

test('those who ask at the same time share one token', async () => {
  const { repository, tokens } = play({ challenge: CHALLENGE });
  await Promise.all(['a', 'b', 'c'].map((tag) => repository.manifest(tag)));
  assert.equal(tokens().length, 1);
});

test('a token is renewed before it ends, and when the registry takes it no more', async () => {
  const { repository, tokens, clock } = play({ challenge: CHALLENGE });
  await repository.manifest('v1');
  await clock.sleep(95_000);
  await repository.manifest('v2');
  assert.equal(tokens().length, 2);

  let revoked = false;
  const other = play({
    challenge: CHALLENGE,
    takes: (authorization) => authorization === (revoked ? 'Bearer token-2' : 'Bearer token-1'),
  });
  await other.repository.manifest('v1');
  revoked = true;
  await other.repository.manifest('v2');
  assert.equal(other.tokens().length, 2);
});

test('a registry that takes no answer is asked twice and not a third time', async () => {
  const { repository, transport } = play({ challenge: CHALLENGE, takes: () => false });
  await refuses(
    repository.manifest('v1'),
    'unauthorized',
    /cannot read registry\.test\/team\/app:v1: registry\.test answered 401 .*no credentials were found/,
  );
  assert.equal(transport.lines.length, 3);
  const known = play({ challenge: CHALLENGE, takes: () => false, credentials: BASIC });
  await refuses(known.repository.manifest('v1'), 'unauthorized', /UNAUTHORIZED; credentials from a test were sent/);
});

test('a user and password answer a Basic challenge, and from then on go with each request', async () => {
  const { repository, transport } = play({
    challenge: 'Basic realm="x"',
    credentials: BASIC,
    takes: (sent) => sent === AUTHORIZATION,
  });
  await repository.manifest('v1');
  await repository.manifest('v2');
  assert.deepEqual(
    transport.asked.map(({ headers }) => headers['authorization']),
    [undefined, AUTHORIZATION, AUTHORIZATION],
  );
  await refuses(
    play({ challenge: 'Basic realm="x"' }).repository.manifest('v1'),
    'unauthorized',
    /asks for a user and password; no credentials/,
  );
  const wrong = play({ challenge: 'Basic realm="x"', credentials: BASIC, takes: () => false });
  await refuses(wrong.repository.manifest('v1'), 'unauthorized', /credentials from a test were sent/);
});

test('credentials that did not do are looked for anew the next time', async () => {
  for (const challenge of ['Basic realm="x"', CHALLENGE]) {
    let password = 'old';
    const valid = `Basic ${btoa('me:new')}`;
    const { repository } = play({
      challenge,
      token: ({ headers }) => (headers['authorization'] === valid ? { body: '{"token":"t"}' } : { status: 401 }),
      takes: (sent) => sent === valid || sent === 'Bearer t',
      options: {
        credentials: () => Promise.resolve({ kind: 'basic', username: 'me', password, source: 'a test' }),
      },
    });
    await refuses(repository.manifest('v1'), 'unauthorized', /credentials from a test were sent/);
    password = 'new';
    assert.ok(await repository.manifest('v1'));
  }
});

test('what is kept for a part of a registry goes with that part only', async () => {
  const sent: (string | undefined)[] = [];
  const { registry } = play({
    challenge: 'Basic realm="x"',
    takes: (authorization) => authorization !== undefined && sent.push(authorization) > 0,
    options: {
      credentials: (_, repository) =>
        Promise.resolve({ kind: 'basic', username: repository, password: 'pw', source: 'a test' }),
    },
  });
  for (const repository of ['team/app', 'other/app', 'team/app']) await registry.repository(repository).manifest('v1');
  assert.deepEqual(
    sent.map((authorization) => Buffer.from(authorization?.slice(6) ?? '', 'base64').toString()),
    ['team/app:pw', 'other/app:pw', 'team/app:pw'],
  );
});

test('an identity token is exchanged in the body of a request that follows no redirect', async () => {
  const credentials: Credentials = { kind: 'identity-token', token: 'secret&refresh', source: 'a test' };
  const { repository, tokens } = play({
    challenge: CHALLENGE,
    credentials,
    token: () => ({ body: '{"access_token":"token-0"}' }),
  });
  await repository.manifest('v1');
  const [token] = tokens();
  assert.equal(token?.method, 'POST');
  assert.equal(token?.headers['content-type'], 'application/x-www-form-urlencoded');
  assert.deepEqual(Object.fromEntries(new URLSearchParams(new TextDecoder().decode(token?.body as Uint8Array))), {
    grant_type: 'refresh_token',
    service: 'registry.test',
    client_id: 'bulla',
    scope: 'repository:team/app:pull',
    refresh_token: 'secret&refresh',
  });
  const redirects = play({
    challenge: CHALLENGE,
    credentials,
    token: () => ({ status: 307, headers: { location: 'https://evil.test/' } }),
  });
  await refuses(redirects.repository.manifest('v1'), 'redirect-refused', /redirects/);
  assert.equal(redirects.tokens().length, 1);
  const basic = play({ challenge: 'Basic realm="x"', credentials });
  await refuses(
    basic.repository.manifest('v1'),
    'unauthorized',
    /asks for a user and password; credentials from a test were found/,
  );
});

test('a registry token is sent as it is, whatever the challenge', async () => {
  const credentials: Credentials = { kind: 'registry-token', token: 'secret', source: 'a test' };
  for (const challenge of [CHALLENGE, 'Basic realm="x"']) {
    const { repository, tokens } = play({ challenge, credentials, takes: (sent) => sent === 'Bearer secret' });
    assert.ok(await repository.manifest('v1'));
    assert.equal(tokens().length, 0);
  }
  const wrong = play({ challenge: CHALLENGE, credentials, takes: () => false });
  await refuses(wrong.repository.manifest('v1'), 'unauthorized', /credentials from a test were sent/);
  const broken = play({ challenge: CHALLENGE, credentials: { ...credentials, token: 'secret\r\nx: y' } });
  await refuses(broken.repository.manifest('v1'), 'credentials-malformed', /the token of a test has characters/);
});

test('credentials are not even looked for where nobody asks for them', async () => {
  let looked = 0;
  const credentials = (): Promise<undefined> => Promise.resolve(void looked++);
  const { repository } = play({ challenge: '', takes: () => true, options: { credentials } });
  await repository.manifest('v1');
  assert.equal(looked, 0);
});

test('the token server of an https registry is on https and neither here nor in a private network', async () => {
  for (const [realm, message] of [
    ['http://auth.test/token', /speaks https and sends us to http:\/\/auth\.test/],
    ['https://127.0.0.1/token', /loopback address/],
    ['https://localhost:8443/token', /loopback address/],
    ['https://[::1]/token', /loopback address/],
    ['https://10.1.2.3/token', /private address/],
    ['https://192.168.1.1/token', /private address/],
    ['https://100.64.0.1/token', /private address/],
    ['https://[fd00::1]/token', /private address/],
    ['https://[::ffff:10.0.0.1]/token', /private address/],
    ['https://169.254.169.254/token', /link-local address/],
    ['https://[fe80::1]/token', /link-local address/],
    ['https://0.0.0.0/token', /loopback address/],
    ['https://2130706433/token', /loopback address/],
    ['https://0x7f.1/token', /loopback address/],
  ] as const) {
    const { repository, tokens } = play({ challenge: `Bearer realm="${realm}"`, credentials: BASIC });
    await refuses(repository.manifest('v1'), 'redirect-refused', message);
    assert.equal(tokens().length, 0, realm);
  }
  const { repository, tokens } = play({ challenge: CHALLENGE });
  await repository.manifest('v1');
  assert.equal(tokens()[0]?.reach, 'public'); // so that the transport refuses names that resolve there
});

test('a registry in a private network, or here, may have its token server there', async () => {
  for (const [host, realm] of [
    ['10.0.0.1', 'https://10.0.0.2/token'],
    ['localhost:5000', 'http://127.0.0.1:5001/token'],
  ] as const) {
    const { repository, tokens } = play({
      host,
      challenge: `Bearer realm="${realm}"`,
      credentials: BASIC,
      takes: (sent) => sent === 'Bearer token-1',
    });
    assert.ok(await repository.manifest('v1'));
    assert.equal(tokens()[0]?.headers['authorization'], AUTHORIZATION);
  }
});

test('credentials do not travel to another host without TLS', async () => {
  const scene = { credentials: BASIC, plain: true, options: { plainHttp: 'always' } } as const;
  const elsewhere = play({ ...scene, challenge: 'Bearer realm="http://auth.test/token"' });
  await elsewhere.repository.manifest('v1');
  assert.equal(elsewhere.tokens()[0]?.headers['authorization'], undefined);
  assert.deepEqual(elsewhere.warnings, [
    'registry.test names the token server http://auth.test/token: no credentials are sent there without TLS',
  ]);
  const secure = play({ ...scene, challenge: CHALLENGE });
  await secure.repository.manifest('v1');
  assert.equal(secure.tokens()[0]?.headers['authorization'], AUTHORIZATION);
  const same = play({ ...scene, challenge: 'Bearer realm="http://registry.test/token"' });
  await same.repository.manifest('v1');
  assert.equal(same.tokens()[0]?.headers['authorization'], AUTHORIZATION);
  const basic = play({ ...scene, challenge: 'Basic realm="x"', takes: (sent) => sent === AUTHORIZATION });
  await basic.repository.manifest('v1');
  assert.deepEqual(basic.warnings, ['the password for registry.test is sent without TLS']);
});

test('what a token server answers is read strictly and up to a cap', async () => {
  const answers: [ScriptedAnswer, string, RegExp][] = [
    [{ body: '<html>' }, 'protocol-violation', /auth\.test is not JSON/],
    [{ body: '' }, 'protocol-violation', /is not JSON/],
    [{ body: '[]' }, 'protocol-violation', /holds no token/],
    [{ body: '{"token":7}' }, 'protocol-violation', /holds no token/],
    [{ body: '{"token":""}' }, 'protocol-violation', /is no bearer token/],
    [{ body: '{"token":"secret\\r\\nx: y"}' }, 'protocol-violation', /is no bearer token/],
    [{ body: `{"token":"${'a'.repeat(70_000)}"}` }, 'too-large', /more than the 65536 bytes/],
    [
      { body: '{"details":"incorrect username or password"}', status: 401 },
      'unauthorized',
      /answered 401.*'incorrect username or password' \(the credentials from a test were sent\)/,
    ],
    [{ status: 404 }, 'unauthorized', /answered 404/],
    [{ status: 500 }, 'server-error', /answered 500.*after 5 attempts/],
    [{ status: 429 }, 'throttled', /answered 429/],
    [{ status: 302, headers: { location: 'http://127.0.0.1/' } }, 'redirect-refused', /loopback/],
  ];
  for (const [answer, code, message] of answers) {
    const { repository } = play({ challenge: CHALLENGE, credentials: BASIC, token: () => answer });
    await refuses(repository.manifest('v1'), code, message);
  }
});

test('a challenge without a usable way is an error that says so', async () => {
  const cases: [string, string, RegExp][] = [
    ['Negotiate', 'unauthorized', /asks for 'negotiate'/],
    ['Bearer service="x"', 'protocol-violation', /without naming a token server/],
    ['Bearer realm="not a url"', 'protocol-violation', /without naming a token server/],
    ['Bearer realm="file:///etc/passwd"', 'protocol-violation', /without naming a token server/],
    [
      'Bearer realm="open',
      'protocol-violation',
      /^cannot read registry\.test\/team\/app:v1: registry\.test answered 401 .*its WWW-Authenticate cannot be read/,
    ],
  ];
  for (const [challenge, code, message] of cases) {
    await refuses(play({ challenge }).repository.manifest('v1'), code, message);
  }
});

test('a token server that names a user and password in its own URL does not get them sent', async () => {
  const { repository, tokens } = play({ challenge: 'Bearer realm="https://you:yours@auth.test/token"' });
  await repository.manifest('v1');
  assert.equal(tokens()[0]?.url.href.startsWith('https://auth.test/token?'), true);
});
