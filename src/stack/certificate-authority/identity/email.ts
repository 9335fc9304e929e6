// SPDX-License-Identifier: Apache-2.0
import type { FulcioClaims } from '../../../trust/index.ts';
import { isJsonObject, type Json } from '../../../wire/index.ts';
import type { TokenIssuer } from '../issuers/token-issuer.ts';
import { quoted } from '../quoted.ts';
import type { Claims } from '../token/token.ts';
import type { CertifiedIdentity } from './certified-identity.ts';
import { refused } from './refused.ts';

/** RFC 5321 section 4.5.3.1.3, without the brackets */
const MAX_ADDRESS = 254;
// What people have: a dot-atom and a domain name (RFC 5322 section 3.4.1). Quoted local parts and comments have two readings.
const ADDRESS =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;

/** By `email`, which the issuer has verified. @throws CertificateRefusal `token-claims` */
export function emailIdentity(
  issuer: Extract<TokenIssuer, { type: 'email' }>,
  claims: Claims,
  basics: FulcioClaims,
): CertifiedIdentity {
  const email = emailAddress(claims);
  if (!issuer.skipEmailVerification) requireVerified(claims);
  const vouching = issuer.issuerClaim === undefined ? {} : { issuer: claimAt(claims, issuer.issuerClaim) };
  return { name: { kind: 'email', value: email }, challenge: email, claims: { ...basics, ...vouching } };
}

/** @throws CertificateRefusal `token-claims` */
export function emailAddress({ email }: Claims): string {
  if (typeof email !== 'string' || email === '') throw refused("has no 'email'");
  if (email.length > MAX_ADDRESS || !ADDRESS.test(email))
    throw refused(`has the 'email' ${quoted(email)}, which is no address`);
  return email;
}

/** Some issuers say it in words. @throws CertificateRefusal `token-claims` */
export function requireVerified({ email_verified: verified }: Claims): void {
  if (verified === true || verified === 'true' || verified === 'True') return;
  throw refused("has an 'email' that its issuer has not verified ('email_verified' is not true)");
}

function claimAt(claims: Claims, path: readonly string[]): string {
  let value: Json | undefined = claims;
  for (const name of path) value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw refused(`has no '${path.join('.')}', which names its issuer`);
}
