// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { bytesBlob, digestOf, MediaType, MemoryRepository, type Descriptor } from '../oci/index.ts';
import { BEGIN, END, newTestKeys, newTestStack } from '../trust/certificate/authority.fixture.ts';
import {
  certificateIdentity,
  compileIdentity,
  keySigner,
  timestampAuthority,
  type LogBody,
  type LogWitness,
  type Signer,
  type TimestampWitness,
  type TrustedRoot,
} from '../trust/index.ts';
import { newTestLog, type TestLog } from '../trust/log/log.fixture.ts';
import { answerOf, newTestAuthority } from '../trust/timestamp/timestamp.fixture.ts';
import { listAttached, signImage, verifyImage, type ExpectedSigners } from './index.ts';

const GOLDEN = join(import.meta.dirname, '../../test/golden');
const now = new Date('2026-06-01T00:06:00Z');

async function newImage(): Promise<{ readonly repository: MemoryRepository; readonly image: Descriptor }> {
  const repository = new MemoryRepository('registry.example.com/platform/demo-api');
  const config = new TextEncoder().encode('{}');
  await repository.putBlob(bytesBlob(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { mediaType: MediaType.imageConfig, size: 2, digest: digestOf(config) },
    layers: [],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const { descriptor: image } = await repository.putManifest(bytes, MediaType.imageManifest, { tag: 'v1' });
  return { repository, image };
}

describe('signing an image by a certificate, with a clock and a log', () => {
  let signer: Signer;
  let clock: TimestampWitness;
  let log: LogWitness;
  let log2: LogWitness;
  let expectation: Extract<ExpectedSigners, { kind: 'identities' }>;

  before(async () => {
    const keys = await newTestKeys();
    const [{ leaf, intermediate, root, authority }, tsa] = await Promise.all([newTestStack(keys), newTestAuthority()]);
    const [v1, v2] = await Promise.all([newTestLog(1), newTestLog(2)]);
    signer = { ...keySigner(keys.leaf.private), certificate: [leaf.der, intermediate.der, root.der] };
    clock = { kind: 'timestamp-authority', name: 'clock', timestamp: async (signature) => answerOf(tsa, signature) };
    log = witnessOf(v1, 1);
    log2 = witnessOf(v2, 2);
    const validFor = { start: BEGIN, end: END };
    const trustedRoot: TrustedRoot = {
      logs: [v1.log, v2.log],
      certificateLogs: [],
      certificateAuthorities: [{ ...authority, validFor }],
      timestampAuthorities: [timestampAuthority([tsa.leaf, tsa.root], { validFor })],
      skipped: [],
    };
    const whose = certificateIdentity(leaf);
    assert.ok(whose.kind === 'accepted');
    const { subject, claims } = whose.identity;
    const identity = await compileIdentity({ subject: { exact: subject }, issuer: { exact: claims.issuer ?? '' } });
    const evidence = { trustedRoot, ignoreScts: true, signedTimestamps: true };
    expectation = { kind: 'identities', identities: [identity], evidence };
  });

  for (const format of ['bundle', 'legacy'] as const) {
    it(`writes a seal of format ${format} that verifies by identity, log and time`, async () => {
      const { repository, image } = await newImage();
      const made = await signImage(repository, 'v1', {
        signer,
        witnesses: [clock, log],
        expectation,
        formats: [format],
        now,
      });
      assert.equal(made.seals[0]?.format, format);
      const verdict = await verifyImage(repository, image.digest, { signers: expectation });
      assert.ok(verdict.kind === 'trusted', JSON.stringify(verdict));
      const [seal] = verdict.seals;
      assert.equal(seal.format, format);
      assert.equal(seal.evidence?.logEntries.length, 1);
      assert.equal(seal.evidence.timestamps.length, 1);
    });

    it(`writes nothing of format ${format} that a verifier would not take`, async () => {
      const { repository, image } = await newImage();
      const stranger = await newTestLog(1);
      for (const [witnesses, code] of [
        [[log], /timestamp-missing/],
        [[clock], /log-missing/],
        [[clock, witnessOf(stranger, 1)], /log-unknown/],
      ] as const)
        await assert.rejects(signImage(repository, 'v1', { signer, witnesses, expectation, formats: [format], now }), {
          code: 'seal-not-readable',
          message: code,
        });
      assert.deepEqual((await listAttached(repository, image.digest)).items, []);
    });

    it(`writes nothing of format ${format} where a witness fails`, async () => {
      const { repository, image } = await newImage();
      const failing: LogWitness = { ...log, enter: () => Promise.reject(new Error('the log is away')) };
      const witnesses = [clock, failing];
      await assert.rejects(signImage(repository, 'v1', { signer, witnesses, formats: [format], now }), {
        message: 'the log is away',
      });
      assert.deepEqual((await listAttached(repository, image.digest)).items, []);
    });
  }

  it('writes annotations as cosign 2 does, and says which', async () => {
    const { repository } = await newImage();
    const { seals } = await signImage(repository, 'v1', { signer, witnesses: [clock, log], formats: ['legacy'], now });
    const [seal] = seals;
    assert.ok(seal?.format === 'legacy' && seal.manifest !== undefined);
    const stored = await repository.manifest(seal.manifest);
    const annotations = annotationsIn(Buffer.from(stored?.bytes ?? []).toString());
    const { 'dev.cosignproject.cosign/signature': _signature, ...beside } = annotations;
    assert.deepEqual(beside, seal.annotations);
    assert.deepEqual(Object.keys(JSON.parse(annotations['dev.sigstore.cosign/rfc3161timestamp'] ?? '{}')), [
      'SignedRFC3161Timestamp',
    ]);
    const recorded = recordedAnnotations('keyless-2.5.0-env');
    const ours = Object.keys(annotations).filter((name) => name !== 'dev.sigstore.cosign/rfc3161timestamp');
    assert.deepEqual(ours, Object.keys(recorded));
    for (const name of ['dev.sigstore.cosign/certificate', 'dev.sigstore.cosign/chain'])
      assert.equal(outlineOf(annotations[name]), outlineOf(recorded[name]));
    const promise = (text = '{}'): readonly string[] => {
      const { Payload, ...others } = JSON.parse(text) as { Payload: object };
      return [...Object.keys(others), ...Object.keys(Payload)];
    };
    assert.deepEqual(
      promise(annotations['dev.sigstore.cosign/bundle']),
      promise(recorded['dev.sigstore.cosign/bundle']),
    );
  });

  it('refuses what the legacy format has no place for, and writes nothing', async () => {
    const { repository, image } = await newImage();
    for (const witnesses of [
      [clock, log2],
      [log, log],
      [clock, clock],
    ])
      await assert.rejects(signImage(repository, 'v1', { signer, witnesses, formats: ['legacy'], now }), {
        code: 'evidence-uncarried',
      });
    assert.deepEqual((await listAttached(repository, image.digest)).items, []);
    const { seals } = await signImage(repository, 'v1', { signer, witnesses: [clock, log2], expectation, now });
    assert.equal(seals[0]?.format, 'bundle');
  });

  it('seals the images of an index each with evidence of its own', async () => {
    const { repository, image } = await newImage();
    const { mediaType, size, digest } = image;
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [{ mediaType, size, digest }] };
    await repository.putManifest(new TextEncoder().encode(JSON.stringify(index)), MediaType.imageIndex, { tag: 'all' });
    const { seals } = await signImage(repository, 'all', {
      signer,
      witnesses: [clock, log],
      expectation,
      recursive: true,
      now,
    });
    const places = seals.map((seal) => (seal.format === 'bundle' ? seal.bundle.logEntries[0]?.logIndex : undefined));
    assert.equal(new Set(places).size, 2);
  });
});

function witnessOf(log: TestLog, majorVersion: 1 | 2): LogWitness {
  return {
    kind: 'log',
    name: log.origin,
    enter: async ({ signature, verifier, content }) => {
      const der = verifier.kind === 'certificate' ? verifier.certificate.der : verifier.key.spki;
      const by = { kind: verifier.kind, der, chain: [] } as const;
      assert.ok(content.kind !== 'digest');
      const { kind } = content;
      const message = kind === 'bytes' ? content.bytes : envelopeOctets(content.envelope);
      const digest = { algorithm: 'sha256', bytes: hash('sha256', message, 'buffer') } as const;
      const body: LogBody =
        majorVersion === 1
          ? { kind: 'hashedrekord', version: '0.0.1', digest, signature, verifier: by }
          : {
              kind: 'hashedrekord',
              version: '0.0.2',
              digest,
              signature,
              verifier: by,
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
            };
      return log.enter(body);
    },
  };
}

function envelopeOctets({
  payloadType,
  payload,
}: {
  readonly payloadType: string;
  readonly payload: Uint8Array;
}): Buffer {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function recordedAnnotations(name: string): Readonly<Record<string, string>> {
  const blobs = globSync('layout/blobs/sha256/*', { cwd: join(GOLDEN, name) });
  const texts = blobs.map((path) => readFileSync(join(GOLDEN, name, path), 'utf8'));
  return annotationsIn(texts.find((text) => text.includes('dev.sigstore.cosign/bundle')) ?? assert.fail());
}

function annotationsIn(manifest: string): Readonly<Record<string, string>> {
  const { layers } = JSON.parse(manifest) as { layers: [{ annotations: Record<string, string> }] };
  return layers[0].annotations;
}

/** PEM without what is in it. */
function outlineOf(pem = ''): string {
  return pem.replace(/-----\n[^-]+\n-----/g, '-----\n…\n-----');
}
