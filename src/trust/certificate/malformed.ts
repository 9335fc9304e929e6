// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';

/** A `certificate-malformed`: what has it, and what it has. */
export function malformed(what: string, found: string): TrustError {
  return new TrustError('certificate-malformed', `${what} has ${found}`);
}
