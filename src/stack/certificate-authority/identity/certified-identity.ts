// SPDX-License-Identifier: Apache-2.0
import type { FulcioClaims, GeneralName } from '../../../trust/index.ts';

/** Who a certificate is for, and what is said of them in it. */
export interface CertifiedIdentity {
  readonly name: Exclude<GeneralName, { kind: 'other' }>;
  /** what the key signs to show that its holder holds the token as well */
  readonly challenge: string;
  readonly claims: FulcioClaims;
}
