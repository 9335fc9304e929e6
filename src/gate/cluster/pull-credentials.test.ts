// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireError, type Json, type TransportRequest } from '../../wire/index.ts';
import type { PullScope } from '../admission/ports.ts';
import { MemoryCluster, TurnedClock } from './cluster.fixture.ts';
import { ClusterPullCredentials } from './cluster-pull-credentials.ts';
import { readPullSecret } from './pull-secret.ts';

const secretsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
const accountsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/serviceaccounts`;

function secret(
  name: string,
  namespace: string,
  auths: Json,
  type = 'kubernetes.io/dockerconfigjson',
): { readonly [key: string]: Json } {
  const text = JSON.stringify(type.endsWith('dockercfg') ? auths : { auths });
  const entry = type.endsWith('dockercfg') ? '.dockercfg' : '.dockerconfigjson';
  return { metadata: { name, namespace }, type, data: { [entry]: Buffer.from(text).toString('base64') } };
}

const login = (password: string): Json => ({ auth: Buffer.from(`user:${password}`).toString('base64') });

function found(auths: Json, registry: string, repository = 'team/app', type?: string): string | undefined {
  const credentials = readPullSecret({ ...secret('s', 'ns', auths, type) })?.find(registry, repository);
  return credentials?.kind === 'basic' ? credentials.password : undefined;
}

suite('a pull secret', () => {
  test('gives its credentials to the registries that it names, and to no other', () => {
    const auths = { 'registry.test': login('a'), 'https://old.test/v1/': login('b'), 'registry.test:5000': login('c') };
    assert.equal(found(auths, 'registry.test'), 'a');
    assert.equal(found(auths, 'old.test'), 'b');
    assert.equal(found(auths, 'registry.test:5000'), 'c');
    for (const other of ['evil.test', 'registry.test.evil.test', 'aregistry.test', 'registry.test:5001'])
      assert.equal(found(auths, other), undefined, other);
  });

  test('gives them to the nearest part of a registry', () => {
    const auths = { 'r.test': login('all'), 'r.test/team': login('team'), 'r.test/team/app': login('app') };
    assert.equal(found(auths, 'r.test', 'team/app'), 'app');
    assert.equal(found(auths, 'r.test', 'team/other'), 'team');
    assert.equal(found(auths, 'r.test', 'x'), 'all');
  });

  test('may name many registries by a star, each of which stands for a part of one label', () => {
    const auths = { '*.cloud.test': login('star'), 'eu-*.gcr.test/shop': login('part') };
    assert.equal(found(auths, 'one.cloud.test'), 'star');
    assert.equal(found(auths, 'one.two.cloud.test'), undefined);
    assert.equal(found(auths, 'cloud.test'), undefined);
    assert.equal(found(auths, 'evil.test'), undefined);
    assert.equal(found(auths, 'eu-west.gcr.test', 'shop/app'), 'part');
    assert.equal(found(auths, 'eu-west.gcr.test', 'other/app'), undefined);
    // no pattern takes longer than it is long
    assert.equal(found({ [`${'*a'.repeat(500)}.test`]: login('x') }, `${'a'.repeat(60)}.test`), undefined);
  });

  test('is read in its older form too', () => {
    assert.equal(found({ 'r.test': login('old') }, 'r.test', 'x', 'kubernetes.io/dockercfg'), 'old');
  });

  test('of another type is passed over, as the kubelet does', () => {
    assert.equal(readPullSecret({ metadata: { name: 's' }, type: 'Opaque', data: {} }), undefined);
    assert.equal(readPullSecret(null), undefined);
  });

  test('runs no credential helper', () => {
    const text = Buffer.from(
      JSON.stringify({ credsStore: 'evil', credHelpers: { 'r.test': 'evil' }, auths: {} }),
    ).toString('base64');
    const read = readPullSecret({
      metadata: {},
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': text },
    });
    assert.equal(read?.find('r.test', 'x'), undefined);
  });

  for (const [what, data] of Object.entries({
    'no entry': {},
    'no base64': { '.dockerconfigjson': '!secret!' },
    'no JSON': { '.dockerconfigjson': Buffer.from('{secret').toString('base64') },
    'a list': { '.dockerconfigjson': Buffer.from('["secret"]').toString('base64') },
    'auths that are no object': { '.dockerconfigjson': Buffer.from('{"auths":["secret"]}').toString('base64') },
  }))
    test(`with ${what} is an error that shows nothing of it`, () => {
      assert.throws(
        () =>
          readPullSecret({ metadata: { name: 's', namespace: 'ns' }, type: 'kubernetes.io/dockerconfigjson', data }),
        (error: Error) => {
          assert.equal((error as Error & { readonly code: string }).code, 'credentials-malformed');
          assert.match(error.message, /ns\/s/);
          assert.doesNotMatch(error.message.replace('pull secret', ''), /secret!|\{secret|\["/);
          return true;
        },
      );
    });
});

suite('the credentials of a workload', () => {
  function scene(): {
    readonly cluster: MemoryCluster;
    readonly clock: TurnedClock;
    readonly sent: TransportRequest[];
    readonly credentials: ClusterPullCredentials;
  } {
    const cluster = new MemoryCluster();
    const clock = new TurnedClock();
    const sent: TransportRequest[] = [];
    const transport = {
      async request(request: TransportRequest): Promise<never> {
        sent.push(request);
        throw new WireError('unreachable', 'nobody is asked');
      },
      close: () => undefined,
    };
    const credentials = new ClusterPullCredentials({
      api: cluster,
      clock,
      remote: { transport, retry: { attempts: 1 } },
    });
    return { cluster, clock, sent, credentials };
  }
  const spec = (...names: readonly string[]): Json => ({ imagePullSecrets: names.map((name) => ({ name })) });
  const scopeOf = async (credentials: ClusterPullCredentials, namespace: string, podSpec?: Json): Promise<PullScope> =>
    await credentials.scopeOf(namespace, podSpec);

  test('are named by the secrets that they are, so that the same secrets are the same scope and no others', async () => {
    const { cluster, credentials } = scene();
    cluster.put(secretsOf('a'), secret('pull', 'a', { 'r.test': login('x') }));
    cluster.put(secretsOf('b'), secret('pull', 'b', { 'r.test': login('x') }));
    const a = await scopeOf(credentials, 'a', spec('pull'));
    assert.equal((await scopeOf(credentials, 'a', spec('pull'))).key, a.key);
    assert.notEqual((await scopeOf(credentials, 'b', spec('pull'))).key, a.key);
    assert.notEqual((await scopeOf(credentials, 'a', spec())).key, a.key);
    assert.equal((await scopeOf(credentials, 'a', spec())).key, (await scopeOf(credentials, 'b', spec('missing'))).key);
    assert.doesNotMatch(a.key, /user|x"/);
  });

  test('are at hand at once when they were asked for lately, and asked for anew after that', async () => {
    const { cluster, clock, credentials } = scene();
    cluster.put(secretsOf('a'), secret('pull', 'a', {}));
    const first = await scopeOf(credentials, 'a', spec('pull'));
    const calls = cluster.calls.length;
    assert.equal(credentials.scopeOf('a', spec('pull')), first);
    assert.equal(cluster.calls.length, calls);
    cluster.put(secretsOf('a'), secret('pull', 'a', { 'r.test': login('new') }));
    await clock.turn(31_000);
    assert.notEqual((await scopeOf(credentials, 'a', spec('pull'))).key, first.key);
  });

  test('are asked for once, however many wait for them', async () => {
    const { cluster, credentials } = scene();
    cluster.put(secretsOf('a'), secret('pull', 'a', {}));
    await Promise.all(Array.from({ length: 50 }, () => scopeOf(credentials, 'a', spec('pull'))));
    assert.deepEqual(
      cluster.calls.toSorted(),
      [`GET ${secretsOf('a')}/pull`, `GET ${accountsOf('a')}/default`].toSorted(),
    );
  });

  test('are those of the service account too', async () => {
    const { cluster, credentials } = scene();
    cluster.put(accountsOf('a'), {
      metadata: { name: 'puller', namespace: 'a' },
      imagePullSecrets: [{ name: 'pull' }],
    });
    cluster.put(secretsOf('a'), secret('pull', 'a', { 'r.test': login('x') }));
    const puller = await scopeOf(credentials, 'a', { serviceAccountName: 'puller' });
    assert.notEqual(puller.key, (await scopeOf(credentials, 'a', {})).key);
  });

  test('are unknown, and not none, where the cluster does not answer', async () => {
    const { cluster, credentials } = scene();
    cluster.before = () => {
      throw new WireError('unreachable', 'refused');
    };
    await assert.rejects(scopeOf(credentials, 'a', spec('pull')), { code: 'unreachable' });
    cluster.before = () => undefined;
    await scopeOf(credentials, 'a', spec('pull'));
  });

  test('never leave the namespace, whatever a name says', async () => {
    const { cluster, credentials } = scene();
    for (const name of ['../../kube-system/secrets/x', 'a/b', 'UPPER', ''])
      await assert.rejects(
        scopeOf(credentials, 'a', { ...(spec('ok') as object), imagePullSecrets: [{ name }, { name: '../x' }] }),
        {
          code: 'credentials-malformed',
        },
      );
    await assert.rejects(scopeOf(credentials, '../b', spec('pull')), { code: 'credentials-malformed' });
    assert.ok(cluster.calls.every((call) => !call.includes('..')));
  });

  test('are at most 64 secrets', async () => {
    const { credentials } = scene();
    const names = Array.from({ length: 65 }, (_, at) => `s${at}`);
    await assert.rejects(scopeOf(credentials, 'a', spec(...names)), { code: 'credentials-malformed' });
  });

  test('are shown to the registry that they are for, and to no other', async () => {
    const { cluster, credentials, sent } = scene();
    cluster.put(secretsOf('a'), secret('pull', 'a', { 'r.test': login('hidden') }));
    const { open } = await scopeOf(credentials, 'a', spec('pull'));
    for (const name of ['r.test/app', 'other.test/app']) await assert.rejects((await open(name)).resolve('1'));
    const shown = sent.map(({ url, headers }) => [url.host, 'authorization' in headers]);
    assert.ok(shown.every(([host, authorized]) => host !== 'other.test' || authorized === false));
  });
});
