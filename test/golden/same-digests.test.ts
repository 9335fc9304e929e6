// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attachedTag } from '../../src/image/index.ts';
import { digestOf, parseDigest, type Digest } from '../../src/oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../src/registry/index.ts';
import { runInProcess } from './in-process.ts';
import { Layout } from './layout.ts';
import { getManifest, getReferrers, pushState } from './stage.ts';
import { GOLDEN } from './transcript.ts';

// RSA and Ed25519 signatures are the same each time. So for the same key, name and moment bulla must write manifests with the very
// digests of those that cosign wrote.

const IMAGE = parseDigest('sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6');
const KEYS = join(GOLDEN, '_keys');

let data = '';
let registry: RunningRegistry;
before(async () => {
  data = mkdtempSync(join(tmpdir(), 'bulla-golden-'));
  registry = await serveRegistry({ data, port: 0 });
});
after(async () => {
  await registry.close();
  rmSync(data, { recursive: true, force: true });
});

/** Seals a fresh copy of the image. @returns the repository's path */
async function seal(path: string, kind: string, flags: readonly string[], env = {}): Promise<string> {
  const base = new Layout(join(GOLDEN, '_base'));
  await pushState(registry.url, path, { path, tags: new Map([['single', IMAGE]]), referrers: [] }, base);
  const image = `${new URL(registry.url).host}/${path}@${IMAGE}`;
  const ran = await runInProcess(['sign', '--key', join(KEYS, `imp-${kind}.key`), ...flags, image], {
    cwd: data,
    env: { COSIGN_PASSWORD: 'pw', ...env },
  });
  assert.equal(ran.code, 0, ran.stderr);
  return path;
}

/** The layout that cosign left, and the manifest in it that has a signature: by its tag, or the oldest bundle. */
function recorded(name: string, tag: string | undefined): { readonly layout: Layout; readonly digest: Digest } {
  const layout = new Layout(join(GOLDEN, name, 'layout'));
  const found = layout
    .entries()
    .filter((entry) =>
      tag === undefined
        ? layout.manifest(entry.digest).annotations?.['dev.sigstore.bundle.predicateType'] ===
          'https://sigstore.dev/cosign/sign/v1'
        : entry.tag === tag,
    );
  const [entry, ...others] = found;
  assert.ok(entry !== undefined && others.length === 0, `${name} has one such manifest`);
  return { layout, digest: entry.digest };
}

const LEGACY = {
  'keytype-rsa2048': 'rsa2048',
  'keytype-rsa3072': 'rsa3072',
  'keytype-rsa4096': 'rsa4096',
  'keytype-ed25519': 'ed25519',
  'keytype-rsa2048-legacy311': 'rsa2048',
  'keytype-rsa3072-legacy311': 'rsa3072',
  'keytype-rsa4096-legacy311': 'rsa4096',
};

for (const [name, kind] of Object.entries(LEGACY)) {
  test(`the .sig manifest of ${name} has the digest of cosign's`, async () => {
    const tag = attachedTag(IMAGE, 'signature');
    const { digest } = recorded(name, tag);
    const identity = ['--sign-container-identity', `localhost:5551/golden/${name}`];
    const path = await seal(`legacy/${name}`, kind, ['--format', 'legacy', ...identity]);
    const bytes = await getManifest(registry.url, path, tag);
    assert.ok(bytes !== undefined);
    assert.equal(digestOf(bytes), digest, new TextDecoder().decode(bytes));
  });
}

for (const kind of ['rsa2048', 'rsa3072', 'rsa4096']) {
  test(`the bundle's manifest of keytype-${kind} has the digest of cosign's`, async () => {
    const { layout, digest } = recorded(`keytype-${kind}`, undefined);
    const created = layout.manifest(digest).annotations?.['org.opencontainers.image.created'] ?? '';
    const env = { SOURCE_DATE_EPOCH: String(Date.parse(created) / 1000) };
    const path = await seal(`bundle/${kind}`, kind, ['--format', 'bundle'], env);
    assert.deepEqual(await getReferrers(registry.url, path, IMAGE), [digest]);
  });
}
