// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Digest, type Repository } from '../oci/index.ts';
import { decodeStatement, encodeStatement, type NewStatement, type Statement } from '../trust/index.ts';
import type { Json } from '../wire/index.ts';
import { ATTESTATION_LIMITS } from './attestation-limits.ts';
import { ImageError } from './error.ts';
import { sealBundle } from './seal-bundle.ts';
import { sealSubjects, type SealSubjects } from './seal-subjects.ts';
import type { MadeSeal, SignImageOptions } from './sign-image.ts';

/** What is attested: a predicate, of which a statement about each image is made, or a statement that somebody made. */
export type AttestedContent =
  | {
      readonly kind: 'predicate';
      /** a URI */
      readonly predicateType: string;
      readonly predicate: Json;
      /** of in-toto; 0.1 unless told */
      readonly statementVersion?: NonNullable<NewStatement['version']>;
    }
  /** JSON; these bytes are what is signed */
  | { readonly kind: 'statement'; readonly payload: Uint8Array };

/** How an image is attested. */
export interface AttestImageOptions extends Pick<
  SignImageOptions,
  | 'signer'
  | 'witnesses'
  | 'expectation'
  | 'formats'
  | 'now'
  | 'evidence'
  | 'recursive'
  | 'tagPrefix'
  | 'dockerMediaTypes'
  | 'recordCreated'
  | 'upload'
> {
  /** takes the place of older attestations of that predicate type in an `.att` tag, whoever made them; a bundle lies beside others always */
  readonly replace?: boolean;
  /** bytes of an attestation, at most */
  readonly maxBytes?: number;
  /** hears of each older attestation, with `replace` */
  readonly onOlder?: (predicateType: string, replaced: boolean) => void;
}

/** What attesting an image did. */
export interface AttestedImage {
  /** the digest that was attested: what the target named at that one moment */
  readonly digest: Digest;
  readonly predicateType: string;
  /** a legacy one has as its payload the envelope, in which the signature is */
  readonly seals: readonly MadeSeal[];
}

/**
 * Attests something of an image: resolves the target once, makes a statement about that digest, signs it, checks it as a verifier would, and
 * lays it beside the image.
 *
 * @param target a tag or a digest of `repository`, or what `sealSubjects` found
 * @throws as `signImage`; ImageError `statement-subject` for a statement about something else, `seal-too-large`; TrustError
 * `statement-malformed`
 * @example
 * const content = { kind: 'predicate', predicateType: 'https://openvex.dev/ns', predicate } as const;
 * await attestImage(repository, 'v1', content, { signer: keySigner(key), now: new Date() });
 */
export async function attestImage(
  repository: Repository,
  target: string | SealSubjects,
  content: AttestedContent,
  options: AttestImageOptions,
): Promise<AttestedImage> {
  const given = content.kind === 'statement' ? decodeStatement(content.payload) : undefined;
  const subjects = await sealSubjects(repository, target, options.recursive);
  const seals: MadeSeal[] = [];
  for (const subject of subjects) {
    if (given !== undefined) requireSubject(given, subject.digest);
    const statement = {
      payload: content.kind === 'statement' ? content.payload : statementOf(repository, subject, content),
      predicateType: content.kind === 'statement' ? (given?.predicateType ?? '') : content.predicateType,
    };
    requireSize(statement.payload, options);
    for (const format of options.formats ?? ['bundle']) {
      if (format === 'bundle') seals.push(await sealBundle(repository, subject, statement, options));
      else {
        const { attestLegacy } = await import('./attest-legacy.ts');
        seals.push(await attestLegacy(repository, subject, statement, options));
      }
    }
  }
  const predicateType = given?.predicateType ?? (content.kind === 'predicate' ? content.predicateType : '');
  return { digest: subjects[0].digest, predicateType, seals };
}

function statementOf(
  repository: Repository,
  { digest }: Descriptor,
  { predicateType, predicate, statementVersion: version }: Extract<AttestedContent, { kind: 'predicate' }>,
): Uint8Array {
  const named = { algorithm: digestAlgorithm(digest), hex: digestHex(digest) };
  return encodeStatement({
    ...(version === undefined ? {} : { version }),
    subjects: [{ name: repository.name, digest: named }],
    predicateType,
    predicate,
  });
}

function requireSubject({ subjects }: Statement, digest: Digest): void {
  const algorithm = digestAlgorithm(digest);
  const about = subjects.some((subject) => subject.digest[algorithm] === digestHex(digest));
  if (about) return;
  throw new ImageError(
    'statement-subject',
    `the statement has no subject with the digest ${digest}: it is about something else`,
  );
}

// In a bundle and in a layer the payload stands in base64.
function requireSize(
  payload: Uint8Array,
  { maxBytes = ATTESTATION_LIMITS.maxSealBytes }: Pick<AttestImageOptions, 'maxBytes'>,
): void {
  const size = Math.ceil(payload.byteLength / 3) * 4;
  if (size <= maxBytes) return;
  throw new ImageError(
    'seal-too-large',
    `the attestation would have ${size} bytes, and at most ${maxBytes} are read by those who verify it`,
  );
}
