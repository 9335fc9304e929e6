// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import {
  json,
  openTransport,
  serve,
  type Answer,
  type Json,
  type RunningServer,
  type TransportRequest,
} from '../../wire/index.ts';
import { HttpClusterApi } from './http-cluster-api.ts';
import { inClusterAccess } from './in-cluster-access.ts';
import { kubeconfigAccess } from './kubeconfig-access.ts';
import { openCluster } from './open-cluster.ts';

const running: RunningServer[] = [];
const folders: string[] = [];
after(async () => {
  await Promise.all(running.map((server) => server.close()));
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'bulla-cluster-'));
  folders.push(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

async function api(answer: Answer): Promise<{ readonly api: HttpClusterApi; readonly url: string }> {
  const server = await serve({ service: { answer, fault: () => json({}, {}, 500) }, host: '127.0.0.1', port: 0 });
  running.push(server);
  const url = `http://127.0.0.1:${server.address.port}`;
  const access = {
    server: new URL(url),
    namespace: 'default',
    authorize: async () => ({ headers: { authorization: 'Bearer t' }, tls: {} }),
  };
  return { api: new HttpClusterApi(access, await openTransport({ environment: {} })), url };
}

const status = (code: number, message: string): Json => ({ kind: 'Status', code, message });

suite('a call of the API', () => {
  test('carries who asks, and a merge patch as what it is', async () => {
    const seen: unknown[] = [];
    const { api: cluster } = await api(async ({ method, target, headers }) => {
      seen.push([method, target, headers['authorization'], headers['content-type']]);
      return json({ done: true });
    });
    await cluster.call({ method: 'GET', path: '/api/v1/pods', query: { limit: '5', continue: 'a&b' } });
    await cluster.call({ method: 'PATCH', path: '/x', body: { status: {} } });
    await cluster.call({ method: 'POST', path: '/y', body: {} });
    assert.deepEqual(seen, [
      ['GET', '/api/v1/pods?limit=5&continue=a%26b', 'Bearer t', undefined],
      ['PATCH', '/x', 'Bearer t', 'application/merge-patch+json'],
      ['POST', '/y', 'Bearer t', 'application/json'],
    ]);
  });

  for (const [code, expected] of Object.entries({
    401: 'unauthorized',
    403: 'forbidden',
    404: 'not-found',
    409: 'conflict',
    410: 'gone',
    422: 'invalid',
    500: 'service-unavailable',
    503: 'service-unavailable',
  }))
    test(`that is answered ${code} fails as ${expected}, with what the server said`, async () => {
      const { api: cluster } = await api(async () => json(status(Number(code), 'because\nof this'), {}, Number(code)));
      await assert.rejects(cluster.call({ method: 'GET', path: '/x' }), (error: Error) => {
        assert.match(error.message, /answers \d+ to GET \/x: because\\u\{a\}of this$/);
        assert.equal((error as Error & { readonly code: string }).code, expected);
        return true;
      });
    });

  test('is repeated once where the server asks for it, and only if it changes nothing', async () => {
    let asked = 0;
    const { api: cluster } = await api(async () => {
      asked += 1;
      return asked === 1 || asked === 3 ? json(status(429, 'slowly'), { 'retry-after': '0' }, 429) : json({ asked });
    });
    assert.deepEqual(await cluster.call({ method: 'GET', path: '/x' }), { asked: 2 });
    await assert.rejects(cluster.call({ method: 'POST', path: '/x', body: {} }), { code: 'throttled' });
    assert.equal(asked, 3);
  });

  test('is refused where the answer is larger than is read, or no JSON', async () => {
    const { api: cluster } = await api(async ({ target }) =>
      target === '/large' ? json({ text: 'x'.repeat(5000) }) : { status: 200, headers: {}, body: 'hello' },
    );
    await assert.rejects(cluster.call({ method: 'GET', path: '/large', maxBytes: 1000 }), { code: 'too-large' });
    await assert.rejects(cluster.call({ method: 'GET', path: '/text' }), { code: 'json-malformed' });
  });

  test('does not take a server that is away for an object that is not there', async () => {
    const access = {
      server: new URL('http://127.0.0.1:1'),
      namespace: 'x',
      authorize: async () => ({ headers: {}, tls: {} }),
    };
    const cluster = new HttpClusterApi(access, await openTransport({ environment: {} }));
    await assert.rejects(cluster.call({ method: 'GET', path: '/x' }), { code: 'unreachable' });
  });
});

suite('a watch', () => {
  const events = async (body: AsyncIterable<Uint8Array> | string): Promise<readonly Json[]> => {
    const { api: cluster } = await api(async () => ({ status: 200, headers: {}, body }));
    const found: Json[] = [];
    for await (const event of cluster.watch('/x', {}, AbortSignal.timeout(10_000))) found.push(event);
    return found;
  };

  test('gives each line as an event, however it is cut into pieces', async () => {
    const text = '{"type":"ADDED"}\n\n{"type":"MODIFIED","x":"é"}\n';
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (const octet of Buffer.from(text)) yield Uint8Array.of(octet);
    }
    assert.deepEqual(await events(pieces()), [{ type: 'ADDED' }, { type: 'MODIFIED', x: 'é' }]);
  });

  test('fails at what is no JSON, and at an event without an end', async () => {
    await assert.rejects(events('hello\n'), { code: 'json-malformed' });
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < 20; sent++) yield Buffer.alloc(1024 * 1024, 32);
    }
    await assert.rejects(events(endless()), { code: 'too-large' });
  });

  test('fails as gone where its version is too old', async () => {
    const { api: cluster } = await api(async () => json(status(410, 'too old'), {}, 410));
    await assert.rejects(cluster.watch('/x', {}, AbortSignal.timeout(10_000))[Symbol.asyncIterator]().next(), {
      code: 'gone',
    });
  });
});

suite('who asks', () => {
  const parts = { namespace: 'bulla-system\n', token: 'first', 'ca.crt': 'PEM' };
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };

  test('is in a Pod its service account, and nobody outside of one', async () => {
    assert.equal(await inClusterAccess({}), undefined);
    const access = await inClusterAccess(env, folder(parts));
    assert.equal(access?.server.href, 'https://10.0.0.1/');
    assert.equal(access?.namespace, 'bulla-system');
    assert.deepEqual(await access?.authorize(), { headers: { authorization: 'Bearer first' }, tls: { ca: ['PEM'] } });
    const six = await inClusterAccess({ ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, folder(parts));
    assert.equal(six?.server.host, '[fd00::1]');
  });

  test('is told of in a Pod without a service account', async () => {
    await assert.rejects(inClusterAccess(env, folder()), {
      code: 'kubeconfig-malformed',
      message: /is its service account mounted/,
    });
  });

  const config = (server: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'from-kubeconfig' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
      'current-context': 'x',
    });

  test('is what a kubeconfig says', async () => {
    const file = join(folder({ config: config('https://127.0.0.1:6443') }), 'config');
    const access = await kubeconfigAccess({ file });
    assert.equal(access.namespace, 'shop');
    const first = await access.authorize();
    assert.deepEqual(first, { headers: { authorization: 'Bearer from-kubeconfig' }, tls: { insecure: true } });
    assert.equal((await access.authorize()).tls, first.tls);
  });

  for (const [what, text] of Object.entries({
    'no YAML': 'clusters: [',
    'no cluster': '{}',
    'no address': config('nonsense'),
  }))
    test(`is told of where the kubeconfig has ${what}, without showing what is in it`, async () => {
      const file = join(folder({ config: text }), 'config');
      await assert.rejects(kubeconfigAccess({ file }), (error: Error) => {
        assert.doesNotMatch(error.message, /from-kubeconfig/);
        assert.equal((error as Error & { readonly code: string }).code, 'kubeconfig-malformed');
        return true;
      });
    });

  test('is told of where there is no such file, or no such context', async () => {
    const file = join(folder({ config: config('https://127.0.0.1:6443') }), 'config');
    await assert.rejects(kubeconfigAccess({ file: `${file}-not` }), { code: 'kubeconfig-malformed' });
    await assert.rejects(kubeconfigAccess({ file, context: 'other' }), { code: 'kubeconfig-malformed' });
  });

  test('is nobody outside of a Pod for who is told to be in one', async () => {
    const KUBECONFIG = join(folder({ config: config('https://127.0.0.1:6443') }), 'config');
    await assert.rejects(openCluster({ env: { KUBECONFIG }, inCluster: true }), {
      code: 'kubeconfig-malformed',
      message: /in no Pod/,
    });
  });

  test('is the kubeconfig that is named, even in a Pod', async () => {
    const file = join(folder({ config: config('http://127.0.0.1:7000') }), 'config');
    const sent: TransportRequest[] = [];
    const transport = {
      async request(request: TransportRequest) {
        sent.push(request);
        return { status: 200, headers: {}, body: bodyOf('{}'), discard: async () => undefined };
      },
      close: () => undefined,
    };
    const cluster = await openCluster({ env, file, transport });
    await cluster.call({ method: 'GET', path: '/version' });
    assert.equal(sent[0]?.url.href, 'http://127.0.0.1:7000/version');
  });
});

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
