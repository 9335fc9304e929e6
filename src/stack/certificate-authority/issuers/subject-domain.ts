// SPDX-License-Identifier: Apache-2.0
import type { Settings } from '../settings.ts';

/**
 * An issuer certifies subjects of its own domain: the last two labels are the same. Names of one label, and addresses, are the same
 * altogether.
 *
 * @throws AuthorityError
 */
export function checkSubjectDomain(subject: string, issuer: string, settings: Settings): void {
  if (domainOf(subject) === domainOf(issuer)) return;
  throw settings.fault(`has the subject-domain ${subject} and its issuer is at ${issuer}, expected one domain`);
}

function domainOf(host: string): string {
  const name = host.toLowerCase();
  const isAddress = name.startsWith('[') || /^[\d.]+$/.test(name);
  return isAddress ? name : name.split('.').slice(-2).join('.');
}
