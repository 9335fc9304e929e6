// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Repository } from '../oci/index.ts';
import { decodeStatement, encodeEnvelope, IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from '../trust/index.ts';
import { CodedError } from '../wire/index.ts';
import type { AttestImageOptions } from './attest-image.ts';
import { attachLegacy } from './attach-legacy.ts';
import { attachedTag } from './attached-tag.ts';
import { ATTESTATION_LIMITS } from './attestation-limits.ts';
import { ENVELOPE_MEDIA_TYPE, envelopeBundle, PREDICATE_TYPE_ANNOTATION } from './legacy-attestations.ts';
import { requireSeal } from './require-seal.ts';
import type { MadeSeal } from './sign-image.ts';
import type { WitnessedSeal } from './witness-legacy.ts';

/** Attests a statement as cosign 2 does: an envelope, as a layer of the `.att` manifest. @throws as `attestImage` */
export async function attestLegacy(
  repository: Repository,
  subject: Descriptor,
  { payload: statement, predicateType }: { readonly payload: Uint8Array; readonly predicateType: string },
  options: AttestImageOptions,
): Promise<MadeSeal> {
  const { signer, evidence = repository, now, replace = false, onOlder } = options;
  const { maxBytes = ATTESTATION_LIMITS.maxSealBytes } = options;
  const { digest } = subject;
  const sig = await signer.sign(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, statement));
  const payload = encodeEnvelope({ payloadType: IN_TOTO_PAYLOAD_TYPE, payload: statement, signatures: [{ sig }] });
  const { bundle, beside, ...given } = await withWitnesses(payload, options);
  const artifact = { kind: 'digest', algorithm: digestAlgorithm(digest), hex: digestHex(digest) } as const;
  await requireSeal(bundle, artifact, digest, options);
  const tag = attachedTag(digest, 'attestation', options.tagPrefix);
  const made = { format: 'legacy', digest, payload, signature: sig, ...given, annotations: beside, tag } as const;
  if (options.upload === false) return { ...made, existed: false };
  const layer = {
    mediaType: ENVELOPE_MEDIA_TYPE,
    payload,
    signature: '',
    annotations: { ...beside, [PREDICATE_TYPE_ANNOTATION]: predicateType },
  };
  const { descriptor, existed } = await attachLegacy(evidence, tag, layer, signer.publicKey, {
    ...(options.dockerMediaTypes === undefined ? {} : { dockerMediaTypes: options.dockerMediaTypes }),
    ...(options.recordCreated === true ? { created: now.toISOString().replace(/\.\d+Z$/, 'Z') } : {}),
    ...(replace
      ? {
          replaces: async (layers) =>
            positionsOf(await typesOf(evidence, layers, maxBytes), predicateType, onOlder ?? (() => undefined)),
        }
      : {}),
  });
  return { ...made, manifest: descriptor.digest, existed };
}

async function withWitnesses(
  payload: Uint8Array,
  { signer, witnesses = [] }: AttestImageOptions,
): Promise<WitnessedSeal> {
  const bundle = envelopeBundle(payload, 'the envelope that was made', Number.POSITIVE_INFINITY);
  // What reads certificates, logs and times is loaded only where there are any.
  if (signer.certificate === undefined && witnesses.length === 0)
    return { bundle, beside: {}, logEntries: [], timestamps: [] };
  const { witnessLegacy } = await import('./witness-legacy.ts');
  return witnessLegacy(bundle, payload, signer, witnesses);
}

/** The predicate type of each layer; `undefined` for what cannot be read, which is somebody's and stays. */
async function typesOf(
  repository: Repository,
  layers: readonly Descriptor[],
  maxBytes: number,
): Promise<readonly (string | undefined)[]> {
  const types: (string | undefined)[] = [];
  for (const { digest, size } of layers) {
    const bytes = size > maxBytes ? undefined : await repository.blob(digest, maxBytes);
    types.push(bytes === undefined ? undefined : typeOf(bytes, maxBytes));
  }
  return types;
}

function typeOf(bytes: Uint8Array, maxBytes: number): string | undefined {
  try {
    const { content } = envelopeBundle(bytes, 'an older attestation', maxBytes);
    return content.kind === 'dsse' ? decodeStatement(content.envelope.payload).predicateType : undefined;
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function positionsOf(
  types: readonly (string | undefined)[],
  predicateType: string,
  onOlder: (predicateType: string, replaced: boolean) => void,
): ReadonlySet<number> {
  for (const type of types) if (type !== undefined) onOlder(type, type === predicateType);
  return new Set([...types.keys()].filter((at) => types[at] === predicateType));
}
