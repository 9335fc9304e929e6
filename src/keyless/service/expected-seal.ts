// SPDX-License-Identifier: Apache-2.0
import {
  certificateIdentity,
  compileIdentity,
  type EvidenceDemand,
  type ExpectedIdentity,
  type PublicKey,
  type TrustedRoot,
} from '../../trust/index.ts';
import type { KeylessSigner } from '../certificate/keyless-signer.ts';
import { KeylessError } from '../error.ts';
import type { SigningServices } from './signing-services.ts';

/** Who a seal must turn out to be by, and with what evidence. */
export type ExpectedSeal =
  | { readonly kind: 'identities'; readonly identities: readonly ExpectedIdentity[]; readonly evidence: EvidenceDemand }
  | { readonly kind: 'keys'; readonly keys: readonly PublicKey[]; readonly evidence: EvidenceDemand };

/**
 * What a seal by this signer and these services must hold before it is given to anybody: the identity that was certified, in the logs that were
 * asked, at a time by the clocks that were asked, all of them trusted.
 *
 * @throws KeylessError `answer-mismatch` if the certificate is nobody's, so that no seal by it could be believed
 * @example
 * await signImage(repository, 'v1', { signer, witnesses, expectation: await expectedSeal(signer, services, { trustedRoot, now }), now });
 */
export async function expectedSeal(
  signer: KeylessSigner | { readonly publicKey: PublicKey; readonly leaf?: undefined },
  services: Pick<SigningServices, 'logs' | 'timestampAuthorities'>,
  options: { readonly trustedRoot: TrustedRoot; readonly now: Date },
): Promise<ExpectedSeal> {
  const evidence = demandOf(services, options);
  if (signer.leaf === undefined) return { kind: 'keys', keys: [signer.publicKey], evidence };
  const check = certificateIdentity(signer.leaf);
  if (check.kind === 'rejected')
    throw new KeylessError(
      'answer-mismatch',
      `the certificate authority gave a certificate of nobody: ${check.rejection.found}, expected ${check.rejection.expected}`,
    );
  const { subject, claims } = check.identity;
  if (claims.issuer === undefined)
    throw new KeylessError('answer-mismatch', 'the certificate authority gave a certificate that names no issuer');
  const identity = await compileIdentity({ subject: { exact: subject }, issuer: { exact: claims.issuer } });
  return { kind: 'identities', identities: [identity], evidence };
}

// Each that was asked must count: an answer that nobody believes is none.
function demandOf(
  { logs, timestampAuthorities }: Pick<SigningServices, 'logs' | 'timestampAuthorities'>,
  { trustedRoot, now }: { readonly trustedRoot: TrustedRoot; readonly now: Date },
): EvidenceDemand {
  return {
    trustedRoot,
    now,
    ...(logs.length === 0 ? { ignoreLog: true } : {}),
    ...(timestampAuthorities.length === 0 ? {} : { signedTimestamps: true }),
    thresholds: { logs: Math.max(1, logs.length), timestamps: timestampAuthorities.length, scts: 1 },
  };
}
