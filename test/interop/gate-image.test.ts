// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { containersEnvironment, interop, runClient } from './clients.ts';
import { BULLA, keyFile, Lab, succeed } from './lab.ts';

// The image of the gate, as the Helm chart runs it: packed by bulla, sealed by bulla, pulled by podman, and judged by itself.

const SIGNING_KEY = keyFile('cosign.key');
const PUBLIC_KEY = readFileSync(keyFile('cosign.pub'), 'utf8');
const root = join(import.meta.dirname, '..', '..');
const lab = new Lab();
const running: ChildProcess[] = [];
after(async () => {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await lab.close();
});

interop('the image of the gate, sealed, judges itself', ['podman', 'buildah', 'skopeo'], async ([podman, buildah]) => {
  const { host } = await lab.serveBulla();
  const home = lab.folder();
  const env = { ...process.env, ...containersEnvironment(home), HOME: home };
  const image = `${host}/platform/bulla:dev`;
  const built = spawnSync(process.execPath, ['build/image.ts', image], { cwd: root, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(built.stdout.trim())?.[1] ?? '';
  const named = `${host}/platform/bulla@${digest}`;
  await succeed(BULLA, ['sign', '--key', SIGNING_KEY, named], home, { COSIGN_PASSWORD: 'pw' });
  await succeed(BULLA, ['verify', '--key', keyFile('cosign.pub'), named], home);
  await succeed(podman, ['pull', '--tls-verify=false', named], home, containersEnvironment(home));

  const policies = join(home, 'policies');
  mkdirSync(policies);
  const authorities = [{ key: { data: PUBLIC_KEY } }];
  const spec = { images: [{ glob: `${host}/platform/**` }], authorities };
  const policy = {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'platform' },
    spec,
  };
  writeFileSync(join(policies, 'policy.json'), JSON.stringify(policy), { mode: 0o644 });
  const port = await freePort();
  const args = [
    'admission',
    'serve',
    '--policy',
    '/policies/policy.json',
    '--address',
    `127.0.0.1:${port}`,
    '--insecure-listen',
    '--metrics-address',
    '',
  ];
  const volume = `${policies}:/policies:ro`;
  const inPodman = [
    'run',
    '--rm',
    '--network=host',
    '--read-only',
    '--user=65532:65532',
    '--cap-drop=all',
    `--volume=${volume}`,
    named,
  ];
  // On machines where no container can be started (nested cgroups, say) it runs in a chroot of its own.
  const canRun =
    (await runClient(podman, [...inPodman, 'version'], { home, env: containersEnvironment(home) })).code === 0;
  let program = podman;
  let words = [...inPodman, ...args];
  if (!canRun) {
    const from = await succeed(buildah, ['from', '--tls-verify=false', named], home, containersEnvironment(home));
    const entrypoint = ['/usr/bin/node', '/usr/lib/bulla/dist/cli/main.js'];
    program = buildah;
    words = [
      'run',
      '--isolation=chroot',
      '--user=65532:65532',
      `--volume=${volume}`,
      from.stdout.trim(),
      '--',
      ...entrypoint,
      ...args,
    ];
  }
  const gate = spawn(program, words, { cwd: home, env, stdio: ['ignore', 'ignore', 'pipe'] });
  running.push(gate);
  let log = '';
  gate.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  for (let waited = 0; !log.includes('serving http') && waited < 600; waited++) {
    assert.equal(gate.exitCode, null, log);
    await sleep(50);
  }
  const review = async (asked: string): Promise<Answer> => {
    const kind = { group: '', version: 'v1', kind: 'Pod' };
    const resource = { group: '', version: 'v1', resource: 'pods' };
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'gate' },
      spec: { containers: [{ name: 'gate', image: asked }] },
    };
    const request = {
      uid: 'u',
      kind,
      resource,
      operation: 'CREATE',
      namespace: 'x',
      name: 'gate',
      userInfo: { username: 'x' },
      object,
      oldObject: null,
      dryRun: true,
    };
    const body = JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
    const answer = await fetch(`http://127.0.0.1:${port}/validate?timeout=10s`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return ((await answer.json()) as { readonly response: Answer }).response;
  };
  assert.deepEqual((await review(named)).allowed, true, log);
  const other = await review(`${host}/platform/other@${digest}`);
  assert.equal(other.allowed, false);
  gate.kill('SIGTERM');
  await once(gate, 'exit');
});

interface Answer {
  readonly allowed: boolean;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
