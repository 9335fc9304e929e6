// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { certificateKey, decodeCertificate, type Certificate } from '../certificate/certificate.ts';
import { describeName } from '../certificate/distinguished-name.ts';
import { ACCEPTED_ALGORITHMS, verifyWith } from '../certificate/signature-algorithm.ts';
import { isWithin } from '../certificate/validity-period.ts';
import { verifyChain } from '../certificate/verify-chain.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { ACCEPTED_DIGESTS, isTimestampDigest } from './digest-algorithm.ts';
import { isIssuedAs, isSigningCertificate } from './signing-certificate.ts';
import type { TimestampAuthority } from './timestamp-authority.ts';
import type { TimestampInfo } from './timestamp-info.ts';
import { nearerTimestampMiss, timestampRejection, type TimestampRejection } from './timestamp-rejection.ts';
import { significant } from './timestamp-request.ts';
import { decodeTimestampResponse } from './timestamp-response.ts';
import type { TimestampSigner, TimestampToken } from './timestamp-token.ts';

/** What came of verifying one timestamp. */
export type TimestampCheck =
  | {
      readonly kind: 'accepted';
      /** when the signature was there */
      readonly time: Date;
      readonly authority: TimestampAuthority;
      /** the certificate that the authority signed it with */
      readonly signer: Certificate;
      readonly info: TimestampInfo;
    }
  | { readonly kind: 'rejected'; readonly rejection: TimestampRejection };

/**
 * When was this signature there, by the word of one of these authorities?
 *
 * The certificate that signed is the one that the signature itself names, never the first of those that came along, and where the
 * authority's is known it must be that one. It must be for time stamping, critical and alone, and valid with its whole chain at the time
 * that it gives; the authority must have been trusted then.
 *
 * @param response DER TimeStampResp, as a bundle has it
 * @param signature what was timestamped: the octets of a signature
 * @param options.nonce what the request asked to have repeated, if it is the answer to one
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2
 * @example
 * const check = verifyTimestamp(bundle.timestamps[0], signature, trustedRoot.timestampAuthorities);
 * if (check.kind === 'accepted') console.log(check.time.toISOString());
 */
export function verifyTimestamp(
  response: Uint8Array,
  signature: Uint8Array,
  authorities: readonly TimestampAuthority[],
  options: { readonly nonce?: Uint8Array } = {},
): TimestampCheck {
  let token: TimestampToken;
  try {
    const decoded = decodeTimestampResponse(response);
    if (decoded.kind === 'refused')
      return rejected(
        timestampRejection(
          'timestamp-refused',
          `a refusal: ${[...decoded.failures, ...(decoded.text === '' ? [] : [decoded.text])].join(', ') || 'no reason'}`,
          'a timestamp',
        ),
      );
    ({ token } = decoded);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return rejected(timestampRejection('timestamp-malformed', printable(error.message, 300), 'a timestamp (RFC 3161)'));
  }
  const fault = checkContent(token, signature, options.nonce);
  if (fault !== undefined) return rejected(fault);
  let nearest: TimestampRejection | undefined;
  for (const authority of authorities) {
    const check = verifyBy(authority, token);
    if (check.kind === 'accepted') return check;
    nearest = nearerTimestampMiss(nearest, check.rejection);
  }
  return rejected(nearest ?? unknownSigner(token, 'one of a trusted authority, and none is given'));
}

/** What needs no authority to be seen. */
function checkContent(
  { info, content, signer }: TimestampToken,
  signature: Uint8Array,
  nonce: Uint8Array | undefined,
): TimestampRejection | undefined {
  const { algorithm, bytes } = info.imprint;
  if (!isTimestampDigest(algorithm)) return badDigest('of a signature', algorithm);
  if (!sameOctets(bytes, hash(algorithm, signature, 'buffer')))
    return timestampRejection(
      'timestamp-imprint-mismatch',
      `a time for ${algorithm}:${Buffer.from(bytes).toString('hex').slice(0, 128)}`,
      `for this signature, ${algorithm}:${hash(algorithm, signature, 'hex')}`,
    );
  if (nonce !== undefined && (info.nonce === undefined || !sameOctets(info.nonce, significant(nonce))))
    return timestampRejection(
      'timestamp-nonce-mismatch',
      info.nonce === undefined ? 'no nonce' : `the nonce ${shown(info.nonce)}`,
      `the nonce ${shown(significant(nonce))} of the request`,
    );
  const { digestAlgorithm } = signer;
  if (!isTimestampDigest(digestAlgorithm)) return badDigest('of what is signed', digestAlgorithm);
  return sameOctets(signer.messageDigest, hash(digestAlgorithm, content, 'buffer'))
    ? undefined
    : timestampRejection(
        'timestamp-content-mismatch',
        'a signature over other content than this timestamp',
        `one over ${digestAlgorithm}:${hash(digestAlgorithm, content, 'hex')}`,
      );
}

function verifyBy(authority: TimestampAuthority, token: TimestampToken): TimestampCheck {
  const { signer, info } = token;
  const certificate = findSigner(authority, token);
  if (certificate === undefined) return rejected(unknownSigner(token, describeAuthority(authority)));
  const algorithm = algorithmOf(signer);
  if (algorithm === undefined)
    return rejected(
      timestampRejection(
        'timestamp-algorithm',
        `signed with ${printable(signer.signatureAlgorithm, 60)}, of a digest by ${signer.digestAlgorithm}`,
        `${ACCEPTED_ALGORITHMS}, of a digest by the same`,
      ),
    );
  // First whether the certificate is one to believe: its key may be of a kind that is not used here.
  const fault = checkCertificate(certificate, authority, info.time);
  if (fault !== undefined) return rejected(fault);
  const key = certificateKey(certificate, 'the certificate of the timestamp authority');
  return verifyWith(algorithm, key, signer.attributes, signer.signature)
    ? { kind: 'accepted', time: info.time, authority, signer: certificate, info }
    : rejected(
        timestampRejection(
          'timestamp-signature-invalid',
          'a signature that does not hold',
          `one by ${describeName(certificate.subject)}`,
        ),
      );
}

// By what the signature says of its signer, inside and outside. What else lies beside is a stranger's to choose
// (GHSA-4qg8-fj49-pxjh, GHSA-xm5m-wgh2-rrg3, GHSA-9c54-x2g4-v92j).
function findSigner({ leaf }: TimestampAuthority, { signer, certificates }: TimestampToken): Certificate | undefined {
  const isSigner = (certificate: Certificate): boolean =>
    (signer.id.kind === 'key'
      ? certificate.subjectKeyIdentifier !== undefined &&
        sameOctets(certificate.subjectKeyIdentifier, signer.id.identifier)
      : isIssuedAs(certificate, signer.id)) && signer.certificates.every((id) => isSigningCertificate(certificate, id));
  if (leaf !== undefined) return isSigner(leaf) ? leaf : undefined;
  return certificates.flatMap((der) => decodeAny(der)).find(isSigner);
}

function decodeAny(der: Uint8Array): readonly Certificate[] {
  try {
    return [decodeCertificate(der, 'a certificate of the timestamp')];
  } catch (error) {
    if (error instanceof TrustError) return [];
    throw error;
  }
}

// What `verifyChain` has found out about a known certificate at one time holds at each other: only the times are to be looked at again.
const CHECKED: WeakSet<TimestampAuthority> = new WeakSet();

function checkCertificate(
  certificate: Certificate,
  authority: TimestampAuthority,
  time: Date,
): TimestampRejection | undefined {
  const { leaf, issuer } = authority;
  const known = certificate === leaf && CHECKED.has(authority);
  if (known && isValidThroughout([certificate, ...issuer.chain], authority, time)) return undefined;
  const check = verifyChain(certificate, [issuer], [time], 'time-stamping');
  if (check.kind === 'accepted') {
    if (certificate === leaf) CHECKED.add(authority);
    return undefined;
  }
  const { code, found, expected } = check.rejection;
  const retired = code === 'authority-not-trusted';
  return {
    code: retired ? 'timestamp-authority-not-trusted' : 'timestamp-certificate',
    found,
    expected,
    certificate: check.rejection,
  };
}

function isValidThroughout(chain: readonly Certificate[], { issuer }: TimestampAuthority, time: Date): boolean {
  return (
    (issuer.validFor === undefined || isWithin(issuer.validFor, time)) &&
    chain.every(({ notBefore, notAfter }) => isWithin({ start: notBefore, end: notAfter }, time))
  );
}

/** Public key algorithms without a digest in their name; the digest of the signer goes with them. RFC 3370 section 3.2, RFC 5753 section 2.1.1. */
const BARE: ReadonlyMap<string, 'rsa' | 'ecdsa'> = new Map([
  ['1.2.840.113549.1.1.1', 'rsa'],
  ['1.2.840.10045.2.1', 'ecdsa'],
]);

/** The algorithm to verify with; `undefined` if it and the digest do not go together. */
function algorithmOf({ signatureAlgorithm, digestAlgorithm }: TimestampSigner): string | undefined {
  const bare = BARE.get(signatureAlgorithm);
  const algorithm = bare === undefined ? signatureAlgorithm : `${bare}-${digestAlgorithm}`;
  // RFC 8419 section 3.1: the digest that Ed25519 has inside.
  const digest = algorithm === 'ed25519' ? 'sha512' : algorithm.slice(algorithm.indexOf('-') + 1);
  return digest === digestAlgorithm ? algorithm : undefined;
}

function badDigest(of: string, algorithm: string): TimestampRejection {
  return timestampRejection('timestamp-algorithm', `a digest ${of} by ${printable(algorithm, 60)}`, ACCEPTED_DIGESTS);
}

function unknownSigner({ signer }: TimestampToken, expected: string): TimestampRejection {
  const { id } = signer;
  const found =
    id.kind === 'key'
      ? `signed by a certificate of the key ${shown(id.identifier)}`
      : `signed by certificate ${shown(id.serialNumber)} of ${describeName(id.issuer)}`;
  return timestampRejection('timestamp-signer-unknown', found, expected);
}

function describeAuthority({ leaf, issuer }: TimestampAuthority): string {
  return leaf === undefined
    ? `by one of ${describeName(issuer.chain[0].subject)}, which it must have with it`
    : `by certificate ${shown(leaf.serialNumber)} of ${describeName(leaf.issuer)}`;
}

function shown(octets: Uint8Array): string {
  return `0x${Buffer.from(octets.subarray(0, 32)).toString('hex')}`;
}

function rejected(rejection: TimestampRejection): TimestampCheck {
  return { kind: 'rejected', rejection };
}
