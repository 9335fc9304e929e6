// SPDX-License-Identifier: Apache-2.0
import {
  compileIdentity,
  printable,
  TrustError,
  type ExpectedIdentity,
  type IdentityPattern,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { FaultList } from '../document/fault.ts';
import type { IdentityDocument } from '../document/policy.ts';

/**
 * Compiles an expected identity; `undefined` where it cannot be, which is told. An expression that matches everything is taken, since such
 * policies are in use, and warned of.
 *
 * @param named whether it may be told by a part, as who is revoked is: a whole issuer, say
 */
export async function prepareIdentity(
  { issuer, subject, claims, place }: IdentityDocument,
  faults: FaultList,
  named: 'in-full' | 'any-part' = 'in-full',
): Promise<ExpectedIdentity | undefined> {
  const pattern: IdentityPattern = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(subject === undefined ? {} : { subject }),
    // names that are none are faults already
    claims: Object.fromEntries(claims),
  };
  try {
    return await compileIdentity(pattern);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (!(error instanceof TrustError) || error.code !== 'identity-unspecific') {
      faults.add('error', 'field-value', place, printable(error.message, 300));
      return undefined;
    }
    if (named === 'in-full') faults.add('warning', 'discouraged', place, printable(error.message, 300));
  }
  try {
    return await compileIdentity({ ...pattern, allowAny: true });
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    faults.add('error', 'field-value', place, printable(error.message, 300));
    return undefined;
  }
}
