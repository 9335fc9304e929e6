// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';
import { verifyBundle, type Artifact, type Bundle, type SealExpectation } from '../trust/index.ts';
import { ImageError } from './error.ts';
import type { SignImageOptions } from './sign-image.ts';

/**
 * Refuses a seal that no verifier would take: a key that signs wrongly (a broken device, a wrong pair), a certificate of somebody else, a log
 * that nobody trusts must be noticed here, not at the gate.
 *
 * @throws ImageError `seal-not-readable`
 */
export async function requireSeal(
  bundle: Bundle,
  artifact: Artifact,
  digest: Digest,
  { signer, expectation }: Pick<SignImageOptions, 'signer' | 'expectation'>,
): Promise<void> {
  const check = await verifyBundle(bundle, artifact, expected(signer, expectation));
  if (check.kind === 'accepted') return;
  const { code, found, expected: wanted } = check.rejection;
  throw new ImageError(
    'seal-not-readable',
    `the seal that was made for ${digest} does not verify and was not attached (${code}: ${found}, expected ${wanted})`,
  );
}

function expected(signer: SignImageOptions['signer'], expectation: SignImageOptions['expectation']): SealExpectation {
  if (expectation === undefined) return { keys: [signer.publicKey] };
  return expectation.kind === 'keys'
    ? { keys: expectation.keys, ...expectation.evidence }
    : { identities: expectation.identities, ...expectation.evidence };
}
