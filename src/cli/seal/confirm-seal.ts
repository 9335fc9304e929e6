// SPDX-License-Identifier: Apache-2.0
import type { Artifact, Bundle } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';

/**
 * Verifies what was made, as who verifies it will: a key that signs wrongly, or a service that cannot be believed, must be noticed here.
 *
 * @param what was made, for the error
 * @throws CliError `seal-unverifiable`
 */
export async function confirmSeal(
  bundle: Bundle,
  artifact: Artifact,
  { signer, expectation }: Pick<SigningPlan, 'signer' | 'expectation'>,
  what: string,
): Promise<void> {
  const { verifyBundle } = await import('../../trust/index.ts');
  const { sealExpectation } = await import('../../image/index.ts');
  const demand = expectation === undefined ? { keys: [signer.publicKey] } : sealExpectation(expectation);
  const check = await verifyBundle(bundle, artifact, demand);
  if (check.kind === 'accepted') return;
  const { code, found, expected } = check.rejection;
  throw new CliError(
    'seal-unverifiable',
    `${what} does not verify and was not written: ${found}, expected ${expected} [${code}]`,
  );
}
