// SPDX-License-Identifier: Apache-2.0
import type { Descriptor, Repository } from '../oci/index.ts';
import { encodeSimpleSigning } from '../trust/index.ts';
import { encodeBase64 } from '../wire/index.ts';
import { attachedTag } from './attached-tag.ts';
import { attachLegacy } from './attach-legacy.ts';
import { CONTAINER_IMAGE_SIGNATURE } from './judge.ts';
import { legacyBundle } from './legacy-signatures.ts';
import { requireSeal } from './require-seal.ts';
import type { MadeSeal, SignImageOptions } from './sign-image.ts';
import type { WitnessedSeal } from './witness-legacy.ts';

/** Seals an image as cosign 2 does: one seal for each name that the container goes by. @throws as `signImage` */
export async function sealLegacy(
  repository: Repository,
  subject: Descriptor,
  options: SignImageOptions,
): Promise<readonly MadeSeal[]> {
  const { dockerReferences = [] } = options;
  const seals: MadeSeal[] = [];
  for (const name of dockerReferences.length === 0 ? [repository.name] : dockerReferences) {
    seals.push(await sealAs(name, repository, subject, options));
  }
  return seals;
}

async function sealAs(
  dockerReference: string,
  repository: Repository,
  subject: Descriptor,
  options: SignImageOptions,
): Promise<MadeSeal> {
  const { signer, annotations, evidence = repository, now } = options;
  const payload = encodeSimpleSigning({
    dockerReference,
    manifestDigest: subject.digest,
    type: CONTAINER_IMAGE_SIGNATURE,
    optional: annotations === undefined || Object.keys(annotations).length === 0 ? null : annotations,
  });
  const signature = await signer.sign(payload);
  const { bundle, beside, ...given } = await withWitnesses(payload, signature, options);
  await requireSeal(bundle, { kind: 'bytes', bytes: payload }, subject.digest, options);
  const tag = attachedTag(subject.digest, 'signature', options.tagPrefix);
  const made = {
    format: 'legacy',
    digest: subject.digest,
    payload,
    signature,
    ...given,
    annotations: beside,
    tag,
  } as const;
  if (options.upload === false) return { ...made, existed: false };
  const layer = { payload, signature: encodeBase64(signature), annotations: beside };
  const { descriptor, existed } = await attachLegacy(evidence, tag, layer, signer.publicKey, {
    ...(options.dockerMediaTypes === undefined ? {} : { dockerMediaTypes: options.dockerMediaTypes }),
    ...(options.recordCreated === true ? { created: now.toISOString().replace(/\.\d+Z$/, 'Z') } : {}),
  });
  return { ...made, manifest: descriptor.digest, existed };
}

async function withWitnesses(
  payload: Uint8Array,
  signature: Uint8Array,
  { signer, witnesses = [] }: SignImageOptions,
): Promise<WitnessedSeal> {
  const bundle = legacyBundle(signature);
  // What reads certificates, logs and times is loaded only where there are any.
  if (signer.certificate === undefined && witnesses.length === 0)
    return { bundle, beside: {}, logEntries: [], timestamps: [] };
  const { witnessLegacy } = await import('./witness-legacy.ts');
  return witnessLegacy(bundle, payload, signer, witnesses);
}
