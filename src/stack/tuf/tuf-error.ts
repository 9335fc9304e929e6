// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What can be wrong with a TUF repository, or with what it is to publish. */
export type TufErrorCode =
  /** what is kept contradicts itself: versions must never begin again, so that nothing is made in its place */
  | 'repository-malformed'
  /** the address of a log of Rekor v2 whose host is not the name under which it signs: no client would believe it */
  | 'address-mismatch'
  /** a name that no target may have */
  | 'target-malformed'
  /** new keys were made, and could not be published yet: the next tick does it, and services go on with the old ones */
  | 'publication-pending'
  /** nothing has been published yet */
  | 'unpublished';

/** A TUF repository that cannot do what was asked. */
export class TufError extends CodedError<TufErrorCode> {}
