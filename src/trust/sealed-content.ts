// SPDX-License-Identifier: Apache-2.0
import { hash, timingSafeEqual } from 'node:crypto';
import { CodedError } from '../wire/index.ts';
import type { BundleContent, MessageDigest } from './bundle/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from './bundle/envelope.ts';
import { decodeStatement, type Statement, type Subject } from './bundle/statement.ts';
import type { PublicKey } from './key/public-key.ts';
import { verifySignature, type SignatureScheme } from './key/verify-signature.ts';
import { loadOnce } from './load-once.ts';
import type { SignedContent } from './log/logged-signature.ts';
import { printable } from './printable.ts';
import { rejected, type Artifact, type RejectedSeal, type SealCheck } from './seal-check.ts';

/** The one signature of a bundle, and what it is over. Nothing has been verified. */
export interface SealedContent {
  readonly kind: 'content';
  readonly signature: Uint8Array;
  /** the octets that were signed; absent where only their digest is at hand, which `signed` is then */
  readonly message?: Uint8Array;
  readonly signed: SignedContent;
}

// Most seals are over a statement, which is at hand.
const byDigest = loadOnce(() => import('./key/verify-digest.ts'));

/** How a key signed it; `undefined` if it did not. */
export async function schemeOf(key: PublicKey, content: SealedContent): Promise<SignatureScheme | undefined> {
  const { message, signature, signed } = content;
  if (message !== undefined) return verifySignature(key, message, signature);
  if (signed.kind !== 'digest') return undefined;
  const { verifyDigest } = await byDigest();
  return verifyDigest(key, signed.digest, signature);
}

/** Why no signature by these keys can be verified over what is at hand; `undefined` if one can. */
export async function missingArtifact(
  keys: readonly PublicKey[],
  { signed }: SealedContent,
): Promise<RejectedSeal | undefined> {
  if (signed.kind !== 'digest') return undefined;
  const { algorithm } = signed.digest;
  const { digestScheme } = await byDigest();
  if (keys.some((key) => digestScheme(key, algorithm) !== undefined)) return undefined;
  const kinds = keys.map((key) => key.algorithm).join(' or ');
  return rejected(
    'artifact-missing',
    `only the ${algorithm} digest of the artifact`,
    `its bytes, as a key of the kind ${kinds} signs those`,
  );
}

/** What the signature of a bundle is over, if it has one that can be a seal of the artifact. */
export function openContent(content: BundleContent, artifact: Artifact): SealedContent | RejectedSeal {
  return content.kind === 'dsse' ? openEnvelope(content) : openMessage(content, artifact);
}

function openEnvelope({ envelope, document }: Extract<BundleContent, { kind: 'dsse' }>): SealedContent | RejectedSeal {
  const { payloadType, payload, signatures } = envelope;
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1)
    return rejected('signature-count', `${signatures.length} signatures`, 'exactly one');
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE)
    return rejected('payload-type-unexpected', `'${printable(payloadType)}'`, IN_TOTO_PAYLOAD_TYPE);
  const message = preAuthEncoding(payloadType, payload);
  const signed = { kind: 'envelope', envelope, ...(document === undefined ? {} : { document }) } as const;
  return { kind: 'content', signature: signature.sig, message, signed };
}

function openMessage(
  { digest, signature }: Extract<BundleContent, { kind: 'message' }>,
  artifact: Artifact,
): SealedContent | RejectedSeal {
  if (artifact.kind === 'digest') {
    const { algorithm, hex } = artifact;
    const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
    if (digest !== undefined && digest.algorithm !== algorithm) {
      const expected = `its ${digest.algorithm} digest, or the bytes that were signed`;
      return rejected('artifact-missing', `only the digest ${describe(artifact)}`, expected);
    }
    if (digest !== undefined && !same(digest.bytes, bytes)) return otherDigest(digest, bytes);
    return { kind: 'content', signature, signed: { kind: 'digest', digest: { algorithm, bytes } } };
  }
  const { bytes } = artifact;
  if (digest !== undefined) {
    const computed = hash(digest.algorithm, bytes, 'buffer');
    if (!same(digest.bytes, computed)) return otherDigest(digest, computed);
  }
  return { kind: 'content', signature, message: bytes, signed: { kind: 'bytes', bytes } };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

function otherDigest({ algorithm, bytes }: MessageDigest, computed: Uint8Array): RejectedSeal {
  const named = `${algorithm}:${Buffer.from(bytes).toString('hex')}`;
  const has = `${algorithm}:${Buffer.from(computed).toString('hex')}`;
  return rejected('digest-mismatch', `a seal of ${printable(named, 140)}`, `a seal of ${has}`);
}

/** What was read of it once it was known who signed. */
export type ReadContent = Extract<SealCheck, { kind: 'accepted' }>['content'];

/**
 * What the signer says, and whether it is about the artifact. Ask only after the signature held: what is not signed is not read, so that a
 * forger chooses no reason and no parser's input.
 */
export function readContent({ signed }: SealedContent, artifact: Artifact): ReadContent | RejectedSeal {
  if (signed.kind !== 'envelope') return { kind: 'bytes' };
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

/** What a statement is about, by the digests that are known here. */
export function statedArtifacts({ subjects }: Statement): readonly Extract<Artifact, { kind: 'digest' }>[] {
  return subjects.flatMap(({ digest }) =>
    (['sha256', 'sha384', 'sha512'] as const).flatMap((algorithm) => {
      const hex = Object.hasOwn(digest, algorithm) ? digest[algorithm] : undefined;
      return hex === undefined ? [] : [{ kind: 'digest', algorithm, hex } as const];
    }),
  );
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
