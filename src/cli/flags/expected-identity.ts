// SPDX-License-Identifier: Apache-2.0
import { compileIdentity, TrustError, type ExpectedIdentity, type IdentityPattern } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';

/** An identity that flags ask for, checked. @throws CliError `usage` if it says too little; WireError `expression-malformed` */
export async function compileExpectedIdentity(pattern: IdentityPattern): Promise<ExpectedIdentity> {
  try {
    return await compileIdentity(pattern);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'identity-unspecific') throw error;
    throw new CliError('usage', error.message, { cause: error, hint: 'to accept anybody: --allow-any-identity' });
  }
}
