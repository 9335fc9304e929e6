// SPDX-License-Identifier: Apache-2.0
import { hash, timingSafeEqual } from 'node:crypto';
import { CodedError } from '../wire/index.ts';
import type { Bundle, BundleContent } from './bundle/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding, type Envelope } from './bundle/envelope.ts';
import { decodeStatement, type Statement, type Subject } from './bundle/statement.ts';
import type { PublicKey } from './key/public-key.ts';
import { verifySignature, type SignatureScheme } from './key/verify-signature.ts';
import { printable } from './printable.ts';

/** What a bundle should be a seal of. */
export type Artifact =
  | { readonly kind: 'digest'; readonly algorithm: 'sha256' | 'sha512'; readonly hex: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** Why a bundle is no seal by whom one expects. Stable: programs tell them apart by these. */
export type RejectionCode =
  /** none of the expected keys made the signature over this content */
  | 'signature-invalid'
  /** an envelope without a signature, or with more than one */
  | 'signature-count'
  /** the envelope holds something else than an in-toto statement */
  | 'payload-type-unexpected'
  /** properly signed, and no statement */
  | 'statement-malformed'
  /** properly signed, and no simple-signing document */
  | 'payload-malformed'
  /** properly signed, and about another artifact: a seal that was moved here */
  | 'subject-mismatch'
  /** the bundle names another digest than the artifact has */
  | 'digest-mismatch'
  /** the signature is over bytes of which only the digest is at hand */
  | 'artifact-missing'
  /** sealed by a certificate, and by none of the expected keys */
  | 'certificate-material'
  /** sealed by a key where a certificate was expected */
  | 'key-material';

/** Why, and what would have been right; for a person to read. Both texts are one line, safe to print. */
export interface Rejection {
  readonly code: RejectionCode;
  readonly found: string;
  readonly expected: string;
}

/** What came of verifying one bundle. */
export type SealCheck =
  | {
      readonly kind: 'accepted';
      readonly signer: { readonly kind: 'key'; readonly key: PublicKey };
      readonly scheme: SignatureScheme;
      /** what was signed: this, and nothing else of the bundle, is the signer's word */
      readonly content: { readonly kind: 'statement'; readonly statement: Statement } | { readonly kind: 'bytes' };
    }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

type Signed = { readonly key: PublicKey; readonly scheme: SignatureScheme };

/**
 * Is this bundle a seal of the artifact by one of these keys?
 *
 * Only the signature decides who signed: neither the key hint nor a certificate in the bundle excludes a key, because anybody can
 * write those. Log entries and timestamps are not looked at: with a key, the log is not asked.
 *
 * The predicate type is not judged here, see `content.statement.predicateType`.
 *
 * @example
 * const check = await verifyBundle(bundle, { kind: 'digest', algorithm: 'sha256', hex }, { keys: [key] });
 * if (check.kind === 'rejected') console.error(check.rejection.code, check.rejection.found);
 */
export async function verifyBundle(
  bundle: Bundle,
  artifact: Artifact,
  expectation: { readonly keys: readonly PublicKey[] },
): Promise<SealCheck> {
  const keys = likeliestFirst(expectation.keys, bundle);
  return bundle.content.kind === 'dsse'
    ? verifyEnvelope(bundle, bundle.content.envelope, artifact, keys)
    : verifyMessage(bundle, bundle.content, artifact, keys);
}

// What is not signed is not read: the statement comes after the signature, so that a forger chooses no reason and no parser's input.
async function verifyEnvelope(
  bundle: Bundle,
  { payloadType, payload, signatures }: Envelope,
  artifact: Artifact,
  keys: readonly PublicKey[],
): Promise<SealCheck> {
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1) {
    return rejected('signature-count', `${signatures.length} signatures`, 'exactly one');
  }
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    return rejected('payload-type-unexpected', `'${printable(payloadType)}'`, IN_TOTO_PAYLOAD_TYPE);
  }
  const signed = await signedBy(keys, preAuthEncoding(payloadType, payload), signature.sig);
  if (signed === undefined) return notSigned(bundle, keys);
  let statement: Statement;
  try {
    statement = decodeStatement(payload);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return rejected('statement-malformed', printable(error.message, 200), 'an in-toto statement');
  }
  if (!statement.subjects.some((subject) => isAbout(subject, artifact))) {
    return rejected(
      'subject-mismatch',
      `a seal of ${listSubjects(statement.subjects)}`,
      `a seal of ${describe(artifact)}`,
    );
  }
  return accepted(signed, { kind: 'statement', statement });
}

async function verifyMessage(
  bundle: Bundle,
  { digest, signature }: Extract<BundleContent, { kind: 'message' }>,
  artifact: Artifact,
  keys: readonly PublicKey[],
): Promise<SealCheck> {
  if (artifact.kind === 'digest') {
    return rejected('artifact-missing', `only the digest ${describe(artifact)}`, 'the bytes that were signed');
  }
  if (digest !== undefined) {
    const computed = hash(digest.algorithm, artifact.bytes, 'buffer');
    if (computed.byteLength !== digest.bytes.byteLength || !timingSafeEqual(computed, digest.bytes)) {
      const named = Buffer.from(digest.bytes).toString('hex');
      const has = `${digest.algorithm}:${computed.toString('hex')}`;
      return rejected(
        'digest-mismatch',
        `a seal of ${printable(`${digest.algorithm}:${named}`, 140)}`,
        `a seal of ${has}`,
      );
    }
  }
  const signed = await signedBy(keys, artifact.bytes, signature);
  return signed === undefined ? notSigned(bundle, keys) : accepted(signed, { kind: 'bytes' });
}

async function signedBy(
  keys: readonly PublicKey[],
  message: Uint8Array,
  signature: Uint8Array,
): Promise<Signed | undefined> {
  for (const key of keys) {
    const scheme = await verifySignature(key, message, signature);
    if (scheme !== undefined) return { key, scheme };
  }
  return undefined;
}

// in-toto: a subject is matched by any of its digests that the reader knows. Where the bytes are at hand, all that are known must match.
function isAbout({ digest }: Subject, artifact: Artifact): boolean {
  if (artifact.kind === 'digest')
    return Object.hasOwn(digest, artifact.algorithm) && digest[artifact.algorithm] === artifact.hex;
  const known = (['sha256', 'sha384', 'sha512'] as const).filter((algorithm) => Object.hasOwn(digest, algorithm));
  return known.length > 0 && known.every((algorithm) => digest[algorithm] === hash(algorithm, artifact.bytes, 'hex'));
}

function likeliestFirst(keys: readonly PublicKey[], { material }: Bundle): readonly PublicKey[] {
  const hint = material.kind === 'public-key' ? material.hint : undefined;
  return keys.toSorted((a, b) => Number(b.hint === hint) - Number(a.hint === hint));
}

function notSigned({ material }: Bundle, keys: readonly PublicKey[]): SealCheck {
  const expected = `a signature by ${keys.length === 0 ? 'a key, and none was given' : keys.map(({ hint }) => `key ${hint}`).join(' or ')}`;
  if (material.kind === 'certificate') return rejected('certificate-material', 'a seal by a certificate', expected);
  if (material.hint === undefined)
    return rejected('signature-invalid', 'a signature by none of the expected keys', expected);
  return rejected(
    'signature-invalid',
    keys.some(({ hint }) => hint === material.hint)
      ? `a signature that does not hold, of a bundle that names the expected key ${material.hint}`
      : `a signature of a bundle that names another key, ${printable(material.hint)}`,
    expected,
  );
}

function accepted({ key, scheme }: Signed, content: Extract<SealCheck, { kind: 'accepted' }>['content']): SealCheck {
  return { kind: 'accepted', signer: { kind: 'key', key }, scheme, content };
}

function rejected(code: RejectionCode, found: string, expected: string): SealCheck {
  return { kind: 'rejected', rejection: { code, found, expected } };
}

function describe(artifact: Artifact): string {
  return artifact.kind === 'digest'
    ? `${artifact.algorithm}:${artifact.hex}`
    : `sha256:${hash('sha256', artifact.bytes, 'hex')}`;
}

function listSubjects(subjects: readonly Subject[]): string {
  const named = subjects.slice(0, 3).map(({ digest }) => {
    const [algorithm, value] = Object.entries(digest)[0] ?? ['nothing', ''];
    return printable(`${algorithm}:${value}`, 140);
  });
  return subjects.length > 3 ? `${named.join(', ')} and ${subjects.length - 3} more` : named.join(', ');
}
