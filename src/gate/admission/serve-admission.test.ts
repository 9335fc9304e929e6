// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:net';
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

/** What comes back of bytes that are sent as they are, until the connection ends, or so many milliseconds have gone by. */
async function raw(port: number, bytes: string, milliseconds = 20_000): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(timer);
    resolve(text);
  });
  return promise;
}

const framed = (body: string, last = true): string =>
  `POST /validate?timeout=10s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${last ? 'connection: close\r\n' : ''}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const rawReview = (port: number, body: string): Promise<string> => raw(port, framed(body));

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
    await until(() => changes.includes(undefined));
    assert.equal((await post(gate.address.port, body)).name, 'client');
    assert.deepEqual(
      changes.filter((change) => change === undefined),
      [undefined],
    );
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

  test('tells of half a change that stays half, once, and takes the other half when it comes', async (t) => {
    const directory = await scratch(t);
    const files = { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') };
    await writeFile(files.cert, SERVER_CERTIFICATE);
    await writeFile(files.key, SERVER_KEY);
    const source = tlsFilesSource(files, 2);
    await source.current();
    const told: string[] = [];
    const changed: string[] = [];
    t.after(
      source.watch(
        ({ cert }) => changed.push(cert),
        (error) => told.push((error as { code: string }).code),
      ),
    );
    await rm(files.cert);
    await until(() => told.length > 0);
    await new Promise((done) => setTimeout(done, 30));
    assert.deepEqual([told, changed], [['tls-malformed'], []]);
    await writeFile(files.key, CLIENT_KEY);
    await writeFile(files.cert, CLIENT_CERTIFICATE);
    await until(() => changed.length > 0);
    assert.deepEqual(changed, [CLIENT_CERTIFICATE]);
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

  test('ends a body that does not come when its time is up, and goes on with others', async (t) => {
    const scene = await GateScene.create(PASS);
    const gate = await serveAdmission({ gate: scene.gate, host: '127.0.0.1', port: 0 });
    t.after(() => gate.close());
    const slow = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const length = at % 2 === 0 ? 'content-length: 4000000' : 'transfer-encoding: chunked';
        return raw(
          gate.address.port,
          `POST /validate?timeout=200ms HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n1\r\n{`,
        );
      }),
    );
    for (const text of slow) {
      assert.match(text, /^HTTP\/1\.1 408 /);
      assert.match(text, /connection: close/i);
      assert.doesNotMatch(text, /"allowed"/);
    }
    const body = JSON.stringify(reviewOf({ object: podOf([scene.pinned]) }));
    assert.match(await rawReview(gate.address.port, body), /"allowed":true/);
  });

  test('answers each of many reviews that come at once on one connection, in their order', async (t) => {
    const scene = await GateScene.create(PASS);
    const gate = await serveAdmission({ gate: scene.gate, host: '127.0.0.1', port: 0 });
    t.after(() => gate.close());
    const bodies = Array.from({ length: 200 }, (_, at) =>
      JSON.stringify(reviewOf({ uid: `u${at}`, object: podOf([at % 3 === 0 ? 'NOT AN IMAGE' : scene.pinned]) })),
    );
    const text = await raw(gate.address.port, bodies.map((body, at) => framed(body, at === 199)).join(''));
    const answers = [...text.matchAll(/"uid":"u(\d+)","allowed":(true|false)/g)].map(
      ([, uid, allowed]) => `${uid} ${allowed}`,
    );
    assert.deepEqual(
      answers,
      bodies.map((_, at) => `${at} ${at % 3 !== 0}`),
    );
  });

  test('outlives whoever goes away in the middle, or speaks another language', async (t) => {
    const scene = await GateScene.create(PASS);
    const gate = await serveAdmission({ gate: scene.gate, host: '127.0.0.1', port: 0, tls: still() });
    t.after(() => gate.close());
    const { port } = gate.address;
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      '\u0016\u0003\u0001\u00ff\u00ff',
      '\0'.repeat(5000),
      'SSH-2.0-x\r\n',
    ])
      await raw(port, bytes, 50);
    for (let round = 0; round < 20; round++) {
      const sent = request({
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/validate',
        agent: false,
        rejectUnauthorized: false,
        headers: { 'content-type': 'application/json', 'content-length': '1000' },
      });
      sent.on('error', () => undefined);
      sent.write('{"apiVersion":');
      await new Promise((done) => setTimeout(done, 2));
      sent.destroy();
    }
    const body = JSON.stringify(reviewOf({ object: podOf([scene.pinned]) }));
    assert.match((await post(port, body)).text, /"allowed":true/);
    assert.deepEqual(scene.failures, []);
  });

  test('takes no request that two could read differently', async (t) => {
    const scene = await GateScene.create(PASS);
    const gate = await serveAdmission({ gate: scene.gate, host: '127.0.0.1', port: 0 });
    t.after(() => gate.close());
    const body = JSON.stringify(reviewOf({ object: podOf([scene.pinned]) }));
    const head = 'POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n';
    for (const length of [
      `content-length: ${body.length}\r\ncontent-length: 5`,
      `content-length: ${body.length}\r\ntransfer-encoding: chunked`,
      `content-length: -1`,
      `content-length: +${body.length}`,
      `content-length: 0x10`,
      'transfer-encoding: gzip, chunked, identity',
    ]) {
      const text = await raw(gate.address.port, `${head}${length}\r\n\r\n${body}`, 300);
      assert.doesNotMatch(text, /"allowed":true/, length);
    }
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
