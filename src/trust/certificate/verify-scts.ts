// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import type { PublicKey } from '../key/public-key.ts';
import { nearestMiss, rejection, type CertificateRejection } from './certificate-rejection.ts';
import type { Certificate } from './certificate.ts';
import {
  ECDSA,
  embeddedScts,
  precertificateEntry,
  RSA,
  sctSignedData,
  SHA256,
  type CertificateLogEntry,
  type SignedCertificateTimestamp,
} from './sct.ts';
import { verifyWith } from './signature-algorithm.ts';
import { describePeriod, describeTime, isWithin, type ValidityPeriod } from './validity-period.ts';

/** A certificate log that is trusted. */
export interface CertificateLog {
  readonly publicKey: PublicKey;
  /** where it answers */
  readonly baseUrl?: string;
  /** who runs it */
  readonly operator?: string;
  /** when its key is trusted; always, if absent */
  readonly validFor?: ValidityPeriod;
}

/** What came of verifying the timestamps of a certificate. */
export type SctCheck =
  | {
      readonly kind: 'accepted';
      /** one a log: those that hold */
      readonly scts: readonly [SignedCertificateTimestamp, ...SignedCertificateTimestamp[]];
    }
  | { readonly kind: 'rejected'; readonly rejection: CertificateRejection };

/**
 * Was this certificate promised to enough certificate logs?
 *
 * A timestamp that does not hold takes nothing away from one that does; two of one log count once.
 *
 * @param issuer who signed the certificate, as `verifyChain` found it
 * @param options.detached timestamps that came beside the certificate
 * @param options.threshold how many logs are wanted; one unless told
 * @example
 * const check = verifyScts(leaf, chain.issuer, trustedRoot.certificateLogs);
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.2
 */
export function verifyScts(
  certificate: Certificate,
  issuer: Certificate,
  logs: readonly CertificateLog[],
  options: { readonly detached?: readonly SignedCertificateTimestamp[]; readonly threshold?: number } = {},
): SctCheck {
  const { detached = [], threshold = 1 } = options;
  let embedded: readonly SignedCertificateTimestamp[];
  try {
    embedded = embeddedScts(certificate);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return rejected(rejection('sct-malformed', error.message, 'a list of certificate timestamps'));
  }
  const given = embedded.length + detached.length;
  if (given === 0) return rejected(rejection('sct-missing', 'no certificate timestamp', 'at least one'));
  const faults: CertificateRejection[] = [];
  const byLog = new Map<string, SignedCertificateTimestamp>();
  const check = (scts: readonly SignedCertificateTimestamp[], entry: CertificateLogEntry): void => {
    for (const sct of scts) {
      const fault = checkSct(sct, logs, entry);
      if (fault === undefined) byLog.set(nameOf(sct), sct);
      else faults.push(fault);
    }
  };
  if (embedded.length > 0) check(embedded, precertificateEntry(certificate, issuer));
  check(detached, { kind: 'certificate', der: certificate.der });
  const [first, ...others] = byLog.values();
  if (first === undefined) return rejected(nearestMiss(faults) ?? tooFew(0, given, threshold));
  if (byLog.size < threshold) return rejected(tooFew(byLog.size, given, threshold));
  return { kind: 'accepted', scts: [first, ...others] };
}

function checkSct(
  sct: SignedCertificateTimestamp,
  logs: readonly CertificateLog[],
  entry: CertificateLogEntry,
): CertificateRejection | undefined {
  const name = nameOf(sct);
  // The hint of a key is its hash in base64. A log that is listed twice has one key and two periods.
  const listed = logs.filter(({ publicKey }) => publicKey.hint === name);
  const [log] = listed;
  if (log === undefined)
    return rejection('sct-log-unknown', `a timestamp by the log ${name}`, `by ${describeLogs(logs)}`);
  const time = new Date(sct.timestamp);
  if (!listed.some(({ validFor }) => validFor === undefined || isWithin(validFor, time))) {
    const periods = listed.flatMap(({ validFor }) => (validFor === undefined ? [] : [describePeriod(validFor)]));
    return rejection(
      'sct-log-not-trusted',
      `made at ${describeTime(time)}`,
      `a time at which the log is trusted: ${periods.join(' or ')}`,
    );
  }
  return holds(sct, log.publicKey, entry)
    ? undefined
    : rejection(
        'sct-signature-invalid',
        `a timestamp that the log ${name} did not make of this certificate`,
        'one of this certificate',
      );
}

// RFC 6962 section 2.1.4: logs sign with SHA-256, and ECDSA or RSA.
function holds(sct: SignedCertificateTimestamp, key: PublicKey, entry: CertificateLogEntry): boolean {
  if (sct.hashAlgorithm !== SHA256 || (sct.signatureAlgorithm !== ECDSA && sct.signatureAlgorithm !== RSA))
    return false;
  const algorithm = sct.signatureAlgorithm === ECDSA ? 'ecdsa-sha256' : 'rsa-sha256';
  return verifyWith(algorithm, key, sctSignedData(sct, entry), sct.signature);
}

function nameOf({ logId }: SignedCertificateTimestamp): string {
  return Buffer.from(logId).toString('base64');
}

function describeLogs(logs: readonly CertificateLog[]): string {
  if (logs.length === 0) return 'a trusted log, and none is given';
  return `the log ${logs.map(({ publicKey }) => publicKey.hint).join(' or ')}`;
}

function tooFew(found: number, given: number, threshold: number): CertificateRejection {
  return rejection(
    'sct-threshold',
    `${given} certificate timestamps by ${found} trusted logs`,
    `by at least ${threshold} logs`,
  );
}

function rejected(reason: CertificateRejection): SctCheck {
  return { kind: 'rejected', rejection: reason };
}
