// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  bytesBlob,
  digestOf,
  fallbackTag,
  MediaType,
  MemoryRepository,
  openLayout,
  RegistryError,
  type Descriptor,
  type Digest,
  type MemoryOptions,
  type Repository,
} from '../../oci/index.ts';
import { generatePrivateKey, keySigner } from '../../trust/index.ts';
import {
  attachedTag,
  attestImage,
  loadImage,
  openKit,
  saveKit,
  signImage,
  verifyAttestations,
  verifyImage,
} from '../index.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const scratch = await mkdtemp(join(tmpdir(), 'bulla-kit-'));
after(() => rm(scratch, { recursive: true, force: true }));
let folders = 0;
const folder = (): string => join(scratch, `kit-${++folders}`);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const us = keySigner(await generatePrivateKey('ecdsa-p256'));
const them = keySigner(await generatePrivateKey('ecdsa-p256'));
const byUs = { signers: { kind: 'keys', keys: [us.publicKey] } } as const;
const SBOM = { predicateType: 'https://spdx.dev/Document', predicate: { spdxVersion: 'SPDX-2.3' } };

async function putImage(to: Repository, text: string, tag?: string): Promise<Descriptor> {
  const [config, layer] = [utf8(`{"architecture":"${text}","os":"linux"}`), utf8(`layer of ${text}`)];
  for (const bytes of [config, layer]) await to.putBlob(bytesBlob(bytes));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) },
    layers: [{ mediaType: MediaType.imageLayer, size: layer.byteLength, digest: digestOf(layer) }],
  };
  return put(to, manifest, tag);
}

async function put(to: Repository, manifest: { readonly mediaType: string }, tag?: string): Promise<Descriptor> {
  const bytes = utf8(JSON.stringify(manifest));
  return (await to.putManifest(bytes, manifest.mediaType, tag === undefined ? {} : { tag })).descriptor;
}

async function putIndex(
  to: Repository,
  tag: string,
): Promise<{ readonly index: Descriptor; readonly children: readonly Descriptor[] }> {
  const children: Descriptor[] = [];
  for (const architecture of ['amd64', 'arm64'])
    children.push({ ...(await putImage(to, architecture)), platform: { os: 'linux', architecture } });
  const index = await put(to, { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: children } as never, tag);
  return { index, children };
}

const layerOf = (text: string): Digest => digestOf(utf8(`layer of ${text}`));
const memory = (name: string, options: MemoryOptions = {}): MemoryRepository =>
  new MemoryRepository(name, { requiresContent: true, ...options });

/** An index with signatures and attestations of both formats on itself and on what it lists. */
async function scene(options: MemoryOptions = {}): Promise<{
  readonly repository: MemoryRepository;
  readonly index: Descriptor;
  readonly children: readonly Descriptor[];
}> {
  const repository = memory('registry.example.com/team/app', options);
  const { index, children } = await putIndex(repository, '1.4');
  await signImage(repository, '1.4', { signer: us, formats: ['bundle', 'legacy'], recursive: true, now: NOW });
  await attestImage(
    repository,
    '1.4',
    { kind: 'predicate', ...SBOM },
    { signer: us, formats: ['bundle', 'legacy'], now: NOW },
  );
  return { repository, index, children };
}

describe('a kit', () => {
  for (const referrersApi of [true, false]) {
    it(`verifies like the registry that it was saved from ${referrersApi ? 'with' : 'without'} the referrers API`, async () => {
      const { repository, index, children } = await scene({ referrersApi });
      const path = folder();
      const saved = await saveKit(path, [{ repository, target: '1.4' }]);
      assert.deepEqual(saved.faults, []);
      assert.deepEqual(saved.images, [
        { name: 'registry.example.com/team/app', tag: '1.4', digest: index.digest, evidence: 8 },
      ]);
      const kit = await openKit(path);
      const from = kit.repository('registry.example.com/team/app');
      assert.ok(from !== undefined);
      for (const digest of ['1.4', index.digest, ...children.map((child) => child.digest)]) {
        const online = await verifyImage(repository, digest, byUs, { all: true });
        const offline = await verifyImage(from, digest, byUs, { all: true });
        assert.equal(offline.kind, 'trusted');
        assert.deepEqual(seals(offline), seals(online));
        assert.equal(seals(offline).length, 2);
      }
      const attested = await verifyAttestations(
        from,
        '1.4',
        { ...byUs, predicateType: SBOM.predicateType },
        { all: true },
      );
      assert.equal(seals(attested).length, 2);
    });
  }

  it('refuses what the registry refuses: an image that nobody sealed', async () => {
    const repository = memory('registry.example.com/team/app');
    await putImage(repository, 'plain', 'v1');
    const path = folder();
    await saveKit(path, [{ repository, target: 'v1' }]);
    const from = (await openKit(path)).repository(repository.name);
    const verdict = from === undefined ? undefined : await verifyImage(from, 'v1', byUs);
    assert.equal(verdict?.kind, 'refused');
    assert.equal(verdict.reason, 'nothing-found');
  });

  it('is undecided about what was not saved, and never says that it is not signed', async () => {
    const { repository } = await scene();
    const other = await putImage(repository, 'other', 'other');
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }]);
    const kit = await openKit(path);
    const from = await kit.open(repository.name);
    for (const target of ['other', other.digest, 'latest']) {
      const verdict = await verifyImage(from, target, byUs);
      assert.equal(verdict.kind, 'undecided', target);
      assert.equal(verdict.cause.code, 'kit-incomplete');
    }
    await assert.rejects(kit.open('registry.example.com/team/other'), { code: 'kit-incomplete' });
    assert.equal(kit.repository('registry.example.com/team/other'), undefined);
  });

  it('keeps the evidence of two repositories apart, though the image is the same', async () => {
    const [staging, prod] = [memory('registry.example.com/staging/app'), memory('registry.example.com/prod/app')];
    const image = await putImage(staging, 'same', 'v1');
    await putImage(prod, 'same', 'v1');
    for (const format of ['bundle', 'legacy'] as const) {
      await signImage(staging, 'v1', { signer: us, formats: [format], now: NOW });
      await signImage(prod, 'v1', { signer: them, formats: [format], now: NOW });
    }
    const path = folder();
    await saveKit(
      path,
      [staging, prod].map((repository) => ({ repository, target: 'v1' })),
    );
    const kit = await openKit(path);
    assert.deepEqual(
      kit.images.map(({ digest }) => digest),
      [image.digest, image.digest],
    );
    const verdicts = [staging, prod].map(
      async ({ name }) => (await verifyImage(await kit.open(name), 'v1', byUs)).kind,
    );
    assert.deepEqual(await Promise.all(verdicts), ['trusted', 'refused']);
  });

  it('has policies and a trusted root with it, byte for byte', async () => {
    const { repository } = await scene();
    const path = folder();
    const policies = [
      { name: '1-a.yaml', bytes: utf8('a: 1') },
      { name: '2-a.yaml', bytes: utf8('a: 2') },
    ];
    const trustRoots = [{ name: 'corp', bytes: utf8('{"corp":1}') }];
    await saveKit(path, [{ repository, target: '1.4' }], { policies, trustedRoot: utf8('{"root":1}'), trustRoots });
    const { files } = await openKit(path);
    const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
    assert.deepEqual(
      files.policies.map(({ name, bytes }) => [name, text(bytes)]),
      [
        ['1-a.yaml', 'a: 1'],
        ['2-a.yaml', 'a: 2'],
      ],
    );
    assert.equal(text(files.trustedRoot), '{"root":1}');
    assert.equal(text(files.trustRoots.get('corp')), '{"corp":1}');
  });

  it('is the same, byte for byte, each time', async () => {
    const { repository } = await scene();
    const [first, second] = [folder(), folder()];
    for (const path of [first, second]) await saveKit(path, [{ repository, target: '1.4' }]);
    assert.deepEqual(await contentOf(first), await contentOf(second));
  });

  it('with a platform has the layers of that platform, and the evidence of all', async () => {
    const { repository, index, children } = await scene();
    const path = folder();
    const saved = await saveKit(path, [{ repository, target: '1.4' }], { platform: 'linux/arm64' });
    assert.equal(saved.images[0]?.digest, index.digest);
    assert.equal(saved.images[0]?.platform, 'linux/arm64');
    const from = await (await openKit(path)).open(repository.name);
    assert.deepEqual([await from.hasBlob(layerOf('amd64')), await from.hasBlob(layerOf('arm64'))], [false, true]);
    for (const { digest } of children) assert.equal((await verifyImage(from, digest, byUs)).kind, 'trusted');
    await assert.rejects(saveKit(folder(), [{ repository, target: '1.4' }], { platform: 'linux/s390x' }), {
      code: 'platform-missing',
    });
  });

  it('finds evidence in other repositories and under other tags, where it is told of them', async () => {
    const repository = memory('registry.example.com/team/app');
    const elsewhere = memory('registry.example.com/team/seals');
    await putImage(repository, 'x', 'v1');
    await signImage(repository, 'v1', {
      signer: us,
      evidence: elsewhere,
      formats: ['legacy'],
      tagPrefix: 'us-',
      now: NOW,
    });
    const path = folder();
    await saveKit(path, [{ repository, target: 'v1', evidence: [{ repository: elsewhere, tagPrefix: 'us-' }] }]);
    const kit = await openKit(path);
    const verdict = await verifyImage(await kit.open(repository.name), 'v1', byUs, {
      evidence: await kit.open(elsewhere.name),
      tagPrefix: 'us-',
    });
    assert.equal(verdict.kind, 'trusted');
  });

  it('takes signatures of an SBOM that lies beside the image', async () => {
    const { repository, index } = await scene();
    const sbom = await putImage(repository, 'sbom', attachedTag(index.digest, 'sbom'));
    await signImage(repository, sbom.digest, { signer: us, formats: ['legacy'], now: NOW });
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }]);
    const from = await (await openKit(path)).open(repository.name);
    assert.equal((await verifyImage(from, attachedTag(index.digest, 'sbom'), byUs)).kind, 'trusted');
  });
});

describe('what is strange beside an image', () => {
  it('is told, and hides nothing else', async () => {
    const { repository, index } = await scene();
    const gone = utf8('gone');
    const manifest = {
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: 'application/vnd.bulla.kit.v1+json', // a stranger's word for it
      config: { mediaType: MediaType.empty, size: gone.byteLength, digest: digestOf(gone) },
      layers: [{ mediaType: 'text/plain', size: 1024 ** 3, digest: digestOf(utf8('huge')) }],
      subject: { mediaType: index.mediaType, size: index.size, digest: index.digest },
    };
    const loose = new MemoryRepository(repository.name, {});
    await copyAll(repository, loose, index);
    await put(loose, manifest);
    const path = folder();
    const { faults } = await saveKit(path, [{ repository: loose, target: '1.4' }]);
    assert.equal(faults.length, 2, faults.join('\n'));
    assert.match(faults.join(), /has 1073741824 bytes, at most 134217728/);
    assert.match(faults.join(), /has no sha256:[0-9a-f]{64}, which evidence names/);
    const from = await (await openKit(path)).open(repository.name);
    assert.equal((await verifyImage(from, '1.4', byUs)).kind, 'trusted');
  });

  it('leaves a kit undecided where more lies there than is read', async () => {
    const { repository, index } = await scene();
    // something else than an index under the fallback tag: older referrers cannot be known
    await putImage(repository, 'strange', fallbackTag(index.digest));
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }]);
    const from = await (await openKit(path)).open(repository.name);
    const byThem = { signers: { kind: 'keys', keys: [them.publicKey] } } as const;
    assert.equal((await verifyImage(from, '1.4', byUs)).kind, 'trusted');
    assert.equal((await verifyImage(from, '1.4', byThem)).kind, 'undecided');
  });

  it('that could not be asked for ends it: nothing is saved that might be less than there is', async () => {
    for (const method of ['referrers', 'manifest', 'openBlob'] as const) {
      let failing = false;
      const { repository } = await scene({
        before: (call) => {
          if (failing && call.method === method) throw new RegistryError('throttled', 'later');
        },
      });
      failing = true;
      const path = folder();
      await assert.rejects(saveKit(path, [{ repository, target: '1.4' }]), { code: 'throttled' });
      await assert.rejects(openKit(path), { code: 'kit-malformed' });
    }
  });
});

describe('saving again', () => {
  it('goes on where a save was broken off: what is there is not fetched again', async () => {
    let broken = true;
    let opened: Digest[] = [];
    const { repository } = await scene({
      before: ({ method, target }) => {
        if (method !== 'openBlob') return;
        opened.push(target as Digest);
        if (broken && target === layerOf('arm64')) throw new RegistryError('unreachable', 'gone');
      },
    });
    const path = folder();
    await assert.rejects(saveKit(path, [{ repository, target: '1.4' }]), { code: 'unreachable' });
    broken = false;
    opened = [];
    await saveKit(path, [{ repository, target: '1.4' }]);
    assert.ok(opened.includes(layerOf('arm64')));
    assert.ok(!opened.includes(layerOf('amd64')));
    assert.equal((await verifyImage(await (await openKit(path)).open(repository.name), '1.4', byUs)).kind, 'trusted');
  });

  it('replaces the kit, and leaves nothing of the one before', async () => {
    const { repository } = await scene();
    await putImage(repository, 'small', 'small');
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }], { policies: [{ name: 'a', bytes: utf8('a') }] });
    await saveKit(path, [{ repository, target: 'small' }]);
    const kit = await openKit(path);
    assert.deepEqual(
      kit.images.map(({ tag }) => tag),
      ['small'],
    );
    assert.deepEqual(kit.files.policies, []);
    const fresh = folder();
    await saveKit(fresh, [{ repository, target: 'small' }]);
    assert.deepEqual(await contentOf(path), await contentOf(fresh));
  });

  it('does not write over a layout of somebody else, nor into a folder with other files', async () => {
    const { repository } = await scene();
    const path = folder();
    const layout = await openLayout(path, { create: true });
    await putImage(layout, 'theirs', 'v1');
    const before = await contentOf(path);
    await assert.rejects(saveKit(path, [{ repository, target: '1.4' }]), { code: 'kit-occupied' });
    assert.deepEqual(await contentOf(path), before);
    const home = folder();
    await mkdir(home);
    await writeFile(join(home, 'letter.txt'), 'dear');
    await assert.rejects(saveKit(home, [{ repository, target: '1.4' }]), { code: 'layout-malformed' });
    assert.deepEqual(await readdir(home), ['letter.txt']);
  });
});

describe('loading', () => {
  for (const referrersApi of [true, false]) {
    it(`brings image and evidence into a registry ${referrersApi ? 'with' : 'without'} the referrers API, the tag last`, async () => {
      const { repository, index, children } = await scene();
      const path = folder();
      await saveKit(path, [{ repository, target: '1.4' }]);
      const kit = await openKit(path);
      const to = memory('registry.example.org/mirror/app', { referrersApi });
      const loaded = await loadImage(await kit.open(repository.name), to, index.digest, { tag: '1.4' });
      assert.deepEqual(loaded, { digest: index.digest, evidence: 8, faults: [] });
      assert.equal(to.calls.findLast(({ method }) => method === 'putManifest')?.target, '1.4');
      for (const target of ['1.4', ...children.map(({ digest }) => digest)]) {
        assert.equal(seals(await verifyImage(to, target, byUs, { all: true })).length, 2);
      }
      const sbom = { ...byUs, predicateType: SBOM.predicateType };
      assert.equal(seals(await verifyAttestations(to, '1.4', sbom, { all: true })).length, 2);
    });
  }

  it('keeps the seals that others have laid there', async () => {
    const { repository, index } = await scene();
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }]);
    const to = memory('registry.example.org/mirror/app');
    await putIndex(to, '1.4');
    await signImage(to, '1.4', { signer: them, formats: ['bundle', 'legacy'], now: NOW });
    const from = await (await openKit(path)).open(repository.name);
    for (let times = 0; times < 2; times++) await loadImage(from, to, index.digest, { tag: '1.4' });
    const both = { signers: { kind: 'keys', keys: [us.publicKey, them.publicKey] } } as const;
    assert.equal(seals(await verifyImage(to, '1.4', both, { all: true })).length, 4);
  });

  it('of a platform puts its image in the place of the index', async () => {
    const { repository, index, children } = await scene();
    const path = folder();
    await saveKit(path, [{ repository, target: '1.4' }], { platform: 'linux/arm64' });
    const kit = await openKit(path);
    const from = await kit.open(repository.name);
    const to = memory('registry.example.org/mirror/app');
    const loaded = await loadImage(from, to, index.digest, { tag: '1.4', platform: 'linux/arm64' });
    assert.equal(loaded.digest, children[1]?.digest);
    assert.equal((await verifyImage(to, '1.4', byUs)).kind, 'trusted');
    // a registry that wants all that an index lists does not take the index
    const whole = loadImage(from, memory('registry.example.org/a/b'), index.digest, { tag: '1', held: 'linux/arm64' });
    await assert.rejects(whole, { code: 'content-missing', message: /only some platforms/ });
    await loadImage(from, new MemoryRepository('registry.example.org/a/b'), index.digest, { held: 'linux/arm64' });
  });
});

function seals(verdict: {
  readonly kind: string;
  readonly seals?: readonly { readonly place: { manifest: Digest } }[];
}): readonly Digest[] {
  return (verdict.seals ?? []).map(({ place }) => place.manifest).toSorted();
}

async function contentOf(path: string): Promise<readonly (readonly [string, string])[]> {
  const names = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const read = names.map(async ({ parentPath, name }) => {
    const file = join(parentPath, name);
    return [file.slice(path.length), digestOf(await readFile(file))] as const;
  });
  return (await Promise.all(read)).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

async function copyAll(from: Repository, to: Repository, root: Descriptor): Promise<void> {
  await loadImage(from, to, root.digest, { tag: '1.4' });
}
