// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  digestOf,
  MediaType,
  MemoryRepository,
  type BlobSource,
  type Descriptor,
  type WrittenManifest,
} from '../oci/index.ts';
import { generatePrivateKey, keySigner, type Signer } from '../trust/index.ts';
import { attachedTag, ImageError, listAttached, signImage, verifyImage, type SignImageOptions } from './index.ts';

const NOW = new Date('2026-11-22T06:47:00.123Z');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (bytes: Uint8Array | undefined): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;

async function newSigner(): Promise<Signer> {
  return keySigner(await generatePrivateKey('ecdsa-p256'));
}

async function push(
  repository: MemoryRepository,
  content: object,
  mediaType: string,
  tag: string,
): Promise<Descriptor> {
  return (
    await repository.putManifest(utf8(JSON.stringify({ schemaVersion: 2, mediaType, ...content })), mediaType, { tag })
  ).descriptor;
}

async function scene(): Promise<{ repository: MemoryRepository; image: Descriptor; signer: Signer }> {
  const repository = new MemoryRepository('registry.example.com/platform/demo-api');
  const config = utf8('{}');
  await repository.putBlob({
    digest: digestOf(config),
    size: 2,
    open: async function* () {
      yield config;
    },
  });
  const descriptor = { mediaType: MediaType.imageConfig, size: 2, digest: digestOf(config) };
  const image = await push(repository, { config: descriptor, layers: [] }, MediaType.imageManifest, 'v1');
  return { repository, image, signer: await newSigner() };
}

describe('signImage', () => {
  it('writes a bundle as a referrer exactly as cosign 3 does', async () => {
    const { repository, image, signer } = await scene();
    const { digest, seals } = await signImage(repository, 'v1', { signer, now: NOW });
    assert.equal(digest, image.digest);
    const [seal] = seals;
    assert.ok(seal?.format === 'bundle' && seal.manifest !== undefined);
    const stored = await repository.manifest(seal.manifest);
    assert.match(
      new TextDecoder().decode(stored?.bytes),
      /^\{"schemaVersion":2,"mediaType":"application\/vnd\.oci\.image\.manifest\.v1\+json","config":\{"mediaType":"application\/vnd\.oci\.empty\.v1\+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","artifactType":"application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json"\},"layers":\[\{"mediaType":"application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json","size":\d+,"digest":"sha256:[0-9a-f]{64}"\}\],"annotations":\{"dev\.sigstore\.bundle\.content":"dsse-envelope","dev\.sigstore\.bundle\.predicateType":"https:\/\/sigstore\.dev\/cosign\/sign\/v1","org\.opencontainers\.image\.created":"2026-11-22T06:47:00Z"\},"subject":\{"mediaType":"application\/vnd\.oci\.image\.manifest\.v1\+json","size":\d+,"digest":"sha256:[0-9a-f]{64}"\},"artifactType":"application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json"\}$/,
    );
  });

  it('refuses to seal what is not there', async () => {
    const { repository, signer } = await scene();
    await assert.rejects(signImage(repository, 'nope', { signer, now: NOW }), { code: 'image-missing' });
    await assert.rejects(signImage(repository, digestOf(utf8('nope')), { signer, now: NOW }), {
      code: 'image-missing',
    });
  });

  it('never writes a seal that does not verify: a signer with the wrong public key is noticed', async () => {
    const { repository, image, signer } = await scene();
    const broken: Signer = { publicKey: (await newSigner()).publicKey, sign: (message) => signer.sign(message) };
    for (const format of ['bundle', 'legacy'] as const) {
      await assert.rejects(signImage(repository, 'v1', { signer: broken, formats: [format], now: NOW }), {
        code: 'seal-not-readable',
      });
    }
    assert.deepEqual((await listAttached(repository, image.digest)).items, []);
  });

  it('verifies a bundle while its blobs are on their way, and writes no manifest before both are done', async () => {
    const { signer, image } = await scene();
    const steps: string[] = [];
    const signed = Promise.withResolvers<void>();
    class Slow extends MemoryRepository {
      override async putBlob(source: BlobSource): Promise<void> {
        steps.push('blob begun');
        await signed.promise;
        await super.putBlob(source);
        steps.push('blob stored');
      }

      override async putManifest(...written: Parameters<MemoryRepository['putManifest']>): Promise<WrittenManifest> {
        steps.push('manifest');
        return super.putManifest(...written);
      }
    }
    const expectation: SignImageOptions['expectation'] = {
      kind: 'keys',
      get keys() {
        steps.push('verified');
        setImmediate(signed.resolve);
        return [signer.publicKey];
      },
    };
    await signImage(new Slow('registry.example.com/app'), [image], { signer, expectation, now: NOW });
    const distinct = [...new Set(steps)];
    assert.deepEqual(distinct, ['blob begun', 'verified', 'blob stored', 'manifest']);
  });

  it('adds a legacy seal to those of others, and does not seal twice with one key', async () => {
    const { repository, image, signer } = await scene();
    const other = await newSigner();
    await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    await signImage(repository, 'v1', { signer: other, formats: ['legacy'], now: NOW });
    const again = await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    assert.equal(again.seals[0]?.format === 'legacy' && again.seals[0].existed, true);
    const stored = await repository.manifest(attachedTag(image.digest, 'signature'));
    assert.equal((json(stored?.bytes)['layers'] as unknown[]).length, 2);
    for (const { publicKey } of [signer, other]) {
      const verdict = await verifyImage(repository, 'v1', { signers: { kind: 'keys', keys: [publicKey] } });
      assert.equal(verdict.kind, 'trusted');
    }
  });

  it('loses no seal when 20 sign at the same moment, in both formats', async () => {
    const { repository, image } = await scene();
    const signers = await Promise.all(Array.from({ length: 20 }, newSigner));
    await Promise.all(
      signers.map((signer) => signImage(repository, 'v1', { signer, formats: ['bundle', 'legacy'], now: NOW })),
    );
    const items = (await listAttached(repository, image.digest)).items;
    assert.equal(items.filter(({ kind }) => kind === 'referrer').length, 20);
    assert.equal(items.find(({ kind }) => kind === 'tag')?.layers.length, 20);
  });

  it('seals an index and every image of it with recursive', async () => {
    const { repository, image, signer } = await scene();
    const index = await push(repository, { manifests: [image] }, MediaType.imageIndex, 'multi');
    const { seals } = await signImage(repository, 'multi', { signer, recursive: true, now: NOW });
    assert.deepEqual(
      seals.map(({ digest }) => digest),
      [index.digest, image.digest],
    );
    const one = await signImage(repository, 'multi', { signer, now: NOW });
    assert.equal(one.seals.length, 1);
  });

  it('writes nothing without upload', async () => {
    const { repository, image, signer } = await scene();
    const { seals } = await signImage(repository, 'v1', {
      signer,
      formats: ['bundle', 'legacy'],
      upload: false,
      now: NOW,
    });
    assert.deepEqual(
      seals.map(({ manifest }) => manifest),
      [undefined, undefined],
    );
    assert.deepEqual((await listAttached(repository, image.digest)).items, []);
  });

  it('makes one legacy seal for each name that the container goes by, all under one tag', async () => {
    const { repository, signer } = await scene();
    const dockerReferences = ['one.example/a', 'two.example/b'];
    const { seals } = await signImage(repository, 'v1', { signer, formats: ['legacy'], dockerReferences, now: NOW });
    const named = seals.map((seal) => (seal.format === 'legacy' ? new TextDecoder().decode(seal.payload) : ''));
    assert.match(named[0] ?? '', /"docker-reference":"one.example\/a"/);
    assert.match(named[1] ?? '', /"docker-reference":"two.example\/b"/);
    const [last] = seals.slice(-1);
    assert.ok(last?.manifest !== undefined);
    const { layers } = json((await repository.manifest(last.manifest))?.bytes);
    assert.equal((layers as readonly Descriptor[]).length, 2);
  });

  it('names the container as it is told in a legacy seal, and keeps the time in its config', async () => {
    const { repository, signer } = await scene();
    const made = await signImage(repository, 'v1', {
      signer,
      formats: ['legacy'],
      dockerReferences: ['example.com/other'],
      recordCreated: true,
      tagPrefix: 'pre-',
      now: NOW,
    });
    const [seal] = made.seals;
    assert.ok(seal?.format === 'legacy' && seal.manifest !== undefined);
    assert.match(seal.tag, /^pre-sha256-[0-9a-f]{64}\.sig$/);
    assert.match(new TextDecoder().decode(seal.payload), /"docker-reference":"example.com\/other"/);
    const manifest = json((await repository.manifest(seal.manifest))?.bytes);
    const config = await repository.blob((manifest['config'] as Descriptor).digest, 4096);
    assert.equal(json(config)['created'], '2026-11-22T06:47:00Z');
  });

  it('writes nothing over what it cannot read under the .sig tag, and says which tag it is', async () => {
    const { repository, image, signer } = await scene();
    const tag = attachedTag(image.digest, 'signature');
    const name = `registry.example.com/platform/demo-api:${tag}`;
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [] };
    const { descriptor } = await repository.putManifest(utf8(JSON.stringify(index)), MediaType.imageIndex, { tag });
    await assert.rejects(signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW }), (error) => {
      assert.ok(error instanceof ImageError && error.code === 'signature-manifest-malformed', String(error));
      assert.ok(error.message.startsWith(`no signature can be added to ${name}: `), error.message);
      return true;
    });
    assert.equal((await repository.resolve(tag))?.digest, descriptor.digest);
  });
});
