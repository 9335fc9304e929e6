// SPDX-License-Identifier: Apache-2.0
import type { Repository } from '../oci/index.ts';
import { judge, weakeningsOf, type Expectation } from './judge.ts';
import { searchEvidence, type VerifyImageOptions } from './search-evidence.ts';
import type { Verdict } from './verdict.ts';

/**
 * Answers "is this image sealed by whom I expect?" from the union of all its signatures, wherever they lie and in whichever format.
 * A tag is resolved once; the digest in the verdict is the one that was verified. Never throws: what could not be found out is
 * `undecided`, which must not admit.
 *
 * @param target a tag or a digest of `repository`
 * @example
 * const verdict = await verifyImage(repository, 'sha256:4ed3…', { signers: { kind: 'keys', keys: [key] } });
 * if (verdict.kind === 'trusted') deploy(verdict.digest);
 */
export async function verifyImage(
  repository: Repository,
  target: string,
  expectation: Expectation,
  options: VerifyImageOptions = {},
): Promise<Verdict> {
  return searchEvidence(
    repository,
    target,
    {
      sought: { kind: 'signature' },
      judge: async (candidate, digest) => judge(candidate, digest, expectation),
      // An attestation of another type is not a signature that failed.
      isOtherThing: ({ code }) => code === 'predicate-type-mismatch',
      weakened: weakeningsOf(expectation),
    },
    options,
  );
}
