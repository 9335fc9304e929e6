// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, runClient, type ClientName, type ClientRun } from './clients.ts';
import { ARM64, bothKinds, keyFile, Lab, MULTI, pushImages, SINGLE, succeed, type LabRegistry } from './lab.ts';

// What `bulla save` writes is loaded by the real cosign, what `cosign save` writes by bulla, and other programs read a kit as a layout.

const lab = new Lab();
after(() => lab.close());
const registries = bothKinds(lab);
const KEY = keyFile('cosign.key');
const PUBLIC = keyFile('cosign.pub');
let repositories = 0;

/** Images that bulla has sealed, with an attestation. */
async function sealed(registry: LabRegistry, format = 'both'): Promise<string> {
  const name = await pushImages(registry, `kit/app${++repositories}`);
  const home = lab.folder();
  const seal = ['--key', KEY, '--format', format, '--tlog-upload=false', '--yes'];
  const predicate = join(import.meta.dirname, '../golden/_inputs/spdx.json');
  for (const args of [
    ['sign', ...seal, '-r', `${name}:multi`],
    ['sign', ...seal, `${name}:single`],
    ['attest', ...seal, '--type', 'spdxjson', '--predicate', predicate, `${name}:single`],
  ]) {
    const run = await lab.bulla(args, { home });
    assert.equal(run.code, 0, run.stderr);
  }
  return name;
}

/** Uploads files as blobs, each named by its digest, in plain requests. */
async function putBlobs({ origin }: LabRegistry, path: string, folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    const opened = await fetch(`${origin}/v2/${path}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(opened.headers.get('location') ?? '', origin);
    location.searchParams.set('digest', `sha256:${name}`);
    const headers = { 'content-type': 'application/octet-stream' };
    const stored = await fetch(location, { method: 'PUT', headers, body: readFileSync(join(folder, name)) });
    assert.equal(stored.status, 201);
  }
}

/** In which formats the seals are that a verdict counts, each once. */
function formatsOf(verdict: string): readonly string[] {
  const found = [...verdict.matchAll(/"format": "(bundle|legacy)"/g)].map(([, format = '']) => format);
  return [...new Set(found)].toSorted();
}

const VERIFY = ['--key', PUBLIC, '--insecure-ignore-tlog'];
const COSIGNS: readonly ClientName[] = ['cosign-2', 'cosign-3'];

for (const [kind, start] of Object.entries(registries)) {
  for (const [client, format] of [
    ['cosign-2', 'legacy'],
    ['cosign-3', 'legacy'],
    ['cosign-3', 'bundle'],
  ] as const) {
    interop(`${client} loads ${format} seals that bulla saved into ${kind}`, [client], async ([cosign]) => {
      const registry = await start();
      const name = await sealed(registry, format);
      const home = lab.folder();
      for (const tag of ['single', 'multi']) {
        const saved = await lab.bulla(['save', '--dir', `kit-${tag}`, `${name}:${tag}`], { home });
        assert.equal(saved.code, 0, saved.stderr);
        // as what it saved itself: bundles of an index it does not find there
        await succeed(cosign, ['save', '--dir', `own-${tag}`, `${name}:${tag}`], home);
        const locally = (dir: string): Promise<ClientRun> =>
          runClient(cosign, ['verify', ...VERIFY, '--local-image', `${dir}-${tag}`], { home });
        const [own, kit] = [await locally('own'), await locally('kit')];
        assert.equal(kit.code, own.code, kit.stderr);
        if (tag === 'single') assert.equal(kit.code, 0, kit.stderr);
        const path = `kit/loaded${++repositories}`;
        // cosign 3 pushes what names a bundle before the bundle (sigstore/cosign#5030), which registries refuse
        await putBlobs(registry, path, join(home, `kit-${tag}/blobs/sha256`));
        await succeed(cosign, ['load', '--dir', `kit-${tag}`, `${registry.host}/${path}:v1`], home);
        await succeed(cosign, ['verify', ...VERIFY, `${registry.host}/${path}:v1`], home);
        const again = await lab.bulla(['verify', '--all', '--json', ...VERIFY, `${registry.host}/${path}:v1`], {
          home,
        });
        assert.equal(again.code, 0, again.stderr);
        assert.deepEqual(formatsOf(again.stdout), [format]);
      }
    });
  }

  for (const client of COSIGNS) {
    interop(`bulla loads into ${kind} what ${client} saved`, [client], async ([cosign]) => {
      const registry = await start();
      const name = await sealed(registry);
      const home = lab.folder();
      for (const [tag, digest] of [
        ['single', SINGLE],
        ['multi', MULTI],
      ] as const) {
        await succeed(cosign, ['save', '--dir', `saved-${tag}`, `${name}:${tag}`], home);
        const target = `${registry.host}/kit/loaded${++repositories}:v1`;
        const loaded = await lab.bulla(['load', '--dir', `saved-${tag}`, target], { home });
        assert.equal(loaded.code, 0, loaded.stderr);
        assert.equal(loaded.stdout, `${target}@${digest}\n`);
        await succeed(cosign, ['verify', ...VERIFY, target], home);
        const verified = await lab.bulla(['verify', '--all', ...VERIFY, target], { home });
        assert.equal(verified.code, 0, verified.stderr);
      }
    });
  }
}

interop('oras, crane and skopeo read a kit as the layout that it is', ['oras', 'crane', 'skopeo'], async (clients) => {
  const [oras, crane, skopeo] = clients;
  const registry = await lab.serveBulla();
  const name = await sealed(registry);
  const home = lab.folder();
  const saved = await lab.bulla(['save', '--dir', 'kit', `${name}:single`, `${name}:multi`], { home });
  assert.equal(saved.code, 0, saved.stderr);
  const found = await succeed(oras, ['discover', '--oci-layout', '--format', 'json', `kit@${SINGLE}`], home);
  assert.match(found.stdout, /sigstore\.bundle/);
  const inspected = await succeed(skopeo, ['inspect', '--raw', `oci:kit:${name}:multi`], home);
  assert.ok(inspected.stdout.includes(ARM64));
  const copied = [
    'copy',
    '--all',
    '--dest-tls-verify=false',
    `oci:kit:${name}:multi`,
    `docker://${registry.host}/kit/skopeo:v1`,
  ];
  await succeed(skopeo, copied, home);
  assert.equal((await succeed(crane, ['digest', `${registry.host}/kit/skopeo:v1`], home)).stdout.trim(), MULTI);
  await succeed(crane, ['validate', '--remote', `${registry.host}/kit/skopeo:v1`], home);
});

interop(
  'a kit of several images goes into another registry, where cosign verifies it',
  ['cosign-3', 'crane'],
  async (clients) => {
    const [cosign, crane] = clients;
    const [from, to] = [await lab.serveBulla(), await lab.serveDistribution()];
    const name = await sealed(from);
    const home = lab.folder();
    const saved = await lab.bulla(['save', '--dir', 'kit', `${name}:single`, `${name}:multi`], { home });
    assert.equal(saved.code, 0, saved.stderr);
    await from.stop();
    const loaded = await lab.bulla(['load', '--dir', 'kit', '--to', `${to.host}/mirror`], { home });
    assert.equal(loaded.code, 0, loaded.stderr);
    const moved = name.replace(from.host, `${to.host}/mirror`);
    assert.equal(loaded.stdout, `${moved}:single@${SINGLE}\n${moved}:multi@${MULTI}\n`);
    for (const target of [`${moved}:single`, `${moved}:multi`, `${moved}@${ARM64}`])
      await succeed(cosign, ['verify', ...VERIFY, target], home);
    assert.equal((await succeed(crane, ['digest', `${moved}:multi`], home)).stdout.trim(), MULTI);
    const wrong = ['verify', '--key', keyFile('wrong.pub'), '--insecure-ignore-tlog', `${moved}:single`];
    assert.notEqual((await runClient(cosign, wrong, { home })).code, 0);
  },
);
