// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { encodeEnvelope } from '../bundle/envelope.ts';
import { sameOctets } from '../der/same-octets.ts';
import { printable } from '../printable.ts';
import {
  defaultKeyDetails,
  type KeyDetails,
  type LogBody,
  type LogDigest,
  type LogVerifier,
} from './canonical-body.ts';
import { logRejection, type LogRejection } from './log-rejection.ts';
import { digestOfSigned, keyOfSigned, type LoggedSignature, type SignedContent } from './logged-signature.ts';

/**
 * Whether an entry is about this very signature: made by this key or certificate, over this content (CVE-2022-23649, CVE-2026-22703).
 * `undefined` if it is. Any entry of the log would do otherwise, and logs are full of those.
 */
export function matchLogBody(body: LogBody, logged: LoggedSignature): LogRejection | undefined {
  switch (body.kind) {
    case 'hashedrekord':
      return (
        matchSignature([body.signature], logged) ??
        matchVerifier(body.verifier, logged) ??
        (body.version === '0.0.2' ? matchKeyDetails(body.keyDetails, logged, []) : undefined) ??
        matchSigned(body.digest, logged.content)
      );
    case 'dsse':
      return (
        matchSignatures(body.signatures, logged) ??
        (body.version === '0.0.2' ? matchAllDetails(body.signatures, logged) : undefined) ??
        matchPayload(body.payloadHash, logged.content)
      );
    case 'intoto':
      return body.version === '0.0.2'
        ? (matchSignatures(body.signatures, logged) ??
            matchPayload(body.payloadHash, logged.content) ??
            matchPayloadType(body.payloadType, logged.content))
        : (matchVerifier(body.verifier, logged) ??
            (body.payloadHash === undefined ? undefined : matchPayload(body.payloadHash, logged.content)) ??
            matchEnvelope(body.envelopeHash, logged.content));
  }
}

function matchSignatures(
  signatures: readonly { readonly signature: Uint8Array; readonly verifier: LogVerifier }[],
  logged: LoggedSignature,
): LogRejection | undefined {
  const fault = matchSignature(
    signatures.map(({ signature }) => signature),
    logged,
  );
  const [first] = signatures;
  return fault ?? (first === undefined ? undefined : matchVerifier(first.verifier, logged));
}

// One signature is all that is ever verified, so that an entry of several is about more than was seen.
function matchSignature(signatures: readonly Uint8Array[], { signature }: LoggedSignature): LogRejection | undefined {
  const [first] = signatures;
  if (first === undefined || signatures.length !== 1)
    return logRejection('log-entry-signature-mismatch', `an entry of ${signatures.length} signatures`, 'of one');
  return sameOctets(first, signature)
    ? undefined
    : logRejection('log-entry-signature-mismatch', `an entry of ${shown(first)}`, `of ${shown(signature)}`);
}

function matchVerifier(verifier: LogVerifier, logged: LoggedSignature): LogRejection | undefined {
  const expected = logged.verifier.kind === 'certificate' ? logged.verifier.certificate.der : logged.verifier.key.spki;
  if (verifier.kind === logged.verifier.kind && sameOctets(verifier.der, expected)) return undefined;
  return logRejection(
    'log-entry-key-mismatch',
    `an entry of the ${nameOf(verifier.kind)} ${fingerprint(verifier.der)}`,
    `of the ${nameOf(logged.verifier.kind)} ${fingerprint(expected)}`,
  );
}

function matchAllDetails(
  signatures: readonly { readonly keyDetails: KeyDetails }[],
  logged: LoggedSignature,
): LogRejection | undefined {
  // An envelope is kept whole, so that the log could verify the pure form as well.
  for (const { keyDetails } of signatures) {
    const fault = matchKeyDetails(keyDetails, logged, ['PKIX_ED25519']);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function matchKeyDetails(
  found: KeyDetails,
  { verifier }: LoggedSignature,
  others: readonly KeyDetails[],
): LogRejection | undefined {
  const { algorithm } = keyOfSigned(verifier);
  const expected = defaultKeyDetails(algorithm)?.keyDetails;
  if (found === expected || (algorithm === 'ed25519' && others.includes(found))) return undefined;
  return logRejection('log-entry-key-mismatch', `a key entered as ${found}`, expected ?? `no key of type ${algorithm}`);
}

function matchSigned(digest: LogDigest, content: SignedContent): LogRejection | undefined {
  const expected = digestOfSigned(content, digest.algorithm);
  if (expected === undefined)
    return logRejection(
      'log-entry-digest-unknown',
      `an entry of ${describeDigest(digest)}`,
      `a digest that can be compared with ${content.kind === 'digest' ? describeDigest(content.digest) : 'the artifact'}`,
    );
  return matchDigest(digest, expected);
}

function matchPayload(digest: LogDigest, content: SignedContent): LogRejection | undefined {
  if (content.kind !== 'envelope') return notAnEnvelope();
  return matchDigest(digest, hash(digest.algorithm, content.envelope.payload, 'buffer'));
}

function matchPayloadType(payloadType: string, content: SignedContent): LogRejection | undefined {
  if (content.kind !== 'envelope') return notAnEnvelope();
  return payloadType === content.envelope.payloadType
    ? undefined
    : logRejection(
        'log-entry-digest-mismatch',
        `an entry of type '${printable(payloadType)}'`,
        `of '${printable(content.envelope.payloadType)}'`,
      );
}

// Kind intoto 0.0.1 binds the signature by nothing but the envelope's hash, in the spelling in which it was sent.
function matchEnvelope(digest: LogDigest, content: SignedContent): LogRejection | undefined {
  if (content.kind !== 'envelope') return notAnEnvelope();
  const document = content.document ?? encodeEnvelope(content.envelope);
  return matchDigest(digest, hash(digest.algorithm, document, 'buffer'));
}

function matchDigest(digest: LogDigest, expected: Uint8Array): LogRejection | undefined {
  return sameOctets(digest.bytes, expected)
    ? undefined
    : logRejection(
        'log-entry-digest-mismatch',
        `an entry of ${describeDigest(digest)}`,
        `of ${describeDigest({ algorithm: digest.algorithm, bytes: expected })}`,
      );
}

function notAnEnvelope(): LogRejection {
  return logRejection('log-entry-digest-mismatch', 'an entry of an envelope', 'of an artifact');
}

function describeDigest({ algorithm, bytes }: LogDigest): string {
  return `${algorithm}:${Buffer.from(bytes).toString('hex')}`;
}

function nameOf(kind: LogVerifier['kind']): string {
  return kind === 'certificate' ? 'certificate' : 'key';
}

function fingerprint(der: Uint8Array): string {
  return `sha256:${hash('sha256', der, 'hex')}`;
}

function shown(signature: Uint8Array): string {
  return `the signature ${Buffer.from(signature.subarray(0, 12)).toString('base64')}…`;
}
