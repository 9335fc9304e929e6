// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesBlob, digestOf, MediaType, MemoryRepository, type Digest } from '../oci/index.ts';
import { generatePrivateKey, keySigner, type SealCheck, type Signer } from '../trust/index.ts';
import { GatheredEvidence } from './gathered-evidence.ts';
import type { ExpectedSigners } from './judge.ts';
import { SealChecks } from './seal-checks.ts';
import { signImage } from './sign-image.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const newSigner = async (): Promise<Signer> => keySigner(await generatePrivateKey('ecdsa-p256'));

/** Counts what is verified, and remembers the rest. */
class CountedChecks extends SealChecks {
  verified = 0;

  override check(...[bundle, artifact, material, verify]: Parameters<SealChecks['check']>): Promise<SealCheck> {
    return super.check(bundle, artifact, material, () => {
      this.verified += 1;
      return verify();
    });
  }
}

async function image(
  name = 'r.example/app',
): Promise<{ readonly repository: MemoryRepository; readonly digest: Digest }> {
  const repository = new MemoryRepository(name);
  const config = utf8(JSON.stringify({ name }));
  const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  await repository.putBlob(bytesBlob(config));
  const manifest = utf8(
    JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] }),
  );
  await repository.putManifest(manifest, MediaType.imageManifest, { tag: 'v1' });
  return { repository, digest: digestOf(manifest) };
}

const expecting = ({ publicKey }: Signer): ExpectedSigners => ({
  kind: 'keys',
  keys: [publicKey],
  material: publicKey.hint,
});

describe('what verifying a seal gave', () => {
  for (const format of ['bundle', 'legacy'] as const)
    test(`is known the next time, for the same image and the same signers (${format})`, async () => {
      const { repository, digest } = await image();
      const signer = await newSigner();
      await signImage(repository, digest, { signer, formats: [format], now: new Date() });
      const checks = new CountedChecks(1_000_000);
      for (let round = 0; round < 3; round++) {
        const verdict = await new GatheredEvidence(repository, digest, { checks }).signatures({
          signers: expecting(signer),
        });
        assert.equal(verdict.kind, 'trusted');
      }
      assert.equal(checks.verified, 1);
    });

  test('says nothing of another signer, and nothing of another image', async () => {
    const { repository, digest } = await image();
    const other = await image('r.example/other');
    const [signer, stranger] = [await newSigner(), await newSigner()];
    const { seals } = await signImage(repository, digest, { signer, formats: ['bundle'], now: new Date() });
    const checks = new CountedChecks(1_000_000);
    const ask = async (of: typeof other, by: Signer): Promise<string> =>
      (await new GatheredEvidence(of.repository, of.digest, { checks }).signatures({ signers: expecting(by) })).kind;
    for (let round = 0; round < 2; round++) {
      assert.equal(await ask({ repository, digest }, signer), 'trusted');
      assert.equal(await ask({ repository, digest }, stranger), 'refused');
    }
    const [seal] = seals;
    assert.ok(seal !== undefined && seal.format === 'bundle');
    const artifact = { kind: 'digest', algorithm: 'sha256', hex: other.digest.slice(7) } as const;
    const check = await checks.check(seal.bundle, artifact, signer.publicKey.hint, async () => ({
      kind: 'rejected',
      rejection: { code: 'signature-invalid', found: 'f', expected: 'e' },
    }));
    assert.equal(check.kind, 'rejected');
  });

  test('is verified anew where what it follows from has no name', async () => {
    const { repository, digest } = await image();
    const signer = await newSigner();
    await signImage(repository, digest, { signer, formats: ['bundle'], now: new Date() });
    const checks = new CountedChecks(1_000_000);
    const { material: _, ...signers } = expecting(signer);
    await new GatheredEvidence(repository, digest, { checks }).signatures({ signers });
    assert.deepEqual([checks.verified, checks.bytes], [0, 0]);
  });

  test('keeps within its bytes, and a failure is not kept', async () => {
    const { repository, digest } = await image();
    const signer = await newSigner();
    const checks = new CountedChecks(20_000);
    for (let at = 0; at < 20; at++) {
      const other = await newSigner();
      await signImage(repository, digest, { signer: other, formats: ['bundle'], now: new Date() });
    }
    await new GatheredEvidence(repository, digest, { checks }).signatures({ signers: expecting(signer) });
    assert.equal(checks.verified, 20);
    assert.ok(checks.bytes > 0 && checks.bytes <= 20_000);
    const { seals } = await signImage(repository, digest, { signer, formats: ['bundle'], now: new Date() });
    const [seal] = seals;
    assert.ok(seal !== undefined && seal.format === 'bundle');
    const artifact = { kind: 'digest', algorithm: 'sha256', hex: digest.slice(7) } as const;
    const failing = (): Promise<SealCheck> => Promise.reject(new TypeError('no'));
    for (let round = 0; round < 2; round++)
      await assert.rejects(checks.check(seal.bundle, artifact, 'm', failing), TypeError);
  });
});
