// SPDX-License-Identifier: Apache-2.0
import {
  anything,
  filledText,
  list,
  map,
  object,
  oneOf,
  resourceDescriptor,
  text,
  time,
  uri,
  type Shape,
} from './shape.ts';

/** @see https://slsa.dev/spec/v1.0/verification_summary#schema */
export const VERIFICATION_SUMMARY: Shape = object({
  required: {
    verifier: object({ required: { id: uri }, optional: { version: map(text()) } }),
    timeVerified: time,
    resourceUri: uri,
    policy: resourceDescriptor,
    verificationResult: oneOf('PASSED', 'FAILED'),
    verifiedLevels: list(filledText),
  },
  optional: { inputAttestations: list(resourceDescriptor), dependencyLevels: map(anything), slsaVersion: text() },
});
