// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOf } from '../../policy/scene.fixture.ts';
import { createGateLog } from './gate-log.ts';
import { createGateTraces } from './gate-traces.ts';
import { GateScene, podOf } from './gate.fixture.ts';
import { joined } from './telemetry.ts';

const POLICIES =
  policyOf([{ static: { action: 'pass' } }], {}, 'ours') +
  policyOf([{ static: { action: 'fail', message: 'not here' } }], { images: [{ glob: 'bad.example/**' }] }, 'theirs');

async function logged(verbose: boolean): Promise<readonly Record<string, unknown>[]> {
  const lines: string[] = [];
  const gate = await GateScene.create(POLICIES);
  gate.restart({ telemetry: createGateLog({ write: (line) => lines.push(line), verbose }) });
  const secret = { env: [{ name: 'PASSWORD', value: 'hunter2' }] };
  await gate.review('validate', { object: podOf([`bad.example/x@${gate.scene.digest}`], {}, secret) });
  await gate.review('validate', { object: podOf([gate.pinned]) });
  for (let at = 0; at < 3; at++) await gate.review('validate', { object: podOf([gate.pinned]) });
  await gate.post('/validate', 'no review');
  assert.doesNotMatch(lines.join(), /hunter2/);
  return lines.map((line) => {
    assert.doesNotMatch(line, /\n/);
    return JSON.parse(line) as Record<string, unknown>;
  });
}

test('the log has one object a line, for each denial, with its reason and without the object', async () => {
  const lines = await logged(false);
  const denied = lines.find(({ message }) => message === 'denied');
  assert.equal(denied?.['level'], 'warn');
  assert.equal(denied?.['code'], 'refused');
  assert.match(String(denied?.['reason']), /theirs: .*not here/);
  assert.ok(lines.some(({ message }) => message === 'malformed review'));
});

test('the log has every review where it is asked to', async () => {
  assert.equal((await logged(true)).filter(({ message }) => message === 'admitted').length, 4);
});

test('a fault of the gate is in the log, with where it happened', async () => {
  const lines: string[] = [];
  createGateLog({ write: (line) => lines.push(line) }).failed(new TypeError('no such thing'));
  const [line] = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
  assert.deepEqual([line?.['level'], line?.['code']], ['error', 'unexpected']);
  assert.match(String(line?.['error']), /no such thing\n.*gate-log\.test/);
});

test('traces say nothing, and change nothing, where no SDK is registered', async () => {
  const traces = await createGateTraces();
  const gate = await GateScene.create(POLICIES);
  gate.restart({ telemetry: joined(traces === undefined ? [] : [traces, traces]) });
  assert.equal((await gate.review('validate', { object: podOf([gate.pinned]) })).allowed, true);
});

test('the log has nothing in it that a terminal would obey, whoever wrote it', async () => {
  const lines: string[] = [];
  const gate = await GateScene.create(POLICIES);
  gate.restart({ telemetry: createGateLog({ write: (line) => lines.push(line) }) });
  const image = 'x\u001b[2J\u009b2J\u202egpj\u2028y\n\u{e0041}';
  await gate.review('validate', { object: podOf([image], { name: '\u202ename' }), userInfo: { username: '\u009bm' } });
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines[0] ?? '', /[\p{C}\p{Zl}\p{Zp}]/u);
  const { images, user } = JSON.parse(lines[0] ?? '') as { images: readonly { image: string }[]; user: string };
  assert.deepEqual([images[0]?.image, user], [image, '\u009bm']);
});

test('traces have a span for each review and each verification, with what was decided and for whom', async (t) => {
  const api = await import('@opentelemetry/api');
  const spans: {
    readonly name: string;
    readonly attributes: Record<string, unknown>;
    ended: boolean;
    status?: number;
  }[] = [];
  const tracer = {
    startSpan(name: string) {
      const span: (typeof spans)[number] = { name, attributes: {}, ended: false };
      spans.push(span);
      return {
        isRecording: () => true,
        setAttributes: (more: object) => Object.assign(span.attributes, more),
        setStatus: ({ code }: { code: number }) => (span.status = code),
        recordException: (exception: object) => Object.assign(span.attributes, { exception }),
        end: () => (span.ended = true),
      };
    },
  };
  api.trace.setGlobalTracerProvider({ getTracer: () => tracer } as unknown as Parameters<
    typeof api.trace.setGlobalTracerProvider
  >[0]);
  t.after(() => api.trace.disable());
  const traces = await createGateTraces();
  const gate = await GateScene.create(POLICIES);
  gate.restart({ telemetry: joined(traces === undefined ? [] : [traces]) });
  const namespace = 'shop';
  await gate.review('validate', { object: podOf([gate.pinned]), namespace, dryRun: true });
  await gate.review('validate', { object: podOf(['NOT AN IMAGE']), namespace });
  traces?.failed(new TypeError('a secret'));
  const [admitted, denied] = spans.filter(({ name }) => name === 'admission validate');
  assert.deepEqual(admitted?.attributes, {
    'bulla.allowed': true,
    'bulla.code': 'trusted',
    'bulla.images': 1,
    'k8s.namespace.name': namespace,
    'bulla.operation': 'CREATE',
    'bulla.resource': 'pods',
    'bulla.dry_run': true,
    'bulla.digests': [gate.scene.digest],
  });
  assert.deepEqual([denied?.attributes['bulla.allowed'], denied?.status], [false, api.SpanStatusCode.ERROR]);
  for (const phase of ['queue', 'verify'])
    assert.ok(
      spans.some(({ name }) => name === `admission ${phase}`),
      phase,
    );
  assert.doesNotMatch(JSON.stringify(spans), /a secret/);
  assert.ok(spans.every(({ ended }) => ended));
});
