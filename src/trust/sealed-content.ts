// SPDX-License-Identifier: Apache-2.0
import { hash, timingSafeEqual } from 'node:crypto';
import { CodedError } from '../wire/index.ts';
import type { BundleContent } from './bundle/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding, type Envelope } from './bundle/envelope.ts';
import { decodeStatement, type Statement, type Subject } from './bundle/statement.ts';
import type { SignedContent } from './log/logged-signature.ts';
import { printable } from './printable.ts';
import { rejected, type Artifact, type RejectedSeal, type SealCheck } from './seal-check.ts';

/** The one signature of a bundle, and what it is over. Nothing has been verified. */
export interface SealedContent {
  readonly kind: 'content';
  readonly signature: Uint8Array;
  /** the octets that were signed */
  readonly message: Uint8Array;
  readonly signed: Exclude<SignedContent, { kind: 'digest' }>;
}

/** What the signature of a bundle is over, if it has one that can be a seal of the artifact. */
export function openContent(content: BundleContent, artifact: Artifact): SealedContent | RejectedSeal {
  return content.kind === 'dsse' ? openEnvelope(content.envelope) : openMessage(content, artifact);
}

function openEnvelope(envelope: Envelope): SealedContent | RejectedSeal {
  const { payloadType, payload, signatures } = envelope;
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1)
    return rejected('signature-count', `${signatures.length} signatures`, 'exactly one');
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE)
    return rejected('payload-type-unexpected', `'${printable(payloadType)}'`, IN_TOTO_PAYLOAD_TYPE);
  const message = preAuthEncoding(payloadType, payload);
  return { kind: 'content', signature: signature.sig, message, signed: { kind: 'envelope', envelope } };
}

function openMessage(
  { digest, signature }: Extract<BundleContent, { kind: 'message' }>,
  artifact: Artifact,
): SealedContent | RejectedSeal {
  if (artifact.kind === 'digest')
    return rejected('artifact-missing', `only the digest ${describe(artifact)}`, 'the bytes that were signed');
  const { bytes } = artifact;
  if (digest !== undefined) {
    const computed = hash(digest.algorithm, bytes, 'buffer');
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
  return { kind: 'content', signature, message: bytes, signed: { kind: 'bytes', bytes } };
}

/** What was read of it once it was known who signed. */
export type ReadContent = Extract<SealCheck, { kind: 'accepted' }>['content'];

/**
 * What the signer says, and whether it is about the artifact. Ask only after the signature held: what is not signed is not read, so that a
 * forger chooses no reason and no parser's input.
 */
export function readContent({ signed }: SealedContent, artifact: Artifact): ReadContent | RejectedSeal {
  if (signed.kind === 'bytes') return { kind: 'bytes' };
  let statement: Statement;
  try {
    statement = decodeStatement(signed.envelope.payload);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return rejected('statement-malformed', printable(error.message, 200), 'an in-toto statement');
  }
  if (statement.subjects.some((subject) => isAbout(subject, artifact))) return { kind: 'statement', statement };
  return rejected(
    'subject-mismatch',
    `a seal of ${listSubjects(statement.subjects)}`,
    `a seal of ${describe(artifact)}`,
  );
}

// in-toto: a subject is matched by any of its digests that the reader knows. Where the bytes are at hand, all that are known must match.
function isAbout({ digest }: Subject, artifact: Artifact): boolean {
  if (artifact.kind === 'digest')
    return Object.hasOwn(digest, artifact.algorithm) && digest[artifact.algorithm] === artifact.hex;
  const known = (['sha256', 'sha384', 'sha512'] as const).filter((algorithm) => Object.hasOwn(digest, algorithm));
  return known.length > 0 && known.every((algorithm) => digest[algorithm] === hash(algorithm, artifact.bytes, 'hex'));
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
