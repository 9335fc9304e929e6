// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Digest, type Repository } from '../oci/index.ts';
import {
  decodeBundle,
  decodeEnvelope,
  decodeSimpleSigning,
  decodeStatement,
  encodeEnvelope,
  encodeSimpleSigning,
  IN_TOTO_PAYLOAD_TYPE,
  SIGN_PREDICATE_TYPE,
  type Envelope,
  type Statement,
} from '../trust/index.ts';
import { isJsonObject, parseJson } from '../wire/index.ts';
import { attachBundle } from './attach-bundle.ts';
import { attachLegacy } from './attach-legacy.ts';
import { attachedTag } from './attached-tag.ts';
import { ATTESTATION_LIMITS } from './attestation-limits.ts';
import { ImageError } from './error.ts';
import { CONTAINER_IMAGE_SIGNATURE } from './judge.ts';
import { ENVELOPE_MEDIA_TYPE } from './legacy-attestations.ts';
import { LegacyAnnotation } from './legacy-signatures.ts';
import { sealSubjects } from './seal-subjects.ts';

/** A seal that was made elsewhere, to be laid beside an image. */
export type SealToAttach =
  /** a bundle, or an envelope in which a statement was signed: JSON */
  | { readonly kind: 'attestation'; readonly document: Uint8Array }
  /** a bundle of a signature */
  | { readonly kind: 'signature-bundle'; readonly document: Uint8Array }
  | {
      readonly kind: 'signature';
      /** base64 */
      readonly signature: string;
      /** what was signed; cosign's own payload about the image unless told */
      readonly payload?: Uint8Array;
      /** certificate, chain, log entry and timestamp, as annotations of the layer */
      readonly beside?: Readonly<Record<string, string>>;
    };

/** How it is attached. */
export interface AttachExistingOptions {
  readonly now: Date;
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
  readonly dockerMediaTypes?: boolean;
  /** bytes of a document, at most */
  readonly maxBytes?: number;
}

/** A seal that was attached. Nothing of it was verified but that it is about this image. */
export interface AttachedExisting {
  /** what it is about */
  readonly subject: Digest;
  /** the manifest that carries it */
  readonly manifest: Digest;
  readonly predicateType?: string;
  /** the same lay there already: nothing was written */
  readonly existed: boolean;
}

/**
 * Lays a seal beside an image that was made elsewhere, by OpenSSL or with a hardware key, in the format that it has: byte for byte as cosign
 * does. It is not verified, since nobody says by whom it should be, but it must be about this image: others would never count.
 *
 * @param target a tag or digest of `repository`, resolved once
 * @throws ImageError `image-missing`, `statement-subject`, `seal-too-large`, and as `attachBundle` and `attachLegacy`; TrustError for what
 *   is no bundle, envelope, statement or payload
 */
export async function attachExisting(
  repository: Repository,
  target: string,
  seal: SealToAttach,
  options: AttachExistingOptions,
): Promise<AttachedExisting> {
  const [subject] = await sealSubjects(repository, target);
  if (seal.kind === 'signature') return attachSignature(repository, subject, seal, options);
  const { maxBytes = ATTESTATION_LIMITS.maxSealBytes } = options;
  if (seal.document.byteLength > maxBytes)
    throw new ImageError(
      'seal-too-large',
      `the attestation has ${seal.document.byteLength} bytes, at most ${maxBytes} are read`,
    );
  if (seal.kind === 'signature-bundle' || isBundle(seal.document, maxBytes))
    return attachGivenBundle(repository, subject, seal, options);
  return attachEnvelope(repository, subject, decodeEnvelope(seal.document, 'the attestation', { maxBytes }), options);
}

async function attachGivenBundle(
  repository: Repository,
  subject: Descriptor,
  { kind, document }: Exclude<SealToAttach, { kind: 'signature' }>,
  { now, evidence = repository, maxBytes = ATTESTATION_LIMITS.maxSealBytes }: AttachExistingOptions,
): Promise<AttachedExisting> {
  const bundle = decodeBundle(document, 'the bundle', { maxBytes });
  if (bundle.content.kind !== 'dsse')
    throw new ImageError(
      'statement-subject',
      'the bundle has a signature over a file, expected one over a statement about an image',
    );
  const { predicateType } = statementAbout(bundle.content.envelope, subject.digest);
  if (kind === 'signature-bundle' && predicateType !== SIGN_PREDICATE_TYPE)
    throw new ImageError(
      'statement-subject',
      `the bundle attests ${predicateType}, and is no signature: use attach attestation`,
    );
  const { descriptor } = await attachBundle(evidence, { subject, bundle, predicateType, now });
  return { subject: subject.digest, manifest: descriptor.digest, predicateType, existed: false };
}

async function attachEnvelope(
  repository: Repository,
  { digest }: Descriptor,
  envelope: Envelope,
  { evidence = repository, tagPrefix, dockerMediaTypes }: AttachExistingOptions,
): Promise<AttachedExisting> {
  const { predicateType } = statementAbout(envelope, digest);
  const tag = attachedTag(digest, 'attestation', tagPrefix);
  const layer = { mediaType: ENVELOPE_MEDIA_TYPE, payload: encodeEnvelope(envelope), signature: '' };
  const options = dockerMediaTypes === undefined ? {} : { dockerMediaTypes };
  const { descriptor, existed } = await attachLegacy(evidence, tag, layer, undefined, options);
  return { subject: digest, manifest: descriptor.digest, predicateType, existed };
}

async function attachSignature(
  repository: Repository,
  { digest }: Descriptor,
  { signature, payload, beside = {} }: Extract<SealToAttach, { kind: 'signature' }>,
  { evidence = repository, tagPrefix, dockerMediaTypes }: AttachExistingOptions,
): Promise<AttachedExisting> {
  const signed =
    payload ??
    encodeSimpleSigning({
      dockerReference: repository.name,
      manifestDigest: digest,
      type: CONTAINER_IMAGE_SIGNATURE,
      optional: null,
    });
  const { manifestDigest } = decodeSimpleSigning(signed);
  if (manifestDigest !== digest)
    throw new ImageError('statement-subject', `the payload is about ${manifestDigest}, and the image is ${digest}`);
  const layer = { payload: signed, signature, annotations: inOrder(beside) };
  const options = dockerMediaTypes === undefined ? {} : { dockerMediaTypes };
  const tag = attachedTag(digest, 'signature', tagPrefix);
  const { descriptor, existed } = await attachLegacy(evidence, tag, layer, undefined, options);
  return { subject: digest, manifest: descriptor.digest, existed };
}

/** As cosign writes them: sorted. */
function inOrder(beside: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const known: readonly string[] = Object.values(LegacyAnnotation);
  const pairs = Object.entries(beside).filter(([name]) => known.includes(name) && name !== LegacyAnnotation.signature);
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** An envelope has no such member; what has it is judged as a bundle. */
function isBundle(document: Uint8Array, maxBytes: number): boolean {
  const json = parseJson(document, { what: 'the attestation', maxBytes });
  return isJsonObject(json) && json['mediaType'] !== undefined;
}

function statementAbout({ payloadType, payload }: Envelope, digest: Digest): Statement {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE)
    throw new ImageError(
      'statement-subject',
      `the envelope is of type ${JSON.stringify(payloadType.slice(0, 80))}, expected ${IN_TOTO_PAYLOAD_TYPE}`,
    );
  const statement = decodeStatement(payload);
  const algorithm = digestAlgorithm(digest);
  if (statement.subjects.some((subject) => subject.digest[algorithm] === digestHex(digest))) return statement;
  throw new ImageError(
    'statement-subject',
    `the statement has no subject with the digest ${digest}: it is about something else`,
  );
}
