// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HttpClient, readBody } from '../../wire/index.ts';
import { RecordingHost, runRecorded } from '../recording-host.fixture.ts';
import { runCommandLine } from '../run.ts';
import type { AdmissionReadyDocument } from './admission-serve.ts';

const POLICY = (action: string): string =>
  `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: all}
spec:
  images: [{glob: "**"}]
  authorities: [{static: {action: ${action}}}]
`;

async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bulla-serve-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  await writeFile(join(path, 'policies.yaml'), POLICY('pass'));
  return path;
}

const LOCAL = ['admission', 'serve', '--policy', 'policies.yaml', '--address', '127.0.0.1:0'] as const;

const review = (image: string): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'default',
      operation: 'CREATE',
      object: { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [{ name: 'c', image }] } },
    },
  });

async function ask(url: string, body?: string): Promise<string> {
  const request =
    body === undefined
      ? ({ method: 'GET', url: new URL(url) } as const)
      : ({
          method: 'POST',
          url: new URL(url),
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(body),
        } as const);
  return new HttpClient().exchange(request, async (reply) =>
    new TextDecoder().decode(await readBody(reply, 1_000_000, 'the answer')),
  );
}

describe('admission serve', () => {
  test('serves until it is told to end, and says where', async (t) => {
    const cwd = await scratch(t);
    const host = new RecordingHost({ cwd });
    const ran = runCommandLine(
      [...LOCAL, '--metrics-address', '127.0.0.1:0', '--ready-file', 'ready.json', '--json'],
      host,
    );
    const ready = join(cwd, 'ready.json');
    while (!existsSync(ready)) await new Promise((done) => setTimeout(done, 5));
    const { url, metrics = '' } = JSON.parse(readFileSync(ready, 'utf8')) as AdmissionReadyDocument;
    assert.equal(await ask(`${url}/readyz`), 'ok\n');
    const image = `registry.example.com/x@sha256:${'a'.repeat(64)}`;
    assert.match(await ask(`${url}/validate?timeout=5s`, review(image)), /"allowed":true/);
    assert.match(
      await ask(metrics),
      /bulla_admission_reviews_total\{webhook="validate",allowed="true",code="trusted"\} 1/,
    );
    host.signal('SIGTERM');
    assert.equal(await ran, 0);
    assert.equal(existsSync(ready), false);
    assert.equal((JSON.parse(host.stdout) as AdmissionReadyDocument).url, url);
    const first = host.stderr
      .trim()
      .split('\n')
      .find((line) => line.startsWith('{'));
    assert.equal((JSON.parse(first ?? '') as { message?: string }).message, `serving ${url}`);
  });

  test('looks at its policies at once when it is told to, and is not ended by that', async (t) => {
    const cwd = await scratch(t);
    const host = new RecordingHost({ cwd });
    const ran = runCommandLine([...LOCAL, '--metrics-address', '', '--ready-file', 'ready.json'], host);
    const ready = join(cwd, 'ready.json');
    while (!existsSync(ready)) await new Promise((done) => setTimeout(done, 5));
    const { url } = JSON.parse(readFileSync(ready, 'utf8')) as AdmissionReadyDocument;
    const body = review(`registry.example.com/x@sha256:${'a'.repeat(64)}`);
    for (const [action, said, answer] of [
      ['maybe', 'cannot be read again', '"allowed":true'],
      ['fail', 'are in force', '"allowed":false'],
    ] as const) {
      await writeFile(join(cwd, 'policies.yaml'), POLICY(action));
      assert.equal(host.hangUp(), true);
      while (!host.stderr.includes(said)) await new Promise((done) => setTimeout(done, 5));
      assert.ok((await ask(`${url}/validate?timeout=5s`, body)).includes(answer), action);
    }
    host.signal('SIGTERM');
    assert.equal(await ran, 0);
    assert.equal(host.hangUp(), false);
    for (const line of host.stderr.trim().split('\n')) JSON.parse(line);
  });

  test('refuses to start without what it needs', async (t) => {
    const cwd = await scratch(t);
    await writeFile(join(cwd, 'bad.yaml'), POLICY('maybe'));
    for (const [argv, message] of [
      [['--address', '127.0.0.1:0'], /--policy is required/],
      [
        ['--policy', 'policies.yaml'],
        /without --tls-cert and --tls-key it listens on loopback addresses only, not on :8443/,
      ],
      [['--policy', 'policies.yaml', '--tls-cert', 'a'], /--tls-cert and --tls-key belong together/],
      [
        ['--policy', 'policies.yaml', '--address', '127.0.0.1:0', '--data', 'd'],
        /--data, --vsa-key and --verifier belong together/,
      ],
      [['--policy', 'policies.yaml', '--address', 'here'], /--address/],
      [['--policy', 'policies.yaml', '--address', '127.0.0.1:0', '--mutate', 'all'], /mutate/],
      [['--policy', '-', '--address', '127.0.0.1:0'], /a gate reads its policies from files/],
      [['--policy', 'bad.yaml', '--address', '127.0.0.1:0'], /bad\.yaml:6:\d+: .*action/],
      [['--policy', 'none.yaml', '--address', '127.0.0.1:0'], /none\.yaml/],
    ] as const) {
      const { code, stderr } = await runRecorded(['admission', 'serve', ...argv], { cwd });
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    }
  });
});
