// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { rejection, type CertificateRejection } from './certificate-rejection.ts';
import type { Certificate } from './certificate.ts';
import { readFulcioClaims, type FulcioClaims } from './fulcio-claims.ts';
import { describeGeneralName, type GeneralName } from './general-name.ts';

/** Who signed, as the authority has certified it. */
export interface CertificateIdentity {
  /** for example `dev@example.com`, or the URI of a workflow */
  readonly subject: string;
  readonly kind: Exclude<GeneralName['kind'], 'other'>;
  /** `claims.issuer` is who vouched for the subject; without it the subject alone says little */
  readonly claims: FulcioClaims;
}

/** What came of asking a certificate whose it is. */
export type IdentityCheck =
  | { readonly kind: 'accepted'; readonly identity: CertificateIdentity }
  | { readonly kind: 'rejected'; readonly rejection: CertificateRejection };

/**
 * Whose certificate this is: its one subject alternative name, and its claims.
 *
 * Fulcio certifies exactly one name. A certificate with two is refused, even if one of them would do: programs differ in which they
 * look at, so it could be shown as one person's and accepted as another's. A subject (common name) is not looked at.
 *
 * Ask `verifyChain` first: anybody can write such a certificate.
 */
export function certificateIdentity(certificate: Certificate): IdentityCheck {
  const { subjectAltNames: names } = certificate;
  const [name] = names;
  if (names.length > 1) {
    const found = `${names.length} names: ${names.slice(0, 3).map(describeGeneralName).join(', ')}`;
    return { kind: 'rejected', rejection: rejection('identity-ambiguous', found, 'exactly one') };
  }
  if (name === undefined || name.kind === 'other') {
    const found = name === undefined ? 'no subject alternative name' : describeGeneralName(name);
    return { kind: 'rejected', rejection: rejection('identity-missing', found, 'an e-mail address, URI or username') };
  }
  try {
    return {
      kind: 'accepted',
      identity: { subject: name.value, kind: name.kind, claims: readFulcioClaims(certificate) },
    };
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return {
      kind: 'rejected',
      rejection: rejection('claims-malformed', error.message, 'claims as Fulcio writes them'),
    };
  }
}
