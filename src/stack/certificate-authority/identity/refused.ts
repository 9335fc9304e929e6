// SPDX-License-Identifier: Apache-2.0
import { CertificateRefusal } from '../refusal.ts';

/** @returns a `token-claims` */
export function refused(found: string): CertificateRefusal {
  return new CertificateRefusal('token-claims', `the identity token ${found}`);
}
