// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What keeps the gate from judging, or from serving. */
export type AdmissionErrorCode =
  /** a body that is no AdmissionReview of a version that is spoken here */
  | 'review-malformed'
  /** an address or method that the gate does not have */
  | 'not-served'
  /** the time of a review is up */
  | 'deadline'
  /** too much is under way */
  | 'overloaded'
  /** more evidence lies beside an image than one verification may read */
  | 'evidence-capped';

/** What the gate cannot do. Never an allow. */
export class AdmissionError extends CodedError<AdmissionErrorCode> {}

/** A review that cannot be judged, and is to be denied in its own form. */
export class ReviewFault extends AdmissionError {
  /** of the review; absent where it has none, so that there is nothing to answer to */
  readonly uid?: string;

  constructor(message: string, uid?: string) {
    super('review-malformed', message);
    if (uid !== undefined) this.uid = uid;
  }
}
