// SPDX-License-Identifier: Apache-2.0
import { sameOctets } from '../der/same-octets.ts';
import {
  checkAuthority,
  keyFault,
  list,
  namesKeyOf,
  PURPOSES,
  unknownCritical,
  type CertificateAuthority,
  type Purpose,
} from './certificate-authority.ts';
import { certificateKey, type Certificate } from './certificate.ts';
import { nearestMiss, rejection, type CertificateRejection } from './certificate-rejection.ts';
import { describeName } from './distinguished-name.ts';
import { ExtensionOid } from './object-identifier.ts';
import { ACCEPTED_ALGORITHMS, isAcceptedAlgorithm, verifyWith } from './signature-algorithm.ts';
import { describePeriod, describeTime, isWithin } from './validity-period.ts';

/** What came of verifying one certificate. */
export type ChainCheck =
  | {
      readonly kind: 'accepted';
      readonly authority: CertificateAuthority;
      /** who signed the certificate, the first of the authority's chain */
      readonly issuer: Certificate;
    }
  | { readonly kind: 'rejected'; readonly rejection: CertificateRejection };

/**
 * Was this certificate issued by one of these authorities, for this purpose, and valid with its whole chain at each of these times?
 *
 * A certificate lives ten minutes; what counts is that it was valid when it was used. So `times` are those at which the signature is
 * known to have existed (by log or timestamp), and each of them must hold: for the certificate, for every authority above it, and for
 * the period in which the authority is trusted.
 *
 * Not asked here: whether its key may name who it says (`certificateIdentity`), and whether it was logged (`verifyScts`).
 *
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-6.1
 * @example
 * const check = verifyChain(leaf, trustedRoot.certificateAuthorities, [integratedTime], 'code-signing');
 * if (check.kind === 'rejected') console.error(check.rejection.code, check.rejection.found);
 */
export function verifyChain(
  leaf: Certificate,
  authorities: readonly CertificateAuthority[],
  times: readonly Date[],
  purpose: Purpose,
): ChainCheck {
  if (times.length === 0)
    return rejected(rejection('time-missing', 'no time at which the certificate was used', 'at least one'));
  const fault = checkLeaf(leaf, purpose);
  if (fault !== undefined) return rejected(fault);
  const issuers = authorities.map((authority) => ({ authority, fault: checkIssued(leaf, authority, purpose) }));
  const found = issuers.filter((issuer) => issuer.fault === undefined).map(({ authority }) => authority);
  if (found.length === 0) return rejected(nearest(leaf, issuers));
  // While an authority is renewed it is listed twice, and two times may lie in the one period and the other: any may hold for each time.
  let accepted: CertificateAuthority | undefined;
  for (const time of times) {
    const then = found.map((authority) => ({ authority, fault: checkTime(leaf, authority, time) }));
    const valid = then.find((issuer) => issuer.fault === undefined);
    if (valid === undefined) return rejected(nearest(leaf, then));
    accepted ??= valid.authority;
  }
  return accepted === undefined
    ? rejected(nearest(leaf, []))
    : { kind: 'accepted', authority: accepted, issuer: accepted.chain[0] };
}

function checkLeaf(leaf: Certificate, purpose: Purpose): CertificateRejection | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage = [] } = leaf;
  const unknown = unknownCritical(leaf);
  if (unknown !== undefined)
    return rejection(
      'certificate-extension-unknown',
      `the critical extension ${unknown}`,
      'extensions that are understood',
    );
  if (basicConstraints?.ca === true || keyUsage?.has('keyCertSign') === true)
    return rejection('certificate-is-authority', 'a certificate that may sign certificates', 'one that may not');
  if (keyUsage?.has('digitalSignature') === false)
    return rejection('certificate-key-usage', `the key usage ${list([...keyUsage])}`, 'digitalSignature');
  if (!isFor(leaf, extendedKeyUsage, purpose)) {
    const alone = purpose === 'time-stamping' ? ', critical and alone' : '';
    return rejection(
      'certificate-purpose',
      `a certificate for ${list(extendedKeyUsage)}`,
      `${purpose} (${PURPOSES[purpose]})${alone}`,
    );
  }
  const fault = keyFault(leaf, 'the certificate');
  return fault === undefined
    ? undefined
    : rejection('certificate-key-unsupported', fault, 'a key of a kind that is used here');
}

// RFC 3161 section 2.3: that purpose must be critical and the only one, so that nobody takes a web server's clock for an authority's.
function isFor(leaf: Certificate, extendedKeyUsage: readonly string[], purpose: Purpose): boolean {
  if (!extendedKeyUsage.includes(PURPOSES[purpose])) return false;
  const critical = leaf.extensions.get(ExtensionOid.extendedKeyUsage)?.critical === true;
  return purpose !== 'time-stamping' || (critical && extendedKeyUsage.length === 1);
}

/** Whether the authority issued the certificate, at whatever time. */
function checkIssued(
  leaf: Certificate,
  authority: CertificateAuthority,
  purpose: Purpose,
): CertificateRejection | undefined {
  const [issuer] = authority.chain;
  const name = (): string => describeName(issuer.subject);
  if (!sameOctets(leaf.issuer, issuer.subject))
    return rejection('certificate-issuer-unknown', `issued by ${describeName(leaf.issuer)}`, `issued by ${name()}`);
  if (!namesKeyOf(leaf, issuer))
    return rejection('certificate-key-identifier', `issued by another key of ${name()}`, 'the key that is trusted');
  const fault = checkAuthority(authority, purpose);
  if (fault !== undefined) return fault;
  const key = certificateKey(issuer, 'the authority');
  if (!isAcceptedAlgorithm(leaf.signatureAlgorithm, key))
    return rejection('certificate-signature-algorithm', `signed with ${leaf.signatureAlgorithm}`, ACCEPTED_ALGORITHMS);
  return verifyWith(leaf.signatureAlgorithm, key, leaf.tbs, leaf.signature)
    ? undefined
    : rejection('certificate-signature-invalid', `a signature that ${name()} did not make`, `a signature by ${name()}`);
}

/** Whether all was valid at a time: the whole chain, not the certificate alone (CVE-2026-24122). */
function checkTime(leaf: Certificate, authority: CertificateAuthority, time: Date): CertificateRejection | undefined {
  const { chain, validFor } = authority;
  const used = (): string => `used at ${describeTime(time)}`;
  if (validFor !== undefined && !isWithin(validFor, time))
    return rejection(
      'authority-not-trusted',
      used(),
      `a time at which ${describeName(chain[0].subject)} is trusted: ${describePeriod(validFor)}`,
    );
  for (const certificate of chain.toReversed()) {
    const fault = checkValidity(certificate, time);
    if (fault !== undefined)
      return rejection(
        `authority-${fault}`,
        used(),
        `a time at which ${describeName(certificate.subject)} is valid: ${lifeOf(certificate)}`,
      );
  }
  const fault = checkValidity(leaf, time);
  return fault === undefined
    ? undefined
    : rejection(`certificate-${fault}`, used(), `a time at which the certificate is valid: ${lifeOf(leaf)}`);
}

function checkValidity({ notBefore, notAfter }: Certificate, time: Date): 'not-yet-valid' | 'expired' | undefined {
  if (time <= notAfter) return notBefore <= time ? undefined : 'not-yet-valid';
  return 'expired'; // as a time that is none, too
}

function lifeOf({ notBefore, notAfter }: Certificate): string {
  return describePeriod({ start: notBefore, end: notAfter });
}

function nearest(
  leaf: Certificate,
  candidates: readonly { readonly fault: CertificateRejection | undefined }[],
): CertificateRejection {
  const faults = candidates.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  const issued = `issued by ${describeName(leaf.issuer)}`;
  return (
    nearestMiss(faults) ??
    rejection('certificate-issuer-unknown', issued, 'issued by a trusted authority, and none is given')
  );
}

function rejected(reason: CertificateRejection): ChainCheck {
  return { kind: 'rejected', rejection: reason };
}
