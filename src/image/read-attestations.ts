// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest, type Repository } from '../oci/index.ts';
import { decodeStatement, SIGN_PREDICATE_TYPE, type Bundle } from '../trust/index.ts';
import { CodedError } from '../wire/index.ts';
import { ATTESTATION_LIMITS } from './attestation-limits.ts';
import { ImageError } from './error.ts';
import { evidencePlaces } from './evidence-places.ts';
import type { Candidate, EvidenceLimits, Finding } from './finding.ts';
import type { Place } from './place.ts';
import type { Rejection, SealFormat } from './verdict.ts';

/** An attestation as it lies beside an image. Nothing of it was verified. */
export interface UnverifiedAttestation {
  readonly format: SealFormat;
  readonly place: Place;
  readonly predicateType: string;
  readonly bundle: Bundle;
}

/** All attestations that lie beside an image. */
export interface ReadAttestations {
  readonly digest: Digest;
  readonly attestations: readonly UnverifiedAttestation[];
  /** what says that it is one, and cannot be read */
  readonly unreadable: readonly Rejection[];
}

/** Which are read. */
export interface ReadAttestationsOptions {
  /** a URI; all unless told */
  readonly predicateType?: string;
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
  readonly limits?: Partial<EvidenceLimits>;
}

/**
 * Reads the attestations of an image from every place, without verifying any: to verify is `verifyAttestations`.
 *
 * @throws ImageError `image-missing`, `evidence-capped`; RegistryError where the registry could not be asked
 */
export async function readAttestations(
  repository: Repository,
  target: string,
  options: ReadAttestationsOptions = {},
): Promise<ReadAttestations> {
  const { evidence = repository, predicateType, tagPrefix } = options;
  const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
  if (digest === undefined) throw new ImageError('image-missing', `${repository.name} has no tag '${target}'`);
  const limits = { ...ATTESTATION_LIMITS, ...options.limits };
  const findings: Finding[] = [];
  const scope = {
    sought: { kind: 'attestation', ...(predicateType === undefined ? {} : { predicateType }) },
    repository: evidence,
    digest,
    limits,
    ...(tagPrefix === undefined ? {} : { tagPrefix }),
  } as const;
  for await (const place of evidencePlaces(scope)) {
    const { leads, truncated, total } = await place.list();
    if (truncated)
      throw new ImageError('evidence-capped', `${place.name}: more lies there than the ${total} entries that are read`);
    for (const lead of leads) findings.push(...(await lead.load()));
  }
  const read = findings.flatMap((finding) => (finding.kind === 'candidate' ? describe(finding) : []));
  const attestations = read.filter((one) => predicateType === undefined || one.predicateType === predicateType);
  const unreadable = findings.flatMap((finding) => (finding.kind === 'rejected' ? [finding.rejection] : []));
  if (findings.length === 0 && isDigest(target) && (await repository.resolve(digest)) === undefined)
    throw new ImageError('image-missing', `${repository.name} has no manifest ${digest}`);
  return { digest, attestations, unreadable };
}

function describe({ format, place, bundle }: Candidate): readonly UnverifiedAttestation[] {
  if (bundle.content.kind !== 'dsse') return [];
  const predicateType = typeOf(bundle.content.envelope.payload);
  return predicateType === SIGN_PREDICATE_TYPE ? [] : [{ format, place, predicateType, bundle }];
}

// An envelope may hold something else than a statement: it is shown, and its type is not known.
function typeOf(payload: Uint8Array): string {
  try {
    return decodeStatement(payload).predicateType;
  } catch (error) {
    if (error instanceof CodedError) return '';
    throw error;
  }
}
