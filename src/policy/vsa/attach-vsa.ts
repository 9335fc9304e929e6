// SPDX-License-Identifier: Apache-2.0
import { attestImage, type AttestedImage, type AttestImageOptions } from '../../image/index.ts';
import type { Repository } from '../../oci/index.ts';
import type { Decision } from '../decision.ts';
import { makeVsa, vsaStatement, type SummaryOptions, type VerificationSummary } from './summary-statement.ts';

/** Who signs a summary, and where it is laid. */
export interface AttachVsaOptions
  extends
    SummaryOptions,
    Pick<AttestImageOptions, 'signer' | 'witnesses' | 'expectation' | 'formats' | 'evidence' | 'upload'> {}

/** A summary that was made and sealed. */
export interface AttachedVsa {
  readonly summary: VerificationSummary;
  readonly attested: AttestedImage;
}

/**
 * Says in a verification summary what was decided, signs it, verifies it, and lays it beside the image. With `upload: false` it is laid
 * nowhere, and the bundle is in what is returned: for who keeps it.
 *
 * @param repository where the image lies
 * @throws PolicyError `summary-impossible`; as `attestImage`
 * @example
 * const { attested } = await attachVsa(repository, decision, { verifier, signer: keySigner(key), now });
 */
export async function attachVsa(
  repository: Repository,
  decision: Decision,
  options: AttachVsaOptions,
): Promise<AttachedVsa> {
  const { verifier, versions, policyUri, now, ...signing } = options;
  const summary = makeVsa(decision, {
    verifier,
    now,
    ...(versions === undefined ? {} : { versions }),
    ...(policyUri === undefined ? {} : { policyUri }),
  });
  const content = { kind: 'statement', payload: vsaStatement(summary) } as const;
  const attested = await attestImage(repository, summary.digest, content, { ...signing, now });
  return { summary, attested };
}
