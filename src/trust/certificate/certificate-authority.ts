// SPDX-License-Identifier: Apache-2.0
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { certificateKey, type Certificate } from './certificate.ts';
import { rejection, type CertificateRejection } from './certificate-rejection.ts';
import { describeName } from './distinguished-name.ts';
import { ExtensionOid, PurposeOid } from './object-identifier.ts';
import { ACCEPTED_ALGORITHMS, isAcceptedAlgorithm, verifyWith } from './signature-algorithm.ts';
import type { ValidityPeriod } from './validity-period.ts';

/** Somebody whose certificates are believed. */
export interface CertificateAuthority {
  /**
   * From the issuer of leaves to the root. Only the last is trusted; each other one is checked against the next, so that it may come
   * from anywhere.
   */
  readonly chain: readonly [Certificate, ...Certificate[]];
  /** where it answers */
  readonly uri?: string;
  /** who runs it */
  readonly operator?: string;
  /** when it is trusted; always, if absent */
  readonly validFor?: ValidityPeriod;
}

/** What a certificate must have been issued for. */
export type Purpose = 'code-signing' | 'time-stamping';

export const PURPOSES: Readonly<Record<Purpose, string>> = {
  'code-signing': PurposeOid.codeSigning,
  'time-stamping': PurposeOid.timeStamping,
};

type Checked = { readonly rejected?: CertificateRejection };

// What does not depend on a time is found out once for each authority, as long as somebody holds it.
const CHECKED: Readonly<Record<Purpose, WeakMap<CertificateAuthority, Checked>>> = {
  'code-signing': new WeakMap(),
  'time-stamping': new WeakMap(),
};

/**
 * Whether an authority may issue for this purpose, at whatever time: all of its certificates and the signatures between them.
 * `undefined` if it may. The answer is kept for this object, so hold on to it and do not change it.
 */
export function checkAuthority(authority: CertificateAuthority, purpose: Purpose): CertificateRejection | undefined {
  const known = CHECKED[purpose].get(authority);
  if (known !== undefined) return known.rejected;
  const rejected = findFault(authority.chain, purpose);
  CHECKED[purpose].set(authority, rejected === undefined ? {} : { rejected });
  return rejected;
}

function findFault(chain: readonly Certificate[], purpose: Purpose): CertificateRejection | undefined {
  for (const [below, certificate] of chain.entries()) {
    const fault = checkIssuer(certificate, below, purpose);
    if (fault !== undefined) return fault;
  }
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    const fault = issuer === undefined ? undefined : checkLink(certificate, issuer);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** One certificate of an authority; `below` is how many of its authorities stand between it and a leaf. */
function checkIssuer(certificate: Certificate, below: number, purpose: Purpose): CertificateRejection | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage } = certificate;
  const name = describeName(certificate.subject);
  const unknown = unknownCritical(certificate) ?? constraintsOf(certificate);
  if (unknown !== undefined)
    return rejection(
      'authority-extension-unknown',
      `the extension ${unknown} in ${name}`,
      'extensions that are understood',
    );
  if (basicConstraints?.ca !== true)
    return rejection('authority-not-ca', `${name}, which is no authority`, 'CA:TRUE in its basic constraints');
  // Section 6.1.4 (n): if it says at all what its key is for.
  if (keyUsage?.has('keyCertSign') === false)
    return rejection('authority-key-usage', `${name} with the key usage ${list([...keyUsage])}`, 'keyCertSign');
  // Section 4.2.1.9 does not count authorities that issued themselves; here they count, since nobody chains so.
  const { pathLength } = basicConstraints;
  if (pathLength !== undefined && below > pathLength)
    return rejection('authority-path-length', `${below} authorities below ${name}`, `at most ${pathLength}`);
  if (
    extendedKeyUsage !== undefined &&
    !extendedKeyUsage.includes(PURPOSES[purpose]) &&
    !extendedKeyUsage.includes(PurposeOid.any)
  )
    return rejection(
      'authority-purpose',
      `${name} for ${list(extendedKeyUsage)}`,
      `no limit, or ${purpose} (${PURPOSES[purpose]})`,
    );
  const unsupported = keyFault(certificate, name);
  return unsupported === undefined
    ? undefined
    : rejection('authority-key-unsupported', unsupported, 'a key of a kind that is used here');
}

function checkLink(certificate: Certificate, issuer: Certificate): CertificateRejection | undefined {
  const name = describeName(certificate.subject);
  if (!sameOctets(certificate.issuer, issuer.subject))
    return rejection(
      'authority-name-mismatch',
      `${name}, issued by ${describeName(certificate.issuer)}`,
      `issued by ${describeName(issuer.subject)}, the next of its chain`,
    );
  if (!namesKeyOf(certificate, issuer))
    return rejection(
      'authority-key-identifier',
      `${name} by another key`,
      `the key of ${describeName(issuer.subject)}`,
    );
  const issuerName = describeName(issuer.subject);
  const key = certificateKey(issuer, issuerName);
  if (!isAcceptedAlgorithm(certificate.signatureAlgorithm, key))
    return rejection(
      'authority-signature-algorithm',
      `${name}, signed with ${certificate.signatureAlgorithm}`,
      ACCEPTED_ALGORITHMS,
    );
  return verifyWith(certificate.signatureAlgorithm, key, certificate.tbs, certificate.signature)
    ? undefined
    : rejection('authority-signature-invalid', `${name} with a signature that does not hold`, `one by ${issuerName}`);
}

/** Whether the key identifiers, where both have one, are the same. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.1 */
export function namesKeyOf(certificate: Certificate, issuer: Certificate): boolean {
  const named = certificate.authorityKeyIdentifier;
  const has = issuer.subjectKeyIdentifier;
  return named === undefined || has === undefined || sameOctets(named, has);
}

const UNDERSTOOD: ReadonlySet<string> = new Set([
  ExtensionOid.basicConstraints,
  ExtensionOid.keyUsage,
  ExtensionOid.extendedKeyUsage,
  ExtensionOid.subjectAltName,
  ExtensionOid.subjectKeyIdentifier,
  ExtensionOid.authorityKeyIdentifier,
]);

/** The first critical extension that is not understood: such a certificate must be refused. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2 */
export function unknownCritical(certificate: Certificate): string | undefined {
  for (const { oid, critical } of certificate.extensions.values()) if (critical && !UNDERSTOOD.has(oid)) return oid;
  return undefined;
}

// Name constraints must be critical (section 4.2.1.10). Where they are not, they are still meant; what is not enforced is not accepted.
function constraintsOf(certificate: Certificate): string | undefined {
  return certificate.extensions.has(ExtensionOid.nameConstraints) ? ExtensionOid.nameConstraints : undefined;
}

/** What is wrong with the key of a certificate, if anything. */
export function keyFault(certificate: Certificate, what: string): string | undefined {
  try {
    certificateKey(certificate, what);
    return undefined;
  } catch (error) {
    if (error instanceof TrustError) return error.message;
    throw error;
  }
}

/** For messages. */
export function list(items: readonly string[]): string {
  return items.length === 0 ? 'nothing' : items.slice(0, 4).join(', ') + (items.length > 4 ? ', …' : '');
}
