// SPDX-License-Identifier: Apache-2.0
import { filledText, list, object, oneOf, resourceDescriptor, uri, type Shape } from './shape.ts';

/** @see https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md */
export const TEST_RESULT: Shape = object({
  required: { result: oneOf('PASSED', 'WARNED', 'FAILED'), configuration: list(resourceDescriptor) },
  optional: {
    url: uri,
    passedTests: list(filledText),
    warnedTests: list(filledText),
    failedTests: list(filledText),
  },
});
