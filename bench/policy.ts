// SPDX-License-Identifier: Apache-2.0
import { signImage } from '../src/image/index.ts';
import { bytesBlob, digestOf, MediaType, MemoryRepository, type Digest } from '../src/oci/index.ts';
import { decide, EvidenceCache, loadPolicies, type PolicySet } from '../src/policy/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner, type Signer } from '../src/trust/index.ts';
import type { Table } from './report.ts';

const POLICIES = 10_000;
const MATCHING = 10;
const NAME = 'registry.example.com/prod/app';
const NOW = new Date('2026-06-01T00:00:00Z');

/** Deciding on one image by many policies of which few are about it, its evidence at hand: what a gate adds to each image. */
export async function policyBench(rounds: number): Promise<readonly Table[]> {
  const signers = await Promise.all(
    Array.from({ length: MATCHING }, async () => keySigner(await generatePrivateKey('ecdsa-p256'))),
  );
  const { repository, digest } = await sealedImage(signers);
  const again = (set: PolicySet): (() => Promise<PolicySet>) => {
    return async () => set;
  };
  const few = await decidingTime(again(await policiesOf(signers, MATCHING)), repository, digest, rounds);
  const many = await decidingTime(again(await policiesOf(signers, POLICIES)), repository, digest, rounds);
  const first = await decidingTime(async () => policiesOf(signers, MATCHING), repository, digest, rounds);
  return [
    {
      title: `Decide on an image by ${POLICIES} policies, ${MATCHING} of them about it, evidence at hand`,
      columns: ['ms'],
      rows: [
        { name: `${MATCHING} policies, all about it`, values: [few], ratio: 1 },
        { name: `${POLICIES} policies`, values: [many], ratio: many / few, goal: 'under 5 ms' },
        {
          name: `${MATCHING} policies, read anew: no signature was checked before`,
          values: [first],
          ratio: first / few,
        },
      ],
      notes: [
        `Each matching policy asks for another key; the image has ${MATCHING} signatures. Median of ${rounds} decisions.`,
      ],
    },
  ];
}

async function sealedImage(
  signers: readonly Signer[],
): Promise<{ readonly repository: MemoryRepository; readonly digest: Digest }> {
  const repository = new MemoryRepository(NAME);
  const config = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
  await repository.putBlob(bytesBlob(config));
  const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const manifest = { schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const { digest } = (await repository.putManifest(bytes, MediaType.imageManifest)).descriptor;
  for (const signer of signers) await signImage(repository, digest, { signer, now: NOW });
  return { repository, digest };
}

async function policiesOf(signers: readonly Signer[], count: number): Promise<PolicySet> {
  const documents = Array.from({ length: count }, (_, at) => {
    const signer = signers[at % signers.length];
    const glob = at < MATCHING ? 'registry.example.com/prod/**' : `registry.example.com/prod/team-${at}/**`;
    return JSON.stringify({
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name: `policy-${at}` },
      spec: {
        images: [{ glob }],
        authorities: [{ key: { data: signer === undefined ? '' : encodePublicKey(signer.publicKey) } }],
      },
    });
  });
  return loadPolicies([{ name: 'policies', bytes: new TextEncoder().encode(documents.join('\n---\n')) }]);
}

async function decidingTime(
  policies: () => Promise<PolicySet>,
  repository: MemoryRepository,
  digest: Digest,
  rounds: number,
): Promise<number> {
  const evidence = new EvidenceCache();
  const context = { image: `${NAME}@${digest}`, open: async () => repository, evidence, now: NOW };
  const times: number[] = [];
  // the first reads the evidence
  for (let round = 0; round <= rounds; round++) {
    const set = await policies();
    const start = performance.now();
    const { outcome, message } = await decide(context, set);
    times.push(performance.now() - start);
    if (outcome !== 'trusted') throw new Error(`the decision is ${outcome}: ${message}`);
  }
  const sorted = times.slice(1).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
