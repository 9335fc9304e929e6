// SPDX-License-Identifier: Apache-2.0
import type { CertificateAuthority } from '../certificate/certificate-authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';
import { TrustError } from '../error.ts';

/** A timestamp authority that is believed, as a trusted root lists it. */
export interface TimestampAuthority {
  /** where it answers */
  readonly uri?: string;
  /** who runs it */
  readonly operator?: string;
  /** the certificate that it signs with; if absent, any that its issuer has issued for time stamping */
  readonly leaf?: Certificate;
  /** who has certified it, up to the root that is trusted, and when */
  readonly issuer: CertificateAuthority;
}

/**
 * An authority from its chain, which begins with the certificate that signs, or with who issued that.
 *
 * @throws TrustError `certificate-malformed` if nobody is in the chain who could have issued it
 * @example
 * const authority = timestampAuthority(decodeCertificates(pem, 'tsa.pem'), { validFor: { start } });
 */
export function timestampAuthority(
  chain: readonly [Certificate, ...Certificate[]],
  about: { readonly uri?: string; readonly operator?: string; readonly validFor?: ValidityPeriod } = {},
): TimestampAuthority {
  const { validFor, ...named } = about;
  const [first, ...above] = chain;
  const isIssuer = first.basicConstraints?.ca === true;
  const [issuer, ...others] = isIssuer ? chain : above;
  if (issuer === undefined)
    throw new TrustError('certificate-malformed', 'the chain of a timestamp authority has no issuer, expected a root');
  return {
    ...named,
    ...(isIssuer ? {} : { leaf: first }),
    issuer: { chain: [issuer, ...others], ...(validFor === undefined ? {} : { validFor }) },
  };
}
