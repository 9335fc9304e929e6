// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { json, type Call, type Reply, type Service } from '../wire/index.ts';
import { healthService } from './health.ts';
import { routed } from './routes.ts';

/** A service that says its name and what it was asked. */
function named(name: string): Service {
  return {
    answer: async ({ target }) => {
      if (target.includes('broken')) throw new Error(`${name} broke`);
      return json(`${name} ${target}`);
    },
    fault: (error) => json(`${name}: ${error instanceof Error ? error.message : ''}`, {}, 503),
  };
}

const all = routed([
  { path: '/v2/', service: named('registry') },
  { path: '/api/v2/', service: named('log') },
  { path: '/api/v2/signingCert', service: named('authority') },
  { path: '/tuf/', service: named('tuf'), strip: true },
]);

async function ask(target: string): Promise<Reply> {
  const call: Call = { method: 'GET', target, headers: {}, body: (async function* () {})() };
  return await all.answer(call).catch((error: unknown) => all.fault(error));
}

describe('several services on one port', () => {
  const asked: Readonly<Record<string, string>> = {
    '/v2/': 'registry /v2/',
    '/v2/a/tags/list?n=1': 'registry /v2/a/tags/list?n=1',
    '/api/v2/signingCert': 'authority /api/v2/signingCert',
    '/api/v2/signingCert?x': 'authority /api/v2/signingCert?x',
    '/api/v2/signingCertificates': 'log /api/v2/signingCertificates',
    '/tuf/1.root.json': 'tuf /1.root.json',
  };
  for (const [target, said] of Object.entries(asked)) {
    test(`${target} is for ${said.split(' ')[0]}`, async () =>
      assert.equal((await ask(target)).body, JSON.stringify(said)));
  }

  test('nothing is served elsewhere, and a path that only begins alike is elsewhere', async () => {
    for (const target of ['/', '/v2', '/tuf', '/api/v1/x', '/v3/'])
      assert.equal((await ask(target)).status, 404, target);
  });

  test('each service tells its own failures', async () => {
    assert.deepEqual(await ask('/v2/broken'), json('registry: registry broke', {}, 503));
    assert.deepEqual(await ask('/tuf/broken'), json('tuf: tuf broke', {}, 503));
  });

  test('what nobody foresaw says nothing about itself', () => {
    assert.doesNotMatch(JSON.stringify(all.fault(new Error('secret'))), /secret/);
  });
});

describe('health', () => {
  const at = async (target: string, troubles: readonly string[]): Promise<Reply> =>
    healthService(() => troubles).answer({ method: 'GET', target, headers: {}, body: (async function* () {})() });

  test('is that the process answers, readiness that nothing is wrong', async () => {
    assert.equal((await at('/healthz', ['the clock jumped'])).status, 200);
    assert.equal((await at('/readyz', [])).status, 200);
    const bad = await at('/readyz', ['the clock jumped']);
    assert.equal(bad.status, 503);
    assert.match(JSON.stringify(bad.body), /the clock jumped/);
  });
});
