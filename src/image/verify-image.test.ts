// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bytesBlob,
  digestOf,
  fallbackTag,
  MediaType,
  MemoryRepository,
  RegistryError,
  type Descriptor,
  type Digest,
} from '../oci/index.ts';
import {
  assembleTrustedRoot,
  encodeBundle,
  encodeSimpleSigning,
  generatePrivateKey,
  keySigner,
  signBundle,
  type PublicKey,
  type Signer,
} from '../trust/index.ts';
import { encodeBase64 } from '../wire/index.ts';
import { attachBundle } from './attach-bundle.ts';
import { attachedTag, signImage, verifyImage, type Expectation, type Verdict } from './index.ts';

const NOW = new Date('2026-11-22T06:47:00Z');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function key(): Promise<Signer> {
  return keySigner(await generatePrivateKey('ecdsa-p256'));
}

function byKey(...keys: PublicKey[]): Expectation {
  return { signers: { kind: 'keys', keys } };
}

async function pushImage(repository: MemoryRepository, content = 'hello', tag?: string): Promise<Descriptor> {
  const config = utf8(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { content } },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  );
  await repository.putBlob(bytesBlob(config));
  const manifest = utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      config: { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) },
      layers: [],
    }),
  );
  return (await repository.putManifest(manifest, MediaType.imageManifest, tag === undefined ? {} : { tag })).descriptor;
}

interface Scene {
  readonly repository: MemoryRepository;
  readonly image: Descriptor;
  readonly signer: Signer;
  readonly trusted: Expectation;
  /** from now on, this method fails with that */
  fail(method: string, error: Error): void;
}

async function scene(): Promise<Scene> {
  const failures = new Map<string, Error>();
  const repository = new MemoryRepository('registry.example.com/platform/demo-api', {
    before({ method }) {
      const failure = failures.get(method);
      if (failure !== undefined) throw failure;
    },
  });
  const image = await pushImage(repository, 'hello', 'v1');
  const signer = await key();
  return {
    repository,
    image,
    signer,
    trusted: byKey(signer.publicKey),
    fail: (method, error) => void failures.set(method, error),
  };
}

function refused(verdict: Verdict): Extract<Verdict, { kind: 'refused' }> {
  assert.equal(verdict.kind, 'refused');
  return verdict;
}

/** Lays arbitrary bytes beside an image as if they were a seal. */
async function layBeside(
  repository: MemoryRepository,
  subject: Digest,
  layer: Uint8Array,
  over: {
    artifactType?: string;
    layerType?: string;
    annotations?: Record<string, string>;
    /** layers before it */
    others?: readonly Descriptor[];
  } = {},
): Promise<void> {
  const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  await repository.putBlob(bytesBlob(utf8('{}')));
  await repository.putBlob(bytesBlob(layer));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    artifactType: over.artifactType ?? type,
    config: { mediaType: MediaType.empty, size: 2, digest: digestOf(utf8('{}')) },
    layers: [
      ...(over.others ?? []),
      { mediaType: over.layerType ?? type, size: layer.byteLength, digest: digestOf(layer) },
    ],
    subject: { mediaType: MediaType.imageManifest, size: 2, digest: subject },
    annotations: over.annotations ?? {},
  };
  await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest);
}

async function bundleOf(signer: Signer, subject: Digest, predicateType?: string): Promise<Uint8Array> {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: subject.slice(7) }, annotations: {} }],
    predicateType: predicateType ?? 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  };
  return encodeBundle(await signBundle(utf8(JSON.stringify(statement)), signer));
}

describe('verifyImage', () => {
  for (const format of ['bundle', 'legacy'] as const) {
    it(`trusts an image that the expected key sealed as ${format}, by tag and by digest`, async () => {
      const { repository, image, signer, trusted } = await scene();
      await signImage(repository, 'v1', { signer, formats: [format], now: NOW });
      for (const target of ['v1', image.digest]) {
        const verdict = await verifyImage(repository, target, trusted);
        assert.equal(verdict.kind, 'trusted');
        assert.equal(verdict.digest, image.digest);
        assert.equal(verdict.kind === 'trusted' && verdict.seals[0].format, format);
        assert.equal(verdict.kind === 'trusted' && verdict.seals[0].log, 'not-checked');
      }
    });
  }

  it('finds a seal behind stray layers, and does not read those of a manifest that has ever more', async () => {
    const { repository, image, signer, trusted } = await scene();
    const stray = utf8('no seal');
    await repository.putBlob(bytesBlob(stray));
    const strays = (count: number, mediaType: string): readonly Descriptor[] =>
      Array.from({ length: count }, () => ({ mediaType, size: stray.byteLength, digest: digestOf(stray) }));
    const seal = await bundleOf(signer, image.digest);
    await layBeside(repository, image.digest, stray, {
      artifactType: 'x/y',
      layerType: 'x/y',
      others: strays(500, 'x/y'),
    });
    assert.equal(refused(await verifyImage(repository, image.digest, trusted)).reason, 'nothing-found');
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    await layBeside(repository, image.digest, seal, { others: strays(120, type) });
    const { nearest, rejected } = refused(await verifyImage(repository, image.digest, trusted));
    assert.equal(nearest?.code, 'bundle-malformed');
    assert.match(rejected.find(({ code }) => code === 'too-large')?.found ?? '', /^121 layers$/);
    await layBeside(repository, image.digest, seal, { others: strays(40, 'x/y') });
    assert.equal((await verifyImage(repository, image.digest, trusted)).kind, 'trusted');
  });

  it('accepts any of several keys, so that they can overlap', async () => {
    const { repository, signer } = await scene();
    await signImage(repository, 'v1', { signer, now: NOW });
    const verdict = await verifyImage(repository, 'v1', byKey((await key()).publicKey, signer.publicKey));
    assert.ok(verdict.kind === 'trusted' && verdict.seals[0].signer.kind === 'key');
    assert.equal(verdict.seals[0].signer.key.hint, signer.publicKey.hint);
  });

  it('refuses an image that nobody sealed as nothing-found, having read every place', async () => {
    const { repository, trusted } = await scene();
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.equal(verdict.reason, 'nothing-found');
    assert.ok(verdict.places.length >= 2);
    assert.ok(verdict.places.every(({ outcome }) => outcome === 'read' || outcome === 'absent'));
  });

  it('tells an image that is not there from one that is not sealed', async () => {
    const { repository, trusted } = await scene();
    assert.equal(refused(await verifyImage(repository, 'nope', trusted)).reason, 'image-missing');
    assert.equal(refused(await verifyImage(repository, digestOf(utf8('nope')), trusted)).reason, 'image-missing');
  });

  it('refuses the seal of another key and says so', async () => {
    const { repository, trusted } = await scene();
    await signImage(repository, 'v1', { signer: await key(), formats: ['bundle', 'legacy'], now: NOW });
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.equal(verdict.reason, 'none-accepted');
    assert.deepEqual(
      verdict.rejected.map(({ code, format }) => [code, format]),
      [
        ['signature-invalid', 'bundle'],
        ['signature-invalid', 'legacy'],
      ],
    );
  });

  it('finds the good legacy seal behind a bundle by somebody else', async () => {
    const { repository, signer, trusted } = await scene();
    await signImage(repository, 'v1', { signer: await key(), formats: ['bundle'], now: NOW });
    await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    const verdict = await verifyImage(repository, 'v1', trusted);
    assert.equal(verdict.kind, 'trusted');
    assert.equal(verdict.rejected.length, 1);
  });

  it('asks no further place once the expectation is met, and names those it did not ask', async () => {
    const { repository, signer, trusted } = await scene();
    await signImage(repository, 'v1', { signer, formats: ['bundle', 'legacy'], now: NOW });
    const verdict = await verifyImage(repository, 'v1', trusted);
    assert.ok(verdict.places.some(({ name, outcome }) => name === 'signature-tag' && outcome === 'not-asked'));
    const all = await verifyImage(repository, 'v1', trusted, { all: true });
    assert.equal(all.kind === 'trusted' && all.seals.length, 2);
    assert.ok(all.places.every(({ outcome }) => outcome !== 'not-asked'));
  });

  it('refuses the seal of another image that was laid beside this one, in both formats', async () => {
    const { repository, image, signer, trusted } = await scene();
    const other = await pushImage(repository, 'other', 'v2');
    await layBeside(repository, other.digest, await bundleOf(signer, image.digest));
    assert.equal(refused(await verifyImage(repository, 'v2', trusted)).nearest?.code, 'subject-mismatch');
    await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    const stored = await repository.manifest(attachedTag(image.digest, 'signature'));
    assert.ok(stored !== undefined);
    await repository.putManifest(stored.bytes, stored.descriptor.mediaType, {
      tag: attachedTag(other.digest, 'signature'),
    });
    const verdict = refused(await verifyImage(repository, 'v2', trusted));
    assert.deepEqual(
      verdict.rejected.map(({ code }) => code),
      ['subject-mismatch', 'subject-mismatch'],
    );
  });

  it('never counts an attestation of another predicate type: such an image is not sealed', async () => {
    const { repository, image, signer, trusted } = await scene();
    await layBeside(repository, image.digest, await bundleOf(signer, image.digest, 'https://spdx.dev/Document'));
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.equal(verdict.reason, 'nothing-found');
    assert.equal(verdict.nearest?.code, 'predicate-type-mismatch');
  });

  it('excludes nothing by what a stranger can write: artifact type, layer type, annotations', async () => {
    const { repository, image, signer, trusted } = await scene();
    const over = {
      artifactType: 'text/x-stranger',
      layerType: 'application/octet-stream',
      annotations: { 'dev.sigstore.bundle.predicateType': 'https://spdx.dev/Document' },
    };
    await layBeside(repository, image.digest, await bundleOf(signer, image.digest), over);
    assert.equal((await verifyImage(repository, 'v1', trusted)).kind, 'trusted');
  });

  it('does not let garbage hide a good seal, and reports it as a seal that is malformed when there is no other', async () => {
    const { repository, image, signer, trusted } = await scene();
    await layBeside(repository, image.digest, utf8('{"not":"a bundle"}'));
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.equal(verdict.reason, 'none-accepted');
    assert.equal(verdict.nearest?.code, 'bundle-malformed');
    await layBeside(repository, image.digest, await bundleOf(signer, image.digest));
    assert.equal((await verifyImage(repository, 'v1', trusted)).kind, 'trusted');
  });

  it('takes a referrer that is no seal for what it is: an image with an SBOM beside it is not sealed', async () => {
    const { repository, image, trusted } = await scene();
    await layBeside(repository, image.digest, utf8('SPDXVersion: SPDX-2.3'), {
      artifactType: 'text/spdx',
      layerType: 'text/spdx',
    });
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.deepEqual([verdict.reason, verdict.rejected], ['nothing-found', []]);
  });

  it('counts a seal once that the API and the fallback tag both list', async () => {
    const { repository, image, signer, trusted } = await scene();
    await signImage(repository, 'v1', { signer, now: NOW });
    const { descriptors } = await repository.referrers(image.digest);
    const index = utf8(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: descriptors }));
    await repository.putManifest(index, MediaType.imageIndex, { tag: fallbackTag(image.digest) });
    const verdict = await verifyImage(repository, 'v1', trusted, { all: true });
    assert.ok(verdict.kind === 'trusted');
    assert.equal(verdict.seals.length, 1);
  });

  it('takes the image that `cosign copy` leaves under the fallback tag for no listing at all', async () => {
    const repository = new MemoryRepository('registry.example.com/copied', { referrersApi: false });
    const image = await pushImage(repository, 'hello', 'v1');
    await pushImage(repository, 'hello', fallbackTag(image.digest));
    const signer = await key();
    const trusted = byKey(signer.publicKey);
    assert.equal(refused(await verifyImage(repository, 'v1', trusted)).reason, 'nothing-found');
    await signImage(repository, 'v1', { signer, now: NOW });
    assert.equal((await verifyImage(repository, 'v1', trusted)).kind, 'trusted');
  });

  it('demands annotations, in both formats', async () => {
    for (const format of ['bundle', 'legacy'] as const) {
      const { repository, signer, trusted } = await scene();
      await signImage(repository, 'v1', {
        signer,
        formats: [format],
        annotations: { env: 'prod', build: '42' },
        now: NOW,
      });
      assert.equal((await verifyImage(repository, 'v1', { ...trusted, annotations: { env: 'prod' } })).kind, 'trusted');
      const other = refused(await verifyImage(repository, 'v1', { ...trusted, annotations: { env: 'dev' } }));
      assert.deepEqual(
        [other.nearest?.code, other.nearest?.found, other.nearest?.expected],
        ['annotation-mismatch', 'env=prod', 'env=dev'],
      );
      const missing = refused(await verifyImage(repository, 'v1', { ...trusted, annotations: { constructor: 'x' } }));
      assert.equal(missing.nearest?.found, 'no annotation constructor');
    }
  });

  it('drops the claims of a legacy seal with check-claims off, and says that it did', async () => {
    const { repository, image, signer, trusted } = await scene();
    const other = await pushImage(repository, 'other', 'v2');
    await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    const stored = await repository.manifest(attachedTag(image.digest, 'signature'));
    assert.ok(stored !== undefined);
    await repository.putManifest(stored.bytes, stored.descriptor.mediaType, {
      tag: attachedTag(other.digest, 'signature'),
    });
    const verdict = await verifyImage(repository, 'v2', { ...trusted, checkClaims: false });
    assert.equal(verdict.kind, 'trusted');
    assert.deepEqual(verdict.weakened, ['claims-not-checked']);
  });

  it('tells key seals from certificates where an identity is asked', async () => {
    const { repository, signer } = await scene();
    await signImage(repository, 'v1', { signer, formats: ['bundle', 'legacy'], now: NOW });
    const evidence = { trustedRoot: assembleTrustedRoot({}) };
    const verdict = refused(
      await verifyImage(repository, 'v1', { signers: { kind: 'identities', identities: [], evidence } }),
    );
    assert.equal(verdict.reason, 'key-seals-only');
  });

  it('refuses a legacy payload that is not a container image signature', async () => {
    const { repository, image, signer, trusted } = await scene();
    const payload = encodeSimpleSigning({
      dockerReference: 'x',
      manifestDigest: image.digest,
      type: 'atomic container signature',
      optional: null,
    });
    const { attachLegacy } = await import('./attach-legacy.ts');
    const layer = { payload, signature: encodeBase64(await signer.sign(payload)) };
    await attachLegacy(repository, attachedTag(image.digest, 'signature'), layer, signer.publicKey);
    assert.equal(refused(await verifyImage(repository, 'v1', trusted)).nearest?.code, 'claims-mismatch');
  });

  it('looks in the evidence repository instead, where one is given', async () => {
    const { repository, signer, trusted } = await scene();
    const evidence = new MemoryRepository('registry.example.com/seals');
    await signImage(repository, 'v1', { signer, evidence, formats: ['bundle', 'legacy'], now: NOW });
    assert.equal(refused(await verifyImage(repository, 'v1', trusted)).reason, 'nothing-found');
    const verdict = await verifyImage(repository, 'v1', trusted, { evidence, all: true });
    assert.equal(verdict.kind === 'trusted' && verdict.seals.length, 2);
  });
});

describe('verifyImage, when not everything can be read', () => {
  it('is undecided, never "not sealed", when a place cannot be asked', async () => {
    const { repository, trusted, fail } = await scene();
    fail('referrers', new RegistryError('throttled', 'too many requests'));
    const verdict = await verifyImage(repository, 'v1', trusted);
    assert.equal(verdict.kind, 'undecided');
    assert.equal(verdict.kind === 'undecided' && verdict.cause.code, 'throttled');
  });

  it('trusts a good seal in one place though another cannot be asked', async () => {
    const { repository, signer, trusted, fail } = await scene();
    await signImage(repository, 'v1', { signer, formats: ['legacy'], now: NOW });
    fail('referrers', new RegistryError('server-error', 'oops'));
    const verdict = await verifyImage(repository, 'v1', trusted);
    assert.equal(verdict.kind, 'trusted');
    assert.equal(verdict.places[0]?.outcome, 'failed');
  });

  it('is undecided when a seal could not be fetched and no other is good', async () => {
    const { repository, signer, fail } = await scene();
    await signImage(repository, 'v1', { signer, now: NOW });
    fail('blob', new RegistryError('digest-mismatch', 'the registry sent other bytes'));
    const verdict = await verifyImage(repository, 'v1', byKey(signer.publicKey));
    assert.equal(verdict.kind, 'undecided');
  });

  it('is undecided when a cap ends the search, and names how many of how many were read', async () => {
    const { repository, image, trusted } = await scene();
    for (let n = 0; n < 5; n++) await layBeside(repository, image.digest, await bundleOf(await key(), image.digest));
    const verdict = await verifyImage(repository, 'v1', trusted, { limits: { maxCandidates: 3 } });
    assert.equal(verdict.kind, 'undecided');
    assert.equal(verdict.kind === 'undecided' && verdict.cause.code, 'evidence-capped');
    assert.match(verdict.kind === 'undecided' ? verdict.cause.message : '', /3 of 5/);
  });

  it('counts a cap for nothing once a good seal was found', async () => {
    const { repository, image, signer, trusted } = await scene();
    for (let n = 0; n < 5; n++)
      await layBeside(repository, image.digest, await bundleOf(signer, image.digest), { annotations: { n: `${n}` } });
    assert.equal((await verifyImage(repository, 'v1', trusted, { limits: { maxCandidates: 3 } })).kind, 'trusted');
  });

  it('is undecided on a fault of our own: an unknown error never admits', async () => {
    const { repository, trusted, fail } = await scene();
    fail('referrers', new TypeError('a bug'));
    const verdict = await verifyImage(repository, 'v1', trusted);
    assert.equal(verdict.kind === 'undecided' && verdict.cause.code, 'unexpected');
  });

  it('reports a listed seal that is not there, and a seal that is larger than any', async () => {
    const { repository, image, signer, trusted } = await scene();
    const bundle = await signBundle(utf8('{}'), signer);
    const { descriptor } = await attachBundle(repository, { subject: image, bundle, predicateType: 'x', now: NOW });
    await repository.deleteManifest(descriptor.digest);
    await layBeside(repository, image.digest, new Uint8Array(2048));
    const verdict = refused(await verifyImage(repository, 'v1', trusted, { limits: { maxSealBytes: 1024 } }));
    assert.ok(verdict.rejected.some(({ code }) => code === 'too-large'));
  });

  it('refuses a .sig tag that is no manifest of signatures as a seal that is malformed', async () => {
    const { repository, image, trusted } = await scene();
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [] };
    const tag = attachedTag(image.digest, 'signature');
    await repository.putManifest(utf8(JSON.stringify(index)), MediaType.imageIndex, { tag });
    const verdict = refused(await verifyImage(repository, 'v1', trusted));
    assert.equal(verdict.reason, 'none-accepted');
    assert.deepEqual(
      verdict.rejected.map(({ code, found }) => [code, found]),
      [['manifest-malformed', 'it is an index, expected an image manifest']],
    );
  });
});
