// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../../wire/index.ts';
import { quoted } from '../quoted.ts';
import { refused } from './refused.ts';

// What every program reads as the same URL: no white space, quotes, backslashes, nothing beyond ASCII.
const PLAIN_URL = /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]+$/;
/** https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#2-spiffe-identity */
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/;
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ACCOUNT = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** A URL of this scheme and host. @throws CertificateRefusal `token-claims` */
export function subjectUrl(subject: string, domain: URL): string {
  const url = plainUrl(subject);
  if (url.protocol === domain.protocol && url.hostname === domain.hostname) return subject;
  throw refused(`is about ${quoted(subject)}, expected a URL at ${domain.protocol}//${domain.hostname}`);
}

/** @throws CertificateRefusal `token-claims` unless it is a URL that has one reading, without user and password */
export function plainUrl(subject: string): URL {
  const url = PLAIN_URL.test(subject) && URL.canParse(subject) ? new URL(subject) : undefined;
  if (url !== undefined && url.username === '' && url.password === '') return url;
  throw refused(`is about ${quoted(subject)}, expected a URL`);
}

/** `user!domain`. @throws CertificateRefusal `token-claims` */
export function username(subject: string, domain: string): string {
  if (subject.includes('!')) throw refused(`is about ${quoted(subject)}, expected a name without '!'`);
  if (subject.includes('@')) throw refused(`is about ${quoted(subject)}, expected a name that is no e-mail address`);
  return `${subject}!${domain}`;
}

/** A SPIFFE ID of this trust domain. @throws CertificateRefusal `token-claims` */
export function spiffeId(subject: string, trustDomain: string): string {
  const [, domain, path] = SPIFFE_ID.exec(subject) ?? [];
  const dotted = path?.split('/').some((segment) => segment === '.' || segment === '..') ?? true;
  if (domain === trustDomain && !dotted) return subject;
  throw refused(`is about ${quoted(subject)}, expected a SPIFFE ID of ${trustDomain}`);
}

/** By the claim `kubernetes.io`. @throws CertificateRefusal `token-claims` */
export function serviceAccountUri(claim: Json | undefined): string {
  const account = isJsonObject(claim) ? claim['serviceaccount'] : undefined;
  const namespace = isJsonObject(claim) ? claim['namespace'] : undefined;
  const name = isJsonObject(account) ? account['name'] : undefined;
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace))
    throw refused("has no 'kubernetes.io' with the namespace of a service account");
  if (typeof name !== 'string' || !ACCOUNT.test(name))
    throw refused("has no 'kubernetes.io' with the name of a service account");
  return `https://kubernetes.io/namespaces/${namespace}/serviceaccounts/${name}`;
}
