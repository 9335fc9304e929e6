// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesBlob, digestOf, MediaType, MemoryRepository } from '../oci/index.ts';
import { generatePrivateKey, keySigner, type PublicKey, type Signer } from '../trust/index.ts';
import { attestImage, GatheredEvidence, signImage, type Expectation } from './index.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const TYPE = 'https://example.com/predicate';

async function newSigner(): Promise<Signer> {
  return keySigner(await generatePrivateKey('ecdsa-p256'));
}

async function sealedImage(...signers: readonly Signer[]): Promise<MemoryRepository> {
  const repository = new MemoryRepository('registry.example.com/app');
  const config = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
  await repository.putBlob(bytesBlob(config));
  const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const manifest = { schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] };
  await repository.putManifest(new TextEncoder().encode(JSON.stringify(manifest)), MediaType.imageManifest, {
    tag: 'v1',
  });
  for (const signer of signers) await signImage(repository, 'v1', { signer, now: NOW, formats: ['bundle', 'legacy'] });
  return repository;
}

function byKey(...keys: readonly PublicKey[]): Expectation {
  return { signers: { kind: 'keys', keys } };
}

describe('gathered evidence', () => {
  it('is judged by any number of expectations for the requests of one', async () => {
    const [one, two, stranger] = await Promise.all([newSigner(), newSigner(), newSigner()]);
    const repository = await sealedImage(one, two);
    await attestImage(
      repository,
      'v1',
      { kind: 'predicate', predicateType: TYPE, predicate: {} },
      { signer: one, now: NOW },
    );
    const evidence = new GatheredEvidence(repository, 'v1', { attestations: true });
    assert.equal((await evidence.signatures(byKey(stranger.publicKey))).kind, 'refused');
    const { signers } = byKey(stranger.publicKey);
    assert.equal((await evidence.attestations({ signers, predicateType: TYPE })).kind, 'refused');
    const asked = repository.count();
    for (const signer of [one, two]) assert.equal((await evidence.signatures(byKey(signer.publicKey))).kind, 'trusted');
    assert.equal((await evidence.signatures(byKey(stranger.publicKey))).kind, 'refused');
    const mine = byKey(one.publicKey).signers;
    assert.equal((await evidence.attestations({ signers: mine, predicateType: TYPE })).kind, 'trusted');
    assert.equal(
      (await evidence.attestations({ signers: mine, predicateType: 'https://other.example' })).kind,
      'refused',
    );
    assert.equal(repository.count(), asked);
  });

  it('keeps what judging gave apart for each expectation', async () => {
    const [one, two] = await Promise.all([newSigner(), newSigner()]);
    const evidence = new GatheredEvidence(await sealedImage(one), 'v1');
    const [good, bad] = [byKey(one.publicKey), byKey(two.publicKey)];
    for (let round = 0; round < 2; round++) {
      assert.equal((await evidence.signatures(good)).kind, 'trusted');
      assert.equal((await evidence.signatures(bad)).kind, 'refused');
    }
  });

  it('reads on until there are enough, and tells apart what else is asked of a seal', async () => {
    const [one, two] = await Promise.all([newSigner(), newSigner()]);
    const evidence = new GatheredEvidence(await sealedImage(one, two), 'v1');
    const both = byKey(one.publicKey, two.publicKey);
    const hints = (seals: readonly { readonly signer: object }[]): number => seals.length;
    const verdict = await evidence.signatures(both, { enough: (seals) => hints(seals) === 4 });
    assert.equal(verdict.kind === 'trusted' && verdict.seals.length, 4);
    const refused = await evidence.signatures(both, {
      accept: async () => ({ code: 'seal-too-old', found: 'an old seal', expected: 'a new one' }),
    });
    assert.equal(refused.kind === 'refused' && refused.nearest?.code, 'seal-too-old');
    const legacy = await evidence.signatures(both, { formats: ['legacy'] });
    assert.ok(legacy.kind === 'trusted' && legacy.seals.every(({ format }) => format === 'legacy'));
  });
});
