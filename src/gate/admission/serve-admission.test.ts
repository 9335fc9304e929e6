// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { policyOf } from '../../policy/scene.fixture.ts';
import {
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../../wire/http/certificates.fixture.ts';
import { HttpClient, readBody } from '../../wire/index.ts';
import { createAdmissionGate, type AdmissionGate } from './admission-gate.ts';
import { createGateMetrics } from './gate-metrics.ts';
import { GateScene, podOf, reviewOf } from './gate.fixture.ts';
import type { TlsSource } from './ports.ts';
import { serveAdmission } from './serve-admission.ts';
import { tlsFilesSource } from './tls-files-source.ts';

const PASS = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] });

/** What a server answers, and by which certificate. */
async function post(
  port: number,
  body: string,
): Promise<{ readonly status: number; readonly text: string; readonly name: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string; name: string }>();
  const headers = { 'content-type': 'application/json' };
  // whose certificate it is, is what is looked at
  const options = {
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/validate?timeout=10s',
    headers,
    agent: false,
    rejectUnauthorized: false,
  };
  const sent = request(options, (response) => {
    let text = '';
    const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text, name: String(CN) }));
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((done) => setTimeout(done, 5));
};

async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bulla-gate-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const still = (): TlsSource => ({
  current: async () => ({ cert: SERVER_CERTIFICATE, key: SERVER_KEY }),
  watch: () => () => undefined,
});

describe('a gate that serves', () => {
  test('answers over TLS, and takes a certificate that changes in its files, not half of one', async (t) => {
    const scene = await GateScene.create(PASS);
    const directory = await scratch(t);
    const files = { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') };
    await writeFile(files.cert, SERVER_CERTIFICATE);
    await writeFile(files.key, SERVER_KEY);
    const changes: unknown[] = [];
    const tls = tlsFilesSource(files, 5);
    const gate = await serveAdmission({
      gate: scene.gate,
      host: '127.0.0.1',
      port: 0,
      tls,
      onCertificate: (error) => changes.push(error),
    });
    t.after(() => gate.close());
    const body = JSON.stringify(reviewOf({ object: podOf([scene.pinned]) }));
    const first = await post(gate.address.port, body);
    assert.deepEqual([first.status, first.name], [200, 'server']);
    assert.match(first.text, /"allowed":true/);
    await writeFile(files.cert, CLIENT_CERTIFICATE);
    await new Promise((done) => setTimeout(done, 50));
    assert.equal((await post(gate.address.port, body)).name, 'server');
    await writeFile(files.key, CLIENT_KEY);
    await until(() => changes.length > 0);
    assert.equal((await post(gate.address.port, body)).name, 'client');
    assert.deepEqual(changes, [undefined]);
  });

  test('keeps the certificate that it has where another cannot be used', async (t) => {
    const scene = await GateScene.create(PASS);
    let renew: Parameters<TlsSource['watch']>[0] = () => undefined;
    const tls: TlsSource = {
      ...still(),
      watch(changed) {
        renew = changed;
        return () => undefined;
      },
    };
    const changes: unknown[] = [];
    const gate = await serveAdmission({
      gate: scene.gate,
      host: '127.0.0.1',
      port: 0,
      tls,
      onCertificate: (error) => changes.push(error),
    });
    t.after(() => gate.close());
    renew({ cert: SERVER_CERTIFICATE, key: CLIENT_KEY });
    await until(() => changes.length === 1);
    assert.equal((changes[0] as { code?: string }).code, 'tls-malformed');
    assert.equal((await post(gate.address.port, '{}')).name, 'server');
    renew({ cert: CLIENT_CERTIFICATE, key: CLIENT_KEY });
    await until(() => changes.length === 2);
    assert.equal(changes[1], undefined);
    assert.equal((await post(gate.address.port, '{}')).name, 'client');
  });

  test('does not start with files that are no pair', async (t) => {
    const scene = await GateScene.create(PASS);
    const directory = await scratch(t);
    const files = { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') };
    await writeFile(files.cert, SERVER_CERTIFICATE);
    await writeFile(files.key, CLIENT_KEY);
    const starting = serveAdmission({ gate: scene.gate, host: '127.0.0.1', port: 0, tls: tlsFilesSource(files) });
    await assert.rejects(starting, { code: 'tls-malformed' });
  });

  test('answers the reviews under way before it ends', async () => {
    const scene = await GateScene.create(PASS);
    const { promise: go, resolve: answer } = Promise.withResolvers<void>();
    let reviewing = false;
    const slow: AdmissionGate = {
      ...scene.gate,
      service: {
        ...scene.gate.service,
        async answer(call) {
          reviewing = true;
          await go;
          return scene.gate.service.answer(call);
        },
      },
    };
    const gate = await serveAdmission({ gate: slow, host: '127.0.0.1', port: 0, tls: still() });
    const under = post(gate.address.port, JSON.stringify(reviewOf({ object: podOf([scene.pinned]) })));
    await until(() => reviewing);
    const closed = gate.close();
    answer();
    assert.match((await under).text, /"allowed":true/);
    await closed;
    await assert.rejects(post(gate.address.port, '{}'));
  });

  test('shows what it did on a port of its own', async (t) => {
    const scene = await GateScene.create(PASS);
    const metrics = await createGateMetrics();
    const gate = createAdmissionGate({
      policies: { current: () => (scene.set === undefined ? undefined : { set: scene.set }) },
      credentials: { scopeOf: () => ({ key: 'k', open: scene.scene.open }) },
      telemetry: metrics.telemetry,
    });
    const running = await serveAdmission({
      gate,
      host: '127.0.0.1',
      port: 0,
      tls: still(),
      metrics: { of: metrics, host: '127.0.0.1', port: 0 },
    });
    t.after(() => running.close());
    const body = JSON.stringify(reviewOf({ object: podOf([scene.pinned]) }));
    await post(running.address.port, body);
    await post(running.address.port, body);
    await post(running.address.port, '{');
    const client = new HttpClient();
    const shown = async (path: string): Promise<readonly [number, string]> => {
      const url = new URL(`http://127.0.0.1:${running.metrics?.port ?? 0}${path}`);
      return client.exchange(
        { method: 'GET', url },
        async (reply) => [reply.status, new TextDecoder().decode(await readBody(reply, 1_000_000, 'metrics'))] as const,
      );
    };
    const [status, text] = await shown('/metrics');
    assert.equal(status, 200);
    for (const line of [
      'bulla_admission_reviews_total{webhook="validate",allowed="true",code="trusted"} 2',
      'bulla_admission_reviews_total{webhook="validate",allowed="false",code="malformed"} 1',
      'bulla_admission_review_seconds_count{webhook="validate"} 3',
      'bulla_admission_verdicts_total{how="miss"} 1',
      'bulla_admission_verdicts_total{how="hit"} 1',
      'bulla_admission_phase_seconds_count{phase="verify"} 1',
      'bulla_admission_kept_verdicts 1',
      'bulla_admission_reviews_under_way 0',
    ])
      assert.ok(text.includes(`${line}\n`), line);
    assert.match(text, /^bulla_admission_kept_bytes [1-9]/m);
    assert.equal((await shown('/other'))[0], 404);
  });
});
