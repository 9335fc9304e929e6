// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Digest, type Repository } from '../oci/index.ts';
import { decodeEnvelope, TrustError, type Artifact, type Bundle } from '../trust/index.ts';
import { WireError } from '../wire/index.ts';
import type { EvidenceLimits, Finding } from './finding.ts';
import { evidenceBeside, rejected, type LegacyManifest } from './legacy-signatures.ts';
import type { Place } from './place.ts';

/** Media type of a layer of an `.att` manifest. Not looked at when reading: anyone may write it. */
export const ENVELOPE_MEDIA_TYPE = 'application/vnd.dsse.envelope.v1+json';

/** Annotation that says the predicate type. Nobody has signed it, so it excludes nothing. */
export const PREDICATE_TYPE_ANNOTATION = 'predicateType';

/**
 * Reads layers of an `.att` manifest: each is an envelope with a statement, which should be about this image.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md
 */
export function legacyAttestationReader(subject: Digest): LegacyManifest['read'] {
  const artifact: Artifact = { kind: 'digest', algorithm: digestAlgorithm(subject), hex: digestHex(subject) };
  return async (repository, place, layer, limits) => readLayer(repository, place, layer, limits, artifact);
}

async function readLayer(
  repository: Repository,
  place: Place,
  layer: Descriptor,
  { maxSealBytes }: EvidenceLimits,
  artifact: Artifact,
): Promise<Finding> {
  if (layer.size > maxSealBytes)
    return rejected(place, 'too-large', `${layer.size} bytes`, `an envelope of at most ${maxSealBytes} bytes`);
  const bytes = await repository.blob(layer.digest, maxSealBytes);
  if (bytes === undefined) return rejected(place, 'evidence-missing', 'no such blob', 'the envelope that was signed');
  try {
    const bundle = envelopeBundle(bytes, `envelope ${layer.digest}`, maxSealBytes);
    const beside = evidenceBeside(layer.annotations ?? {});
    return { kind: 'candidate', format: 'legacy', place, bundle, beside, artifact };
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    return rejected(place, 'bundle-malformed', error.message, 'a DSSE envelope');
  }
}

/** An envelope alone, as the bundle that it would be. @throws as `decodeEnvelope` */
export function envelopeBundle(document: Uint8Array, what: string, maxBytes: number): Bundle {
  return {
    // never written anywhere: it marks, inside the process, a bundle that was made from annotations
    mediaType: ENVELOPE_MEDIA_TYPE,
    material: { kind: 'public-key' },
    content: { kind: 'dsse', envelope: decodeEnvelope(document, what, { maxBytes }), document },
    logEntries: [],
    timestamps: [],
  };
}
