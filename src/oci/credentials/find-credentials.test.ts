// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from '../error.ts';
import { findCredentials } from './find-credentials.ts';

interface Home extends Disposable {
  readonly path: string;
  readonly environment: Record<string, string>;
  write(name: string, content: unknown): string;
  /** a shell script on the PATH */
  program(name: string, script: string): void;
}

/** A home directory for the time of a test. */
function home(files: Readonly<Record<string, unknown>> = {}): Home {
  const path = mkdtempSync(`${tmpdir()}/bulla-home-`);
  const write = (name: string, content: unknown): string => {
    const file = `${path}/${name}`;
    mkdirSync(file.replace(/\/[^/]*$/, ''), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return {
    path,
    environment: { HOME: path, PATH: `${path}/bin:/usr/bin:/bin` },
    write,
    program: (name, script) => chmodSync(write(`bin/${name}`, `#!/bin/sh\n${script}\n`), 0o755),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const auth = (pair: string): { auth: string } => ({ auth: Buffer.from(pair).toString('base64') });
const DOCKER = '.docker/config.json';
const PODMAN = '.config/containers/auth.json';

/** `user:password`, or the token. */
async function found(registry: string, { environment }: Home, repository?: string): Promise<string | undefined> {
  const credentials = await findCredentials(registry, {
    environment,
    ...(repository === undefined ? {} : { repository }),
  });
  if (credentials === undefined) return undefined;
  return credentials.kind === 'basic'
    ? `${credentials.username}:${credentials.password}`
    : `${credentials.kind} ${credentials.token}`;
}

async function refuses(look: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(look, (error) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.equal(error.code, 'credentials-malformed');
    assert.match(error.message, message);
    assert.ok(!/s3cret/.test(`${error.message} ${String(error.cause)}`), error.message);
    return true;
  });
}

test('nothing anywhere means anonymous', async () => {
  using empty = home();
  assert.equal(await found('registry.test', empty), undefined);
  assert.equal(await findCredentials('registry.test', { environment: {} }), undefined);
});

test('flags go before all files', async () => {
  using files = home({ [DOCKER]: { auths: { 'registry.test': auth('file:pw') } } });
  const { environment } = files;
  assert.deepEqual(await findCredentials('registry.test', { environment, username: 'me', password: 'pw' }), {
    kind: 'basic',
    username: 'me',
    password: 'pw',
    source: 'the given user name',
  });
  assert.equal(
    (await findCredentials('registry.test', { environment, username: 'me', token: 't' }))?.kind,
    'registry-token',
  );
});

test('reads all forms of an entry', async () => {
  using files = home({
    [DOCKER]: {
      auths: {
        'a.test': auth('me:pa:ss\0\0'),
        'b.test': { username: 'me', password: 'pw' },
        'c.test': { ...auth('me:pw'), identitytoken: 'refresh' },
        'd.test': { registrytoken: 'bearer' },
        'e.test': {},
        'f.test': { auth: '', username: '' },
      },
    },
  });
  assert.equal(await found('a.test', files), 'me:pa:ss');
  assert.equal(await found('b.test', files), 'me:pw');
  assert.equal(await found('c.test', files), 'identity-token refresh');
  assert.equal(await found('d.test', files), 'registry-token bearer');
  assert.equal(await found('e.test', files), undefined);
  assert.equal(await found('f.test', files), undefined);
  assert.equal(
    (await findCredentials('a.test', { environment: files.environment }))?.source,
    `${files.path}/${DOCKER}`,
  );
});

test('knows a registry by all names that docker has written it under, and no other registry', async () => {
  for (const key of [
    'registry.test',
    'https://registry.test',
    'https://registry.test/v1/',
    'http://registry.test/v2/',
    'Registry.TEST',
    'registry.test/',
  ]) {
    using files = home({ [DOCKER]: { auths: { [key]: auth('me:pw') } } });
    assert.equal(await found('registry.test', files), 'me:pw', key);
    for (const other of ['registry.test:5000', 'test', 'a.registry.test', 'registry.test.evil', 'docker.io']) {
      assert.equal(await found(other, files), undefined, `${key} ${other}`);
    }
  }
  using ported = home({ [DOCKER]: { auths: { 'registry.test:5000': auth('me:pw') } } });
  assert.equal(await found('registry.test:5000', ported), 'me:pw');
  assert.equal(await found('registry.test', ported), undefined);
});

test('knows Docker Hub under its old URL and its names', async () => {
  for (const key of ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io', 'registry-1.docker.io']) {
    using files = home({ [DOCKER]: { auths: { [key]: auth('me:pw') } } });
    assert.equal(await found('index.docker.io', files), 'me:pw', key);
  }
});

test("takes podman's entry for the nearest part of a registry", async () => {
  using files = home({
    [PODMAN]: {
      auths: {
        'registry.test': auth('registry:pw'),
        'registry.test/team': auth('team:pw'),
        'registry.test/team/app': auth('app:pw'),
        'docker.io/library': auth('library:pw'),
      },
    },
  });
  assert.equal(await found('registry.test', files, 'team/app'), 'app:pw');
  assert.equal(await found('registry.test', files, 'team/app/deep'), 'app:pw');
  assert.equal(await found('registry.test', files, 'team/other'), 'team:pw');
  assert.equal(await found('registry.test', files, 'teamwork/app'), 'registry:pw');
  assert.equal(await found('registry.test', files), 'registry:pw');
  assert.equal(await found('index.docker.io', files, 'library/alpine'), 'library:pw');
});

test('asks the files that the environment names before those of the home directory', async () => {
  const entry = (name: string): unknown => ({ auths: { 'registry.test': auth(`${name}:pw`) } });
  using files = home({
    'other/config.json': entry('DOCKER_CONFIG'),
    'given.json': entry('REGISTRY_AUTH_FILE'),
    [DOCKER]: entry('docker'),
    'run/containers/auth.json': entry('runtime'),
    [PODMAN]: entry('podman'),
  });
  const { path, environment } = files;
  const named = {
    DOCKER_CONFIG: `${path}/other`,
    REGISTRY_AUTH_FILE: `${path}/given.json`,
    XDG_RUNTIME_DIR: `${path}/run`,
  };
  const order: string[] = [];
  for (const [variable, file] of [
    ['DOCKER_CONFIG', ''],
    ['REGISTRY_AUTH_FILE', ''],
    ['', DOCKER],
    ['XDG_RUNTIME_DIR', ''],
    ['', PODMAN],
  ] as const) {
    order.push(
      (await found('registry.test', { ...files, environment: { ...environment, ...named } }))?.split(':')[0] ?? '',
    );
    if (variable !== '') delete (named as Record<string, string>)[variable];
    else rmSync(`${path}/${file}`);
  }
  assert.deepEqual(order, ['DOCKER_CONFIG', 'REGISTRY_AUTH_FILE', 'docker', 'runtime', 'podman']);
});

test('a file that is malformed is named, and none of its secrets is shown', async () => {
  const entry = (value: unknown): unknown => ({ auths: { 'registry.test': value } });
  const cases: [unknown, RegExp][] = [
    ['{"auths":{"registry.test":{"auth":"s3cret"', /config\.json is not JSON$/],
    ['[]', /is not a JSON object/],
    ['"s3cret"', /is not a JSON object/],
    ['', /is not JSON/],
    [{ auths: [] }, /member 'auths' that is not an object/],
    [entry('s3cret'), /auths\['registry\.test'\] that is not an object/],
    [entry({ auth: 's3cret!' }), /auths\['registry\.test'\]\.auth that is not 'user:password' in base64/],
    [entry(auth('s3cret')), /is not 'user:password' in base64/],
    [entry({ auth: Buffer.from([0xff, 0x3a, 0xff]).toString('base64') }), /in base64/],
    [entry({ auth: 7 }), /\.auth that is not a string/],
    [entry({ identitytoken: ['s3cret'] }), /\.identitytoken that is not a string/],
    [{ credsStore: 7 }, /credsStore that is not the name of a program/],
    [{ credsStore: '../s3cret' }, /credsStore that is not the name of a program/],
    [{ credHelpers: { 'registry.test': 'a b' } }, /credHelpers\['registry\.test'\] that is not the name of a program/],
    [{ credHelpers: 'x' }, /member 'credHelpers' that is not an object/],
    [' '.repeat(1024 * 1024 + 1), /more than 1048576 bytes/],
    ['['.repeat(1000), /is not JSON/],
  ];
  for (const [content, message] of cases) {
    using files = home({ [DOCKER]: content });
    await refuses(found('registry.test', files), message);
  }
  using directory = home({ [`${DOCKER}/x`]: '' });
  await refuses(found('registry.test', directory), /cannot be read \(EISDIR\)/);
  const endless = findCredentials('registry.test', { environment: { REGISTRY_AUTH_FILE: '/dev/zero' } });
  await refuses(endless, /^\/dev\/zero has more than 1048576 bytes$/);
});

test('what concerns other registries may be as it likes', async () => {
  using files = home({
    [DOCKER]: { auths: { 'other.test': 7, 'registry.test': auth('me:pw') }, credHelpers: { 'x.test': 9 } },
  });
  assert.equal(await found('registry.test', files), 'me:pw');
});

test('a file of any content gives credentials, none, or a coded error', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify({ auths: { 'registry.test': value } })),
      ),
      async (content) => {
        using files = home({ [DOCKER]: content });
        try {
          await found('registry.test', files);
        } catch (error) {
          assert.ok(error instanceof RegistryError && error.code === 'credentials-malformed', String(error));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a helper gets the server on its standard input, and nothing on its command line', async () => {
  using files = home({ [DOCKER]: { credHelpers: { 'registry.test': 'mine' }, credsStore: 'all' } });
  files.program(
    'docker-credential-mine',
    `read -r server; printf '{"ServerURL":"%s","Username":"u-%s-%s","Secret":"pw"}' "$server" "$server" "$*"`,
  );
  files.program('docker-credential-all', `server=$(cat); printf '{"Username":"<token>","Secret":"for %s"}' "$server"`);
  assert.equal(await found('registry.test', files), 'u-registry.test-get:pw');
  assert.equal(await found('other.test', files), 'identity-token for other.test');
  assert.equal(await found('index.docker.io', files), 'identity-token for https://index.docker.io/v1/');
});

test('a helper that has nothing leaves it to the file, and then to anonymous', async () => {
  using files = home({ [DOCKER]: { credsStore: 'mine', auths: { 'registry.test': auth('me:pw') } } });
  files.program('docker-credential-mine', 'echo "credentials not found in native keychain"; exit 1');
  assert.equal(await found('registry.test', files), 'me:pw');
  assert.equal(await found('other.test', files), undefined);
});

test('a helper that leaves an agent running has answered when it ends', async () => {
  using files = home({ [DOCKER]: { credsStore: 'mine' } });
  const script = `sleep 60 & echo $! >"$HOME/agent"; printf '{"Username":"me","Secret":"pw"}'`;
  files.program('docker-credential-mine', script);
  try {
    const credentials = await findCredentials('registry.test', {
      environment: files.environment,
      helperTimeoutMs: 10_000,
    });
    assert.equal(credentials?.kind === 'basic' && credentials.password, 'pw');
  } finally {
    process.kill(Number(readFileSync(`${files.path}/agent`, 'utf8')));
  }
});

test('a helper that fails is named, and what it printed is not shown', async () => {
  const cases: [string, RegExp][] = [
    [
      'echo s3cret; exit 3',
      /docker-credential-mine, which .*config\.json names for registry\.test, failed with status 3/,
    ],
    ['echo s3cret', /printed no JSON/],
    [`echo '{"Username":"s3cret"}'`, /printed no 'Username' and 'Secret'/],
    [`echo '["s3cret"]'`, /printed no 'Username' and 'Secret'/],
    ['yes s3cret', /printed more than 65536 bytes/],
    ['kill -9 $$', /failed with SIGKILL/],
    ['sleep 30', /did not answer within 0\.3 s/],
  ];
  for (const [script, message] of cases) {
    using files = home({ [DOCKER]: { credsStore: 'mine' } });
    files.program('docker-credential-mine', script);
    await refuses(
      findCredentials('registry.test', {
        environment: files.environment,
        helperTimeoutMs: script.startsWith('sleep') ? 300 : 20_000,
      }),
      message,
    );
  }
  using files = home({ [DOCKER]: { credsStore: 'nowhere' } });
  await refuses(found('registry.test', files), /docker-credential-nowhere.* is not on the PATH/);
});
