// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

// Signatures in a registry of their own, which asks who one is.

const NOW = new Date('2026-06-01T00:00:00Z');
const cwd = mkdtempSync(join(tmpdir(), 'bulla-pull-'));
after(() => rmSync(cwd, { recursive: true, force: true }));
// password 'opensesame'; made with htpasswd -B -C 4
const ALICE = 'alice:$2y$04$Lkw9M0LhfXKV3aYORYZiiu0/wHFH1SRVhYXSx946X2gIXD2xwjz9W\n';

let images: RunningRegistry;
let signatures: RunningRegistry;
let image: string;
const hostOf = ({ url }: RunningRegistry): string => url.slice('http://'.length);
before(async () => {
  writeFileSync(join(cwd, 'users'), ALICE);
  images = await serveRegistry({ data: join(cwd, 'images'), port: 0 });
  signatures = await serveRegistry({ data: join(cwd, 'signatures'), port: 0, htpasswd: join(cwd, 'users') });
  mkdirSync(join(cwd, 'files'));
  writeFileSync(join(cwd, 'files/hello'), 'hello');
  assert.equal((await run(['generate-key-pair'])).code, 0);
  image = `${hostOf(images)}/team/app:v1`;
  assert.equal((await run(['image', 'pack', 'files', image])).code, 0);
  const place = `${hostOf(signatures)}/team/signatures`;
  const user = ['--registry-username', 'alice', '--registry-password', 'opensesame'];
  const env = { COSIGN_REPOSITORY: place };
  const signed = await run(['sign', '--key', 'cosign.key', '--format', 'legacy', ...user, image], env);
  assert.equal(signed.code, 0, signed.stderr);
  const source = [{ oci: place, signaturePullSecrets: [{ name: 'sig-pull' }] }];
  const document = {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: {
      images: [{ glob: '**' }],
      authorities: [{ key: { data: readFileSync(join(cwd, 'cosign.pub'), 'utf8') }, source }],
    },
  };
  writeFileSync(join(cwd, 'policy.yaml'), JSON.stringify(document));
});
after(async () => {
  await images.close();
  await signatures.close();
});

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return runRecorded(argv, { cwd, now: NOW, env: { COSIGN_PASSWORD: 'pw', HOME: cwd, ...env } });
}

async function explain(config?: unknown): Promise<Ran> {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: { name: 'sig-pull', namespace: 'shop' },
    stringData: { '.dockerconfigjson': typeof config === 'string' ? config : JSON.stringify(config) },
  };
  if (config !== undefined) writeFileSync(join(cwd, 'secret.yaml'), JSON.stringify(secret));
  const files = ['--policy', 'policy.yaml', ...(config === undefined ? [] : ['--policy', 'secret.yaml'])];
  return run(['policy', 'explain', ...files, image]);
}

describe('signaturePullSecrets', () => {
  it('open the place that the policy names them for, with a Secret that was given beside it', async () => {
    const auth = Buffer.from('alice:opensesame').toString('base64');
    const { code, stdout, stderr } = await explain({ auths: { [hostOf(signatures)]: { auth } } });
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(stdout, /trusted \[met\]/);
  });

  it('that were not given are told of, and what they would open cannot be found out', async () => {
    const { code, stderr } = await explain();
    assert.equal(code, 2);
    assert.match(stderr, /no Secret 'sig-pull' with an entry \.dockerconfigjson was given/);
  });

  it('of another registry open nothing', async () => {
    const auth = Buffer.from('alice:opensesame').toString('base64');
    assert.equal((await explain({ auths: { 'registry.example.com': { auth } } })).code, 2);
  });

  it('that hold something else are an error that shows nothing of it', async () => {
    for (const config of ['opensesame', '"opensesame"', '{"auths":{"opensesame"']) {
      const { code, stdout, stderr } = await explain(config);
      assert.equal(code, 2);
      assert.match(stdout, /the Secret sig-pull has an entry/);
      assert.ok(!`${stdout}${stderr}`.includes('opensesame'));
    }
  });

  it('run no program that a Secret names', async () => {
    assert.equal((await explain({ credsStore: 'evil', credHelpers: { [hostOf(signatures)]: 'evil' } })).code, 2);
  });
});
